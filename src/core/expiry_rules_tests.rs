use std::collections::BTreeSet;

use super::*;
use crate::core::ordered_protection::OrderedProtection;
use crate::core::retention_verdict::{RetentionVerdict, verdicts};
use crate::core::server_event::Outcome;
use crate::core::snapshot::SnapshotId;
use crate::core::test_provider::{DONE, MINUTE, TestProvider, full_of_own};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Creates `trial` by order, which expires a day later, and lists it with this status.
fn ordered(world: &mut TestProvider, status: Status) -> SnapshotId {
    let known: BTreeSet<_> = world.snapshots.iter().map(|row| row.id.clone()).collect();
    world.record(&ServerEvent::CreateIntent {
        rotation: "".into(),
        snapshot: "trial".into(),
        known,
        reason: String::new(),
        by: Some("root".to_owned()),
        spare: None,
        expires: Some(world.now.wall + DAY),
    });
    let id = world.make("trial", status);
    world.record(&ServerEvent::CreateResult {
        snapshot: "trial".into(),
        outcome: Outcome::Done,
        id: Some(id.clone()),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    world.recorded();
    id
}

/// Returns a server at rest that holds an expiring snapshot.
fn with_trial() -> (TestProvider, SnapshotId) {
    let mut world = TestProvider::weekly(2);
    world.settle(&DONE);
    let id = ordered(&mut world, DONE);
    (world, id)
}

/// Returns the id of the snapshot whose delete is the next step, if one is.
fn deleted(world: &mut TestProvider) -> Option<SnapshotId> {
    match world.recorded() {
        Step::Delete { id, expired, .. } => {
            assert!(expired, "deleted for another reason");
            Some(id)
        }
        _ => None,
    }
}

fn row<'a>(world: &'a mut TestProvider, id: &SnapshotId) -> &'a mut Snapshot {
    let mut rows = world.snapshots.iter_mut();
    rows.find(|row| row.id == *id).expect("a row")
}

#[test]
fn i1_an_expired_snapshot_is_deleted_at_its_time_and_not_before() {
    let (mut world, id) = with_trial();
    let expires = world.now.wall + DAY;
    assert_eq!(
        world.step(),
        Step::Idle {
            until: Some(expires)
        }
    );
    world.pass(DAY - MINUTE);
    assert_eq!(deleted(&mut world), None);
    world.pass(MINUTE);
    assert_eq!(deleted(&mut world), Some(id));
}

#[test]
fn i1_a_snapshot_whose_row_differs_from_its_record_does_not_expire() {
    let changes: [fn(&mut Snapshot); 5] = [
        |row| row.name = "another".to_owned(),
        |row| row.created_at = row.created_at.map(|at| at - MINUTE),
        |row| row.created_at = None,
        |row| row.status = Status::Failed,
        |row| row.id = 77.into(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let (mut world, id) = with_trial();
        change(row(&mut world, &id));
        world.pass(DAY);
        assert_eq!(deleted(&mut world), None, "change {index}");
    }
}

#[test]
fn i1_an_expired_snapshot_that_is_protected_or_owned_by_now_stays() {
    let (mut world, id) = with_trial();
    let protection = OrderedProtection::of(row(&mut world, &id));
    world.record(&ServerEvent::SnapshotProtected(protection.clone()));
    world.pass(DAY);
    assert_eq!(deleted(&mut world), None);
    world.record(&ServerEvent::SnapshotUnprotected(protection));
    world.policy.protected_names.insert("trial".into());
    assert_eq!(deleted(&mut world), None);
    world.policy.protected_names.clear();
    assert_eq!(deleted(&mut world), Some(id));
}

#[test]
fn i1_the_last_completed_snapshot_of_a_server_does_not_expire() {
    let (mut world, id) = with_trial();
    world.pass(DAY);
    world.snapshots.retain(|row| row.id == id);
    assert_eq!(deleted(&mut world), None);
}

#[test]
fn i11_neither_a_doubtful_listing_nor_a_pause_lets_a_snapshot_expire() {
    let (mut world, id) = with_trial();
    world.pass(DAY);
    world.doubt = Some("its count differs".to_owned());
    assert_eq!(deleted(&mut world), None);
    world.doubt = None;
    world.pause();
    assert_eq!(deleted(&mut world), None);
    world.resume();
    assert_eq!(deleted(&mut world), Some(id));
}

#[test]
fn a_clock_that_is_ahead_ends_no_expiry_early_within_the_process() {
    let (mut world, id) = with_trial();
    world.now.wall += DAY;
    assert_eq!(deleted(&mut world), None);
    world.now.mono += DAY;
    assert_eq!(deleted(&mut world), Some(id.clone()));
    // Of an earlier process, only the wall clock is known.
    let (mut world, id) = with_trial();
    let json = serde_json::to_string(&world.history).expect("JSON");
    world.history = serde_json::from_str(&json).expect("a history");
    world.now.mono = SignedDuration::ZERO;
    world.pass(DAY);
    assert_eq!(deleted(&mut world), Some(id));
}

#[test]
fn on_a_full_server_an_expired_snapshot_makes_room_before_any_own_one() {
    let mut world = full_of_own();
    let last = world.snapshots.len() - 1;
    world.snapshots.remove(last);
    let id = ordered(&mut world, DONE);
    assert_eq!(world.snapshots.len(), world.rules.limit);
    world.pass(DAY);
    assert_eq!(deleted(&mut world), Some(id));
}

#[test]
fn a_snapshot_that_fails_or_has_no_reliable_date_never_expires() {
    for status in [Status::Failed, Status::InProgress] {
        let mut world = TestProvider::weekly(2);
        world.settle(&DONE);
        let id = ordered(&mut world, status);
        row(&mut world, &id).created_at = None;
        row(&mut world, &id).status = DONE;
        world.recorded();
        assert!(world.history.expiring.is_empty());
        world.pass(DAY);
        assert_eq!(deleted(&mut world), None);
    }
}

#[test]
fn i19_an_expiring_snapshot_pays_for_no_delete_and_takes_up_no_place_of_keep() {
    let mut world = TestProvider::grown(2, 2);
    let before = world.snapshots.len();
    ordered(&mut world, DONE);
    assert!(world.history.made.is_empty());
    let rest = world.settle(&DONE);
    assert!(matches!(rest, Step::Idle { .. }), "{rest:?}");
    assert_eq!(world.snapshots.len(), before + 1);
    assert!(world.log.is_empty(), "{:?}", world.log);
    // Its delete leaves the rotation's snapshots as they are.
    world.pass(DAY);
    world.settle(&DONE);
    assert_eq!(world.log, ["delete trial"]);
    assert_eq!(world.snapshots.len(), before);
    assert!(world.history.expiring.is_empty());
}

#[test]
fn the_verdict_on_an_expiring_snapshot_says_when_it_expires() {
    let (world, id) = with_trial();
    let inventory = world.inventory();
    let (policy, history) = (&world.policy, &world.history);
    let all = verdicts(policy, &inventory, history, &world.rules, world.now);
    let verdict = all
        .iter()
        .find(|verdict| verdict.id == id)
        .expect("a verdict");
    assert_eq!(verdict.fate, RetentionVerdict::Foreign);
    assert_eq!(verdict.expires, Some(world.now.wall + DAY));
    assert!(
        verdict
            .reason
            .starts_with("a manual snapshot: it expires at ")
    );
}
