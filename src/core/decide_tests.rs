//! The boundaries of the decision's first rules, and of the pause between tries.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::*;
use crate::core::in_flight_rules::create_result;
use crate::core::server_event::Outcome;
use crate::core::snapshot::Status;
use crate::core::test_provider::*;

#[test]
fn i8_nothing_is_pruned_before_the_new_snapshot_is_completed() {
    let mut world = TestProvider::weekly(3).holding(&old_weeklies());
    let end = world.settle(&Status::InProgress);
    assert!(matches!(end, Step::Wait { .. }), "{end:?}");
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn i11_a_doubtful_listing_blocks_everything() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.doubt = Some("count says 4, 3 were read".to_owned());
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn a_renamed_server_is_blocked() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.policy.name = Some("mail".to_owned());
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn i11_with_an_empty_listing_the_answers_server_name_is_checked_until_the_snapshot_completes() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    let id = SnapshotId::from(901);
    world.record(&ServerEvent::CreateResult {
        snapshot: "weekly-2026-11-22".into(),
        outcome: Outcome::Done,
        id: Some(id.clone()),
        server_name: Some("mail".to_owned()),
        looked_for: false,
        hindrance: None,
        said: None,
    });
    let blocked = |world: &mut TestProvider| matches!(world.recorded(), Step::Blocked { .. });
    assert!(blocked(&mut world));
    world.record(&ServerEvent::SnapshotCompleted {
        snapshot: "weekly-2026-11-22".into(),
        id,
        pays: Some(false),
    });
    assert!(!blocked(&mut world));
}

#[test]
fn i11_a_server_name_that_a_later_listing_corrected_does_not_block_an_emptied_server() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    world.record(&ServerEvent::CreateResult {
        snapshot: "weekly-2026-11-22".into(),
        outcome: Outcome::Done,
        id: Some(SnapshotId::from(899)),
        server_name: Some("mail".to_owned()),
        looked_for: false,
        hindrance: None,
        said: None,
    });
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    // The server was renamed back, and somebody deleted the snapshot; another row shows the name.
    world.make("by-hand", DONE);
    world.pass(11 * MINUTE);
    assert!(!matches!(world.settle(&DONE), Step::Blocked { .. }));
    world.snapshots.clear();
    assert!(!matches!(world.step(), Step::Blocked { .. }));
}

#[test]
fn a_rotation_recorded_as_added_in_the_future_is_recorded_again_beyond_the_clock_tolerance() {
    let moment = SignedDuration::from_nanos(1);
    for (back, again) in [(CLOCK_TOLERANCE, false), (CLOCK_TOLERANCE + moment, true)] {
        let mut world = TestProvider::weekly(3);
        world.recorded();
        world.now.wall -= back;
        let noted = matches!(
            world.step(),
            Step::Record(ServerEvent::RotationAdded { .. })
        );
        assert_eq!(noted, again, "{back}");
    }
}

#[test]
fn i4_a_listing_older_than_the_last_answer_justifies_nothing() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.record(&ServerEvent::RotationAdded {
        rotation: "weekly".into(),
        terms: None,
        shrinks: BTreeSet::new(),
    });
    world.history.last_answer = Some(world.now.mono + MINUTE);
    assert!(matches!(world.step(), Step::Wait { .. }));
}

#[test]
fn i8_a_new_snapshot_with_a_stuck_snapshots_name_is_not_stuck() {
    let mut world = TestProvider::weekly(2).holding(&old_weeklies());
    let name = "weekly-2026-11-22";
    let row = |id| Snapshot {
        uuid: None,
        id: SnapshotId::from(id),
        name: name.to_owned(),
        status: Status::InProgress,
        created_at: Some(world_time()),
    };
    world.snapshots.push(row(4));
    world.settle(&Status::InProgress);
    world.pass(61 * MINUTE);
    world.settle(&Status::InProgress);
    assert!(world.history.stuck.contains(&SnapshotId::from(4)));
    // A person replaces it before the next listing.
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
fn a_stuck_snapshot_with_an_undocumented_status_is_not_waited_for_again_after_a_restart() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world =
        TestProvider::weekly(1).holding(&[(1, "weekly-2026-11-15", odd, "2026-11-15T03:00:00Z")]);
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
    // As after a restart: the new process has only what the trail holds.
    world.history.seen.clear();
    assert!(!matches!(world.settle(&DONE), Step::Wait { .. }));
}

