//! I19: what pays for a delete, and what goes without a payment.

use jiff::SignedDuration;

use super::*;
use crate::core::decide::Step;
use crate::core::fact::Fact;
use crate::core::fact::{AlertKind, Outcome};
use crate::core::world::*;

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A rotation that keeps `keep`, made `weeks` of them itself, and is at rest.
fn grown(keep: usize, weeks: usize) -> World {
    let mut world = World::weekly(keep);
    world.rules.shrink_grace = 60 * MINUTE;
    for _ in 0..weeks {
        world.settle(&Status::Completed);
        world.pass(WEEK);
    }
    world.now.wall -= WEEK;
    world.settle(&Status::Completed);
    world.log.clear();
    world
}

fn shrink(world: &World) -> Option<&str> {
    let key = (AlertKind::Shrink, "weekly".to_owned());
    world
        .history
        .alerts
        .get(&key)
        .map(|alert| alert.reason.as_str())
}

#[test]
fn i19_what_a_growing_rotation_made_pays_for_nothing_later() {
    let mut world = grown(3, 3);
    assert_eq!(world.snapshots.len(), 3);
    // Three newer ones are listed that the rotation never made.
    for day in ["2026-12-13", "2026-12-14", "2026-12-15"] {
        world.make(&format!("weekly-{day}"), Status::Completed);
    }
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    let said = shrink(&world).expect("an alert");
    assert!(
        said.contains("3 snapshots beyond keep = 3 of weekly"),
        "{said}"
    );
    // Time alone changes nothing, an operator does.
    world.pass(2 * WEEK);
    world.now.wall -= 2 * WEEK;
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    world.record(&Fact::Resumed { by: None });
    world.settle(&Status::Completed);
    // All but the newest slot that the trail settled.
    let deleted = ["delete weekly-2026-11-22", "delete weekly-2026-11-29"];
    assert_eq!(world.log, deleted);
}

#[test]
fn i19_one_that_was_made_pays_for_one_that_is_beyond_keep() {
    let mut world = grown(2, 2);
    world.pass(WEEK);
    let Step::Idle { .. } = world.settle(&Status::Completed) else {
        panic!("{:?}", world.log);
    };
    assert_eq!(world.log.len(), 2, "{:?}", world.log);
    assert_eq!(world.snapshots.len(), 2);
    assert_eq!(shrink(&world), None);
}

#[test]
fn i19_a_smaller_keep_goes_when_its_grace_is_over_and_an_undone_edit_cancels_it() {
    for undone in [true, false] {
        let mut world = grown(3, 3);
        world.policy.rotations[0].keep = 1;
        let Step::Idle { until: Some(until) } = world.settle(&Status::Completed) else {
            panic!("it rests");
        };
        assert_eq!(until, world.now.wall + world.rules.shrink_grace);
        let said = shrink(&world).expect("an alert").to_owned();
        assert!(
            said.starts_with("by its policy 2 snapshots beyond keep = 1"),
            "{said}"
        );
        assert_eq!(world.log, [""; 0]);
        if undone {
            world.policy.rotations[0].keep = 3;
            world.settle(&Status::Completed);
            assert_eq!(shrink(&world), None);
        }
        world.pass(world.rules.shrink_grace);
        world.settle(&Status::Completed);
        assert_eq!(world.log.len(), if undone { 0 } else { 2 });
    }
}

#[test]
fn i19_a_payment_that_is_spent_takes_nothing_out_of_a_shrink() {
    let mut world = grown(3, 5);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    let said = shrink(&world).expect("an alert");
    assert!(said.starts_with("by its policy 2 snapshots"), "{said}");
    world.pass(world.rules.shrink_grace);
    world.settle(&Status::Completed);
    assert_eq!(world.snapshots.len(), 1);
}

