//! Lists the reasons why `once` did not succeed: active alerts, and newest due slots without a
//! completed snapshot.

use std::borrow::Cow;

use super::enqueue_news::global_alert;
use super::{AcceptedListing, Engine, ServerRuntime, lock};
use crate::alerts::Alert;
use crate::api::SnapshotApi;
use crate::core::decide::Inventory;
use crate::core::newest_slot_completed::left_unsettled;
use crate::core::policy::Rotation;
use crate::core::rotation_and_snapshot_name::{RotationName, SnapshotName};
use crate::core::server_event::SlotOutcome;
use crate::core::snapshot::ServerId;

/// A slot that ended without a completed snapshot, or has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsettledSlot {
    /// The provider's id of the server.
    pub server: ServerId,
    /// The server's name.
    pub server_name: String,
    /// The rotation; empty if the server did not come to rest for another reason.
    pub rotation: RotationName,
    /// The name of the slot's snapshot.
    pub snapshot: SnapshotName,
    /// Why there is no completed snapshot, or why the server did not come to rest.
    pub reason: String,
}

impl<A: SnapshotApi> Engine<A> {
    /// Returns all active alerts, those of the account and the trail first.
    pub fn all_standing(&self) -> Vec<Alert> {
        let of_service = self.service_alerts().into_iter().map(global_alert);
        of_service.chain(self.standing()).collect()
    }

    /// Returns the newest due slots that have no completed snapshot at the end of `once`. A server
    /// that has no such slot and no active alert, but did not come to rest, gets one entry without
    /// a rotation.
    pub fn unsettled(&self) -> Vec<UnsettledSlot> {
        let wanted = self.wanted();
        let mut all = Vec::new();
        for (server, policy) in wanted.policies.iter() {
            let runtime = self.runtime(server);
            let runtime = lock(&runtime);
            if runtime.settled {
                continue;
            }
            let before = all.len();
            let entry = |rotation: &str, snapshot: String, reason: &str| UnsettledSlot {
                server: server.clone(),
                server_name: policy.called().to_owned(),
                rotation: rotation.into(),
                snapshot: snapshot.into(),
                reason: reason.to_owned(),
            };
            let (rules, now) = (&wanted.rules, self.clock.now());
            let nothing = || Inventory::empty(now.mono);
            let seen = runtime
                .seen
                .as_ref()
                .map_or_else(nothing, AcceptedListing::inventory);
            for (rotation, name) in left_unsettled(policy, &seen, &runtime.history, rules, now) {
                let reason = why(&runtime, rotation, &name);
                all.push(entry(&rotation.name, name, &reason));
            }
            // An active alert already gives the reason.
            if all.len() == before && runtime.history.alerts.is_empty() {
                let reason = if runtime.history.paused().is_some() {
                    "the server is paused"
                } else {
                    "work on the server is not finished"
                };
                all.push(entry("", String::new(), reason));
            }
        }
        all
    }
}

fn why(runtime: &ServerRuntime, rotation: &Rotation, name: &str) -> Cow<'static, str> {
    if runtime.history.paused().is_some() {
        return "the server is paused".into();
    }
    if let Some(missing) = runtime.history.missing(&rotation.name, name) {
        return missing.reason().into();
    }
    let why = match runtime.history.slot(&rotation.name, name).map(|n| n.ending) {
        Some(Some(SlotOutcome::GivenUp | SlotOutcome::Skipped)) => {
            "the slot ended without a snapshot"
        }
        Some(Some(SlotOutcome::Paused)) => "the slot passed during a pause",
        Some(None) if runtime.history.open.is_some() => {
            "the outcome of its create request is still unknown"
        }
        Some(None) => "the slot has no completed snapshot yet",
        _ if runtime.seen.is_none() => "the server's snapshots could not be listed",
        _ => "no snapshot was made for the slot",
    };
    why.into()
}
