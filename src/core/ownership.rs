//! Snapshots of a server that other servers' listings show too, as stored in its history.
//! `engine::snapshot_owners` decides which server a snapshot belongs to.

use serde::{Deserialize, Serialize};

use super::snapshot::{ServerId, SnapshotId};

/// A snapshot of this server that another server's listing shows too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContestedSnapshot {
    /// The snapshot.
    pub id: SnapshotId,
    /// The other server.
    pub server: ServerId,
}

/// The part of a server's history that is about snapshots that may be another server's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ownership {
    /// The snapshot that blocks the server, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) contested: Option<ContestedSnapshot>,
    /// The last few snapshots that an operator's `resume` gave up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) given_up: Vec<SnapshotId>,
}
