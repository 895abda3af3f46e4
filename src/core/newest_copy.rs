//! The date of a server's newest completed snapshot.

use jiff::Timestamp;

/// When the newest completed snapshot of a server was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewestCopy {
    /// The server has not been listed.
    #[default]
    Unknown,
    /// There is no completed snapshot.
    None,
    /// No completed snapshot has a reliable date.
    Undated,
    /// At this time.
    At(Timestamp),
}
