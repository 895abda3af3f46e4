//! The snapshots that orders protect. Their protection is as strong as that of the policy's list
//! (I1): the rotation doesn't delete them, `keep` doesn't count them, and an order to delete one is
//! refused.

use super::decide::DecisionContext;
use super::ordered_protection::{MOST_ORDERED, OrderedProtection};
use super::server_history::ServerHistory;
use super::snapshot::{Snapshot, SnapshotId};

impl ServerHistory {
    /// Returns the order that protects the snapshot, under this id or another that the trail has
    /// for it.
    pub fn ordered_protection(&self, snapshot: &Snapshot) -> Option<&OrderedProtection> {
        let mut ordered = self.ordered_protections.iter();
        ordered.find(|ordered| {
            let mut ids = snapshot.ids().chain(self.other_ids_of(snapshot));
            ids.any(|id| ordered.has_id(id))
        })
    }

    /// Returns true if an order protects a snapshot with this id.
    pub fn is_protected_by_order(&self, id: &SnapshotId) -> bool {
        let mut ordered = self.ordered_protections.iter();
        ordered.any(|ordered| ordered.has_id(id))
    }

    /// Returns true if no further snapshot can be protected by order.
    pub fn is_full_of_protections(&self) -> bool {
        self.ordered_protections.len() >= MOST_ORDERED
    }

    pub(super) fn apply_protected(&mut self, protection: &OrderedProtection) {
        self.apply_unprotected(&protection.id);
        self.ordered_protections.push(protection.clone());
    }

    pub(super) fn apply_unprotected(&mut self, id: &SnapshotId) {
        self.ordered_protections
            .retain(|ordered| !ordered.has_id(id));
    }
}

impl DecisionContext<'_> {
    /// Returns true if the policy or an order protects the snapshot, including by an id under which
    /// it was listed before. A provider that assigns new ids must not remove the protection (I1).
    pub(super) fn protects(&self, snapshot: &Snapshot) -> bool {
        self.policy_protects(snapshot) || self.history.ordered_protection(snapshot).is_some()
    }

    pub(super) fn policy_protects(&self, snapshot: &Snapshot) -> bool {
        let mut other = self.history.other_ids_of(snapshot);
        self.policy.protects(snapshot) || other.any(|id| self.policy.protects_id(id))
    }
}

#[cfg(test)]
#[path = "ordered_protection_tests.rs"]
mod tests;
