//! The boundaries of a mutation whose effect no listing has confirmed.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::*;
use crate::core::server_event::RecordedAt;
use crate::core::test_provider::*;

#[test]
fn i9_the_snapshot_of_an_unanswered_create_is_looked_for_and_adopted() {
    let mut world = TestProvider::weekly(3);
    while let Step::Record(event) = world.step() {
        world.record(&event);
    }
    world.intend_create("weekly-2026-11-22");
    let unknown = create_result("weekly-2026-11-22", Outcome::Unknown, None);
    world.record(&unknown);
    for _ in 0..9 {
        assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
        world.pass(MINUTE);
    }
    world.make("weekly-2026-11-22", Status::InProgress);
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.snapshots[0].status = DONE;
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn i9_a_lost_create_is_sent_again_only_after_the_settle_window_and_the_retry_pause() {
    let mut world = TestProvider::weekly(3);
    while let Step::Record(event) = world.step() {
        world.record(&event);
    }
    let sent = world.now.mono;
    world.intend_create("weekly-2026-11-22");
    while world.log.len() < 2 {
        world.settle(&DONE);
        world.pass(world.rules.poll_interval);
    }
    let waited = world.now.mono - sent;
    assert!(waited >= 15 * MINUTE, "{waited:?}");
    assert_eq!(world.snapshots.len(), 1);
}

#[test]
fn i5_an_unanswered_delete_is_retried_for_the_same_id_and_nothing_else_is_done() {
    let mut world = TestProvider::weekly(2).holding(&old_weeklies());
    while !matches!(world.step(), Step::Delete { .. }) {
        match world.step() {
            Step::Record(event) => world.record(&event),
            Step::Create { name, .. } => {
                world.intend_create(&name);
                let id = Some(world.make(&name, DONE));
                world.record(&ServerEvent::CreateResult {
                    snapshot: name,
                    outcome: Outcome::Done,
                    id,
                    server_name: None,
                    looked_for: false,
                    hindrance: None,
                    said: None,
                });
            }
            other => panic!("{other:?}"),
        }
    }
    let (id, name) = (SnapshotId::from(1), "weekly-2026-11-01".to_owned());
    world.intend_delete(id.clone(), &name, None);
    world.record(&ServerEvent::DeleteResult {
        id,
        outcome: Outcome::Unknown,
    });
    assert!(matches!(world.step(), Step::Wait { .. }));
    world.pass(8 * MINUTE);
    assert!(
        matches!(world.step(), Step::Wait { .. }),
        "the first call may still take effect, whatever the answer to a second one is"
    );
    world.pass(2 * MINUTE);
    assert!(matches!(
        world.step(),
        Step::Delete { id, .. } if id == SnapshotId::from(1)
    ));
    world.policy.rotations[0].keep = 4;
    let Step::Record(changed) = world.step() else {
        panic!("the changed terms are not recorded");
    };
    world.record(&changed);
    assert!(matches!(
        world.step(),
        Step::Record(ServerEvent::DeleteResult {
            outcome: Outcome::Failed,
            ..
        })
    ));
}

/// Returns a settled server with an unanswered delete of a surplus snapshot.
fn unanswered_delete(by: Option<String>) -> TestProvider {
    let mut world = TestProvider::weekly(1);
    world.settle(&DONE);
    let old = &old_weeklies()[..1];
    let settled = std::mem::take(&mut world.snapshots);
    world = world.holding(old);
    world.snapshots.extend(settled);
    world.agree(1);
    let (id, outcome) = (SnapshotId::from(1), Outcome::Unknown);
    world.record(&ServerEvent::DeleteIntent {
        rotation: "weekly".into(),
        id: id.clone(),
        snapshot: old[0].1.into(),
        prune_first: None,
        paid_by: None,
        expired: false,
        reason: String::new(),
        by,
    });
    world.record(&ServerEvent::DeleteResult { id, outcome });
    world
}

#[test]
fn an_ordered_delete_is_not_sent_again_even_if_the_rotation_would_delete_the_snapshot_too() {
    for by in [None, Some("root".to_owned())] {
        let ordered = by.is_some();
        let mut world = unanswered_delete(by);
        assert!(matches!(world.recorded(), Step::Wait { .. }));
        world.pass(world.rules.settle_window);
        match world.step() {
            Step::Delete { .. } => assert!(!ordered),
            Step::Record(ServerEvent::DeleteResult { outcome, .. }) => {
                assert!(ordered);
                assert_eq!(outcome, Outcome::Failed);
            }
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn an_unanswered_delete_waits_longer_before_a_retry_if_an_earlier_delete_was_refused() {
    let mut world = unanswered_delete(None);
    world.rules.settle_window = MINUTE;
    world.history.refused_deletes = 1;
    // The pause after the second try is twice as long as the first.
    world.pass(world.rules.retry_after * 2 - MINUTE);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.pass(world.rules.retry_after);
    assert!(matches!(world.recorded(), Step::Delete { .. }));
}

#[test]
fn i9_after_a_restart_the_wait_for_an_unanswered_create_includes_the_request_timeout() {
    let mut world = TestProvider::weekly(3);
    let name = "weekly-2026-11-22".to_owned();
    let before = RecordedAt {
        wall: world.now.wall,
        mono: None,
    };
    let slot = time("2026-11-22T03:00:00Z");
    let due = ServerEvent::SlotDue {
        rotation: "weekly".into(),
        snapshot: name.clone().into(),
        slot,
    };
    let grace = world.rules.request_timeout;
    world.history.apply(&due, before, grace);
    world.history.apply(
        &ServerEvent::CreateIntent {
            rotation: "weekly".into(),
            snapshot: name.into(),
            known: BTreeSet::new(),
            reason: String::new(),
            by: None,
            spare: None,
            expires: None,
        },
        before,
        grace,
    );
    // The next process starts at once.
    world.now.mono = SignedDuration::ZERO;
    world.pass(world.rules.settle_window + grace - SignedDuration::from_secs(1));
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.pass(SignedDuration::from_secs(1));
    assert!(matches!(
        world.step(),
        Step::Record(ServerEvent::CreateResult {
            outcome: Outcome::Failed,
            ..
        })
    ));
}

#[test]
fn i9_a_wall_clock_that_jumps_ahead_does_not_end_the_settle_window() {
    let mut world = TestProvider::weekly(3);
    world.rules.settle_window = 30 * MINUTE;
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    world.now.wall += SignedDuration::from_hours(5);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
}

#[test]
fn i9_only_a_new_row_with_the_exact_name_is_adopted_for_an_unanswered_create() {
    let name = "weekly-2026-11-22";
    let mut rows = old_weeklies().to_vec();
    rows.push((4, name, Status::Failed, "yesterday"));
    let mut world = TestProvider::weekly(4).holding(&rows);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    world.intend_create(name);
    world.record(&create_result(name, Outcome::Unknown, None));
    world.make("weekly-2026-11-29", DONE);
    let open = world.history.open.clone();
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    assert_eq!(
        world.history.open, open,
        "no row is the snapshot of this create"
    );
    let id = world.make(name, Status::InProgress);
    world.recorded();
    assert!(
        matches!(&world.history.open, Some(PendingOp::Create { id: Some(found), .. }) if *found == id)
    );
}

#[test]
fn i5_while_a_delete_is_open_no_other_snapshot_is_deleted() {
    let mut world = TestProvider::weekly(2).holding(&old_weeklies());
    world.settle(&Status::InProgress);
    world.snapshots[3].status = DONE;
    let id = SnapshotId::from(1);
    assert!(matches!(
        world.recorded(),
        Step::Delete { id, .. } if id == SnapshotId::from(1)
    ));
    world.intend_delete(id.clone(), "weekly-2026-11-01", None);
    world.record(&ServerEvent::DeleteResult {
        id: id.clone(),
        outcome: Outcome::Unknown,
    });
    // Under the current policy another snapshot would be deleted next.
    world.policy.protected_ids.insert(id);
    for _ in 0..9 {
        world.pass(MINUTE);
        assert!(matches!(world.recorded(), Step::Wait { .. }));
    }
    world.pass(MINUTE);
    world.step();
    assert!(matches!(
        world.step(),
        Step::Record(ServerEvent::DeleteResult { id, outcome: Outcome::Failed }) if id == SnapshotId::from(1)
    ));
}

#[test]
fn i5_a_delete_is_retried_after_the_settle_window_or_after_a_longer_pause_that_doubles() {
    let mut world = full_of_own();
    let mut sent = Vec::new();
    while sent.len() < 3 {
        match world.recorded() {
            Step::Delete { id, name, .. } => {
                sent.push(world.now.mono);
                world.intend_delete(id.clone(), &name, None);
                let outcome = Outcome::Unknown;
                world.record(&ServerEvent::DeleteResult { id, outcome });
            }
            Step::Wait { pause, .. } => world.pass(pause),
            other => panic!("{other:?}"),
        }
    }
    let poll = world.rules.poll_interval;
    // The first pause would be five minutes; the second one is twice as long.
    let at_least = world.rules.settle_window;
    for (nth, longer) in [(0, SignedDuration::ZERO), (1, at_least / 4)] {
        let pause = sent[nth + 1] - sent[nth];
        let at_most = at_least + longer + poll;
        assert!((at_least..=at_most).contains(&pause), "{pause:?}");
    }
}

#[test]
fn i9_a_create_of_an_earlier_process_that_is_found_completed_is_no_longer_open() {
    let mut world = TestProvider::weekly(3);
    world.settle(&Status::InProgress);
    // Another process reads it from the trail.
    world.history.seen.clear();
    world.snapshots[0].status = DONE;
    world.settle(&DONE);
    assert_eq!(world.history.open, None);
}

#[test]
fn i6_a_create_whose_rotation_was_removed_from_the_policy_is_watched_until_it_ends() {
    for (status, closed) in [
        (DONE, true),
        (Status::Failed, true),
        (Status::InProgress, false),
        (Status::Unknown("odd".to_owned()), false),
    ] {
        let mut world = TestProvider::weekly(3);
        world.settle(&Status::InProgress);
        assert!(matches!(
            world.history.open,
            Some(PendingOp::Create { id: Some(_), .. })
        ));
        world.policy.rotations = vec![rotation("daily", "0 3 * * *", 3)];
        assert!(matches!(world.recorded(), Step::Wait { .. }));
        world.snapshots[0].status = status.clone();
        let step = world.recorded();
        assert_eq!(world.history.open.is_none(), closed, "{status:?}");
        assert_eq!(
            matches!(step, Step::Create { .. }),
            closed,
            "{status:?}: {step:?}"
        );
        // A snapshot that never completes delays the new rotation no longer than one of its own
        // would.
        world.pass(world.rules.stuck_after);
        assert!(matches!(world.recorded(), Step::Create { .. }));
        assert_eq!(world.history.open, None, "{status:?}");
    }
}

#[test]
fn i6_a_create_sent_while_the_clock_was_ahead_is_closed_a_settle_window_after_the_next_start() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.now.wall += SignedDuration::from_hours(24 * 365);
    world.intend_create("weekly-2026-11-22");
    // The clock is corrected, the service is restarted, and an operator confirms the clock.
    world.now.wall = time("2026-11-22T05:00:00Z");
    world.now.mono = SignedDuration::ZERO;
    let kept = serde_json::to_string(&world.history).expect("JSON");
    world.history = serde_json::from_str(&kept).expect("a history");
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    world.resume();
    let window = world.rules.settle_window + world.rules.request_timeout;
    world.pass(window - SignedDuration::from_secs(1));
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    assert!(world.history.open.is_some());
    world.pass(SignedDuration::from_secs(1));
    assert!(!matches!(world.recorded(), Step::Blocked { .. }));
    assert_eq!(world.history.open, None);
}

#[test]
fn i9_an_answered_create_that_is_never_listed_is_not_sent_again_before_stuck_after_has_passed() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    let name = "weekly-2026-11-22";
    world.intend_create(name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome: Outcome::Done,
        id: Some(SnapshotId::from(77)),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.pass(world.rules.settle_window);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    assert_eq!(world.history.open, None);
    world.pass(world.rules.stuck_after - MINUTE);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.pass(MINUTE);
    assert!(matches!(world.recorded(), Step::Create { .. }));
}
