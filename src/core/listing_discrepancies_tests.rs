//! Findings that contradict the trail (I1, I2, I19).

use super::*;
use crate::core::name_pattern::Pattern;
use crate::core::server_event::AlertKind;
use crate::core::test_provider::*;

/// Asserts that nothing is deleted for this many weeks.
fn only_creates(world: &mut TestProvider, weeks: usize) {
    for _ in 0..weeks {
        world.pass(WEEK);
        world.settle(&Status::Completed);
    }
    assert!(
        world.log.iter().all(|line| line.starts_with("create")),
        "{:?}",
        world.log
    );
}

#[test]
fn i19_a_regressed_snapshot_is_kept_for_a_week_and_then_deleted_for_a_newer_one() {
    let mut world = TestProvider::grown(3, 3);
    world.snapshots[0].status = Status::Failed;
    world.settle(&Status::Completed);
    let kinds: Vec<_> = world.history.alerts.keys().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [AlertKind::Regressed]);
    assert_eq!(world.log, [""; 0]);
    world.pass(WEEK);
    world.settle(&Status::Completed);
    world.pass(WEEK);
    world.settle(&Status::Completed);
    let gone = world
        .log
        .iter()
        .filter(|line| line.starts_with("delete"))
        .count();
    assert!(gone >= 1, "{:?}", world.log);
    assert!(
        world
            .snapshots
            .iter()
            .all(|s| s.status == Status::Completed)
    );
}

#[test]
fn i19_nothing_is_deleted_if_more_than_one_snapshot_regressed() {
    let mut world = TestProvider::grown(3, 3);
    for row in &mut world.snapshots[..2] {
        row.status = Status::Failed;
    }
    world.policy.rotations[0].keep = 1;
    only_creates(&mut world, 2);
}

#[test]
fn i19_a_completed_snapshot_listed_under_another_own_name_blocks_until_a_resume() {
    let mut world = TestProvider::grown(3, 3);
    let before = world.snapshots[2].name.clone();
    world.snapshots[2].name = "weekly-2026-01-04".to_owned();
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("before: check it")),
        "{step:?}"
    );
    world.resume();
    assert!(!matches!(world.recorded(), Step::Blocked { .. }));
    world.snapshots[2].name = before;
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
}

#[test]
fn i1_a_foreign_snapshot_that_is_later_listed_under_an_own_name_is_not_treated_as_own() {
    let mut world = TestProvider::grown(2, 2);
    let foreign = world.make("before-upgrade", Status::Completed);
    world.settle(&Status::Completed);
    assert_eq!(world.history.foreign, [(foreign, "before-upgrade".into())]);
    let row = world.snapshots.last_mut().expect("a row");
    row.name = "weekly-2026-11-01".to_owned();
    row.created_at = Some(time("2026-11-01T03:00:00Z"));
    world.pass(WEEK);
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("before: check it")),
        "{step:?}"
    );
    // An edit of the policy is a person's decision.
    let mut world = TestProvider::grown(2, 2);
    world.make("old-2026-11-01", Status::Completed);
    world.settle(&Status::Completed);
    world.policy.rotations[0].former = vec![former("old-%Y-%m-%d", false)];
    let step = world.recorded();
    assert!(!matches!(step, Step::Blocked { .. }), "{step:?}");
}

#[test]
fn i1_a_foreign_snapshot_stays_foreign_when_it_is_listed_by_its_other_id_alone() {
    let uuid: SnapshotId = "dddddddd-0000-4000-8000-000000000001"
        .parse()
        .expect("an id");
    // Listed with both ids at first; later by the other id alone, or with a new id beside it.
    for (id, other) in [(uuid.clone(), None), (900.into(), Some(uuid.clone()))] {
        let mut world = TestProvider::grown(2, 2);
        let foreign = world.make("golden", Status::Completed);
        let row = world.snapshots.last_mut().expect("a row");
        row.uuid = Some(uuid.clone());
        world.settle(&Status::Completed);
        let known: Vec<_> = world
            .history
            .foreign
            .iter()
            .map(|(id, _)| id.clone())
            .collect();
        assert_eq!(known, [foreign, uuid.clone()]);
        let row = world.snapshots.last_mut().expect("a row");
        (row.id, row.uuid) = (id, other);
        row.name = "weekly-2026-11-01".to_owned();
        row.created_at = Some(time("2026-11-01T03:00:00Z"));
        world.pass(WEEK);
        let step = world.recorded();
        assert!(
            matches!(&step, Step::Blocked { reason } if reason.contains("as golden before")),
            "{step:?}"
        );
    }
}

