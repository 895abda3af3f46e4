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

use super::{ReceiverView, host, lock};
use crate::alerts::{Alert, Desk, Event, Message, News, Notice, Slot};
use crate::clock::Clock;
use crate::config::notify::{Receiver, Way};

/// What comes within this time goes into one message.
const WINDOW: Duration = Duration::from_secs(2);
/// So many messages within [`PACE`] at most; what comes then waits, and goes together.
const MESSAGES: usize = 10;
const PACE: Duration = Duration::from_mins(10);
/// The wall clock may jump, so what waits for it is looked at this often.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// The first pause after a failed delivery, the longest, and how long it goes on so.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
const GIVE_UP: Duration = Duration::from_hours(1);
/// Turns of slots that wait to be told of.
const PINGS: usize = 1_000;

/// One thing to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parcel {
    /// Of alerts; with what was told by it.
    Message(Message, Vec<Notice>),
    /// Of a slot's turn.
    Ping(Slot),
}

/// Who delivers.
pub(super) trait Deliver: Send + Sync + 'static {
    /// Delivers within the receiver's limit; an error is one line without a secret.
    fn deliver(&self, parcel: &Parcel) -> impl Future<Output = Result<(), String>> + Send;
}

#[derive(Debug)]
enum Inbox {
    Alerts(Desk),
    Pings(VecDeque<Slot>),
}

#[derive(Clone, Debug, Default)]
struct Tally {
    delivered: u64,
    dropped: u64,
    error: Option<String>,
}

/// One receiver: what it is to be told, and how that goes.
pub(super) struct Line {
    pub(super) settings: Receiver,
    /// Whether it goes on from one before.
    pub(super) goes_on: bool,
    clock: Clock,
    inbox: Mutex<Inbox>,
    tally: Mutex<Tally>,
    came: Notify,
}

