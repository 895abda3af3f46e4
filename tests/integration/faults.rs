//! Every fault of a create, a delete or a listing over real HTTP: runs `once` with the real binary
//! and checks the stand-in's state.

use std::time::Duration;

use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stderr, stdout, until};
use jiff::SignedDuration;
use snaprotate::sandbox::faults::{CallKind, Fault};

pub(super) const SERVER: u64 = 7;

/// Returns a server with `own` completed daily snapshots, the newest from yesterday.
pub(super) fn scene(own: i64, keep: usize) -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    for back in (1..=own).rev() {
        let name = daily_name(back);
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", days_ago(back));
    }
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, keep, "");
    (provider, home)
}

/// Fills the server with snapshots made by hand.
fn fill_by_hand(provider: &Provider) {
    for number in 0..5 {
        let name = format!("by-hand-{number}");
        let at = days_ago(number + 1);
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
}

pub(super) fn once(home: &Home) -> Option<i32> {
    let output = home.run(&["once"]);
    println!("{}{}", stdout(&output), stderr(&output));
    let verified = home.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", stdout(&verified));
    output.status.code()
}

pub(super) fn creates(home: &Home) -> usize {
    home.events("create_intent").len()
}

pub(super) fn deletes(home: &Home) -> usize {
    home.events("delete_intent").len()
}

#[test]
fn a_fresh_server_gets_its_snapshot() {
    let (provider, home) = scene(0, 3);
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER), [daily_name(0)]);
    assert_eq!(once(&home), Some(0), "a second run changes nothing");
    assert_eq!(creates(&home), 1);
}

#[test]
fn i3_with_room_the_create_comes_before_the_prune() {
    let (provider, home) = scene(3, 3);
    assert_eq!(once(&home), Some(0));
    let left = [daily_name(2), daily_name(1), daily_name(0)];
    assert_eq!(provider.names(SERVER), left);
    let seen = |event: &str| home.events(event)[0]["seq"].as_u64();
    assert!(seen("snapshot_completed") < seen("delete_intent"), "I8");
}

#[test]
fn surplus_snapshots_are_deleted_oldest_first_and_one_at_a_time() {
    let (provider, home) = scene(4, 1);
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER), [daily_name(0)]);
    let gone: Vec<_> = home
        .events("delete_intent")
        .iter()
        .map(|record| record["snapshot"].as_str().unwrap_or("").to_owned())
        .collect();
    assert_eq!(gone, [4, 3, 2, 1].map(daily_name));
}

#[test]
fn i10_a_full_server_is_pruned_first() {
    let (provider, home) = scene(5, 5);
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER)[4], daily_name(0));
    assert_eq!((creates(&home), deletes(&home)), (1, 1));
    assert_eq!(provider.sandbox.max_held(SERVER), 5);
}

#[test]
fn i1_a_server_full_of_foreign_snapshots_is_blocked_and_nothing_is_touched() {
    let (provider, home) = scene(0, 3);
    fill_by_hand(&provider);
    assert_eq!(once(&home), Some(1));
    assert_eq!((creates(&home), deletes(&home)), (0, 0));
    assert_eq!(home.events("blocked").len(), 1);
    assert_eq!(home.events("alert_raised")[0]["alert"], "blocked");
}

#[test]
fn i1_a_protected_snapshot_stays() {
    let (provider, home) = scene(3, 1);
    home.policy(
        "server-7",
        &format!("[server]\nid = 7\nprotect = [\"{}\"]\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n", daily_name(3)),
    );
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER), [daily_name(3), daily_name(0)]);
}

#[test]
fn two_rotations_due_at_the_same_time_run_one_after_the_other() {
    let (provider, home) = scene(0, 2);
    home.policy(
        "server-7",
        "[server]\nid = 7\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 2\n[[rotation]]\nname = \"monthly\"\nschedule = \"@monthly\"\nkeep = 2\n",
    );
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER).len(), 2);
    let events = home.trail();
    let of = |event: &str| {
        let mut found = events.iter().filter(|record| record["event"] == event);
        let seqs = found.by_ref().map(|record| record["seq"].as_u64());
        seqs.collect::<Vec<_>>()
    };
    assert!(of("snapshot_completed")[0] < of("create_intent")[1], "I8");
}

