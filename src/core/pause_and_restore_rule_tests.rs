//! Pauses and restores: what is left alone, and what is watched to its end.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::*;
use crate::core::server_event::{AlertKind, Outcome, RecordedAt, SlotOutcome};
use crate::core::snapshot::{SnapshotId, Status};
use crate::core::test_provider::*;

#[test]
fn a_paused_server_is_left_alone() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.pause();
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    assert!(world.log.is_empty());
    world.resume();
    world.settle(&DONE);
    assert_eq!(world.log.len(), 4);
}

#[test]
fn i12_after_a_restore_the_server_is_left_alone_for_the_window_and_no_longer() {
    let mut world = TestProvider::weekly(3);
    let id = SnapshotId::from(3);
    world.record(&ServerEvent::RestoreIntent {
        snapshot: "weekly-2026-11-15".into(),
        id: id.clone(),
        by: None,
    });
    // As after a crash: the outcome is unknown, and the restore is not sent again.
    let outcome = Outcome::Unknown;
    let unknown = ServerEvent::RestoreResult { id, outcome };
    assert_eq!(world.step(), Step::Record(unknown.clone()));
    world.record(&unknown);
    let until = Some(world.now.wall + world.rules.restore_window);
    for _ in 0..3 {
        assert_eq!(world.recorded(), Step::Idle { until });
        world.pass(10 * MINUTE);
    }
    assert!(matches!(world.recorded(), Step::Create { .. }));
}

#[test]
fn i12_a_server_restored_by_an_earlier_process_is_left_alone_for_at_most_one_window() {
    let mut world = TestProvider::weekly(3);
    let mut ahead = RecordedAt::from(world.now);
    ahead.wall += SignedDuration::from_hours(24 * 365);
    ahead.mono = None;
    let (id, grace) = (SnapshotId::from(3), SignedDuration::ZERO);
    let snapshot = "weekly-2026-11-15".to_owned();
    let by = None;
    let intent = ServerEvent::RestoreIntent {
        snapshot: snapshot.into(),
        id: id.clone(),
        by,
    };
    world.history.apply(&intent, ahead, grace);
    let outcome = Outcome::Done;
    let result = ServerEvent::RestoreResult { id, outcome };
    world.history.apply(&result, ahead, grace);
    world.history.last_intent = None;
    world.now.mono = world.rules.restore_window - MINUTE;
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    world.pass(MINUTE);
    assert!(matches!(world.recorded(), Step::Create { .. }));
}

