//! The loop of one receiver.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pending::{Parcel, PendingMessages};
use super::{ReceiverView, lock};
use crate::alerts::{self, Alert, News};
use crate::clock::Clock;
use crate::config::notify::Receiver;

/// News items that arrive within this time are sent together.
const WINDOW: Duration = Duration::from_secs(2);
/// Maximum number of messages within [`PACE`]; later news items wait and are sent together.
const MESSAGES: usize = 10;
/// Maximum number of messages within [`PACE`] while an alert of the highest priority is due, so
/// that it does not wait for less important ones.
const URGENT_MESSAGES: usize = 2 * MESSAGES;
const PACE: Duration = alerts::PACE.unsigned_abs();
/// Longest sleep until a wall-clock time, since the wall clock may jump.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// First pause after a failed delivery, before jitter is added.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest pause after a failed delivery, before jitter is added.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
const GIVE_UP: Duration = alerts::GIVE_UP.unsigned_abs();

/// Delivers parcels to one receiver.
pub(super) trait Deliver: Send + Sync + 'static {
    /// Delivers within the receiver's time limit; the error is one line without secrets.
    fn deliver(&self, parcel: &Parcel) -> impl Future<Output = Result<(), String>> + Send;
}

#[derive(Clone, Debug, Default)]
struct DeliveryCounts {
    delivered: u64,
    dropped: u64,
    error: Option<String>,
    held_until: Option<Timestamp>,
}

/// One receiver: its pending messages and its counters.
pub(super) struct ReceiverLoop {
    pub(super) settings: Receiver,
    /// True if it took over the receiver's state from before a reload.
    pub(super) goes_on: bool,
    clock: Clock,
    inbox: Mutex<PendingMessages>,
    tally: Mutex<DeliveryCounts>,
    came: Notify,
}

impl ReceiverLoop {
    /// Returns the loop of a receiver; `former` is its loop before a reload.
    pub(super) fn new(settings: Receiver, clock: Clock, former: Option<&Self>) -> Self {
        let mut inbox = PendingMessages::of(&settings);
        let mut tally = DeliveryCounts::default();
        let former = former.filter(|former| {
            let old = &former.settings;
            let both = lock(&former.inbox).groups() == inbox.groups();
            both && old.on == settings.on && old.servers == settings.servers
        });
        let goes_on = former.is_some();
        if let Some(former) = former {
            std::mem::swap(&mut inbox, &mut *lock(&former.inbox));
            if let PendingMessages::Alerts(desk, _) = &mut inbox {
                desk.set_repeat(settings.repeat);
            }
            tally = lock(&former.tally).clone();
        }
        Self {
            settings,
            goes_on,
            clock,
            inbox: Mutex::new(inbox),
            tally: Mutex::new(tally),
            came: Notify::new(),
        }
    }

    /// Adds the alerts that a previous process, which was alive until `last`, had raised.
    pub(super) fn stood(&self, standing: &[Alert], last: Timestamp) {
        lock(&self.inbox).stood(&self.settings, standing, last);
    }

    /// Adds the news items that pass the receiver's filter.
    pub(super) fn hear(&self, news: &[News], now: Timestamp) {
        let dropped = lock(&self.inbox).hear(&self.settings, news, now);
        lock(&self.tally).dropped += dropped;
        self.came.notify_one();
    }

    /// Returns the receiver's state; `lost` is the number of news items that no receiver got.
    pub(super) fn view(&self, lost: u64) -> ReceiverView {
        let refused = lock(&self.inbox).refused();
        let tally = lock(&self.tally).clone();
        ReceiverView {
            name: self.settings.name.clone(),
            r#type: self.settings.way.word().to_owned(),
            delivered: tally.delivered,
            dropped: tally.dropped + lost + refused,
            error: tally.error,
            held_until: tally.held_until,
        }
    }

