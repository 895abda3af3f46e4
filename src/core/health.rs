//! The health of a server: whether there is a fresh completed snapshot to go back to, and whether
//! anything needs attention (docs/design.md, "Health").
//!
//! Every completed snapshot with a reliable date counts as a copy, own or foreign, since a server
//! can be restored from either.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::decide::{DecisionContext, Inventory, Step};
pub use super::newest_copy::NewestCopy;
use super::policy::{Policy, Rules};
use super::sanitize::{NAME_SHOWN, printable, span, utc};
use super::server_event::{
    AlertKind, AlertText, ClockReading, KeyedAlert, ServerEvent, SlotOutcome,
};
use super::server_history::{PendingOp, ServerHistory};
use super::snapshot::{Snapshot, Status};

/// The time that a snapshot may take before its absence raises an alert.
const CREATE_TIME: SignedDuration = SignedDuration::from_hours(1);

/// The alerts about copies.
const ABOUT_COPIES: [AlertKind; 2] = [AlertKind::NoCopy, AlertKind::Stale];

/// Returns true for an alert about copies.
pub(super) fn is_about_copies(kind: AlertKind) -> bool {
    ABOUT_COPIES.contains(&kind)
}

/// How long the last listing counts as current while a newer one is overdue.
const LISTING_VALID: SignedDuration = SignedDuration::from_hours(1);

/// The health of a server, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The newest copy is fresh, and no alert is active.
    Ok,
    /// The server's very first snapshot is being made.
    New,
    /// An alert is active, but the newest copy is fresh.
    Attention,
    /// The newest copy is too old, or its age is unknown.
    Failing,
    /// There is no completed snapshot.
    Unprotected,
    /// The server has not been listed, or not for an hour although a listing is due.
    Unknown,
}

impl Health {
    /// All values.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::New,
        Self::Attention,
        Self::Failing,
        Self::Unprotected,
        Self::Unknown,
    ];

    /// Returns the word in JSON, metrics and texts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::New => "new",
            Self::Attention => "attention",
            Self::Failing => "failing",
            Self::Unprotected => "unprotected",
            Self::Unknown => "unknown",
        }
    }
}

