use super::super::server_event::{Outcome, ServerEvent};
use super::super::test_provider::{DONE, MINUTE, TestProvider, full_of_own, old_weeklies};
use super::*;
use crate::core::decide::Step;

fn create(name: &str) -> Order {
    Order::Create {
        snapshot: name.into(),
        spare: None,
        description: None,
        expires: None,
    }
}

fn delete(name: &str, id: u64) -> Order {
    Order::Delete {
        snapshot: name.into(),
        id: SnapshotId::from(id),
    }
}

fn restore(name: &str, id: u64) -> Order {
    Order::Restore {
        snapshot: name.into(),
        id: SnapshotId::from(id),
    }
}

/// Returns one order of each kind. A server with `old_weeklies` permits all of them.
fn orders() -> [Order; 3] {
    [
        create("by-hand"),
        delete("weekly-2026-11-08", 2),
        restore("weekly-2026-11-15", 3),
    ]
}

fn objection_of(world: &TestProvider, order: &Order) -> Option<String> {
    let inventory = Inventory {
        hostname: None,
        other_id: None,
        server_name: Some("web".to_owned()),
        snapshots: world.snapshots.clone(),
        state: None,
        requested: world.now.mono,
        doubt: world.doubt.clone(),
        contested: world.contested.clone(),
    };
    let TestProvider {
        policy,
        history,
        rules,
        now,
        ..
    } = world;
    objection(policy, &inventory, history, rules, *now, order)
}

fn refused(world: &TestProvider, order: &Order, why: &str) {
    let said = objection_of(world, order).unwrap_or_default();
    assert!(said.contains(why), "{order:?}: {said:?} instead of {why:?}");
}

fn weeklies() -> TestProvider {
    TestProvider::weekly(3).holding(&old_weeklies())
}

#[test]
fn an_order_is_allowed_on_a_valid_listing_even_while_the_server_is_paused() {
    let mut world = weeklies();
    for order in orders() {
        assert_eq!(objection_of(&world, &order), None);
    }
    world.pause();
    for order in orders() {
        assert_eq!(objection_of(&world, &order), None);
    }
}

