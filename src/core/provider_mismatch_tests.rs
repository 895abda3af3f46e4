//! I19: findings that contradict the trail.

use super::*;
use crate::core::event::AlertKind;
use crate::core::name_pattern::Pattern;
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
fn i19_one_that_regressed_is_kept_for_a_week_and_then_goes_for_a_newer_one() {
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
fn i19_where_more_than_one_regressed_nothing_goes_at_all() {
    let mut world = TestProvider::grown(3, 3);
    for row in &mut world.snapshots[..2] {
        row.status = Status::Failed;
    }
    world.policy.rotations[0].keep = 1;
    only_creates(&mut world, 2);
}

#[test]
fn i19_a_completed_one_that_is_listed_under_another_own_name_blocks_until_a_person_looked() {
    let mut world = TestProvider::grown(3, 3);
    let before = world.snapshots[2].name.clone();
    world.snapshots[2].name = "weekly-2026-01-04".to_owned();
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("before: check it")),
        "{step:?}"
    );
    world.record(&ServerEvent::Resumed { by: None });
    assert!(!matches!(world.recorded(), Step::Blocked { .. }));
    world.snapshots[2].name = before;
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
}

#[test]
fn i1_one_that_was_foreign_is_not_taken_for_an_own_one_by_the_name_that_it_is_listed_under() {
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
fn i1_one_that_was_foreign_stays_so_when_it_is_listed_by_its_other_id_alone() {
    let uuid: SnapshotId = "dddddddd-0000-4000-8000-000000000001"
        .parse()
        .expect("an id");
    // At first with both ids; later by the other id alone, or with a new one beside it.
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
fn i19_a_new_one_that_is_dated_far_ahead_is_stored_otherwise_than_asked_for() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    let id = world.make("weekly-2026-11-22", Status::InProgress);
    world.record(&ServerEvent::CreateResult {
        snapshot: "weekly-2026-11-22".to_owned(),
        outcome: crate::core::event::Outcome::Done,
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
fn i19_one_that_was_completed_and_is_listed_as_in_progress_is_not_deleted_as_stuck() {
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
fn i19_a_resume_after_a_renaming_agrees_to_nothing_else() {
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
    world.record(&ServerEvent::Resumed { by: None });
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    let said = world.shrink().expect("an alert").to_owned();
    assert!(said.contains("weekly-2026-11-01"), "{said}");
    world.record(&ServerEvent::Resumed { by: None });
    world.settle(&Status::Completed);
    assert_eq!(world.log, ["delete weekly-2026-11-01"]);
}

#[test]
fn i1_one_that_was_protected_by_an_id_stays_so_when_the_provider_numbers_anew() {
    let mut world = TestProvider::grown(3, 3);
    let row = &mut world.snapshots[0];
    let (before, name) = (row.id.clone(), row.name.clone());
    world.policy.protected_ids.insert(before.clone());
    row.id = SnapshotId::from(20_000);
    world.record(&ServerEvent::SnapshotGone {
        snapshot: name.clone(),
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
fn i1_one_of_the_same_name_that_stood_beside_a_protected_one_does_not_inherit_its_protection() {
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
        snapshot: name.clone(),
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
fn i2_what_one_listing_alone_has_shown_lets_nothing_be_given_up_for_room() {
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
    // A wrong listing shows it, and it fills the server.
    world.make("weekly-2026-11-16", Status::Completed);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    // A server that holds more than its limit is not pruned for room either.
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
fn i19_what_was_gone_for_a_while_and_comes_back_as_failed_was_completed_all_the_same() {
    for renumbered in [false, true] {
        let mut world = TestProvider::grown(4, 3);
        let rows = std::mem::take(&mut world.snapshots);
        for row in &rows {
            world.record(&ServerEvent::SnapshotGone {
                snapshot: row.name.clone(),
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
fn i19_an_own_one_that_is_listed_under_a_foreign_name_blocks_the_server() {
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
fn i19_one_that_regressed_is_no_part_of_what_an_edit_announces() {
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
fn i19_what_was_completed_and_bears_another_word_for_long_has_regressed() {
    let mut world = TestProvider::grown(4, 4);
    for index in [0, 1] {
        world.snapshots[index].status = Status::Unknown("archiving".to_owned());
    }
    world.recorded();
    world.pass(world.rules.stuck_after);
    only_creates(&mut world, 3);
}

#[test]
fn i1_what_an_edit_of_the_pattern_makes_own_was_renamed_by_nobody() {
    let mut world = TestProvider::grown(2, 2);
    let foreign = world.make("backup-2026-11-01", Status::Completed);
    world.settle(&Status::Completed);
    let rotation = &mut world.policy.rotations[0];
    rotation.pattern = Pattern::new("backup-%Y-%m-%d", "weekly").expect("a pattern");
    world.settle(&Status::Completed);
    assert_eq!(world.history.mismatch, None);
    assert!(world.history.name_of(&foreign).is_some());
}
