//! Stores which snapshot the listings of two servers show, and which ones a server gave up (I1).
//! While a snapshot is contested, both servers are blocked, since nothing shows which of them it
//! belongs to.

use super::last_few::keep_last;
use super::ownership::ContestedSnapshot;
use super::server_history::ServerHistory;
use super::snapshot::SnapshotId;

/// Maximum number of given-up snapshots that are stored for a server.
const MOST_GIVEN_UP: usize = 16;

impl ServerHistory {
    /// Returns the snapshot that blocks this server because another server's listing shows it.
    pub fn contested(&self) -> Option<&ContestedSnapshot> {
        self.ownership.as_deref()?.contested.as_ref()
    }

    /// Returns true if a `resume` gave up this snapshot, which may be another server's.
    pub(super) fn gave_up(&self, id: &SnapshotId) -> bool {
        let ownership = self.ownership.as_deref();
        ownership.is_some_and(|ownership| ownership.given_up.contains(id))
    }

    /// Returns the last few snapshots that a `resume` gave up.
    pub fn given_up(&self) -> impl Iterator<Item = &SnapshotId> {
        let ownership = self.ownership.iter();
        ownership.flat_map(|ownership| &ownership.given_up)
    }

    pub(super) fn apply_blocked(&mut self, reason: &str, contested: Option<&ContestedSnapshot>) {
        self.blocked = Some(reason.to_owned());
        if contested.is_some() || self.ownership.is_some() {
            self.ownership.get_or_insert_default().contested = contested.cloned();
        }
    }

    pub(super) fn apply_recovered(&mut self) {
        // The server's names agree again, so the name from an older answer no longer matters.
        (self.blocked, self.answered_name) = (None, None);
        self.end_contest();
    }

    pub(super) fn end_contest(&mut self) {
        if let Some(ownership) = &mut self.ownership {
            ownership.contested = None;
        }
    }

    pub(super) fn give_up_snapshots(&mut self, ids: &[SnapshotId]) {
        let ownership = self.ownership.get_or_insert_default();
        for id in ids {
            ownership.given_up.retain(|known| known != id);
            keep_last(&mut ownership.given_up, MOST_GIVEN_UP, id.clone());
        }
    }

    /// Takes back a snapshot that this server's listing shows again.
    pub(super) fn take_back(&mut self, id: &SnapshotId) {
        if let Some(ownership) = &mut self.ownership {
            ownership.given_up.retain(|known| *known != *id);
        }
    }
}

#[cfg(test)]
#[path = "ownership_history_tests.rs"]
mod tests;
