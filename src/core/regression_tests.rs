//! Sequences of events that once led to a wrong decision.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::decide::Step;
use super::name_pattern::Pattern;
use super::server_event::{AlertKind, Outcome, ServerEvent};
use super::snapshot::{SnapshotId, Status};
use super::test_provider::*;

/// Does the same as [`TestProvider::recorded`], but time passes during waits.
fn awaited(world: &mut TestProvider) -> Step {
    for _ in 0..500 {
        match world.recorded() {
            Step::Wait { pause, .. } => world.pass(pause),
            step => return step,
        }
    }
    panic!("the server waits without end");
}

/// Sends a create that ends with this outcome, with no id in its answer.
fn answered(world: &mut TestProvider, name: &str, outcome: Outcome) {
    world.intend_create(name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
}

fn deleted(world: &mut TestProvider, step: &Step, outcome: Outcome) -> SnapshotId {
    let Step::Delete {
        id,
        name,
        prune_first,
        ..
    } = step
    else {
        panic!("no delete: {step:?}");
    };
    let ids: BTreeSet<_> = world.snapshots.iter().map(|s| s.id.clone()).collect();
    world.intend_delete(id.clone(), &name.clone(), prune_first.then_some(ids));
    world.record(&ServerEvent::DeleteResult {
        id: id.clone(),
        outcome,
    });
    id.clone()
}

#[test]
fn i15_moving_a_schedule_within_the_day_neither_repeats_nor_skips_a_settled_slot() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.policy.rotations = vec![rotation("daily", "0 4 * * *", 3)];
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(25));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create daily-2026-11-22", "create daily-2026-11-23"]
    );
    assert!(world.history.alerts.is_empty());
}

#[test]
fn i15_a_delete_that_never_takes_effect_is_sent_a_few_times_and_then_blocks_the_server() {
    for outcome in [Outcome::Unknown, Outcome::Done, Outcome::Failed] {
        let mut world = full_of_own();
        let mut sent = 0;
        let end = loop {
            let step = awaited(&mut world);
            if !matches!(step, Step::Delete { .. }) {
                break step;
            }
            sent += 1;
            assert!(sent < 10, "{outcome:?}: the delete is sent without end");
            deleted(&mut world, &step, outcome);
        };
        assert!(matches!(end, Step::Blocked { .. }), "{outcome:?}: {end:?}");
        let blocked = world.history.alerts.keys();
        let blocked: Vec<_> = blocked.map(|(kind, _)| *kind).collect();
        assert_eq!(blocked, [AlertKind::Blocked], "{outcome:?}");
    }
}

#[test]
fn a_rotation_that_waits_holds_up_no_other_rotation() {
    let mut world = TestProvider::new(vec![
        rotation("a", "0 3 * * *", 2),
        rotation("b", "10 5 * * *", 2),
    ]);
    world.settle(&DONE);
    world.now.wall = time("2026-11-23T03:00:01Z");
    world.now.mono += SignedDuration::from_hours(23);
    let due = time("2026-11-23T05:10:00Z");
    loop {
        match world.recorded() {
            Step::Create { name, .. } if name.starts_with("b-") => break,
            Step::Create { name, .. } => {
                answered(&mut world, &name, Outcome::Later);
            }
            Step::Wait { pause, .. } => world.pass(pause),
            other => panic!("{other:?}"),
        }
    }
    let late = world.now.wall.duration_since(due);
    assert!(late < MINUTE, "b began {late:?} late");
}

#[test]
fn a_slot_whose_snapshot_a_person_made_is_settled_and_never_reported_as_skipped() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(20));
    world.make("daily-2026-11-23", DONE);
    world.pass(SignedDuration::from_hours(29));
    world.recorded();
    assert!(
        world.history.alerts.is_empty(),
        "{:?}",
        world.history.alerts
    );
}

#[test]
fn i8_an_open_delete_is_not_repeated_while_a_late_create_is_under_way() {
    let mut rows = old_weeklies().to_vec();
    rows.push((4, "by-hand", DONE, "2025-01-01T00:00:00Z"));
    let mut world = TestProvider::weekly(3).holding(&rows);
    world.recorded();
    let name = "weekly-2026-11-22";
    answered(&mut world, name, Outcome::Unknown);
    let again = awaited(&mut world);
    assert!(matches!(again, Step::Create { .. }), "{again:?}");
    world.make("by-hand-2", DONE);
    let prune = awaited(&mut world);
    deleted(&mut world, &prune, Outcome::Unknown);
    world.snapshots.retain(|s| s.name != "by-hand-2");
    world.make(name, Status::InProgress);
    // Wait until the snapshot in progress is stuck.
    let begun = world.now.mono;
    while world.now.mono - begun < world.rules.stuck_after {
        match world.recorded() {
            Step::Wait { pause, .. } => world.pass(pause),
            step => panic!("{step:?} while {name} is in progress"),
        }
    }
}

#[test]
fn a_delete_that_is_refused_for_one_rotation_holds_up_no_other() {
    let mut world = TestProvider::new(vec![
        rotation("a", "0 3 * * *", 2),
        rotation("b", "30 3 * * *", 2),
    ]);
    world.policy.rotations[1].pattern = Pattern::new("{name}-%Y-%m-%d", "b").expect("a pattern");
    let failed = world.make("a-2026-11-22", Status::Failed);
    world.made_in_vain(failed.number().unwrap());
    let refused = awaited(&mut world);
    deleted(&mut world, &refused, Outcome::Failed);
    let next = world.recorded();
    assert!(
        matches!(&next, Step::Create { name, .. } if name == "b-2026-11-22"),
        "{next:?}"
    );
}

