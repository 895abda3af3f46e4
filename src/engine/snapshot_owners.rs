//! The server of each snapshot, by the trail and by the first accepted listing that shows it (I1). A
//! listing that shows it as another server's is not believed: that server's rotation would count it
//! as its own, or delete it. While the owner's listing shows it too, that one is not believed
//! either.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use super::lock;
use crate::core::decide::Inventory;
use crate::core::ownership_claims::ContestedSnapshot;
use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The owners of all snapshots, and the claims to them.
pub(super) struct SnapshotOwners(Mutex<Owners>);

struct Owners {
    of: HashMap<SnapshotId, ServerId>,
    /// The servers whose last listing showed a snapshot that is not, or not known to be, theirs.
    /// Sorted.
    claims: Vec<(SnapshotId, ServerId)>,
}

impl Owners {
    fn claim(&mut self, id: SnapshotId, server: &ServerId) {
        let claim = (id, server.clone());
        if let Err(place) = self.claims.binary_search(&claim) {
            self.claims.insert(place, claim);
        }
    }

    fn withdraw(&mut self, server: &ServerId) {
        self.claims.retain(|(_, claimant)| claimant != server);
    }

    fn claimants(&self, id: &SnapshotId) -> impl Iterator<Item = &ServerId> {
        let first = self.claims.partition_point(|(claimed, _)| claimed < id);
        let claims = self.claims[first..].iter();
        let claims = claims.take_while(move |(claimed, _)| claimed == id);
        claims.map(|(_, claimant)| claimant)
    }
}

impl SnapshotOwners {
    pub(super) fn of(histories: &BTreeMap<ServerId, ServerHistory>) -> Self {
        let owners = histories.iter().flat_map(|(server, history)| {
            let ids = history.known_ids();
            ids.map(|id| (id.clone(), server.clone()))
        });
        // A claim lasts until the claimant's next listing, also across a restart.
        let contested = histories.values().filter_map(ServerHistory::contested);
        let mut owners = Owners {
            of: owners.collect(),
            claims: Vec::new(),
        };
        for ContestedSnapshot { id, server } in contested {
            owners.claim(id.clone(), server);
        }
        Self(Mutex::new(owners))
    }

    /// Applies an event of this server.
    pub(super) fn apply(&self, server: &ServerId, event: &ServerEvent) {
        let Owners { of, claims } = &mut *lock(&self.0);
        match event {
            ServerEvent::SnapshotFound {
                id,
                other_id: Some(other_id),
                ..
            } => {
                for id in [id, other_id] {
                    of.entry(id.clone()).or_insert_with(|| server.clone());
                }
            }
            // An id that was answered otherwise can't be relied on.
            ServerEvent::CreateResult {
                id: Some(id),
                outcome: Outcome::Done,
                ..
            }
            | ServerEvent::SnapshotCompleted { id, .. }
            | ServerEvent::SnapshotFound { id, .. } => {
                of.entry(id.clone()).or_insert_with(|| server.clone());
            }
            ServerEvent::DeleteConfirmed { id } if of.get(id) == Some(server) => {
                of.remove(id);
            }
            ServerEvent::Resumed { gave_up, .. } => {
                of.retain(|id, owner| owner != server || !gave_up.contains(id));
            }
            ServerEvent::ServerIdChanged { from, .. } => {
                for owner in of.values_mut().filter(|owner| *owner == from) {
                    *owner = server.clone();
                }
                for (_, claimant) in claims.iter_mut().filter(|(_, claimant)| claimant == from) {
                    *claimant = server.clone();
                }
                claims.sort_unstable();
            }
            _ => {}
        }
    }

    /// Returns the snapshots of a server that only another server's listing shows.
    pub(super) fn shown_elsewhere(
        &self,
        server: &ServerId,
        listed: &[Snapshot],
    ) -> Vec<SnapshotId> {
        let owners = lock(&self.0);
        let claimed = owners.claims.iter().map(|(id, _)| id);
        let own = claimed.filter(|id| owners.of.get(*id) == Some(server));
        let elsewhere = own.filter(|id| listed.iter().all(|row| row.id != **id));
        let mut elsewhere: Vec<_> = elsewhere.cloned().collect();
        elsewhere.dedup();
        elsewhere
    }

    /// Gives the server the snapshots of an accepted listing that no other one has.
    pub(super) fn accept(&self, server: &ServerId, inventory: &Inventory) {
        if inventory.doubt.is_none() {
            let owners = &mut lock(&self.0).of;
            for id in inventory.snapshots.iter().flat_map(ids) {
                owners.entry(id).or_insert_with(|| server.clone());
            }
        }
    }

    /// Puts the inventory in doubt if it shows a snapshot of another server that has a policy, or
    /// one that such a server's last listing showed too.
    pub(super) fn doubt_contested(
        &self,
        server: &ServerId,
        inventory: &mut Inventory,
        has_policy: impl Fn(&ServerId) -> bool,
    ) {
        let owners = &mut *lock(&self.0);
        // A listing in doubt withdraws no claim.
        if inventory.doubt.is_none() {
            owners.withdraw(server);
        }
        let is_other = |known: &&ServerId| *known != server && has_policy(known);
        let mut is_contested = false;
        for row in &inventory.snapshots {
            let Snapshot { name, id, .. } = row;
            let owner = ids(row).find_map(|id| owners.of.get(&id).filter(is_other));
            let claimant = ids(row).find_map(|id| owners.claimants(&id).find(is_other));
            is_contested |= owner.is_some() || claimant.is_some();
            if let Some(owner) = owner {
                inventory.doubt.get_or_insert_with(|| format!(
                    "it shows {name} (id {id}), which is a snapshot of server {owner}: check it at the provider; once the listing of server {owner} no longer shows it, run snaprotate resume --server {owner} to give it up there"
                ));
            } else if let Some(claimant) = claimant {
                inventory.doubt.get_or_insert_with(|| format!(
                    "it shows {name} (id {id}), and so does the listing of server {claimant}: check at the provider whose it is"
                ));
                inventory
                    .contested
                    .get_or_insert_with(|| ContestedSnapshot {
                        id: id.clone(),
                        server: claimant.clone(),
                    });
            } else {
                // A server without a policy has no claim any more.
                for id in ids(row) {
                    let owner = owners.of.entry(id);
                    owner.and_modify(|owner| owner.clone_from(server));
                }
            }
        }
        if is_contested {
            // The owner of a row may not have been listed yet.
            for id in inventory.snapshots.iter().flat_map(ids) {
                if owners.of.get(&id) != Some(server) {
                    owners.claim(id, server);
                }
            }
        }
    }
}

fn ids(row: &Snapshot) -> impl Iterator<Item = SnapshotId> {
    std::iter::once(row.id.clone()).chain(row.uuid.clone())
}
