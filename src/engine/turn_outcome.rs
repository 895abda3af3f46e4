//! How a turn of a server's loop ends: when it is looked at again, or that the service stops.

use jiff::{SignedDuration, Timestamp};

/// Consecutive failed listings or records after which `once` ends a server. Also the consecutive
/// failed listings after which they count as one server's own failure.
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
