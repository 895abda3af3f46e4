//! The provider's true state, and the changes that are scheduled.

use super::ids;
use crate::api::{ApiError, ErrorKind, PowerAction};
use crate::core::snapshot::{Snapshot, Status};
use jiff::Timestamp;
use std::collections::{BTreeSet, VecDeque};

/// A snapshot as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrueSnapshot {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: Status,
    /// The true time of its creation.
    pub(super) made: Timestamp,
    /// The date that listings show.
    pub(super) shown: Option<Timestamp>,
    /// True if its date is more than a day before its create, by the host's clock.
    pub(super) odd: bool,
}

/// One server.
pub(super) struct TrueServer {
    pub(super) name: String,
    pub(super) rows: Vec<TrueSnapshot>,
    /// Earlier states, each with the instant at which it ended.
    pub(super) past: VecDeque<(Timestamp, Vec<TrueSnapshot>)>,
    /// True if the last listing left a row out; the next one must not.
    pub(super) lacked: bool,
    /// The ids that reliable listings of this server alone have shown to the current process.
    pub(super) shown: BTreeSet<u64>,
}

/// A change that is scheduled for an instant.
#[derive(Clone, Debug)]
pub(super) enum TimedChange {
    Create {
        call: u64,
        server: u64,
        name: String,
        fate: Option<&'static str>,
    },
    Delete {
        call: u64,
        server: u64,
        id: u64,
    },
    Restore {
        call: u64,
        server: u64,
    },
    Power {
        call: u64,
        server: u64,
        action: PowerAction,
        kind: Option<&'static str>,
    },
    Switched(u64, PowerAction),
    Status(u64, u64, Status),
    Vanish(u64, u64),
}

impl TimedChange {
    pub(super) fn server(&self) -> u64 {
        match self {
            Self::Create { server, .. }
            | Self::Delete { server, .. }
            | Self::Restore { server, .. }
            | Self::Power { server, .. }
            | Self::Switched(server, _)
            | Self::Status(server, ..)
            | Self::Vanish(server, _) => *server,
        }
    }
}

/// Returns a row as listings show it.
pub(super) fn shown(row: &TrueSnapshot) -> Snapshot {
    Snapshot {
        uuid: None,
        id: ids::snapshot(row.id),
        name: row.name.clone(),
        status: row.status.clone(),
        created_at: row.shown,
    }
}

pub(super) fn error(kind: ErrorKind, status: Option<u16>) -> ApiError {
    ApiError {
        said: None,
        kind,
        status,
        message: status.map_or_else(
            || "no answer".to_owned(),
            |status| format!("answer {status}"),
        ),
    }
}
