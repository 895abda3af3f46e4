//! The verdict on all servers, and what needs somebody, worst first. The terminal and the page show
//! both.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::view::{Activity, AlertView, FleetView, ServerView};
use crate::core::health::Health;
use crate::core::server_event::AlertKind;

/// The verdict on all servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Servers that need somebody.
    pub(super) need: usize,
    /// All servers.
    pub(super) servers: usize,
    /// Servers with a completed snapshot to go back to.
    pub(super) restorable: usize,
    /// When the newest copy was made of the server whose newest copy is the oldest.
    pub(super) oldest_copy: Option<Timestamp>,
    /// The next slot of a server that is not paused.
    pub(super) next_slot: Option<Timestamp>,
}

/// Alerts that are alike, or servers that need somebody for another reason.
#[derive(Debug)]
pub(super) struct Concern<'a> {
    /// The health of the servers; `None` for an alert of the service.
    pub(super) health: Option<Health>,
    /// The servers; none for an alert of the service.
    pub(super) servers: Vec<&'a ServerView>,
    /// The alert that says most; `None` if a server only can't be listed.
    pub(super) alert: Option<&'a AlertView>,
    /// Further alerts of the first server.
    pub(super) more: usize,
}

impl Concern<'_> {
    /// Returns the kind in words.
    pub(super) fn kind(&self) -> String {
        kind(self.alert.map(|alert| &*alert.alert), self.health)
    }
}

/// Returns in words why a server needs somebody: its worst alert, or else its health.
pub(super) fn kind(alert: Option<&str>, health: Option<Health>) -> String {
    match (alert, health) {
        (Some(alert), _) if alert == AlertKind::NoCopy.word() => "unprotected".to_owned(),
        (Some(alert), _) => alert.replace('_', " "),
        (None, Some(Health::Unknown)) => "not listed".to_owned(),
        (None, health) => health.map_or("", Health::word).to_owned(),
    }
}

impl Verdict {
    pub(super) fn of(view: &FleetView) -> Self {
        let servers = || view.servers.iter();
        let next = servers().filter(|s| s.activity != Activity::Paused);
        let next = next.filter_map(|s| Some(s.next_slot()?.at));
        Self {
            need: servers().filter(|server| needs_somebody(server)).count(),
            servers: view.servers.len(),
            restorable: servers().filter(|s| s.restore_range().is_some()).count(),
            oldest_copy: servers().filter_map(|server| server.newest_copy).min(),
            next_slot: next.min(),
        }
    }
}

/// Returns true if the server needs somebody. Without an alert, one that has only not been listed
/// yet does not, nor one whose snapshot is being made.
pub(super) fn needs_somebody(server: &ServerView) -> bool {
    match server.health {
        Health::Ok | Health::New => server.alerts > 0,
        Health::Failing | Health::Unprotected => !is_being_mended(server),
        Health::Attention => true,
        Health::Unknown => server.alerts > 0 || server.unlisted.is_some(),
    }
}

/// Returns true if a server without a fresh copy has no alert, since its snapshot is being made.
fn is_being_mended(server: &ServerView) -> bool {
    server.alerts == 0 && server.activity == Activity::Creating
}

/// Returns what needs somebody: the alerts of the service, then those of servers, worst first.
/// Alike ones are together.
pub(super) fn concerns(view: &FleetView) -> Vec<Concern<'_>> {
    let service = view.alerts.iter().filter(|alert| alert.server.is_none());
    let mut concerns: Vec<_> = service
        .map(|alert| Concern {
            health: None,
            servers: Vec::new(),
            alert: Some(alert),
            more: 0,
        })
        .collect();
    let mut alerts: BTreeMap<_, Vec<&AlertView>> = BTreeMap::new();
    for alert in &view.alerts {
        if let Some(server) = &alert.server {
            alerts.entry(server).or_default().push(alert);
        }
    }
    let mut servers: Vec<_> = view.servers.iter().filter(|s| needs_somebody(s)).collect();
    servers.sort_by_key(|server| std::cmp::Reverse(server.health));
    let mut places = BTreeMap::new();
    for server in servers {
        let own = alerts.remove(&server.id).unwrap_or_default();
        let worst = own.iter().copied().min_by_key(|alert| rank(&alert.alert));
        let alike = worst.map(|alert| {
            let acknowledged = alert.acknowledged.as_ref();
            (
                &alert.alert,
                alert.cause.as_ref(),
                &alert.what,
                acknowledged,
            )
        });
        let alike = (
            server.health,
            alike,
            server.unlisted.as_ref().filter(|_| worst.is_none()),
        );
        let place = *places.entry(alike).or_insert(concerns.len());
        if place == concerns.len() {
            concerns.push(Concern {
                health: Some(server.health),
                servers: Vec::new(),
                alert: worst,
                more: own.len().saturating_sub(1),
            });
        }
        concerns[place].servers.push(server);
    }
    concerns
}

/// Returns the place of a kind of alert in the order in which one of several alerts is shown: a
/// server that is down first; an alert about the copies last, since the others say why.
pub(super) fn rank(alert: &str) -> usize {
    const ORDER: [AlertKind; AlertKind::ALL.len()] = [
        AlertKind::ServerStopped,
        AlertKind::Blocked,
        AlertKind::HookFailed,
        AlertKind::Overdue,
        AlertKind::SlotFailed,
        AlertKind::RestoreUnknown,
        AlertKind::Shrink,
        AlertKind::Regressed,
        AlertKind::Stuck,
        AlertKind::OddDate,
        AlertKind::UnknownStatus,
        AlertKind::Copies,
        AlertKind::SlotWaiting,
        AlertKind::ServerRan,
        AlertKind::Stale,
        AlertKind::NoCopy,
    ];
    let place = ORDER.iter().position(|kind| kind.word() == alert);
    place.unwrap_or(ORDER.len())
}
