//! The stand-in's log: its requests, their effects, and counters.

use jiff::Timestamp;

use super::faults::CallKind;
use super::stored_snapshot::StoredSnapshot;

/// One request; the log holds them in order of arrival.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// Its number in the common sequence of arrivals, effects and answers.
    pub tick: u64,
    /// The kind of call.
    pub call: CallKind,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The server that it is about; `None` if there is none (an account-wide listing, for example)
    /// or if the id is unknown.
    pub server: Option<u64>,
    /// The snapshot that its path names.
    pub snapshot: Option<u64>,
    /// The time of its arrival, by the sandbox's clock.
    pub at: Timestamp,
    /// True if it had the right token.
    pub authorized: bool,
    /// True if an injected fault applied to its answer; a `CreateFault` is not counted.
    pub faulty: bool,
    /// The status of the answer; `None` until it is sent, and always after a hang or a cut.
    pub status: Option<u16>,
    /// The tick at which the answer was handed to the connection, or the connection was cut.
    pub answered: Option<u64>,
    /// Its effects, late ones included.
    pub effects: Vec<LoggedEffect>,
}

/// A change made by a request.
#[derive(Clone, Debug)]
pub struct LoggedEffect {
    /// Its number in the common sequence of arrivals, effects and answers.
    pub tick: u64,
    /// The time of the change, by the sandbox's clock.
    pub at: Timestamp,
    /// The kind of change.
    pub kind: EffectKind,
    /// The snapshot as it was when it was made or deleted, or when its restore began.
    pub row: StoredSnapshot,
    /// The snapshots that its server truly held right after the change.
    pub held: Vec<StoredSnapshot>,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// A snapshot was made.
    Created,
    /// A snapshot was deleted.
    Deleted,
    /// The restore of a server began.
    Restored,
}

/// Cheap counters, which run even while the log is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Listings of one server.
    pub list_server: u64,
    /// Account-wide listings; each page counts.
    pub list_account: u64,
    /// Create requests.
    pub create: u64,
    /// Delete requests.
    pub delete: u64,
    /// Restore requests.
    pub restore: u64,
    /// All other requests.
    pub other: u64,
    /// Requests without the right token, also counted above.
    pub unauthorized: u64,
    /// Snapshots made through the API.
    pub created: u64,
    /// Snapshots deleted through the API.
    pub deleted: u64,
    /// Restores that began.
    pub restored: u64,
}

impl RequestCounts {
    /// Returns the total number of requests.
    pub fn requests(&self) -> u64 {
        self.lists() + self.create + self.delete + self.restore + self.other
    }

    /// Returns the total number of listings, of one server or account-wide.
    pub fn lists(&self) -> u64 {
        self.list_server + self.list_account
    }

    pub(super) fn request(&mut self, call: CallKind, server: Option<u64>, authorized: bool) {
        let counter = match call {
            CallKind::List if server.is_some() => &mut self.list_server,
            CallKind::List => &mut self.list_account,
            CallKind::Create => &mut self.create,
            CallKind::Delete => &mut self.delete,
            CallKind::Restore => &mut self.restore,
            CallKind::Account
            | CallKind::Servers
            | CallKind::Server
            | CallKind::Power
            | CallKind::Any => &mut self.other,
        };
        *counter += 1;
        self.unauthorized += u64::from(!authorized);
    }

    pub(super) fn effect(&mut self, kind: EffectKind) {
        let counter = match kind {
            EffectKind::Created => &mut self.created,
            EffectKind::Deleted => &mut self.deleted,
            EffectKind::Restored => &mut self.restored,
        };
        *counter += 1;
    }
}