#[test]
fn i19_a_new_snapshot_with_a_creation_date_far_in_the_future_blocks_the_server() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    let id = world.make("weekly-2026-11-22", Status::InProgress);
    world.record(&ServerEvent::CreateResult {
        snapshot: "weekly-2026-11-22".into(),
        outcome: crate::core::server_event::Outcome::Done,
        id: Some(id),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.snapshots[0].created_at = Some(time("2026-11-23T03:59:00Z"));
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.snapshots[0].created_at = Some(time("2027-01-01T00:00:00Z"));
    world.snapshots[0].status = Status::Completed;
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("2027-01-01")),
        "{step:?}"
    );
}

#[test]
fn i19_a_completed_snapshot_later_listed_as_in_progress_is_not_deleted_as_stuck() {
    let mut world = TestProvider::grown(4, 4);
    world.make("other", Status::Completed);
    world.policy.delete_stuck = true;
    world.settle(&Status::Completed);
    let oldest = world.snapshots[0].id.clone();
    world.snapshots[3].status = Status::InProgress;
    let shown = world.snapshots[3].id.clone();
    world.pass(2 * world.rules.stuck_after);
    world.settle(&Status::Completed);
    world.pass(WEEK);
    world.settle(&Status::Completed);
    let there = |id| world.snapshots.iter().any(|s| s.id == id);
    assert!(there(shown) && !there(oldest), "{:?}", world.log);
}

#[test]
fn i19_a_resume_that_accepts_a_renamed_snapshot_does_not_agree_to_its_deletion() {
    let mut world = TestProvider::grown(2, 2);
    let own = world.make("weekly-2026-10-25", Status::Completed);
    world.settle(&Status::Completed);
    let row = world.snapshots.iter_mut().find(|s| s.id == own);
    let row = row.expect("a row");
    row.name = "weekly-2026-11-01".to_owned();
    row.created_at = Some(time("2026-11-01T03:00:00Z"));
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("as weekly-2026-11-01")),
        "{step:?}"
    );
    world.log.clear();
    world.resume();
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    let said = world.shrink().expect("an alert").to_owned();
    assert!(said.contains("weekly-2026-11-01"), "{said}");
    world.resume();
    world.settle(&Status::Completed);
    assert_eq!(world.log, ["delete weekly-2026-11-01"]);
}

#[test]
fn i1_a_snapshot_protected_by_its_id_stays_protected_when_the_provider_renumbers_it() {
    let mut world = TestProvider::grown(3, 3);
    let row = &mut world.snapshots[0];
    let (before, name) = (row.id.clone(), row.name.clone());
    world.policy.protected_ids.insert(before.clone());
    row.id = SnapshotId::from(20_000);
    world.record(&ServerEvent::SnapshotGone {
        snapshot: name.clone().into(),
        id: before,
        reason: String::new(),
    });
    for _ in 0..4 {
        world.pass(WEEK);
        world.settle(&Status::Completed);
    }
    assert!(
        world.snapshots.iter().any(|s| s.name == name),
        "{:?}",
        world.log
    );
}

#[test]
fn i1_a_snapshot_listed_beside_a_protected_one_of_the_same_name_does_not_inherit_its_protection() {
    let mut world = TestProvider::grown(3, 3);
    let (before, name) = (
        world.snapshots[0].id.clone(),
        world.snapshots[0].name.clone(),
    );
    world.policy.protected_ids.insert(before.clone());
    let dated = world.snapshots[0].created_at;
    let beside = world.make(&name, Status::Completed);
    let row = world.snapshots.iter_mut().find(|s| s.id == beside);
    row.expect("a row").created_at = dated;
    world.recorded();
    world.snapshots.retain(|s| s.id != before);
    world.record(&ServerEvent::SnapshotGone {
        snapshot: name.clone().into(),
        id: before,
        reason: String::new(),
    });
    for _ in 0..4 {
        world.pass(WEEK);
        world.settle(&Status::Completed);
    }
    let there = world.snapshots.iter().any(|s| s.name == name);
    assert!(!there, "{:?}", world.log);
}

