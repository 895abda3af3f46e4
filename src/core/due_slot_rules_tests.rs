//! The boundaries of slots, room and surplus.

use jiff::SignedDuration;

use super::*;
use crate::core::server_event::{AlertKind, Outcome};
use crate::core::snapshot::SnapshotId;
use crate::core::test_provider::*;

#[test]
fn a_new_server_runs_its_newest_slot_at_once_and_is_then_idle() {
    let mut world = TestProvider::weekly(3);
    let end = world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
    assert_eq!(
        end,
        Step::Idle {
            until: Some(time("2026-11-29T03:00:00Z"))
        }
    );
}

#[test]
fn i19_if_dates_and_slots_disagree_on_the_oldest_snapshot_none_is_deleted_and_an_alert_says_so() {
    let mut rows = old_weeklies();
    rows[0].3 = "2026-11-20T00:00:00Z";
    let mut world = TestProvider::weekly(3).holding(&rows);
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
    let key = (AlertKind::OddDate, "weekly".to_owned());
    let said = world.history.alerts[&key].text.reason();
    assert!(
        said.contains("weekly-2026-11-08 is the oldest by its date, weekly-2026-11-01 by its name"),
        "{said}"
    );
    // If the dates are equal, the snapshot of the older slot is deleted.
    rows[0].3 = rows[1].3;
    let mut world = TestProvider::weekly(3).holding(&rows);
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "delete weekly-2026-11-01"]
    );
}

#[test]
fn the_alert_names_the_snapshot_that_was_made_before_the_time_in_its_name() {
    let mut rows = old_weeklies();
    rows[2].3 = "2026-10-25T03:00:00Z";
    let early = rows[2].1;
    let mut world = TestProvider::weekly(3).holding(&rows);
    world.settle(&DONE);
    let key = (AlertKind::OddDate, "weekly".to_owned());
    let said = world.history.alerts[&key].text.reason();
    let advice = format!("{early} was made before the time in its name: delete or protect it");
    assert!(said.ends_with(&advice), "{said}");
}

#[test]
fn i11_a_snapshot_with_a_future_or_unreadable_date_is_neither_deleted_nor_counted() {
    for date in ["2026-12-24T00:00:00Z", "yesterday"] {
        let mut rows = old_weeklies();
        rows[0].3 = date;
        let mut world = TestProvider::weekly(2).holding(&rows);
        world.settle(&DONE);
        assert_eq!(
            world.log,
            ["create weekly-2026-11-22", "delete weekly-2026-11-08"],
            "{date}"
        );
    }
}

#[test]
fn the_older_of_two_copies_of_a_slot_is_deleted() {
    let mut world = TestProvider::weekly(3).holding(&[
        (1, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z"),
        (2, "weekly-2026-11-22", DONE, "2026-11-22T03:05:00Z"),
    ]);
    world.settle(&DONE);
    assert_eq!(world.log, ["delete weekly-2026-11-22"]);
    assert_eq!(world.snapshots[0].id, SnapshotId::from(2));
}

#[test]
fn a_slot_is_given_up_after_its_attempts_and_the_next_slot_runs() {
    let mut world = TestProvider::weekly(3);
    world.settle(&Status::Failed);
    let creates =
        |world: &TestProvider| world.log.iter().filter(|e| e.starts_with("create")).count();
    assert_eq!(creates(&world), 3);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    assert_eq!(
        world
            .log
            .iter()
            .rfind(|e| e.starts_with("create"))
            .expect("a create"),
        "create weekly-2026-11-29"
    );
    assert!(
        world.snapshots.iter().all(|s| s.status == DONE),
        "failed snapshots are deleted once a newer one is completed"
    );
}

#[test]
fn missed_days_coalesce_into_the_newest_slot() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(24 * 9));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create daily-2026-11-22", "create daily-2026-12-01"]
    );
}

#[test]
fn two_rotations_due_at_the_same_time_run_one_after_the_other() {
    let mut world = TestProvider::new(vec![
        rotation("weekly", "0 3 * * Sun", 2),
        rotation("daily", "0 3 * * *", 2),
    ]);
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "create daily-2026-11-22"]
    );
}

#[test]
fn a_slot_is_not_started_once_its_catch_up_time_has_passed() {
    let mut world = TestProvider::weekly(3);
    for (minutes, creates) in [(59, 0), (60, 1), (61, 1)] {
        world.policy.rotations[0].catch_up = Some(minutes * MINUTE);
        world.settle(&DONE);
        assert_eq!(world.log.len(), creates, "{minutes} minutes");
    }
}

