//! The server of each snapshot, by the trail (I1). A listing that shows it as another server's is
//! not believed: that server's rotation would count it as its own, or delete it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use super::lock;
use crate::core::decide::Inventory;
use crate::core::event::{Outcome, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The owners, by snapshot.
pub(super) struct SnapshotOwners(Mutex<HashMap<SnapshotId, ServerId>>);

impl SnapshotOwners {
    pub(super) fn of(histories: &BTreeMap<ServerId, ServerHistory>) -> Self {
        let owners = histories.iter().flat_map(|(server, history)| {
            let ids = history.known_ids();
            ids.map(|id| (id.clone(), server.clone()))
        });
        Self(Mutex::new(owners.collect()))
    }

    /// Applies an event of this server.
    pub(super) fn apply(&self, server: &ServerId, event: &ServerEvent) {
        let mut owners = lock(&self.0);
        match event {
            ServerEvent::SnapshotFound {
                id,
                other_id: Some(other_id),
                ..
            } => {
                for id in [id, other_id] {
                    owners.entry(id.clone()).or_insert_with(|| server.clone());
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
                owners.entry(id.clone()).or_insert_with(|| server.clone());
            }
            ServerEvent::DeleteConfirmed { id } if owners.get(id) == Some(server) => {
                owners.remove(id);
            }
            ServerEvent::ServerIdChanged { from, .. } => {
                for owner in owners.values_mut().filter(|owner| *owner == from) {
                    *owner = server.clone();
                }
            }
            _ => {}
        }
    }

    /// Gives up the snapshots of a server that its last accepted listing does not show: an operator
    /// resumes it. Returns their number.
    pub(super) fn give_up(&self, server: &ServerId, listed: &[Snapshot]) -> usize {
        let shown: BTreeSet<_> = listed.iter().map(|row| &row.id).collect();
        let mut owners = lock(&self.0);
        let before = owners.len();
        owners.retain(|id, owner| owner != server || shown.contains(id));
        before - owners.len()
    }

    /// Puts the inventory in doubt if it shows a snapshot of another server that has a policy.
    pub(super) fn doubt_stranger(
        &self,
        server: &ServerId,
        inventory: &mut Inventory,
        has_policy: impl Fn(&ServerId) -> bool,
    ) {
        let owners = lock(&self.0);
        let stranger = inventory.snapshots.iter().find_map(|row| {
            let mut ids = std::iter::once(&row.id).chain(&row.uuid);
            let owner = ids.find_map(|id| owners.get(id).filter(|owner| *owner != server))?;
            has_policy(owner).then(|| (row.name.clone(), row.id.clone(), owner.clone()))
        });
        if let Some((name, id, owner)) = stranger {
            inventory.doubt.get_or_insert(format!(
                "it shows {name} (id {id}), which is a snapshot of server {owner}: check it at the provider; if it does not belong to server {owner}, run snaprotate resume --server {owner}"
            ));
        }
    }
}
