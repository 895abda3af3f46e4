//! A manual snapshot that was ordered with an expiry, as the trail records it once it is completed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rotation_and_snapshot_name::SnapshotName;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// A snapshot that is deleted when its time is over: by this id alone, and only while listings show
/// it as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiringSnapshot {
    /// Its name.
    pub snapshot: SnapshotName,
    /// Its id.
    pub id: SnapshotId,
    /// Its date, from the listing that showed it as completed.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

impl ExpiringSnapshot {
    /// Returns true if the row shows this snapshot, completed and unchanged.
    pub fn is_shown_by(&self, row: &Snapshot) -> bool {
        row.id == self.id
            && row.name == self.snapshot
            && row.created_at == Some(self.created_at)
            && row.status == Status::Completed
    }
}
