//! Tests of snapshot owners as derived from the histories, the listings and the answers.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::core::server_event::ClockReading;
use crate::core::test_provider::TestProvider;

fn rows(count: usize) -> Vec<Snapshot> {
    TestProvider::grown(3, 3).snapshots[..count].to_vec()
}

#[test]
fn i1_a_snapshot_listed_for_one_server_and_named_in_an_answer_to_another_belongs_to_the_first() {
    let of = |events: &[ServerEvent]| {
        let mut history = ServerHistory::default();
        for event in events {
            let at = ClockReading {
                wall: Timestamp::UNIX_EPOCH,
                mono: SignedDuration::ZERO,
            };
            history.apply(event, at.into(), SignedDuration::ZERO);
        }
        history
    };
    let id = SnapshotId::from(7);
    let listed = of(&[ServerEvent::SnapshotFound {
        snapshot: "golden".into(),
        id: id.clone(),
        foreign: true,
        other_id: None,
    }]);
    let answered = of(&[
        ServerEvent::CreateIntent {
            rotation: "weekly".into(),
            known: BTreeSet::new(),
            snapshot: "weekly-2026-11-22".into(),
            reason: "it is due".to_owned(),
            by: None,
            spare: None,
            expires: None,
        },
        ServerEvent::CreateResult {
            snapshot: "weekly-2026-11-22".into(),
            outcome: Outcome::Done,
            id: Some(id.clone()),
            server_name: None,
            looked_for: false,
            hindrance: None,
            said: None,
        },
    ]);
    assert!(answered.answered_ids().any(|answered| *answered == id));
    for (first, second) in [(1, 2), (2, 1)] {
        let histories = [(first, &listed), (second, &answered)];
        let histories = histories.map(|(id, history)| (ServerId::from(id), history.clone()));
        let histories = BTreeMap::from(histories);
        let owners = SnapshotOwners::of(histories.iter());
        assert!(owners.is_of_another(&second.into(), &id));
        // The other server claims it until its next listing.
        assert_eq!(owners.claimed_one(&first.into()), Some(id.clone()));
    }
}

#[test]
fn i1_no_resume_gives_up_a_snapshot_that_its_server_lacked_but_shows_again() {
    let owners = SnapshotOwners::of(iter::empty());
    let list = |server: u64, count| {
        let server = ServerId::from(server);
        let mut inventory = Inventory {
            snapshots: rows(count),
            ..Inventory::empty(SignedDuration::ZERO)
        };
        owners.doubt_contested(&server, &mut inventory, |_| true, |_| false);
        owners.accept(&server, &inventory);
    };
    let elsewhere = || owners.shown_elsewhere(&2.into(), Some(&rows(1)), true);
    list(2, 1);
    list(1, 1);
    list(2, 0);
    // The other server's listing says nothing about the owner's.
    list(1, 1);
    assert_eq!(elsewhere(), [rows(1)[0].id.clone()]);
    // The claim ends before the owner's listing shows the snapshot again.
    list(1, 0);
    list(2, 1);
    list(1, 1);
    assert_eq!(elsewhere(), []);
}

/// Returns why a listing of one new snapshot, or of none, is in doubt.
fn doubt(owners: &SnapshotOwners, server: u64, shown: Option<&Snapshot>) -> String {
    let mut inventory = Inventory {
        snapshots: shown.cloned().into_iter().collect(),
        ..Inventory::empty(SignedDuration::ZERO)
    };
    owners.doubt_contested(&server.into(), &mut inventory, |_| true, |_| true);
    owners.accept(&server.into(), &inventory);
    inventory.doubt.unwrap_or_default()
}

#[test]
fn i9_a_new_snapshot_under_the_name_of_another_servers_open_create_blocks_both_until_a_resume() {
    let owners = SnapshotOwners::of(iter::empty());
    let row = &rows(1)[0];
    owners.apply(
        &1.into(),
        &ServerEvent::CreateIntent {
            rotation: "weekly".into(),
            known: BTreeSet::new(),
            snapshot: row.name.as_str().into(),
            reason: "it is due".to_owned(),
            by: None,
            spare: None,
            expires: None,
        },
    );
    assert_eq!(doubt(&owners, 1, None), "");
    assert!(doubt(&owners, 2, Some(row)).contains("may belong to server 1"));
    assert!(doubt(&owners, 1, None).contains("the listing of server 2 shows"));
    // If both show it, nothing shows which server it belongs to.
    assert!(doubt(&owners, 1, Some(row)).contains("so does the listing of server 2"));
    let gave_up = owners.shown_elsewhere(&1.into(), None, true);
    assert_eq!(gave_up, std::slice::from_ref(&row.id));
    let resumed = ServerEvent::Resumed {
        by: None,
        ended: Vec::new(),
        ended_restore: false,
        gave_up,
    };
    owners.apply(&1.into(), &resumed);
    assert_eq!(doubt(&owners, 1, None), "");
    assert_eq!(doubt(&owners, 2, Some(row)), "");
}

#[test]
fn i1_first_listings_of_two_servers_that_show_one_snapshot_are_in_doubt_until_only_one_shows_it() {
    let owners = SnapshotOwners::of(iter::empty());
    let look = |server: u64, count| {
        let mut inventory = Inventory {
            snapshots: rows(count),
            ..Inventory::empty(SignedDuration::ZERO)
        };
        owners.doubt_contested(&server.into(), &mut inventory, |_| true, |_| false);
        inventory
    };
    assert_eq!(look(2, 1).doubt, None);
    // Neither listing is accepted yet.
    assert!(
        look(1, 1)
            .doubt
            .is_some_and(|doubt| doubt.contains("so does"))
    );
    assert!(
        look(2, 1)
            .doubt
            .is_some_and(|doubt| doubt.contains("so does"))
    );
    assert_eq!(look(2, 0).doubt, None);
    let alone = look(1, 1);
    assert_eq!(alone.doubt, None);
    owners.accept(&1.into(), &alone);
    assert!(owners.is_of_another(&2.into(), &rows(1)[0].id));
}

#[test]
fn i1_a_claim_holds_while_the_claimants_policy_changes_to_its_other_id() {
    let owners = SnapshotOwners::of(iter::empty());
    let row = &rows(1)[0];
    assert_eq!(doubt(&owners, 1, Some(row)), "");
    assert!(doubt(&owners, 2, Some(row)).contains("which is a snapshot of server 1"));
    let other_id: ServerId = "00000002-0000-4000-8000-000000000000"
        .parse()
        .expect("a UUID");
    owners.copy_claims(&2.into(), &other_id);
    let mut inventory = Inventory {
        snapshots: rows(1),
        ..Inventory::empty(SignedDuration::ZERO)
    };
    owners.doubt_contested(&1.into(), &mut inventory, |id| *id != 2.into(), |_| false);
    let contested = inventory.contested.expect("the other id claims it");
    assert_eq!((contested.id, contested.server), (row.id.clone(), other_id));
}
