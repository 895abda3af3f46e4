//! The real binary: its messages, its exit codes, and its reaction to signals.

use std::fs;
use std::time::Duration;

use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, TOKEN, daily_name, days_ago, stderr, stdout, until};
use jiff::SignedDuration;

/// A port of this host that refuses connections.
const NOBODY: &str = "http://127.0.0.1:9/api/v1";

/// Returns one policy, and an API that can't be reached.
fn home() -> Home {
    let home = Home::new(NOBODY, "", QUICK);
    home.daily(12345, 3, "");
    home
}

/// Returns one policy, and a provider that has its server.
fn live() -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 3, "");
    (provider, home)
}

/// Returns the trail's records of the process and its files, in order.
fn global(home: &Home) -> Vec<String> {
    let events = home.trail().into_iter();
    let words = events.filter_map(|e| Some(e["event"].as_str()?.to_owned()));
    words
        .filter(|word| word.starts_with("daemon_") || word.starts_with("config_"))
        .collect()
}

#[test]
fn check_counts_the_policies_of_a_good_set() {
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
fn check_names_file_and_line_of_every_problem_and_ends_with_2() {
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
fn an_unknown_command_is_a_matter_of_usage() {
    let home = home();
    assert_eq!(home.run(&["rotate"]).status.code(), Some(2));
}

#[test]
fn the_configuration_may_be_named_after_the_command() {
    let home = home();
    let missing = home.path("none.toml");
    let output = home.run(&["check", "--config", missing.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("none.toml"), "{}", stderr(&output));
}

#[test]
fn run_refuses_a_broken_set_with_2_before_it_touches_anything() {
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
fn sigterm_ends_the_daemon_with_0_and_start_and_end_are_recorded() {
    let home = home();
    assert_eq!(Service::start(&home).stop(), Some(0));
    assert_eq!(
        global(&home),
        ["daemon_started", "config_loaded", "daemon_stopped"]
    );
}

#[test]
fn a_second_sigterm_ends_it_at_once_though_a_create_is_unanswered() {
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
fn sigterm_in_the_middle_of_a_create_waits_for_its_answer() {
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
fn a_reload_with_a_mistake_keeps_the_old_set_and_one_without_clears_the_alert() {
    let home = home();
    let service = Service::start(&home);
    home.daily(7, 9, "");
    let refused = service.reload();
    assert!(refused.contains("1 server,"), "{refused}");
    assert!(refused.contains("changed files are refused"), "{refused}");
    home.daily(7, 2, "");
    let loaded = service.reload();
    assert!(loaded.contains("2 servers,"), "{loaded}");
    assert!(!loaded.contains("refused"), "{loaded}");
    assert_eq!(service.stop(), Some(0));

    let problem = home.events("config_refused")[0]["problems"].to_string();
    assert!(problem.contains("server-7.toml:"), "{problem}");
    let seq = |word: &str| {
        let mut events = home.events(word);
        events.retain(|event| event["about"] == "configuration");
        assert_eq!(events.len(), 1, "{word}");
        events[0]["seq"].as_u64()
    };
    assert!(seq("alert_raised") < seq("alert_cleared"));
    let loaded = home.events("config_loaded");
    let policies: Vec<_> = loaded.iter().map(|e| e["policies"].clone()).collect();
    assert_eq!(policies, [1, 2]);
}

#[test]
fn status_names_the_files_that_the_service_has_not_read() {
    let home = home();
    let service = Service::start(&home);
    let said = || {
        let output = home.run(&["status"]);
        assert!(!stdout(&output).is_empty());
        stderr(&output)
    };
    assert_eq!(said(), "");
    home.daily(12345, 2, "");
    home.daily(7, 2, "");
    let both = said();
    assert!(
        both.contains("server-12345.toml and another file have changed"),
        "{both}"
    );
    assert!(both.contains("systemctl reload snaprotate"), "{both}");
    service.reload();
    assert_eq!(said(), "");
    fs::remove_file(home.path("policies.d/server-7.toml")).expect("removed");
    let gone = said();
    assert!(
        gone.contains("server-7.toml has changed since the service read"),
        "{gone}"
    );
    service.reload();
    assert_eq!(said(), "");
    fs::write(
        home.path("snaprotate.toml"),
        fs::read(home.path("snaprotate.toml")).expect("read"),
    )
    .expect("written");
    assert!(said().contains("snaprotate.toml has changed since"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_warning_beside_a_mistake_is_logged_as_one_and_not_counted_in_the_alert() {
    let home = home();
    let service = Service::start(&home);
    home.daily(7, 9, "");
    fs::write(home.path("policies.d/stray.txt"), "").expect("written");
    service.reload();
    assert_eq!(service.stop(), Some(0));
    let refused = &home.events("config_refused")[0]["problems"];
    let all: Vec<_> = refused.as_array().expect("lines").iter().collect();
    let warnings = |line: &&&serde_json::Value| line.to_string().contains(": warning: ");
    let told = all.iter().filter(warnings).count();
    assert!(told > 0, "{refused}");
    let mut alerts = home.events("alert_raised");
    alerts.retain(|alert| alert["alert"] == "config_refused");
    let reason = alerts[0]["reason"].to_string();
    assert!(reason.contains(": error: "), "{reason}");
    assert_eq!(all.len(), told + 1, "{refused}");
    assert!(!reason.contains("more)"), "{reason}");
}

#[test]
fn a_reload_says_which_rotation_takes_over_the_snapshots_of_one_that_is_gone() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let policy = |name: &str| {
        let text = format!(
            "[server]\nid = 12345\n[[rotation]]\nname = \"{name}\"\nschedule = \"0 3 * * *\"\nkeep = 2\nsnapshot_name = \"web-%Y-%m-%d\"\n"
        );
        home.policy("web", &text);
    };
    policy("one");
    let service = Service::start(&home);
    policy("two");
    service.reload();
    assert_eq!(service.stop(), Some(0));
    let said = home.events("config_loaded")[1].to_string();
    assert!(said.contains("two takes over its snapshots"), "{said}");
    assert!(!said.contains("foreign"), "{said}");
}

#[test]
fn a_reload_records_what_the_change_will_delete_before_it_is_deleted() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    for back in (0..3).rev() {
        let name = daily_name(back);
        let at = days_ago(back);
        provider.sandbox.add_snapshot(12345, &name, "completed", at);
    }
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 3, "");
    let service = Service::start(&home);
    home.daily(12345, 1, "");
    service.reload();
    until("both are deleted", || provider.names(12345).len() == 1);
    assert_eq!(service.stop(), Some(0));
    let loaded = &home.events("config_loaded")[1];
    let said = loaded["deletes"].to_string();
    for name in [daily_name(1), daily_name(2)] {
        assert!(said.contains(&name), "{said}");
    }
    assert!(!said.contains(&daily_name(0)), "{said}");
    let first = &home.events("delete_intent")[0];
    assert!(loaded["seq"].as_u64() < first["seq"].as_u64());
}

#[test]
fn a_reload_records_what_a_new_policy_will_delete() {
    // Deletes at once; after the create that is due; to make room for it.
    for backs in [0..3, 1..4, 1..6] {
        let (provider, home) = live();
        provider.sandbox.add_server(7, "new");
        for back in backs.clone().rev() {
            let made = days_ago(back);
            let name = daily_name(back);
            provider.sandbox.add_snapshot(7, &name, "completed", made);
        }
        let service = Service::start(&home);
        home.daily(7, 1, "");
        service.reload();
        until("all but the newest are deleted", || {
            provider.names(7) == [daily_name(0)]
        });
        assert_eq!(service.stop(), Some(0));
        let said = home.events("config_loaded")[1]["deletes"].to_string();
        for back in backs.filter(|back| *back > 0) {
            assert!(said.contains(&daily_name(back)), "{said}");
        }
    }
}

#[test]
fn a_reload_says_when_a_renamed_rotations_snapshots_fill_the_room() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    for back in (0..3).rev() {
        let at = days_ago(back);
        let name = daily_name(back);
        provider.sandbox.add_snapshot(12345, &name, "completed", at);
    }
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 3, "");
    let service = Service::start(&home);
    let file = home.path("policies.d/server-12345.toml");
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&file, text.replace("\"daily\"", "\"nightly\"")).expect("written");
    service.reload();
    let made = || {
        provider
            .names(12345)
            .iter()
            .any(|n| n.starts_with("nightly"))
    };
    until("one is made under the new name", made);
    assert_eq!(service.stop(), Some(0));
    let said = home.events("config_loaded")[1]["deletes"].to_string();
    let expected = "3 own snapshots become foreign and leave room for 2 of the 3 snapshots to keep; to keep rotating them, add former_names = [";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("daily-snapshot-%Y-%m-%d"), "{said}");
    assert_eq!(provider.names(12345).len(), 4, "nothing was deleted");
}

#[test]
fn a_plan_says_whose_snapshots_become_foreign_by_a_rotation_s_new_name() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, 3, "");
    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    let warned = || {
        let output = home.run(&["plan"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let line = format!(
            "with server-12345.toml, snapshots of rotation daily, such as {}, are foreign",
            daily_name(0)
        );
        stderr(&output).contains(&line)
    };
    assert!(!warned());
    let file = home.path("policies.d/server-12345.toml");
    let text = fs::read_to_string(&file).expect("text");
    let other = text.clone() + "snapshot_name = \"d-%Y-%m-%d\"\n";
    fs::write(&file, other).expect("written");
    assert!(warned(), "another pattern");
    let renamed = text.replace("\"daily\"", "\"nightly\"");
    fs::write(&file, &renamed).expect("written");
    assert!(warned(), "another name");
    let former = "former_names = [\"daily-snapshot-%Y-%m-%d\"]\n";
    fs::write(&file, renamed + former).expect("written");
    assert!(!warned());
}

#[test]
fn the_address_of_the_api_does_not_change_under_a_running_daemon() {
    let home = home();
    let service = Service::start(&home);
    let file = home.path("snaprotate.toml");
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&file, text.replace(":9/", ":10/")).expect("written");
    let refused = service.reload();
    assert!(refused.contains("refused"), "{refused}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn an_alert_about_the_files_is_cleared_by_a_start_with_good_ones() {
    let home = home();
    let service = Service::start(&home);
    home.daily(7, 9, "");
    service.reload();
    drop(service);
    home.daily(7, 2, "");
    assert_eq!(Service::start(&home).stop(), Some(0));
    let mut cleared = home.events("alert_cleared");
    cleared.retain(|event| event["about"] == "configuration");
    assert_eq!(cleared.len(), 1);
}

#[test]
fn the_watchdog_is_fed_while_the_engine_goes_on() {
    let home = home();
    let service = Service::begin(&home, &[("WATCHDOG_USEC", "6000000")]);
    service.hears("READY=1");
    service.hears("WATCHDOG=1");
    service.hears("WATCHDOG=1");
}

#[test]
fn once_ends_with_1_when_the_api_cannot_be_reached() {
    let home = home();
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(global(&home).last().expect("an end"), "daemon_stopped");
    let said = stderr(&output);
    assert!(said.contains(" to http://127.0.0.1:9: "), "{said}");
    assert!(!said.contains("client error"), "{said}");
}

#[test]
fn once_records_whether_all_that_was_due_is_dealt_with() {
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
fn what_the_first_seconds_are_for_is_said_at_once() {
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
fn once_names_the_old_alert_and_the_unsettled_slot_that_it_ends_with_1_for() {
    let (provider, home) = live();
    provider.sandbox.add_server(2, "full-01");
    for by_hand in 0..5 {
        let name = format!("by-hand-{by_hand}");
        let made = days_ago(by_hand);
        provider.sandbox.add_snapshot(2, &name, "completed", made);
    }
    home.daily(2, 3, "");
    assert_eq!(home.run(&["once"]).status.code(), Some(1));
    // The alert is raised once, and stands.
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
fn the_trail_is_verified_without_token_good_policies_and_good_settings() {
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
fn i13_the_token_is_in_no_log_or_trail_however_much_is_logged() {
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
fn i14_a_plan_sends_only_gets_and_is_what_a_run_then_does() {
    let (provider, home) = live();
    for back in (1..=3).rev() {
        let name = daily_name(back);
        let at = days_ago(back);
        provider.sandbox.add_snapshot(12345, &name, "completed", at);
    }
    let output = home.run(&["plan", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = provider.sandbox.log();
    assert!(!asked.is_empty() && asked.iter().all(|request| request.method == "GET"));
    assert!(!home.path("log").exists() && !home.path("state").exists());
    let plans: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let steps = plans["servers"][0]["steps"].as_array().expect("steps");
    let step = |step: &serde_json::Value| {
        let word = step["do"].as_str()?;
        (word != "wait").then(|| format!("{word} {}", step["name"].as_str().unwrap_or_default()))
    };
    let planned: Vec<_> = steps.iter().filter_map(step).collect();
    assert_eq!(
        planned,
        [
            format!("create {}", daily_name(0)),
            format!("delete {}", daily_name(3))
        ]
    );

    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    let intent = |event: &serde_json::Value| {
        let word = event["event"].as_str()?.strip_suffix("_intent")?;
        Some(format!("{word} {}", event["snapshot"].as_str()?))
    };
    let done: Vec<_> = home.trail().iter().filter_map(intent).collect();
    assert_eq!(done, planned);

    let rest = stdout(&home.run(&["plan"]));
    assert!(rest.contains("nothing to do until"), "{rest}");
}

#[test]
fn a_plan_is_for_one_server_by_id_name_or_file_and_unknown_ones_are_usage() {
    let (provider, home) = live();
    provider.sandbox.add_server(7, "db");
    home.daily(7, 2, "");
    for server in ["7", "server-7"] {
        let text = stdout(&home.run(&["plan", "--server", server]));
        assert!(
            text.contains("(id 7)") && !text.contains("(id 12345)"),
            "{text}"
        );
    }
    let output = home.run(&["plan", "--server", "mail"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("mail"), "{}", stderr(&output));
}

#[test]
fn a_plan_ends_with_1_when_the_api_cannot_be_read() {
    let output = home().run(&["plan"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn a_trail_with_a_cut_tail_is_an_alert_until_a_start_finds_it_whole() {
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