#[test]
fn i5_no_order_is_allowed_while_a_mutation_is_open() {
    let mut world = weeklies();
    world.intend_create("weekly-2026-11-22");
    for order in orders() {
        refused(
            &world,
            &order,
            "it is not known yet whether weekly-2026-11-22 was made",
        );
    }
    let id = Some(world.make("weekly-2026-11-22", Status::InProgress));
    world.record(&ServerEvent::CreateResult {
        snapshot: "weekly-2026-11-22".into(),
        outcome: Outcome::Done,
        id,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    for order in orders() {
        refused(&world, &order, "weekly-2026-11-22 is being made");
    }
}

#[test]
fn an_open_call_is_described_by_name_and_id_if_the_listing_has_both() {
    let world = weeklies();
    let since = world.now.into();
    let deleted = |id| {
        let id = SnapshotId::from(id);
        let ordered = true;
        let open = PendingOp::Delete { id, since, ordered };
        describe_open_call(&open, &world.snapshots)
    };
    assert_eq!(deleted(2), "weekly-2026-11-08 (id 2) is being deleted");
    assert_eq!(deleted(9), "the snapshot with id 9 is being deleted");
}

#[test]
fn i11_no_order_is_allowed_while_the_listing_the_server_name_or_the_clock_is_in_doubt() {
    let mut world = weeklies();
    world.doubt = Some("its count differs".to_owned());
    for order in orders() {
        refused(&world, &order, "its count differs");
    }
    let mut world = weeklies();
    world.policy.name = Some("other".to_owned());
    for order in orders() {
        refused(&world, &order, r#"calls this server "web""#);
    }
    let mut world = weeklies();
    world.history.last_intent = Some(world.now.wall + 6 * MINUTE);
    for order in orders() {
        refused(&world, &order, "snaprotate resume");
    }
    world.history.last_intent = Some(world.now.wall + 5 * MINUTE);
    assert_eq!(objection_of(&world, &create("by-hand")), None);
}

#[test]
fn i12_after_a_restore_every_order_is_refused_until_the_window_ends() {
    let mut world = weeklies();
    let id = SnapshotId::from(3);
    world.record(&ServerEvent::RestoreIntent {
        snapshot: "weekly-2026-11-15".into(),
        id: id.clone(),
        by: Some("root".to_owned()),
    });
    for order in orders() {
        refused(&world, &order, "(id 3) is being restored");
    }
    let outcome = Outcome::Done;
    world.record(&ServerEvent::RestoreResult { id, outcome });
    world.pass(29 * MINUTE);
    for order in orders() {
        refused(&world, &order, "left alone until 2026-11-22 04:30 UTC");
    }
    // A `resume` of the server ends the window; a `resume` of all servers does not.
    let mut told = TestProvider::weekly(3);
    told.history = world.history.clone();
    told.now = world.now;
    told.snapshots.clone_from(&world.snapshots);
    told.history.resume(None, told.now.wall);
    assert!(left_alone(&told.policy, &told.history, &told.rules, told.now).is_some());
    told.resume();
    assert!(left_alone(&told.policy, &told.history, &told.rules, told.now).is_none());
    world.pass(MINUTE);
    for order in orders() {
        assert_eq!(objection_of(&world, &order), None);
    }
}

#[test]
fn a_refused_restore_blocks_neither_orders_nor_the_rotation() {
    for outcome in [Outcome::Failed, Outcome::NoServer, Outcome::Later] {
        let mut world = weeklies();
        let id = SnapshotId::from(3);
        world.record(&ServerEvent::RestoreIntent {
            snapshot: "weekly-2026-11-15".into(),
            id: id.clone(),
            by: None,
        });
        world.record(&ServerEvent::RestoreResult { id, outcome });
        assert_eq!(objection_of(&world, &create("by-hand")), None);
        assert!(matches!(world.recorded(), Step::Create { .. }));
    }
}

#[test]
fn a_create_order_needs_an_unused_name_that_is_valid_and_matches_no_rotation() {
    let world = weeklies();
    for name in ["", "by hand", "snap/1", "schnappschuß"] {
        refused(&world, &create(name), "letters, digits, hyphens");
    }
    let slot = create("weekly-2027-01-03");
    refused(&world, &slot, "a name pattern of the rotation weekly");
    let world = full_of_own();
    refused(&world, &create("by-hand"), "already exists (id 4)");
}

#[test]
fn i10_a_create_order_needs_room_and_may_not_use_room_that_was_made_for_a_slot() {
    let mut world = full_of_own();
    refused(&world, &create("mine"), "the server holds 5 of 5");
    let known = world.snapshots.iter().map(|s| s.id.clone()).collect();
    let id = SnapshotId::from(1);
    world.intend_delete(id.clone(), "weekly-2026-11-01", Some(known));
    let outcome = Outcome::Done;
    world.record(&ServerEvent::DeleteResult {
        id: id.clone(),
        outcome,
    });
    world.snapshots.retain(|s| s.id != id);
    world.record(&ServerEvent::DeleteConfirmed { id });
    refused(&world, &create("mine"), "made for a slot that is due");
    // With another free place, one is left for the slot.
    world.snapshots.retain(|s| s.name != "other");
    assert_eq!(objection_of(&world, &create("mine")), None);
}

#[test]
fn i17_a_delete_or_restore_order_applies_to_exactly_the_snapshot_that_was_shown() {
    let world = weeklies();
    for order in [
        delete("weekly-2026-11-08", 9),
        restore("weekly-2026-11-08", 9),
    ] {
        refused(&world, &order, "is gone, or belongs to another server");
    }
    for order in [
        delete("weekly-2026-11-08", 1),
        restore("weekly-2026-11-08", 1),
    ] {
        refused(&world, &order, r#"is called "weekly-2026-11-01" now"#);
    }
}

#[test]
fn a_delete_order_may_name_a_foreign_snapshot_but_not_a_protected_one() {
    let mut world = full_of_own();
    assert_eq!(objection_of(&world, &delete("by-hand", 4)), None);
    world.policy.protected_ids.insert(SnapshotId::from(4));
    let order = delete("by-hand", 4);
    refused(&world, &order, "remove it from protect in web.toml");
    assert_eq!(objection_of(&world, &restore("by-hand", 4)), None);
}

#[test]
fn only_a_completed_snapshot_can_be_restored_and_only_while_no_other_is_being_made() {
    let mut world = weeklies();
    for status in [
        Status::Failed,
        Status::InProgress,
        Status::Unknown("odd".to_owned()),
    ] {
        world.snapshots[2].status = status;
        let order = restore("weekly-2026-11-15", 3);
        refused(&world, &order, "only a completed snapshot can be restored");
    }
    world.snapshots[2].status = DONE;
    world.make("by-hand", Status::InProgress);
    let order = restore("weekly-2026-11-15", 3);
    refused(&world, &order, "by-hand is being made");
}
