//! New snapshots with the name of another server's open create (I9, I19). That create may have made
//! them, so they belong to no server until it has an outcome, and it is not sent again meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The names of open creates, and the new snapshots of other servers that bear one of them.
#[derive(Default)]
pub(super) struct StraySnapshots {
    /// For each name, the servers whose create of that name has no outcome yet.
    creating: HashMap<String, BTreeSet<ServerId>>,
    /// The strays of each server's last listing, with their names.
    shown: HashMap<ServerId, Vec<(String, SnapshotId)>>,
    /// Snapshots that a `resume` gave up.
    given_up: HashSet<SnapshotId>,
}

impl StraySnapshots {
    /// Adds a server's open create and the snapshots that a `resume` of the server gave up.
    pub(super) fn add(&mut self, server: &ServerId, history: &ServerHistory) {
        if let Some(name) = history.unanswered_create() {
            self.begin(name, server);
        }
        self.given_up.extend(history.given_up().cloned());
    }

    fn begin(&mut self, name: &str, server: &ServerId) {
        let servers = self.creating.entry(name.to_owned()).or_default();
        servers.insert(server.clone());
    }

    /// Applies an event of this server.
    pub(super) fn apply(&mut self, server: &ServerId, event: &ServerEvent) {
        match event {
            ServerEvent::CreateIntent { snapshot, .. } => self.begin(snapshot, server),
            ServerEvent::CreateResult {
                snapshot, outcome, ..
            } if *outcome != Outcome::Unknown => {
                if let Some(servers) = self.creating.get_mut(snapshot.as_str()) {
                    servers.remove(server);
                    if servers.is_empty() {
                        self.creating.remove(snapshot.as_str());
                    }
                }
            }
            ServerEvent::Resumed { gave_up, .. } => self.given_up.extend(gave_up.iter().cloned()),
            ServerEvent::ServerIdChanged { from, .. } => {
                for servers in self.creating.values_mut() {
                    if servers.remove(from) {
                        servers.insert(server.clone());
                    }
                }
            }
            _ => {}
        }
    }

    /// Replaces the strays of this server's last listing with these.
    pub(super) fn replace(&mut self, server: &ServerId, strays: Vec<(String, SnapshotId)>) {
        if strays.is_empty() {
            self.shown.remove(server);
        } else {
            self.shown.insert(server.clone(), strays);
        }
    }

    /// Returns another server whose open create may have made the snapshot in this row. `None` if
    /// an open create of the server itself has that name, or if the snapshot was given up.
    pub(super) fn maker(&self, server: &ServerId, row: &Snapshot) -> Option<&ServerId> {
        let servers = self.creating.get(&row.name)?;
        let given_up = row.ids().any(|id| self.given_up.contains(id));
        let own = servers.contains(server) || given_up;
        servers.first().filter(|_| !own)
    }

    /// Returns the strays of other servers that an open create of this server may have made.
    pub(super) fn of<'a>(
        &'a self,
        server: &'a ServerId,
    ) -> impl Iterator<Item = (&'a str, &'a SnapshotId, &'a ServerId)> {
        let shown = self.shown.iter().filter(move |(other, _)| *other != server);
        let strays = shown.flat_map(|(other, strays)| {
            let strays = strays.iter();
            strays.map(move |(name, id)| (name.as_str(), id, other))
        });
        strays.filter(move |(name, id, _)| {
            let servers = self.creating.get(*name);
            let creating = servers.is_some_and(|servers| servers.contains(server));
            creating && !self.given_up.contains(*id)
        })
    }
}