impl Line {
    /// The line of a receiver; `former` was its before a reload.
    pub(super) fn new(settings: Receiver, clock: Clock, former: Option<&Self>) -> Self {
        let pings = matches!(settings.way, Way::Ping { .. });
        let mut inbox = if pings {
            Inbox::Pings(VecDeque::new())
        } else {
            Inbox::Alerts(Desk::new(settings.repeat))
        };
        let mut tally = Tally::default();
        let mut goes_on = false;
        if let Some(former) = former {
            let same = (former.settings.on == settings.on)
                && (former.settings.servers == settings.servers)
                && pings == matches!(former.settings.way, Way::Ping { .. });
            if same {
                std::mem::swap(&mut inbox, &mut *lock(&former.inbox));
                if let Inbox::Alerts(desk) = &mut inbox {
                    desk.set_repeat(settings.repeat);
                }
                tally = lock(&former.tally).clone();
                goes_on = true;
            }
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

    /// What a process before has told, which lived until `last`.
    pub(super) fn stood(&self, standing: &[Alert], last: Timestamp) {
        if let Inbox::Alerts(desk) = &mut *lock(&self.inbox) {
            for alert in standing.iter().filter(|alert| self.wants(alert)) {
                desk.stood(alert.clone(), last);
            }
        }
    }

    /// Takes in what it is to hear of.
    pub(super) fn hear(&self, news: &[News], now: Timestamp) {
        let mut inbox = lock(&self.inbox);
        for one in news {
            match (&mut *inbox, one) {
                (Inbox::Alerts(desk), News::Raised(alert)) if self.wants(alert) => {
                    desk.raised(alert.clone(), now);
                }
                (Inbox::Alerts(desk), News::Cleared(key)) => desk.cleared(key, now),
                (Inbox::Pings(slots), News::Slot(slot)) if self.pings(slot) => {
                    if slots.len() >= PINGS {
                        slots.pop_front();
                        lock(&self.tally).dropped += 1;
                    }
                    slots.push_back(slot.clone());
                }
                _ => {}
            }
        }
        drop(inbox);
        self.came.notify_one();
    }

    fn wants(&self, alert: &Alert) -> bool {
        let settings = &self.settings;
        let on = settings.on.as_ref();
        on.is_none_or(|kinds| kinds.contains(&alert.kind))
            && settings.servers.as_ref().is_none_or(|servers| {
                let server = alert.server.as_ref();
                server.is_some_and(|place| servers.iter().any(|id| id.0 == place.id))
            })
    }

    fn pings(&self, slot: &Slot) -> bool {
        let Way::Ping { rotations, .. } = &self.settings.way else {
            return false;
        };
        let servers = self.settings.servers.as_ref();
        servers.is_none_or(|servers| servers.iter().any(|id| id.0 == slot.server.id))
            && rotations
                .as_ref()
                .is_none_or(|names| names.contains(&slot.rotation))
    }

    /// How it fares; `lost` is what no receiver was told.
    pub(super) fn view(&self, lost: u64) -> ReceiverView {
        let refused = match &*lock(&self.inbox) {
            Inbox::Alerts(desk) => desk.refused,
            Inbox::Pings(_) => 0,
        };
        let tally = lock(&self.tally).clone();
        ReceiverView {
            name: self.settings.name.clone(),
            r#type: self.settings.way.word().to_owned(),
            delivered: tally.delivered,
            dropped: tally.dropped + lost + refused,
            error: tally.error,
        }
    }

    /// Delivers until `stop`, and then what is left, once.
    pub(super) async fn run(self: Arc<Self>, post: impl Deliver, stop: CancellationToken) {
        let mut sent: VecDeque<Instant> = VecDeque::new();
        let mut pauses = None;
        loop {
            if !stop.is_cancelled() && !self.wait(&sent, &stop).await {
                continue;
            }
            let parcels = self.due();
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
                        "the receiver can be told again"
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
                    "the receiver can't be told; it is tried again"
                );
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Waits until something is due, and then for what comes along with it; whether it is.
    async fn wait(&self, sent: &VecDeque<Instant>, stop: &CancellationToken) -> bool {
        let now = self.clock.now().wall;
        let next = match &*lock(&self.inbox) {
            Inbox::Alerts(desk) => desk.next(),
            Inbox::Pings(slots) if slots.is_empty() => None,
            Inbox::Pings(_) => return true,
        };
        let left = next.map(|at| at.duration_since(now));
        if left.is_some_and(|left| left <= SignedDuration::ZERO) {
            let mut pause = WINDOW;
            if sent.len() >= MESSAGES
                && let Some(front) = sent.front()
            {
                pause = pause.max((*front + PACE).saturating_duration_since(Instant::now()));
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
            return true;
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

    /// What is to be delivered now: a message for each event, or pings one by one.
    fn due(&self) -> Vec<Parcel> {
        let time = self.clock.now().wall;
        match &*lock(&self.inbox) {
            Inbox::Pings(slots) => slots.iter().cloned().map(Parcel::Ping).collect(),
            Inbox::Alerts(desk) => {
                let due = desk.due(time);
                let events = [Event::Raised, Event::Repeated, Event::Recovered];
                let messages = events.into_iter().filter_map(|event| {
                    let same = due.iter().filter(|notice| notice.event == event);
                    let notices: Vec<_> = same.cloned().collect();
                    let alerts: Vec<_> = notices.iter().map(|n| n.alert.clone()).collect();
                    let message = Message {
                        event,
                        time,
                        host: host(),
                        alerts,
                    };
                    (!notices.is_empty()).then_some(Parcel::Message(message, notices))
                });
                messages.collect()
            }
        }
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
            match (&mut *lock(&self.inbox), &parcel) {
                (Inbox::Alerts(desk), Parcel::Message(_, notices)) => desk.told(notices, now),
                // It may have been dropped meanwhile, where too many came.
                (Inbox::Pings(slots), Parcel::Ping(slot)) if slots.front() == Some(slot) => {
                    slots.pop_front();
                }
                _ => {}
            }
            sent.push_back(Instant::now());
            if sent.len() > MESSAGES {
                sent.pop_front();
            }
        }
        Ok(())
    }

    /// What is due is not tried any more.
    fn give_up(&self, error: &str) {
        let now = self.clock.now().wall;
        let dropped = match &mut *lock(&self.inbox) {
            Inbox::Pings(slots) => slots.drain(..).count(),
            Inbox::Alerts(desk) => {
                let due = desk.due(now);
                desk.told(&due, now);
                due.len()
            }
        };
        lock(&self.tally).dropped += dropped as u64;
        let receiver = &self.settings.name;
        tracing::warn!(
            receiver,
            dropped,
            error,
            "the receiver can't be told; dropped"
        );
    }
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
#[path = "line_tests.rs"]
mod tests;
