//! The provider behind the HTTP interface: servers, snapshots, and their changes over time.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::SandboxConfig;
use super::faults::FaultQueue;
use super::request_log::{EffectKind, LoggedEffect, LoggedRequest, RequestCounts};
use super::store::SnapshotStore;
use super::stored_snapshot::StoredSnapshot;
use super::wire::{self, PowerAction, SandboxServer};

/// A change that a request asks for.
#[derive(Clone, Debug)]
pub(super) enum Mutation {
    Create {
        server: u64,
        name: String,
        description: String,
    },
    Delete(u64),
    Restore(u64),
    Power {
        server: u64,
        action: PowerAction,
    },
}

/// The duration of a restore, by the clock (docs/api.md, "Limits and durations": 5 to 15 minutes).
const RESTORING: SignedDuration = SignedDuration::from_mins(10);

/// The time that a server takes to stop or to start.
const SWITCHING: SignedDuration = SignedDuration::from_secs(20);

/// The whole state of the stand-in, at one instant.
pub struct ProviderState {
    pub(super) config: SandboxConfig,
    pub(super) servers: BTreeMap<u64, SandboxServer>,
    pub(super) rows: SnapshotStore,
    pub(super) orders: FaultQueue,
    pub(super) in_flight: usize,
    pub(super) keep_log: bool,
    pub(super) restoring: SignedDuration,
    pub(super) switching: SignedDuration,
    pub(super) powered: Vec<(u64, PowerAction)>,
    pub(super) switched: Vec<(u64, &'static str)>,
    pub(super) created: BTreeMap<u64, Vec<String>>,
    log: Vec<LoggedRequest>,
    counts: RequestCounts,
    due: BTreeMap<(Timestamp, u64), TimedChange>,
    tick: u64,
    next_id: u64,
}

/// A change that is scheduled for an instant.
pub(super) enum TimedChange {
    Status(u64, String),
    Vanish(u64),
    Restored(u64),
    Switched(u64, &'static str),
    Late(Mutation, Option<usize>),
}

/// A status and a JSON body; no body with 204.
pub(super) type StatusAndBody = (u16, String);

impl fmt::Debug for ProviderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({} servers)", self.servers.len())
    }
}

impl ProviderState {
    pub(super) fn new(config: SandboxConfig) -> Self {
        Self {
            servers: BTreeMap::new(),
            rows: SnapshotStore::shown(config.ids),
            orders: FaultQueue::default(),
            in_flight: 0,
            keep_log: true,
            restoring: RESTORING,
            switching: SWITCHING,
            powered: Vec::new(),
            switched: Vec::new(),
            created: BTreeMap::new(),
            log: Vec::new(),
            counts: RequestCounts::default(),
            due: BTreeMap::new(),
            tick: 0,
            next_id: 800,
            config,
        }
    }

    /// Returns the snapshots that a server truly holds, newest first.
    pub fn truth(&self, server: u64) -> Vec<StoredSnapshot> {
        self.rows.truth(Some(server))
    }

    /// Returns all snapshots of the account, newest first.
    pub fn all(&self) -> Vec<StoredSnapshot> {
        self.rows.truth(None)
    }

    /// Returns every logged request, in the order of arrival.
    pub fn log(&self) -> &[LoggedRequest] {
        &self.log
    }

    /// Returns the names of all snapshots made on this server through the API, in order.
    pub fn created(&self, server: u64) -> &[String] {
        self.created.get(&server).map_or(&[], Vec::as_slice)
    }

    /// Returns the numbers of requests and effects.
    pub fn counts(&self) -> RequestCounts {
        self.counts
    }

    /// Returns the largest number of snapshots that each server has held at once.
    pub fn max_held(&self) -> &BTreeMap<u64, usize> {
        &self.rows.max_held
    }

    /// Returns the number of requests without an answer; a hanging one counts until its client
    /// gives up.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns a server's status word: `active`, `stopped`, `suspended` or `restoring`.
    pub fn server_status(&self, server: u64) -> Option<&str> {
        self.servers
            .get(&server)
            .map(|server| server.status.as_str())
    }