fn paused_in_a_create(status: Status) -> (TestProvider, SnapshotId) {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    let Step::Create { name, .. } = world.recorded() else {
        panic!("a create is due");
    };
    world.intend_create(&name);
    let id = world.make(&name, status);
    world.record(&ServerEvent::CreateResult {
        snapshot: name,
        outcome: Outcome::Done,
        id: Some(id.clone()),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.pause();
    (world, id)
}

#[test]
fn during_a_pause_a_create_in_progress_is_watched_to_its_end_and_nothing_new_starts() {
    let (mut world, id) = paused_in_a_create(Status::InProgress);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    assert!(world.history.open.is_some());
    for row in &mut world.snapshots {
        row.status = DONE;
    }
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    assert_eq!(world.history.open, None, "{id} is completed");
    // Three are beyond `keep`, and stay during the pause.
    assert_eq!(world.snapshots.len(), 4);
    world.resume();
    assert!(matches!(world.recorded(), Step::Delete { .. }));
}

#[test]
fn a_delete_that_was_begun_before_a_pause_is_not_sent_again_during_the_pause() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    let (id, outcome) = (SnapshotId::from(1), Outcome::Unknown);
    world.intend_delete(id.clone(), "weekly-2026-11-01", None);
    world.record(&ServerEvent::DeleteResult { id, outcome });
    world.pause();
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.pass(world.rules.settle_window);
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    assert_eq!(world.history.open, None);
}

#[test]
fn a_doubtful_listing_neither_blocks_a_paused_server_nor_ends_a_watch() {
    let (mut world, _) = paused_in_a_create(DONE);
    world.doubt = Some("its count differs".to_owned());
    let pause = world.rules.retry_after;
    assert!(matches!(world.recorded(), Step::Wait { pause: long, .. } if long == pause));
    assert!(world.history.open.is_some());
    assert_eq!(world.history.blocked, None);
    let mut idle = TestProvider::weekly(3);
    idle.pause();
    idle.doubt = Some("its count differs".to_owned());
    assert_eq!(idle.recorded(), Step::Idle { until: None });
}

#[test]
fn during_a_pause_a_snapshot_in_progress_without_an_intent_is_not_watched() {
    let now = "2026-11-22T03:59:00Z";
    let row = (4, "weekly-2026-11-22", Status::InProgress, now);
    let mut world = TestProvider::weekly(3).holding(&[row]);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.pause();
    assert!(matches!(world.recorded(), Step::Idle { .. }));
}

#[test]
fn a_slot_missed_because_of_a_pause_raises_no_alert_but_a_slot_missed_outside_it_does() {
    let mut policy = rotation("daily", "0 3 * * *", 3);
    policy.catch_up = Some(SignedDuration::from_hours(2));
    let hour = SignedDuration::from_hours(1);
    // The pause covers the slot and its catch_up; only the end of its catch_up; more than a day. Or
    // it ends before catch_up does, or begins at the instant at which catch_up ends.
    for (before, paused, alert) in [
        (20 * hour, 10 * hour, false),
        (23 * hour + 30 * MINUTE, 3 * hour, false),
        (2 * hour, 30 * hour, false),
        (20 * hour, 3 * hour + 30 * MINUTE, true),
        (25 * hour, hour, true),
    ] {
        let mut world = TestProvider::new(vec![policy.clone()]);
        world.settle(&DONE);
        world.pass(before);
        world.pause();
        world.pass(paused);
        world.resume();
        if alert {
            // Blocked from the resume until the slot's time has passed.
            world.doubt = Some("odd".to_owned());
            world.recorded();
            world.pass(4 * hour);
            world.doubt = None;
        }
        world.recorded();
        let failed = world
            .history
            .alerts
            .keys()
            .any(|(kind, _)| *kind == AlertKind::SlotFailed);
        assert_eq!(failed, alert, "{before} {paused} {:?}", world.history);
        let last = world
            .history
            .newest("daily", world.now.wall)
            .and_then(|note| note.ending);
        let ending = if alert {
            SlotOutcome::Skipped
        } else {
            SlotOutcome::Paused
        };
        assert!(last == Some(ending) || last.is_none(), "{last:?}");
    }
}

#[test]
fn a_slot_that_was_due_before_a_pause_and_passed_during_it_raises_no_alert() {
    let mut daily = rotation("daily", "0 3 * * *", 3);
    daily.catch_up = Some(SignedDuration::from_hours(2));
    let mut world = TestProvider::new(vec![daily]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(23) + 30 * MINUTE);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    world.pause();
    world.pass(SignedDuration::from_hours(3));
    world.resume();
    world.recorded();
    let note = world.history.slot("daily", "daily-2026-11-23");
    assert_eq!(note.and_then(|note| note.ending), Some(SlotOutcome::Paused));
    assert!(world.history.alerts.is_empty(), "{:?}", world.history);
}

#[test]
fn a_resume_without_a_pause_does_not_hide_a_missed_slot() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(72));
    world.resume();
    world.recorded();
    let failed = (AlertKind::SlotFailed, "daily".to_owned());
    let missed = world.history.slots("daily").nth(1).map(|note| note.ending);
    assert_eq!(missed, Some(Some(SlotOutcome::Skipped)));
    assert!(world.history.alerts.contains_key(&failed));
}

#[test]
fn a_snapshot_that_completes_during_a_pause_settles_its_slot() {
    let (mut world, id) = paused_in_a_create(DONE);
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    let name = "weekly-2026-11-22";
    let ending = world.history.slot("weekly", name).and_then(|n| n.ending);
    assert_eq!(ending, Some(SlotOutcome::Completed));
    // It was deleted during the pause, and is not made again.
    world.snapshots.retain(|s| s.id != id);
    world.resume();
    assert!(!matches!(world.recorded(), Step::Create { .. }));
}

#[test]
fn once_ends_on_a_paused_server_whose_listing_is_in_doubt() {
    let (mut world, _) = paused_in_a_create(Status::InProgress);
    world.rules.count_all = true;
    world.doubt = Some("its count differs".to_owned());
    assert!(matches!(world.recorded(), Step::Idle { .. }));
}

