//! Alerts about slots and pauses that were recorded while the clock was ahead, after the clock was
//! corrected.

use jiff::SignedDuration;

use super::fruitless::ends;
use super::tests::{WEEK, about, standing};
use super::*;
use crate::core::test_provider::*;

#[test]
fn i15_a_pause_recorded_while_the_clock_was_ahead_excuses_no_slot_after_the_clock_is_corrected() {
    for told_meanwhile in [true, false] {
        let mut world = TestProvider::weekly(3);
        world.policy.rotations[0].catch_up = Some(MINUTE);
        world.settle(&DONE);
        let right = world.now;
        world.pass(WEEK / 2);
        world.pause();
        world.pass(WEEK * 3);
        world.resume();
        world.now.wall = right.wall;
        if told_meanwhile {
            let reason = "full".to_owned();
            world.record(&ServerEvent::Blocked {
                reason,
                contested: None,
            });
            world.pass(WEEK * 7 / 2 + MINUTE);
        } else {
            world.pass(WEEK);
        }
        let end = standing(&mut world);
        let failed = about(AlertKind::SlotFailed, "weekly");
        assert!(end.contains(&failed[0]), "{told_meanwhile}: {end:?}");
    }
}

#[test]
fn i15_a_pause_counts_if_its_end_is_ahead_by_no_more_than_the_clock_tolerance() {
    let tolerance = CLOCK_TOLERANCE;
    let moment = SignedDuration::from_nanos(1);
    for (back, counts) in [(tolerance, true), (tolerance + moment, false)] {
        for recorded_ahead in [true, false] {
            let mut world = TestProvider::weekly(3);
            world.policy.rotations[0].catch_up = Some(MINUTE);
            world.settle(&DONE);
            world.pause();
            world.pass(WEEK);
            world.resume();
            world.now.wall -= back;
            if recorded_ahead {
                let reason = "full".to_owned();
                world.record(&ServerEvent::Blocked {
                    reason,
                    contested: None,
                });
                world.pass(back);
            }
            world.recorded();
            let slot = world.history.slot("weekly", "weekly-2026-11-29");
            let ending = slot.and_then(|note| note.ending);
            let paused = ending == Some(SlotOutcome::Paused);
            assert_eq!(paused, counts, "{back}, {recorded_ahead}: {ending:?}");
        }
    }
}

#[test]
fn i15_a_forgotten_slot_that_ended_while_the_clock_was_ahead_raises_an_alert_at_its_time() {
    let ahead = "weekly-2027-01-10";
    for there in [true, false] {
        let mut world = TestProvider::weekly(3);
        ends(&mut world, ahead, "2027-01-10T03:00:00Z", false);
        let first = world.now.wall;
        for week in 0..7 {
            world.now.wall = first + WEEK * week;
            let name = format!("weekly-{}", world.now.wall.strftime("%Y-%m-%d"));
            let slot = (world.now.wall - MINUTE * 60).to_string();
            ends(&mut world, &name, &slot, true);
        }
        assert_eq!(world.history.slot("weekly", ahead), None);
        assert_eq!(standing(&mut world), []);
        world.pass(WEEK);
        if there {
            world.make(ahead, DONE);
        }
        let failed = about(AlertKind::SlotFailed, "weekly");
        let expected = if there { vec![] } else { failed };
        assert_eq!(standing(&mut world), expected, "there: {there}");
        let why = world.history.alerts.values().next().map(|s| &*s.text.what);
        let said = "the slot of weekly-2027-01-10 has no snapshot: it ended early because the clock was ahead";
        assert_eq!(why.is_some_and(|why| why.starts_with(said)), !there);
        // A record of the same slot under another name takes precedence.
        ends(&mut world, "old-2027-01-10", "2027-01-10T03:00:00Z", false);
        world.recorded();
        let why = world.history.alerts.values().next().map(|s| &*s.text.what);
        let said = "the slot of old-2027-01-10 has no snapshot: ";
        assert!(why.is_some_and(|why| why.starts_with(said)), "{why:?}");
        world.pass(WEEK);
        world.settle(&DONE);
        assert_eq!(standing(&mut world), [], "there: {there}");
    }
}

#[test]
fn i15_a_slot_that_ended_while_the_clock_was_ahead_hides_no_earlier_failure() {
    for completed in [true, false] {
        let mut world = TestProvider::weekly(3);
        ends(
            &mut world,
            "weekly-2027-03-07",
            "2027-03-07T03:00:00Z",
            completed,
        );
        assert_eq!(standing(&mut world), [], "completed: {completed}");
        ends(
            &mut world,
            "weekly-2026-11-22",
            "2026-11-22T03:00:00Z",
            false,
        );
        let failed = about(AlertKind::SlotFailed, "weekly");
        assert_eq!(standing(&mut world), failed, "completed: {completed}");
    }
}
