//! The real binary: its messages, its exit codes, and its reaction to signals.

use std::fs;
use std::io::{self, Write as _};
use std::process::Stdio;
use std::time::Duration;

use crate::support::notify::Service;
use crate::support::{
    Daemon, Home, Provider, QUICK, TOKEN, daily_name, days_ago, stderr, stdout, until,
};
use jiff::SignedDuration;

/// A port of this host that refuses connections.
pub(super) const NOBODY: &str = "http://127.0.0.1:9/api/v1";

/// Returns a home with one policy, and an API that can't be reached.
pub(super) fn home() -> Home {
    let home = Home::new(NOBODY, "", QUICK);
    home.daily(12345, 3, "");
    home
}

/// Returns a provider with one server, and a home with a policy for that server.
pub(super) fn live() -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 3, "");
    (provider, home)
}

/// Returns the trail's events about the process and its configuration, in order.
pub(super) fn global(home: &Home) -> Vec<String> {
    let events = home.trail().into_iter();
    let words = events.filter_map(|e| Some(e["event"].as_str()?.to_owned()));
    words
        .filter(|word| word.starts_with("daemon_") || word.starts_with("config_"))
        .collect()
}

#[test]
fn check_counts_the_policies_of_a_valid_configuration() {
    // The default times: `check` warns of the short ones that other tests use.
    let home = Home::new(NOBODY, "", "");
    home.daily(12345, 3, "");
    home.daily(7, 2, "");
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(
        said.ends_with("2 policies, no problems, 2 warnings\n"),
        "{said}"
    );
    assert!(
        said.contains("server-7.toml:1:1: warning: no server.name"),
        "{said}"
    );
}

#[test]
fn check_names_file_and_line_of_every_problem_and_ends_with_exit_code_2() {
    let home = home();
    home.daily(7, 9, "");
    home.policy("mail", "[server]\nid = 8\nnam = \"mail\"\n");
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let report = stderr(&output);
    for place in ["policies.d/server-7.toml:", "policies.d/mail.toml:3:"] {
        assert!(report.contains(place), "{place} in {report}");
    }
    assert_eq!(stdout(&output), "");
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    let home = home();
    assert_eq!(home.run(&["rotate"]).status.code(), Some(2));
}

#[test]
fn the_config_option_may_follow_the_command() {
    let home = home();
    let missing = home.path("none.toml");
    let output = home.run(&["check", "--config", missing.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("none.toml"), "{}", stderr(&output));
}

#[test]
fn run_refuses_an_invalid_configuration_with_exit_code_2_before_it_writes_anything() {
    let home = home();
    home.policy("server-12345", "[server]\n");
    let output = home.run(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("server-12345.toml"),
        "{}",
        stderr(&output)
    );
    assert!(!home.path("state").exists() && !home.path("log").exists());
}

#[test]
fn sigterm_ends_the_daemon_with_exit_code_0_and_start_and_end_are_recorded() {
    let home = home();
    assert_eq!(Service::start(&home).stop(), Some(0));
    assert_eq!(
        global(&home),
        ["daemon_started", "config_loaded", "daemon_stopped"]
    );
}

#[test]
fn a_second_sigterm_ends_the_daemon_at_once_even_if_a_create_is_unanswered() {
    let provider = Provider::start(
        SignedDuration::from_millis(200),
        Duration::from_millis(1500),
    );
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 3, "");
    let service = Service::start(&home);
    until("a create is sent", || {
        !home.events("create_intent").is_empty()
    });
    service.daemon.signal("TERM");
    service.hears("STOPPING=1");
    assert_eq!(service.stop(), Some(1));
    assert!(home.events("create_result").is_empty());
    assert!(home.events("daemon_stopped").is_empty());
}

#[test]
fn after_sigterm_during_a_create_the_daemon_waits_for_the_answer() {
    let provider = Provider::start(SignedDuration::from_millis(200), Duration::from_millis(400));
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 3, "");
    let service = Service::start(&home);
    until("a create is sent", || {
        !home.events("create_intent").is_empty()
    });
    assert_eq!(service.stop(), Some(0));
    let answered = &home.events("create_result")[0];
    assert_eq!(answered["outcome"], "done", "I6");
    assert_eq!(global(&home).last().expect("an end"), "daemon_stopped");
    assert_eq!(provider.names(12345).len(), 1);
}

