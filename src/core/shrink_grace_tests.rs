//! I19: what is deleted without a payment, and when.

use super::*;
use crate::core::decide::Step;
use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::server_history::HookLease;
use crate::core::test_provider::*;

impl TestProvider {
    /// Puts the server in a hold whose `after` hook has failed once.
    pub(in crate::core) fn hold_after_a_failed_release(&mut self) {
        self.history.hold = Some(Box::new(HookLease {
            rotation: "weekly".into(),
            snapshot: "weekly-2026-12-06".into(),
            since: self.now.into(),
            created: true,
            tried: false,
            faulty: false,
            failures: 1,
            last: Some(self.now.into()),
        }));
    }
}

#[test]
fn i19_a_smaller_keep_deletes_after_its_grace_unless_the_edit_is_undone() {
    for undone in [true, false] {
        let mut world = TestProvider::grown(3, 3);
        world.policy.rotations[0].keep = 1;
        let Step::Idle { until: Some(until) } = world.settle(&Status::Completed) else {
            panic!("the server must be idle");
        };
        assert_eq!(until, world.now.wall + world.rules.shrink_grace);
        let said = world.shrink().expect("an alert").to_owned();
        assert!(
            said.starts_with("2 snapshots beyond keep = 1 of weekly will be deleted from"),
            "{said}"
        );
        assert_eq!(world.log, [""; 0]);
        if undone {
            world.policy.rotations[0].keep = 3;
            world.settle(&Status::Completed);
            assert_eq!(world.shrink(), None);
        }
        world.pass(world.rules.shrink_grace);
        world.settle(&Status::Completed);
        assert_eq!(world.log.len(), if undone { 0 } else { 2 });
    }
}

#[test]
fn i19_a_spent_payment_does_not_reduce_a_shrink() {
    let mut world = TestProvider::grown(3, 5);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    let said = world.shrink().expect("an alert");
    assert!(said.starts_with("2 snapshots beyond"), "{said}");
    world.pass(world.rules.shrink_grace);
    world.settle(&Status::Completed);
    assert_eq!(world.snapshots.len(), 1);
}

#[test]
fn i19_a_resume_that_ends_a_pause_agrees_to_no_deletion_but_a_second_resume_does() {
    let mut world = TestProvider::grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    world.pause();
    world.pass(world.rules.shrink_grace);
    let ends = |world: &TestProvider| {
        let ended = world.history.ended_by_resume(&world.rules, world.now, &[]);
        ended.join("\n")
    };
    let said = ends(&world);
    assert!(said.contains("to agree, resume again"), "{said}");
    world.resume();
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    let said = ends(&world);
    let named = "the deletion of 2 snapshots of weekly is agreed to: weekly-2026-11-22 (id 901), weekly-2026-11-29 (id 902)";
    assert_eq!(said, named);
    world.resume();
    world.settle(&Status::Completed);
    assert_eq!(world.log.len(), 2);
}

#[test]
fn i19_a_resume_after_a_restore_agrees_to_no_deletion_but_a_second_resume_does() {
    for outcome in [Outcome::Done, Outcome::Unknown] {
        let mut world = TestProvider::grown(3, 3);
        world.policy.rotations[0].keep = 1;
        world.settle(&Status::Completed);
        let id = world.snapshots[2].id.clone();
        world.record(&ServerEvent::RestoreIntent {
            snapshot: world.snapshots[2].name.clone().into(),
            id: id.clone(),
            by: None,
        });
        world.record(&ServerEvent::RestoreResult { id, outcome });
        if outcome == Outcome::Unknown {
            // The unknown outcome of the restore outlasts the wait.
            world.pass(world.rules.restore_window);
        }
        let said = world
            .history
            .ended_by_resume(&world.rules, world.now, &[])
            .join("\n");
        assert!(said.contains("to agree, resume again"), "{said}");
        world.resume();
        assert!(!matches!(world.recorded(), Step::Delete { .. }));
        world.resume();
        assert!(matches!(world.recorded(), Step::Delete { .. }));
    }
}

#[test]
fn i19_a_resume_that_gives_up_a_hold_agrees_to_nothing_else() {
    let mut world = TestProvider::grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    world.hold_after_a_failed_release();
    let said = world
        .history
        .ended_by_resume(&world.rules, world.now, &[])
        .join("\n");
    assert!(said.contains("to agree, resume again"), "{said}");
    assert!(said.contains("the hold of weekly is given up"), "{said}");
    world.resume();
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
}

