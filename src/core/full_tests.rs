//! The snapshots that are deleted on a full server for a due slot, and those that never are.

use jiff::SignedDuration;

use super::*;
use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::snapshot::SnapshotId;
use crate::core::test_provider::*;

#[test]
fn the_block_reason_of_a_full_server_counts_foreign_snapshots_or_omits_them_if_there_are_none() {
    for (own, said) in [
        (0, Some("foreign snapshots take up 5 of 5 places")),
        (2, Some("foreign snapshots take up 3 of 5 places")),
        (5, None),
    ] {
        let mut world = TestProvider::weekly(3);
        for nth in 0..5 {
            let name = if nth < own {
                format!("weekly-2026-10-0{}", nth + 1)
            } else {
                "mine".to_owned()
            };
            let id = world.make(&name, DONE);
            world.policy.protected_ids.insert(id);
        }
        let end = world.settle(&DONE);
        let Step::Blocked { reason } = end else {
            panic!("{end:?}");
        };
        match said {
            Some(said) => assert!(reason.contains(said), "{reason}"),
            None => assert!(!reason.contains("foreign"), "{reason}"),
        }
    }
}

#[test]
fn the_fuller_rotation_makes_room_for_the_other_only_if_the_other_holds_fewer_than_two() {
    // How many snapshots `a` and `b` have, and the rotation whose oldest snapshot is deleted for
    // the slot of `b`.
    for (others, own, gives) in [
        (4, 0, Some("a")),
        (3, 1, Some("a")),
        (2, 2, Some("b")),
        (1, 3, Some("b")),
        (1, 1, Some("b")),
        (2, 1, Some("a")),
        (1, 0, None),
    ] {
        let mut world = TestProvider::new(vec![
            rotation("a", "0 3 1 1 *", 9),
            rotation("b", "0 3 * * *", 9),
        ]);
        world.policy.rotations[0].catch_up = Some(MINUTE);
        for (name, count) in [("a", others), ("b", own)] {
            for day in 1..=count {
                world.make(&format!("{name}-2026-11-0{day}"), DONE);
            }
        }
        // The newest snapshot, which I2 keeps, is a protected one, so I2 spares no other.
        let newest = world.make("a-2026-11-09", DONE);
        world.policy.protected_ids.insert(newest);
        world.rules.limit = world.snapshots.len();
        world.settle_down();
        let step = world.recorded();
        let given = match &step {
            Step::Delete { name, .. } => Some(name.as_str()),
            Step::Blocked { .. } => None,
            other => panic!("{other:?}"),
        };
        let expected = gives.map(|name| format!("{name}-2026-11-01"));
        assert_eq!(given, expected.as_deref(), "{others} and {own}");
    }
}

#[test]
fn a_rotation_beyond_its_keep_makes_room_before_one_within_it() {
    // `keep` of `a` and of `b`, which have two snapshots each, and the rotation whose oldest
    // snapshot is deleted for the slot of `b`.
    for (others, own, gives) in [(1, 2, "a"), (2, 2, "b"), (1, 1, "b")] {
        let mut world = TestProvider::new(vec![
            rotation("a", "0 3 1 1 *", others),
            rotation("b", "0 3 * * *", own),
        ]);
        world.policy.rotations[0].catch_up = Some(MINUTE);
        for name in ["a", "b"] {
            for day in 1..=2 {
                world.make(&format!("{name}-2026-11-0{day}"), DONE);
            }
        }
        world.rules.limit = world.snapshots.len();
        world.rules.shrink_grace = WEEK;
        world.settle_down();
        let step = world.recorded();
        let Step::Delete {
            name,
            prune_first: true,
            ..
        } = &step
        else {
            panic!("{step:?}");
        };
        assert_eq!(
            name.as_str(),
            format!("{gives}-2026-11-01"),
            "{others}, {own}"
        );
    }
}

