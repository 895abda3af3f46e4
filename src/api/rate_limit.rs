//! How fast requests go, how many at once, and how long the provider asked to be left alone.
//!
//! One limiter serves all calls of the account. Who waits is served in the order of asking,
//! so ten thousand servers due in one minute all get their turn. A limit that the provider
//! enforces and says nothing of is found by its refusals.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// A place in flight, granted after the rate limit and any `Retry-After`. Whoever mutates
/// writes the intent while holding it. Dropping it gives the place back.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
    heard: StatusCell,
}

impl Permit {
    /// Where the status of the answer will be found.
    pub fn heard(&self) -> StatusCell {
        self.heard.clone()
    }
}

/// The status of the answer to the one request of a pass, as it was received: the trail
/// says what came, not what is documented.
#[derive(Clone, Debug, Default)]
pub struct StatusCell(Arc<OnceLock<u16>>);

impl StatusCell {
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

/// How fast and how many.
#[derive(Clone, Copy, Debug)]
pub struct RateSettings {
    /// Requests in flight at once; at least one.
    pub max_in_flight: usize,
    /// Requests that begin in a second; 0 is no limit.
    pub per_second: f64,
    /// Requests that may begin at once after a rest; at least one.
    pub burst: u32,
}

/// The account's limits.
#[derive(Debug)]
pub struct Limiter {
    /// Held by the one that is next; tokio's mutex queues in order.
    bucket: tokio::sync::Mutex<TokenBucket>,
    places: Arc<Semaphore>,
    /// How many places there are.
    most: usize,
    /// No request before this instant (`Retry-After`).
    closed_until: Mutex<Option<Instant>>,
    strain: Mutex<Backoff>,
}

impl Limiter {
    /// Nothing is held back yet.
    pub fn new(rate: RateSettings) -> Self {
        let most = rate.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            bucket: tokio::sync::Mutex::new(TokenBucket::new(rate)),
            places: Arc::new(Semaphore::new(most)),
            most,
            closed_until: Mutex::new(None),
            strain: Mutex::default(),
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
    pub async fn admit(&self) -> Permit {
        self.grant(false).await
    }

    /// The same for a mutation: however many requests may begin at once, it keeps the rate's
    /// distance from the one before.
    pub async fn admit_change(&self) -> Permit {
        self.grant(true).await
    }

    /// Waits for a place alone, past the queue, the rate and any `Retry-After`.
    pub async fn admit_owed(&self) -> Permit {
        Permit {
            _place: self.place().await,
            heard: StatusCell::default(),
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Only for a closed semaphore, and nobody closes it.
            Err(_) => std::future::pending().await,
        }
    }

    async fn grant(&self, apart: bool) -> Permit {
        let mut bucket = self.bucket.lock().await;
        bucket.take(apart).await;
        let place = self.place().await;
        // Last, since an answer may close the gate, or slow all down, while a place is waited for.
        while let Some(until) = self.closed().max(self.spaced(&bucket)) {
            sleep_until(until).await;
        }
        bucket.last = Some(Instant::now());
        Permit {
            _place: place,
            heard: StatusCell::default(),
        }
    }

    /// The provider refused a request that began then for coming too fast, and said nothing of
    /// how long to rest: all others keep a second between each other from now on, twice that
    /// after each further refusal, a minute at most.
    pub fn refused(&self, began: Instant) {
        let mut strain = self.strain.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were under way together are refused together, and say it once.
        if strain.since.is_none_or(|since| began >= since) {
            strain.spacing = (strain.spacing * 2).clamp(Backoff::FIRST, Backoff::MOST);
            strain.since = Some(Instant::now());
            strain.patience = (strain.patience * 2).clamp(Backoff::RELAXES, Backoff::MOST_PATIENCE);
        }
        (strain.good, strain.changed) = (0, Some(Instant::now()));
        let rest = strain.spacing;
        drop(strain);
        self.hold(rest);
    }

    /// A request was answered: after some of these the distance shrinks again.
    pub fn answered(&self) {
        let mut strain = self.strain.lock().unwrap_or_else(PoisonError::into_inner);
        if strain.spacing.is_zero() {
            return;
        }
        strain.good += 1;
        let long = strain
            .changed
            .is_none_or(|changed| changed.elapsed() >= Backoff::LONG);
        if strain.good >= strain.patience || long {
            (strain.good, strain.changed) = (0, Some(Instant::now()));
            strain.spacing /= 2;
            if strain.spacing < Backoff::LEAST {
                *strain = Backoff::default();
            }
        }
    }

    /// Until when the distance to the request before is to be kept; `None` where it is.
    fn spaced(&self, bucket: &TokenBucket) -> Option<Instant> {
        let strain = self.strain.lock().unwrap_or_else(PoisonError::into_inner);
        let until = bucket.last?.checked_add(strain.spacing);
        until.filter(|until| *until > Instant::now())
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

/// A limit that the provider doesn't tell, as far as it is known.
#[derive(Debug, Default)]
struct Backoff {
    /// The distance between two requests; zero: none but the rate's.
    spacing: Duration,
    /// Requests that began before were sent at the former distance.
    since: Option<Instant>,
    /// When it was refused last, or the distance shrank.
    changed: Option<Instant>,
    /// Answers since then.
    good: u32,
    /// So many of them halve it: more after each refusal, or a distance that is just too short
    /// would be tried again and again.
    patience: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_mins(1);
    /// A shorter distance is none.
    const LEAST: Duration = Duration::from_millis(100);
    /// So many answers halve it after the first refusal.
    const RELAXES: u32 = 8;
    const MOST_PATIENCE: u32 = 64;
    /// After so long one answer halves it.
    const LONG: Duration = Duration::from_mins(1);
}

/// A token bucket, kept as the instant at which it will be full again.
#[derive(Debug)]
struct TokenBucket {
    /// The time one token takes; zero is no limit.
    interval: Duration,
    /// The time that all tokens but one take.
    burst: Duration,
    full_at: Instant,
    /// When the last request was let through.
    last: Option<Instant>,
}

impl TokenBucket {
    /// The slowest rate: one request a day.
    const SLOWEST: Duration = Duration::from_hours(24);

    fn new(rate: RateSettings) -> Self {
        let per_second = rate.per_second;
        let interval = if per_second.is_finite() && per_second > 0.0 {
            Duration::try_from_secs_f64(1.0 / per_second)
                .unwrap_or(Self::SLOWEST)
                .min(Self::SLOWEST)
        } else {
            Duration::ZERO
        };
        Self {
            interval,
            burst: interval.saturating_mul(rate.burst.max(1) - 1),
            full_at: Instant::now(),
            last: None,
        }
    }

    /// Waits for a token and takes it; takes none when dropped before. `apart`: also for its
    /// distance from the last request.
    async fn take(&mut self, apart: bool) {
        if self.interval.is_zero() {
            return;
        }
        let spaced = self.last.filter(|_| apart).map(|last| last + self.interval);
        if let Some(due) = self.full_at.checked_sub(self.burst).max(spaced) {
            sleep_until(due).await;
        }
        self.full_at = self.full_at.max(Instant::now()) + self.interval;
    }
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