#[test]
fn i19_after_a_pause_of_the_server_the_grace_of_a_shrink_begins_anew() {
    let mut world = TestProvider::grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    let grace = world.rules.shrink_grace;
    world.pass(grace / 2);
    world.pause();
    world.pass(5 * MINUTE);
    world.resume();
    let Step::Idle { until: Some(until) } = world.settle(&Status::Completed) else {
        panic!("the server must be idle");
    };
    assert_eq!(until, world.now.wall + grace);
}

/// Returns a full server with five weekly snapshots, whose policy now keeps two.
fn full_and_shrunk() -> TestProvider {
    let mut world = TestProvider::grown(5, 5);
    assert_eq!(world.snapshots.len(), 5);
    world.rules.shrink_grace = 2 * WEEK;
    world.policy.rotations[0].keep = 2;
    world.settle(&Status::Completed);
    world
}

#[test]
fn i19_an_announced_snapshot_is_not_deleted_for_a_payment_before_its_announced_time() {
    let mut world = TestProvider::grown(4, 4);
    world.rules.shrink_grace = 2 * WEEK;
    world.policy.rotations[0].keep = 3;
    world.settle(&Status::Completed);
    let said = world.shrink().expect("an alert").to_owned();
    assert!(said.contains("1 snapshot beyond keep = 3"), "{said}");
    world.pass(WEEK);
    world.settle(&Status::Completed);
    assert_eq!(world.log, ["create weekly-2026-12-20"]);
    assert!(
        world
            .shrink()
            .is_some_and(|now| now.contains("weekly-2026-11-22"))
    );
    // After the edit is undone, the new snapshot pays for the oldest.
    world.policy.rotations[0].keep = 4;
    world.settle(&Status::Completed);
    assert_eq!(world.log[1..], ["delete weekly-2026-11-22"]);
}

#[test]
fn i19_a_due_slot_on_a_full_server_uses_the_place_of_the_oldest_announced_snapshot() {
    let mut world = full_and_shrunk();
    let said = world.shrink().expect("an alert");
    assert!(said.contains("3 snapshots beyond keep = 2"), "{said}");
    assert!(
        said.contains("the oldest as soon as a slot is due"),
        "{said}"
    );
    world.pass(WEEK);
    world.settle(&Status::Completed);
    let first = ["delete weekly-2026-11-22", "create weekly-2026-12-27"];
    assert_eq!(world.log, first);
    let said = world.shrink().expect("an alert");
    assert!(said.contains("3 snapshots beyond keep = 2"), "{said}");
    // The snapshot that was announced instead has its own grace period.
    assert!(
        said.contains("weekly-2026-12-13 (id 904, from 2027-01-10"),
        "{said}"
    );
    world.pass(WEEK);
    world.settle(&Status::Completed);
    let mut left = world.snapshots.iter();
    assert!(left.any(|snapshot| snapshot.name == "weekly-2026-12-13"));
    world.pass(WEEK);
    world.settle(&Status::Completed);
    assert_eq!(world.snapshots.len(), 2);
    assert_eq!(world.shrink(), None);
}

#[test]
fn i19_a_pause_extends_the_grace_of_every_announced_snapshot() {
    let mut world = full_and_shrunk();
    world.pass(WEEK);
    world.settle(&Status::Completed);
    let announced = |world: &TestProvider| -> Vec<_> {
        let notes = world.history.rotation("weekly").expect("notes");
        let shrink = notes.shrink.as_deref().expect("a shrink");
        assert_eq!(shrink.instead.len(), 1);
        let since = shrink.announcements().map(|(_, since)| since);
        since.map(|since| since.expect("a time").wall).collect()
    };
    let before = announced(&world);
    let (from, at) = (world.now.wall, world.now.wall + 2 * 60 * MINUTE);
    world.history.resume(Some(from), at);
    let later: Vec<_> = before
        .iter()
        .map(|since| *since + 2 * 60 * MINUTE)
        .collect();
    assert_eq!(announced(&world), later);
}