#[test]
fn i12_a_restore_with_an_unknown_outcome_keeps_an_alert_active_until_an_operator_resumes() {
    let mut world = TestProvider::weekly(3).holding(&old_weeklies());
    let id = SnapshotId::from(3);
    let (snapshot, by) = ("weekly-2026-11-15".to_owned(), None);
    world.record(&ServerEvent::RestoreIntent {
        snapshot: snapshot.into(),
        id,
        by,
    });
    world.recorded();
    let alert = (AlertKind::RestoreUnknown, "3".to_owned());
    let reason = |world: &TestProvider| {
        let standing = world.history.alerts.get(&alert);
        standing.map(|standing| standing.text.reason())
    };
    assert!(reason(&world).is_some_and(|why| why.contains("snaprotate resume web")));
    world.pass(world.rules.restore_window);
    world.settle(&DONE);
    assert!(reason(&world).is_some(), "the alert outlasts the window");
    world.resume();
    world.settle(&DONE);
    assert_eq!(reason(&world), None);
}

#[test]
fn a_resume_reports_that_it_accepts_the_clock_if_an_intent_or_a_restore_lies_in_the_future() {
    let said = |world: &TestProvider| {
        let ended = world.history.ended_by_resume_of_all(world.now, None);
        ended == ["the clock counts as correct from now on"]
    };
    let moment = SignedDuration::from_nanos(1);
    for (back, ahead) in [(SignedDuration::ZERO, false), (moment, true)] {
        let mut intended = TestProvider::weekly(3);
        intended.intend_create("weekly-2026-11-22");
        intended.now.wall -= back;
        assert_eq!(said(&intended), ahead, "an intent, {back}");
        let mut restored = TestProvider::weekly(3);
        let (snapshot, id, by) = ("by-hand".to_owned(), SnapshotId::from(3), None);
        restored.record(&ServerEvent::RestoreIntent {
            snapshot: snapshot.into(),
            id: id.clone(),
            by,
        });
        let outcome = Outcome::Done;
        restored.record(&ServerEvent::RestoreResult { id, outcome });
        restored.history.last_intent = None;
        restored.now.wall -= back;
        assert_eq!(said(&restored), ahead, "a restore, {back}");
        restored.history.resume(None, restored.now.wall);
        let holds = restored.history.restoring(&restored.rules, restored.now);
        assert_eq!(holds.is_none(), ahead, "{back}");
    }
}

#[test]
fn a_snapshot_that_is_about_to_be_restored_is_spared_from_pruning_for_a_limited_time() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.settle(&DONE);
    let newest = world.snapshots[0].clone();
    let mut spare = newest;
    spare.id = SnapshotId::from(3);
    spare.name = "weekly-2026-11-15".to_owned();
    spare.created_at = Some(time("2026-11-15T03:00:00Z"));
    world.snapshots.push(spare);
    world.agree(3);
    let name = "before-restore-20261122".to_owned();
    world.record(&ServerEvent::CreateIntent {
        rotation: "".into(),
        snapshot: name.clone().into(),
        known: BTreeSet::new(),
        reason: String::new(),
        by: Some("root".to_owned()),
        spare: Some(SnapshotId::from(3)),
        expires: None,
    });
    let id = Some(world.make(&name, DONE));
    let (outcome, server_name) = (Outcome::Done, None);
    world.record(&ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome,
        id,
        server_name,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    world.pass(world.rules.stuck_after + world.rules.restore_window - MINUTE);
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    world.pass(MINUTE);
    let pruned = matches!(world.recorded(), Step::Delete { id, .. } if id == SnapshotId::from(3));
    assert!(pruned);
}

#[test]
fn a_slot_skipped_by_a_fast_clock_runs_after_the_clock_is_corrected_and_a_resume_accepts_it() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&Status::Completed);
    let ahead = SignedDuration::from_hours(47);
    world.now.wall += ahead;
    world.settle(&Status::Completed);
    world.now.wall -= ahead;
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    world.resume();
    world.log.clear();
    world.pass(SignedDuration::from_hours(24));
    world.settle(&Status::Completed);
    assert_eq!(world.log, ["create daily-2026-11-23"]);
}