#[test]
fn missed_days_coalesce_into_the_newest_slot() {
    let (provider, home) = scene(4, 3);
    assert_eq!(once(&home), Some(0));
    assert_eq!(creates(&home), 1);
    assert_eq!(provider.names(SERVER).len(), 3);
}

#[test]
fn i9_a_create_whose_answer_is_lost_is_adopted_and_never_sent_again() {
    let lost = [
        Fault::cut(CallKind::Create).done(),
        Fault::cut_body(CallKind::Create),
        Fault::status(CallKind::Create, 500).done(),
        Fault::status(CallKind::Create, 502).late(SignedDuration::from_millis(700)),
        Fault::hang(CallKind::Create).done(),
    ];
    for fault in lost {
        let (provider, home) = scene(1, 3);
        let what = format!("{fault:?}");
        provider.sandbox.order(fault);
        assert_eq!(once(&home), Some(0), "{what}");
        assert_eq!(
            provider.names(SERVER),
            [daily_name(1), daily_name(0)],
            "{what}"
        );
        assert_eq!(creates(&home), 1, "{what}");
    }
}

#[test]
fn i9_a_create_that_never_happened_is_sent_again_only_after_the_settle_window() {
    let (provider, home) = scene(1, 3);
    provider.sandbox.order(Fault::status(CallKind::Create, 500));
    assert_eq!(once(&home), Some(0));
    let at = |record: &serde_json::Value| -> jiff::Timestamp {
        let text = record["time"].as_str().expect("a time");
        text.parse().expect("a time")
    };
    let intents = home.events("create_intent");
    assert_eq!(intents.len(), 2);
    let waited = at(&intents[1]).duration_since(at(&intents[0]));
    assert!(waited >= SignedDuration::from_millis(1500), "{waited:?}");
    assert_eq!(provider.names(SERVER).len(), 2);
}

#[test]
fn a_refused_create_is_tried_three_times_and_deletes_nothing() {
    let (provider, home) = scene(3, 3);
    let refused = Fault::status(CallKind::Create, 400).forever();
    provider.sandbox.order(refused);
    assert_eq!(once(&home), Some(1));
    assert_eq!((creates(&home), deletes(&home)), (3, 0));
    assert_eq!(home.events("slot_given_up").len(), 1);
    let alerts = home.events("alert_raised");
    assert_eq!(alerts.last().expect("one")["alert"], "slot_failed");
    assert_eq!(provider.names(SERVER).len(), 3);
}

#[test]
fn a_server_unknown_to_the_provider_is_blocked_and_the_reason_names_it() {
    let (_provider, home) = scene(0, 3);
    home.policy(
        "server-7",
        "[server]\nid = 99\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n",
    );
    assert_eq!(once(&home), Some(1));
    let blocked = home.events("blocked");
    let reason = blocked[0]["reason"].as_str().unwrap_or("");
    assert!(reason.contains("has no server 99"), "{reason}");
}

#[test]
fn creates_refused_as_busy_or_throttled_are_retried_later() {
    for status in [409, 423, 429] {
        let (provider, home) = scene(1, 3);
        provider
            .sandbox
            .order(Fault::status(CallKind::Create, status));
        assert_eq!(once(&home), Some(0), "{status}");
        assert_eq!(provider.names(SERVER).len(), 2, "{status}");
        assert_eq!(creates(&home), 2, "{status}");
    }
}

#[test]
fn every_request_waits_out_a_retry_after() {
    let (provider, home) = scene(1, 3);
    provider
        .sandbox
        .order(Fault::status(CallKind::Create, 429).retry_after("1"));
    assert_eq!(once(&home), Some(0));
    let log = provider.sandbox.log();
    let refused = log
        .iter()
        .position(|request| request.status == Some(429))
        .expect("a refused request");
    let gap = log[refused + 1].at.duration_since(log[refused].at);
    assert!(gap >= SignedDuration::from_millis(950), "{gap:?}");
}

