//! The pending messages of one receiver: alerts and checkpoints, or pings.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::host;
use crate::alerts::{
    Alert, AlertChange, Message, News, Notice, Priority, ReceiverState, SignedCheckpoint, SlotNews,
};
use crate::config::notify::{Receiver, Transport};

/// Maximum number of slot changes queued for a receiver.
pub(super) const PINGS: usize = 1_000;
/// Maximum number of queued checkpoints; a newer one covers more than an older one.
pub(super) const CHECKPOINTS: usize = 100;

/// One item to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parcel {
    /// Alerts, with the notices that the message delivers.
    Message(Message, Vec<Notice>),
    /// A change of a slot.
    Ping(SlotNews),
    /// A checkpoint, and the time of the message.
    Checkpoint(SignedCheckpoint, Timestamp),
}

/// The queue of a receiver.
#[derive(Debug)]
pub(super) enum PendingMessages {
    Alerts(ReceiverState, VecDeque<SignedCheckpoint>),
    Pings(VecDeque<SlotNews>),
}

impl PendingMessages {
    pub(super) fn of(settings: &Receiver) -> Self {
        match settings.way {
            Transport::Ping { .. } => Self::Pings(VecDeque::new()),
            _ => Self::Alerts(ReceiverState::new(settings.repeat), VecDeque::new()),
        }
    }

    /// Adds the alerts that a previous process, which was alive until `last`, had raised.
    pub(super) fn stood(&mut self, settings: &Receiver, standing: &[Alert], last: Timestamp) {
        if let Self::Alerts(desk, _) = self {
            for alert in standing.iter().filter(|alert| wants(settings, alert)) {
                desk.stood(alert.clone(), last);
            }
        }
    }

    /// Adds the news items that the receiver wants; returns how many older ones were dropped to
    /// make room for them.
    pub(super) fn hear(&mut self, settings: &Receiver, news: &[News], now: Timestamp) -> u64 {
        let mut dropped = 0;
        for one in news {
            match (&mut *self, one) {
                (Self::Alerts(desk, _), News::Raised(alert)) if wants(settings, alert) => {
                    desk.raised(alert.clone(), now);
                }
                (Self::Alerts(desk, _), News::Cleared(key)) => desk.cleared(key, now),
                (Self::Alerts(desk, _), News::Unwatched(key)) => desk.unwatched(key, now),
                (Self::Alerts(desk, _), News::Copy(server, copy)) => desk.copy(server, *copy),
                (Self::Alerts(_, waiting), News::Witness(signed)) if settings.witness => {
                    if waiting.len() >= CHECKPOINTS {
                        waiting.pop_front();
                        dropped += 1;
                    }
                    waiting.push_back(signed.clone());
                }
                (Self::Pings(slots), News::Slot(slot)) if pings(settings, slot) => {
                    if slots.len() >= PINGS {
                        slots.pop_front();
                        dropped += 1;
                    }
                    slots.push_back(slot.clone());
                }
                _ => {}
            }
        }
        dropped
    }

    /// Returns the time at which the next item is due; `None` if nothing is pending.
    pub(super) fn next(&self) -> Option<Timestamp> {
        match self {
            Self::Alerts(desk, waiting) => match waiting.front() {
                Some(_) => Some(Timestamp::MIN),
                None => desk.next(),
            },
            Self::Pings(slots) => slots.front().map(|_| Timestamp::MIN),
        }
    }

    /// Returns true if an alert of the highest priority is due that the receiver does not know.
    pub(super) fn urgent(&self, now: Timestamp) -> bool {
        match self {
            Self::Alerts(desk, _) => desk.due(now).iter().any(|notice| {
                notice.event == AlertChange::Raised
                    && Priority::of(&notice.alert) == Priority::Urgent
            }),
            Self::Pings(_) => false,
        }
    }

    /// Returns true if news items that arrive together are delivered together.
    pub(super) fn groups(&self) -> bool {
        matches!(self, Self::Alerts(..))
    }

    /// Returns the items that are due: one message for each kind of change and then each
    /// checkpoint, or each ping.
    pub(super) fn due(&self, time: Timestamp) -> Vec<Parcel> {
        let (desk, waiting) = match self {
            Self::Pings(slots) => return slots.iter().cloned().map(Parcel::Ping).collect(),
            Self::Alerts(desk, waiting) => (desk, waiting),
        };
        let due = desk.due(time);
        let events = [
            AlertChange::Raised,
            AlertChange::Repeated,
            AlertChange::Recovered,
        ];
        let messages = events.into_iter().filter_map(|event| {
            let same = due.iter().filter(|notice| notice.event == event);
            let notices: Vec<_> = same.cloned().collect();
            let message = Message {
                event,
                time,
                host: host(),
                alerts: notices.iter().map(|notice| notice.alert.clone()).collect(),
                signed: None,
                page: None,
            };
            (!notices.is_empty()).then_some(Parcel::Message(message, notices))
        });
        let checkpoints = waiting.iter().cloned();
        let checkpoints = checkpoints.map(|signed| Parcel::Checkpoint(signed, time));
        messages.chain(checkpoints).collect()
    }

    /// Marks an item as delivered.
    pub(super) fn done(&mut self, parcel: &Parcel, now: Timestamp) {
        match (self, parcel) {
            (Self::Alerts(desk, _), Parcel::Message(_, notices)) => desk.told(notices, now),
            (Self::Alerts(_, waiting), Parcel::Checkpoint(signed, _))
                if waiting.front() == Some(signed) =>
            {
                waiting.pop_front();
            }
            // It may have been dropped meanwhile because the queue was full.
            (Self::Pings(slots), Parcel::Ping(slot)) if slots.front() == Some(slot) => {
                slots.pop_front();
            }
            _ => {}
        }
    }

    /// Drops everything that is due; returns how many items were dropped.
    pub(super) fn give_up(&mut self, now: Timestamp) -> usize {
        match self {
            Self::Pings(slots) => slots.drain(..).count(),
            Self::Alerts(desk, waiting) => {
                let dropped = waiting.drain(..).count();
                let due = desk.due(now);
                desk.told(&due, now);
                due.len() + dropped
            }
        }
    }

    /// Returns the number of alerts that were refused because too many are active.
    pub(super) fn refused(&self) -> u64 {
        match self {
            Self::Alerts(desk, _) => desk.refused,
            Self::Pings(_) => 0,
        }
    }
}

fn wants(settings: &Receiver, alert: &Alert) -> bool {
    let on = settings.on.as_ref();
    on.is_none_or(|kinds| kinds.contains(&alert.kind))
        && settings.servers.as_ref().is_none_or(|servers| {
            let server = alert.server.as_ref();
            server.is_some_and(|place| servers.iter().any(|id| *id == place.id))
        })
}

fn pings(settings: &Receiver, slot: &SlotNews) -> bool {
    let Transport::Ping { rotations, .. } = &settings.way else {
        return false;
    };
    let servers = settings.servers.as_ref();
    servers.is_none_or(|servers| servers.iter().any(|id| *id == slot.server.id))
        && rotations
            .as_ref()
            .is_none_or(|names| names.contains(slot.rotation.as_str()))
}
