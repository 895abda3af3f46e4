//! The map from snapshots to servers, and the claims to them (I1).

use std::collections::{HashMap, HashSet};

use super::stray_snapshots::StraySnapshots;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The server of each snapshot, and the other servers whose listings show it.
#[derive(Default)]
pub(super) struct Owners {
    pub(super) of: HashMap<SnapshotId, ServerId>,
    /// Snapshots, each with a server whose last listing showed it, but that is not known to own it.
    /// Sorted.
    pub(super) claims: Vec<(SnapshotId, ServerId)>,
    /// Claimed snapshots that the last listing of their own server lacked.
    pub(super) missing: HashSet<SnapshotId>,
    /// Snapshots whose server is known only from the answer to a create, which may be wrong.
    pub(super) answered: HashSet<SnapshotId>,
    /// Snapshots that a server has only according to a listing that is not accepted yet.
    pub(super) tentative: HashMap<ServerId, Vec<SnapshotId>>,
    pub(super) strays: StraySnapshots,
}

impl Owners {
    /// Adds a snapshot of this server. If another server has it, this server claims it until its
    /// own next listing.
    pub(super) fn add(&mut self, id: &SnapshotId, server: &ServerId) {
        match self.of.get(id) {
            None => drop(self.of.insert(id.clone(), server.clone())),
            Some(owner) if owner == server => {}
            Some(_) => self.claim(id.clone(), server),
        }
    }

    /// Adds a snapshot that the answer to a create of this server named.
    pub(super) fn answer(&mut self, id: &SnapshotId, server: &ServerId) {
        if !self.of.contains_key(id) {
            self.answered.insert(id.clone());
        }
        self.add(id, server);
    }

    /// Makes the server the owner of a snapshot that a listing showed on it, unless another server
    /// has the snapshot.
    pub(super) fn accept(&mut self, id: &SnapshotId, server: &ServerId) {
        match self.of.get(id) {
            None => drop(self.of.insert(id.clone(), server.clone())),
            Some(owner) if owner == server => drop(self.answered.remove(id)),
            Some(_) => {}
        }
    }

    /// Removes the snapshots that this server has only according to a listing that was not
    /// accepted.
    pub(super) fn withdraw_tentative(&mut self, server: &ServerId) {
        for id in self.tentative.remove(server).unwrap_or_default() {
            if self.of.get(&id) == Some(server) {
                self.of.remove(&id);
            }
        }
    }

    /// Makes the server the owner of listed snapshots that have none, until its next listing.
    pub(super) fn accept_tentatively(&mut self, server: &ServerId, rows: &[Snapshot]) {
        for id in rows.iter().flat_map(Snapshot::ids) {
            if !self.of.contains_key(id) {
                self.of.insert(id.clone(), server.clone());
                let tentative = self.tentative.entry(server.clone()).or_default();
                tentative.push(id.clone());
            }
        }
    }

    pub(super) fn is_tentative(&self, server: &ServerId, row: &Snapshot) -> bool {
        let tentative = self.tentative.get(server);
        tentative.is_some_and(|ids| row.ids().any(|id| ids.contains(id)))
    }

    pub(super) fn remove(&mut self, id: &SnapshotId) {
        self.of.remove(id);
        self.missing.remove(id);
        self.answered.remove(id);
    }

    pub(super) fn claim(&mut self, id: SnapshotId, server: &ServerId) {
        let claim = (id, server.clone());
        if let Err(place) = self.claims.binary_search(&claim) {
            self.claims.insert(place, claim);
        }
    }

    /// Adds the claims of one id of a server to those of its other id.
    pub(super) fn copy_claims(&mut self, from: &ServerId, to: &ServerId) {
        let claims = self.claims.iter().filter(|(_, claimant)| claimant == from);
        let claimed: Vec<_> = claims.map(|(id, _)| id.clone()).collect();
        for id in claimed {
            self.claim(id, to);
        }
    }

    /// Withdraws all claims of this server.
    pub(super) fn withdraw(&mut self, server: &ServerId) {
        self.claims.retain(|(_, claimant)| claimant != server);
    }

    /// Withdraws this server's claims from its previous listing. Stores which of its own snapshots,
    /// among those that others claim, the new listing lacks.
    pub(super) fn relist(&mut self, server: &ServerId, rows: &[Snapshot], claimed: &[SnapshotId]) {
        self.withdraw(server);
        self.withdraw_tentative(server);
        for id in rows.iter().flat_map(Snapshot::ids) {
            if self.of.get(id) == Some(server) {
                self.missing.remove(id);
            }
        }
        let missing = claimed.iter().filter(|id| !shows(rows, id));
        self.missing.extend(missing.cloned());
    }

    /// Claims all rows of a contested listing that the server does not have: the owner of a row may
    /// not have been listed yet.
    pub(super) fn claim_all(&mut self, server: &ServerId, rows: &[Snapshot]) {
        for id in rows.iter().flat_map(Snapshot::ids) {
            if self.of.get(id) != Some(server) {
                self.claim(id.clone(), server);
            }
        }
    }

    /// Returns this server's snapshots that others claim.
    pub(super) fn claimed(&self, server: &ServerId) -> impl Iterator<Item = &SnapshotId> {
        let claimed = self.claims.iter().map(|(id, _)| id);
        claimed.filter(move |id| self.of.get(*id) == Some(server))
    }

    pub(super) fn claimants(&self, id: &SnapshotId) -> impl Iterator<Item = &ServerId> {
        let first = self.claims.partition_point(|(claimed, _)| claimed < id);
        let claims = self.claims[first..].iter();
        let claims = claims.take_while(move |(claimed, _)| claimed == id);
        claims.map(|(_, claimant)| claimant)
    }
}

/// Returns true if these rows contain the snapshot.
pub(super) fn shows(rows: &[Snapshot], id: &SnapshotId) -> bool {
    rows.iter().flat_map(Snapshot::ids).any(|shown| shown == id)
}
