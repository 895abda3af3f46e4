//! Tests of each verdict.

use std::collections::BTreeSet;

use super::RetentionVerdict::{
    Copy, Delete, Failed, Foreign, InProgress, Keep, Newest, OddDate, Protected, Stuck, Surplus,
    UnknownStatus,
};
use super::*;
use crate::core::server_event::ServerEvent;
use crate::core::test_provider::*;

fn fates(world: &mut TestProvider) -> Vec<(u64, RetentionVerdict)> {
    let found = judged(world);
    found
        .iter()
        .map(|v| (v.id.number().unwrap(), v.fate))
        .collect()
}

fn judged(world: &mut TestProvider) -> Vec<SnapshotVerdict> {
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
    world.history.observe(&world.policy, &inventory, world.now);
    verdicts(
        &world.policy,
        &inventory,
        &world.history,
        &world.rules,
        world.now,
    )
}

#[test]
fn i2_the_newest_snapshot_and_those_within_keep_are_kept_and_the_oldest_is_surplus() {
    let mut world = TestProvider::weekly(2).holding(&old_weeklies());
    let found = judged(&mut world);
    let now: Vec<_> = found.iter().map(|v| v.fate).collect();
    assert_eq!(now, [Surplus, Keep, Newest]);
    let said = "beyond keep = 2 of weekly: its deletion will be announced first";
    assert_eq!(found[0].reason, said);
    world.recorded();
    let found = judged(&mut world);
    assert_eq!(found[0].reason, "beyond keep = 2 of weekly");
    assert_eq!(found[1].reason, "within keep = 2 of weekly");
    // Snapshots that are deleted one after another are all surplus from the start.
    world.policy.rotations[0].keep = 1;
    let all = [(1, Surplus), (2, Surplus), (3, Newest)];
    assert_eq!(fates(&mut world), all);
}

#[test]
fn i1_foreign_and_protected_snapshots_get_that_verdict_whatever_their_status() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world = TestProvider::weekly(1).holding(&[
        (1, "by-hand", Status::Failed, "2026-11-01T03:00:00Z"),
        (2, "weekly-2026-1-08", DONE, "2026-11-08T03:00:00Z"),
        (3, "weekly-2026-11-08", odd, "2026-11-08T03:00:00Z"),
        (4, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
    ]);
    world.policy.protected_ids.insert(SnapshotId::from(3));
    let name = "weekly-2026-11-15".to_owned();
    world.policy.protected_names.insert(name);
    let found = judged(&mut world);
    let fates: Vec<_> = found.iter().map(|v| v.fate).collect();
    assert_eq!(fates, [Foreign, Foreign, Protected, Protected]);
    assert!(found[2].reason.contains("its id"), "{}", found[2].reason);
    assert!(found[3].reason.contains("its name"), "{}", found[3].reason);
}

#[test]
fn an_unfinished_snapshot_is_in_progress_until_it_is_stuck() {
    let rows = [(
        1,
        "weekly-2026-11-22",
        Status::InProgress,
        "2026-11-22T03:30:00Z",
    )];
    let mut world = TestProvider::weekly(1).holding(&rows);
    // Judged by its date, it will soon be more than an hour old, but only observed time counts.
    assert_eq!(fates(&mut world), [(1, InProgress)]);
    world.pass(59 * MINUTE);
    assert_eq!(fates(&mut world), [(1, InProgress)]);
    world.pass(MINUTE);
    let found = judged(&mut world);
    assert_eq!(found[0].fate, Stuck);
    assert!(found[0].reason.contains("keeps its place"));
    world.policy.delete_stuck = true;
    assert!(judged(&mut world)[0].reason.contains("it is deleted when"));
}

#[test]
fn i11_snapshots_with_an_undocumented_status_or_an_odd_date_are_kept_and_the_reason_says_why() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world = TestProvider::weekly(1).holding(&[
        (1, "weekly-2026-11-01", odd, "2026-11-01T03:00:00Z"),
        (2, "weekly-2026-11-08", DONE, "yesterday"),
        (3, "weekly-2026-11-15", DONE, "2026-11-22T04:05:01Z"),
        (4, "weekly-2026-11-15", DONE, "2026-11-22T04:05:00Z"),
        (
            5,
            "weekly-2026-11-22",
            Status::Failed,
            "2027-01-01T00:00:00Z",
        ),
    ]);
    let found = judged(&mut world);
    let fates: Vec<_> = found.iter().map(|v| v.fate).collect();
    assert_eq!(fates, [UnknownStatus, OddDate, OddDate, Newest, OddDate]);
    assert!(found[0].reason.contains("\"archiving\""));
    assert!(found[1].reason.contains("no readable date"));
    assert!(found[2].reason.contains("2026-11-22 04:05 UTC"));
}

