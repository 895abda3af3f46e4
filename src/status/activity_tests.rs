use std::collections::BTreeSet;

use super::*;
use crate::core::name_pattern::Pattern;
use crate::core::policy::{FormerPattern, Policy, Rules};
use crate::core::recorded_settings::RotationTerms;
use crate::core::server_event::{ClockReading, RecordedAt, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{Snapshot, SnapshotId, Status};
use crate::core::test_provider;

/// Returns the reason for a server with this mutation open since second 100 of the process. The
/// time is second 200, 06:00. The last listing was requested at second `requested` and holds these
/// ids.
fn said(open: PendingOp, requested: i64, ids: &[u64]) -> String {
    let policy = test_provider::policy(1, vec![test_provider::rotation("daily", "0 3 * * *", 2)]);
    let mut rules = test_provider::rules();
    rules.settle_window = SignedDuration::from_mins(10);
    let mut history = ServerHistory::default();
    history.open = Some(open);
    let rows = ids.iter().map(|id| Snapshot {
        uuid: None,
        id: SnapshotId::from(*id),
        name: "by-hand".to_owned(),
        status: Status::Completed,
        created_at: None,
    });
    let seen = AcceptedListing {
        rows: rows.collect(),
        at: at("2026-11-25T05:59:50Z"),
        requested: SignedDuration::from_secs(requested),
    };
    let known = known(&policy, &rules, &history, &seen);
    let current = activity(known, false, &[], &[]);
    let creating = matches!(history.open, Some(PendingOp::Create { .. }));
    let wanted = if creating {
        Activity::Creating
    } else {
        Activity::Deleting
    };
    assert_eq!(current.activity, wanted);
    assert_eq!(current.since, Some(at("2026-11-25T05:58:20Z")));
    current.reason.expect("a reason")
}

/// Returns second 200 of the process, 06:00.
fn now() -> ClockReading {
    ClockReading {
        wall: at("2026-11-25T06:00:00Z"),
        mono: SignedDuration::from_secs(200),
    }
}

fn known<'a>(
    policy: &'a Policy,
    rules: &'a Rules,
    history: &'a ServerHistory,
    seen: &'a AcceptedListing,
) -> ServerStateView<'a> {
    ServerStateView {
        policy,
        rules,
        history,
        seen: Some(seen),
        asked: None,
        creates_held: None,
        unlisted: None,
        now: now(),
    }
}

fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

fn since() -> RecordedAt {
    RecordedAt {
        wall: at("2026-11-25T05:58:20Z"),
        mono: Some(SignedDuration::from_secs(100)),
    }
}

#[test]
fn a_created_snapshot_is_shown_as_being_made_until_a_later_listing_lacks_it() {
    let create = |id: Option<u64>| PendingOp::Create {
        name: "by-hand".into(),
        known: BTreeSet::from([SnapshotId::from(1)]),
        id: id.map(SnapshotId::from),
        since: since(),
        claimed: None,
        said: None,
        sent: None,
        ordered: false,
        expires: None,
    };
    assert_eq!(said(create(Some(7)), 90, &[1]), "by-hand is being made");
    assert_eq!(said(create(Some(7)), 150, &[1, 7]), "by-hand is being made");
    let missing = "by-hand is not in the listing, and whether it was made is unknown; waiting for it until 2026-11-25 06:08 UTC";
    let known = "by-hand (id 7), which the provider accepted, is not in the listing yet; waiting for it until 2026-11-25 06:08 UTC";
    assert_eq!(said(create(Some(7)), 150, &[1]), known);
    // Snapshot 1 has the same name but existed before the create.
    assert_eq!(said(create(None), 150, &[1]), missing);
    let unknown = "it is not known yet whether by-hand was made";
    assert_eq!(said(create(None), 90, &[1]), unknown);
    assert_eq!(said(create(None), 150, &[1, 7]), unknown);
}

