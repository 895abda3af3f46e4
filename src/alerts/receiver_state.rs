//! The state of each alert as last delivered to one receiver, and the notices that are due for it.
//!
//! ```text
//!            raised                      delivered
//! (nothing) ───────► active, pending ──────────► active, delivered ──┐ repeated: after `repeat`,
//!     ▲                   │                         │     ▲──────────┘ or for another reason
//!     │     cleared       │                 cleared │     │ raised again before the
//!     ├───────────────────┘                         ▼     │ recovery was delivered
//!     └────────────────────────────────────────── gone, pending
//!                recovery delivered
//! ```
//!
//! It compares active alerts with delivered ones, so nothing is sent about alerts that came and
//! went while a receiver was down. At most [`BURST`] messages about one alert are sent within
//! [`CALM`]: a flapping alert is then reported in the state that it has when that time is over. An
//! active `shrink` alert is not held back.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::message::AlertChange;
use super::{Alert, AlertKey};
use crate::core::alert_text::AlertText;
use crate::core::health::NewestCopy;
use crate::core::order_terms::OrderTerms;
use crate::core::server_event::AlertKind;
use crate::core::snapshot::ServerId;

/// Maximum number of messages about one alert within [`CALM`].
pub(super) const BURST: usize = 4;

/// How long a message counts toward [`BURST`], and how long a new reason of an active alert waits.
pub(super) const CALM: SignedDuration = SignedDuration::from_hours(1);

/// Longest time that a message waits before it is first sent.
pub const PACE: SignedDuration = SignedDuration::from_mins(10);
/// How long the delivery of a message is retried.
pub const GIVE_UP: SignedDuration = SignedDuration::from_hours(1);

/// An alert that was raised this shortly before its process ended may not have been delivered. It
/// is sent again: twice is better than never.
pub(super) const FRESH: SignedDuration = PACE.saturating_add(GIVE_UP);

/// Reason of an alert that ended because its server's policy was removed.
const UNWATCHED: &str = "no longer watched: its policy was removed";

/// Maximum number of alerts of one receiver; only a bug could exceed it.
const MOST: usize = 50_000;

/// The last change of an alert that was delivered to the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DeliveredState {
    Nothing,
    /// Perhaps the raise: an earlier process may have ended before delivering it.
    Perhaps,
    /// A raise or repeat, with this text.
    Stands(AlertText),
    /// The recovery.
    Gone,
}

#[derive(Clone, Debug)]
struct AlertEntry {
    alert: Alert,
    stands: bool,
    known: DeliveredState,
    /// When `stands` or the reason last changed.
    changed: Timestamp,
    /// Times of the last deliveries, at most [`BURST`].
    told: VecDeque<Timestamp>,
}

/// One notice to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The change of the alert.
    pub event: AlertChange,
    /// The alert.
    pub alert: Alert,
}

/// The alerts of one receiver.
#[derive(Debug)]
pub struct ReceiverState {
    repeat: Option<SignedDuration>,
    entries: BTreeMap<AlertKey, AlertEntry>,
    /// Number of alerts that were refused because too many were active.
    pub refused: u64,
}

impl ReceiverState {
    /// Returns a state that repeats active alerts at this interval; `None` means never.
    pub fn new(repeat: Option<SignedDuration>) -> Self {
        Self {
            repeat,
            entries: BTreeMap::new(),
            refused: 0,
        }
    }

    /// Sets the repeat interval; `None` means never.
    pub fn set_repeat(&mut self, repeat: Option<SignedDuration>) {
        self.repeat = repeat;
    }

    /// Adds an alert of a previous process, which was alive until `last`. Unless it was raised
    /// within `FRESH` of `last`, the alert is assumed to have been delivered when it was raised,
    /// and at each repeat up to `last`.
    pub fn stood(&mut self, alert: Alert, last: Timestamp) {
        let mut told = alert.since;
        if let Some(repeat) = self.repeat.filter(SignedDuration::is_positive) {
            let times = last.duration_since(told).as_millis() / repeat.as_millis().max(1);
            let times = i32::try_from(times).unwrap_or(i32::MAX);
            told = told
                .saturating_add(repeat.saturating_mul(times))
                .unwrap_or(told);
        }
        let acknowledged = alert.acknowledged.as_ref();
        let acknowledged = acknowledged.and_then(|terms| terms.in_force(last));
        let fresh = last.duration_since(alert.since) < FRESH && acknowledged.is_none();
        let (known, told) = if fresh {
            (DeliveredState::Perhaps, VecDeque::new())
        } else {
            (
                DeliveredState::Stands(alert.text.clone()),
                VecDeque::from([told]),
            )
        };
        let entry = AlertEntry {
            known,
            stands: true,
            changed: alert.since,
            told,
            alert,
        };
        self.entries.insert(entry.alert.key(), entry);
    }

    /// Records that an alert was raised, or that its reason changed.
    pub fn raised(&mut self, alert: Alert, at: Timestamp) {
        let key = alert.key();
        if let Some(entry) = self.entries.get_mut(&key) {
            let since = if entry.stands {
                entry.alert.since
            } else {
                alert.since
            };
            if !entry.stands || entry.alert.text != alert.text {
                entry.changed = at;
            }
            entry.alert = Alert { since, ..alert };
            entry.stands = true;
            return;
        }
        if self.entries.len() >= MOST {
            self.refused += 1;
            return;
        }
        let entry = AlertEntry {
            alert,
            stands: true,
            known: DeliveredState::Nothing,
            changed: at,
            told: VecDeque::new(),
        };
        self.entries.insert(key, entry);
    }

