//! Payments for deletes (I19), and the promise that a prune-first gives (I7).

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::snapshot::SnapshotId;

/// A snapshot that the rotation made and saw completed (I19).
///
/// A single listing may be wrong, so the snapshot pays only after a listing that was requested
/// later also shows it as completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Payer {
    /// Its id.
    pub id: SnapshotId,
    /// Time at which this process recorded its completion. `None` if an earlier process did, or if
    /// a second listing has confirmed that it keeps a promise.
    #[serde(skip)]
    pub completed: Option<SignedDuration>,
}

/// A newer completed snapshot that pays for one delete (I19).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) by: Payer,
    /// The snapshot that it paid for. Its delete was sent, so the payment covers no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) victim: Option<SnapshotId>,
}

/// The promise of the last prune-first (I7, I19): a snapshot that the rotation makes afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneFirstPromise {
    /// The snapshot that was deleted. Until the promise is kept, only its delete may be sent again.
    pub victim: SnapshotId,
    /// Every id that was listed at the prune-first; empty once two listings show that the promise
    /// is kept.
    pub known: BTreeSet<SnapshotId>,
    /// The snapshot that keeps the promise. The promise is broken while that snapshot is listed
    /// with a status other than completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by: Option<Payer>,
}
