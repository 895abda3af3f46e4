//! Payments for deletes (I19), counted creates (I9), and the first slot of a rotation.

use super::*;
use crate::core::decide::Step;
use crate::core::rotation_and_snapshot_name::SnapshotName;
use crate::core::server_event::{Outcome, ServerEvent, SlotOutcome};
use crate::core::test_provider::*;

#[test]
fn i19_a_snapshot_made_while_the_rotation_grew_does_not_pay_for_a_later_delete() {
    let mut world = TestProvider::grown(3, 3);
    assert_eq!(world.snapshots.len(), 3);
    // Three newer snapshots are listed that the rotation did not make.
    for day in ["2026-12-13", "2026-12-14", "2026-12-15"] {
        world.make(&format!("weekly-{day}"), Status::Completed);
    }
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    let said = world.shrink().expect("an alert");
    assert!(
        said.contains("3 snapshots beyond keep = 3 of weekly"),
        "{said}"
    );
    // The passage of time has no effect; an operator's agreement does.
    world.pass(2 * WEEK);
    world.now.wall -= 2 * WEEK;
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    world.resume();
    world.settle(&Status::Completed);
    // All except the snapshot of the newest slot that is settled in the trail.
    let deleted = ["delete weekly-2026-11-22", "delete weekly-2026-11-29"];
    assert_eq!(world.log, deleted);
}

#[test]
fn i19_a_newly_made_snapshot_pays_for_one_beyond_keep() {
    let mut world = TestProvider::grown(2, 2);
    world.pass(WEEK);
    let Step::Idle { .. } = world.settle(&Status::Completed) else {
        panic!("{:?}", world.log);
    };
    assert_eq!(world.log.len(), 2, "{:?}", world.log);
    assert_eq!(world.snapshots.len(), 2);
    assert_eq!(world.shrink(), None);
}

#[test]
fn i19_a_deleted_snapshot_that_is_listed_again_is_not_adopted_by_a_later_create() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies()[..1]);
    world.recorded();
    let name = "weekly-2026-11-22";
    let there = world.make(name, Status::Failed);
    world.record(&ServerEvent::DeleteIntent {
        rotation: "weekly".into(),
        snapshot: name.into(),
        id: there.clone(),
        prune_first: None,
        paid_by: None,
        expired: false,
        reason: String::new(),
        by: None,
    });
    world.record(&ServerEvent::DeleteConfirmed { id: there.clone() });
    world.snapshots.retain(|row| row.id != there);
    world.intend_create(name);
    let Some(PendingOp::Create { known, .. }) = &world.history.open else {
        panic!("no create is open");
    };
    assert!(known.contains(&there), "{known:?}");
}

#[test]
fn i9_a_late_snapshot_of_an_unanswered_create_counts_as_made_by_the_rotation() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies()[..1]);
    world.settle(&Status::InProgress);
    let name = "weekly-2026-11-22";
    let mut world = TestProvider::weekly(1).holding(&old_weeklies()[..1]);
    world.recorded();
    world.intend_create(name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome: Outcome::Unknown,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.pass(world.rules.settle_window + MINUTE);
    while world.history.open.is_some() {
        let Step::Record(event) = world.step() else {
            panic!("{:?}", world.step());
        };
        world.record(&event);
    }
    assert_eq!(world.history.lapsed.len(), 1);
    world.make(name, Status::Completed);
    world.settle(&Status::Completed);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "delete weekly-2026-11-01"]
    );
    assert!(world.history.lapsed.is_empty());
    assert_eq!(world.shrink(), None);
}

#[test]
fn i9_no_more_creates_of_one_name_are_sent_than_the_rotation_has_attempts() {
    let mut world = TestProvider::weekly(1);
    world.recorded();
    for nth in 0..3 {
        assert!(matches!(world.recorded(), Step::Create { .. }), "{nth}");
        world.intend_create("weekly-2026-11-22");
        // The outcome of each create is lost.
        world.history.open = None;
    }
    world.recorded();
    let note = world
        .history
        .slot("weekly", "weekly-2026-11-22")
        .expect("a slot");
    assert_eq!((note.intents, note.attempts), (3, 0));
    assert_eq!(note.ending, Some(SlotOutcome::GivenUp));
}

#[test]
fn the_first_snapshot_is_named_after_its_time_and_not_made_if_the_next_slot_has_the_same_name() {
    let first = |schedule: &str, pattern: &str| {
        let mut world = TestProvider::new(vec![rotation("r", schedule, 3)]);
        world.policy.rotations[0].pattern =
            crate::core::name_pattern::Pattern::new(pattern, "r").expect("a pattern");
        world.settle(&Status::Completed);
        world.log
    };
    // The clock shows 2026-11-22 04:00.
    assert_eq!(first("@yearly", "r-%Y-%m-%d"), ["create r-2026-11-22"]);
    assert_eq!(first("0 3 * * *", "r-%Y-%m-%d"), ["create r-2026-11-22"]);
    assert_eq!(first("0 23 * * *", "r-%Y-%m-%d"), [""; 0]);
    assert_eq!(
        first("0 */6 * * *", "r-%Y-%m-%d-%H%M"),
        ["create r-2026-11-22-0400"]
    );
}

