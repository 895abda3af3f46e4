//! The server that each snapshot belongs to, according to the trail and the first accepted listing
//! that shows it (I1). A listing that shows it as another server's is in doubt, since that server's
//! rotation would count it as its own, or delete it. While the owner's listing shows the snapshot
//! too, that listing is also in doubt.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Mutex;

use super::contested_listing::{ComparedListing, Stray};
use super::lock;
use super::owner_map::{Owners, shows};
use crate::core::decide::Inventory;
use crate::core::ownership::ContestedSnapshot;
use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The owners of all snapshots, and the claims to them.
pub(super) struct SnapshotOwners(Mutex<Owners>);

impl SnapshotOwners {
    /// Returns the owners according to the servers' histories. If two histories contain a snapshot,
    /// the first server has it, and the other one claims it.
    pub(super) fn of<'a>(
        histories: impl Iterator<Item = (&'a ServerId, &'a ServerHistory)> + Clone,
    ) -> Self {
        let mut owners = Owners::default();
        for (server, history) in histories.clone() {
            owners.strays.add(server, history);
        }
        let listed = histories.clone().flat_map(|(server, history)| {
            let ids = history.listed_ids();
            ids.map(move |id| (id, server))
        });
        // An answer may name any snapshot, so a listing takes precedence.
        let answered = histories.clone().flat_map(|(server, history)| {
            let ids = history.answered_ids();
            ids.map(move |id| (id, server))
        });
        for (id, server) in listed {
            owners.add(id, server);
        }
        for (id, server) in answered {
            owners.answer(id, server);
        }
        // A claim lasts until the claimant's next listing, even across a restart.
        let contested = histories.filter_map(|(_, history)| history.contested());
        for ContestedSnapshot { id, server } in contested {
            owners.claim(id.clone(), server);
        }
        Self(Mutex::new(owners))
    }

    /// Applies an event of this server.
    pub(super) fn apply(&self, server: &ServerId, event: &ServerEvent) {
        let owners = &mut *lock(&self.0);
        owners.strays.apply(server, event);
        match event {
            // An id from an answer with any other outcome can't be relied on.
            ServerEvent::CreateResult {
                id: Some(id),
                outcome: Outcome::Done,
                ..
            } if !owners.of.contains_key(id) => owners.answer(id, server),
            ServerEvent::SnapshotCompleted { id, .. } => owners.accept(id, server),
            ServerEvent::SnapshotFound { id, other_id, .. } => {
                for id in iter::once(id).chain(other_id) {
                    owners.accept(id, server);
                }
            }
            ServerEvent::DeleteConfirmed { id } if owners.of.get(id) == Some(server) => {
                owners.remove(id);
            }
            ServerEvent::Resumed { gave_up, .. } => {
                for id in gave_up {
                    owners.remove(id);
                }
            }
            ServerEvent::ServerIdChanged { from, .. } => {
                for owner in owners.of.values_mut().filter(|owner| *owner == from) {
                    *owner = server.clone();
                }
                owners.copy_claims(from, server);
                owners.withdraw(from);
            }
            _ => {}
        }
    }

    /// Returns the snapshots of a server that only another server's listing shows. `listed` is the
    /// server's own last accepted listing. If the server has no policy, every claimed snapshot
    /// counts, since no further listing of it will follow.
    pub(super) fn shown_elsewhere(
        &self,
        server: &ServerId,
        listed: Option<&[Snapshot]>,
        has_policy: bool,
    ) -> Vec<SnapshotId> {
        let owners = lock(&self.0);
        let claimed = owners.claimed(server);
        let elsewhere = claimed.filter(|id| {
            let lacks = listed.is_some_and(|rows| !shows(rows, id));
            lacks || !has_policy || owners.missing.contains(id)
        });
        let strays = owners.strays.of(server).map(|(_, id, _)| id);
        let mut elsewhere: Vec<_> = elsewhere.chain(strays).cloned().collect();
        elsewhere.sort_unstable();
        elsewhere.dedup();
        elsewhere
    }

    /// Returns a snapshot of this server that another server's listing shows, if there is one.
    pub(super) fn claimed_one(&self, server: &ServerId) -> Option<SnapshotId> {
        lock(&self.0).claimed(server).next().cloned()
    }

    /// Copies a server's claims from its former id to its new one; they last until its first
    /// listing under the new id.
    pub(super) fn copy_claims(&self, from: &ServerId, to: &ServerId) {
        lock(&self.0).copy_claims(from, to);
    }

    pub(super) fn is_of_another(&self, server: &ServerId, id: &SnapshotId) -> bool {
        let owners = lock(&self.0);
        owners.of.get(id).is_some_and(|owner| owner != server)
    }

    /// Makes the server the owner of the snapshots of an accepted listing that have no owner.
    pub(super) fn accept(&self, server: &ServerId, inventory: &Inventory) {
        if inventory.doubt.is_none() {
            let owners = &mut lock(&self.0);
            owners.tentative.remove(server);
            for id in inventory.snapshots.iter().flat_map(Snapshot::ids) {
                owners.accept(id, server);
            }
        }
    }

    /// Puts the inventory in doubt in each of these cases:
    ///
    /// - It shows a snapshot of another server, or one that the last listing of another server with
    ///   a policy showed.
    /// - It lacks a snapshot of this server that the last listing of another server with a policy
    ///   showed.
    /// - It shows a new snapshot with the name of another server's open create.
    /// - It lacks the name of this server's open create, and another server's listing shows a new
    ///   snapshot with that name.
    pub(super) fn doubt_contested(
        &self,
        server: &ServerId,
        inventory: &mut Inventory,
        has_policy: impl Fn(&ServerId) -> bool,
        is_new: impl Fn(&Snapshot) -> bool,
    ) {
        let owners = &mut *lock(&self.0);
        let claimed: Vec<_> = owners.claimed(server).cloned().collect();
        // A listing in doubt withdraws no claim.
        let reliable = inventory.doubt.is_none();
        if reliable {
            owners.relist(server, &inventory.snapshots, &claimed);
        }
        let listing = ComparedListing {
            owners,
            server,
            inventory,
            has_policy,
        };
        let mut contests: Vec<_> = listing.shown_of_others().collect();
        contests.extend(listing.lacked(&claimed));
        let strays: Vec<_> = listing.strays(is_new).collect();
        contests.extend(strays.iter().map(Stray::contest));
        contests.extend(listing.lacked_create());
        if reliable {
            let strays = strays.iter();
            let strays = strays.map(|stray| (stray.row.name.clone(), stray.row.id.clone()));
            let strays = strays.collect();
            owners.strays.replace(server, strays);
        }
        if !contests.is_empty() {
            owners.claim_all(server, &inventory.snapshots);
        } else if reliable {
            owners.accept_tentatively(server, &inventory.snapshots);
        }
        let mut contested = contests
            .iter()
            .filter_map(|contest| contest.snapshot.clone());
        inventory.contested = contested.next();
        let doubt = contests.into_iter().next().map(|contest| contest.doubt);
        inventory.doubt = inventory.doubt.take().or(doubt);
    }
}

/// Puts in doubt each of these inventories that shows a snapshot of another server, or whose
/// snapshots another inventory shows.
pub fn doubt_contested(
    inventories: &mut BTreeMap<ServerId, Inventory>,
    histories: &BTreeMap<ServerId, ServerHistory>,
    has_policy: impl Fn(&ServerId) -> bool,
) {
    // If a policy has changed its server's id, the server has a history under each id. The history
    // under the id in force comes first, so it takes precedence.
    let with_policy = |wanted: bool| {
        let has_policy = &has_policy;
        let all = histories.iter();
        all.filter(move |(server, _)| has_policy(server) == wanted)
    };
    let owners = SnapshotOwners::of(with_policy(true).chain(with_policy(false)));
    // The first pass collects the claims; only the second applies those of later servers to earlier
    // ones.
    for _ in 0..2 {
        for (server, inventory) in &mut *inventories {
            owners.doubt_contested(server, inventory, &has_policy, |_| false);
            owners.accept(server, inventory);
        }
    }
}

#[cfg(test)]
#[path = "snapshot_owners_tests.rs"]
mod tests;
