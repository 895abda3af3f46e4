//! The snapshots in a server's history: unfinished ones of the rotation's creates, completed ones,
//! foreign ones, and ones that vanished.

use std::collections::BTreeSet;

use super::inventory::MOST_ROWS;
use super::last_few::keep_last;
use super::recorded_settings::Fnv;
use super::server_event::RecordedAt;
use super::server_history::{LapsedCreate, PendingOp, ServerHistory, UnfinishedSnapshot};
use super::snapshot::{Snapshot, SnapshotId};

/// Maximum number of unfinished snapshots of the rotation, and of lapsed creates, kept per server:
/// more than the provider's limit of five.
const MOST_MADE: usize = 8;

/// Maximum number of vanished snapshots kept per server. They vanished without a delete by the
/// program.
const MOST_VANISHED: usize = 16;

/// Maximum number of sent deletes whose snapshot ids are kept per server.
const MOST_DELETED: usize = 8;

/// Maximum number of ids of foreign snapshots kept per server: two for each row of the longest
/// listing.
const MOST_FOREIGN: usize = 2 * MOST_ROWS;

/// Maximum number of completed snapshots kept per server.
const MOST_COMPLETED: usize = 1024;

impl ServerHistory {
    /// Keeps the snapshot of a slot's open create as one that the rotation made.
    pub(super) fn keep_made(&mut self, id: SnapshotId, failed: Option<RecordedAt>) {
        let Some(PendingOp::Create {
            name,
            sent,
            ordered: false,
            ..
        }) = &self.open
        else {
            return;
        };
        let made = UnfinishedSnapshot {
            id,
            name: name.as_str().into(),
            sent: *sent,
            failed,
        };
        keep_last(&mut self.made, MOST_MADE, made);
    }

    /// Returns the hash of the name of a snapshot that was seen completed.
    pub(super) fn name_of(&self, id: &SnapshotId) -> Option<u64> {
        let mut completed = self.completed.iter();
        completed
            .find(|(known, _)| *known == *id)
            .map(|(_, name)| *name)
    }

    /// Returns true if a snapshot of this name was seen completed.
    pub(super) fn has_completed(&self, name: &str) -> bool {
        let name = Fnv::of(name);
        self.completed.iter().any(|(_, known)| *known == name)
    }

    pub(super) fn saw_completed(&mut self, id: SnapshotId, name: &str) {
        self.completed.retain(|(known, _)| *known != id);
        self.vanished.retain(|(known, _)| *known != id);
        self.take_back(&id);
        keep_last(&mut self.completed, MOST_COMPLETED, (id, Fnv::of(name)));
    }

    /// Returns how the create of this snapshot ended: the reason why its server is released or
    /// started.
    pub(super) fn create_ending(&self, name: &str) -> String {
        if self.has_completed(name) {
            format!("{name} is completed")
        } else {
            format!("{name} has failed, or was not created")
        }
    }

    /// Records that a completed snapshot vanished without a delete by the program.
    pub(super) fn saw_vanished(&mut self, id: &SnapshotId) {
        self.reopen_promise(id);
        let Some(name) = self.name_of(id) else { return };
        self.vanished.retain(|(known, _)| *known != *id);
        keep_last(&mut self.vanished, MOST_VANISHED, (id.clone(), name));
        let beside = self.completed.iter();
        let beside = beside.filter(|(other, known)| *known == name && *other != *id);
        self.beside.extend(beside.map(|(other, _)| other.clone()));
        self.beside.sort_unstable();
        self.beside.dedup();
    }

    /// Returns the ids of vanished snapshots that may be this one. A snapshot that was listed
    /// beside the vanished one under the same name is a different one.
    pub(super) fn former_ids(&self, snapshot: &Snapshot) -> impl Iterator<Item = &SnapshotId> {
        let heir = |name| !self.beside.contains(&snapshot.id) && name == Fnv::of(&snapshot.name);
        let vanished = self.vanished.iter();
        let former = vanished.filter(move |(id, name)| *id == snapshot.id || heir(*name));
        former.map(|(id, _)| id)
    }

    /// Returns the other ids that the trail has for this snapshot, and its own id if it vanished.
    pub fn other_ids_of(&self, snapshot: &Snapshot) -> impl Iterator<Item = &SnapshotId> {
        let identified = self.protected.iter();
        let identified = identified.filter(|(known, _)| *known == snapshot.id);
        let identified = identified.map(|(_, other)| other);
        self.former_ids(snapshot).chain(identified)
    }

    /// Swaps the two ids of a row if the trail has only the second one. A snapshot therefore stays
    /// known if the provider starts to give a second id, or changes the order of the two.
    pub fn name_as_known(&self, rows: &mut [Snapshot]) {
        for row in rows {
            if let Some(uuid) = &mut row.uuid
                && self.knows(uuid)
                && !self.knows(&row.id)
            {
                std::mem::swap(uuid, &mut row.id);
            }
        }
    }

    /// Returns the ids of completed, vanished and foreign snapshots that this server's listings
    /// have shown, except those that the server gave up.
    pub fn listed_ids(&self) -> impl Iterator<Item = &SnapshotId> {
        let listed = self.completed.iter().chain(&self.vanished);
        let listed = listed.map(|(id, _)| id);
        let foreign = self.foreign.iter().map(|(id, _)| id);
        let all = listed.chain(foreign);
        all.filter(|id| !self.gave_up(id))
    }

    /// Returns the ids, as answered or found, of the snapshots that this server's creates made and
    /// that are not completed, except those that the server gave up.
    pub fn answered_ids(&self) -> impl Iterator<Item = &SnapshotId> {
        let made = self.made.iter().map(|made| &made.id);
        let open = match &self.open {
            Some(PendingOp::Create { id, .. }) => id.as_ref(),
            _ => None,
        };
        made.chain(open).filter(|id| !self.gave_up(id))
    }

