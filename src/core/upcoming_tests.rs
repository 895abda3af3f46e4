//! The next changes on a server: their time, what they wait for, and when there are none.

use super::tests::planned;
use super::*;
use crate::core::plan_text::one_after_the_other;
use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::snapshot::Status;
use crate::core::test_provider::*;

#[test]
fn upcoming_shows_what_is_due_now_or_else_what_the_next_slot_brings() {
    let rows = old_weeklies();
    let mut world = TestProvider::weekly(3).holding(&rows);
    let now = planned(&world).upcoming().expect("due");
    assert_eq!((now.at, &now.after), (world.now.wall, &None));
    let due = "create weekly-2026-11-22, then delete weekly-2026-11-01 (id 1)";
    assert_eq!(one_after_the_other(&now.steps), due);
    world.settle(&DONE);
    let later = planned(&world).upcoming().expect("a slot");
    let slot = time("2026-11-29T03:00:00Z");
    assert_eq!((later.at, &later.after), (slot, &None));
    let slot = "create weekly-2026-11-29, then delete weekly-2026-11-08 (id 2)";
    assert_eq!(one_after_the_other(&later.steps), slot);
}

#[test]
fn upcoming_also_shows_a_future_block_and_what_follows_a_restore() {
    let mut rows: Vec<_> = (1..=4)
        .map(|id| (id, "by-hand", DONE, "2026-11-01T03:00:00Z"))
        .collect();
    rows.push((5, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z"));
    let mut world = TestProvider::weekly(3).holding(&rows);
    world.settle(&DONE);
    let next = planned(&world).upcoming().expect("a block");
    assert_eq!(next.at, time("2026-11-29T03:00:00Z"));
    let why = "blocked: the server is full, and nothing on it may be deleted: foreign snapshots take up 4 of 5 places";
    assert!(
        one_after_the_other(&next.steps).starts_with(why),
        "{next:?}"
    );

    let mut world = TestProvider::weekly(3).holding(&old_weeklies());
    let (snapshot, id, by) = ("weekly-2026-11-15".to_owned(), SnapshotId::from(3), None);
    world.record(&ServerEvent::RestoreIntent {
        snapshot: snapshot.into(),
        id: id.clone(),
        by,
    });
    let outcome = Outcome::Done;
    world.record(&ServerEvent::RestoreResult { id, outcome });
    let next = planned(&world).upcoming().expect("what is due then");
    assert_eq!(next.at, world.now.wall + world.rules.restore_window);
    let due = "create weekly-2026-11-22, then delete weekly-2026-11-01 (id 1)";
    assert_eq!(one_after_the_other(&next.steps), due);
    world.pause();
    assert_eq!(planned(&world).upcoming(), None);
}

#[test]
fn upcoming_names_what_the_next_change_waits_for_and_its_earliest_possible_time() {
    let mut rows = old_weeklies().to_vec();
    let name = "weekly-2026-11-22";
    rows.push((4, name, Status::InProgress, "2026-11-22T03:00:00Z"));
    let world = TestProvider::weekly(3).holding(&rows);
    let next = planned(&world).upcoming().expect("a delete");
    assert_eq!(next.at, world.now.wall + world.rules.poll_interval);
    assert_eq!(
        next.or_later(),
        " or later, since weekly-2026-11-22 is in progress"
    );
    let delete = "delete weekly-2026-11-01 (id 1)";
    assert_eq!(one_after_the_other(&next.steps), delete);
    // Several waits are named one after the other.
    let mut world = TestProvider::weekly(3).holding(&old_weeklies());
    world.recorded();
    world.intend_create(name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome: Outcome::Done,
        id: Some(SnapshotId::from(901)),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    let next = planned(&world).upcoming().expect("a delete");
    assert_eq!(
        next.or_later(),
        " or later, since it is not known yet whether weekly-2026-11-22 was made, then weekly-2026-11-22 is in progress"
    );
}