#[test]
fn a_completed_snapshot_settles_its_slot_even_if_the_trail_has_no_record_of_it() {
    let mut world =
        TestProvider::weekly(3).holding(&[(1, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z")]);
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn a_settled_slot_does_not_run_again_when_a_person_deletes_its_snapshot() {
    let mut world = TestProvider::weekly(3);
    world.settle(&DONE);
    world.snapshots.clear();
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn slots_missed_while_the_host_was_down_are_recorded_once_and_never_run() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(24 * 9));
    let mut skipped = Vec::new();
    while let Step::Record(event) = world.step() {
        if let ServerEvent::SlotSkipped {
            snapshot, missed, ..
        } = &event
        {
            skipped.push((snapshot.clone(), *missed));
        }
        world.record(&event);
    }
    assert_eq!(skipped, [("daily-2026-11-30".into(), 7)]);
    assert!(matches!(world.step(), Step::Create { name, .. } if name == "daily-2026-12-01"));
}

#[test]
fn a_slot_that_has_a_snapshot_was_not_missed_even_if_the_trail_has_no_record_of_the_snapshot() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(24 * 9));
    world.make("daily-2026-11-28", DONE);
    let missed = loop {
        match world.step() {
            Step::Record(ServerEvent::SlotSkipped { missed, .. }) => break missed,
            Step::Record(event) => world.record(&event),
            step => panic!("{step:?}"),
        }
    };
    // The 23rd to the 30th, except the 28th, and except the 30th, which the record itself names.
    assert_eq!(missed, 6);
}

#[test]
fn neither_slots_before_the_first_record_nor_consecutive_slots_count_as_missed() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    for _ in 0..3 {
        while let Step::Record(event) = world.step() {
            assert!(
                !matches!(event, ServerEvent::SlotSkipped { .. }),
                "{event:?}"
            );
            world.record(&event);
        }
        world.settle(&DONE);
        world.pass(SignedDuration::from_hours(24));
    }
    assert_eq!(world.log.len(), 3);
}

#[test]
fn a_slot_that_a_clock_jump_made_due_too_early_still_runs_at_its_time() {
    let mut world = TestProvider::weekly(3);
    world.settle(&DONE);
    let right = world.now;
    world.now.wall += SignedDuration::from_hours(24 * 7);
    while let Step::Record(event) = world.step() {
        world.record(&event);
    }
    world.now = right;
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "create weekly-2026-11-29"]
    );
}

/// Lets a full server skip its daily slots for this many days.
fn skip(world: &mut TestProvider, days: i32) {
    for _ in 0..days {
        world.recorded();
        world.pass(SignedDuration::from_hours(24));
    }
    world.recorded();
}

fn full_of_foreign() -> TestProvider {
    let rows = [1, 2, 3, 4, 5].map(|id| (id, "by-hand", DONE, "2026-01-01T00:00:00Z"));
    TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]).holding(&rows)
}

#[test]
fn i9_after_the_clock_is_set_back_no_skipped_slot_runs_however_many_were_skipped() {
    let mut world = full_of_foreign();
    skip(&mut world, 20);
    world.now.wall -= SignedDuration::from_hours(24 * 19);
    world.snapshots.clear();
    for _ in 0..19 {
        assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
        assert!(world.log.is_empty(), "{:?}", world.log);
        world.pass(SignedDuration::from_hours(24));
    }
    // The last slot had not ended when the clock was set back.
    world.settle(&DONE);
    assert_eq!(world.log, ["create daily-2026-12-12"]);
}

#[test]
fn slots_that_a_clock_jump_passed_over_still_run_at_their_time() {
    let mut world = full_of_foreign();
    skip(&mut world, 8);
    let right = world.now.wall;
    world.now.wall += SignedDuration::from_hours(24 * 30);
    skip(&mut world, 12);
    world.now.wall = right + SignedDuration::from_hours(24);
    world.snapshots.clear();
    world.settle(&DONE);
    assert_eq!(world.log, ["create daily-2026-12-01"]);
}

#[test]
fn i15_slots_passed_over_by_a_clock_jump_still_run_however_long_the_last_good_slot_is_kept() {
    let day = SignedDuration::from_hours(24);
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    let foreign = full_of_foreign().snapshots;
    world.snapshots.extend_from_slice(&foreign[1..]);
    skip(&mut world, 3);
    let right = world.now.wall;
    world.now.wall += day * 40;
    skip(&mut world, 6);
    world.snapshots.truncate(1);
    for _ in 0..8 {
        world.settle(&DONE);
        world.pass(day);
    }
    world.log.clear();
    world.snapshots.clear();
    world.history.resume(None, right);
    world.now.wall = right + day * 10;
    world.settle(&DONE);
    assert_eq!(world.log, ["create daily-2026-12-05"]);
}