#[test]
fn the_verdict_of_a_failed_snapshot_says_whether_a_newer_snapshot_is_completed() {
    let mut world = TestProvider::weekly(3).holding(&[
        (
            1,
            "weekly-2026-11-01",
            Status::Failed,
            "2026-11-01T03:00:00Z",
        ),
        (2, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z"),
        (
            3,
            "weekly-2026-11-15",
            Status::Failed,
            "2026-11-15T03:00:00Z",
        ),
    ]);
    let found = judged(&mut world);
    let fates: Vec<_> = found.iter().map(|v| v.fate).collect();
    assert_eq!(fates, [Failed, Newest, Failed]);
    let outlived = "it failed, and a newer snapshot of weekly is completed";
    assert!(found[0].reason.starts_with(outlived));
    assert!(found[2].reason.contains("it is deleted when"));
}

#[test]
fn the_older_snapshot_of_a_slot_is_a_copy_and_does_not_count_toward_keep() {
    let mut world = TestProvider::weekly(2).holding(&[
        (1, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z"),
        (2, "weekly-2026-11-15", DONE, "2026-11-15T03:05:00Z"),
        (3, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
    ]);
    let expected = [(1, Keep), (2, Newest), (3, Copy)];
    assert_eq!(fates(&mut world), expected);
}

#[test]
fn a_verdict_is_one_json_object_with_the_same_words_as_the_table() {
    let mut world = TestProvider::weekly(1).holding(&[(1, "by-hand", DONE, "yesterday")]);
    let json = serde_json::to_value(&judged(&mut world)[0]).expect("JSON");
    assert_eq!(
        json,
        serde_json::json!({"id": 1, "name": "by-hand", "verdict": "foreign",
            "reason": "its name matches no rotation of the policy: it is never touched",
            "protected": false, "expires": null})
    );
    for fate in [
        Foreign,
        Protected,
        UnknownStatus,
        InProgress,
        Stuck,
        OddDate,
        Failed,
        Newest,
        Copy,
        Surplus,
        Keep,
        Delete,
    ] {
        assert_eq!(serde_json::to_value(fate).expect("JSON"), fate.word());
    }
}

#[test]
fn a_snapshot_that_is_about_to_be_restored_is_protected_and_the_reason_says_so() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.record(&ServerEvent::CreateIntent {
        rotation: "".into(),
        snapshot: "before-restore".into(),
        known: BTreeSet::new(),
        reason: String::new(),
        by: Some("root".to_owned()),
        spare: Some(SnapshotId::from(1)),
        expires: None,
    });
    let found = judged(&mut world);
    assert_eq!(found[0].fate, Protected);
    assert!(
        found[0].reason.contains("about to restore"),
        "{}",
        found[0].reason
    );
}

#[test]
fn a_snapshot_is_a_copy_only_beside_a_completed_and_dated_snapshot_of_the_same_slot() {
    let name = "weekly-2026-11-08";
    let newest = || (9, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z");
    let later = "2026-11-08T03:05:00Z";
    // Each row: a snapshot listed beside a completed one that is beyond `keep`, then the verdict on
    // the completed one.
    for (beside, status, date, fate) in [
        (name, DONE, later, Copy),
        ("weekly-2026-11-09", Status::Failed, later, Surplus),
        (name, Status::Failed, later, Surplus),
        (name, DONE, "yesterday", Surplus),
    ] {
        let mut world = TestProvider::weekly(1).holding(&[
            (1, name, DONE, "2026-11-08T03:00:00Z"),
            (2, beside, status.clone(), date),
            newest(),
        ]);
        let found = fates(&mut world);
        assert_eq!(found[0], (1, fate), "{beside} {status:?} {date}");
    }
}
