//! Tests of slots: edits of patterns and schedules, tries that count, splay, and settled slots.

use jiff::SignedDuration;

use super::*;
use crate::core::decide::Inventory;
use crate::core::newest_slot_completed::all_settled;
use crate::core::policy::FormerPattern;
use crate::core::rotation_history::SlotFailure;
use crate::core::server_event::{AlertKind, Outcome, RecordedAt, ServerEvent, TransientRefusal};
use crate::core::test_provider::*;

/// Gives the rotation another pattern; the old one becomes a former pattern.
fn rename(world: &mut TestProvider) {
    let pattern =
        crate::core::name_pattern::Pattern::new("new-%Y-%m-%d", "weekly").expect("a pattern");
    let rotation = &mut world.policy.rotations[0];
    rotation.former.push(FormerPattern {
        pattern: std::mem::replace(&mut rotation.pattern, pattern),
        coarse: false,
    });
}

/// Gives the rotation another schedule.
fn reschedule(world: &mut TestProvider, schedule: &str) {
    let schedule = crate::core::schedule::Schedule::new(schedule, jiff::tz::TimeZone::UTC);
    world.policy.rotations[0].schedule = std::sync::Arc::new(schedule.expect("a schedule"));
}

fn alerts(world: &TestProvider) -> Vec<AlertKind> {
    world.history.alerts.keys().map(|(kind, _)| *kind).collect()
}

#[test]
fn an_unsettled_slot_continues_under_the_name_of_a_new_pattern() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    rename(&mut world);
    world.settle(&DONE);
    assert_eq!(world.log, ["create new-2026-11-22"]);
    let old = world.history.slot("weekly", "weekly-2026-11-22");
    assert_eq!(old.expect("a slot").ending, Some(SlotOutcome::Paused));
    assert_eq!(alerts(&world), []);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create new-2026-11-22", "create new-2026-11-29"]
    );
    assert_eq!(alerts(&world), []);
}

#[test]
fn an_unsettled_slot_continues_when_only_the_wording_of_its_schedule_changes() {
    let mut world = TestProvider::weekly(3);
    let wording = world.policy.rotations[0].schedule.text().to_owned();
    world.recorded();
    reschedule(&mut world, &format!("0 {wording}"));
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
    assert_eq!(alerts(&world), []);
}

#[test]
fn an_unsettled_slot_that_a_new_schedule_lacks_is_skipped_with_an_alert_until_the_next_snapshot() {
    let week = SignedDuration::from_hours(24 * 7);
    let mut world = TestProvider::weekly(3);
    world.settle(&DONE);
    world.pass(week);
    world.recorded();
    let made = world.log.len();
    reschedule(&mut world, "0 4 * * 3");
    world.settle(&DONE);
    assert_eq!(world.log.len(), made);
    let old = world.history.slot("weekly", "weekly-2026-11-29");
    assert_eq!(old.expect("a slot").ending, Some(SlotOutcome::Skipped));
    assert_eq!(alerts(&world), [AlertKind::SlotFailed]);
    world.pass(week);
    world.settle(&DONE);
    assert_eq!(world.log.len(), made + 1, "{:?}", world.log);
    assert_eq!(alerts(&world), []);
}

#[test]
fn a_slot_due_before_an_edit_was_noticed_counts_only_if_slots_were_last_judged_before_it() {
    for (judged, made) in [(None, 0), (Some(0), 0), (Some(-24 * 7), 1)] {
        let mut world = TestProvider::weekly(3);
        world.settle(&DONE);
        let before = world.log.len();
        world.pass(SignedDuration::from_hours(24 * 7));
        let wording = world.policy.rotations[0].schedule.text().to_owned();
        reschedule(&mut world, &format!("0 {wording}"));
        let hours = |hours: i64| world.now.wall + SignedDuration::from_hours(hours);
        world.history.judged = judged.map(hours);
        world.settle(&DONE);
        assert_eq!(world.log.len() - before, made, "judged {judged:?}");
    }
}

#[test]
fn a_first_slot_that_the_next_slot_overtakes_is_reported_as_superseded() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.pass(SignedDuration::from_hours(24 * 7));
    world.recorded();
    let missing = world.history.missing("weekly", "weekly-2026-11-22");
    let why = missing.map(SlotFailure::reason);
    assert_eq!(why.as_deref(), Some("superseded by the next slot"));
}

