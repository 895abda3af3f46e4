//! Alerts about slots that end without a snapshot: single ones, and several in a row.

use super::tests::{WEEK, about, standing};
use super::*;
use crate::core::server_event::Outcome;
use crate::core::test_provider::*;

#[test]
fn i15_a_slot_given_up_or_skipped_raises_an_alert_until_a_later_slot_gets_its_snapshot() {
    for given_up in [true, false] {
        let mut world = TestProvider::weekly(3);
        if given_up {
            world.settle(&Status::Failed);
        } else {
            world.recorded();
            world.policy.rotations[0].catch_up = Some(MINUTE);
            world.pass(2 * MINUTE);
        }
        assert_eq!(
            standing(&mut world),
            about(AlertKind::SlotFailed, "weekly"),
            "given up: {given_up}"
        );
        let reason = &world
            .history
            .alerts
            .values()
            .next()
            .expect("a reason")
            .text
            .reason();
        let why = if given_up {
            "has no snapshot: given up after 3 attempts; the last attempt: the provider reports that it failed"
        } else {
            "has no snapshot: its catch_up time has passed"
        };
        assert!(reason.contains(why), "{reason}");
        world.policy.rotations[0].catch_up = None;
        world.pass(WEEK);
        world.settle(&DONE);
        assert_eq!(standing(&mut world), [], "given up: {given_up}");
    }
}

#[test]
fn i15_a_slot_that_passed_during_a_pause_raises_no_alert_and_clears_none() {
    for failed in [false, true] {
        let status = if failed { Status::Failed } else { DONE };
        let mut world = TestProvider::weekly(3);
        world.settle(&status);
        let before = standing(&mut world);
        assert_eq!(before.len(), usize::from(failed));
        world.pause();
        world.pass(WEEK * 2);
        world.resume();
        world.pass(WEEK / 2);
        world.recorded();
        let paused = world.history.slot("weekly", "weekly-2026-11-29");
        assert_eq!(
            paused.and_then(|note| note.ending),
            Some(SlotOutcome::Paused)
        );
        assert_eq!(standing(&mut world), before);
    }
}

#[test]
fn i15_a_rotation_is_overdue_from_the_second_consecutive_failed_slot_until_a_slot_succeeds() {
    let overdue = |world: &TestProvider| {
        let key = (AlertKind::Overdue, "weekly".to_owned());
        world.history.alerts.get(&key).map(|s| s.text.reason())
    };
    let mut world = TestProvider::weekly(3);
    world.settle(&DONE);
    let mut reasons = Vec::new();
    for _ in 0..8 {
        world.pass(WEEK);
        world.settle(&Status::Failed);
        reasons.push(overdue(&world));
    }
    world.pass(WEEK);
    world.settle(&DONE);
    reasons.push(overdue(&world));
    let since = "no slot of weekly since weekly-2026-11-22 has a snapshot; run snaprotate audit show web --failed";
    // The reason stays the same while the alert is active, so the alert is raised once.
    let stands = vec![Some(since.to_owned()); 7];
    assert_eq!(reasons, [vec![None], stands, vec![None]].concat());
}

#[test]
fn i15_slots_that_passed_without_their_own_record_count_but_slots_during_a_pause_do_not() {
    let overdue = (AlertKind::Overdue, "weekly".to_owned());
    for (weeks, stands) in [(1, false), (2, true)] {
        let mut world = TestProvider::weekly(3);
        world.settle(&DONE);
        world.policy.rotations[0].catch_up = Some(MINUTE);
        world.pass(WEEK * weeks + MINUTE);
        world.recorded();
        let told = world.history.alerts.contains_key(&overdue);
        assert_eq!(told, stands, "{weeks} weeks");
    }
    let mut world = TestProvider::weekly(3);
    world.settle(&Status::Failed);
    world.pause();
    world.pass(WEEK * 2);
    world.resume();
    world.pass(WEEK / 2);
    assert!(!standing(&mut world).contains(&overdue));
    // None has succeeded yet, and the slot before the pause counts.
    world.pass(WEEK);
    world.settle(&Status::Failed);
    assert!(standing(&mut world).contains(&overdue));
    let reason = world.history.alerts[&overdue].text.reason();
    assert!(reason.starts_with("none of the last slots of weekly has a snapshot"));
}

