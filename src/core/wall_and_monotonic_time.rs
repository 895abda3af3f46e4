//! Readings of the wall clock and the monotonic clock, and the time of a record on both.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock.
    pub wall: Timestamp,
    /// Time since the process started, unaffected by clock steps.
    pub mono: SignedDuration,
}

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAt {
    /// The wall clock.
    pub wall: Timestamp,
    /// The monotonic clock; `None` if an earlier process recorded the event.
    #[serde(skip)]
    pub mono: Option<SignedDuration>,
}

impl From<ClockReading> for RecordedAt {
    fn from(now: ClockReading) -> Self {
        Self {
            wall: now.wall,
            mono: Some(now.mono),
        }
    }
}

impl RecordedAt {
    /// Returns the time that has certainly passed since the record; never negative. A record of an
    /// earlier process is treated as being as old as this process. A wall clock that is ahead, or
    /// was behind at the time of the record, must not end a wait early.
    pub fn elapsed(self, now: ClockReading) -> SignedDuration {
        self.elapsed_with(SignedDuration::ZERO, now)
    }

    /// Does the same as [`elapsed`](Self::elapsed) for the end of a call. The call of an earlier
    /// process may have lasted for `grace` beyond that process.
    pub(super) fn elapsed_with(self, grace: SignedDuration, now: ClockReading) -> SignedDuration {
        let passed = match self.mono {
            Some(mono) => now.mono - mono,
            None => now.mono - grace,
        };
        passed.max(SignedDuration::ZERO)
    }

    /// Returns the record's age: by the monotonic clock if this process recorded it, else by the
    /// wall clock. A wait of days, or one that spans several short processes, must not start over
    /// with each process.
    pub(super) fn age(self, now: ClockReading) -> SignedDuration {
        let passed = match self.mono {
            Some(mono) => now.mono - mono,
            None => now.wall.duration_since(self.wall),
        };
        passed.max(SignedDuration::ZERO)
    }
}