    /// Returns the number of injected faults that are left.
    pub fn orders_left(&self) -> usize {
        self.orders.len()
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Makes a snapshot as a person does in the provider's panel, by the same rules. Returns its
    /// id, or `None` if it is refused.
    pub(super) fn by_hand(&mut self, server: u64, name: &str, now: Timestamp) -> Option<u64> {
        if !wire::is_name(name) || self.rows.len_of(server) >= self.config.limit {
            return None;
        }
        let id = self.new_id();
        let row = StoredSnapshot {
            id,
            server,
            name: name.to_owned(),
            status: "in_progress".to_owned(),
            size_mb: None,
            created_at: now,
            description: "by hand".to_owned(),
        };
        self.put(row, now);
        let done = TimedChange::Status(id, "completed".to_owned());
        self.schedule(now, self.config.completes_after, done);
        Some(id)
    }

    pub(super) fn server_name(&self, server: u64) -> String {
        self.servers
            .get(&server)
            .map_or_else(|| format!("server-{server}"), |server| server.name.clone())
    }

    /// Adds or replaces a row without a request.
    pub(super) fn put(&mut self, row: StoredSnapshot, now: Timestamp) {
        self.next_id = self.next_id.max(row.id);
        let name = self.server_name(row.server);
        self.rows.put(row, &name, false, now);
    }

    /// Returns the time of the next change.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Applies every change that is due, each at its own time. Returns true if there was any.
    pub(super) fn advance(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while let Some(entry) = self.due.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            any = true;
            match entry.remove() {
                TimedChange::Status(id, status) => self.set_status(id, &status, at),
                TimedChange::Vanish(id) => {
                    self.rows.remove(id, false, at);
                }
                TimedChange::Restored(id) => {
                    if let Some(server) = self.servers.get_mut(&id) {
                        "active".clone_into(&mut server.status);
                    }
                }
                TimedChange::Switched(id, status) => {
                    if let Some(server) = self.servers.get_mut(&id) {
                        status.clone_into(&mut server.status);
                    }
                }
                TimedChange::Late(deed, request) => {
                    self.perform(deed, request, at);
                }
            }
        }
        any
    }

    pub(super) fn set_status(&mut self, id: u64, status: &str, now: Timestamp) {
        if let Some(row) = self.rows.get(id) {
            let mut row = row.clone();
            status.clone_into(&mut row.status);
            row.size_mb = (status == "completed").then_some(5120);
            self.put(row, now);
        }
    }

    pub(super) fn later(
        &mut self,
        deed: Mutation,
        request: Option<usize>,
        now: Timestamp,
        after: SignedDuration,
    ) {
        self.schedule(now, after, TimedChange::Late(deed, request));
    }

    /// Logs a request. Returns its index in the log, or `None` while the log is off.
    pub(super) fn arrive(&mut self, mut request: LoggedRequest) -> Option<usize> {
        self.counts
            .request(request.call, request.server, request.authorized);
        request.tick = self.next_tick();
        if !self.keep_log {
            return None;
        }
        self.log.push(request);
        Some(self.log.len() - 1)
    }

    /// Logs that an answer was handed to the connection, or that the connection was cut.
    pub(super) fn answered(&mut self, request: Option<usize>, status: Option<u16>) {
        let tick = self.next_tick();
        if let Some(request) = request.and_then(|index| self.log.get_mut(index)) {
            request.status = status;
            request.answered = Some(tick);
        }
    }

    pub(super) fn effect(
        &mut self,
        request: Option<usize>,
        kind: EffectKind,
        row: StoredSnapshot,
        at: Timestamp,
    ) {
        self.counts.effect(kind);
        let tick = self.next_tick();
        let Some(index) = request else {
            return;
        };
        let held = self.truth(row.server);
        if let Some(request) = self.log.get_mut(index) {
            request.effects.push(LoggedEffect {
                tick,
                at,
                kind,
                row,
                held,
            });
        }
    }

    fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    pub(super) fn schedule(&mut self, now: Timestamp, after: SignedDuration, due: TimedChange) {
        let at = now.saturating_add(after).unwrap_or(Timestamp::MAX);
        let tick = self.next_tick();
        self.due.insert((at, tick), due);
    }
}