#[test]
fn i3_a_snapshot_without_a_reliable_date_does_not_count_towards_min_completed() {
    let mut rows = full_of_own().snapshots;
    rows[0].created_at = None;
    for (least, pruned) in [(1, true), (2, false)] {
        let mut world = full_of_own();
        world.snapshots.clone_from(&rows);
        world.policy.min_completed = least;
        let step = world.recorded();
        assert_eq!(matches!(step, Step::Delete { .. }), pruned, "{least}");
    }
}

#[test]
fn i2_a_failed_snapshot_is_never_taken_for_the_newest() {
    let mut world = full_of_own();
    world
        .policy
        .protected_ids
        .extend([SnapshotId::from(1), SnapshotId::from(2)]);
    world.snapshots[4].name = "weekly-2026-11-16".to_owned();
    world.snapshots[4].status = Status::Failed;
    world.snapshots[4].created_at = Some(time("2026-11-16T03:00:00Z"));
    world.policy.protected_ids.insert(SnapshotId::from(5));
    let step = world.recorded();
    assert!(matches!(step, Step::Blocked { .. }), "{step:?}");
}

#[test]
fn i11_a_stuck_snapshot_that_is_protected_undated_or_of_unknown_status_is_not_deleted_for_room() {
    let odd = || Status::Unknown("archiving".to_owned());
    for (status, protect, dated, goes) in [
        (Status::InProgress, false, true, true),
        (Status::InProgress, true, true, false),
        (Status::InProgress, false, false, false),
        (odd(), false, true, false),
    ] {
        let mut world = full_of_own();
        world.policy.delete_stuck = true;
        world.policy.rotations[0].when_full = WhenFull::Skip;
        world.was_always(0, status.clone());
        world.snapshots[0].created_at = dated.then(|| time("2026-11-01T03:00:00Z"));
        if protect {
            world.policy.protected_ids.insert(SnapshotId::from(1));
        }
        assert!(matches!(world.recorded(), Step::Wait { .. }));
        world.pass(world.rules.stuck_after);
        let step = world.recorded();
        assert_eq!(
            matches!(step, Step::Delete { .. }),
            goes,
            "{status:?} {protect} {dated}: {step:?}"
        );
    }
}

#[test]
fn a_failed_snapshot_of_another_slot_is_deleted_for_room_unless_it_is_protected_or_undated() {
    for (protect, dated, goes) in [
        (false, true, true),
        (true, true, false),
        (false, false, false),
    ] {
        let mut world = full_of_own();
        world.policy.rotations[0].when_full = WhenFull::Skip;
        // No newer snapshot replaces it.
        world.was_always(2, Status::Failed);
        world.snapshots[2].created_at = dated.then(|| time("2026-11-15T03:00:00Z"));
        if protect {
            world.policy.protected_ids.insert(SnapshotId::from(3));
        }
        let step = world.recorded();
        let gone = matches!(&step, Step::Delete { id, .. } if *id == SnapshotId::from(3)
        );
        assert_eq!(gone, goes, "{protect} {dated}: {step:?}");
        assert_eq!(matches!(step, Step::Blocked { .. }), !goes, "{step:?}");
    }
}

#[test]
fn i7_a_prune_first_may_be_repeated_only_while_its_victim_is_still_listed() {
    for (shown, goes) in [(true, true), (false, false)] {
        let mut world = full_of_own();
        let known = world.snapshots.iter().map(|s| s.id.clone()).collect();
        let victim = SnapshotId::from(if shown { 1 } else { 99 });
        world.history.prune_first = Some(Box::new(
            crate::core::payment_and_promise::PruneFirstPromise {
                victim,
                known,
                kept_by: None,
            },
        ));
        let step = world.recorded();
        assert_eq!(matches!(step, Step::Delete { .. }), goes, "{step:?}");
    }
}

