//! The contents of a history after each event.

use std::collections::BTreeSet;

use super::*;
use crate::core::inventory::Inventory;
use crate::core::order_terms::OrderTerms;
use crate::core::server_event::{AlertKind, ClockReading};
use crate::core::snapshot::{Snapshot, SnapshotId, Status};
use crate::core::test_provider::*;

const GRACE: SignedDuration = SignedDuration::from_secs(30);
const NAME: &str = "weekly-2026-11-22";

/// Returns an instant as recorded by this process.
fn at(minutes: i64) -> RecordedAt {
    RecordedAt::from(now(minutes))
}

fn now(minutes: i64) -> ClockReading {
    ClockReading {
        wall: time("2026-11-22T04:00:00Z") + SignedDuration::from_mins(minutes),
        mono: SignedDuration::from_mins(minutes),
    }
}

/// Returns the same instant as recorded by an earlier process.
fn before(minutes: i64) -> RecordedAt {
    let mono = None;
    RecordedAt {
        mono,
        ..at(minutes)
    }
}

fn create() -> ServerEvent {
    ServerEvent::CreateIntent {
        rotation: "weekly".into(),
        snapshot: NAME.into(),
        known: BTreeSet::new(),
        reason: String::new(),
        by: None,
        spare: None,
        expires: None,
    }
}

fn created(outcome: Outcome, id: Option<u64>) -> ServerEvent {
    ServerEvent::CreateResult {
        snapshot: NAME.into(),
        outcome,
        id: id.map(SnapshotId::from),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    }
}

fn delete(id: u64, prune_first: Option<&[u64]>) -> ServerEvent {
    ServerEvent::DeleteIntent {
        rotation: "weekly".into(),
        snapshot: "weekly-2026-11-01".into(),
        id: SnapshotId::from(id),
        prune_first: prune_first.map(|ids| ids.iter().copied().map(SnapshotId::from).collect()),
        paid_by: None,
        expired: false,
        reason: String::new(),
        by: None,
    }
}

fn deleted(id: u64, outcome: Outcome) -> ServerEvent {
    let id = SnapshotId::from(id);
    ServerEvent::DeleteResult { id, outcome }
}

fn folded(facts: &[(ServerEvent, RecordedAt)]) -> ServerHistory {
    let mut history = ServerHistory::default();
    for (event, at) in facts {
        history.apply(event, *at, GRACE);
    }
    history
}

fn since(history: &ServerHistory) -> RecordedAt {
    match &history.open {
        Some(PendingOp::Create { since, .. } | PendingOp::Delete { since, .. }) => *since,
        Some(PendingOp::Restore { .. }) | None => panic!("nothing is open"),
    }
}

fn listing(rows: &[Snapshot], now: ClockReading) -> Inventory {
    Inventory {
        snapshots: rows.to_vec(),
        ..Inventory::empty(now.mono)
    }
}

#[test]
fn i9_the_settle_window_starts_at_the_answer_or_without_one_at_the_end_of_the_call() {
    for (outcome, grace) in [(Outcome::Done, false), (Outcome::Unknown, true)] {
        let history = folded(&[(create(), before(0)), (created(outcome, None), before(2))]);
        let wall = before(2).wall;
        let expected = if grace { wall + GRACE } else { wall };
        assert_eq!(since(&history).wall, expected, "{outcome:?}");
        let history = folded(&[(delete(1, None), at(0)), (deleted(1, outcome), at(2))]);
        assert_eq!(since(&history), at(2), "{outcome:?}");
    }
}

#[test]
fn i9_an_answered_create_stores_the_id_and_the_start_time_of_its_snapshot() {
    let history = folded(&[(create(), at(0)), (created(Outcome::Done, Some(9)), at(2))]);
    let id = SnapshotId::from(9);
    assert!(matches!(&history.open, Some(PendingOp::Create { id: Some(open), .. }) if *open == id));
    assert_eq!(history.seen.get(&id), Some(&now(2).mono));
}

#[test]
fn i4_every_answer_that_this_process_received_outdates_earlier_listings() {
    let (id, outcome) = (SnapshotId::from(1), Outcome::Done);
    let answers = [
        created(outcome, None),
        deleted(1, outcome),
        ServerEvent::RestoreResult { id, outcome },
    ];
    for answer in answers {
        let history = folded(&[(answer.clone(), at(2)), (answer.clone(), before(3))]);
        assert_eq!(history.last_answer, Some(now(2).mono), "{answer:?}");
    }
}