#[test]
fn i19_a_used_announcement_passes_to_only_one_other_snapshot() {
    let mut world = full_and_shrunk();
    world.pass(WEEK);
    world.settle(&Status::Completed);
    // A snapshot that somebody else made is beyond `keep` too, and was not announced.
    world.make("weekly-2026-12-28", Status::Completed);
    world.pass(MINUTE);
    world.settle(&Status::Completed);
    let notes = world.history.rotation("weekly").expect("notes");
    let shrink = notes.shrink.as_deref().expect("a shrink");
    assert_eq!((shrink.announcements().count(), shrink.found.len()), (3, 1));
}

#[test]
fn i19_a_used_announcement_passes_on_only_once_the_slot_that_used_it_has_its_snapshot() {
    let mut world = full_and_shrunk();
    world.pass(WEEK);
    world.settle(&Status::Failed);
    assert_eq!(world.log[0], "delete weekly-2026-11-22");
    world.snapshots.retain(|s| s.status == Status::Completed);
    world.make("weekly-2026-12-28", Status::Completed);
    world.settle(&Status::Failed);
    let notes = world.history.rotation("weekly").expect("notes");
    let shrink = notes.shrink.as_deref().expect("a shrink");
    assert_eq!((shrink.announcements().count(), shrink.found.len()), (2, 1));
}

#[test]
fn i19_a_clock_that_is_ahead_after_a_restart_does_not_end_the_grace() {
    let mut world = TestProvider::grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    let json = serde_json::to_string(&world.history).expect("JSON");
    world.history = serde_json::from_str(&json).expect("a history");
    world.now.wall += 2 * 60 * MINUTE;
    world.now.mono = MINUTE;
    world.history.restart_grace(world.now.into());
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    world.pass(60 * MINUTE);
    world.settle(&Status::Completed);
    assert_eq!(world.log.len(), 2, "{:?}", world.log);
}

#[test]
fn i19_an_edit_that_is_undone_in_part_and_made_again_announces_all_that_it_deletes() {
    let mut world = TestProvider::grown(4, 4);
    for (keep, announced) in [(2, 2), (3, 1), (2, 2)] {
        world.policy.rotations[0].keep = keep;
        world.settle(&Status::Completed);
        let said = world.shrink().expect("an alert");
        let words = format!("{announced} snapshot");
        assert!(
            said.starts_with(&words) && said.contains("deleted from"),
            "{keep}: {said}"
        );
    }
    world.pass(world.rules.shrink_grace);
    world.settle(&Status::Completed);
    assert_eq!(world.snapshots.len(), 2);
    assert_eq!(world.shrink(), None);
}

#[test]
fn the_alert_stays_as_it_is_until_the_announced_deletes_are_done() {
    let mut world = TestProvider::grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    let said = world.shrink().expect("an alert").to_owned();
    // An operator's snapshot is in progress when the grace period ends.
    world.pass(world.rules.shrink_grace - MINUTE);
    world.create("by-hand", Status::InProgress);
    world.pass(MINUTE);
    world.settle(&Status::Completed);
    assert_eq!(world.log, ["create by-hand"]);
    assert_eq!(world.shrink(), Some(&*said));
    for row in &mut world.snapshots {
        row.status = Status::Completed;
    }
    world.settle(&Status::Completed);
    assert_eq!(world.log.len(), 3, "{:?}", world.log);
    assert_eq!(world.shrink(), None);
}

#[test]
fn i19_a_resume_that_does_not_agree_to_the_announced_deletes_restarts_their_grace() {
    let mut world = TestProvider::grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    world.pass(world.rules.shrink_grace);
    world.history.restore = Some(world.now.into());
    let said = (world.history).ended_by_resume(&world.rules, world.now, &[]);
    world.record(&ServerEvent::Resumed {
        by: None,
        ended: said.clone(),
        ended_restore: true,
        gave_up: Vec::new(),
    });
    let from = crate::core::sanitize::utc(world.now.wall + world.rules.shrink_grace);
    let words = format!("is not agreed to, and does not begin before {from}");
    assert!(said.iter().any(|line| line.contains(&words)), "{said:?}");
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
    world.pass(world.rules.shrink_grace);
    world.settle(&Status::Completed);
    assert_eq!(world.log.len(), 2, "{:?}", world.log);
}
