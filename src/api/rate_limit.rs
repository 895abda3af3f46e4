//! Limits the rate and the number of requests in flight, and honours the provider's pauses.
//!
//! One limiter serves all calls of the account. Requests are granted in order of arrival, so ten
//! thousand servers that are due in the same minute all get their turn. A limit that the provider
//! enforces but does not announce is inferred from its refusals.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Permission to send one request, granted once the rate limit, any `Retry-After` and the number of
/// requests in flight allow it. A mutation's intent is written while the permit is held. Dropping
/// the permit frees its place.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
    heard: StatusCell,
}

impl Permit {
    /// Returns the cell in which the answer's status is stored.
    pub fn heard(&self) -> StatusCell {
        self.heard.clone()
    }
}

/// The status of the answer to a permit's request. The trail records it instead of the documented
/// status.
#[derive(Clone, Debug, Default)]
pub struct StatusCell(Arc<OnceLock<u16>>);

impl StatusCell {
    /// Returns the status; `None` unless the request succeeded.
    pub fn status(&self) -> Option<u16> {
        self.0.get().copied()
    }

    /// Stores the status.
    pub fn tell(&self, status: u16) {
        // A permit is for one request, so the cell is still empty.
        let _told_already = self.0.set(status);
    }
}

/// Settings of the rate limit.
#[derive(Clone, Copy, Debug)]
pub struct RateSettings {
    /// Maximum number of requests in flight at once; must be at least one.
    pub max_in_flight: usize,
    /// Maximum number of requests that begin per second; 0 means no limit.
    pub per_second: f64,
    /// Maximum number of requests that may begin back to back after an idle time; must be at least
    /// one.
    pub burst: u32,
}

/// A hold of more than a minute that an answer with this status caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongHold {
    /// How long requests are still held back.
    pub left: Duration,
    /// The status of the answer that asked for the pause.
    pub status: u16,
}

/// The longest hold that a request waits out. A caller must be able to report a longer one.
const LONG_HOLD: Duration = Duration::from_mins(1);

/// A hold: no request begins before `until`, because of an answer with this status.
#[derive(Clone, Copy, Debug)]
struct Hold {
    until: Instant,
    status: u16,
}

/// The account's limits.
#[derive(Debug)]
pub struct Limiter {
    /// Held by the request that is next; tokio's mutex is fair.
    bucket: tokio::sync::Mutex<TokenBucket>,
    places: Arc<Semaphore>,
    /// Maximum number of requests in flight.
    most: usize,
    /// The hold that ends last. The provider asked for a pause, or refused a request without naming
    /// one.
    hold: Mutex<Option<Hold>>,
    strain: Mutex<Backoff>,
}

