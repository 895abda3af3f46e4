//! The outcome of one turn of a server's loop: when the loop runs again, or a shutdown.

use jiff::{SignedDuration, Timestamp};

/// Number of consecutive failed listings, or failed writes to the trail, after which `once` gives
/// up on a server. Also the number of consecutive failed listings after which a server is blocked
/// while the account's other listings succeed.
pub(super) const FAILURES: u32 = 3;

/// The service is stopping; no new mutation begins.
pub(super) struct ShuttingDown;

/// When a server's loop runs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requeue {
    /// At this wall-clock time; `None`: when something changes.
    Until(Option<Timestamp>),
    /// After this pause: the loop waits for something.
    After(SignedDuration),
    /// After this pause: no change is allowed on the server.
    Blocked(SignedDuration),
    /// The server's policy was removed.
    Gone,
}
