//! What can happen on a server, and when it did: the words of the trail.
//!
//! Times carry the process's monotonic clock where this process lived through them, so
//! that a wall clock that jumps can't end a wait early; facts read from an earlier
//! process's trail have the wall clock only.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::snapshot::SnapshotId;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Timestamp,
    /// Time since the process began, unmoved by clock steps.
    pub mono: SignedDuration,
}

/// When a fact happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The wall clock then.
    pub wall: Timestamp,
    /// The monotonic clock then; `None` when an earlier process recorded it.
    pub mono: Option<SignedDuration>,
}

impl From<Now> for When {
    fn from(now: Now) -> Self {
        Self {
            wall: now.wall,
            mono: Some(now.mono),
        }
    }
}

impl When {
    /// How long ago this was; never negative.
    pub fn elapsed(self, now: Now) -> SignedDuration {
        let passed = match self.mono {
            Some(mono) => now.mono - mono,
            None => now.wall.duration_since(self.wall),
        };
        passed.max(SignedDuration::ZERO)
    }
}

/// What became of a mutation, as far as its answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider said that it was done.
    Done,
    /// It was refused, or found not done; it counts as an attempt.
    Failed,
    /// It was refused for now (busy, throttled, unreachable); only `once` counts it.
    Later,
    /// No answer, or none that can be relied on.
    Unknown,
}

/// How a slot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its snapshot was completed.
    Completed,
    /// Given up after attempts.
    GivenUp,
    /// Passed unrun.
    Skipped,
}

/// One thing that happened on a server, as the trail records it.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The server's first record.
    ServerAdded,
    /// A slot became due; work on it begins.
    SlotDue {
        rotation: String,
        name: String,
        slot: Timestamp,
    },
    /// A slot needs nothing more.
    SlotEnded {
        rotation: String,
        name: String,
        slot: Timestamp,
        ending: Ending,
        reason: String,
    },
    /// A create is about to be sent; `known` are the ids that bear the name already.
    CreateIntent {
        name: String,
        known: BTreeSet<SnapshotId>,
    },
    /// What became of it. After `Unknown` a later result may follow.
    CreateResult {
        name: String,
        outcome: Outcome,
        id: Option<SnapshotId>,
        server_name: Option<String>,
    },
    /// A delete is about to be sent; `prune_first` holds every id then listed, when it makes room for a create.
    DeleteIntent {
        id: SnapshotId,
        name: String,
        prune_first: Option<BTreeSet<SnapshotId>>,
    },
    /// What became of it.
    DeleteResult { id: SnapshotId, outcome: Outcome },
    /// A listing no longer shows what was deleted.
    DeleteConfirmed { id: SnapshotId },
    /// An own snapshot was seen completed.
    SnapshotCompleted { id: SnapshotId, name: String },
    /// An own snapshot was seen failed, or is missing from the listings.
    SnapshotFailed { id: SnapshotId, name: String },
    /// The server was paused.
    Paused,
    /// The pause ended; the clock counts as right from here on.
    Resumed,
    /// A restore was sent.
    RestoreIntent { id: SnapshotId },
}