#[test]
fn at_a_first_look_a_snapshot_named_for_the_newest_slot_or_for_a_later_time_settles_that_slot() {
    for (name, settled) in [
        ("weekly-2026-11-15", false),
        ("weekly-2026-11-22", true),
        ("weekly-2026-11-23", true),
    ] {
        let row = (1, name, Status::Completed, "2026-11-22T03:30:00Z");
        let mut world = TestProvider::weekly(3).holding(&[row]);
        world.settle(&Status::Completed);
        assert_eq!(world.log.is_empty(), settled, "{name}: {:?}", world.log);
    }
}

#[test]
fn i9_creates_of_one_name_are_counted_whichever_rotation_they_were_for() {
    let mut world = TestProvider::weekly(1);
    world.policy.rotations[0].pattern =
        crate::core::name_pattern::Pattern::new("web-%Y-%m-%d", "weekly").expect("a pattern");
    world.recorded();
    for _ in 0..2 {
        assert!(matches!(world.recorded(), Step::Create { .. }));
        world.intend_create("web-2026-11-22");
        world.history.open = None;
    }
    world.policy.rotations[0].name = "renamed".into();
    assert!(matches!(world.recorded(), Step::Create { .. }));
    world.intend_create("web-2026-11-22");
    world.history.open = None;
    let step = world.recorded();
    assert!(!matches!(step, Step::Create { .. }), "{step:?}");
}

#[test]
fn i19_a_snapshot_that_a_refused_create_made_anyway_counts_as_made_by_the_rotation() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies()[..1]);
    world.recorded();
    let name = "weekly-2026-11-22";
    world.intend_create(name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome: Outcome::Failed,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.make(name, Status::Completed);
    world.settle(&Status::Completed);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "delete weekly-2026-11-01"]
    );
    assert_eq!(world.shrink(), None);
}

/// Creates the slot's snapshot, and records that a listing shows it completed.
fn complete(world: &mut TestProvider) -> SnapshotId {
    let Step::Create { name, .. } = world.recorded() else {
        panic!("{:?}", world.recorded());
    };
    let id = world.create(&name, Status::Completed);
    let step = world.recorded();
    let Step::Wait { reason, .. } = &step else {
        panic!("{step:?}");
    };
    assert!(reason.contains("until a second listing"), "{reason}");
    id
}

#[test]
fn i19_no_older_snapshot_is_deleted_after_a_single_listing_of_the_new_completed_one() {
    let mut world = TestProvider::grown(1, 1);
    world.pass(WEEK);
    complete(&mut world);
    world.pass(world.rules.poll_interval);
    world.snapshots[1].status = Status::Failed;
    let step = world.settle(&Status::Completed);
    assert!(matches!(step, Step::Idle { .. }), "{step:?}");
    assert_eq!(world.log, ["create weekly-2026-11-29"]);
    // After a second listing that agrees, the older snapshot is deleted.
    world.snapshots[1].status = Status::Completed;
    world.settle(&Status::Completed);
    assert_eq!(world.log[1..], ["delete weekly-2026-11-22"]);
}

/// Returns a server after a prune-first, and the name of the snapshot that is to be created now.
fn after_prune_first() -> (TestProvider, SnapshotName) {
    let mut world = full_of_own();
    world.recorded();
    world.history.found = None;
    let Step::Delete {
        id,
        name,
        prune_first: true,
        ..
    } = world.recorded()
    else {
        panic!("{:?}", world.recorded());
    };
    let known = world.snapshots.iter().map(|s| s.id.clone()).collect();
    world.intend_delete(id.clone(), &name, Some(known));
    world.snapshots.retain(|s| s.id != id);
    let Step::Create { name, .. } = world.recorded() else {
        panic!("{:?}", world.recorded());
    };
    (world, name)
}

#[test]
fn i7_and_i19_a_promise_counts_as_kept_only_while_its_snapshot_is_listed_as_completed() {
    let (mut world, name) = after_prune_first();
    let made = world.create(&name, Status::Completed);
    world.recorded();
    world.pass(WEEK);
    let row = world.snapshots.iter().position(|s| s.id == made);
    let row = row.expect("the new snapshot");
    world.snapshots[row].status = Status::Failed;
    let step = world.recorded();
    let Step::Blocked { reason } = &step else {
        panic!("{step:?}");
    };
    assert!(
        reason.contains("is no longer listed as completed"),
        "{reason}"
    );
    world.snapshots[row].status = Status::Completed;
    world.recorded();
    world.pass(world.rules.settle_window);
    let step = world.recorded();
    let prunes = matches!(
        step,
        Step::Delete {
            prune_first: true,
            ..
        }
    );
    assert!(prunes, "{step:?}");
}

#[test]
fn i19_a_promise_whose_snapshot_only_one_listing_showed_is_kept_by_the_next_snapshot() {
    let (mut world, name) = after_prune_first();
    // One listing shows the new snapshot as completed, and no later one shows it.
    let gone = world.create(&name, Status::Completed);
    world.recorded();
    assert!(world.history.open_promise().is_none());
    world.snapshots.retain(|s| s.id != gone);
    world.record(&ServerEvent::SnapshotGone {
        snapshot: name,
        id: gone,
        reason: "it is no longer listed".to_owned(),
    });
    world.pass(WEEK);
    let Step::Create { name, .. } = world.recorded() else {
        panic!("{:?}", world.recorded());
    };
    let made = world.create(&name, Status::Completed);
    world.recorded();
    let keeper = world.history.promise_keeper();
    assert_eq!(keeper.map(|payer| &payer.id), Some(&made));
}
