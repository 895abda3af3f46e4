//! How completed snapshots become payments, and when a payment or a promise counts (I7, I19).

use std::collections::BTreeSet;

use super::decide::{DecisionContext, Step};
use super::inventory::Inventory;
use super::payment_and_promise::{Payer, PruneFirstPromise};
use super::retention::OwnSnapshot;
use super::rotation_history::RotationRecord;
use super::server_history::ServerHistory;
use super::snapshot::{SnapshotId, Status};

impl ServerHistory {
    /// Applies the completion of a snapshot that the rotation made as requested (I19). It keeps the
    /// open promise, or may pay for a snapshot beyond `keep`.
    pub(super) fn record_payer(&mut self, name: &str, payer: Payer) {
        let promise = self.prune_first.as_deref_mut();
        let open = promise.filter(|promise| promise.kept_by.is_none());
        // A snapshot that was listed before the promise does not keep it.
        if let Some(promise) = open.filter(|promise| !promise.known.contains(&payer.id)) {
            promise.kept_by = Some(payer);
            return;
        }
        let of_slot = |notes: &&mut RotationRecord| notes.slots.iter().any(|n| n.name == name);
        if let Some(notes) = self.rotations.iter_mut().find(of_slot) {
            notes.add_payment(payer);
        }
    }

    /// Reopens the promise if the snapshot that kept it is gone, and only one listing showed that
    /// snapshot as completed.
    pub(super) fn reopen_promise(&mut self, gone: &SnapshotId) {
        if let Some(promise) = self.prune_first.as_deref_mut() {
            let unconfirmed = |payer: &mut Payer| payer.id == *gone && payer.completed.is_some();
            promise.kept_by.take_if(unconfirmed);
        }
    }

    /// Returns the promise of the last prune-first while nothing that was made since keeps it.
    pub(super) fn open_promise(&self) -> Option<&PruneFirstPromise> {
        let promise = self.prune_first.as_deref();
        promise.filter(|promise| promise.kept_by.is_none())
    }

    /// Returns the snapshot that keeps the promise of the last prune-first.
    pub(super) fn promise_keeper(&self) -> Option<&Payer> {
        self.prune_first.as_deref()?.kept_by.as_ref()
    }

    /// Confirms the promise if this is the second listing that shows its snapshot as completed.
    pub(super) fn confirm_promise(&mut self, inventory: &Inventory) {
        let Some(promise) = self.prune_first.as_deref_mut() else {
            return;
        };
        let Some(payer) = promise.kept_by.as_mut() else {
            return;
        };
        let later = payer.completed.is_some_and(|at| inventory.requested > at);
        let mut rows = inventory.snapshots.iter();
        if later && rows.any(|row| row.id == payer.id && row.status == Status::Completed) {
            payer.completed = None;
            promise.known = BTreeSet::new();
        }
    }

    /// Binds a payment to the snapshot that it pays for.
    pub(super) fn bind_payment(&mut self, payer: &SnapshotId, victim: &SnapshotId) {
        let payments = self.rotations.iter_mut().flat_map(|r| &mut r.payments);
        for payment in payments.filter(|payment| payment.by.id == *payer) {
            payment.victim = Some(victim.clone());
        }
    }
}

impl DecisionContext<'_> {
    /// Returns true if the listing was requested after this process recorded the payer's
    /// completion, or if no such time is stored. The payer's row is not checked here.
    pub(super) fn is_confirmed(&self, payer: &Payer) -> bool {
        payer
            .completed
            .is_none_or(|completed| self.inventory.requested > completed)
    }

    /// Returns the snapshot that keeps the last prune-first's promise if only one listing has shown
    /// it as completed.
    pub(super) fn unconfirmed_promise(&self) -> Option<&Payer> {
        let payer = self.history.promise_keeper();
        payer.filter(|payer| !self.is_confirmed(payer))
    }

    /// Returns the step that waits for a second listing of a new payer.
    pub(super) fn confirm(&self, payer: &Payer) -> Step {
        let mut rows = self.inventory.snapshots.iter();
        let row = rows.find(|row| row.id == payer.id);
        let name = row.map_or("the new snapshot", |row| &row.name);
        self.poll(&format!(
            "no other snapshot is deleted for {name} until a second listing shows it as completed"
        ))
    }

    /// Returns true if a prune-first may delete the snapshot (I7, I19). A second prune-first is not
    /// permitted before the rotation has made a snapshot since the first, or while that new
    /// snapshot is listed with a status other than completed. The same delete may be sent again,
    /// and the new snapshot itself may be deleted.
    pub(super) fn may_promise(&self, own: &OwnSnapshot<'_>) -> bool {
        let Some(last) = self.history.prune_first.as_deref() else {
            return true;
        };
        match &last.kept_by {
            None => last.victim == own.snapshot.id,
            Some(payer) => payer.id == own.snapshot.id || !self.is_promise_broken(),
        }
    }

    /// Returns true if the snapshot that was made after the last prune-first is listed with a
    /// status other than completed, or vanished before a second listing showed it.
    fn is_promise_broken(&self) -> bool {
        let Some(payer) = self.history.promise_keeper() else {
            return false;
        };
        let mut rows = self.inventory.snapshots.iter();
        let row = rows.find(|row| row.id == payer.id);
        row.map_or(payer.completed.is_some(), |row| {
            row.status != Status::Completed
        })
    }

    /// Returns true if nothing is owed for a prune-first.
    pub(super) fn is_promise_kept(&self) -> bool {
        self.history.open_promise().is_none() && !self.is_promise_broken()
    }

    /// Returns why a full server is not pruned a second time.
    pub(super) fn why_not_pruned_again(&self) -> String {
        let payer = self.history.promise_keeper();
        let why = match payer.filter(|_| self.is_promise_broken()) {
            Some(payer) => format!(
                "the snapshot with id {}, made since a snapshot was last deleted to make room, is no longer listed as completed",
                payer.id
            ),
            None => "no snapshot has been made since one was last deleted to make room".to_owned(),
        };
        format!(
            "the server is full, and {why}: delete one that nobody needs, or run snaprotate resume {} to let the rotation delete another",
            self.policy.server
        )
    }

    /// Returns true if a prune-first made the free room and its slot still needs it.
    pub(super) fn room_is_owed(&self) -> bool {
        let open = self.history.open_promise();
        let there = |id: &SnapshotId| self.inventory.snapshots.iter().any(|s| s.id == *id);
        open.is_some_and(|open| !there(&open.victim))
    }
}