/// Returns a server's health by its last accepted listing. `overdue` is true if a newer listing is
/// due and has not succeeded.
pub fn health(
    policy: &Policy,
    listing: Option<(&Inventory, Timestamp)>,
    overdue: bool,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Health {
    let valid = |at: Timestamp| !overdue || now.wall.duration_since(at) <= LISTING_VALID;
    let Some((inventory, _)) = listing.filter(|(_, at)| valid(*at)) else {
        return Health::Unknown;
    };
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    match server.copy_state() {
        CopyState::None if server.is_first_under_way() => Health::New,
        CopyState::None => Health::Unprotected,
        CopyState::TooOld(_) | CopyState::Undated => Health::Failing,
        CopyState::Fresh if history.blocked.is_none() && history.alerts.is_empty() => Health::Ok,
        CopyState::Fresh => Health::Attention,
    }
}

/// Returns when the newest completed snapshot of a reliable listing was made.
pub fn newest_copy(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> NewestCopy {
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    match server.newest_copy() {
        Some((at, _)) => NewestCopy::At(at),
        None if server.copies().next().is_some() => NewestCopy::Undated,
        None => NewestCopy::None,
    }
}

/// Returns when the newest copy becomes too old, if that is later than now, or if it is too old and
/// no alert says so.
pub fn next_health_check(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Option<Timestamp> {
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    let at = server.fresh_until()?;
    (at > now.wall
        || !history
            .alerts
            .contains_key(&server.about_server(AlertKind::Stale)))
    .then_some(at)
}

/// The state of the newest copy.
enum CopyState<'a> {
    /// There is no completed snapshot.
    None,
    /// No completed snapshot has a reliable date.
    Undated,
    TooOld(&'a Snapshot),
    Fresh,
}

impl DecisionContext<'_> {
    fn copies(&self) -> impl Iterator<Item = &Snapshot> {
        let rows = self.inventory.snapshots.iter();
        rows.filter(|row| row.status == Status::Completed)
    }

    /// Returns the newest completed snapshot with a reliable date.
    fn newest_copy(&self) -> Option<(Timestamp, &Snapshot)> {
        let dated = self.copies().filter(|row| self.dated(row));
        let dated = dated.filter_map(|row| Some((row.created_at?, row)));
        dated.max_by_key(|(at, _)| *at)
    }

    fn copy_state(&self) -> CopyState<'_> {
        let Some((at, newest)) = self.newest_copy() else {
            return if self.copies().next().is_some() {
                CopyState::Undated
            } else {
                CopyState::None
            };
        };
        let age = self.now.wall.duration_since(at);
        match self.policy.copy_age_limit() {
            Some(limit) if age >= limit => CopyState::TooOld(newest),
            _ => CopyState::Fresh,
        }
    }

    /// Returns when the newest copy becomes, or became, too old.
    pub(super) fn fresh_until(&self) -> Option<Timestamp> {
        let (at, _) = self.newest_copy()?;
        at.checked_add(self.policy.copy_age_limit()?).ok()
    }

    /// Returns true if the very first snapshot of the server is due or being made, and its rotation
    /// came under care, or changed, less than [`CREATE_TIME`] ago.
    fn is_first_under_way(&self) -> bool {
        let completed = |slots: &str| {
            let mut slots = self.history.slots(slots);
            slots.any(|slot| slot.ending == Some(SlotOutcome::Completed))
        };
        let under_way = |rotation: &super::policy::Rotation| {
            let since = self.history.since(&rotation.name);
            let newest = self.history.newest(&rotation.name, self.now.wall);
            since.is_some_and(|since| self.now.wall.duration_since(since) < CREATE_TIME)
                && match newest {
                    Some(slot) => slot.ending.is_none(),
                    None => self.slot_due(rotation, self.now.wall).is_some(),
                }
        };
        let rotations = &self.policy.rotations;
        // Only a completed snapshot clears `no_copy`.
        let alerted = self.about_server(AlertKind::NoCopy);
        !self.history.alerts.contains_key(&alerted)
            && !rotations.iter().any(|r| completed(&r.name))
            && rotations.iter().any(under_way)
    }

    /// Returns true if a snapshot is about to be made, or has been in progress for less than
    /// [`CREATE_TIME`]. The alert for a server without a fresh copy is not raised meanwhile.
    pub(super) fn makes_copy(&self, step: &Step) -> bool {
        let young = |sent: Timestamp| self.now.wall.duration_since(sent) < CREATE_TIME;
        let sent = match &self.history.open {
            // `since` is renewed by each listing that shows the snapshot.
            Some(PendingOp::Create { since, sent, .. }) => young(sent.unwrap_or(since.wall)),
            _ => false,
        };
        let listed = self.own();
        let mut listed = listed.map(|(row, _)| row);
        let next = matches!(
            step,
            Step::Create { .. } | Step::Stop { .. } | Step::Delete { .. }
        );
        next || sent
            || listed
                .any(|row| row.status == Status::InProgress && row.created_at.is_some_and(young))
    }

    pub(super) fn about_server(&self, kind: AlertKind) -> (AlertKind, String) {
        (kind, self.policy.server.to_string())
    }

    /// Returns the record that raises, updates or clears the alert for a server without a fresh
    /// copy.
    pub(super) fn copy_alert_change(&self) -> Option<ServerEvent> {
        let wanted = self.copy_alert();
        let standing = &self.history.alerts;
        if let Some((key, text)) = &wanted
            && standing
                .get(key)
                .is_none_or(|standing| standing.text != *text)
        {
            let ((alert, about), text) = (key.clone(), text.clone());
            return Some(ServerEvent::AlertRaised { alert, about, text });
        }
        let mut keys = ABOUT_COPIES.into_iter().map(|kind| self.about_server(kind));
        let (alert, about) = keys.find(|key| {
            standing.contains_key(key) && wanted.as_ref().is_none_or(|(wanted, _)| wanted != key)
        })?;
        Some(ServerEvent::AlertCleared { alert, about })
    }

    /// Returns the alert for a server without a fresh copy.
    pub(super) fn copy_alert(&self) -> Option<KeyedAlert> {
        let (kind, what) = match self.copy_state() {
            CopyState::Fresh => return None,
            CopyState::None if self.is_first_under_way() => return None,
            CopyState::None => (
                AlertKind::NoCopy,
                "the server has no completed snapshot, so it can't be restored".to_owned(),
            ),
            CopyState::Undated => (
                AlertKind::Stale,
                "no completed snapshot has a reliable date, so the age of the newest one is unknown"
                    .to_owned(),
            ),
            CopyState::TooOld(newest) => {
                let name = printable(&newest.name, NAME_SHOWN);
                let made = newest.created_at.map(utc).unwrap_or_default();
                let limit = span(self.policy.copy_age_limit().unwrap_or_default());
                let what = format!(
                    "the newest completed snapshot, {name}, was made at {made} and is older than {limit}"
                );
                (AlertKind::Stale, what)
            }
        };
        let server = self.policy.argument();
        let full = self.inventory.snapshots.len() >= self.rules.limit;
        let text = AlertText::new(what);
        let text = if full {
            let list = format!("snaprotate list {server}");
            text.then_run(
                "every place is taken: to see what can be deleted, run",
                list,
            )
        } else {
            let create = format!("snaprotate create {server} NAME");
            text.then_run("to make one now, run", create)
        };
        Some((self.about_server(kind), text))
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
