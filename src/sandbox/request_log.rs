//! What the stand-in was asked, what it did, and how often: the witness of a test.

use jiff::Timestamp;

use super::faults::CallKind;
use super::store::StoredSnapshot;

/// One request, in the order of arrival.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// Its place in the one order of arrivals, effects and answers.
    pub tick: u64,
    /// What was asked.
    pub call: CallKind,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The server that it is about; `None` for an account-wide listing or an unknown id.
    pub server: Option<u64>,
    /// The snapshot that its path names.
    pub snapshot: Option<u64>,
    /// When it arrived, by the sandbox's clock.
    pub at: Timestamp,
    /// Whether it bore the right token.
    pub authorized: bool,
    /// Whether an ordered fault spoiled its answer.
    pub faulty: bool,
    /// The status answered; `None` while there is no answer, or for ever after a hang or a cut.
    pub status: Option<u16>,
    /// When the answer, or the cut, was handed to the connection, in the order of `tick`.
    pub answered: Option<u64>,
    /// What it changed, late effects too.
    pub effects: Vec<LoggedEffect>,
}

/// A change made by a request.
#[derive(Clone, Debug)]
pub struct LoggedEffect {
    /// Its place in the one order of arrivals, effects and answers.
    pub tick: u64,
    /// When it happened, by the sandbox's clock.
    pub at: Timestamp,
    /// What happened.
    pub kind: EffectKind,
    /// The snapshot as it was made, deleted or restored.
    pub row: StoredSnapshot,
    /// What its server truly held right after.
    pub held: Vec<StoredSnapshot>,
}

/// What a request changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// A snapshot was made.
    Created,
    /// A snapshot was deleted.
    Deleted,
    /// The server began to be restored.
    Restored,
}

/// Cheap counters: kept even when the log is switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Listings of one server.
    pub list_server: u64,
    /// Account-wide listings, each page by itself.
    pub list_account: u64,
    /// Creates asked for.
    pub create: u64,
    /// Deletes asked for.
    pub delete: u64,
    /// Restores asked for.
    pub restore: u64,
    /// Everything else.
    pub other: u64,
    /// Requests without the right token, among all of those.
    pub unauthorized: u64,
    /// Snapshots made by the API.
    pub created: u64,
    /// Snapshots deleted by the API.
    pub deleted: u64,
    /// Restores begun.
    pub restored: u64,
}

impl RequestCounts {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.lists() + self.create + self.delete + self.restore + self.other
    }

    /// All listings of snapshots.
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