#[test]
fn i7_and_i19_only_a_snapshot_that_the_rotation_made_as_requested_fulfils_a_prune_first_promise() {
    let pruned = [
        (delete(1, Some(&[1, 2, 3])), at(0)),
        (deleted(1, Outcome::Done), at(0)),
        (create(), at(1)),
        (created(Outcome::Done, Some(9)), at(1)),
    ];
    let completed = |id, pays| ServerEvent::SnapshotCompleted {
        snapshot: NAME.into(),
        id: SnapshotId::from(id),
        pays,
    };
    for (id, pays, kept) in [
        (2, Some(true), false),
        (9, Some(false), false),
        (9, Some(true), true),
        // Records of earlier versions.
        (2, None, false),
        (9, None, true),
    ] {
        let mut facts = pruned.to_vec();
        facts.push((completed(id, pays), at(2)));
        let history = folded(&facts);
        assert_eq!(history.open_promise().is_none(), kept, "{id} {pays:?}");
        // The snapshot pays for nothing else.
        assert!(history.rotations.iter().all(|r| r.payments.is_empty()));
    }
}

#[test]
fn i19_a_payment_stays_bound_to_the_snapshot_that_it_paid_for_whatever_the_outcome_of_the_delete() {
    let due = ServerEvent::SlotDue {
        rotation: "weekly".into(),
        slot: time("2026-11-22T03:00:00Z"),
        snapshot: NAME.into(),
    };
    let paid = ServerEvent::DeleteIntent {
        rotation: "weekly".into(),
        snapshot: "weekly-2026-11-01".into(),
        id: SnapshotId::from(1),
        prune_first: None,
        paid_by: Some(SnapshotId::from(9)),
        expired: false,
        reason: String::new(),
        by: None,
    };
    let completed = ServerEvent::SnapshotCompleted {
        snapshot: NAME.into(),
        id: SnapshotId::from(9),
        pays: Some(true),
    };
    let mut facts = vec![
        (due, at(0)),
        (create(), at(0)),
        (created(Outcome::Done, Some(9)), at(0)),
        (completed, at(1)),
    ];
    let victims = |facts: &[(ServerEvent, RecordedAt)]| -> Vec<_> {
        let history = folded(facts);
        let payments = history.rotations.iter().flat_map(|r| &r.payments);
        payments.map(|payment| payment.victim.clone()).collect()
    };
    assert_eq!(victims(&facts), [None]);
    facts.push((paid, at(2)));
    facts.push((deleted(1, Outcome::Failed), at(2)));
    assert_eq!(victims(&facts), [Some(SnapshotId::from(1))]);
    // The payment is kept in case a listing shows the snapshot again.
    facts.push((
        ServerEvent::DeleteConfirmed {
            id: SnapshotId::from(1),
        },
        at(3),
    ));
    assert_eq!(victims(&facts), [Some(SnapshotId::from(1))]);
}

#[test]
fn a_failed_create_counts_only_for_its_own_slot_and_not_for_a_slot_that_has_ended() {
    let slot = time("2026-11-22T03:00:00Z");
    let due = |rotation: &str, snapshot: &str| ServerEvent::SlotDue {
        rotation: rotation.into(),
        slot,
        snapshot: snapshot.into(),
    };
    let given_up = ServerEvent::SlotGivenUp {
        rotation: "ended".into(),
        slot,
        snapshot: NAME.into(),
        reason: String::new(),
    };
    let history = folded(&[
        (due("weekly", NAME), at(0)),
        (due("daily", "daily-2026-11-22"), at(0)),
        (given_up, at(0)),
        (create(), at(1)),
        (created(Outcome::Failed, None), at(1)),
    ]);
    let tries = |rotation: &str| {
        let mut slots = history.slots(rotation);
        slots.next().map(|note| (note.attempts, note.tries))
    };
    assert_eq!(tries("weekly"), Some((1, 1)));
    assert_eq!(tries("daily"), Some((0, 0)));
    assert_eq!(tries("ended"), Some((0, 0)));
}

#[test]
fn a_temporary_refusal_counts_as_a_try_but_not_as_an_attempt() {
    let due = ServerEvent::SlotDue {
        rotation: "weekly".into(),
        slot: time("2026-11-22T03:00:00Z"),
        snapshot: NAME.into(),
    };
    for (outcome, attempts, why) in [
        (Outcome::Later, 0, "temporarily refused, or not delivered"),
        (Outcome::Failed, 1, "refused, or had no effect"),
        (Outcome::NoServer, 1, "has no such server"),
    ] {
        let facts = [
            (due.clone(), at(0)),
            (create(), at(1)),
            (created(outcome, None), at(1)),
        ];
        let history = folded(&facts);
        let note = history.slot("weekly", NAME).expect("a slot");
        assert_eq!((note.attempts, note.tries), (attempts, 1), "{outcome:?}");
        assert_eq!(history.open, None, "{outcome:?}");
        assert_eq!(history.no_server, outcome == Outcome::NoServer);
        let said = history.failed("weekly", NAME).expect("why").reason();
        assert!(said.ends_with(why), "{outcome:?}: {said}");
    }
}

