use super::*;
use crate::core::decide::Step;
use crate::core::operator_order::{Order, objection};
use crate::core::retention_verdict::{RetentionVerdict, verdicts};
use crate::core::server_event::ServerEvent;
use crate::core::test_provider::{TestProvider, full_of_own, old_weeklies};

/// Protects the snapshot with this id by order.
fn protect(world: &mut TestProvider, id: u64) -> OrderedProtection {
    let id = SnapshotId::from(id);
    let row = world.snapshots.iter().find(|row| row.id == id);
    let protection = OrderedProtection {
        by: Some("root".to_owned()),
        ..OrderedProtection::of(row.expect("a row"))
    };
    world.record(&ServerEvent::SnapshotProtected(protection.clone()));
    protection
}

fn deleted(world: &mut TestProvider) -> Option<SnapshotId> {
    match world.recorded() {
        Step::Delete { id, .. } => Some(id),
        _ => None,
    }
}

#[test]
fn i1_a_snapshot_that_an_order_protects_is_not_pruned_until_the_order_is_ended() {
    let mut world = full_of_own();
    let protection = protect(&mut world, 1);
    assert_eq!(deleted(&mut world), Some(SnapshotId::from(2)));
    world.record(&ServerEvent::SnapshotUnprotected(protection));
    assert_eq!(deleted(&mut world), Some(SnapshotId::from(1)));
}

#[test]
fn keep_does_not_count_a_snapshot_that_an_order_protects_and_its_verdict_names_the_operator() {
    let mut world = TestProvider::weekly(2).holding(&old_weeklies());
    protect(&mut world, 1);
    let inventory = world.inventory();
    let (policy, history) = (&world.policy, &world.history);
    let all = verdicts(policy, &inventory, history, &world.rules, world.now);
    let fates: Vec<_> = all.iter().map(|verdict| verdict.fate).collect();
    let (protected, keep) = (RetentionVerdict::Protected, RetentionVerdict::Keep);
    assert_eq!(fates, [protected, keep, RetentionVerdict::Newest]);
    assert_eq!(
        all[0].reason,
        "protected by order of root: it is never pruned, and not counted in keep"
    );
}

#[test]
fn an_order_to_delete_a_protected_snapshot_names_the_command_that_ends_the_protection() {
    let mut world = full_of_own();
    protect(&mut world, 4);
    let order = Order::Delete {
        snapshot: "by-hand".into(),
        id: 4.into(),
    };
    let inventory = world.inventory();
    let (policy, history) = (&world.policy, &world.history);
    let why = objection(policy, &inventory, history, &world.rules, world.now, &order);
    let why = why.expect("an objection");
    assert!(why.contains("run snaprotate unprotect "), "{why}");
    world.policy.protected_ids.insert(4.into());
    let (policy, history) = (&world.policy, &world.history);
    let why = objection(policy, &inventory, history, &world.rules, world.now, &order);
    let why = why.expect("an objection");
    assert!(why.contains("remove it from protect in "), "{why}");
}

#[test]
fn i1_the_protection_holds_under_a_new_id_under_either_of_two_ids_and_after_a_checkpoint() {
    // The provider gives the snapshot a new id.
    let mut world = full_of_own();
    protect(&mut world, 1);
    world.recorded();
    let gone = ServerEvent::SnapshotGone {
        snapshot: "weekly-2026-11-01".into(),
        id: 1.into(),
        reason: String::new(),
    };
    world.record(&gone);
    world.snapshots[0].id = 77.into();
    world.settle_down();
    assert_eq!(deleted(&mut world), Some(SnapshotId::from(2)));
    // The listing shows a second id, and later only that one.
    let mut world = full_of_own();
    protect(&mut world, 1);
    let uuid: SnapshotId = "5a950000-0000-4000-8000-000000000001"
        .parse()
        .expect("an id");
    world.snapshots[0].uuid = Some(uuid.clone());
    world.recorded();
    world.snapshots[0].id = uuid;
    world.snapshots[0].uuid = None;
    let json = serde_json::to_string(&world.history).expect("JSON");
    world.history = serde_json::from_str(&json).expect("a history");
    world.settle_down();
    assert_eq!(deleted(&mut world), Some(SnapshotId::from(2)));
}