#[test]
fn i9_an_open_create_is_still_open_when_a_removed_policy_returns() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    let name = "weekly-2026-11-22";
    answered(&mut world, name, Outcome::Unknown);
    world.record(&ServerEvent::ServerRemoved);
    let step = world.recorded();
    assert!(matches!(step, Step::Wait { .. }), "{step:?}");
}

#[test]
fn i15_a_slot_missed_because_the_clock_was_ahead_when_its_rotation_was_added_raises_an_alert() {
    let hours = SignedDuration::from_hours;
    let mut weekly = rotation("weekly", "0 3 * * Sun", 2);
    weekly.catch_up = Some(hours(2));
    let mut world = TestProvider::new(vec![weekly, rotation("daily", "0 3 * * *", 2)]);
    // It is the day before the weekly slot, but the clock shows the day after it.
    world.now.wall = time("2026-11-23T12:00:00Z");
    world.settle(&DONE);
    assert_eq!(world.log, ["create daily-2026-11-23"]);
    world.now.wall = time("2026-11-21T20:00:00Z");
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    world.pass(hours(40));
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    let told = (AlertKind::SlotFailed, "weekly".to_owned());
    assert!(world.history.alerts.contains_key(&told));
}

/// Lists the foreign snapshot under an own name whose date is older than the others'.
fn renamed_by_the_provider(world: &mut TestProvider, foreign: &SnapshotId) {
    let row = world.snapshots.iter_mut().find(|s| s.id == *foreign);
    let row = row.expect("a row");
    row.name = "weekly-2026-11-01".to_owned();
    row.created_at = Some(time("2026-11-01T03:00:00Z"));
}

fn is_blocked_by_the_name(world: &mut TestProvider) -> bool {
    matches!(world.recorded(), Step::Blocked { reason } if reason.contains("as golden before"))
}

#[test]
fn i1_a_foreign_snapshot_that_is_listed_under_an_own_name_stays_foreign_after_any_edit() {
    let edits: [fn(&mut TestProvider); 4] = [
        |world| world.policy.rotations[0].former = vec![former("zz-%Y-%m-%d", false)],
        |world| world.policy.rotations[0].keep = 1,
        |world| world.policy.rotations[0].schedule = rotation("weekly", "0 4 * * Sun", 2).schedule,
        |world| {
            world.record(&ServerEvent::ServerRemoved);
            world.policy.rotations[0].schedule = rotation("weekly", "0 5 * * Sun", 2).schedule;
        },
    ];
    for edit in edits {
        let mut world = TestProvider::grown(2, 2);
        let foreign = world.make("golden", Status::Completed);
        world.settle(&Status::Completed);
        renamed_by_the_provider(&mut world, &foreign);
        edit(&mut world);
        assert!(is_blocked_by_the_name(&mut world));
    }
}

#[test]
fn i1_a_resume_does_not_turn_a_foreign_snapshot_into_an_own_one() {
    let mut world = TestProvider::grown(2, 2);
    let foreign = world.make("golden", Status::Completed);
    world.settle(&Status::Completed);
    renamed_by_the_provider(&mut world, &foreign);
    assert!(is_blocked_by_the_name(&mut world));
    for _ in 0..2 {
        world.resume();
        world.pass(WEEK);
        world.settle(&Status::Completed);
    }
    assert!(world.snapshots.iter().any(|s| s.id == foreign));
    assert!(world.log.iter().any(|line| line.starts_with("create")));
}

#[test]
fn i1_a_foreign_snapshot_that_was_gone_for_a_while_stays_foreign_under_an_own_name() {
    let mut world = TestProvider::grown(2, 2);
    let foreign = world.make("golden", Status::Completed);
    world.settle(&Status::Completed);
    let at = world.snapshots.iter().position(|s| s.id == foreign);
    let row = world.snapshots.remove(at.expect("a row"));
    world.record(&ServerEvent::SnapshotGone {
        snapshot: row.name.clone().into(),
        id: foreign.clone(),
        reason: String::new(),
    });
    world.settle(&Status::Completed);
    world.snapshots.push(row);
    renamed_by_the_provider(&mut world, &foreign);
    assert!(is_blocked_by_the_name(&mut world));
}

#[test]
fn i1_a_snapshot_that_an_edit_made_foreign_stays_foreign_under_a_later_own_name() {
    let mut world = TestProvider::grown(2, 2);
    world.policy.rotations[0].former = vec![former("old-%Y-%m-%d", false)];
    let own = world.make("old-2026-11-01", Status::Completed);
    world.settle(&Status::Completed);
    world.policy.rotations[0].former.clear();
    world.settle(&Status::Completed);
    renamed_by_the_provider(&mut world, &own);
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Blocked { reason } if reason.contains("as old-2026-11-01 before")),
        "{step:?}"
    );
    for _ in 0..2 {
        world.resume();
        world.pass(WEEK);
        world.settle(&Status::Completed);
    }
    assert!(world.snapshots.iter().any(|s| s.id == own));
}

#[test]
fn i15_a_foreign_snapshot_with_the_name_of_a_slot_does_not_settle_it() {
    let mut world = TestProvider::grown(2, 2);
    let foreign = world.make("golden", Status::Completed);
    world.settle(&Status::Completed);
    let row = world.snapshots.iter_mut().find(|s| s.id == foreign);
    row.expect("a row").name = "weekly-2026-12-06".to_owned();
    assert!(is_blocked_by_the_name(&mut world));
    world.resume();
    world.log.clear();
    world.pass(WEEK);
    world.settle(&Status::Completed);
    assert!(
        world
            .log
            .iter()
            .any(|line| line == "create weekly-2026-12-06"),
        "{:?}",
        world.log
    );
}
