//! The server of each snapshot, by the trail and by the first accepted listing that shows it (I1). A
//! listing that shows it as another server's is not believed: that server's rotation would count it
//! as its own, or delete it. While the owner's listing shows it too, that one is not believed
//! either.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter;
use std::sync::Mutex;

use super::lock;
use super::stray_snapshots::StraySnapshots;
use crate::core::decide::Inventory;
use crate::core::ownership::ContestedSnapshot;
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
    /// Claimed snapshots that the last listing of their own server lacked.
    missing: HashSet<SnapshotId>,
    /// Snapshots that only an answer named as their server's. It may be wrong.
    answered: HashSet<SnapshotId>,
    /// Snapshots that a server has only by a listing that is not accepted yet.
    tentative: HashMap<ServerId, Vec<SnapshotId>>,
    strays: StraySnapshots,
}

impl Owners {
    /// Adds a snapshot of this server. If another one has it, this one claims it until its next
    /// listing.
    fn add(&mut self, id: &SnapshotId, server: &ServerId) {
        match self.of.get(id) {
            None => drop(self.of.insert(id.clone(), server.clone())),
            Some(owner) if owner == server => {}
            Some(_) => self.claim(id.clone(), server),
        }
    }

    /// Adds a snapshot that the answer to a create of this server named.
    fn answer(&mut self, id: &SnapshotId, server: &ServerId) {
        if !self.of.contains_key(id) {
            self.answered.insert(id.clone());
        }
        self.add(id, server);
    }

    /// Accepts that this server's listing shows the snapshot, unless another one has it.
    fn accept(&mut self, id: &SnapshotId, server: &ServerId) {
        match self.of.get(id) {
            None => drop(self.of.insert(id.clone(), server.clone())),
            Some(owner) if owner == server => drop(self.answered.remove(id)),
            Some(_) => {}
        }
    }

    /// Withdraws what this server has by a listing that was not accepted.
    fn withdraw_tentative(&mut self, server: &ServerId) {
        for id in self.tentative.remove(server).unwrap_or_default() {
            if self.of.get(&id) == Some(server) {
                self.of.remove(&id);
            }
        }
    }

    /// Gives the server the rows of a listing that no other one has, until its next listing.
    fn accept_tentatively(&mut self, server: &ServerId, rows: &[Snapshot]) {
        for id in rows.iter().flat_map(Snapshot::ids) {
            if !self.of.contains_key(id) {
                self.of.insert(id.clone(), server.clone());
                let tentative = self.tentative.entry(server.clone()).or_default();
                tentative.push(id.clone());
            }
        }
    }

    fn is_tentative(&self, server: &ServerId, row: &Snapshot) -> bool {
        let tentative = self.tentative.get(server);
        tentative.is_some_and(|ids| row.ids().any(|id| ids.contains(id)))
    }

    fn remove(&mut self, id: &SnapshotId) {
        self.of.remove(id);
        self.missing.remove(id);
        self.answered.remove(id);
    }

    fn claim(&mut self, id: SnapshotId, server: &ServerId) {
        let claim = (id, server.clone());
        if let Err(place) = self.claims.binary_search(&claim) {
            self.claims.insert(place, claim);
        }
    }

    fn withdraw(&mut self, server: &ServerId) {
        self.claims.retain(|(_, claimant)| claimant != server);
    }

    /// Returns this server's snapshots that others claim.
    fn claimed(&self, server: &ServerId) -> impl Iterator<Item = &SnapshotId> {
        let claimed = self.claims.iter().map(|(id, _)| id);
        claimed.filter(move |id| self.of.get(*id) == Some(server))
    }

    fn claimants(&self, id: &SnapshotId) -> impl Iterator<Item = &ServerId> {
        let first = self.claims.partition_point(|(claimed, _)| claimed < id);
        let claims = self.claims[first..].iter();
        let claims = claims.take_while(move |(claimed, _)| claimed == id);
        claims.map(|(_, claimant)| claimant)
    }
}

