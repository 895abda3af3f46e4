//! What one receiver knows of each alert, and what it must hear next.
//!
//! ```text
//!            raised                    told
//! (nothing) ───────► stands, untold ─────────► stands, told ──┐ repeated: after `repeat`,
//!     ▲                   │                      │     ▲──────┘ or for another reason
//!     │     cleared       │              cleared │     │ raised again, before that was told
//!     ├───────────────────┘                      ▼     │
//!     └──────────────────────────────────── gone, untold
//!                recovered is told
//! ```
//!
//! It compares what stands with what was told, so whatever came and went while a receiver
//! could not be reached costs nothing. About one alert no more than [`BURST`] messages are
//! sent in [`CALM`]: one that comes and goes is then told as it stands when the time is over. A
//! shrink that stands is told at once all the same.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::message::AlertChange;
use super::{Alert, AlertKey};
use crate::core::event::AlertKind;

/// Messages about one alert within [`CALM`].
pub(super) const BURST: usize = 4;

/// How long one alert's messages count; a standing alert's new reason waits so long, too.
pub(super) const CALM: SignedDuration = SignedDuration::from_hours(1);

/// A message waits so long at most until it is sent.
pub const PACE: SignedDuration = SignedDuration::from_mins(10);
/// A message is tried for so long.
pub const GIVE_UP: SignedDuration = SignedDuration::from_hours(1);

/// An alert that was raised so shortly before its process ended may not have been told: rather
/// twice than never.
pub(super) const FRESH: SignedDuration = PACE.saturating_add(GIVE_UP);

/// Why an alert is over whose server is in nobody's care.
const UNWATCHED: &str = "no longer watched: its policy was removed";

/// Alerts that are kept for a receiver; more would be a fault of ours.
const MOST: usize = 50_000;

/// What the receiver knows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DeliveredState {
    Nothing,
    /// That it stands, unless its process ended before it could say so.
    Perhaps,
    /// That it stands, for this reason.
    Stands(String),
    /// That it went.
    Gone,
}

#[derive(Clone, Debug)]
struct AlertEntry {
    alert: Alert,
    stands: bool,
    known: DeliveredState,
    /// Since when it is as it is.
    changed: Timestamp,
    /// When it was told of, the last times.
    told: VecDeque<Timestamp>,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What happened to the alert.
    pub event: AlertChange,
    /// The alert.
    pub alert: Alert,
}

/// The state machine.
#[derive(Debug)]
pub struct ReceiverState {
    repeat: Option<SignedDuration>,
    entries: BTreeMap<AlertKey, AlertEntry>,
    /// Alerts that found no place.
    pub refused: u64,
}

impl ReceiverState {
    /// One that repeats what stands after so long; `None`: never.
    pub fn new(repeat: Option<SignedDuration>) -> Self {
        Self {
            repeat,
            entries: BTreeMap::new(),
            refused: 0,
        }
    }

    /// From now on repeated after so long.
    pub fn set_repeat(&mut self, repeat: Option<SignedDuration>) {
        self.repeat = repeat;
    }

    /// Takes in an alert that a process before raised, which lived until `last`: it was told
    /// by that, and as often as its repeats fell within that time.
    pub fn stood(&mut self, alert: Alert, last: Timestamp) {
        let mut told = alert.since;
        if let Some(repeat) = self.repeat.filter(SignedDuration::is_positive) {
            let times = last.duration_since(told).as_millis() / repeat.as_millis().max(1);
            let times = i32::try_from(times).unwrap_or(i32::MAX);
            told = told
                .saturating_add(repeat.saturating_mul(times))
                .unwrap_or(told);
        }
        let fresh = last.duration_since(alert.since) < FRESH;
        let (known, told) = if fresh {
            (DeliveredState::Perhaps, VecDeque::new())
        } else {
            (
                DeliveredState::Stands(alert.reason.clone()),
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

    /// An alert was raised, or its reason is another.
    pub fn raised(&mut self, alert: Alert, at: Timestamp) {
        let key = alert.key();
        if let Some(entry) = self.entries.get_mut(&key) {
            let since = if entry.stands {
                entry.alert.since
            } else {
                alert.since
            };
            if !entry.stands || entry.alert.reason != alert.reason {
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

    /// An alert no longer stands; its old reason is told as an old one.
    pub fn cleared(&mut self, key: &AlertKey, at: Timestamp) {
        self.ended(key, at, |reason| format!("over; it was: {reason}"));
    }

    /// An alert no longer stands, since nobody looks at its server any more.
    pub fn unwatched(&mut self, key: &AlertKey, at: Timestamp) {
        self.ended(key, at, |_| UNWATCHED.to_owned());
    }

    fn ended(&mut self, key: &AlertKey, at: Timestamp, reason: impl Fn(&str) -> String) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if entry.known == DeliveredState::Nothing {
            self.entries.remove(key);
        } else if entry.stands {
            entry.stands = false;
            entry.changed = at;
            entry.alert.reason = reason(&entry.alert.reason);
        }
    }

    /// When there is something to tell; `None`: only when something changes.
    pub fn next(&self) -> Option<Timestamp> {
        let due = self.entries.values().filter_map(|entry| self.of(entry));
        due.map(|(_, at)| at).min()
    }

    /// All that is to be told now.
    pub fn due(&self, now: Timestamp) -> Vec<Notice> {
        let due = self.entries.values().filter_map(|entry| {
            let (event, at) = self.of(entry)?;
            let alert = entry.alert.clone();
            (at <= now).then_some(Notice { event, alert })
        });
        due.collect()
    }

    /// These were told, or given up.
    pub fn told(&mut self, notices: &[Notice], now: Timestamp) {
        for notice in notices {
            let Some(entry) = self.entries.get_mut(&notice.alert.key()) else {
                continue;
            };
            entry.known = match notice.event {
                AlertChange::Recovered => DeliveredState::Gone,
                _ => DeliveredState::Stands(notice.alert.reason.clone()),
            };
            entry.told.push_back(now);
            if entry.told.len() > BURST {
                entry.told.pop_front();
            }
        }
        // What went is remembered for as long as it counts.
        self.entries.retain(|_, entry| {
            let last = entry.told.back().copied().unwrap_or(now);
            let old = now.duration_since(last) > CALM;
            entry.stands || entry.known != DeliveredState::Gone || !old
        });
    }

    /// What is to be told of one alert, and from when on.
    fn of(&self, entry: &AlertEntry) -> Option<(AlertChange, Timestamp)> {
        // What a shrink names is deleted soon: people have to hear of it before.
        let urgent = entry.stands && entry.alert.kind == AlertKind::Shrink.word();
        let last = entry.told.back().copied();
        let after = |time: Option<Timestamp>, pause| {
            let time = time.unwrap_or(entry.changed);
            time.saturating_add(pause).unwrap_or(Timestamp::MAX)
        };
        let (event, at) = match (&entry.known, entry.stands) {
            (DeliveredState::Nothing | DeliveredState::Perhaps | DeliveredState::Gone, true) => {
                (AlertChange::Raised, entry.changed)
            }
            (DeliveredState::Stands(reason), true) if *reason != entry.alert.reason => {
                let calm = if urgent { SignedDuration::ZERO } else { CALM };
                (AlertChange::Repeated, entry.changed.max(after(last, calm)))
            }
            (DeliveredState::Stands(_), true) => (AlertChange::Repeated, after(last, self.repeat?)),
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