impl Limiter {
    /// Creates a limiter that holds nothing back yet.
    pub fn new(rate: RateSettings) -> Self {
        let most = rate.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            bucket: tokio::sync::Mutex::new(TokenBucket::new(rate)),
            places: Arc::new(Semaphore::new(most)),
            most,
            hold: Mutex::new(None),
            strain: Mutex::default(),
        }
    }

    /// Returns how many requests may be in flight at once.
    pub fn places(&self) -> usize {
        self.most
    }

    /// Waits for the rate, a place and any `Retry-After` of up to a minute, in order of arrival.
    ///
    /// The queue does not advance while its first request waits. A permit is therefore fresh when
    /// it is granted, and no burst of saved-up permits follows a `Retry-After`. A future
    /// that is dropped leaves the queue and uses up at most one token.
    pub async fn admit(&self) -> Result<Permit, LongHold> {
        self.grant(false).await
    }

    /// Like [`Self::admit`], for a mutation: whatever the burst, it begins at least the rate's
    /// interval after the previous request.
    pub async fn admit_change(&self) -> Result<Permit, LongHold> {
        self.grant(true).await
    }

    /// Waits for a place only; skips the queue, the rate and any `Retry-After`.
    pub async fn admit_owed(&self) -> Permit {
        Permit {
            _place: self.place().await,
            heard: StatusCell::default(),
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Only a closed semaphore fails, and this one is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    async fn grant(&self, apart: bool) -> Result<Permit, LongHold> {
        let mut bucket = self.bucket.lock().await;
        self.long_hold().map_or(Ok(()), Err)?;
        bucket.take(apart).await;
        let place = self.place().await;
        // Checked last: while this request waited for a place, an answer may have caused a hold or
        // a wider spacing.
        loop {
            self.long_hold().map_or(Ok(()), Err)?;
            let closed = self.closed().map(|hold| hold.until);
            let Some(until) = closed.max(self.spaced(&bucket)) else {
                break;
            };
            sleep_until(until).await;
        }
        bucket.last = Some(Instant::now());
        Ok(Permit {
            _place: place,
            heard: StatusCell::default(),
        })
    }

    /// Records that the provider refused a request because of the rate, without naming a pause. The
    /// request began at `began`. The first refusal spaces requests by a second. Each further
    /// refusal doubles the spacing, up to a minute.
    pub fn refused(&self, began: Instant, status: u16) {
        let mut strain = self.strain.lock().unwrap_or_else(PoisonError::into_inner);
        // Refusals of requests that were in flight together count as one.
        if strain.since.is_none_or(|since| began >= since) {
            strain.spacing = (strain.spacing * 2).clamp(Backoff::FIRST, Backoff::MOST);
            strain.since = Some(Instant::now());
            strain.patience = (strain.patience * 2).clamp(Backoff::RELAXES, Backoff::MOST_PATIENCE);
        }
        (strain.good, strain.changed) = (0, Some(Instant::now()));
        let rest = strain.spacing;
        drop(strain);
        self.hold(rest, status);
    }

    /// Records an answer that is not a refusal. After enough of them, or after a minute, the
    /// spacing is halved.
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

    /// Returns the instant until which the next request must wait to keep the spacing; `None` if it
    /// need not wait.
    fn spaced(&self, bucket: &TokenBucket) -> Option<Instant> {
        let strain = self.strain.lock().unwrap_or_else(PoisonError::into_inner);
        let until = bucket.last?.checked_add(strain.spacing);
        until.filter(|until| *until > Instant::now())
    }

    /// Holds back all requests for `time` from now, because of an answer with this status. A
    /// shorter hold never ends a longer one.
    pub fn hold(&self, time: Duration, status: u16) {
        let Some(until) = Instant::now().checked_add(time) else {
            return;
        };
        let mut hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        if hold.is_none_or(|hold| hold.until < until) {
            *hold = Some(Hold { until, status });
        }
    }

    /// Returns how long requests are still held back; zero if they are not.
    pub fn held(&self) -> Duration {
        self.closed()
            .map_or(Duration::ZERO, |hold| hold.until - Instant::now())
    }

    fn closed(&self) -> Option<Hold> {
        let hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        hold.filter(|hold| hold.until > Instant::now())
    }

    fn long_hold(&self) -> Option<LongHold> {
        let Hold { until, status } = self.closed()?;
        let left = until - Instant::now();
        (left > LONG_HOLD).then_some(LongHold { left, status })
    }
}

/// Backoff for a limit that the provider does not announce.
#[derive(Debug, Default)]
struct Backoff {
    /// The spacing between two requests; zero means none beyond the rate's.
    spacing: Duration,
    /// Requests that began before this instant were sent with the former spacing.
    since: Option<Instant>,
    /// Time of the last refusal or halving of the spacing.
    changed: Option<Instant>,
    /// Answers since then.
    good: u32,
    /// Number of answers after which the spacing is halved. It grows with each refusal; otherwise a
    /// spacing that is just too short would be tried again and again.
    patience: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_mins(1);
    /// A shorter spacing is treated as none.
    const LEAST: Duration = Duration::from_millis(100);
    /// The `patience` after the first refusal.
    const RELAXES: u32 = 8;
    const MOST_PATIENCE: u32 = 64;
    /// After this time one answer halves the spacing.
    const LONG: Duration = Duration::from_mins(1);
}

/// A token bucket, stored as the instant at which it will be full again.
#[derive(Debug)]
struct TokenBucket {
    /// Time for one token; zero means no limit.
    interval: Duration,
    /// Time for all tokens but one.
    burst: Duration,
    full_at: Instant,
    /// When the last request was granted.
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

    /// Waits for a token and takes it; takes none if dropped before then. With `apart` it also
    /// waits until the interval has passed since the last request.
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