    /// Returns the name of an open create whose snapshot's id is not known yet.
    pub fn unanswered_create(&self) -> Option<&str> {
        match &self.open {
            Some(PendingOp::Create { name, id: None, .. }) => Some(name),
            _ => None,
        }
    }

    /// Returns true if a create that was refused or had no answer may still produce a snapshot of
    /// this name.
    pub fn expects(&self, name: &str) -> bool {
        let mut lapsed = self.lapsed.iter();
        lapsed.any(|lapsed| *lapsed.name == *name)
    }

    fn knows(&self, id: &SnapshotId) -> bool {
        let listed = [&self.completed, &self.vanished].into_iter().flatten();
        let mut listed = listed.map(|(known, _)| known);
        let mut regressed = self.regressed.iter().map(|(known, _)| known);
        let mut foreign = self.foreign.iter().map(|(known, _)| known);
        let expiring = self.expiring.iter().map(|(expiring, _)| &expiring.id);
        let mut made = self.made.iter().map(|made| &made.id).chain(expiring);
        let lapsed = self.lapsed.iter().any(|lapsed| lapsed.known.contains(id));
        let pruned = self.prune_first.as_deref();
        let pruned = pruned.is_some_and(|prune| prune.known.contains(id));
        let open = self.open.as_ref().is_some_and(|open| match open {
            PendingOp::Create {
                known, id: made, ..
            } => known.contains(id) || made.as_ref() == Some(id),
            PendingOp::Delete { id: open, .. } | PendingOp::Restore { id: open, .. } => open == id,
        });
        let found = listed.any(|known| known == id)
            || regressed.any(|known| known == id)
            || foreign.any(|known| known == id)
            || made.any(|known| known == id);
        found || lapsed || pruned || open || self.last_delete.as_ref() == Some(id)
    }

    pub(super) fn saw_foreign(&mut self, id: SnapshotId, name: &str) {
        self.foreign.retain(|(known, _)| *known != id);
        self.take_back(&id);
        keep_last(&mut self.foreign, MOST_FOREIGN, (id, name.into()));
    }

    /// Records that a snapshot that had a foreign name stays foreign under an own name. Does
    /// nothing for other renamed snapshots.
    pub(super) fn saw_renamed(&mut self, id: &SnapshotId, foreign: bool) {
        if foreign {
            self.foreign_renamed.retain(|known| known != id);
            keep_last(&mut self.foreign_renamed, MOST_FOREIGN, id.clone());
        }
    }

    /// Returns true if the snapshot is foreign under any name: it had a foreign name, and was later
    /// listed under an own name.
    pub fn stays_foreign(&self, snapshot: &Snapshot) -> bool {
        let mut ids = snapshot.ids();
        ids.any(|id| self.foreign_renamed.contains(id))
    }

    /// Returns true if an earlier create of the rotation made the snapshot, and removes that
    /// create.
    pub(super) fn takes_made(&mut self, id: &SnapshotId, name: &str) -> bool {
        let before = self.made.len();
        self.made.retain(|made| made.id != *id);
        if self.made.len() < before {
            return true;
        }
        let mut lapsed = self.lapsed.iter();
        let lapsed = lapsed.position(|l| *l.name == *name && !l.known.contains(id));
        lapsed.map(|at| self.lapsed.remove(at)).is_some()
    }

    /// Keeps an open create that was refused or had no answer, since its snapshot may still appear.
    /// If several have the same name, the first is kept: it has the fewest known ids.
    pub(super) fn lapse(&mut self) {
        let Some(PendingOp::Create {
            name,
            known,
            sent,
            ordered: false,
            ..
        }) = &self.open
        else {
            return;
        };
        if self.lapsed.iter().any(|lapsed| *lapsed.name == **name) {
            return;
        }
        let lapsed = LapsedCreate {
            name: name.as_str().into(),
            known: known.clone(),
            sent: *sent,
        };
        keep_last(&mut self.lapsed, MOST_MADE, lapsed);
    }

    /// Keeps the id of a snapshot whose delete is sent.
    pub(super) fn sent_delete(&mut self, id: &SnapshotId) {
        self.last_delete = Some(id.clone());
        self.deleted.retain(|known| known != id);
        keep_last(&mut self.deleted, MOST_DELETED, id.clone());
    }

    /// Returns the listed ids together with those of deleted snapshots. If a deleted snapshot is
    /// listed again, no later create has made it (I19).
    pub(super) fn with_deleted(&self, listed: &BTreeSet<SnapshotId>) -> BTreeSet<SnapshotId> {
        let mut known = listed.clone();
        known.extend(self.deleted.iter().cloned());
        known
    }

    /// Removes a snapshot that is gone.
    pub(super) fn forget(&mut self, id: &SnapshotId) {
        self.completed.retain(|(known, _)| *known != *id);
        self.regressed.retain(|(known, _)| *known != *id);
        self.expiring.retain(|(expiring, _)| expiring.id != *id);
        // While there are few foreign ones, all stay known: a provider may list one again.
        if self.foreign.len() > MOST_VANISHED {
            self.foreign.retain(|(known, _)| *known != *id);
            self.foreign_renamed.retain(|known| *known != *id);
        }
        self.beside.retain(|known| *known != *id);
        self.last_delete.take_if(|last| *last == *id);
        self.made.retain(|made| made.id != *id);
        for notes in &mut self.rotations {
            notes.remove_snapshot(id);
        }
    }
}
