//! One server in a report: what exists on it now, and what the trail records of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alert_tally::Fault;
use super::health::Health;
use super::report_period::ReportPeriod;
use super::report_tally::{ReportCounts, ServerTally};
use super::rotation_and_snapshot_name::SnapshotName;
use super::snapshot::{ServerId, SnapshotId};

/// A completed snapshot with a reliable date that exists now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentCopy {
    /// Its id.
    pub id: SnapshotId,
    /// When it was made.
    pub made: Timestamp,
    /// True if a rotation owns it.
    pub own: bool,
}

/// The present state of a server.
#[derive(Clone, Debug)]
pub struct PresentServer {
    /// The provider's id.
    pub id: ServerId,
    /// Its name for people.
    pub name: String,
    /// The stem of its policy's file.
    pub file: String,
    /// The age from which its newest copy is too old; `None` if its schedules give none.
    pub copy_age_limit: Option<SignedDuration>,
    /// The state that the running service has; `None` if no service runs.
    pub seen: Option<SeenServer>,
}

/// The state of a server by its last accepted listing.
#[derive(Clone, Debug)]
pub struct SeenServer {
    /// Its health.
    pub health: Health,
    /// True if it needs somebody.
    pub needs_somebody: bool,
    /// Its copies; `None` before the first listing.
    pub copies: Option<Vec<PresentCopy>>,
    /// Its active alerts.
    pub alerts: Vec<Fault>,
    /// Its next slot.
    pub next: Option<NextSnapshot>,
}

/// A future snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NextSnapshot {
    /// Its name.
    pub snapshot: SnapshotName,
    /// When its slot is due.
    pub at: Timestamp,
}

/// One server in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerReport {
    /// The provider's id.
    pub id: ServerId,
    /// The policy's name for the server, else the stem of the policy's file.
    pub name: String,
    /// The stem of the policy's file; `null` if the server no longer has a policy.
    pub policy: Option<String>,
    /// The health; `null` if no service runs.
    pub health: Option<Health>,
    /// True if it needs somebody.
    pub needs_somebody: bool,
    /// Recovery points: own copies that exist; `null` if the server has not been listed.
    pub recovery_points: Option<usize>,
    /// When the oldest recovery point was made.
    pub oldest: Option<Timestamp>,
    /// When the newest recovery point was made.
    pub newest: Option<Timestamp>,
    /// When the newest copy was made, own or foreign.
    pub newest_copy: Option<Timestamp>,
    /// The counts of the period.
    #[serde(flatten)]
    pub counts: ReportCounts,
    /// The time in seconds that the newest copy was fresh; `null` if the schedules give no limit.
    pub fresh_seconds: Option<i64>,
    /// The time in seconds that the server was under care in the period.
    pub watched_seconds: i64,
    /// The alerts of the period: those that were cleared, and then the active ones.
    pub faults: Vec<Fault>,
    /// The size of the recovery points in MB; `null` if the provider gives none.
    pub size_mb: Option<u64>,
    /// The size of the newest recovery point in MB.
    pub newest_size_mb: Option<u64>,
    /// The size of the oldest recovery point in MB.
    pub oldest_size_mb: Option<u64>,
    /// The next slot.
    pub next: Option<NextSnapshot>,
}

impl ServerReport {
    pub(super) fn new(
        server: &PresentServer,
        tally: &ServerTally,
        period: ReportPeriod,
        sizes: &BTreeMap<SnapshotId, u64>,
    ) -> Self {
        let seen = server.seen.as_ref();
        let copies = seen.and_then(|seen| seen.copies.as_deref());
        let listed = copies.unwrap_or_default();
        let mut own: Vec<_> = listed.iter().filter(|copy| copy.own).collect();
        own.sort_by_key(|copy| copy.made);
        let size = |copy: Option<&&PresentCopy>| sizes.get(&copy?.id).copied();
        let known: Vec<_> = own.iter().filter_map(|copy| size(Some(copy))).collect();
        let dates: Vec<_> = listed
            .iter()
            .map(|copy| (copy.id.clone(), copy.made))
            .collect();
        let watched = tally.watched(period);
        let limit = server.copy_age_limit;
        let fresh = limit.map(|limit| tally.fresh(&dates, limit, watched).as_secs());
        let active = seen.map(|seen| seen.alerts.as_slice());
        let faults = with_seen(tally.alerts.faults(), active.unwrap_or_default(), period);
        let open = faults.iter().any(|fault| fault.mended.is_none());
        Self {
            id: server.id.clone(),
            name: server.name.clone(),
            policy: Some(server.file.clone()),
            health: seen.map(|seen| seen.health),
            needs_somebody: seen.map_or(open, |seen| seen.needs_somebody),
            recovery_points: copies.map(|_| own.len()),
            oldest: own.first().map(|copy| copy.made),
            newest: own.last().map(|copy| copy.made),
            newest_copy: listed.iter().map(|copy| copy.made).max(),
            counts: tally.counts.clone(),
            fresh_seconds: fresh,
            watched_seconds: watched.1.duration_since(watched.0).as_secs().max(0),
            faults,
            size_mb: (!known.is_empty()).then(|| known.iter().sum()),
            newest_size_mb: size(own.last()),
            oldest_size_mb: size(own.first()),
            next: seen.and_then(|seen| seen.next.clone()),
        }
    }

    /// Returns the row of a server that no longer has a policy.
    pub(super) fn former(id: &ServerId, tally: &ServerTally) -> Self {
        Self {
            id: id.clone(),
            name: format!("server {id}"),
            policy: None,
            health: None,
            needs_somebody: false,
            recovery_points: None,
            oldest: None,
            newest: None,
            newest_copy: None,
            counts: tally.counts.clone(),
            fresh_seconds: None,
            watched_seconds: 0,
            faults: tally.alerts.faults(),
            size_mb: None,
            newest_size_mb: None,
            oldest_size_mb: None,
            next: None,
        }
    }

    /// Returns the active alerts.
    pub fn open_faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(|fault| fault.mended.is_none())
    }
}

/// Returns the alerts of the period, with those of the running service that are older than the
/// records that were read.
pub(super) fn with_seen(
    mut faults: Vec<Fault>,
    seen: &[Fault],
    period: ReportPeriod,
) -> Vec<Fault> {
    for alert in seen {
        let same = |fault: &Fault| {
            fault.mended.is_none() && (&fault.alert, &fault.about) == (&alert.alert, &alert.about)
        };
        if !faults.iter().any(same) && alert.since.is_none_or(|since| since < period.until) {
            faults.push(alert.clone());
        }
    }
    faults
}
