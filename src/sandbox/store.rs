//! The snapshots that the stand-in holds: the truth, its indexes, and past changes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::ids::IdShape;
use super::stored_snapshot::StoredSnapshot;
use super::wire;

/// The number of past changes that a stale listing can go back.
const REMEMBERED: usize = 4096;

/// The age of a stale listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// As it was this many changes ago; a listing of one server counts only that server's changes.
    Changes(usize),
    /// As it was before the last create or delete through the API.
    LastMutation,
    /// As it was this long ago, by the clock.
    Age(SignedDuration),
}

/// A row with its JSON, so that a listing of 50,000 rows only copies text.
#[derive(Debug)]
pub(super) struct RenderedRow {
    pub row: StoredSnapshot,
    pub json: String,
}

/// Sort key of rows: newest first, then the higher id.
type NewestFirst = (Reverse<Timestamp>, Reverse<u64>);

fn key(row: &StoredSnapshot) -> NewestFirst {
    (Reverse(row.created_at), Reverse(row.id))
}

/// One change, kept so that a stale listing can undo it.
struct UndoableChange {
    server: u64,
    id: u64,
    before: Option<Arc<RenderedRow>>,
    mutation: bool,
    at: Timestamp,
}

/// All snapshots, by id, by server, and newest first.
#[derive(Default)]
pub(super) struct SnapshotStore {
    pub ids: IdShape,
    by_id: BTreeMap<u64, Arc<RenderedRow>>,
    by_server: BTreeMap<u64, BTreeMap<NewestFirst, Arc<RenderedRow>>>,
    newest_first: BTreeMap<NewestFirst, Arc<RenderedRow>>,
    past: VecDeque<UndoableChange>,
    /// The largest number of snapshots that each server has held at once.
    pub max_held: BTreeMap<u64, usize>,
}

impl SnapshotStore {
    /// Returns an empty store that shows its ids in this shape.
    pub fn shown(ids: IdShape) -> Self {
        Self {
            ids,
            ..Self::default()
        }
    }

    pub fn get(&self, id: u64) -> Option<&StoredSnapshot> {
        self.by_id.get(&id).map(|held| &held.row)
    }

    pub fn len_of(&self, server: u64) -> usize {
        self.by_server.get(&server).map_or(0, BTreeMap::len)
    }

    /// Returns the rows of one server, or all; newest first.
    pub fn list(&self, server: Option<u64>) -> Vec<&Arc<RenderedRow>> {
        match server {
            None => self.newest_first.values().collect(),
            Some(server) => self
                .by_server
                .get(&server)
                .map_or_else(Vec::new, |rows| rows.values().collect()),
        }
    }

    pub fn truth(&self, server: Option<u64>) -> Vec<StoredSnapshot> {
        let held = self.list(server);
        held.into_iter().map(|held| held.row.clone()).collect()
    }

    /// Adds a row, or replaces the one with its id.
    pub fn put(&mut self, row: StoredSnapshot, server_name: &str, mutation: bool, at: Timestamp) {
        let before = self.unlink(row.id);
        self.remember(row.server, row.id, before, mutation, at);
        let server = row.server;
        let held = Arc::new(RenderedRow {
            json: wire::row(self.ids, &row, server_name),
            row,
        });
        let key = key(&held.row);
        self.by_id.insert(held.row.id, Arc::clone(&held));
        self.newest_first.insert(key, Arc::clone(&held));
        self.by_server.entry(server).or_default().insert(key, held);
        let now = self.len_of(server);
        let most = self.max_held.entry(server).or_default();
        *most = now.max(*most);
    }

    pub fn remove(&mut self, id: u64, mutation: bool, at: Timestamp) -> Option<StoredSnapshot> {
        let before = self.unlink(id)?;
        let row = before.row.clone();
        self.remember(row.server, id, Some(before), mutation, at);
        Some(row)
    }

    /// Renders the rows of a server again, since each contains its name.
    pub fn rename(&mut self, server: u64, name: &str, at: Timestamp) {
        for row in self.truth(Some(server)) {
            self.put(row, name, false, at);
        }
    }

    /// Returns the rows that [`SnapshotStore::list`] would have returned earlier.
    pub fn list_stale(
        &self,
        server: Option<u64>,
        stale: Staleness,
        now: Timestamp,
    ) -> Vec<Arc<RenderedRow>> {
        let mut then: BTreeMap<NewestFirst, Arc<RenderedRow>> = self
            .list(server)
            .into_iter()
            .map(|held| (key(&held.row), Arc::clone(held)))
            .collect();
        let mut current: BTreeMap<u64, NewestFirst> =
            then.iter().map(|(key, held)| (held.row.id, *key)).collect();
        let concerned = self
            .past
            .iter()
            .rev()
            .filter(|change| server.is_none_or(|server| server == change.server));
        for (undone, change) in concerned.enumerate() {
            match stale {
                Staleness::Changes(changes) if undone == changes => break,
                Staleness::Age(age) if now.duration_since(change.at) >= age => break,
                _ => {}
            }
            if let Some(key) = current.remove(&change.id) {
                then.remove(&key);
            }
            if let Some(before) = &change.before {
                let key = key(&before.row);
                current.insert(change.id, key);
                then.insert(key, Arc::clone(before));
            }
            if stale == Staleness::LastMutation && change.mutation {
                break;
            }
        }
        then.into_values().collect()
    }

    fn unlink(&mut self, id: u64) -> Option<Arc<RenderedRow>> {
        let held = self.by_id.remove(&id)?;
        let key = key(&held.row);
        self.newest_first.remove(&key);
        if let Some(rows) = self.by_server.get_mut(&held.row.server) {
            rows.remove(&key);
        }
        Some(held)
    }

    fn remember(
        &mut self,
        server: u64,
        id: u64,
        before: Option<Arc<RenderedRow>>,
        mutation: bool,
        at: Timestamp,
    ) {
        if self.past.len() == REMEMBERED {
            self.past.pop_front();
        }
        self.past.push_back(UndoableChange {
            server,
            id,
            before,
            mutation,
            at,
        });
    }
}
