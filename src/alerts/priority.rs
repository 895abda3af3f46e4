//! How urgent messages are.

use super::Alert;
use crate::core::alert_kind::{AlertKind, ServiceAlertKind};

/// How urgent a message is; the words are ntfy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A checkpoint.
    Min,
    /// A test, or a report on a fleet that needs nobody.
    Low,
    /// The newest copy of each server is fresh, or an alert is over.
    Default,
    /// A server has no fresh copy, or snapshots will be deleted.
    High,
    /// All rotation stops, or a server is down.
    Urgent,
}

impl Priority {
    /// Returns the priority of an alert: the highest if all rotation stops or a server is down,
    /// otherwise by the health of its server.
    pub fn of(alert: &Alert) -> Self {
        let is = |kind: AlertKind| alert.kind == kind.word();
        let stops = ServiceAlertKind::ALL.into_iter();
        let mut stops = stops.filter(|kind| kind.stops_rotation());
        if is(AlertKind::ServerStopped) || stops.any(|kind| kind.word() == alert.kind) {
            Self::Urgent
        } else if is(AlertKind::NoCopy) || is(AlertKind::Stale) || is(AlertKind::Shrink) {
            Self::High
        } else {
            Self::Default
        }
    }

    /// Returns the word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Low => "low",
            Self::Default => "default",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}
