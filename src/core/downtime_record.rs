//! The downtime of a server that a rotation stops for its snapshot, as recorded in the trail.
//! `server_start.rs` decides when the start is due.
//!
//! The start is owed from the stop's intent until the server is seen active (I20). A downtime
//! survives its process: the next process continues it.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::server_event::{Outcome, RecordedAt, ServerEvent};

/// Number of starts without a visible effect after which `once` leaves the server to the next
/// process, and a `resume` gives the start up.
const HOPELESS: u32 = 5;

/// A server that a rotation stops for a snapshot; its start is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downtime {
    /// The rotation that stops it.
    pub rotation: RotationName,
    /// The snapshot that it is stopped for.
    pub snapshot: SnapshotName,
    /// Time of the stop's intent.
    pub since: RecordedAt,
    /// The longest permitted downtime, from the policy in force when the stop was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<SignedDuration>,
    /// True once the server was seen stopped.
    pub stopped: bool,
    /// True once the snapshot's create was sent.
    pub created: bool,
    /// When `after` released the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<RecordedAt>,
    /// Number of starts sent.
    pub starts: u32,
    /// Latest end of the last start's call.
    pub started: Option<RecordedAt>,
    /// Outcome of the last call; `None` until it is recorded.
    pub answer: Option<Outcome>,
    /// True if a start was accepted. Reset when the server is first seen stopped, since the stop
    /// may have taken effect after that start.
    pub taken: bool,
    /// The reason given when the last start was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Box<str>>,
    /// Time since which this process has seen the server active; `None` if it was last seen in
    /// another state, or a start was sent since.
    #[serde(skip)]
    pub active: Option<SignedDuration>,
}

impl Downtime {
    /// Returns the record of a call whose answer was lost with its process or could not be written.
    pub(super) fn unanswered(&self) -> Option<ServerEvent> {
        if self.answer.is_some() {
            return None;
        }
        let (snapshot, outcome, said) = (self.snapshot.clone(), Outcome::Unknown, None);
        Some(if self.starts == 0 {
            ServerEvent::StopResult {
                snapshot,
                outcome,
                said,
            }
        } else {
            ServerEvent::StartResult {
                snapshot,
                outcome,
                said,
            }
        })
    }

    /// Returns true if the stop was refused, and the server has neither been seen stopped nor been
    /// started since. The stop may take effect anyway, so the server is watched for a while. Once
    /// it is seen stopped, its start is owed.
    pub(super) fn is_doubtful(&self) -> bool {
        let refused = matches!(
            self.answer,
            Some(Outcome::Failed | Outcome::Later | Outcome::NoServer)
        );
        refused && self.starts == 0 && !self.stopped
    }

    /// Returns true if the server was stopped and its only start was accepted. Of several starts,
    /// one may take effect late, when the server is already stopped for its next snapshot.
    pub(super) fn has_one_start(&self) -> bool {
        self.stopped && self.taken && self.starts == 1
    }

    /// Returns true if enough starts have been sent and the server is not seen active.
    pub fn is_out_of_starts(&self) -> bool {
        self.starts >= HOPELESS && self.active.is_none()
    }
}