#[test]
fn a_slot_that_was_tried_ends_as_given_up_and_an_untried_slot_ends_as_skipped() {
    for tried in [true, false] {
        let mut world = TestProvider::weekly(3);
        while let Step::Record(event) = world.step() {
            world.record(&event);
        }
        if tried {
            world.intend_create("weekly-2026-11-22");
            world.record(&ServerEvent::CreateResult {
                snapshot: "weekly-2026-11-22".into(),
                outcome: Outcome::Failed,
                id: None,
                server_name: None,
                looked_for: false,
                hindrance: None,
                said: None,
            });
        }
        world.pass(SignedDuration::from_hours(24 * 7));
        let step = world.step();
        let name = match step {
            Step::Record(ServerEvent::SlotGivenUp { snapshot, .. }) if tried => snapshot,
            Step::Record(ServerEvent::SlotSkipped { snapshot, .. }) if !tried => snapshot,
            other => panic!("{other:?}"),
        };
        assert_eq!(name, "weekly-2026-11-22");
    }
}

#[test]
fn a_snapshot_named_by_a_former_pattern_is_own_settles_its_slot_and_is_pruned_like_others() {
    let mut world = TestProvider::weekly(1).holding(&[
        (1, "backup-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
        (2, "backup-2026-11-22", DONE, "2026-11-22T03:00:00Z"),
    ]);
    world.policy.rotations[0].former = vec![former("backup-%Y-%m-%d", false)];
    let mut reason = None;
    while reason.is_none() {
        match world.step() {
            Step::Record(ServerEvent::SlotSettled { reason: said, .. }) => reason = Some(said),
            Step::Record(event) => world.record(&event),
            // The surplus that the first look found is deleted first.
            Step::Delete { id, .. } => world.snapshots.retain(|s| s.id != id),
            step => panic!("{step:?}"),
        }
    }
    let said = "backup-2026-11-22 is its completed snapshot, named by a former pattern";
    assert_eq!(reason.as_deref(), Some(said));
}

#[test]
fn a_snapshot_named_by_a_coarser_former_pattern_settles_no_slot_and_is_not_a_copy() {
    let mut rotation = rotation("db", "0 */6 * * *", 3);
    rotation.pattern =
        crate::core::name_pattern::Pattern::new("db-%Y-%m-%d-%H%M", "db").expect("a pattern");
    rotation.former = vec![former("db-%Y-%m-%d", true)];
    let mut world = TestProvider::new(vec![rotation]).holding(&[
        (1, "db-2026-11-21", DONE, "2026-11-21T03:00:00Z"),
        (2, "db-2026-11-22", DONE, "2026-11-22T00:00:00Z"),
        (3, "db-2026-11-22-0000", DONE, "2026-11-22T00:30:00Z"),
    ]);
    world.settle(&DONE);
    assert!(world.log.is_empty(), "{:?}", world.log);
    world.pass(SignedDuration::from_hours(3));
    world.settle(&DONE);
    let expected = ["create db-2026-11-22-0600", "delete db-2026-11-21"];
    assert_eq!(world.log, expected);
}

#[test]
fn i11_a_snapshot_with_a_future_date_is_considered_again_when_that_date_arrives() {
    let ahead = "2026-11-24T12:00:00Z";
    let mut world = TestProvider::weekly(1).holding(&[
        (1, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
        (2, "weekly-2026-11-22", DONE, ahead),
    ]);
    let until = match world.settle(&DONE) {
        Step::Idle { until } => until.expect("a next look"),
        other => panic!("{other:?}"),
    };
    assert_eq!(until, time("2026-11-24T11:55:00Z"));
    world.pass(until.duration_since(world.now.wall));
    let until = Some(time("2026-11-29T03:00:00Z"));
    assert_eq!(world.settle(&DONE), Step::Idle { until });
    // The rotation made no snapshot that pays for the older one (I19).
    assert_eq!(world.log, [""; 0]);
    let key = (AlertKind::Shrink, "weekly".to_owned());
    assert!(world.history.alerts.contains_key(&key));
    world.resume();
    world.settle(&DONE);
    assert_eq!(world.log, ["delete weekly-2026-11-15"]);
}