    /// Delivers until `stop`, then tries once to deliver what is still pending.
    pub(super) async fn run(self: Arc<Self>, post: impl Deliver, stop: CancellationToken) {
        let mut sent: VecDeque<Instant> = VecDeque::new();
        let mut pauses = None;
        loop {
            if !stop.is_cancelled() && !self.wait(&sent, &stop).await {
                continue;
            }
            let parcels = lock(&self.inbox).due(self.clock.now().wall);
            if parcels.is_empty() {
                if stop.is_cancelled() {
                    return;
                }
                continue;
            }
            let Err(error) = self.deliver(&post, parcels, &mut sent).await else {
                if pauses.take().is_some() {
                    tracing::info!(
                        receiver = self.settings.name,
                        "delivery to the receiver works again"
                    );
                }
                continue;
            };
            let first = pauses.is_none();
            let pause = pauses.get_or_insert_with(growing).next();
            if stop.is_cancelled() {
                self.give_up(&error);
                return;
            }
            let Some(pause) = pause else {
                self.give_up(&error);
                pauses = None;
                continue;
            };
            if first {
                let receiver = &self.settings.name;
                tracing::warn!(
                    receiver,
                    error,
                    "delivery to the receiver failed; it is retried"
                );
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Waits until something may be due; if something is due already, waits for more news or for
    /// the pace. Returns true if the due items are to be sent now; if not, call it again.
    async fn wait(&self, sent: &VecDeque<Instant>, stop: &CancellationToken) -> bool {
        let now = self.clock.now().wall;
        let (next, groups, urgent) = {
            let inbox = lock(&self.inbox);
            // Only a receiver that the pace may hold back has to look at every alert.
            let urgent = sent.len() >= MESSAGES && inbox.urgent(now);
            (inbox.next(), inbox.groups(), urgent)
        };
        let left = next.map(|at| at.duration_since(now));
        let due = left.is_some_and(|left| left <= SignedDuration::ZERO);
        let held = pace_left(sent, urgent).filter(|held| due && groups && *held > WINDOW);
        lock(&self.tally).held_until = held.and_then(|held| now.checked_add(held).ok());
        if due {
            let pause = if groups {
                held.unwrap_or(WINDOW)
            } else {
                Duration::ZERO
            };
            // An urgent alert that arrives meanwhile does not wait for the pace.
            return tokio::select! {
                biased;
                () = stop.cancelled() => true,
                () = self.came.notified(), if held.is_some() => false,
                () = tokio::time::sleep(pause) => true,
            };
        }
        let left = left.map_or(LONGEST_SLEEP, |left| left.unsigned_abs().min(LONGEST_SLEEP));
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.came.notified() => {}
            () = tokio::time::sleep(left) => {}
        }
        false
    }

    async fn deliver(
        &self,
        post: &impl Deliver,
        parcels: Vec<Parcel>,
        sent: &mut VecDeque<Instant>,
    ) -> Result<(), String> {
        for parcel in parcels {
            let done = post.deliver(&parcel).await;
            let now = self.clock.now().wall;
            {
                let mut tally = lock(&self.tally);
                tally.delivered += u64::from(done.is_ok());
                tally.error = done.as_ref().err().cloned();
            }
            done?;
            lock(&self.inbox).done(&parcel, now);
            sent.push_back(Instant::now());
            if sent.len() > URGENT_MESSAGES {
                sent.pop_front();
            }
        }
        Ok(())
    }

    /// Drops everything that is due.
    fn give_up(&self, error: &str) {
        let now = self.clock.now().wall;
        let dropped = lock(&self.inbox).give_up(now);
        lock(&self.tally).dropped += dropped as u64;
        let receiver = &self.settings.name;
        tracing::warn!(
            receiver,
            dropped,
            error,
            "delivery to the receiver failed; messages were dropped"
        );
    }
}

/// Returns how long the pace delays the next message; zero or `None` if it may be sent now.
fn pace_left(sent: &VecDeque<Instant>, urgent: bool) -> Option<Duration> {
    let most = if urgent { URGENT_MESSAGES } else { MESSAGES };
    let counted = sent.len().checked_sub(most)?;
    let free = *sent.get(counted)? + PACE;
    Some(free.saturating_duration_since(Instant::now()))
}

fn growing() -> backon::ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_total_delay(Some(GIVE_UP))
        .without_max_times()
        .with_jitter()
        .build()
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
