//! What the provider's listing says, as values.

pub use super::id::{ServerId, SnapshotId};
use jiff::Timestamp;

/// A snapshot's state, by the provider's status word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Finished and usable.
    Completed,
    /// Being made; takes 3 to 10 minutes (API.md).
    InProgress,
    /// `failed` or `error`.
    Failed,
    /// A word that the provider does not document; kept and counted, never deleted.
    Unknown(String),
}

impl Status {
    /// Reads the provider's status word; words that are not documented stay as they are.
    pub fn parse(word: &str) -> Self {
        match word {
            "completed" => Self::Completed,
            "in_progress" => Self::InProgress,
            "failed" | "error" => Self::Failed,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The word for people and other programs: the provider's, where it is not documented.
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
    /// The provider's id of it.
    pub id: SnapshotId,
    /// Its UUID, where it has an id too.
    pub uuid: Option<SnapshotId>,
    /// Its name; names need not be unique (API.md).
    pub name: String,
    /// Its state.
    pub status: Status,
    /// When the provider says that it was made; `None` where missing or unreadable.
    pub created_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_bears_the_providers_word_and_one_that_failed_has_two() {
        for word in ["completed", "in_progress", "failed", "archiving"] {
            assert_eq!(Status::parse(word).word(), word);
        }
        assert_eq!(Status::parse("error"), Status::Failed);
    }
}
