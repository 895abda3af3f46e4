//! Sends changes of alerts and slots to the notifiers. They go into a bounded queue; nothing here
//! waits for a receiver (I16).

use jiff::Timestamp;

use super::{Engine, ServerRuntime, lock};
use crate::alerts::{Alert, AlertKey, News, NewsQueue, ServerLabel, SlotChange, SlotNews};
use crate::api::SnapshotApi;
use crate::audit::{GlobalEvent, StandingAlert};
use crate::core::decide::Inventory;
use crate::core::health::{self, NewestCopy};
use crate::core::policy::{Policy, Rules};
use crate::core::server_event::{AlertKind, ClockReading, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::ServerId;

impl<A: SnapshotApi> Engine<A> {
    /// Queues the news of a recorded event. Must run before the event is applied to the history.
    pub(super) fn queue_server_event(
        &self,
        server: &ServerId,
        history: &ServerHistory,
        event: &ServerEvent,
        at: Timestamp,
    ) {
        let Some(tap) = self.tap.get() else { return };
        let key = |kind: AlertKind, about: &str| AlertKey {
            kind: kind.word().to_owned(),
            server: Some(server.clone()),
            about: about.to_owned(),
        };
        let slot = |rotation: &str, snapshot: &str, turn, reason: &str| {
            News::Slot(SlotNews {
                server: self.place(server),
                rotation: rotation.into(),
                snapshot: snapshot.into(),
                turn,
                reason: reason.to_owned(),
            })
        };
        match event {
            ServerEvent::AlertRaised { alert, about, text } => {
                let before = history.alerts.get(&(*alert, about.clone()));
                tap.put(News::Raised(Alert {
                    kind: alert.word().to_owned(),
                    server: Some(self.place(server)),
                    about: about.clone(),
                    text: text.clone(),
                    copy: history.newest_copy,
                    since: at,
                    acknowledged: before.and_then(|standing| standing.acknowledged.clone()),
                }));
            }
            ServerEvent::AlertAcknowledged {
                alert,
                about,
                terms,
            } => {
                let terms = Box::new(terms.clone());
                tap.put(News::Acknowledged(key(*alert, about), terms));
            }
            ServerEvent::AlertCleared { alert, about } => {
                tap.put(News::Cleared(key(*alert, about)));
            }
            // The alerts of a server without a policy are no longer watched.
            ServerEvent::ServerRemoved => {
                for (alert, about) in history.alerts.keys() {
                    tap.put(News::Unwatched(key(*alert, about)));
                }
            }
            ServerEvent::SlotDue {
                rotation, snapshot, ..
            } => tap.put(slot(
                rotation,
                snapshot,
                SlotChange::Started,
                "the slot is due",
            )),
            ServerEvent::SlotSettled {
                rotation,
                snapshot,
                reason,
                ..
            } => tap.put(slot(rotation, snapshot, SlotChange::Completed, reason)),
            ServerEvent::SlotGivenUp {
                rotation,
                snapshot,
                reason,
                ..
            }
            | ServerEvent::SlotSkipped {
                rotation,
                snapshot,
                reason,
                paused: false,
                ..
            } => tap.put(slot(rotation, snapshot, SlotChange::Failed, reason)),
            _ => {}
        }
    }

    /// Queues the news of an event that concerns no single server.
    pub(super) fn queue_global_event(&self, event: &GlobalEvent, at: Timestamp) {
        if let Some(tap) = self.tap.get() {
            queue_global_alert(tap, event, at);
        }
    }

    /// Stores the newest copy that a reliable listing shows. The messages about an active alert say
    /// how old it is.
    pub(super) fn note_newest_copy(
        &self,
        policy: &Policy,
        runtime: &mut ServerRuntime,
        inventory: &Inventory,
        rules: &Rules,
        now: ClockReading,
    ) {
        let copy = health::newest_copy(policy, inventory, &runtime.history, rules, now);
        let changed = std::mem::replace(&mut runtime.history.newest_copy, copy) != copy;
        if let Some(tap) = self.tap.get()
            && changed
            && !runtime.history.alerts.is_empty()
        {
            tap.put(News::Copy(policy.server.clone(), copy));
        }
    }

    /// Returns the active alerts of all servers, including those without a policy.
    pub fn standing(&self) -> Vec<Alert> {
        let runtimes: Vec<_> = {
            let runtimes = lock(&self.runtimes);
            let all = runtimes.iter();
            all.map(|(server, runtime)| (server.clone(), runtime.clone()))
                .collect()
        };
        let mut alerts = Vec::new();
        for (server, runtime) in runtimes {
            let history = &lock(&runtime).history;
            for key in history.alerts.keys() {
                alerts.extend(self.alert(&server, history, key));
            }
        }
        alerts
    }

    /// Returns a server's alert in the form that receivers get.
    pub(super) fn alert(
        &self,
        server: &ServerId,
        history: &ServerHistory,
        key: &(AlertKind, String),
    ) -> Option<Alert> {
        let standing = history.alerts.get(key)?;
        let (kind, about) = key;
        Some(Alert {
            kind: kind.word().to_owned(),
            server: Some(self.place(server)),
            about: about.clone(),
            text: standing.text.clone(),
            copy: history.newest_copy,
            since: standing.since.unwrap_or(Timestamp::UNIX_EPOCH),
            acknowledged: standing.acknowledged.clone(),
        })
    }

    pub(super) fn place(&self, server: &ServerId) -> ServerLabel {
        let policies = self.wanted().policies;
        match policies.get(server) {
            Some(policy) => place(policy),
            None => lock(&self.former)
                .get(server)
                .cloned()
                .unwrap_or(ServerLabel {
                    id: server.clone(),
                    name: format!("server {server}"),
                    policy: String::new(),
                }),
        }
    }
}

/// Returns the label of a policy's server for receivers.
pub(super) fn place(policy: &Policy) -> ServerLabel {
    ServerLabel {
        id: policy.server.clone(),
        name: policy.called().to_owned(),
        policy: policy.file.clone(),
    }
}

/// Queues the change of an alert that concerns no single server.
pub fn queue_global_alert(tap: &NewsQueue, event: &GlobalEvent, at: Timestamp) {
    match event {
        GlobalEvent::AlertRaised { alert, about, text } => tap.put(News::Raised(Alert {
            kind: alert.clone(),
            server: None,
            about: about.clone(),
            text: text.clone(),
            copy: NewestCopy::Unknown,
            since: at,
            acknowledged: None,
        })),
        GlobalEvent::AlertCleared { alert, about } => tap.put(News::Cleared(AlertKey {
            kind: alert.clone(),
            server: None,
            about: about.clone(),
        })),
        _ => {}
    }
}

/// Converts an alert that concerns no single server to the form that receivers get.
pub fn global_alert(standing: StandingAlert) -> Alert {
    Alert {
        kind: standing.alert,
        server: None,
        about: standing.about,
        text: standing.standing.text,
        copy: NewestCopy::Unknown,
        since: standing.standing.since.unwrap_or(Timestamp::UNIX_EPOCH),
        acknowledged: None,
    }
}
