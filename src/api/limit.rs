//! How fast requests go, how many at once, and how long the provider asked to be left alone.
//!
//! One limiter serves all calls of the account. Who waits is served in the order of asking,
//! so ten thousand servers due in one minute all get their turn.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// A place in flight, granted after the rate limit and any `Retry-After`. Whoever mutates
/// writes the intent while holding it. Dropping it gives the place back.
#[derive(Debug)]
pub struct Pass {
    _place: OwnedSemaphorePermit,
    heard: Heard,
}

impl Pass {
    /// Where the status of the answer will be found.
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }
}

/// The status of the answer to the one request of a pass, as it was received: the trail
/// says what came, not what is documented.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<OnceLock<u16>>);

impl Heard {
    /// `None` where no success was answered.
    pub fn status(&self) -> Option<u16> {
        self.0.get().copied()
    }

    /// Says which status came.
    pub fn tell(&self, status: u16) {
        // A pass is for one request, so there is nothing to lose.
        let _told_already = self.0.set(status);
    }
}

/// The account's limits.
#[derive(Debug)]
pub struct Limiter {
    /// Held by the one that is next; tokio's mutex queues in order.
    bucket: tokio::sync::Mutex<Bucket>,
    places: Arc<Semaphore>,
    /// How many places there are.
    most: usize,
    /// No request before this instant (`Retry-After`).
    closed_until: Mutex<Option<Instant>>,
}

impl Limiter {
    /// At most `max_in_flight` at once (at least one) and `requests_per_second` (0 is no limit).
    pub fn new(max_in_flight: usize, requests_per_second: f64) -> Self {
        let places = max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            bucket: tokio::sync::Mutex::new(Bucket::new(requests_per_second)),
            places: Arc::new(Semaphore::new(places)),
            most: places,
            closed_until: Mutex::new(None),
        }
    }

    /// How many requests may be in flight at once.
    pub fn places(&self) -> usize {
        self.most
    }

    /// Waits for the rate, a place and any `Retry-After`, first come first served.
    ///
    /// Nobody else advances meanwhile: a pass is fresh when it is granted, and after a
    /// `Retry-After` of an hour there is no crowd with an hour's worth of saved-up grants.
    /// A future that is dropped leaves the queue and takes nothing along but a token.
    pub async fn admit(&self) -> Pass {
        let mut bucket = self.bucket.lock().await;
        bucket.take().await;
        let place = match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Only for a closed semaphore, and nobody closes it.
            Err(_) => std::future::pending().await,
        };
        // Last, since an answer may close the gate while a place is waited for.
        while let Some(until) = self.closed() {
            sleep_until(until).await;
        }
        Pass {
            _place: place,
            heard: Heard::default(),
        }
    }

    /// Holds back all requests for `time` from now; a shorter one never opens earlier.
    pub fn hold(&self, time: Duration) {
        let until = Instant::now().checked_add(time);
        let mut closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *closed = (*closed).max(until);
    }

    /// For how long requests are still held back; zero when they are not.
    pub fn held(&self) -> Duration {
        self.closed()
            .map_or(Duration::ZERO, |until| until - Instant::now())
    }

    fn closed(&self) -> Option<Instant> {
        let closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        closed.filter(|until| *until > Instant::now())
    }
}

/// A token bucket, kept as the instant at which it will be full again. Holds as many
/// tokens as the rate gives in a second, at least one.
#[derive(Debug)]
struct Bucket {
    /// The time one token takes; zero is no limit.
    interval: Duration,
    /// The time that all tokens but one take.
    burst: Duration,
    full_at: Instant,
}

impl Bucket {
    /// The slowest rate: one request a day.
    const SLOWEST: Duration = Duration::from_hours(24);

    fn new(per_second: f64) -> Self {
        let (interval, burst) = if per_second.is_finite() && per_second > 0.0 {
            let time = |tokens: f64| {
                Duration::try_from_secs_f64(tokens / per_second)
                    .unwrap_or(Self::SLOWEST)
                    .min(Self::SLOWEST)
            };
            (time(1.0), time(per_second.ceil().max(1.0) - 1.0))
        } else {
            (Duration::ZERO, Duration::ZERO)
        };
        Self {
            interval,
            burst,
            full_at: Instant::now(),
        }
    }

    /// Waits for a token and takes it; takes none when dropped before.
    async fn take(&mut self) {
        if self.interval.is_zero() {
            return;
        }
        if let Some(due) = self.full_at.checked_sub(self.burst) {
            sleep_until(due).await;
        }
        self.full_at = self.full_at.max(Instant::now()) + self.interval;
    }
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
