//! Which snapshots may be deleted to make room, and which may not.

use jiff::SignedDuration;

use super::*;
use crate::core::rotation_and_snapshot_name::SnapshotName;
use crate::core::server_event::{Outcome, ServerEvent, SlotOutcome};
use crate::core::snapshot::SnapshotId;
use crate::core::test_provider::*;

#[test]
fn with_room_the_create_comes_before_the_prune() {
    let mut world = TestProvider::weekly(3).holding(&old_weeklies());
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "delete weekly-2026-11-01"]
    );
}

#[test]
fn on_a_full_server_only_the_oldest_own_snapshot_is_deleted_before_the_create() {
    let mut world = full_of_own();
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["delete weekly-2026-11-01", "create weekly-2026-11-22"]
    );
}

#[test]
fn i7_failing_creates_on_a_full_server_cost_at_most_one_snapshot() {
    let mut world = full_of_own();
    for _ in 0..4 {
        world.settle(&Status::Failed);
        world.pass(SignedDuration::from_hours(24 * 7));
    }
    let lost = |entry: &&String| {
        entry.starts_with("delete") && old_weeklies().iter().any(|row| entry.contains(row.1))
    };
    assert_eq!(world.log.iter().filter(lost).count(), 1, "{:?}", world.log);
}

#[test]
fn i1_a_server_full_of_foreign_snapshots_is_blocked_and_nothing_is_touched() {
    let rows: Vec<_> = (1..=5)
        .map(|id| (id, "mine", DONE, "2026-01-01T00:00:00Z"))
        .collect();
    let mut world = TestProvider::weekly(3).holding(&rows);
    let end = world.settle(&DONE);
    let Step::Blocked { reason } = end else {
        panic!("{end:?}");
    };
    assert!(
        reason.contains("foreign snapshots take up 5 of 5 places"),
        "{reason}"
    );
    assert!(world.log.is_empty(), "{:?}", world.log);
    world.snapshots.pop();
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22"],
        "it resumes by itself once there is room"
    );
}

#[test]
fn i1_a_protected_snapshot_is_neither_pruned_nor_counted() {
    let mut world = TestProvider::weekly(2).holding(&old_weeklies());
    world.policy.protected_ids.insert(SnapshotId::from(1));
    world
        .policy
        .protected_names
        .insert("weekly-2026-11-08".to_owned());
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn i1_a_failed_snapshot_of_the_due_slot_stays_when_it_is_protected_or_has_no_date() {
    for (protect, date) in [(true, "2026-11-22T03:10:00Z"), (false, "yesterday")] {
        let row = (1, "weekly-2026-11-22", Status::Failed, date);
        let mut world = TestProvider::weekly(3).holding(&[row]);
        if protect {
            world.policy.protected_ids.insert(SnapshotId::from(1));
        }
        world.settle(&DONE);
        assert_eq!(world.log, ["create weekly-2026-11-22"], "{protect} {date}");
    }
}

#[test]
fn a_failed_snapshot_of_the_due_slot_is_deleted_before_the_slot_is_retried() {
    let row = (
        1,
        "weekly-2026-11-22",
        Status::Failed,
        "2026-11-22T03:10:00Z",
    );
    let mut world = TestProvider::weekly(3).holding(&[row]);
    world.made_in_vain(1);
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["delete weekly-2026-11-22", "create weekly-2026-11-22"]
    );
}

