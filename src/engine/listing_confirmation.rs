//! Which listing is believed: the first one of a process, one that lacks what is known to
//! be there, and one that shows what was deleted, only when the next says the same.

use crate::core::decide::Inventory;
use crate::core::snapshot::SnapshotId;

/// So many deleted ones are remembered for each server: a listing lags behind by minutes.
const MOST_GONE: usize = 8;

/// What the listings of one server showed so far in this process.
#[derive(Default)]
pub(super) struct ListingConfirmation {
    /// The ids that are known to be there.
    ids: Vec<SnapshotId>,
    /// Listings that could be relied on: counted on from two in a row.
    looks: u32,
    /// What is odd about the last ones; nearly always nothing, so it takes no room.
    odd: Option<Box<Contradictions>>,
}

#[derive(Default)]
struct Contradictions {
    /// The known ids that the last listing lacked.
    lacked: Vec<SnapshotId>,
    /// The newest of those that a delete made go, as listings agreed.
    gone: Vec<SnapshotId>,
    /// Those of them that the last listing showed again.
    returned: Vec<SnapshotId>,
    /// Known ones that went, as listings agreed, though the provider answered no delete of them.
    vanished: Vec<SnapshotId>,
}

impl ListingConfirmation {
    /// Before the first listing of a process: what the trail says is there. What went while
    /// none looked is noticed so.
    pub(super) fn expect(&mut self, ids: impl Iterator<Item = SnapshotId>) {
        if self.looks == 0 {
            let new: Vec<_> = ids.filter(|id| !self.ids.contains(id)).collect();
            self.ids.extend(new);
        }
    }

    /// Whether to go by this listing.
    pub(super) fn believes(&mut self, inventory: &Inventory) -> bool {
        let mut odd = self.odd.take().unwrap_or_default();
        let believed = self.weigh(inventory, &mut odd);
        if !odd.is_nothing() {
            self.odd = Some(odd);
        }
        believed
    }

    /// One that went without an answered delete of ours, once.
    pub(super) fn vanished(&mut self) -> Option<SnapshotId> {
        self.odd.as_deref_mut()?.vanished.pop()
    }

    fn weigh(&mut self, inventory: &Inventory, odd: &mut Contradictions) -> bool {
        if inventory.doubt.is_some() {
            // It changes nothing anyway, and can't bear witness, not for the first one either.
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
        // One that lacked more was wrong in that, and bears no witness for the rest.
        if lacked.is_empty() || same(&lacked, &odd.lacked) {
            odd.lacked.clear();
            odd.vanished.extend(lacked);
            return returned && self.looks > 1;
        }
        self.ids.extend(lacked.iter().cloned());
        odd.lacked = lacked;
        false
    }

    /// The provider answered that it made this one: a listing that lacks it is asked for
    /// once more.
    pub(super) fn made(&mut self, id: Option<SnapshotId>) {
        self.ids.extend(id);
    }

    /// The provider answered that it deleted this one.
    pub(super) fn deleted(&mut self, id: &SnapshotId) {
        self.ids.retain(|listed| *listed != *id);
    }

    /// A delete made it go, as listings agreed.
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

    /// Whether nothing that was deleted is shown, or the same as by the listing before: it
    /// was not deleted after all.
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
