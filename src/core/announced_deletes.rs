//! Deletes that no new snapshot pays for: announced, found or agreed to (I19).

use serde::{Deserialize, Serialize};

use super::event::RecordedAt;
use super::snapshot::SnapshotId;

/// Snapshots that nothing new has replaced, and that are to go all the same (I19).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AnnouncedDeletes {
    /// By an edit or a first look: they go when the grace is over.
    pub(super) announced: Vec<SnapshotId>,
    /// Since when.
    pub(super) since: Option<RecordedAt>,
    /// Otherwise: they go when an operator agrees.
    pub(super) found: Vec<SnapshotId>,
    /// An operator agreed.
    pub(super) agreed: Vec<SnapshotId>,
    /// Announced ones that went for a due slot of a full server: what its new snapshot pushes
    /// beyond `keep` goes in their place.
    #[serde(skip_serializing_if = "super::slot_log::none")]
    pub(super) taken: u32,
}

impl AnnouncedDeletes {
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            announced,
            found,
            agreed,
            taken,
            ..
        } = self;
        announced.is_empty() && found.is_empty() && agreed.is_empty() && *taken == 0
    }

    pub(super) fn holds(&self, id: &SnapshotId) -> bool {
        let mut all = self.announced.iter().chain(&self.found).chain(&self.agreed);
        all.any(|held| *held == *id)
    }
}
