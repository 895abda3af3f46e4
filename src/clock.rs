//! The one place that reads the clock.
//!
//! Everything that asks for the time, or waits, does it here: so the demo can run fast,
//! tests can pause time, and a wall clock that steps can be told from time that passes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::core::fact::Now;

/// A source of time; copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    /// `None`: the system's wall clock. Else the wall clock at `began`, moved by `speed`.
    base: Option<Timestamp>,
    speed: u32,
}

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        Self {
            began: Instant::now(),
            base: None,
            speed: 1,
        }
    }

    /// A clock that begins at `base` and runs `speed` times as fast as tokio's.
    pub fn fast(base: Timestamp, speed: u32) -> Self {
        Self {
            began: Instant::now(),
            base: Some(base),
            speed: speed.max(1),
        }
    }

    /// Both clocks now.
    pub fn now(&self) -> Now {
        let mono = SignedDuration::try_from(self.began.elapsed())
            .unwrap_or(SignedDuration::MAX)
            .saturating_mul(i32::try_from(self.speed).unwrap_or(i32::MAX));
        let wall = match self.base {
            None => Timestamp::now(),
            Some(base) => base.saturating_add(mono).unwrap_or(Timestamp::MAX),
        };
        Now { wall, mono }
    }

    /// Waits until this much of the clock's time has passed.
    pub async fn sleep(&self, time: SignedDuration) {
        tokio::time::sleep(self.real(time)).await;
    }

    /// How long `time` of this clock really takes; zero when it is negative.
    pub fn real(&self, time: SignedDuration) -> Duration {
        Duration::try_from(time).unwrap_or(Duration::ZERO) / self.speed
    }
}