#[test]
fn i2_and_i3_a_prune_first_leaves_the_newest_snapshot_and_min_completed_snapshots() {
    let foreign = |id| (id, "mine", DONE, "2026-01-01T00:00:00Z");
    let own = (5, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z");
    let older = (4, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z");
    let mut only_one = TestProvider::weekly(3).holding(&[
        foreign(1),
        foreign(2),
        foreign(3),
        foreign(4),
        own.clone(),
    ]);
    only_one.policy.min_completed = 0;
    assert!(matches!(only_one.settle(&DONE), Step::Blocked { .. }), "I2");
    let mut two =
        TestProvider::weekly(3).holding(&[foreign(1), foreign(2), foreign(3), older, own]);
    two.policy.min_completed = 2;
    assert!(matches!(two.settle(&DONE), Step::Blocked { .. }), "I3");
    two.policy.min_completed = 1;
    two.settle(&DONE);
    assert_eq!(
        two.log,
        ["delete weekly-2026-11-08", "create weekly-2026-11-22"]
    );
}

#[test]
fn with_when_full_skip_a_full_server_is_never_pruned_first() {
    let mut world = full_of_own();
    world.policy.rotations[0].when_full = WhenFull::Skip;
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn a_stuck_snapshot_is_deleted_for_room_only_with_delete_stuck() {
    for (told, expected) in [(false, "weekly-2026-11-08"), (true, "weekly-2026-11-15")] {
        let mut rows = full_of_own().snapshots;
        rows[0].name = "weekly-2026-11-15".to_owned();
        rows[0].status = Status::InProgress;
        rows[2].name = "weekly-2026-11-16".to_owned();
        let mut world = TestProvider::weekly(3);
        world.snapshots = rows;
        world.made_in_vain(1);
        world.policy.delete_stuck = told;
        let inventory = world.inventory();
        world.history.observe(&world.policy, &inventory, world.now);
        world.pass(world.rules.stuck_after);
        world.settle(&DONE);
        assert_eq!(world.log[0], format!("delete {expected}"));
    }
}

#[test]
fn i7_no_second_own_snapshot_is_pruned_if_an_undeletable_failed_snapshot_fills_the_room() {
    let mut world = full_of_own();
    assert!(matches!(
        world.settle(&Status::InProgress),
        Step::Wait { .. }
    ));
    let made = world.snapshots.last_mut().expect("the new snapshot");
    made.status = Status::Failed;
    made.created_at = None;
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert_eq!(
        world.log,
        ["delete weekly-2026-11-01", "create weekly-2026-11-22"]
    );
}

#[test]
fn i7_and_i19_after_a_foreign_snapshot_took_the_room_the_next_prune_first_needs_a_resume() {
    let mut world = full_of_own();
    while world.log.is_empty() {
        match world.step() {
            Step::Delete { id, name, .. } => {
                let ids = world.snapshots.iter().map(|s| s.id.clone()).collect();
                world.log.push(format!("delete {name}"));
                world.intend_delete(id.clone(), &name, Some(ids));
                world.record(&ServerEvent::DeleteResult {
                    id: id.clone(),
                    outcome: Outcome::Done,
                });
                world.snapshots.retain(|s| s.id != id);
                world.make("taken-by-a-person", DONE);
            }
            Step::Record(event) => world.record(&event),
            other => panic!("{other:?}"),
        }
    }
    let Step::Blocked { reason } = world.settle(&DONE) else {
        panic!("{:?}", world.log);
    };
    assert!(reason.contains("snaprotate resume 7"), "{reason}");
    assert_eq!(world.log, ["delete weekly-2026-11-01"]);
    world.resume();
    world.settle(&DONE);
    assert_eq!(
        world.log,
        [
            "delete weekly-2026-11-01",
            "delete weekly-2026-11-08",
            "create weekly-2026-11-22"
        ]
    );
}

#[test]
fn i7_and_i19_a_resume_during_a_create_does_not_cancel_the_promise_of_its_prune_first() {
    let mut world = full_of_own();
    prune_first_and_intend(&mut world);
    let (rules, now) = (&world.rules, world.now);
    assert_eq!(world.history.ended_by_resume(rules, now, &[]), [""; 0]);
    world.resume();
    assert!(world.history.prune_first.is_some());
}

/// Performs a prune-first for the first rotation's slot, up to the intent of its create.
fn prune_first_and_intend(world: &mut TestProvider) -> (SnapshotId, SnapshotName) {
    let Step::Delete { id, name, .. } = world.recorded() else {
        panic!("a full server must be pruned first");
    };
    let before = world.snapshots.iter().map(|s| s.id.clone()).collect();
    world.intend_delete(id.clone(), &name, Some(before));
    world.record(&ServerEvent::DeleteResult {
        id: id.clone(),
        outcome: Outcome::Unknown,
    });
    world.snapshots.retain(|s| s.id != id);
    let Step::Create { name, .. } = world.recorded() else {
        panic!("there is room now");
    };
    world.intend_create(&name);
    (id, name)
}

/// Performs a prune-first for the first rotation's slot, whose create is refused. Then a listing
/// shows the deleted snapshot again.
fn shown_once_more(world: &mut TestProvider) -> SnapshotId {
    let before = world.snapshots.clone();
    let (id, name) = prune_first_and_intend(world);
    world.record(&ServerEvent::CreateResult {
        snapshot: name,
        outcome: Outcome::Failed,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.snapshots = before;
    id
}

#[test]
fn i7_an_older_listing_that_shows_the_pruned_snapshot_again_does_not_fulfil_the_promise() {
    let mut daily = rotation("daily", "0 3 * * *", 3);
    daily.attempts = 1;
    let mut world = TestProvider::new(vec![daily, rotation("weekly", "0 3 * * Sun", 3)]);
    let rows = [
        (1, "daily-2026-11-20", DONE, "2026-11-20T03:00:00Z"),
        (2, "daily-2026-11-21", DONE, "2026-11-21T03:00:00Z"),
        (3, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z"),
        (4, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
        (5, "by-hand", DONE, "2025-01-01T00:00:00Z"),
    ];
    world = world.holding(&rows);
    let given = shown_once_more(&mut world);
    // The daily slot is given up, and the weekly one needs room.
    world.settle_down();
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    world.snapshots.retain(|s| s.id != given);
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Create { rotation, .. } if rotation == "weekly"),
        "{step:?}"
    );
}

#[test]
fn i2_the_newest_own_completed_snapshot_is_kept_even_if_keep_is_zero() {
    let mut world = TestProvider::weekly(0).holding(&old_weeklies());
    world.settle(&DONE);
    let left: Vec<_> = world.snapshots.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(left, ["weekly-2026-11-22"]);
}

#[test]
fn i9_a_stuck_snapshot_of_a_former_pattern_still_counts_for_its_slot() {
    let mut world = TestProvider::weekly(3).holding(&[(
        1,
        "old-2026-11-22",
        Status::InProgress,
        "2026-11-22T03:00:00Z",
    )]);
    let former = former("old-%Y-%m-%d", false);
    world.policy.rotations[0].former.push(former);
    world.settle(&DONE);
    world.pass(2 * 60 * MINUTE);
    world.settle(&DONE);
    assert!(world.log.is_empty(), "{:?}", world.log);
    let note = world.history.slot("weekly", "weekly-2026-11-22");
    assert_eq!(note.and_then(|n| n.ending), Some(SlotOutcome::GivenUp));
}

#[test]
fn an_older_copy_of_a_slot_is_deleted_for_room_before_the_oldest_snapshot() {
    let mut rows = old_weeklies().to_vec();
    rows.push((4, "weekly-2026-11-08", DONE, "2026-11-08T03:01:00Z"));
    rows.push((5, "other", DONE, "2025-01-02T00:00:00Z"));
    let mut world = TestProvider::weekly(4).holding(&rows);
    // Nothing pays for the copy, and its announced deletion is not due yet.
    world.rules.shrink_grace = WEEK;
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Delete { id, prune_first: true, .. } if *id == SnapshotId::from(2)),
        "{step:?}"
    );
}

#[test]
fn i7_while_a_delete_is_in_progress_nothing_else_is_deleted_for_room() {
    let mut world = full_of_own();
    let Step::Delete { id, .. } = world.recorded() else {
        panic!("{:?}", world.step());
    };
    world.intend_delete(id.clone(), "weekly-2026-11-01", None);
    world.record(&ServerEvent::DeleteResult {
        id: id.clone(),
        outcome: Outcome::Done,
    });
    let row = world.snapshots.iter_mut().find(|s| s.id == id);
    row.expect("a row").status = Status::Unknown("deleting".to_owned());
    world.recorded();
    world.pass(2 * world.rules.stuck_after);
    world.recorded();
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("has not finished deleting")),
        "{step:?}"
    );
    world.snapshots.retain(|s| s.id != id);
    assert!(matches!(world.recorded(), Step::Create { .. }));
}

#[test]
fn i1_a_string_in_protect_matches_an_id_or_a_uuid_in_either_case() {
    let uuid = "6F1C2A00-0B1C-4D2E-8F3A-0123456789AB";
    let mut world = TestProvider::grown(1, 3);
    for (text, id) in [("801", "801"), (uuid, uuid), (&uuid.to_lowercase(), uuid)] {
        world.policy.protected_names = [text.to_owned()].into();
        let mut row = world.snapshots[0].clone();
        assert!(!world.policy.protects(&row), "{text}");
        row.uuid = Some(id.parse().unwrap());
        assert!(world.policy.protects(&row), "{text}");
        (row.uuid, row.id) = (None, id.parse().unwrap());
        assert!(world.policy.protects(&row), "{text}");
    }
}

#[test]
fn i11_the_name_of_a_server_without_snapshots_is_checked_before_its_first_create() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    for (name, blocked) in [("web", false), ("other", true)] {
        let mut inventory = crate::core::decide::Inventory::empty(world.now.mono);
        let step = |inventory: &crate::core::decide::Inventory| {
            let (policy, history) = (&world.policy, &world.history);
            crate::core::decide::decide(policy, inventory, history, &world.rules, world.now)
        };
        assert_eq!(step(&inventory), Step::AskState);
        inventory.add_server_info(crate::core::server_info::ServerInfo {
            name: Some(name.to_owned()),
            ..crate::core::server_info::PowerState::Active.into()
        });
        let step = step(&inventory);
        assert_eq!(matches!(step, Step::Create { .. }), !blocked, "{step:?}");
    }
}