#[test]
fn a_slot_whose_snapshot_completes_after_the_pattern_changed_is_settled() {
    let mut world = TestProvider::weekly(3);
    let name = "weekly-2026-11-22";
    world.recorded();
    world.intend_create(name);
    let id = world.make(name, Status::Completed);
    world.record(&ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome: Outcome::Done,
        id: Some(id),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    let pattern = crate::core::name_pattern::Pattern::new("new-%Y-%m-%d", "weekly");
    world.policy.rotations[0].pattern = pattern.expect("a pattern");
    world.recorded();
    let old = world.history.slot("weekly", name);
    assert_eq!(old.expect("a slot").ending, Some(SlotOutcome::Completed));
    assert_eq!(alerts(&world), []);
}

#[test]
fn i9_a_completed_slot_does_not_run_again_under_a_new_name_after_the_clock_is_set_back() {
    let mut world = TestProvider::weekly(3);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    let made = world.log.len();
    world.now.wall -= SignedDuration::from_mins(4);
    rename(&mut world);
    world.settle(&DONE);
    world.pass(SignedDuration::from_mins(10));
    world.settle(&DONE);
    assert_eq!(world.log.len(), made, "{:?}", world.log);
}

#[test]
fn a_slot_is_given_up_after_temporary_refusals_only_if_all_tries_count() {
    let name = "weekly-2026-11-22";
    for count_all in [false, true] {
        let mut world = TestProvider::weekly(3);
        world.rules.count_all = count_all;
        let mut tries = 0;
        while tries < 3 {
            match world.recorded() {
                Step::Create { .. } => {
                    tries += 1;
                    world.intend_create(name);
                    world.record(&ServerEvent::CreateResult {
                        snapshot: name.into(),
                        outcome: Outcome::Later,
                        id: None,
                        server_name: None,
                        looked_for: false,
                        hindrance: None,
                        said: None,
                    });
                }
                Step::Wait { pause, .. } => world.pass(pause),
                other => panic!("{other:?} after {tries} tries"),
            }
        }
        world.recorded();
        let ending = world
            .history
            .slot("weekly", name)
            .and_then(|note| note.ending);
        assert_eq!(
            ending,
            count_all.then_some(SlotOutcome::GivenUp),
            "{count_all}"
        );
    }
}

#[test]
fn a_rate_limited_create_waits_only_one_poll_interval_and_a_long_wait_raises_an_alert() {
    let name = "weekly-2026-11-22";
    for (hindrance, pause, waiting) in [
        (
            Some(TransientRefusal::Rate),
            SignedDuration::from_secs(15),
            true,
        ),
        (None, SignedDuration::from_mins(5), true),
        (
            Some(TransientRefusal::Token),
            SignedDuration::from_mins(5),
            false,
        ),
    ] {
        let mut world = TestProvider::weekly(3);
        let began = world.now.wall;
        let mut waits = Vec::new();
        while world.now.wall.duration_since(began) < SignedDuration::from_mins(40) {
            match world.recorded() {
                Step::Create { .. } => {
                    world.intend_create(name);
                    world.record(&ServerEvent::CreateResult {
                        snapshot: name.into(),
                        outcome: Outcome::Later,
                        id: None,
                        server_name: None,
                        looked_for: false,
                        hindrance,
                        said: None,
                    });
                }
                Step::Wait { pause, .. } => {
                    waits.push(pause);
                    world.pass(pause);
                }
                other => panic!("{other:?}"),
            }
        }
        world.recorded();
        assert!(waits[0] >= pause && waits[0] <= pause * 5 / 4, "{waits:?}");
        let alert = (AlertKind::SlotWaiting, "weekly".to_owned());
        assert_eq!(
            world.history.alerts.contains_key(&alert),
            waiting,
            "{hindrance:?}"
        );
        world.settle(&DONE);
        assert!(world.history.alerts.is_empty(), "{hindrance:?}");
    }
}

#[test]
fn once_counts_only_the_tries_of_its_own_process() {
    let name = "weekly-2026-11-22";
    let mut world = TestProvider::weekly(3);
    world.recorded();
    for _ in 0..4 {
        world.intend_create(name);
        let event = ServerEvent::CreateResult {
            snapshot: name.into(),
            outcome: Outcome::Later,
            id: None,
            server_name: None,
            looked_for: false,
            hindrance: Some(TransientRefusal::Rate),
            said: None,
        };
        // An earlier process recorded it.
        let at = RecordedAt {
            wall: world.now.wall,
            mono: None,
        };
        world.history.apply(&event, at, SignedDuration::ZERO);
    }
    world.rules.count_all = true;
    world.pass(MINUTE);
    assert!(matches!(world.recorded(), Step::Create { .. }));
}

#[test]
fn a_slot_due_at_the_instant_its_rotation_was_added_counts_only_while_it_is_the_newest() {
    for looked_at_in_time in [true, false] {
        let mut world = TestProvider::new(vec![rotation("daily", "0 4 * * *", 3)]);
        let added = ServerEvent::RotationAdded {
            rotation: "daily".into(),
            terms: None,
            shrinks: std::collections::BTreeSet::new(),
        };
        world.record(&added);
        world.policy.rotations[0].catch_up = Some(MINUTE);
        let hours = if looked_at_in_time { 1 } else { 24 };
        world.pass(SignedDuration::from_hours(hours));
        world.recorded();
        let skipped = world.history.slot("daily", "daily-2026-11-22");
        let skipped = skipped.and_then(|note| note.ending);
        let expected = looked_at_in_time.then_some(SlotOutcome::Skipped);
        assert_eq!(skipped, expected);
    }
}

#[test]
fn all_is_settled_if_each_newest_due_slot_has_or_had_a_completed_snapshot() {
    let newest = || (1, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z");
    let settled = |world: &TestProvider| {
        let inventory = Inventory {
            hostname: None,
            other_id: None,
            server_name: None,
            snapshots: world.snapshots.clone(),
            state: None,
            requested: world.now.mono,
            doubt: None,
            contested: None,
        };
        let (policy, history) = (&world.policy, &world.history);
        all_settled(policy, &inventory, history, &world.rules, world.now)
    };
    assert!(settled(&TestProvider::new(Vec::new())));
    assert!(settled(&TestProvider::weekly(3).holding(&[newest()])));
    assert!(!settled(&TestProvider::weekly(3).holding(&old_weeklies())));
    let mut unfinished = TestProvider::weekly(3).holding(&[newest()]);
    unfinished.snapshots[0].status = Status::InProgress;
    assert!(!settled(&unfinished));

    let mut deleted_since = TestProvider::weekly(3);
    deleted_since.settle(&DONE);
    deleted_since.snapshots.clear();
    assert!(settled(&deleted_since));
    let mut given_up = TestProvider::weekly(3);
    given_up.settle(&Status::Failed);
    assert!(!settled(&given_up));

    let mut one_of_two = TestProvider::weekly(3).holding(&[newest()]);
    let daily = rotation("daily", "0 3 * * *", 3);
    one_of_two.policy.rotations.push(daily);
    assert!(!settled(&one_of_two));

    // Slots that became due after the start of `once` need not be settled.
    let mut due_since = TestProvider::weekly(3).holding(&[newest()]);
    due_since.rules.due_until = Some(due_since.now.wall);
    due_since.pass(SignedDuration::from_hours(24 * 7));
    assert!(settled(&due_since));
}

#[test]
fn a_splay_shifts_the_due_time_and_the_catch_up_of_a_slot_but_not_its_name() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    let splay = 90 * MINUTE;
    world.policy.rotations[0].splay = splay;
    world.policy.rotations[0].catch_up = Some(10 * MINUTE);
    let rotation = &world.policy.rotations[0];
    let due = time("2026-11-22T04:30:00Z");
    assert_eq!(rotation.next_due(world.now.wall), Some(due));
    let slot = rotation.newest_due(due).expect("a slot");
    assert_eq!(slot.at, time("2026-11-22T03:00:00Z"));
    let before = rotation.newest_due(due - SignedDuration::from_secs(1));
    assert_eq!(before.expect("a slot").at, time("2026-11-21T03:00:00Z"));
    for (late, begun) in [(10 * MINUTE, true), (11 * MINUTE, false)] {
        assert_eq!(
            rotation.within_catch_up(slot, due + late),
            begun,
            "{late:?}"
        );
    }
}

#[test]
fn i15_missed_slots_are_recorded_after_a_clock_that_was_ahead_is_corrected() {
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 2)]);
    world.settle(&DONE);
    let right = world.now;
    // The clock leaps ahead, and more daily slots end than are stored one by one.
    world.now.wall += SignedDuration::from_hours(24 * 90);
    for _ in 0..10 {
        world.pass(SignedDuration::from_hours(24));
        world.settle(&DONE);
    }
    // The corrected clock shows three days after the leap. Those days have no snapshot.
    world.now.wall = right.wall + SignedDuration::from_hours(72);
    world.history.last_intent = None;
    let Step::Record(ServerEvent::SlotSkipped {
        snapshot, missed, ..
    }) = world.step()
    else {
        panic!("{:?}", world.step());
    };
    assert_eq!((snapshot.as_str(), missed), ("daily-2026-11-24", 1));
}