#[test]
fn i5_a_delete_whose_answer_is_lost_is_confirmed_by_listings_and_deletes_no_other_snapshot() {
    for fault in [
        Fault::cut(CallKind::Delete).done(),
        Fault::status(CallKind::Delete, 500).done(),
        Fault::status(CallKind::Delete, 500),
        Fault::hang(CallKind::Delete),
        Fault::status(CallKind::Delete, 404).done(),
    ] {
        let (provider, home) = scene(3, 3);
        let what = format!("{fault:?}");
        provider.sandbox.order(fault);
        assert_eq!(once(&home), Some(0), "{what}");
        let left = [daily_name(2), daily_name(1), daily_name(0)];
        assert_eq!(provider.names(SERVER), left, "{what}");
    }
}

#[test]
fn refused_deletes_are_counted_and_then_block_the_server() {
    for status in [403, 409, 423] {
        let (provider, home) = scene(3, 3);
        let refused = Fault::status(CallKind::Delete, status).forever();
        provider.sandbox.order(refused);
        assert_eq!(once(&home), Some(1), "{status}");
        assert_eq!(deletes(&home), 3, "{status}");
        assert_eq!(home.events("blocked").len(), 1, "{status}");
        assert_eq!(provider.names(SERVER).len(), 4, "{status}");
    }
}

#[test]
fn a_rejected_token_prevents_every_change_and_raises_one_alert() {
    for status in [401, 403] {
        let (provider, home) = scene(3, 1);
        provider
            .sandbox
            .order(Fault::status(CallKind::List, status).forever());
        assert_eq!(once(&home), Some(1), "{status}");
        assert_eq!((creates(&home), deletes(&home)), (0, 0), "{status}");
        let alerts = home.events("alert_raised");
        assert_eq!(alerts.len(), 1, "{status}");
        assert_eq!(alerts[0]["alert"], "account_refused", "{status}");
    }
}

#[test]
fn with_a_refused_connection_nothing_is_created_and_once_ends() {
    // The port of a stand-in that has ended could be another test's by now.
    let gone = "http://127.0.0.1:9/api/v1";
    let home = Home::new(gone, "", QUICK);
    home.daily(SERVER, 3, "");
    let began = std::time::Instant::now();
    assert_eq!(once(&home), Some(1), "{gone}");
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(creates(&home), 0);
}

#[test]
fn i16_a_blocked_server_holds_up_no_other() {
    let (provider, home) = scene(0, 3);
    provider.sandbox.add_server(8, "other");
    home.daily(8, 2, "");
    fill_by_hand(&provider);
    assert_eq!(once(&home), Some(1));
    assert_eq!(provider.names(8), [daily_name(0)]);
}

#[test]
fn i9_after_the_trail_and_state_are_lost_a_completed_snapshot_still_settles_its_slot() {
    let (provider, home) = scene(1, 3);
    assert_eq!(once(&home), Some(0));
    std::fs::remove_dir_all(home.path("log")).expect("removed");
    std::fs::remove_dir_all(home.path("state")).expect("removed");
    assert_eq!(once(&home), Some(1));
    let alerts = home.events("alert_raised");
    assert_eq!(alerts[0]["alert"], "trail_begins");
    // Waits until no earlier create can take effect any more.
    until("the hold is over", || once(&home) == Some(0));
    assert_eq!(provider.names(SERVER), [daily_name(1), daily_name(0)]);
    assert_eq!(creates(&home), 0);
}

#[test]
fn i6_without_a_trail_nothing_is_changed() {
    let (provider, home) = scene(3, 1);
    std::fs::write(home.path("log"), "a file where the folder should be").expect("written");
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(provider.names(SERVER).len(), 3);
    let log = provider.sandbox.log();
    assert!(log.iter().all(|request| request.method == "GET"));
}
