//! Each boundary of the first four rules by name.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::*;
use crate::core::fact::When;
use crate::core::world::*;

#[test]
fn i8_nothing_is_pruned_before_the_new_one_is_completed() {
    let mut world = World::weekly(3).holding(&old_weeklies());
    let end = world.settle(&Status::InProgress);
    assert!(matches!(end, Step::Wait { .. }), "{end:?}");
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn i11_a_doubtful_listing_blocks_everything() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.doubt = Some("count says 4, 3 were read".to_owned());
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn a_renamed_server_is_blocked() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.policy.name = Some("mail".to_owned());
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn i9_a_create_without_an_answer_is_looked_for_and_adopted() {
    let mut world = World::weekly(3);
    while let Step::Record(fact) = world.step() {
        world.record(&fact);
    }
    world.intend_create("weekly-2026-11-22");
    let unknown = create_result("weekly-2026-11-22", Outcome::Unknown, None);
    world.record(&unknown);
    for _ in 0..9 {
        assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
        world.pass(MINUTE);
    }
    world.make("weekly-2026-11-22", Status::InProgress);
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.snapshots[0].status = DONE;
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn i9_only_after_the_settle_window_and_the_pause_is_a_lost_create_sent_again() {
    let mut world = World::weekly(3);
    while let Step::Record(fact) = world.step() {
        world.record(&fact);
    }
    let sent = world.now.mono;
    world.intend_create("weekly-2026-11-22");
    while world.log.len() < 2 {
        world.settle(&DONE);
        world.pass(world.rules.poll_interval);
    }
    let waited = world.now.mono - sent;
    assert!(waited >= 15 * MINUTE, "{waited:?}");
    assert_eq!(world.snapshots.len(), 1);
}

#[test]
fn i4_a_listing_older_than_the_last_answer_justifies_nothing() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.record(&Fact::RotationAdded {
        rotation: "weekly".to_owned(),
    });
    world.history.last_answer = Some(world.now.mono + MINUTE);
    assert!(matches!(world.step(), Step::Wait { .. }));
}

#[test]
fn i8_another_snapshot_of_a_stuck_ones_name_is_not_stuck() {
    let mut world = World::weekly(2).holding(&old_weeklies());
    let name = "weekly-2026-11-22";
    let row = |id| Snapshot {
        id: SnapshotId(id),
        name: name.to_owned(),
        status: Status::InProgress,
        created_at: Some(world_time()),
    };
    world.snapshots.push(row(4));
    world.settle(&Status::InProgress);
    world.pass(61 * MINUTE);
    world.settle(&Status::InProgress);
    assert!(world.history.stuck.contains(&SnapshotId(4)));
    // A person replaces it, before anybody looks again.
    world.snapshots.pop();
    world.snapshots.push(row(901));
    let log = world.log.len();
    assert!(matches!(
        world.settle(&Status::InProgress),
        Step::Wait { .. }
    ));
    assert_eq!(world.log.len(), log, "{:?}", world.log);
}

fn world_time() -> jiff::Timestamp {
    time("2026-11-22T03:30:00Z")
}

#[test]
fn an_undocumented_status_that_an_earlier_process_called_stuck_holds_nothing_up_again() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world =
        World::weekly(1).holding(&[(1, "weekly-2026-11-15", odd, "2026-11-15T03:00:00Z")]);
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.pass(61 * MINUTE);
    world.settle(&DONE);
    assert!(
        world
            .log
            .iter()
            .any(|line| line.contains("weekly-2026-11-22")),
        "{:?}",
        world.log
    );
    // Another process knows it from the trail.
    world.history.seen.clear();
    assert!(!matches!(world.settle(&DONE), Step::Wait { .. }));
}

#[test]
fn a_stuck_snapshot_keeps_its_room_and_the_rotation_goes_on_beside_it() {
    let mut world = World::weekly(3);
    world.settle(&Status::InProgress);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "create weekly-2026-11-29"]
    );
    assert_eq!(world.snapshots.len(), 2);
}