#[test]
fn a_second_daemon_and_once_name_the_process_that_holds_the_lock() {
    let home = home();
    let service = Service::start(&home);
    let holder = format!("process {} (snaprotate run)", service.daemon.0.id());
    for command in ["run", "once"] {
        let output = home.run(&[command]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let said = stderr(&output);
        assert!(said.contains(&holder), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_killed_daemon_leaves_no_lock_behind() {
    let home = home();
    drop(Service::start(&home));
    assert_eq!(Service::start(&home).stop(), Some(0));
}

#[test]
fn the_watchdog_is_fed_while_the_engine_runs() {
    let home = home();
    let service = Service::begin(&home, &[("WATCHDOG_USEC", "6000000")]);
    service.hears("READY=1");
    service.hears("WATCHDOG=1");
    service.hears("WATCHDOG=1");
}

#[test]
fn once_ends_with_exit_code_1_when_the_api_cannot_be_reached() {
    let home = home();
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(global(&home).last().expect("an end"), "daemon_stopped");
    let said = stderr(&output);
    assert!(said.contains(" to http://127.0.0.1:9: "), "{said}");
    assert!(!said.contains("client error"), "{said}");
}

#[test]
fn once_records_whether_everything_that_was_due_is_done() {
    let ended = |home: &Home| home.events("daemon_stopped")[0]["reason"].clone();
    let failed = home();
    assert_eq!(failed.run(&["once"]).status.code(), Some(1));
    let reason = ended(&failed);
    assert_eq!(reason, "ended with unsettled slots or active alerts");
    let (_provider, settled) = live();
    assert_eq!(settled.run(&["once"]).status.code(), Some(0));
    assert_eq!(ended(&settled), "everything that was due is done");
}

#[test]
fn the_wait_for_a_listing_that_confirms_the_first_is_logged_once_and_before_any_slot() {
    let (_provider, home) = live();
    let once = home.run(&["once"]);
    let told = stderr(&once);
    let place = |words: &str| {
        told.find(words)
            .unwrap_or_else(|| panic!("{words}: {told}"))
    };
    let waits = "first listing: a second one, 25ms later, must agree";
    assert!(place("daemon_started") < place(waits), "{told}");
    assert!(place(waits) < place("slot_due"), "{told}");
    assert_eq!(told.matches("first listing").count(), 1, "{told}");
    let mut lines = told.lines().filter(|line| line.contains("slot_due"));
    let called = "server=12345 server_name=\"server-12345\"";
    assert!(lines.all(|line| line.contains(called)), "{told}");
}

#[test]
fn once_logs_the_active_alert_and_the_unsettled_slot_that_cause_exit_code_1() {
    let (provider, home) = live();
    provider.sandbox.add_server(2, "full-01");
    for by_hand in 0..5 {
        let name = format!("by-hand-{by_hand}");
        let made = days_ago(by_hand);
        provider.sandbox.add_snapshot(2, &name, "completed", made);
    }
    home.daily(2, 3, "");
    assert_eq!(home.run(&["once"]).status.code(), Some(1));
    // The alert is raised only once, and stays active.
    let paused = home.run(&["pause", "--server", "server-12345"]);
    assert!(paused.status.success(), "{}", stderr(&paused));
    let again = home.run(&["once", "--log", "error"]);
    assert_eq!(again.status.code(), Some(1));
    let told = stderr(&again);
    let line = |event: &str, more: &str| {
        let mut lines = told.lines();
        lines.any(|line| line.contains(event) && line.contains(more))
    };
    assert!(line("alert_standing", "server=2 "), "{told}");
    assert!(line("alert_standing", "alert=\"blocked\""), "{told}");
    assert!(line("slot_unsettled", &daily_name(0)), "{told}");
    assert!(line("slot_unsettled", "server=12345 "), "{told}");
    assert!(line("slot_unsettled", "the server is paused"), "{told}");
    assert!(told.lines().count() <= 5, "{told}");
}

#[test]
fn the_trail_can_be_verified_without_a_token_or_valid_policies_or_valid_settings() {
    let home = home();
    Service::start(&home).stop();
    fs::remove_file(home.path("token")).expect("removed");
    home.policy("server-12345", "[server\n");
    let file = home.path("snaprotate.toml");
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&file, text.replace("poll_interval", "pol_interval")).expect("written");
    let verify = || home.run(&["audit", "verify"]);
    let output = verify();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    // Without the main file the folders are those that the service manager sets.
    fs::remove_file(&file).expect("removed");
    assert_eq!(
        verify().status.code(),
        Some(2),
        "another trail may be intact"
    );
    let mut command = home.command(&["audit", "verify"]);
    command
        .env("STATE_DIRECTORY", home.path("state"))
        .env("LOGS_DIRECTORY", home.path("log"));
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(
        said.contains(home.path("log").to_str().expect("text")),
        "{said}"
    );

    // A misspelt key must not lead to another trail, which may be intact.
    fs::write(&file, text.replace("\ndir = ", "\ndri = ")).expect("written");
    assert_eq!(verify().status.code(), Some(2));
    fs::write(&file, &text).expect("written");
    let mut files = fs::read_dir(home.path("log")).expect("a trail");
    let trail = files.next().expect("a file").expect("an entry").path();
    let lines = fs::read_to_string(&trail).expect("text");
    fs::write(&trail, lines.replace("daemon_started", "daemon_starred")).expect("written");
    assert_eq!(verify().status.code(), Some(1));
}

#[test]
fn i13_the_token_is_in_neither_log_nor_trail_even_at_the_trace_level() {
    let (provider, home) = live();
    provider.sandbox.set_token("another");
    let output = home.run(&["once", "--log", "trace", "--log-format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let log = stderr(&output);
    assert!(log.lines().count() > 0);
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON");
    }
    let trail = format!("{:?}", home.trail());
    assert!(!log.contains(TOKEN) && !trail.contains(TOKEN));
}

#[test]
fn the_chain_is_intact_after_a_run_and_a_changed_line_is_found() {
    let home = home();
    Service::start(&home).stop();
    let output = home.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    assert!(said.starts_with("intact: "), "{said}");

    let mut files = fs::read_dir(home.path("log")).expect("a trail");
    let file = files.next().expect("a file").expect("an entry").path();
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&file, text.replace("daemon_started", "daemon_starred")).expect("written");
    let output = home.run(&["audit", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(found["intact"], false);
    let problem = found["problems"][0].to_string();
    assert!(problem.contains("line "), "{problem}");
}

#[test]
fn a_trail_that_was_cut_raises_an_alert_until_a_start_finds_the_trail_whole() {
    let home = home();
    Service::start(&home).stop();
    let mut files = fs::read_dir(home.path("log")).expect("a trail");
    let file = files.next().expect("a file").expect("an entry").path();
    let text = fs::read_to_string(&file).expect("text");
    let lines: Vec<_> = text.lines().collect();
    fs::write(&file, lines[..lines.len() - 1].join("\n") + "\n").expect("written");
    for event in ["alert_raised", "alert_cleared"] {
        assert_eq!(Service::start(&home).stop(), Some(0));
        let mut events = home.events(event);
        events.retain(|record| record["alert"] == "trail_lost");
        assert_eq!(events.len(), 1, "{event}");
    }
}

#[test]
fn a_log_that_nobody_reads_delays_neither_the_rotation_nor_the_end() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web-server-01");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 2, "");
    let (_unread, mut log) = io::pipe().expect("a pipe");
    // A pipe holds 64 KiB; the next line would wait for a reader.
    for _ in 0..16 {
        log.write_all(&[b' '; 4096]).expect("room");
    }
    let mut command = home.command(&["run"]);
    command.stdout(Stdio::null()).stderr(log);
    let daemon = Daemon(command.spawn().expect("it starts"));
    until("the snapshot is completed", || {
        !home.events("snapshot_completed").is_empty()
    });
    assert_eq!(daemon.stop(), Some(0));
}
