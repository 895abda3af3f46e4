//! The provider's answers change: the trail records a warning, and an alert is raised if a field is
//! missing that rotation needs.

use crate::support::{self, Home, Provider, QUICK, days_ago, stderr, stdout, until, verified};
use serde_json::Value;
use snaprotate::sandbox::faults::{CallKind, Fault, ListingFault};

/// Returns a server with one snapshot, which settles its slot.
fn place() -> (Provider, Home, u64) {
    let provider = Provider::quick();
    provider.sandbox.add_server(7, "web");
    let id = provider
        .sandbox
        .add_snapshot(7, &support::daily_name(0), "completed", days_ago(0));
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(7, 3, "");
    (provider, home, id)
}

fn once(home: &Home) {
    let once = home.run(&["once"]);
    assert!(
        matches!(once.status.code(), Some(0 | 1)),
        "{}",
        stderr(&once)
    );
}

fn changes(home: &Home) -> Vec<String> {
    let events = home.events("provider_changed").into_iter();
    let changes = events.filter_map(|event| event["changes"].as_array().cloned());
    changes
        .flatten()
        .map(|change| change.as_str().expect("words").to_owned())
        .collect()
}

fn field(name: &'static str, value: Option<Value>) -> Fault {
    let how = ListingFault::Field {
        snapshot: None,
        field: name,
        value,
    };
    Fault::listing(how).forever()
}

#[test]
fn a_new_field_is_reported_once_and_the_first_listing_is_learned_silently() {
    let (provider, home, _) = place();
    once(&home);
    assert_eq!(changes(&home), [""; 0]);
    assert!(home.path("state/provider.json").exists());
    once(&home);
    assert_eq!(changes(&home), [""; 0]);
    provider
        .sandbox
        .order(field("label", Some(Value::from("x"))));
    let check = home.run(&["check", "--online"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let said = stdout(&check);
    assert!(said.contains("results[].label is new: a string"), "{said}");
    once(&home);
    once(&home);
    assert_eq!(changes(&home), ["results[].label is new: a string"]);
    let shown = home.run(&["audit", "show", "--event", "provider_changed"]);
    assert!(
        stdout(&shown).contains("results[].label is new"),
        "{}",
        stdout(&shown)
    );
    verified(&home);
}

#[test]
fn a_field_that_rotation_needs_raises_an_alert_while_it_is_missing() {
    let (provider, home, _) = place();
    once(&home);
    provider.sandbox.order(field("created_at", None));
    let daemon = home.start(&["run"]);
    let of = |event: &str| {
        let events = home.events(event).into_iter();
        events
            .filter(|one| one["alert"] == "provider_changed")
            .count()
    };
    until("the alert is raised", || of("alert_raised") > 0);
    let check = home.run(&["check", "--online"]);
    assert_eq!(check.status.code(), Some(1));
    let said = stdout(&check);
    assert!(said.contains("readable form: created_at;"), "{said}");
    provider.sandbox.clear_orders();
    // The next listing has the field again.
    daemon.signal("HUP");
    until("the alert is cleared", || of("alert_cleared") > 0);
    assert_eq!(daemon.stop(), Some(0));
    verified(&home);
}

#[test]
fn a_learned_shape_that_is_lost_or_damaged_is_learned_again() {
    let (_provider, home, _) = place();
    once(&home);
    for text in ["", "{", "[1]", "\u{0}"] {
        std::fs::write(home.path("state/provider.json"), text).expect("written");
        once(&home);
        assert_eq!(changes(&home), [""; 0], "{text:?}");
        let learnt = std::fs::read_to_string(home.path("state/provider.json")).expect("read");
        assert!(
            learnt.contains("results[].id") || learnt.contains("results[].uuid"),
            "{learnt}"
        );
    }
}

#[test]
fn check_reports_that_a_server_cannot_be_stopped_and_which_permission_is_missing() {
    let (provider, home, _) = place();
    home.policy("web", "[server]\nid = 7\nname = \"web\"\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\nstop_server = true\n");
    std::fs::remove_file(home.path("policies.d/server-7.toml")).expect("removed");
    provider.sandbox.set_permissions(&["snapshots:*"]);
    provider.sandbox.order(Fault::status(CallKind::Server, 404));
    let check = home.run(&["check", "--online"]);
    assert_eq!(check.status.code(), Some(1));
    let said = stdout(&check);
    for line in [
        "the token has no permission to stop and start servers, which stop_server requires; at the provider, give the token a permission such as servers:*",
        "doesn't report whether the server is running, so stop_server can't work; remove stop_server from web.toml",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}