impl SnapshotOwners {
    /// Returns the owners by the servers' histories. Where two know a snapshot, the first one has
    /// it, and the other one claims it.
    pub(super) fn of<'a>(
        histories: impl Iterator<Item = (&'a ServerId, &'a ServerHistory)> + Clone,
    ) -> Self {
        let mut owners = Owners {
            of: HashMap::new(),
            claims: Vec::new(),
            missing: HashSet::new(),
            answered: HashSet::new(),
            tentative: HashMap::new(),
            strays: StraySnapshots::default(),
        };
        for (server, history) in histories.clone() {
            owners.strays.add(server, history);
        }
        let listed = histories.clone().flat_map(|(server, history)| {
            let ids = history.listed_ids();
            ids.map(move |id| (id, server))
        });
        // An answer may name any snapshot, so a listing counts more.
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
        // A claim lasts until the claimant's next listing, also across a restart.
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
            // An id that was answered otherwise can't be relied on.
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
                for (_, claimant) in owners.claims.iter_mut().filter(|claim| claim.1 == *from) {
                    *claimant = server.clone();
                }
                owners.claims.sort_unstable();
            }
            _ => {}
        }
    }

    /// Returns the snapshots of a server that only another server's listing shows. `listed` is its
    /// last accepted listing. Without a policy none will follow.
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

    /// Returns true if the snapshot belongs to another server.
    pub(super) fn is_of_another(&self, server: &ServerId, id: &SnapshotId) -> bool {
        let owners = lock(&self.0);
        owners.of.get(id).is_some_and(|owner| owner != server)
    }

    /// Gives the server the snapshots of an accepted listing that no other one has.
    pub(super) fn accept(&self, server: &ServerId, inventory: &Inventory) {
        if inventory.doubt.is_none() {
            let owners = &mut lock(&self.0);
            owners.tentative.remove(server);
            for id in inventory.snapshots.iter().flat_map(Snapshot::ids) {
                owners.accept(id, server);
            }
        }
    }

    /// Puts the inventory in doubt if it shows a snapshot of another server, or lacks or shows one
    /// that the last listing of another server with a policy showed.
    pub(super) fn doubt_contested(
        &self,
        server: &ServerId,
        inventory: &mut Inventory,
        has_policy: impl Fn(&ServerId) -> bool,
        is_new: impl Fn(&Snapshot) -> bool,
    ) {
        let owners = &mut *lock(&self.0);
        let is_other =
            |known: &&ServerId| *known != server && Some(*known) != inventory.other_id.as_ref();
        let claims = |known: &&ServerId| is_other(known) && has_policy(known);
        let claimed: Vec<_> = owners.claimed(server).cloned().collect();
        // A listing in doubt withdraws no claim.
        if inventory.doubt.is_none() {
            owners.withdraw(server);
            owners.withdraw_tentative(server);
            for id in inventory.snapshots.iter().flat_map(Snapshot::ids) {
                if owners.of.get(id) == Some(server) {
                    owners.missing.remove(id);
                }
            }
            let missing = claimed.iter().filter(|id| !shows(&inventory.snapshots, id));
            owners.missing.extend(missing.cloned());
        }
        let mut doubt = None;
        let mut contested = None;
        for row in &inventory.snapshots {
            let Snapshot { name, id, .. } = row;
            let owner = row.ids().find_map(|id| owners.of.get(id).filter(is_other));
            let claimant = row.ids().find_map(|id| owners.claimants(id).find(claims));
            if let Some(owner) = owner
                && !owners.is_tentative(owner, row)
            {
                let listed = if has_policy(owner) {
                    format!("once the listing of server {owner} no longer shows it")
                } else {
                    "if it has moved".to_owned()
                };
                let of = if row.ids().any(|id| owners.answered.contains(id)) {
                    "which the provider named when it was asked to create a snapshot"
                } else {
                    "which is a snapshot"
                };
                doubt.get_or_insert_with(|| format!(
                    "it shows {name} (id {id}), {of} of server {owner}: check it at the provider; {listed}, run snaprotate resume {owner} to give it up there"
                ));
            } else if let Some(claimant) = claimant.or(owner) {
                doubt.get_or_insert_with(|| format!(
                    "it shows {name} (id {id}), and so does the listing of server {claimant}: check at the provider whose it is"
                ));
                contested.get_or_insert_with(|| (id.clone(), claimant.clone()));
            }
        }
        for id in claimed.into_iter().filter(|id| owners.missing.contains(id)) {
            if let Some(claimant) = owners.claimants(&id).find(claims) {
                doubt.get_or_insert_with(|| format!(
                    "it lacks the snapshot with id {id}, which the listing of server {claimant} shows: check it at the provider; if it has moved, run snaprotate resume {server} to give it up"
                ));
                contested.get_or_insert_with(|| (id.clone(), claimant.clone()));
            }
        }
        let mut strays = Vec::new();
        for row in &inventory.snapshots {
            let Snapshot { name, id, .. } = row;
            let has_owner = row.ids().any(|id| owners.of.contains_key(id));
            let maker = owners.strays.maker(server, row).filter(is_other);
            if let Some(maker) = maker.filter(|_| !has_owner && is_new(row)) {
                doubt.get_or_insert_with(|| format!(
                    "it shows a new snapshot {name} (id {id}), which may be of server {maker}: that server's create of this name has no outcome yet"
                ));
                strays.push((name.clone(), id.clone()));
            }
        }
        if inventory.doubt.is_none() {
            owners.strays.replace(server, strays);
        }
        let mut elsewhere = owners.strays.of(server);
        let lacks = |name: &str| inventory.snapshots.iter().all(|row| row.name != name);
        if let Some((name, id, other)) = elsewhere.find(|(name, ..)| lacks(name)) {
            doubt.get_or_insert_with(|| format!(
                "it lacks {name}, whose create has no outcome yet, and the listing of server {other} shows a new snapshot of that name (id {id}): check at the provider whose it is; if it is not of server {server}, run snaprotate resume {server}"
            ));
        }
        drop(elsewhere);
        if doubt.is_none() && inventory.doubt.is_none() {
            owners.accept_tentatively(server, &inventory.snapshots);
        }
        if doubt.is_some() {
            // The owner of a row may not have been listed yet.
            for id in inventory.snapshots.iter().flat_map(Snapshot::ids) {
                if owners.of.get(id) != Some(server) {
                    owners.claim(id.clone(), server);
                }
            }
        }
        inventory.contested = contested.map(|(id, server)| ContestedSnapshot { id, server });
        inventory.doubt = inventory.doubt.take().or(doubt);
    }
}

/// Puts each of these inventories in doubt that shows a snapshot of another server, or whose
/// snapshots another one shows.
pub fn doubt_contested(
    inventories: &mut BTreeMap<ServerId, Inventory>,
    histories: &BTreeMap<ServerId, ServerHistory>,
    has_policy: impl Fn(&ServerId) -> bool,
) {
    // A server whose id its policy has changed has a history by either id.
    let with_policy = |wanted: bool| {
        let has_policy = &has_policy;
        let all = histories.iter();
        all.filter(move |(server, _)| has_policy(server) == wanted)
    };
    let owners = SnapshotOwners::of(with_policy(true).chain(with_policy(false)));
    // The first pass collects the claims to snapshots of servers that were looked at before.
    for _ in 0..2 {
        for (server, inventory) in &mut *inventories {
            owners.doubt_contested(server, inventory, &has_policy, |_| false);
            owners.accept(server, inventory);
        }
    }
}

/// Returns true if these rows contain the snapshot.
fn shows(rows: &[Snapshot], id: &SnapshotId) -> bool {
    rows.iter().flat_map(Snapshot::ids).any(|shown| shown == id)
}

#[cfg(test)]
#[path = "snapshot_owners_tests.rs"]
mod tests;
