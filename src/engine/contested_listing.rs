//! Compares a server's listing with the owners of all snapshots (I1). Finds the rows that another
//! server has or claims, and the server's snapshots that only another server's listing shows.

use super::owner_map::Owners;
use crate::core::decide::Inventory;
use crate::core::ownership::ContestedSnapshot;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// A reason not to rely on a listing.
pub(super) struct Contest {
    pub(super) doubt: String,
    /// The snapshot, if another server's listing shows it.
    pub(super) snapshot: Option<ContestedSnapshot>,
}

/// A new row under the name of another server's open create.
pub(super) struct Stray<'a> {
    pub(super) row: &'a Snapshot,
    maker: &'a ServerId,
}

impl Stray<'_> {
    pub(super) fn contest(&self) -> Contest {
        let Self { row, maker } = self;
        Contest {
            doubt: format!(
                "it shows a new snapshot {} (id {}), which may belong to server {maker}: that server's create of this name has no outcome yet",
                row.name, row.id
            ),
            snapshot: None,
        }
    }
}

/// A server's listing, compared with the owners of all snapshots.
pub(super) struct ComparedListing<'a, P> {
    pub(super) owners: &'a Owners,
    pub(super) server: &'a ServerId,
    pub(super) inventory: &'a Inventory,
    pub(super) has_policy: P,
}

impl<'a, P: Fn(&ServerId) -> bool> ComparedListing<'a, P> {
    fn is_other(&self, known: &ServerId) -> bool {
        known != self.server && Some(known) != self.inventory.other_id.as_ref()
    }

    /// Returns another server that has a policy and claims the snapshot.
    fn claimant(&self, id: &SnapshotId) -> Option<&'a ServerId> {
        let mut claimants = self.owners.claimants(id);
        claimants.find(|claimant| self.is_other(claimant) && (self.has_policy)(claimant))
    }

    /// Returns a contest for each row that another server has or claims.
    pub(super) fn shown_of_others(&self) -> impl Iterator<Item = Contest> {
        let rows = self.inventory.snapshots.iter();
        rows.filter_map(|row| self.shown_of_another(row))
    }

    fn shown_of_another(&self, row: &Snapshot) -> Option<Contest> {
        let Snapshot { name, id, .. } = row;
        let owners = self.owners;
        let is_other = |owner: &&ServerId| self.is_other(owner);
        let owner = row.ids().find_map(|id| owners.of.get(id).filter(is_other));
        if let Some(owner) = owner
            && !owners.is_tentative(owner, row)
        {
            let listed = if (self.has_policy)(owner) {
                format!("once the listing of server {owner} no longer shows it")
            } else {
                "if it has moved".to_owned()
            };
            let of = if row.ids().any(|id| owners.answered.contains(id)) {
                "which the provider's answer to a create request identifies as a snapshot"
            } else {
                "which is a snapshot"
            };
            return Some(Contest {
                doubt: format!(
                    "it shows {name} (id {id}), {of} of server {owner}: check it at the provider; {listed}, run snaprotate resume {owner} to give it up there"
                ),
                snapshot: None,
            });
        }
        let claimant = row.ids().find_map(|id| self.claimant(id)).or(owner)?;
        Some(Contest {
            doubt: format!(
                "it shows {name} (id {id}), and so does the listing of server {claimant}: check at the provider which server it belongs to"
            ),
            snapshot: Some(ContestedSnapshot {
                id: id.clone(),
                server: claimant.clone(),
            }),
        })
    }

    /// Returns a contest for each of these snapshots of the server that its own last listing lacks
    /// and another server with a policy claims.
    pub(super) fn lacked(&self, claimed: &[SnapshotId]) -> impl Iterator<Item = Contest> {
        let missing = claimed.iter().filter(|id| self.owners.missing.contains(id));
        missing.filter_map(|id| {
            let (claimant, server) = (self.claimant(id)?, self.server);
            Some(Contest {
                doubt: format!(
                    "it lacks the snapshot with id {id}, which the listing of server {claimant} shows: check it at the provider; if it has moved, run snaprotate resume {server} to give it up"
                ),
                snapshot: Some(ContestedSnapshot {
                    id: id.clone(),
                    server: claimant.clone(),
                }),
            })
        })
    }

    /// Returns the new rows whose snapshots another server's open create may have made.
    pub(super) fn strays(
        &self,
        is_new: impl Fn(&Snapshot) -> bool,
    ) -> impl Iterator<Item = Stray<'a>> {
        let rows = self.inventory.snapshots.iter();
        let unowned = rows.filter(|row| row.ids().all(|id| !self.owners.of.contains_key(id)));
        unowned.filter_map(move |row| {
            let maker = self.owners.strays.maker(self.server, row)?;
            (self.is_other(maker) && is_new(row)).then_some(Stray { row, maker })
        })
    }

    /// Returns the contest about a snapshot that the server's open create may have made, and that
    /// only another server's listing shows.
    pub(super) fn lacked_create(&self) -> Option<Contest> {
        let (server, rows) = (self.server, &self.inventory.snapshots);
        let lacks = |name: &str| rows.iter().all(|row| row.name != name);
        let mut elsewhere = self.owners.strays.of(server);
        let (name, id, other) = elsewhere.find(|(name, ..)| lacks(name))?;
        Some(Contest {
            doubt: format!(
                "it lacks {name}, whose create has no outcome yet, and the listing of server {other} shows a new snapshot of that name (id {id}): check at the provider which server it belongs to; if it does not belong to server {server}, run snaprotate resume {server}"
            ),
            snapshot: None,
        })
    }
}
