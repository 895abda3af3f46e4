//! A snapshot as the provider truly holds it.

use jiff::Timestamp;

/// A snapshot as the provider truly holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// Its id: unique in the account, and never reused.
    pub id: u64,
    /// The server that it belongs to.
    pub server: u64,
    /// Its name; names need not be unique.
    pub name: String,
    /// The provider's word: `in_progress`, `completed`, `failed`, or any other that a test sets.
    pub status: String,
    /// The size in megabytes; `None` until the snapshot is completed.
    pub size_mb: Option<u64>,
    /// The date, shown in whole seconds.
    pub created_at: Timestamp,
    /// The description from its create.
    pub description: String,
}
