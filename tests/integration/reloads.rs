//! Reloads and changes of the files while the service runs, and what a plan reports about them.

use std::fs;

use super::processes::{home, live};
use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stderr, stdout, until};

#[test]
fn a_reload_with_a_mistake_keeps_the_old_policies_and_a_valid_reload_clears_the_alert() {
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
fn a_warning_beside_a_mistake_is_recorded_as_a_warning_and_not_counted_in_the_alert() {
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
fn a_reload_records_which_rotation_takes_over_the_snapshots_of_a_removed_rotation() {
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
    until("both snapshots are deleted", || {
        provider.names(12345).len() == 1
    });
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
    // The deletes happen at once, after the due create, or to make room for it.
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
fn a_reload_warns_if_the_snapshots_of_a_renamed_rotation_leave_too_little_room() {
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
    until("a snapshot is made under the new name", made);
    assert_eq!(service.stop(), Some(0));
    let said = home.events("config_loaded")[1]["deletes"].to_string();
    let expected = "the own snapshots that become foreign (3) leave room for 2 of the 3 snapshots to keep; to keep rotating them, add former_names = [";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("daily-snapshot-%Y-%m-%d"), "{said}");
    assert_eq!(provider.names(12345).len(), 4, "nothing was deleted");
}

#[test]
fn a_plan_warns_of_snapshots_that_a_rotations_new_name_or_pattern_makes_foreign() {
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
fn a_reload_that_changes_the_api_address_is_refused() {
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
fn an_alert_about_invalid_files_is_cleared_by_a_start_with_valid_files() {
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