#[test]
fn i7_a_stale_listing_that_still_shows_a_pruned_snapshot_costs_no_other_snapshot() {
    let mut world = full_of_own();
    let stale = world.snapshots.clone();
    let Step::Delete { id, name, .. } = world.recorded() else {
        panic!("a full server prunes first");
    };
    let known = stale.iter().map(|s| s.id.clone()).collect();
    world.intend_delete(id.clone(), &name, Some(known));
    let outcome = Outcome::Unknown;
    world.record(&ServerEvent::DeleteResult {
        id: id.clone(),
        outcome,
    });
    world.snapshots.retain(|s| s.id != id);
    let Step::Create { name, .. } = world.recorded() else {
        panic!("there is room");
    };
    world.intend_create(&name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name,
        outcome: Outcome::Failed,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.snapshots = stale;
    world.settle_down();
    world.pass(9 * MINUTE);
    let step = world.recorded();
    // Stale or not, only the delete of the same snapshot is repeated.
    let again = matches!(&step, Step::Delete { id: again, .. } if *again == id);
    assert!(again, "{step:?}");
}

#[test]
fn deletes_that_were_refused_too_often_wait_for_a_slot_later_than_the_last_refusal() {
    let refuse = |world: &mut TestProvider| {
        let Step::Delete { id, name, .. } = world.recorded() else {
            return false;
        };
        world.intend_delete(id.clone(), &name, None);
        let outcome = Outcome::Failed;
        world.record(&ServerEvent::DeleteResult { id, outcome });
        true
    };
    let mut world = full_of_own();
    for minutes in [5, 10, 20] {
        assert!(refuse(&mut world));
        let paused = world.recorded();
        if minutes < 20 {
            let Step::Wait { pause, .. } = paused else {
                panic!("{paused:?}");
            };
            assert!(pause > (minutes - 1) * MINUTE, "{pause:?}");
        }
        world.pass(minutes * 2 * MINUTE);
    }
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    // The next slot permits another try; a slot at the instant of the refusal does not.
    let slot = time("2026-11-29T03:00:00Z");
    world.pass(slot.duration_since(world.now.wall));
    for (seconds, tried) in [(0, false), (-1, true)] {
        let last = world.history.last_refusal.as_mut().expect("a refusal");
        last.wall = slot + SignedDuration::from_secs(seconds);
        let step = world.recorded();
        assert_eq!(matches!(step, Step::Delete { .. }), tried, "{step:?}");
    }
}

#[test]
fn each_delete_states_its_reason() {
    let made = |mut world: TestProvider| {
        world.made_in_vain(1);
        world
    };
    let failed = |id, name| (id, name, Status::Failed, "2026-11-14T03:00:00Z");
    let day = "2026-11-01T03:00:00Z";
    let foreign = |id, name| (id, name, DONE, day);
    let full = [
        failed(1, "weekly-2026-11-08"),
        foreign(2, "a"),
        foreign(3, "b"),
        foreign(4, "c"),
        foreign(5, "d"),
    ];
    let mut stuck = full_of_own();
    stuck.policy.delete_stuck = true;
    stuck.was_always(0, Status::InProgress);
    stuck.recorded();
    stuck.made_in_vain(1);
    stuck.pass(stuck.rules.stuck_after);
    let settled = || (9, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z");
    for (mut world, reason) in [
        (
            full_of_own(),
            "the server is full, and a slot of weekly is due",
        ),
        (stuck, "it is stuck, and a slot of weekly needs its place"),
        (
            TestProvider::weekly(2).holding(&[old_weeklies().as_slice(), &[settled()]].concat()),
            "beyond keep = 2 of weekly",
        ),
        (
            TestProvider::weekly(2).holding(&[settled(), (10, "weekly-2026-11-22", DONE, day)]),
            "the same slot of weekly has a newer copy",
        ),
        (
            made(TestProvider::weekly(2).holding(&[settled(), failed(1, "weekly-2026-11-08")])),
            "it failed, and a newer snapshot of weekly is completed",
        ),
        (
            made(TestProvider::weekly(2).holding(&[failed(1, "weekly-2026-11-22")])),
            "it failed, and its slot of weekly is still due",
        ),
        (
            made(TestProvider::weekly(2).holding(&full)),
            "it failed, and a slot of weekly needs its place",
        ),
    ] {
        let step = world.recorded();
        assert!(
            matches!(&step, Step::Delete { reason: said, rotation, .. } if said == reason && rotation == "weekly"),
            "{step:?}"
        );
    }
}
