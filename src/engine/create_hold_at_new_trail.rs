//! The hold on creates when the trail is new although own snapshots exist.

use std::sync::Mutex;

use jiff::SignedDuration;

use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::core::decide::Inventory;
use crate::core::policy::Policy;
use crate::core::sanitize::utc;
use crate::core::server_event::ServiceAlertKind::TrailBegins;
use crate::core::snapshot::Snapshot;

impl<A: SnapshotApi> Engine<A> {
    /// Returns how long no create may be sent to a server that already has own snapshots at a first
    /// start. If there had been a trail and somebody removed it, the record of a create that may
    /// still take effect would be lost.
    pub(super) async fn create_hold(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
    ) -> Option<SignedDuration> {
        let left = self.begins_until - self.clock.now().mono;
        if !left.is_positive() {
            self.set_alert(TrailBegins, None).await;
            return None;
        }
        // Checked at the first look only: own snapshots that appear later may come from this
        // process.
        let own = |row: &Snapshot| policy.place(&row.name).is_some();
        {
            let mut runtime = lock(runtime);
            let asked = runtime.history.has_asked();
            let first = || !asked && inventory.snapshots.iter().any(own);
            if !*runtime.found_own.get_or_insert_with(first) {
                return None;
            }
        }
        let until = self.clock.now().wall.checked_add(left).ok()?;
        let reason = format!(
            "there was no trail at the start, but servers hold snapshots of their rotations: nothing is created on them until {}, because an earlier create request may still take effect. On a first start, this is normal; otherwise, find out who removed the trail",
            utc(until)
        );
        if !self.account.stands(TrailBegins) {
            self.set_alert(TrailBegins, Some(reason)).await;
        }
        Some(left)
    }
}
