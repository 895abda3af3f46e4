//! I19: what is no longer believed.

use super::*;
use crate::core::fact::AlertKind;
use crate::core::world::*;

#[test]
fn i19_one_that_regressed_is_kept_for_a_week_and_then_goes_for_a_newer_one() {
    let mut world = World::grown(3, 3);
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
    let mut world = World::grown(3, 3);
    for row in &mut world.snapshots[..2] {
        row.status = Status::Failed;
    }
    world.policy.rotations[0].keep = 1;
    world.pass(WEEK);
    world.settle(&Status::Completed);
    world.pass(WEEK);
    world.settle(&Status::Completed);
    assert!(
        world.log.iter().all(|line| line.starts_with("create")),
        "{:?}",
        world.log
    );
}

#[test]
fn i19_a_completed_one_that_is_listed_under_another_own_name_blocks_until_a_person_looked() {
    let mut world = World::grown(3, 3);
    let before = world.snapshots[2].name.clone();
    world.snapshots[2].name = "weekly-2026-01-04".to_owned();
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("had another name")),
        "{step:?}"
    );
    world.record(&Fact::Resumed { by: None });
    assert!(!matches!(world.recorded(), Step::Blocked { .. }));
    world.snapshots[2].name = before;
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
}

#[test]
fn i1_one_that_was_foreign_is_not_taken_for_an_own_one_by_the_name_that_it_is_listed_under() {
    let mut world = World::grown(2, 2);
    let foreign = world.make("before-upgrade", Status::Completed);
    world.settle(&Status::Completed);
    assert_eq!(world.history.foreign, [foreign]);
    let row = world.snapshots.last_mut().expect("a row");
    row.name = "weekly-2026-11-01".to_owned();
    row.created_at = Some(time("2026-11-01T03:00:00Z"));
    world.pass(WEEK);
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("had another name")),
        "{step:?}"
    );
    // An edit of what is own is a person's word.
    world.policy.rotations[0].former = vec![former("old-%Y-%m-%d", false)];
    let step = world.recorded();
    assert!(!matches!(step, Step::Blocked { .. }), "{step:?}");
}

#[test]
fn i19_a_new_one_that_is_dated_far_ahead_is_stored_otherwise_than_asked_for() {
    let mut world = World::weekly(3);
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    let id = world.make("weekly-2026-11-22", Status::InProgress);
    world.record(&Fact::CreateResult {
        snapshot: "weekly-2026-11-22".to_owned(),
        outcome: crate::core::fact::Outcome::Done,
        id: Some(id),
        server_name: None,
        looked_for: false,
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
    let mut world = World::grown(4, 4);
    world.make("other", Status::Completed);
    world.policy.delete_stuck = true;
    world.settle(&Status::Completed);
    let oldest = world.snapshots[0].id;
    world.snapshots[3].status = Status::InProgress;
    let shown = world.snapshots[3].id;
    world.pass(2 * world.rules.stuck_after);
    world.settle(&Status::Completed);
    world.pass(WEEK);
    world.settle(&Status::Completed);
    let there = |id| world.snapshots.iter().any(|s| s.id == id);
    assert!(there(shown) && !there(oldest), "{:?}", world.log);
}
