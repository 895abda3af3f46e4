//! Each alert by name: when it is raised, and when it clears.

use jiff::SignedDuration;

use super::*;
use crate::core::fact::Outcome;
use crate::core::world::*;

const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The alerts that stand once there is nothing left to record.
fn standing(world: &mut World) -> Vec<(AlertKind, String)> {
    world.recorded();
    world.history.alerts.keys().cloned().collect()
}

fn about(kind: AlertKind, name: &str) -> Vec<(AlertKind, String)> {
    vec![(kind, name.to_owned())]
}

/// The facts that are recorded until a step is left, and that step.
fn facts(world: &mut World) -> (Vec<Fact>, Step) {
    let mut facts = Vec::new();
    for _ in 0..100 {
        match world.step() {
            Step::Record(fact) => {
                world.record(&fact);
                facts.push(fact);
            }
            step => return (facts, step),
        }
    }
    panic!("it records without end: {facts:?}");
}

#[test]
fn a_block_is_recorded_once_for_each_reason_with_its_alert_and_its_end() {
    let mut world = World::weekly(3);
    world.settle(&DONE);
    let mut blocked = |name: &str| {
        world.policy.name = Some(name.to_owned());
        let (facts, step) = facts(&mut world);
        let words: Vec<_> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Blocked { .. } => "blocked",
                Fact::Recovered { .. } => "recovered",
                Fact::AlertRaised { alert, .. } if *alert == AlertKind::Blocked => "raised",
                Fact::AlertCleared { alert, .. } if *alert == AlertKind::Blocked => "cleared",
                _ => "other",
            })
            .collect();
        (words, matches!(step, Step::Blocked { .. }))
    };
    assert_eq!(blocked("mail"), (vec!["blocked", "raised"], true));
    assert_eq!(blocked("mail"), (vec![], true));
    assert_eq!(blocked("shop"), (vec!["blocked", "raised"], true));
    assert_eq!(blocked("web"), (vec!["recovered", "cleared"], false));
    assert_eq!(blocked("web"), (vec![], false));
}

#[test]
fn a_block_stands_while_it_only_waits_and_ends_with_the_next_create_or_delete() {
    let mut world = World::weekly(3);
    world.recorded();
    let reason = "a reason".to_owned();
    world.record(&Fact::Blocked { reason });
    world.history.last_answer = Some(world.now.mono + MINUTE);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    assert!(world.history.blocked.is_some());
    world.pass(MINUTE);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    assert!(world.history.blocked.is_none());
}

#[test]
fn a_server_that_the_provider_did_not_know_is_blocked_until_a_create_is_done() {
    let mut world = World::weekly(3);
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    world.record(&Fact::CreateResult {
        snapshot: "weekly-2026-11-22".to_owned(),
        outcome: Outcome::NoServer,
        id: None,
        server_name: None,
    });
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    world.pass(WEEK);
    // The next slot is tried, which says nothing yet.
    assert!(matches!(world.recorded(), Step::Create { .. }));
    assert!(world.history.blocked.is_some());
    world.settle(&DONE);
    assert!(world.history.blocked.is_none());
    assert_eq!(standing(&mut world), []);
}

#[test]
fn i11_a_listing_in_doubt_neither_raises_nor_clears_what_is_said_of_its_snapshots() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world =
        World::weekly(3).holding(&[(1, "weekly-2026-11-15", odd, "2026-11-15T03:00:00Z")]);
    let unknown = about(AlertKind::UnknownStatus, "weekly-2026-11-15");
    assert_eq!(standing(&mut world), unknown);
    world.snapshots[0].name = "weekly-2026-11-08".to_owned();
    world.doubt = Some("count says 4, 3 were read".to_owned());
    let blocked = about(AlertKind::Blocked, "7");
    assert_eq!(standing(&mut world), [blocked, unknown].concat());
    world.doubt = None;
    world.snapshots.clear();
    world.settle(&DONE);
    assert_eq!(standing(&mut world), []);
}

#[test]
fn a_snapshot_in_progress_is_called_stuck_once_it_is_and_until_it_is_completed() {
    let name = "weekly-2026-11-22";
    let mut world = World::weekly(3);
    assert!(matches!(
        world.settle(&Status::InProgress),
        Step::Wait { .. }
    ));
    assert_eq!(standing(&mut world), []);
    world.pass(world.rules.stuck_after);
    world.recorded();
    let stuck = (AlertKind::Stuck, name.to_owned());
    assert!(
        world.history.alerts[&stuck]
            .reason
            .contains("look at it at the provider")
    );
    world.snapshots[0].status = DONE;
    world.recorded();
    assert!(!world.history.alerts.contains_key(&stuck));
}