#[test]
fn i19_a_resume_that_ends_a_pause_agrees_to_nothing_and_the_grace_begins_anew() {
    let mut world = grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    world.record(&Fact::Paused { by: None });
    world.pass(world.rules.shrink_grace);
    let ends = |world: &World| {
        let ended = world.history.ended_by_resume(&world.rules, world.now, true);
        ended.join("\n")
    };
    let said = ends(&world);
    assert!(said.contains("takes another resume"), "{said}");
    world.record(&Fact::Resumed { by: None });
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    let said = ends(&world);
    assert!(said.contains("2 snapshots is agreed to"), "{said}");
    world.record(&Fact::Resumed { by: None });
    world.settle(&Status::Completed);
    assert_eq!(world.log.len(), 2);
}

#[test]
fn i19_one_that_regressed_is_kept_for_a_week_and_then_goes_for_a_newer_one() {
    let mut world = grown(3, 3);
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
    let mut world = grown(3, 3);
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
    let mut world = grown(3, 3);
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
fn i9_what_a_create_without_an_answer_made_after_it_was_given_up_is_the_rotation_s_own() {
    let mut world = World::weekly(1).holding(&old_weeklies()[..1]);
    world.settle(&Status::InProgress);
    let name = "weekly-2026-11-22";
    let mut world = World::weekly(1).holding(&old_weeklies()[..1]);
    world.recorded();
    world.intend_create(name);
    world.record(&Fact::CreateResult {
        snapshot: name.to_owned(),
        outcome: Outcome::Unknown,
        id: None,
        server_name: None,
        looked_for: false,
    });
    world.pass(world.rules.settle_window + MINUTE);
    while world.history.open.is_some() {
        let Step::Record(fact) = world.step() else {
            panic!("{:?}", world.step());
        };
        world.record(&fact);
    }
    assert_eq!(world.history.lapsed.len(), 1);
    world.make(name, Status::Completed);
    world.settle(&Status::Completed);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "delete weekly-2026-11-01"]
    );
    assert!(world.history.lapsed.is_empty());
    assert_eq!(shrink(&world), None);
}

#[test]
fn i9_no_more_creates_of_one_name_are_sent_than_the_rotation_has_attempts() {
    let mut world = World::weekly(1);
    world.recorded();
    for nth in 0..3 {
        assert!(matches!(world.recorded(), Step::Create { .. }), "{nth}");
        world.intend_create("weekly-2026-11-22");
        // Nothing is said of what came of it.
        world.history.open = None;
    }
    world.recorded();
    let note = world
        .history
        .slot("weekly", "weekly-2026-11-22")
        .expect("a slot");
    assert_eq!((note.intents, note.attempts), (3, 0));
    assert_eq!(note.ending, Some(crate::core::fact::Ending::GivenUp));
}

#[test]
fn the_first_slot_bears_the_name_of_the_day_and_waits_where_the_next_one_has_that_name() {
    let first = |schedule: &str, pattern: &str| {
        let mut world = World::new(vec![rotation("r", schedule, 3)]);
        world.policy.rotations[0].pattern =
            crate::core::name::Pattern::new(pattern, "r").expect("a pattern");
        world.settle(&Status::Completed);
        world.log
    };
    // It is 2026-11-22 04:00.
    assert_eq!(first("@yearly", "r-%Y-%m-%d"), ["create r-2026-11-22"]);
    assert_eq!(first("0 3 * * *", "r-%Y-%m-%d"), ["create r-2026-11-22"]);
    assert_eq!(first("0 23 * * *", "r-%Y-%m-%d"), [""; 0]);
    assert_eq!(
        first("0 */6 * * *", "r-%Y-%m-%d-%H%M"),
        ["create r-2026-11-22-0400"]
    );
}

#[test]
fn a_first_look_finds_its_newest_slot_settled_by_what_is_named_for_it_or_later() {
    for (name, settled) in [
        ("weekly-2026-11-15", false),
        ("weekly-2026-11-22", true),
        ("weekly-2026-11-23", true),
    ] {
        let row = (1, name, Status::Completed, "2026-11-22T03:30:00Z");
        let mut world = World::weekly(3).holding(&[row]);
        world.settle(&Status::Completed);
        assert_eq!(world.log.is_empty(), settled, "{name}: {:?}", world.log);
    }
}
