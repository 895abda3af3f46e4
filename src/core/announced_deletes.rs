//! Deletes that no new snapshot pays for (I19): announced by an edit or a first look, found without
//! an announcement, or agreed to by an operator.

use serde::{Deserialize, Serialize};

use super::server_event::RecordedAt;
use super::snapshot::SnapshotId;

/// A rotation's snapshots whose deletes no new snapshot pays for (I19).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct UnpaidDeletes {
    /// Announced by an edit or a first look; deleted when `shrink_grace` has passed.
    pub(super) announced: Vec<SnapshotId>,
    /// Time of the announcement.
    pub(super) since: Option<RecordedAt>,
    /// Found beyond `keep` without an announcement; kept until an operator agrees, or newer
    /// snapshots replace them.
    pub(super) found: Vec<SnapshotId>,
    /// Those whose deletes an operator agreed to.
    pub(super) agreed: Vec<SnapshotId>,
    /// Number of announced snapshots that were deleted for a due slot on a full server. The same
    /// number of snapshots that new ones push beyond `keep` is announced instead.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) taken: u32,
    /// The snapshots that were announced instead, each with the time of its announcement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) instead: Vec<(SnapshotId, RecordedAt)>,
}

impl UnpaidDeletes {
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            announced,
            found,
            agreed,
            taken,
            instead,
            ..
        } = self;
        let none = announced.is_empty() && instead.is_empty();
        none && found.is_empty() && agreed.is_empty() && *taken == 0
    }

    /// Returns the announced snapshots, each with the time of its announcement.
    pub(super) fn announcements(&self) -> impl Iterator<Item = (&SnapshotId, Option<RecordedAt>)> {
        let first = self.announced.iter().map(|id| (id, self.since));
        let instead = self.instead.iter().map(|(id, since)| (id, Some(*since)));
        first.chain(instead)
    }

    pub(super) fn holds(&self, id: &SnapshotId) -> bool {
        let announced = self.announcements().map(|(id, _)| id);
        let mut all = announced.chain(&self.found).chain(&self.agreed);
        all.any(|held| *held == *id)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) fn is_zero(count: &u32) -> bool {
    *count == 0
}
