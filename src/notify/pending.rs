//! The pending messages of one receiver: alerts, checkpoints and reports, or pings.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::host;
use crate::alerts::{
    Alert, AlertChange, Message, News, Notice, Priority, ReceiverState, ReportNews,
    SignedCheckpoint, SlotNews,
};
use crate::config::notify::{Receiver, Transport};

/// Maximum number of slot changes queued for a receiver.
pub(super) const PINGS: usize = 1_000;
/// Maximum number of queued checkpoints; a newer one covers more than an older one.
pub(super) const CHECKPOINTS: usize = 100;

/// Pause after which a report is tried again whose delivery was given up.
const REPORT_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// One item to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parcel {
    /// Alerts, with the notices that the message delivers.
    Message(Message, Vec<Notice>),
    /// A change of a slot.
    Ping(SlotNews),
    /// A checkpoint, and the time of the message.
    Checkpoint(SignedCheckpoint, Timestamp),
    /// A report on a period.
    Report(Arc<ReportNews>),
}

/// The queue of a receiver.
#[derive(Debug)]
pub(super) enum PendingMessages {
    Alerts(ReceiverState, Queued),
    Pings(VecDeque<SlotNews>),
}

/// Messages that are no alerts.
#[derive(Debug, Default)]
pub(super) struct Queued {
    checkpoints: VecDeque<SignedCheckpoint>,
    /// The newest report, and when it is due. It stays until it is delivered, or a newer one takes
    /// its place: no later message would make up for it.
    report: Option<(Arc<ReportNews>, Timestamp)>,
}

impl Queued {
    /// Adds a checkpoint; returns how many were dropped to make room.
    fn add_checkpoint(&mut self, signed: &SignedCheckpoint) -> u64 {
        let full = self.checkpoints.len() >= CHECKPOINTS;
        if full {
            self.checkpoints.pop_front();
        }
        self.checkpoints.push_back(signed.clone());
        u64::from(full)
    }

    /// Puts a report in place of an older one; returns how many were dropped.
    fn set_report(&mut self, news: &Arc<ReportNews>, now: Timestamp) -> u64 {
        let former = self.report.replace((Arc::clone(news), now));
        u64::from(former.is_some())
    }

    fn next(&self) -> Option<Timestamp> {
        match self.checkpoints.front() {
            Some(_) => Some(Timestamp::MIN),
            None => self.report.as_ref().map(|(_, at)| *at),
        }
    }

    fn due(&self, now: Timestamp) -> impl Iterator<Item = Parcel> {
        let checkpoints = self.checkpoints.iter().cloned();
        let checkpoints = checkpoints.map(move |signed| Parcel::Checkpoint(signed, now));
        let report = self.report.iter().filter(move |(_, at)| *at <= now);
        checkpoints.chain(report.map(|(news, _)| Parcel::Report(Arc::clone(news))))
    }

    /// Drops all checkpoints, and returns their number. A report is due again later.
    fn give_up(&mut self, now: Timestamp) -> usize {
        if let Some((_, at)) = self.report.as_mut().filter(|(_, at)| *at <= now) {
            *at = now.saturating_add(REPORT_AGAIN).unwrap_or(Timestamp::MAX);
        }
        self.checkpoints.drain(..).count()
    }
}

impl PendingMessages {
    pub(super) fn of(settings: &Receiver) -> Self {
        match settings.way {
            Transport::Ping { .. } => Self::Pings(VecDeque::new()),
            _ => Self::Alerts(ReceiverState::new(settings.repeat), Queued::default()),
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
                (Self::Alerts(desk, _), News::Acknowledged(key, terms)) => {
                    desk.acknowledged(key, terms);
                }
                (Self::Alerts(desk, _), News::Copy(server, copy)) => desk.copy(server, *copy),
                (Self::Alerts(_, queued), News::Witness(signed)) if settings.witness => {
                    dropped += queued.add_checkpoint(signed);
                }
                (Self::Alerts(_, queued), News::Report(news)) if news.receiver == settings.name => {
                    dropped += queued.set_report(news, now);
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
            Self::Alerts(desk, queued) => desk.next().into_iter().chain(queued.next()).min(),
            Self::Pings(slots) => slots.front().map(|_| Timestamp::MIN),
        }
    }

    /// Returns true if an alert of the highest priority is due that the receiver does not know.
    pub(super) fn urgent(&self, now: Timestamp) -> bool {
        match self {
            Self::Alerts(desk, _) => desk.has_due(now, |event, alert| {
                event == AlertChange::Raised && Priority::of(alert) == Priority::Urgent
            }),
            Self::Pings(_) => false,
        }
    }

    /// Returns true if news items that arrive together are delivered together.
    pub(super) fn groups(&self) -> bool {
        matches!(self, Self::Alerts(..))
    }

    /// Returns the items that are due: one message for each kind of change, then each
    /// checkpoint and the report, or each ping.
    pub(super) fn due(&self, time: Timestamp) -> Vec<Parcel> {
        let (desk, queued) = match self {
            Self::Pings(slots) => return slots.iter().cloned().map(Parcel::Ping).collect(),
            Self::Alerts(desk, queued) => (desk, queued),
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
                report: None,
                page: None,
            };
            (!notices.is_empty()).then_some(Parcel::Message(message, notices))
        });
        messages.chain(queued.due(time)).collect()
    }

    /// Marks an item as delivered.
    pub(super) fn done(&mut self, parcel: &Parcel, now: Timestamp) {
        match (self, parcel) {
            (Self::Alerts(desk, _), Parcel::Message(_, notices)) => desk.told(notices, now),
            (Self::Alerts(_, queued), Parcel::Checkpoint(signed, _))
                if queued.checkpoints.front() == Some(signed) =>
            {
                queued.checkpoints.pop_front();
            }
            (Self::Alerts(_, queued), Parcel::Report(news)) => {
                let delivered = |(waiting, _): &mut (Arc<ReportNews>, Timestamp)| waiting == news;
                queued.report.take_if(delivered);
            }
            // It may have been dropped meanwhile because the queue was full.
            (Self::Pings(slots), Parcel::Ping(slot)) if slots.front() == Some(slot) => {
                slots.pop_front();
            }
            _ => {}
        }
    }

    /// Drops everything that is due but a report; returns how many items were dropped.
    pub(super) fn give_up(&mut self, now: Timestamp) -> usize {
        match self {
            Self::Pings(slots) => slots.drain(..).count(),
            Self::Alerts(desk, queued) => {
                let dropped = queued.give_up(now);
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
