//! The only clock: all other code takes the time, or this clock, as an argument.
//!
//! The engine also uses this clock to wait. The demo can thus run fast, tests can pause time, and a
//! step of the wall clock can be distinguished from elapsed time. The duration of a call or a
//! connection is measured where it is made, by a clock that never steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::core::server_event::ClockReading;

/// A source of time; clones return the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    began: Instant,
    /// `None`: the system's wall clock. Otherwise the wall time at `began`, from which it advances
    /// `speed` times as fast.
    base: Option<Timestamp>,
    speed: u32,
    stepper: Stepper,
}

/// Steps a clock's wall time, as an administrator or a time server may. Elapsed time is not
/// affected.
#[derive(Clone, Debug, Default)]
pub struct Stepper(Arc<AtomicI64>);

impl Stepper {
    /// Steps the wall clock forward, or back if `by` is negative, to the millisecond.
    pub fn step(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(if by.is_negative() {
            i64::MIN
        } else {
            i64::MAX
        });
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    fn offset(&self) -> SignedDuration {
        SignedDuration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl Clock {
    /// Returns a clock that reads the system's clocks.
    pub fn system() -> Self {
        Self {
            began: Instant::now(),
            base: None,
            speed: 1,
            stepper: Stepper::default(),
        }
    }

    /// Returns a clock that begins at `base` and runs `speed` times as fast as tokio's.
    pub fn fast(base: Timestamp, speed: u32) -> Self {
        Self {
            began: Instant::now(),
            base: Some(base),
            speed: speed.max(1),
            stepper: Stepper::default(),
        }
    }

    /// Returns a clock that begins at `base`, for tests and simulation, and the stepper of its wall
    /// time.
    pub fn stepped(base: Timestamp) -> (Self, Stepper) {
        let clock = Self::fast(base, 1);
        let stepper = clock.stepper.clone();
        (clock, stepper)
    }

    /// Returns the readings of both clocks.
    pub fn now(&self) -> ClockReading {
        let mono = SignedDuration::try_from(self.began.elapsed())
            .unwrap_or(SignedDuration::MAX)
            .saturating_mul(i32::try_from(self.speed).unwrap_or(i32::MAX));
        let wall = match self.base {
            None => Timestamp::now(),
            Some(base) => base
                .saturating_add(mono.saturating_add(self.stepper.offset()))
                .unwrap_or(Timestamp::MAX),
        };
        ClockReading { wall, mono }
    }

    /// Waits until this much of the clock's time has passed.
    pub async fn sleep(&self, time: SignedDuration) {
        tokio::time::sleep(self.real(time)).await;
    }

    /// Returns how long a real duration is by this clock.
    pub fn scaled(&self, real: Duration) -> SignedDuration {
        SignedDuration::try_from(real.saturating_mul(self.speed)).unwrap_or(SignedDuration::MAX)
    }

    /// Returns the real duration of `time` on this clock; zero if it is negative.
    pub fn real(&self, time: SignedDuration) -> Duration {
        Duration::try_from(time).unwrap_or(Duration::ZERO) / self.speed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_moves_the_wall_clock_of_every_clone_but_not_the_elapsed_time() {
        let base: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let (clock, stepper) = Clock::stepped(base);
        let copy = clock.clone();
        stepper.step(SignedDuration::from_hours(-2));
        stepper.step(SignedDuration::from_mins(-30));
        copy.sleep(SignedDuration::from_mins(10)).await;
        let now = copy.now();
        assert_eq!(now.mono, SignedDuration::from_mins(10));
        assert_eq!(now.wall, "2026-11-25T09:40:00Z".parse().unwrap());
        stepper.step(SignedDuration::from_hours(3));
        assert_eq!(clock.now().wall, "2026-11-25T12:40:00Z".parse().unwrap());
        assert_eq!(clock.now().mono, SignedDuration::from_mins(10));
    }
}