#[test]
fn a_delete_is_shown_as_waiting_until_listings_confirm_it() {
    let delete = PendingOp::Delete {
        id: SnapshotId::from(1),
        since: since(),
        ordered: true,
    };
    let words = "by-hand (id 1) is being deleted; waiting until listings confirm it";
    assert_eq!(said(delete, 90, &[1]), words);
}

#[test]
fn a_slot_settled_by_a_former_patterns_snapshot_is_shown_with_that_snapshots_name() {
    let mut rotation = test_provider::rotation("daily", "0 3 * * *", 2);
    let pattern = Pattern::new("old-%Y-%m-%d", "daily").expect("a pattern");
    let coarse = false;
    rotation.former = vec![FormerPattern { pattern, coarse }];
    let policy = test_provider::policy(1, vec![rotation]);
    let (rules, mut history) = (test_provider::rules(), ServerHistory::default());
    history.apply(
        &ServerEvent::SlotSettled {
            rotation: "daily".into(),
            slot: at("2026-11-25T03:00:00Z"),
            snapshot: "daily-2026-11-25".into(),
            reason: String::new(),
        },
        now().into(),
        rules.request_timeout,
    );
    for (name, shown) in [
        ("old-2026-11-25", "old-2026-11-25"),
        ("daily-2026-11-25", "daily-2026-11-25"),
        ("old-2026-11-24", "daily-2026-11-25"),
    ] {
        let row = Snapshot {
            uuid: None,
            id: SnapshotId::from(1),
            name: name.to_owned(),
            status: Status::Completed,
            created_at: Some(at("2026-11-25T02:00:00Z")),
        };
        let seen = AcceptedListing {
            rows: [row].into(),
            at: now().wall,
            requested: now().mono,
        };
        let known = known(&policy, &rules, &history, &seen);
        let view = crate::status::view_builder::view(known, false);
        let last = view.rotations[0].last.as_ref().expect("a slot");
        assert_eq!(last.snapshot, shown, "{name}");
    }
}

#[test]
fn a_slot_moved_to_another_time_is_not_shown_as_due_if_its_name_is_already_settled() {
    let policy =
        |schedule| test_provider::policy(1, vec![test_provider::rotation("daily", schedule, 2)]);
    let (rules, mut history) = (test_provider::rules(), ServerHistory::default());
    let mut record = |wall: &str, event: ServerEvent| {
        let (wall, mono) = (at(wall), None);
        history.apply(&event, RecordedAt { wall, mono }, rules.request_timeout);
    };
    let rotation = "daily".to_owned();
    let terms = |policy: &Policy| RotationTerms::of(policy, &policy.rotations[0]);
    let (before, after) = (policy("0 3 * * *"), policy("0 5 * * *"));
    record(
        "2026-11-20T00:00:00Z",
        ServerEvent::RotationAdded {
            rotation: rotation.clone().into(),
            terms: Some(terms(&before)),
            shrinks: BTreeSet::new(),
        },
    );
    let name = "daily-2026-11-25";
    record(
        "2026-11-25T03:10:00Z",
        ServerEvent::SlotSettled {
            rotation: rotation.clone().into(),
            slot: at("2026-11-25T03:00:00Z"),
            snapshot: name.into(),
            reason: String::new(),
        },
    );
    record(
        "2026-11-25T04:00:00Z",
        ServerEvent::RotationChanged {
            since: None,
            rotation: rotation.into(),
            terms: terms(&after),
            shrinks: BTreeSet::new(),
        },
    );
    let seen = AcceptedListing {
        rows: [Snapshot {
            uuid: None,
            id: SnapshotId::from(1),
            name: name.to_owned(),
            status: Status::Completed,
            created_at: Some(at("2026-11-25T03:00:00Z")),
        }]
        .into(),
        at: now().wall,
        requested: now().mono,
    };
    let view = crate::status::view_builder::view(known(&after, &rules, &history, &seen), false);
    assert_eq!(view.activity, Activity::Idle);
    assert_eq!(view.activity_until, Some(at("2026-11-26T05:00:00Z")));
    let last = view.rotations[0].last.as_ref().expect("a slot");
    assert_eq!(last.ending.as_deref(), Some("completed"));
}
