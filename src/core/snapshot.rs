//! The rows of the provider's listing.

pub use super::id::{ServerId, SnapshotId};
use jiff::Timestamp;

/// How long the provider usually takes for a create and for a restore (docs/api.md, "Limits and
/// durations").
pub const CREATE_TAKES: &str = "3 to 10 min";
/// See [`CREATE_TAKES`].
pub const RESTORE_TAKES: &str = "5 to 15 min";

/// The state of a snapshot, from the provider's status word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Finished and usable.
    Completed,
    /// In progress; takes 3 to 10 minutes (docs/api.md, "Limits and durations").
    InProgress,
    /// `failed` or `error`.
    Failed,
    /// A word that the provider does not document. The snapshot is kept and counted, never deleted.
    Unknown(String),
}

impl Status {
    /// Parses the provider's status word. Undocumented words are kept as they are.
    pub fn parse(word: &str) -> Self {
        match word {
            "completed" => Self::Completed,
            "in_progress" => Self::InProgress,
            "failed" | "error" => Self::Failed,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// Returns the word for people and other programs: for an undocumented status, the provider's
    /// own.
    pub fn word(&self) -> &str {
        match self {
            Self::Completed => "completed",
            Self::InProgress => "in_progress",
            Self::Failed => "failed",
            Self::Unknown(word) => word,
        }
    }
}

/// One row of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The provider's id of the snapshot.
    pub id: SnapshotId,
    /// Its UUID, if it has an id too.
    pub uuid: Option<SnapshotId>,
    /// Its name; names need not be unique (docs/api.md, "Calls").
    pub name: String,
    /// Its state.
    pub status: Status,
    /// Its creation time according to the provider; `None` if missing or unreadable.
    pub created_at: Option<Timestamp>,
}

impl Snapshot {
    /// Returns its id, and its UUID if it has both.
    pub fn ids(&self) -> impl Iterator<Item = &SnapshotId> {
        std::iter::once(&self.id).chain(&self.uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_keeps_the_word_of_the_provider_and_error_means_failed() {
        for word in ["completed", "in_progress", "failed", "archiving"] {
            assert_eq!(Status::parse(word).word(), word);
        }
        assert_eq!(Status::parse("error"), Status::Failed);
    }
}