    /// Records that an operator acknowledged an alert. It is not repeated, but a receiver that was
    /// never notified of it, or was notified of another text, still gets one message.
    pub fn acknowledged(&mut self, key: &AlertKey, terms: &OrderTerms) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.alert.acknowledged = Some(Box::new(terms.clone()));
        }
    }

    /// Records that an alert was cleared; its last reason is marked as past.
    pub fn cleared(&mut self, key: &AlertKey, at: Timestamp) {
        self.ended(key, at, |text| {
            // The remedy is no longer wanted.
            let mut text = text.clone();
            text.remedy = None;
            format!("over; the reason was: {}", text.reason())
        });
    }

    /// Records that an alert ended because its server is no longer watched.
    pub fn unwatched(&mut self, key: &AlertKey, at: Timestamp) {
        self.ended(key, at, |_| UNWATCHED.to_owned());
    }

    fn ended(&mut self, key: &AlertKey, at: Timestamp, what: impl Fn(&AlertText) -> String) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if entry.known == DeliveredState::Nothing {
            self.entries.remove(key);
        } else if entry.stands {
            entry.stands = false;
            entry.changed = at;
            entry.alert.text = what(&entry.alert.text).into();
        }
    }

    /// Stores the newest copy of a server for the messages about its alerts.
    pub fn copy(&mut self, server: &ServerId, copy: NewestCopy) {
        for (key, entry) in &mut self.entries {
            if key.server.as_ref() == Some(server) {
                entry.alert.copy = copy;
            }
        }
    }

    /// Returns when the next notice is due; `None` if none becomes due without a further change.
    pub fn next(&self) -> Option<Timestamp> {
        let due = self.entries.values().filter_map(|entry| self.of(entry));
        due.map(|(_, at)| at).min()
    }

    /// Returns all notices that are due.
    pub fn due(&self, now: Timestamp) -> Vec<Notice> {
        let due = self.entries.values().filter_map(|entry| {
            let (event, at) = self.of(entry)?;
            (at <= now).then(|| Notice {
                event,
                alert: entry.alert.clone(),
            })
        });
        due.collect()
    }

    /// Returns true if a notice is due that `wanted` accepts.
    pub fn has_due(&self, now: Timestamp, wanted: impl Fn(AlertChange, &Alert) -> bool) -> bool {
        self.entries.values().any(|entry| {
            let next = self.of(entry);
            next.is_some_and(|(event, at)| at <= now && wanted(event, &entry.alert))
        })
    }

    /// Marks notices as delivered or given up.
    pub fn told(&mut self, notices: &[Notice], now: Timestamp) {
        for notice in notices {
            let Some(entry) = self.entries.get_mut(&notice.alert.key()) else {
                continue;
            };
            entry.known = match notice.event {
                AlertChange::Recovered => DeliveredState::Gone,
                _ => DeliveredState::Stands(notice.alert.text.clone()),
            };
            entry.told.push_back(now);
            if entry.told.len() > BURST {
                entry.told.pop_front();
            }
        }
        // A cleared alert is kept while its messages count toward BURST.
        self.entries.retain(|_, entry| {
            let last = entry.told.back().copied().unwrap_or(now);
            let old = now.duration_since(last) > CALM;
            entry.stands || entry.known != DeliveredState::Gone || !old
        });
    }

    /// Returns the pending change of one alert, and when it is due.
    fn of(&self, entry: &AlertEntry) -> Option<(AlertChange, Timestamp)> {
        // The snapshots that a shrink names will soon be deleted: people must get the alert first.
        let urgent = entry.stands && entry.alert.kind == AlertKind::Shrink.word();
        let last = entry.told.back().copied();
        let after = |time: Option<Timestamp>, pause| {
            let time = time.unwrap_or(entry.changed);
            time.saturating_add(pause).unwrap_or(Timestamp::MAX)
        };
        let (event, at) = match (&entry.known, entry.stands) {
            (DeliveredState::Nothing | DeliveredState::Gone, true) => {
                (AlertChange::Raised, entry.changed)
            }
            (DeliveredState::Perhaps, true) => (AlertChange::Repeated, entry.changed),
            (DeliveredState::Stands(text), true) if *text != entry.alert.text => {
                let calm = if urgent { SignedDuration::ZERO } else { CALM };
                (AlertChange::Repeated, entry.changed.max(after(last, calm)))
            }
            (DeliveredState::Stands(_), true) => {
                let at = after(last, self.repeat?);
                let at = match &entry.alert.acknowledged {
                    Some(terms) => at.max(terms.until?),
                    None => at,
                };
                (AlertChange::Repeated, at)
            }
            (DeliveredState::Perhaps | DeliveredState::Stands(_), false) => {
                (AlertChange::Recovered, entry.changed)
            }
            (DeliveredState::Nothing | DeliveredState::Gone, false) => return None,
        };
        let full = entry.told.len() >= BURST && !urgent;
        let free = after(entry.told.front().copied().filter(|_| full), CALM);
        Some((event, if full { at.max(free) } else { at }))
    }
}

#[cfg(test)]
#[path = "receiver_state_tests.rs"]
mod tests;
