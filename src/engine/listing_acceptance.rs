//! Decides which listings are accepted. The first one of a process, one that lacks a known
//! snapshot, and one that shows a deleted snapshot are not accepted; the next one is, if it agrees.

use crate::core::decide::Inventory;
use crate::core::snapshot::SnapshotId;

/// Maximum number of confirmed deletes that are stored for each server: a stale listing lags by
/// only a few minutes.
const MOST_GONE: usize = 8;

/// The state of one server's listings in this process.
#[derive(Default)]
pub(super) struct ListingConfirmation {
    /// Ids of the snapshots that are known to exist.
    ids: Vec<SnapshotId>,
    /// Reliable listings so far. The first accepted one is the second in a row.
    looks: u32,
    /// Contradictions in the last listings. Boxed, since nearly every server has none.
    odd: Option<Box<Contradictions>>,
}

#[derive(Default)]
struct Contradictions {
    /// Known ids that the last listing lacked.
    lacked: Vec<SnapshotId>,
    /// Ids of the latest confirmed deletes.
    gone: Vec<SnapshotId>,
    /// Deleted ids that the last listing showed again.
    returned: Vec<SnapshotId>,
    /// Known ids that disappeared without an answered delete, as confirmed by listings.
    vanished: Vec<SnapshotId>,
}

impl ListingConfirmation {
    /// Adds the ids that the trail lists, before the first listing of a process. A snapshot that
    /// disappeared while no process was running is then noticed.
    pub(super) fn expect(&mut self, ids: impl Iterator<Item = SnapshotId>) {
        if self.looks == 0 {
            let new: Vec<_> = ids.filter(|id| !self.ids.contains(id)).collect();
            self.ids.extend(new);
        }
    }

    /// Adds ids from a listing that is in doubt only because of other servers' listings. A later
    /// listing that lacks such an id must be confirmed by the next one.
    pub(super) fn know<'a>(&mut self, ids: impl Iterator<Item = &'a SnapshotId>) {
        let new: Vec<_> = ids.filter(|id| !self.ids.contains(id)).cloned().collect();
        self.ids.extend(new);
    }

    /// Returns true if this listing is accepted, or if it is in doubt and thus not compared.
    pub(super) fn believes(&mut self, inventory: &Inventory) -> bool {
        let mut odd = self.odd.take().unwrap_or_default();
        let believed = self.weigh(inventory, &mut odd);
        if !odd.is_nothing() {
            self.odd = Some(odd);
        }
        believed
    }

    /// Takes the id of a snapshot that disappeared without an answered delete; each is returned
    /// once.
    pub(super) fn vanished(&mut self) -> Option<SnapshotId> {
        self.odd.as_deref_mut()?.vanished.pop()
    }

    fn weigh(&mut self, inventory: &Inventory, odd: &mut Contradictions) -> bool {
        if inventory.doubt.is_some() {
            // A doubtful listing changes nothing anyway, and it can't confirm another, not even the
            // first.
            odd.lacked.clear();
            odd.returned.clear();
            if self.looks == 1 {
                self.looks = 0;
            }
            return true;
        }
        self.looks = self.looks.saturating_add(1);
        let mut shown: Vec<_> = inventory.snapshots.iter().map(|s| s.id.clone()).collect();
        let returned = odd.returns(&shown);
        if !returned {
            shown.retain(|id| !odd.returned.contains(id));
        }
        let known = std::mem::replace(&mut self.ids, shown);
        let gone = |id: &SnapshotId| !self.ids.contains(id);
        let lacked: Vec<_> = known.into_iter().filter(gone).collect();
        // Only the same set confirms: a previous listing that lacked more ids was wrong about
        // those, so it can't confirm the rest.
        if lacked.is_empty() || same(&lacked, &odd.lacked) {
            odd.lacked.clear();
            odd.vanished.extend(lacked);
            return returned && self.looks > 1;
        }
        self.ids.extend(lacked.iter().cloned());
        odd.lacked = lacked;
        false
    }

    /// Records that the provider answered a create with this id. A listing that lacks it must be
    /// confirmed by the next one.
    pub(super) fn made(&mut self, id: Option<SnapshotId>) {
        self.ids.extend(id);
    }

    /// Records that the provider answered a delete of this id.
    pub(super) fn deleted(&mut self, id: &SnapshotId) {
        self.ids.retain(|listed| *listed != *id);
    }

    /// Records that listings confirmed the delete of this id.
    pub(super) fn went(&mut self, id: SnapshotId) {
        let gone = &mut self.odd.get_or_insert_default().gone;
        if gone.len() == MOST_GONE {
            gone.remove(0);
        }
        gone.push(id);
    }
}

impl Contradictions {
    fn is_nothing(&self) -> bool {
        let all = [&self.lacked, &self.gone, &self.returned, &self.vanished];
        all.iter().all(|ids| ids.is_empty())
    }

    /// Returns true if the listing shows no deleted id, or the same ones as the listing before. The
    /// latter were not deleted after all.
    fn returns(&mut self, shown: &[SnapshotId]) -> bool {
        let back = self.gone.iter().filter(|&id| shown.contains(id)).cloned();
        let back: Vec<_> = back.collect();
        if back.is_empty() || same(&back, &self.returned) {
            self.gone.retain(|id| !back.contains(id));
            self.returned.clear();
            return true;
        }
        self.returned = back;
        false
    }
}

fn same(one: &[SnapshotId], other: &[SnapshotId]) -> bool {
    one.len() == other.len() && one.iter().all(|id| other.contains(id))
}
