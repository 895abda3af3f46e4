//! The real binary: what it says, how it ends, and how it hears signals.

#[path = "support/process.rs"]
mod process;

use std::fs;

use process::{Home, stderr, stdout};

/// A port of this host that refuses connections.
const NOBODY: &str = "http://127.0.0.1:9/api/v1";

#[test]
fn check_counts_the_policies_of_a_good_set() {
    let home = Home::new(NOBODY);
    home.policy("db", 7, 2);
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "2 policies, no problems\n");
}

#[test]
fn check_names_file_and_line_of_every_problem_and_ends_with_2() {
    let home = Home::new(NOBODY);
    home.policy("db", 7, 9);
    home.write("policies.d/mail.toml", "[server]\nid = 8\nnam = \"mail\"\n");
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let report = stderr(&output);
    for place in ["policies.d/db.toml:", "policies.d/mail.toml:3:"] {
        assert!(report.contains(place), "{place} in {report}");
    }
    assert_eq!(stdout(&output), "");
}

#[test]
fn an_unknown_command_is_a_matter_of_usage() {
    let home = Home::new(NOBODY);
    assert_eq!(home.run(&["rotate"]).status.code(), Some(2));
}

#[test]
fn the_configuration_may_be_named_after_the_command() {
    let home = Home::new(NOBODY);
    let missing = home.path("none.toml");
    let output = home.run(&["check", "--config", missing.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("none.toml"), "{}", stderr(&output));
}

#[test]
fn run_refuses_a_broken_set_with_2_before_it_touches_anything() {
    let home = Home::new(NOBODY);
    home.write("policies.d/web.toml", "[server]\n");
    let output = home.run(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("web.toml"), "{}", stderr(&output));
    assert!(!home.path("state").exists() && !home.path("audit").exists());
}

#[test]
fn sigterm_ends_the_daemon_with_0_and_start_and_end_are_recorded() {
    let home = Home::new(NOBODY);
    let daemon = home.start();
    daemon.signal("TERM");
    daemon.hears("STOPPING=1");
    assert_eq!(daemon.ends(), Some(0));
    let words = home.words();
    let own: Vec<_> = words
        .iter()
        .filter(|word| word.starts_with("daemon_") || word.starts_with("config_"))
        .collect();
    assert_eq!(own, ["daemon_started", "config_loaded", "daemon_stopped"]);
}

#[test]
fn a_second_daemon_and_once_name_the_process_that_holds_the_lock() {
    let home = Home::new(NOBODY);
    let daemon = home.start();
    let holder = format!("process {} (snaprotate run)", daemon.pid());
    for command in ["run", "once"] {
        let output = home.run(&[command]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let said = stderr(&output);
        assert!(said.contains(&holder), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    daemon.signal("INT");
    assert_eq!(daemon.ends(), Some(0));
}

#[test]
fn a_killed_daemon_leaves_no_lock_behind() {
    let home = Home::new(NOBODY);
    drop(home.start());
    let daemon = home.start();
    daemon.signal("TERM");
    assert_eq!(daemon.ends(), Some(0));
}

#[test]
fn a_reload_with_a_mistake_keeps_the_old_set_and_one_without_clears_the_alert() {
    let home = Home::new(NOBODY);
    let daemon = home.start();
    home.policy("db", 7, 9);
    daemon.signal("HUP");
    let reloading = daemon.hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    let refused = daemon.hears("READY=1");
    assert!(refused.contains("1 server,"), "{refused}");
    assert!(refused.contains("changed files are refused"), "{refused}");

    home.policy("db", 7, 2);
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    let loaded = daemon.hears("READY=1");
    assert!(loaded.contains("2 servers,"), "{loaded}");
    assert!(!loaded.contains("refused"), "{loaded}");
    daemon.signal("TERM");
    assert_eq!(daemon.ends(), Some(0));

    let events = home.events();
    let refused = events.iter().find(|e| e["event"] == "config_refused");
    let problem = refused.expect("recorded")["problems"][0].to_string();
    assert!(problem.contains("db.toml:"), "{problem}");
    let alert = |word: &str| {
        let about = |e: &&serde_json::Value| e["event"] == word && e["about"] == "configuration";
        events.iter().position(|e| about(&e))
    };
    assert!(alert("alert_raised").expect("raised") < alert("alert_cleared").expect("cleared"));
    let loaded = events.iter().filter(|e| e["event"] == "config_loaded");
    let policies: Vec<_> = loaded.map(|e| e["policies"].clone()).collect();
    assert_eq!(policies, [1, 2]);
}

#[test]
fn the_address_of_the_api_does_not_change_under_a_running_daemon() {
    let home = Home::new(NOBODY);
    let daemon = home.start();
    let file = home.path("snaprotate.toml");
    let text = fs::read_to_string(&file).expect("text");
    home.write("snaprotate.toml", &text.replace(":9/", ":10/"));
    daemon.signal("HUP");
    daemon.hears("RELOADING=1");
    let refused = daemon.hears("READY=1");
    assert!(refused.contains("refused"), "{refused}");
    daemon.signal("TERM");
    assert_eq!(daemon.ends(), Some(0));
}

#[test]
fn an_alert_about_the_files_is_cleared_by_a_start_with_good_ones() {
    let home = Home::new(NOBODY);
    let daemon = home.start();
    home.policy("db", 7, 9);
    daemon.signal("HUP");
    daemon.hears("changed files are refused");
    drop(daemon);
    home.policy("db", 7, 2);
    let daemon = home.start();
    daemon.signal("TERM");
    daemon.ends();
    let cleared =
        |e: &&serde_json::Value| e["event"] == "alert_cleared" && e["about"] == "configuration";
    assert_eq!(home.events().iter().filter(cleared).count(), 1);
}

#[test]
fn the_watchdog_is_fed_while_the_engine_goes_on() {
    let home = Home::new(NOBODY);
    let daemon = home.start_with(&[("WATCHDOG_USEC", "6000000")]);
    daemon.hears("READY=1");
    daemon.hears("WATCHDOG=1");
    daemon.hears("WATCHDOG=1");
}

#[test]
fn once_ends_with_1_when_the_api_cannot_be_reached() {
    let home = Home::new(NOBODY);
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(
        home.words().last().map(String::as_str),
        Some("daemon_stopped")
    );
}

#[test]
fn i13_the_token_is_in_no_output_log_or_trail_whatever_the_level() {
    let home = Home::new(NOBODY);
    let output = home.run(&["once", "--log", "trace", "--log-format", "json"]);
    let log = stderr(&output);
    assert!(log.lines().count() > 0);
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON");
    }
    let trail = format!("{:?}", home.events());
    assert!(!log.contains("secret-token") && !trail.contains("secret-token"));
}

#[test]
fn the_chain_is_intact_after_a_run_and_a_changed_line_is_found() {
    let home = Home::new(NOBODY);
    let daemon = home.start();
    daemon.signal("TERM");
    daemon.ends();
    let output = home.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).starts_with("intact: "),
        "{}",
        stdout(&output)
    );

    let folder = fs::read_dir(home.path("audit")).expect("a trail");
    let file = folder
        .map(|e| e.expect("an entry").path())
        .next()
        .expect("a file");
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&file, text.replace("daemon_started", "daemon_starred")).expect("written");
    let output = home.run(&["audit", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(found["intact"], false);
    assert!(
        found["problems"][0]
            .as_str()
            .expect("text")
            .contains("line ")
    );
}