#[test]
fn a_failed_delete_by_an_operator_does_not_count_as_a_refused_delete_of_a_rotation() {
    for (by, refused) in [(None, 1), (Some("root".to_owned()), 0)] {
        let mut intent = delete(1, None);
        if let ServerEvent::DeleteIntent { by: order, .. } = &mut intent {
            *order = by;
        }
        let history = folded(&[(intent, at(0)), (deleted(1, Outcome::Failed), at(1))]);
        assert_eq!(history.refused_deletes, refused);
        assert_eq!(history.last_refusal.is_some(), refused == 1);
        assert_eq!(history.open, None);
    }
}

#[test]
fn i8_the_first_sighting_time_of_an_unfinished_own_snapshot_is_kept_until_it_disappears() {
    let policy = TestProvider::weekly(3).policy;
    let row = |id, name: &str, status| Snapshot {
        uuid: None,
        id: SnapshotId::from(id),
        name: name.to_owned(),
        status,
        created_at: None,
    };
    let mut history = folded(&[(create(), at(0)), (created(Outcome::Done, Some(9)), at(0))]);
    let rows = [
        row(1, "weekly-2026-11-08", Status::InProgress),
        row(2, "weekly-2026-11-15", Status::InProgress),
        row(3, "by-hand", Status::InProgress),
        row(4, "weekly-2026-11-01", Status::Completed),
    ];
    let seen = |history: &ServerHistory| -> Vec<_> {
        let seen = history.seen.iter();
        seen.map(|(id, since)| (id.number().unwrap(), since.as_mins()))
            .collect()
    };
    history.observe(&policy, &listing(&rows, now(1)), now(1));
    assert_eq!(seen(&history), [(1, 1), (2, 1), (9, 0)]);
    assert_eq!(
        since(&history),
        at(0),
        "the created snapshot isn't listed yet"
    );
    let rows = [
        row(2, "weekly-2026-11-15", Status::InProgress),
        row(9, NAME, Status::InProgress),
    ];
    history.observe(&policy, &listing(&rows, now(5)), now(5));
    assert_eq!(seen(&history), [(2, 1), (9, 0)]);
    assert_eq!(
        since(&history),
        at(5),
        "the created snapshot is still in progress"
    );
}

#[test]
fn a_history_reads_back_as_it_was_written() {
    let raised = ServerEvent::AlertRaised {
        alert: AlertKind::Copies,
        about: NAME.to_owned(),
        text: "a reason".to_owned().into(),
    };
    let history = folded(&[
        (create(), before(0)),
        (raised, before(1)),
        (ServerEvent::Paused(OrderTerms::default()), before(2)),
    ]);
    assert_eq!(history.alerts.len(), 1);
    let json = serde_json::to_string(&history).expect("JSON");
    let back: ServerHistory = serde_json::from_str(&json).expect("a history");
    assert_eq!(back, history);
}

#[test]
fn an_alert_keeps_the_time_when_it_was_first_raised_and_one_from_an_older_trail_has_no_time() {
    let raised = |reason: &str| ServerEvent::AlertRaised {
        alert: AlertKind::Copies,
        about: NAME.to_owned(),
        text: reason.to_owned().into(),
    };
    let mut history = folded(&[(raised("one"), before(1)), (raised("another"), before(5))]);
    let key = (AlertKind::Copies, NAME.to_owned());
    assert_eq!(history.alerts[&key].since, Some(before(1).wall));
    assert_eq!(history.alerts[&key].text.what, "another");

    let older = format!("{{\"alerts\":[[[\"copies\",\"{NAME}\"],\"one\"]]}}");
    history = serde_json::from_str(&older).expect("a history");
    let standing = &history.alerts[&key];
    assert_eq!((standing.text.what.as_str(), standing.since), ("one", None));
    history.apply(&raised("another"), before(5), SignedDuration::ZERO);
    assert_eq!(history.alerts[&key].since, None);
}

#[test]
fn a_server_is_forgettable_only_if_its_policy_was_removed_and_no_alert_or_block_is_active() {
    let raised = |alert| ServerEvent::AlertRaised {
        alert,
        about: "7".to_owned(),
        text: "a reason".to_owned().into(),
    };
    let blocked = ServerEvent::Blocked {
        reason: "a reason".to_owned(),
        contested: None,
    };
    let went = ServerEvent::ServerRemoved;
    let added = ServerEvent::RotationAdded {
        rotation: "weekly".into(),
        terms: None,
        shrinks: BTreeSet::new(),
    };
    for (facts, gone) in [
        (vec![], false),
        (
            vec![raised(AlertKind::Blocked), blocked.clone(), went.clone()],
            true,
        ),
        (vec![went.clone(), raised(AlertKind::Blocked)], false),
        (vec![went.clone(), blocked], false),
        (vec![went, added], false),
    ] {
        let facts: Vec<_> = facts.into_iter().map(|event| (event, at(0))).collect();
        assert_eq!(folded(&facts).is_forgettable(), gone, "{facts:?}");
    }
}

#[test]
fn each_alert_has_the_same_word_as_in_the_trail() {
    for alert in AlertKind::ALL {
        assert_eq!(serde_json::to_value(alert).expect("JSON"), alert.word());
    }
}