#[test]
fn an_undocumented_status_is_told_with_its_word() {
    let odd = Status::Unknown("archiving".to_owned());
    let name = "weekly-2026-11-22";
    let mut world = World::weekly(3).holding(&[(1, name, odd, "2026-11-22T03:00:00Z")]);
    assert_eq!(standing(&mut world), about(AlertKind::UnknownStatus, name));
    let reason = &world
        .history
        .alerts
        .values()
        .next()
        .expect("a reason")
        .reason;
    assert!(reason.contains("\"archiving\""), "{reason}");
}

#[test]
fn i11_a_completed_snapshot_is_told_of_only_where_its_date_can_not_be_relied_on() {
    let name = "weekly-2026-11-22";
    for (date, odd) in [
        ("2026-11-22T03:00:00Z", false),
        ("2026-11-22T04:05:00Z", false),
        ("2026-11-22T04:05:01Z", true),
        ("yesterday", true),
    ] {
        let mut world = World::weekly(3).holding(&[(1, name, DONE, date)]);
        let expected = if odd {
            about(AlertKind::OddDate, name)
        } else {
            Vec::new()
        };
        assert_eq!(standing(&mut world), expected, "{date}");
    }
}

#[test]
fn i9_two_living_snapshots_of_one_name_are_told_of_and_a_failed_one_beside_one_is_not() {
    let name = "weekly-2026-11-22";
    for (other, copies) in [
        (DONE, true),
        (Status::InProgress, true),
        (Status::Failed, false),
    ] {
        let mut world = World::weekly(3).holding(&[
            (1, name, DONE, "2026-11-22T03:00:00Z"),
            (2, name, other.clone(), "2026-11-22T03:05:00Z"),
        ]);
        let expected = if copies {
            about(AlertKind::Copies, name)
        } else {
            Vec::new()
        };
        assert_eq!(standing(&mut world), expected, "{other:?}");
    }
}

