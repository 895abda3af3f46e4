//! Withholds creates for a while if the trail is new although own snapshots exist.

use std::sync::Mutex;

use jiff::SignedDuration;

use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::core::decide::Inventory;
use crate::core::policy::Policy;
use crate::core::sanitize::utc;
use crate::core::server_event::AlertText;
use crate::core::server_event::ServiceAlertKind::TrailBegins;
use crate::core::snapshot::Snapshot;

impl<A: SnapshotApi> Engine<A> {
    /// Returns how long no create may be sent for a server that already had own snapshots when the
    /// trail began. If somebody removed an earlier trail, the record of a create that may still
    /// take effect is lost.
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
        // Only the first reliable listing of this process is checked: own snapshots that appear
        // later may have been made by this process.
        let own = |row: &Snapshot| policy.place(&row.name).is_some();
        {
            let mut runtime = lock(runtime);
            if runtime.found_own.is_none() && inventory.doubt.is_some() {
                return None;
            }
            let asked = runtime.history.has_asked();
            let first = || !asked && inventory.snapshots.iter().any(own);
            if !*runtime.found_own.get_or_insert_with(first) {
                return None;
            }
        }
        let until = self.clock.now().wall.checked_add(left).ok()?;
        let text = AlertText::new(format!(
            "there was no trail at the start, but servers hold snapshots of their rotations: nothing is created on them until {}, because an earlier create request may still take effect",
            utc(until)
        ))
        .remedy("on a first start, this is normal; otherwise, find out who removed the trail");
        if !self.account.stands(TrailBegins) {
            self.set_alert(TrailBegins, Some(text)).await;
        }
        Some(left)
    }
}
