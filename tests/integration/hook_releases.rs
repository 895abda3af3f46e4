//! Servers that hooks hold while the service or the policy goes away.

use jiff::SignedDuration;

use super::hooks::{finished, place};
use crate::support::{self, stdout, until, verified};

#[test]
fn a_service_that_is_killed_leaves_no_server_held() {
    let place = place(SignedDuration::from_secs(3600), "", "");
    let mut daemon = place.home.start(&["run"]);
    until("the snapshot is being made", || {
        !place.home.events("create_result").is_empty()
    });
    assert_eq!(place.hooks(), ["before"]);
    daemon.0.kill().expect("killed");
    daemon.0.wait().expect("reaped");
    until("the runner has released the server", || {
        place.hooks() == ["before", "after"]
    });
    // The next start runs `after` again, and records it.
    let _daemon = place.home.start(&["run"]);
    until("after is recorded", || {
        !finished(&place.home, "after").is_empty()
    });
    assert_eq!(finished(&place.home, "after")[0]["early"], true);
    assert_eq!(place.hooks(), ["before", "after", "after"]);
    verified(&place.home);
}

#[test]
fn i18_after_a_kill_the_release_waits_for_a_before_that_still_runs() {
    let slow =
        "if [ $SNAPROTATE_HOOK = before ]; then while [ ! -e \"$0.go\" ]; do sleep 0.05; done; fi";
    let place = place(SignedDuration::from_millis(300), slow, "");
    let mut daemon = place.home.start(&["run"]);
    until("before runs", || place.hooks() == ["before"]);
    daemon.0.kill().expect("killed");
    daemon.0.wait().expect("reaped");
    let _daemon = place.home.start(&["run"]);
    until("the release finds the other runner", || {
        !finished(&place.home, "after").is_empty()
    });
    let first = &finished(&place.home, "after")[0];
    assert_eq!(first["outcome"], "not_started", "{first}");
    assert_eq!(place.hooks(), ["before"]);
    std::fs::write(place.home.path("hook.go"), "").expect("written");
    until("the server is released", || {
        finished(&place.home, "after")
            .iter()
            .any(|end| end["outcome"] == "done")
    });
    assert_eq!(place.hooks()[..3], ["before", "after", "after"]);
    assert!(
        place
            .home
            .events("alert_raised")
            .iter()
            .all(|alert| alert["alert"] != "hook_failed")
    );
    verified(&place.home);
}

#[test]
fn i18_a_server_that_after_cannot_release_has_an_alert_after_its_policy_was_removed() {
    let failing = "if [ $SNAPROTATE_HOOK = after ]; then exit 1; fi";
    let place = place(SignedDuration::from_secs(3600), failing, "");
    place.provider.sandbox.add_server(99, "other");
    place.home.daily(99, 2, "");
    let daemon = place.home.start(&["run"]);
    until("the snapshot is being made", || {
        let mut made = place.home.events("create_result");
        made.retain(|record| record["server"] == 12345);
        !made.is_empty()
    });
    std::fs::remove_file(place.home.path("policies.d/web.toml")).expect("removed");
    daemon.signal("HUP");
    let raised = || {
        let mut raised = place.home.events("alert_raised");
        raised.retain(|alert| alert["alert"] == "hook_failed");
        raised
    };
    until("an alert names the server", || !raised().is_empty());
    let reason = raised()[0]["reason"].as_str().expect("text").to_owned();
    assert!(reason.contains("release the server by hand"), "{reason}");
    assert!(place.home.events("server_removed").is_empty());
    assert_eq!(place.home.run(&["status"]).status.code(), Some(1));
    let resumed = place.home.run(&["resume", "--server", "12345"]);
    assert_eq!(
        resumed.status.code(),
        Some(0),
        "{}",
        support::stderr(&resumed)
    );
    until("the server is gone from the service", || {
        !place.home.events("server_removed").is_empty()
    });
    let said = stdout(&place.home.run(&["status"]));
    assert!(!said.contains("hook_failed"), "{said}");
}

#[test]
fn a_service_that_is_stopped_releases_its_servers_first() {
    let place = place(SignedDuration::from_secs(3600), "", "");
    let daemon = place.home.start(&["run"]);
    until("the snapshot is being made", || {
        !place.home.events("create_result").is_empty()
    });
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(place.hooks(), ["before", "after"]);
    let after = finished(&place.home, "after");
    assert_eq!(after[0]["reason"], "the service is stopping");
    verified(&place.home);
}