#[test]
fn i15_a_slot_given_up_or_passed_unrun_is_told_of_until_a_later_one_is_settled() {
    for given_up in [true, false] {
        let mut world = World::weekly(3);
        if given_up {
            world.settle(&Status::Failed);
        } else {
            world.recorded();
            world.policy.rotations[0].catch_up = Some(MINUTE);
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
            .reason;
        let why = if given_up {
            "has no snapshot: given up after 3 attempts; the last attempt: the provider says that it failed"
        } else {
            "has no snapshot: its catch_up has passed"
        };
        assert!(reason.ends_with(why), "{reason}");
        world.policy.rotations[0].catch_up = None;
        world.pass(WEEK);
        world.settle(&DONE);
        assert_eq!(standing(&mut world), [], "given up: {given_up}");
    }
}

#[test]
fn i15_a_slot_that_passed_in_a_pause_is_not_told_of_and_clears_nothing() {
    for failed in [false, true] {
        let status = if failed { Status::Failed } else { DONE };
        let mut world = World::weekly(3);
        world.settle(&status);
        let before = standing(&mut world);
        assert_eq!(before.len(), usize::from(failed));
        world.record(&Fact::Paused { by: None });
        world.pass(WEEK * 2);
        world.record(&Fact::Resumed { by: None });
        world.pass(WEEK / 2);
        world.recorded();
        let paused = world.history.slot("weekly", "weekly-2026-11-29");
        assert_eq!(paused.and_then(|note| note.ending), Some(Ending::Paused));
        assert_eq!(standing(&mut world), before);
    }
}

#[test]
fn i15_a_rotation_is_overdue_from_its_second_fruitless_slot_in_a_row_until_one_is_settled() {
    let overdue = |world: &World| {
        let key = (AlertKind::Overdue, "weekly".to_owned());
        world.history.alerts.get(&key).map(|s| s.reason.clone())
    };
    let mut world = World::weekly(3);
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
    let since = "no slot of weekly since weekly-2026-11-22 has its snapshot: snaprotate audit show --server 7 --failed tells why";
    // The same words for as long as it stands, so it is raised once.
    let stands = vec![Some(since.to_owned()); 7];
    assert_eq!(reasons, [vec![None], stands, vec![None]].concat());
}

#[test]
fn i15_slots_that_passed_without_a_note_of_their_own_count_and_those_of_a_pause_do_not() {
    let overdue = (AlertKind::Overdue, "weekly".to_owned());
    for (weeks, stands) in [(1, false), (2, true)] {
        let mut world = World::weekly(3);
        world.settle(&DONE);
        world.policy.rotations[0].catch_up = Some(MINUTE);
        world.pass(WEEK * weeks + MINUTE);
        world.recorded();
        let told = world.history.alerts.contains_key(&overdue);
        assert_eq!(told, stands, "{weeks} weeks");
    }
    let mut world = World::weekly(3);
    world.settle(&Status::Failed);
    world.record(&Fact::Paused { by: None });
    world.pass(WEEK * 2);
    world.record(&Fact::Resumed { by: None });
    world.pass(WEEK / 2);
    assert!(!standing(&mut world).contains(&overdue));
    // None has succeeded yet, and the one before the pause counts.
    world.pass(WEEK);
    world.settle(&Status::Failed);
    assert!(standing(&mut world).contains(&overdue));
    let reason = &world.history.alerts[&overdue].reason;
    assert!(reason.starts_with("none of the last slots of weekly has its snapshot"));
}

/// A slot of the weekly rotation ends without a look at the server.
fn ends(world: &mut World, name: &str, slot: &str, completed: bool) {
    let (rotation, snapshot) = ("weekly".to_owned(), name.to_owned());
    let (slot, reason) = (time(slot), String::new());
    world.record(&if completed {
        Fact::SlotSettled {
            rotation,
            slot,
            snapshot,
            reason,
        }
    } else {
        Fact::SlotGivenUp {
            rotation,
            slot,
            snapshot,
            reason,
        }
    });
}

#[test]
fn i15_of_two_names_of_one_slot_the_later_record_tells_how_it_ended() {
    let slot = "2026-11-22T03:00:00Z";
    for completed in [true, false] {
        let mut world = World::weekly(3);
        ends(&mut world, "old-2026-11-22", slot, !completed);
        ends(&mut world, "weekly-2026-11-22", slot, completed);
        let told = standing(&mut world) == about(AlertKind::SlotFailed, "weekly");
        assert_eq!(told, !completed, "completed: {completed}");
    }
}

#[test]
fn i15_a_slot_that_ended_by_a_clock_ahead_hides_no_failure_before_its_time() {
    for completed in [true, false] {
        let mut world = World::weekly(3);
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

#[test]
fn i15_a_snapshot_that_is_completed_late_settles_its_slot() {
    let mut world = World::weekly(3);
    world.settle(&Status::InProgress);
    world.pass(world.rules.stuck_after);
    world.settle(&Status::InProgress);
    assert!(standing(&mut world).contains(&(AlertKind::SlotFailed, "weekly".to_owned())));
    world.snapshots[0].status = DONE;
    assert_eq!(standing(&mut world), []);
    let note = world.history.slot("weekly", "weekly-2026-11-22");
    assert_eq!(note.and_then(|note| note.ending), Some(Ending::Completed));
}

#[test]
fn i15_a_missing_snapshot_is_told_with_how_its_slot_ended_and_what_went_wrong_last() {
    let told = |world: &World| {
        let key = (AlertKind::SlotFailed, "weekly".to_owned());
        world.history.alerts.get(&key).map(|s| s.reason.clone())
    };
    let mut world = World::weekly(3);
    world.settle(&Status::Failed);
    let first = "the slot of weekly-2026-11-22 has no snapshot: given up after 3 attempts; the last attempt: the provider says that it failed";
    assert_eq!(told(&world).as_deref(), Some(first));
    // The next slot's first attempt says nothing new of this one.
    world.pass(WEEK);
    while !matches!(world.recorded(), Step::Create { .. }) {
        world.pass(MINUTE);
    }
    world.intend_create("weekly-2026-11-29");
    world.record(&Fact::CreateResult {
        snapshot: "weekly-2026-11-29".to_owned(),
        outcome: Outcome::Later,
        id: None,
        server_name: None,
    });
    world.recorded();
    assert_eq!(told(&world).as_deref(), Some(first));
    world.policy.name = Some("mail".to_owned());
    world.recorded();
    world.pass(WEEK);
    world.policy.name = Some("web".to_owned());
    world.recorded();
    let second = "the slot of weekly-2026-11-29 has no snapshot: overtaken by the next slot; the last attempt: the provider was busy, or out of reach";
    assert_eq!(told(&world).as_deref(), Some(second));
}

#[test]
fn i15_a_slot_that_passed_while_the_server_was_blocked_is_told_with_the_block() {
    let mut world = World::weekly(3);
    world.recorded();
    world.record(&Fact::Blocked {
        reason: "full".to_owned(),
    });
    ends(
        &mut world,
        "weekly-2026-11-22",
        "2026-11-22T03:00:00Z",
        false,
    );
    let key = (AlertKind::SlotFailed, "weekly".to_owned());
    world.recorded();
    let reason = &world.history.alerts[&key].reason;
    assert!(reason.ends_with("; blocked: full"), "{reason}");
}