#[test]
fn i2_nothing_is_pruned_for_room_because_of_a_snapshot_that_only_one_listing_has_shown() {
    let mut rows = vec![(
        1,
        "weekly-2026-11-15",
        Status::Completed,
        "2026-11-15T03:00:00Z",
    )];
    let foreign = ["a", "b", "c"];
    let dated =
        |(id, name): (u64, &'static str)| (id, name, Status::Completed, "2025-01-01T00:00:00Z");
    rows.extend((2..).zip(foreign).map(dated));
    let mut world = TestProvider::weekly(4).holding(&rows);
    world.recorded();
    world.pass(world.rules.settle_window);
    // A wrong listing shows another own snapshot, which fills the server.
    world.make("weekly-2026-11-16", Status::Completed);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    // A server that holds more than its limit is not pruned to make room either.
    world.pass(world.rules.settle_window);
    world.make("d", Status::Completed);
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("would not make room")),
        "{step:?}"
    );
    world.snapshots.pop();
    assert!(matches!(world.recorded(), Step::Delete { .. }));
}

#[test]
fn i19_a_completed_snapshot_that_disappears_and_returns_as_failed_has_regressed() {
    for renumbered in [false, true] {
        let mut world = TestProvider::grown(4, 3);
        let rows = std::mem::take(&mut world.snapshots);
        for row in &rows {
            world.record(&ServerEvent::SnapshotGone {
                snapshot: row.name.clone().into(),
                id: row.id.clone(),
                reason: String::new(),
            });
        }
        world.recorded();
        world.snapshots.extend(rows.into_iter().map(|row| Snapshot {
            id: if renumbered {
                SnapshotId::from(row.id.number().unwrap_or_default() + 5000)
            } else {
                row.id.clone()
            },
            status: Status::Failed,
            ..row
        }));
        for _ in 0..2 {
            world.pass(WEEK);
            world.settle(&Status::Completed);
        }
        let regressed = world.history.alerts.keys();
        let regressed = regressed.filter(|(kind, _)| *kind == AlertKind::Regressed);
        assert_eq!(regressed.count(), 3, "{renumbered}");
        assert_eq!(
            world.log,
            ["create weekly-2026-12-13", "create weekly-2026-12-20"],
            "{renumbered}"
        );
    }
}

#[test]
fn i19_an_own_snapshot_listed_under_a_foreign_name_blocks_the_server() {
    let mut world = TestProvider::grown(3, 3);
    world.snapshots[1].name = "Weekly-2026-11-29".to_owned();
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason }
            if reason.contains("as Weekly-2026-11-29, and listed it as weekly-2026-11-29 before")),
        "{step:?}"
    );
}

#[test]
fn i19_a_regressed_snapshot_is_not_among_the_deletions_that_an_edit_announces() {
    let mut world = TestProvider::grown(3, 3);
    world.snapshots[0].status = Status::Failed;
    world.policy.rotations[0].former = vec![former("weekly-%Y-%m-%d", false)];
    world.policy.rotations[0].pattern = Pattern::new("new-%Y-%m-%d", "weekly").expect("a pattern");
    let Step::Record(ServerEvent::RotationChanged { shrinks, .. }) = world.step() else {
        panic!("{:?}", world.step());
    };
    assert!(shrinks.is_empty(), "{shrinks:?}");
}

#[test]
fn i19_a_completed_snapshot_whose_status_stays_unknown_for_long_counts_as_regressed() {
    let mut world = TestProvider::grown(4, 4);
    for index in [0, 1] {
        world.snapshots[index].status = Status::Unknown("archiving".to_owned());
    }
    world.recorded();
    world.pass(world.rules.stuck_after);
    only_creates(&mut world, 3);
}

#[test]
fn i1_a_snapshot_that_an_edit_of_the_pattern_makes_own_is_not_taken_for_renamed() {
    let mut world = TestProvider::grown(2, 2);
    let foreign = world.make("backup-2026-11-01", Status::Completed);
    world.settle(&Status::Completed);
    let rotation = &mut world.policy.rotations[0];
    rotation.pattern = Pattern::new("backup-%Y-%m-%d", "weekly").expect("a pattern");
    world.settle(&Status::Completed);
    assert_eq!(world.history.mismatch, None);
    assert!(world.history.name_of(&foreign).is_some());
}
