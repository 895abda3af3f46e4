//! `retry`: the newest slot that has no snapshot is tried again, with and without a service.

use snaprotate::sandbox::faults::{CallKind, Fault};

use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, daily_name, stderr, stdout, until, verified};

const SERVER: u64 = 12345;

/// A provider that refuses every create, and a policy with one attempt for each slot.
fn refusing() -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web");
    let refused = Fault::status(CallKind::Create, 400);
    provider.sandbox.order(refused.forever());
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 2, "attempts = 1");
    (provider, home)
}

#[test]
fn the_command_that_the_alert_names_makes_the_snapshot_and_ends_the_alert() {
    let (provider, home) = refusing();
    let service = Service::start(&home);
    let raised = || {
        let mut alerts = home.events("alert_raised").into_iter();
        alerts.find(|alert| alert["alert"] == "slot_failed")
    };
    until("the alert is raised", || raised().is_some());
    let alert = raised().expect("an alert");
    let command = alert["command"].as_str().expect("a command").to_owned();
    assert_eq!(command, "snaprotate retry server-12345");
    // The cause is still there: the slot fails again, and the alert stays.
    let args: Vec<_> = command.split(' ').skip(1).collect();
    let retried = home.run(&args);
    assert_eq!(retried.status.code(), Some(0), "{}", stderr(&retried));
    until("the slot is given up again", || {
        home.events("slot_given_up").len() == 2
    });
    assert_eq!(home.events("alert_cleared").len(), 0);
    provider.sandbox.clear_orders();
    let retried = home.run(&args);
    let said = stdout(&retried);
    let now = format!("{} of server-12345 is tried again now\n", daily_name(0));
    assert_eq!((retried.status.code(), &*said), (Some(0), &*now));
    until("the alerts are over", || {
        home.run(&["status"]).status.code() == Some(0)
    });
    let reopened = home.events("slot_reopened");
    assert_eq!(reopened.len(), 2);
    assert!(reopened[1]["by"].is_string(), "{reopened:?}");
    assert_eq!(provider.sandbox.created(SERVER), [daily_name(0)]);
    let nothing = home.run(&args);
    let said = stdout(&nothing);
    assert_eq!(nothing.status.code(), Some(1), "{said}");
    assert!(said.contains("there is nothing to retry"), "{said}");
    assert_eq!(service.stop(), Some(0));
    verified(&home);
}

#[test]
fn without_a_service_the_retry_is_recorded_and_the_next_run_carries_it_out() {
    let (provider, home) = refusing();
    assert_eq!(home.run(&["once"]).status.code(), Some(1));
    provider.sandbox.clear_orders();
    assert_eq!(
        home.run(&["once"]).status.code(),
        Some(1),
        "it was given up"
    );
    let retried = home.run(&["retry", "12345", "daily"]);
    let said = stdout(&retried);
    assert_eq!(retried.status.code(), Some(0), "{}", stderr(&retried));
    assert!(
        said.ends_with("is tried again by the next run or once\n"),
        "{said}"
    );
    let once = home.run(&["once"]);
    assert_eq!(once.status.code(), Some(0), "{}", stderr(&once));
    assert_eq!(provider.sandbox.created(SERVER), [daily_name(0)]);
    verified(&home);
}

#[test]
fn a_rotation_or_server_that_does_not_exist_is_named_and_nothing_is_recorded() {
    let (_provider, home) = refusing();
    for (args, why) in [
        (
            &["retry", "12345", "weekly"][..],
            "the policy has no rotation weekly: name one of daily",
        ),
        (&["retry", "nobody"][..], "nobody"),
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    let service = Service::start(&home);
    let output = home.run(&["retry", "12345", "weekly"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(home.events("slot_reopened").is_empty());
    assert_eq!(service.stop(), Some(0));
}
