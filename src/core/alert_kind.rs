//! The kinds of alerts that a server may have, and one that stands.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The kind of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A slot was given up or skipped; about the rotation. Stands until a later slot is settled.
    SlotFailed,
    /// Several slots in a row ended without a snapshot; about the rotation. Stands until a later
    /// slot is settled.
    Overdue,
    /// A slot has waited for a while on refusals that don't count as attempts; about the rotation.
    SlotWaiting,
    /// Nothing may be changed on the server; about the server.
    Blocked,
    /// A snapshot has been in progress for too long; about its name.
    Stuck,
    /// A snapshot has a status word that is not documented; about its name.
    UnknownStatus,
    /// The provider holds two snapshots of one slot (I9); about the name.
    Copies,
    /// A snapshot that was completed is listed as failed (I19); about its name.
    Regressed,
    /// More is to be deleted than new snapshots have replaced (I19); about the rotation.
    Shrink,
    /// A restore has an unknown outcome; about the snapshot's id. Stands until the next restore, or
    /// until `resume`.
    RestoreUnknown,
    /// A completed snapshot has no reliable date, so it is kept (I11); about its name. About a
    /// rotation if its dates and the slots in its names disagree (I19).
    OddDate,
    /// A hook failed, or the server was released before its snapshot had ended; about the rotation.
    /// Stands until the rotation's hooks succeed once.
    HookFailed,
    /// A server that a rotation stopped was not seen active again within `max_stopped`; about the
    /// rotation.
    ServerStopped,
    /// A server that a rotation stopped was active while its snapshot was made; about the rotation.
    /// Stands until the rotation's next snapshot.
    ServerRan,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::SlotFailed,
        Self::Overdue,
        Self::SlotWaiting,
        Self::Blocked,
        Self::Stuck,
        Self::UnknownStatus,
        Self::Copies,
        Self::Regressed,
        Self::Shrink,
        Self::RestoreUnknown,
        Self::OddDate,
        Self::HookFailed,
        Self::ServerStopped,
        Self::ServerRan,
    ];

    /// Returns the word used by the trail, logs and other programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::SlotFailed => "slot_failed",
            Self::Overdue => "overdue",
            Self::SlotWaiting => "slot_waiting",
            Self::Blocked => "blocked",
            Self::Stuck => "stuck",
            Self::UnknownStatus => "unknown_status",
            Self::Copies => "copies",
            Self::Regressed => "regressed",
            Self::Shrink => "shrink",
            Self::RestoreUnknown => "restore_unknown",
            Self::OddDate => "odd_date",
            Self::HookFailed => "hook_failed",
            Self::ServerStopped => "server_stopped",
            Self::ServerRan => "server_ran",
        }
    }
}

/// An alert that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedAlert {
    /// The reason, as last recorded.
    pub reason: String,
    /// Since when it stands; `None` if an older trail lacks the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl RaisedAlert {
    /// Returns the alert after it was raised for this reason. An alert that stood already keeps its
    /// first time.
    pub fn raised(reason: &str, at: Timestamp, before: Option<&Self>) -> Self {
        Self {
            reason: reason.to_owned(),
            since: before.map_or(Some(at), |standing| standing.since),
        }
    }
}