/// Records the end of a slot of the weekly rotation, without a decision.
pub(super) fn ends(world: &mut TestProvider, name: &str, slot: &str, completed: bool) {
    let (rotation, snapshot) = ("weekly".to_owned(), name.to_owned());
    let (slot, reason) = (time(slot), String::new());
    world.record(&if completed {
        ServerEvent::SlotSettled {
            rotation: rotation.into(),
            slot,
            snapshot: snapshot.into(),
            reason,
        }
    } else {
        ServerEvent::SlotGivenUp {
            rotation: rotation.into(),
            slot,
            snapshot: snapshot.into(),
            reason,
        }
    });
}

#[test]
fn i15_if_a_slot_has_two_names_the_later_record_determines_how_it_ended() {
    let slot = "2026-11-22T03:00:00Z";
    for completed in [true, false] {
        let mut world = TestProvider::weekly(3);
        ends(&mut world, "old-2026-11-22", slot, !completed);
        ends(&mut world, "weekly-2026-11-22", slot, completed);
        let told = standing(&mut world) == about(AlertKind::SlotFailed, "weekly");
        assert_eq!(told, !completed, "completed: {completed}");
    }
}

#[test]
fn i15_a_snapshot_that_is_completed_late_settles_its_slot() {
    let mut world = TestProvider::weekly(3);
    world.settle(&Status::InProgress);
    world.pass(world.rules.stuck_after);
    world.settle(&Status::InProgress);
    assert!(standing(&mut world).contains(&(AlertKind::SlotFailed, "weekly".to_owned())));
    world.snapshots[0].status = DONE;
    assert_eq!(standing(&mut world), []);
    let note = world.history.slot("weekly", "weekly-2026-11-22");
    assert_eq!(
        note.and_then(|note| note.ending),
        Some(SlotOutcome::Completed)
    );
}

#[test]
fn i15_the_alert_for_a_missing_snapshot_says_how_its_slot_ended_and_why_the_last_attempt_failed() {
    let told = |world: &TestProvider| {
        let key = (AlertKind::SlotFailed, "weekly".to_owned());
        world.history.alerts.get(&key).map(|s| s.text.reason())
    };
    let mut world = TestProvider::weekly(3);
    world.settle(&Status::Failed);
    let first = "the slot of weekly-2026-11-22 has no snapshot: given up after 3 attempts; the last attempt: the provider reports that it failed; run snaprotate retry web";
    assert_eq!(told(&world).as_deref(), Some(first));
    // The next slot's first attempt does not change this slot's alert.
    world.pass(WEEK);
    while !matches!(world.recorded(), Step::Create { .. }) {
        world.pass(MINUTE);
    }
    world.intend_create("weekly-2026-11-29");
    world.record(&ServerEvent::CreateResult {
        snapshot: "weekly-2026-11-29".into(),
        outcome: Outcome::Later,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.recorded();
    assert_eq!(told(&world).as_deref(), Some(first));
    world.policy.name = Some("mail".to_owned());
    world.recorded();
    world.pass(WEEK);
    world.policy.name = Some("web".to_owned());
    world.recorded();
    let second = "the slot of weekly-2026-11-29 has no snapshot: superseded by the next slot; the last attempt: the create request was temporarily refused, or not delivered; ";
    assert!(told(&world).expect("an alert").starts_with(second));
}

#[test]
fn i15_the_alert_for_a_slot_without_a_recorded_failure_says_only_how_it_ended() {
    let mut world = TestProvider::weekly(3);
    ends(
        &mut world,
        "weekly-2026-11-22",
        "2026-11-22T03:00:00Z",
        false,
    );
    // Only the last recorded slot has a record of its failure.
    ends(
        &mut world,
        "weekly-2026-11-15",
        "2026-11-15T03:00:00Z",
        false,
    );
    world.recorded();
    let key = (AlertKind::SlotFailed, "weekly".to_owned());
    let told = world.history.alerts.get(&key).map(|s| s.text.what.as_str());
    let said = "the slot of weekly-2026-11-22 has no snapshot: given up";
    assert!(told.expect("an alert").starts_with(said), "{told:?}");
}

#[test]
fn i15_the_alert_for_a_slot_that_passed_while_the_server_was_blocked_names_the_block() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.record(&ServerEvent::Blocked {
        reason: "full".to_owned(),
        contested: None,
    });
    ends(
        &mut world,
        "weekly-2026-11-22",
        "2026-11-22T03:00:00Z",
        false,
    );
    let key = (AlertKind::SlotFailed, "weekly".to_owned());
    world.recorded();
    let reason = world.history.alerts[&key].text.reason();
    assert!(reason.contains("; blocked: full; "), "{reason}");
}
