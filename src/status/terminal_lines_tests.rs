//! Tests of the lines about receivers, listings and last slots.

use super::super::view::Activity;
use super::tests::*;
use super::*;
use crate::core::snapshot::ServerId;
use crate::status::overview;

#[test]
fn account_alerts_are_shown_for_a_single_server_but_alerts_of_other_servers_are_not() {
    let mut view = view();
    view.alerts[0].server = Some(ServerId::from(6));
    view.alerts.push(AlertView {
        alert: "api_unreachable".to_owned(),
        server: None,
        about: "account".to_owned(),
        reason: "no answer".to_owned(),
        what: "no answer".to_owned(),
        cause: None,
        harm: None,
        remedy: None,
        command: None,
        since: None,
        acknowledged: None,
    });
    let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
    assert!(text.contains("api_unreachable"), "{text}");
    assert!(!text.contains("slot_failed"), "{text}");
}

#[test]
fn only_a_receiver_with_failed_deliveries_has_a_line() {
    let mut view = view();
    let receiver = |dropped, error: Option<&str>| ReceiverView {
        name: "chat".to_owned(),
        r#type: "slack".to_owned(),
        delivered: 5,
        dropped,
        error: error.map(str::to_owned),
        held_until: None,
    };
    view.receivers.push(receiver(0, None));
    let text = overview(&view, &TimeZone::UTC, None, None, true);
    assert!(!text.contains("chat"), "{text}");
    view.receivers[0] = receiver(3, Some("the receiver answered 500"));
    let text = overview(&view, &TimeZone::UTC, None, None, true);
    let line = "receiver chat (slack): delivery failed: the receiver answered 500; 3 not delivered";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn the_age_of_a_listing_is_shown_beside_the_activity_if_the_server_cannot_be_listed() {
    let mut view = view();
    assert!(!overview(&view, &TimeZone::UTC, None, None, true).contains("listed"));
    let why = "no answer; retry in 2 min";
    view.servers[0].unlisted = Some(why.to_owned());
    let text = overview(&view, &TimeZone::UTC, None, None, true);
    let heading = "! 1 server can't be listed now: the oldest listing is from 2026-11-25 05:48 UTC, 12 min ago";
    assert!(text.lines().any(|line| line == heading), "{text}");
    let mut says = |activity, reason: Option<&str>, words: &str| {
        view.servers[0].activity = activity;
        view.servers[0].reason = reason.map(str::to_owned);
        let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
        let row = overview(&view, &TimeZone::UTC, None, None, true);
        assert!(row.contains(&format!("{words}  ")), "{row}");
        let first = format!("web (id 5, web-01.toml): ok; {words}\n");
        assert!(text.starts_with(&first), "{text}");
    };
    let old = format!("not listed for 12 min: {why}");
    let idle = format!("idle until Sun 2026-11-29 03:00 UTC; {old}");
    says(Activity::Idle, None, &idle);
    let due = format!("waiting; a try failed; {old}");
    says(Activity::Waiting, Some("a try failed"), &due);
    view.servers[0].listed = None;
    view.servers[0].reason = None;
    let text = overview(&view, &TimeZone::UTC, None, None, true);
    assert!(
        text.contains(&format!("  not listed yet; {why}  ")),
        "{text}"
    );
}

#[test]
fn a_last_slot_shows_whether_its_snapshot_exists_existed_or_was_never_made() {
    let mut view = view();
    let mut says = |ending: Option<&str>, words: &str| {
        let last = &mut view.servers[0].rotations[0].last;
        last.as_mut().expect("a slot").ending = ending.map(str::to_owned);
        let words = format!("weekly-snapshot-2026-11-22 ({words} 3 d 3 h ago)");
        for text in [
            overview(&view, &TimeZone::UTC, None, None, true),
            server(&view, &view.servers[0], &TimeZone::UTC, None),
        ] {
            assert!(text.contains(&words), "{words}: {text}");
        }
        view.servers[0].snapshots.clear();
    };
    says(Some("given_up"), "given up, due");
    says(Some("completed"), "gone, due");
    says(Some("given_up"), "not made (given up), due");
    says(Some("skipped"), "not made (skipped), due");
    says(None, "not made yet, due");
    view.servers[0].listed = None;
    let last = &mut view.servers[0].rotations[0].last;
    last.as_mut().expect("a slot").ending = Some("completed".to_owned());
    let text = overview(&view, &TimeZone::UTC, None, None, true);
    assert!(text.contains("(completed, due 3 d 3 h ago)"), "{text}");
}

#[test]
fn a_failed_attempt_is_not_shown_as_being_made() {
    let mut view = view();
    let last = &mut view.servers[0].rotations[0].last;
    let last = last.as_mut().expect("a slot");
    last.ending = None;
    let name = last.snapshot.clone();
    let rows = &mut view.servers[0].snapshots;
    rows.retain(|row| row.name == name);
    for (status, words) in [
        ("failed", "failed so far, due"),
        ("in_progress", "being made, due"),
    ] {
        view.servers[0].snapshots[0].status = status.to_owned();
        let text = overview(&view, &TimeZone::UTC, None, None, true);
        assert!(text.contains(words), "{words}: {text}");
    }
}