#[test]
fn an_unknown_status_word_is_waited_for_and_never_deleted() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world =
        World::weekly(1).holding(&[(1, "weekly-2026-11-15", odd, "2026-11-22T03:30:00Z")]);
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.pass(SignedDuration::from_hours(2));
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn a_clock_behind_the_last_intent_blocks_until_it_catches_up() {
    let mut world = World::weekly(1);
    world.settle(&DONE);
    world.now.wall -= SignedDuration::from_mins(6);
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    world.now.wall += SignedDuration::from_mins(1);
    assert!(!matches!(world.settle(&DONE), Step::Blocked { .. }));
}

#[test]
fn a_paused_server_is_left_alone() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.record(&Fact::Paused);
    assert_eq!(world.settle(&DONE), Step::Idle { until: None });
    assert!(world.log.is_empty());
    world.record(&Fact::Resumed);
    world.settle(&DONE);
    assert_eq!(world.log.len(), 4);
}

#[test]
fn i5_an_unanswered_delete_is_repeated_for_the_same_id_and_nothing_else_is_done() {
    let mut world = World::weekly(2).holding(&old_weeklies());
    while !matches!(world.step(), Step::Delete { .. }) {
        match world.step() {
            Step::Record(fact) => world.record(&fact),
            Step::Create { name, .. } => {
                world.intend_create(&name);
                let id = Some(world.make(&name, DONE));
                world.record(&Fact::CreateResult {
                    snapshot: name,
                    outcome: Outcome::Done,
                    id,
                    server_name: None,
                });
            }
            other => panic!("{other:?}"),
        }
    }
    let (id, name) = (SnapshotId(1), "weekly-2026-11-01".to_owned());
    world.record(&Fact::DeleteIntent {
        id,
        snapshot: name,
        prune_first: None,
        reason: String::new(),
    });
    world.record(&Fact::DeleteResult {
        id,
        outcome: Outcome::Unknown,
    });
    assert!(matches!(world.step(), Step::Wait { .. }));
    world.pass(8 * MINUTE);
    assert!(matches!(
        world.step(),
        Step::Delete {
            id: SnapshotId(1),
            ..
        }
    ));
    world.policy.rotations[0].keep = 4;
    assert!(
        matches!(world.step(), Step::Wait { .. }),
        "the policy in force no longer deletes it"
    );
    world.pass(2 * MINUTE);
    assert!(matches!(
        world.step(),
        Step::Record(Fact::DeleteResult {
            outcome: Outcome::Failed,
            ..
        })
    ));
}

#[test]
fn i9_after_a_restart_an_unanswered_create_is_given_the_time_of_its_call_too() {
    let mut world = World::weekly(3);
    let name = "weekly-2026-11-22".to_owned();
    let before = When {
        wall: world.now.wall,
        mono: None,
    };
    let slot = time("2026-11-22T03:00:00Z");
    let due = Fact::SlotDue {
        rotation: "weekly".to_owned(),
        snapshot: name.clone(),
        slot,
    };
    let grace = world.rules.request_timeout;
    world.history.apply(&due, before, grace);
    world.history.apply(
        &Fact::CreateIntent {
            rotation: "weekly".to_owned(),
            snapshot: name,
            known: BTreeSet::new(),
            reason: String::new(),
        },
        before,
        grace,
    );
    world.pass(world.rules.settle_window + grace - SignedDuration::from_secs(1));
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.pass(SignedDuration::from_secs(1));
    assert!(matches!(
        world.step(),
        Step::Record(Fact::CreateResult {
            outcome: Outcome::Failed,
            ..
        })
    ));
}

#[test]
fn i9_a_wall_clock_that_leaps_ahead_does_not_end_the_settle_window() {
    let mut world = World::weekly(3);
    world.rules.settle_window = 30 * MINUTE;
    world.record(&Fact::RotationAdded {
        rotation: "weekly".to_owned(),
    });
    world.intend_create("weekly-2026-11-22");
    world.now.wall += SignedDuration::from_hours(5);
    assert!(matches!(world.step(), Step::Wait { .. }));
}
