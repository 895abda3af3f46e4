//! A snapshot that an operator protects by an order, beside those that the policy lists.

use serde::{Deserialize, Serialize};

use super::snapshot::{Snapshot, SnapshotId};

/// Maximum number of snapshots of one server that orders protect. No server holds as many; it keeps
/// checkpoints small.
pub const MOST_ORDERED: usize = 32;

/// A protected snapshot. It stays protected until an operator ends the protection, even while no
/// listing shows it: a listing may lack a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedProtection {
    /// Its name when it was protected. The ids alone identify it.
    pub snapshot: Box<str>,
    /// Its id.
    pub id: SnapshotId,
    /// Its other id, if the listing gave two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_id: Option<SnapshotId>,
    /// The operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl OrderedProtection {
    /// Returns the protection of this row.
    pub fn of(row: &Snapshot) -> Self {
        Self {
            snapshot: row.name.as_str().into(),
            id: row.id.clone(),
            other_id: row.uuid.clone(),
            by: None,
        }
    }

    /// Returns the snapshot's id, and its other one if it has two.
    pub fn ids(&self) -> impl Iterator<Item = &SnapshotId> {
        std::iter::once(&self.id).chain(&self.other_id)
    }

    /// Returns true if this is one of the snapshot's ids.
    pub fn has_id(&self, id: &SnapshotId) -> bool {
        self.ids().any(|own| own == id)
    }

    /// Returns the reason for a verdict.
    pub fn reason(&self) -> String {
        let by = self.by.as_deref();
        let by = by.map_or_else(String::new, |by| format!(" of {by}"));
        format!("protected by order{by}: it is never pruned, and not counted in keep")
    }
}