#[test]
fn a_stuck_snapshot_keeps_its_place_and_the_rotation_continues() {
    let mut world = TestProvider::weekly(3);
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
fn a_snapshot_with_an_unknown_status_is_waited_for_and_never_deleted() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world =
        TestProvider::weekly(1).holding(&[(1, "weekly-2026-11-15", odd, "2026-11-22T03:30:00Z")]);
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.pass(SignedDuration::from_hours(2));
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn a_clock_behind_the_last_intent_blocks_until_it_catches_up() {
    let mut world = TestProvider::weekly(1);
    world.settle(&DONE);
    world.now.wall -= SignedDuration::from_mins(6);
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    world.now.wall += SignedDuration::from_mins(1);
    assert!(!matches!(world.settle(&DONE), Step::Blocked { .. }));
}

/// No rotation's pattern gives the name of an operator's snapshot, so only its id identifies it.
#[test]
fn an_operators_snapshot_is_watched_by_its_id_until_it_completes_fails_or_is_stuck() {
    for (status, left) in [
        (DONE, "closed"),
        (Status::Failed, "closed"),
        (Status::InProgress, "open"),
        (Status::Unknown("odd".to_owned()), "open"),
    ] {
        let mut world = TestProvider::weekly(3).holding(&old_weeklies());
        world.settle(&DONE);
        world.intend_create("by-hand");
        let id = Some(world.make("by-hand", status.clone()));
        world.record(&ServerEvent::CreateResult {
            snapshot: "by-hand".into(),
            outcome: Outcome::Done,
            id,
            server_name: None,
            looked_for: false,
            hindrance: None,
            said: None,
        });
        let step = world.recorded();
        let open = world.history.open.is_some();
        assert_eq!(open, left == "open", "{status:?}");
        assert_eq!(matches!(step, Step::Wait { .. }), open, "{status:?}");
        world.pass(world.rules.stuck_after);
        world.recorded();
        assert_eq!(
            world.history.open, None,
            "{status:?}: a stuck snapshot is not watched"
        );
        let attempts = world.history.slots("weekly").map(|note| note.attempts);
        assert_eq!(attempts.sum::<u32>(), 0, "no slot is charged an attempt");
    }
}

#[test]
fn i6_a_create_whose_rotation_was_removed_from_the_policy_is_watched_until_it_ends() {
    for status in [DONE, Status::Failed] {
        let mut world = TestProvider::weekly(3).holding(&old_weeklies());
        while let Step::Record(event) = world.step() {
            world.record(&event);
        }
        world.intend_create("weekly-2026-11-22");
        world.record(&create_result("weekly-2026-11-22", Outcome::Unknown, None));
        world.policy.rotations = vec![rotation("monthly", "0 4 1 * *", 1)];
        world.make("weekly-2026-11-22", Status::InProgress);
        let step = world.recorded();
        assert!(matches!(step, Step::Wait { .. }), "{status:?}: {step:?}");
        assert!(world.history.open.is_some());
        let made = world.snapshots.len() - 1;
        world.snapshots[made].status = status.clone();
        let step = world.recorded();
        assert_eq!(world.history.open, None, "{status:?}");
        assert!(matches!(step, Step::Create { .. }), "{status:?}: {step:?}");
    }
}

#[test]
fn a_rotation_that_was_removed_and_added_again_has_no_slots_in_between() {
    let daily = || vec![rotation("daily", "0 3 * * *", 3)];
    let mut world = TestProvider::new(daily());
    world.settle(&DONE);
    world.policy.rotations.clear();
    world.settle(&DONE);
    assert_eq!(world.history.since("daily"), None);
    world.pass(SignedDuration::from_hours(24 * 9));
    world.policy.rotations = daily();
    world.settle(&DONE);
    let slots: Vec<_> = world.history.slots("daily").map(|s| &s.name).collect();
    assert_eq!(slots, ["daily-2026-11-22", "daily-2026-12-01"]);
}

#[test]
fn the_pause_between_tries_doubles_up_to_an_hour_and_varies_by_server_by_up_to_a_quarter() {
    let mut world = TestProvider::weekly(3);
    let inventory = Inventory {
        hostname: None,
        other_id: None,
        server_name: None,
        snapshots: Vec::new(),
        state: None,
        requested: world.now.mono,
        doubt: None,
        contested: None,
    };
    for (tries, minutes) in [
        (1, 5),
        (2, 10),
        (3, 20),
        (4, 40),
        (5, 60),
        (6, 60),
        (99, 60),
    ] {
        let base = minutes * MINUTE;
        let pauses: BTreeSet<_> = (0..256)
            .map(|server| {
                world.policy.server = crate::core::snapshot::ServerId::from(server);
                let server = DecisionContext {
                    policy: &world.policy,
                    inventory: &inventory,
                    history: &world.history,
                    rules: &world.rules,
                    now: world.now,
                };
                server.backoff("weekly-2026-11-22", tries)
            })
            .collect();
        let (first, last) = (pauses.first(), pauses.last());
        let (first, last) = first.zip(last).expect("pauses");
        assert!(
            *first >= base && *last <= base + base / 4,
            "{tries}: {first:?} {last:?}"
        );
        // More than half of them are distinct.
        assert!(pauses.len() > 128, "{tries}: {} pauses", pauses.len());
        assert!(*last - *first > base / 5, "{tries}: {first:?} {last:?}");
    }
}
