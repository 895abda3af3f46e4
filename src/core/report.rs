//! The report on a period: what the trail records of it, and what exists now.
//!
//! It is a value. `alerts` renders it for receivers, and the command `report` prints it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert_tally::Fault;
use super::report_period::ReportInterval;
use super::report_tally::{ReportCounts, ReportTally, ServerTally};
use super::server_report::{NextSnapshot, PresentServer, ServerReport, with_seen};
use super::snapshot::{ServerId, SnapshotId};

/// The present state of all servers with a policy, and of the service.
#[derive(Clone, Debug, Default)]
pub struct PresentState {
    /// The servers.
    pub servers: Vec<PresentServer>,
    /// The active alerts of the account and the service.
    pub service_alerts: Vec<Fault>,
    /// Sizes of snapshots in MB; empty if the provider gives none.
    pub sizes: BTreeMap<SnapshotId, u64>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The receiver's interval; `null` if the command `report` made it.
    pub interval: Option<ReportInterval>,
    /// The beginning of the period.
    pub from: Timestamp,
    /// The end of the period, which is not part of it.
    pub until: Timestamp,
    /// The time of the report. Everything that exists, and what comes next, is as of this time.
    pub time: Timestamp,
    /// Earlier reports of the receiver that were due and not sent, because the service was not
    /// running.
    pub missed: u32,
    /// The end of the last period that was reported, if any were missed since.
    pub reported: Option<Timestamp>,
    /// True if a running service gave the present state. Without one, only what the trail records
    /// is known.
    pub present: bool,
    /// Lines of the trail that can't be read; what they record is missing.
    pub unreadable: u64,
    /// The alerts of the account and the service in the period: those that were cleared, and then
    /// the active ones.
    pub service_alerts: Vec<Fault>,
    /// True if the account or the service needs somebody.
    pub service_needs_somebody: bool,
    /// The sums over all servers.
    pub sums: ReportSums,
    /// Every server with a policy or with records in the period, by name.
    pub servers: Vec<ServerReport>,
}

/// The sums over all servers of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportSums {
    /// Servers with a policy.
    pub servers: usize,
    /// Servers that need somebody.
    pub need_somebody: usize,
    /// Servers with at least one copy, own or foreign; `null` if no service runs.
    pub restorable: Option<usize>,
    /// Recovery points: own copies that exist; `null` if no service runs.
    pub recovery_points: Option<usize>,
    /// When the oldest recovery point was made.
    pub oldest: Option<Timestamp>,
    /// When the newest recovery point was made.
    pub newest: Option<Timestamp>,
    /// When the newest copy was made of the server whose newest copy is the oldest.
    pub least_recent_copy: Option<Timestamp>,
    /// The counts of the period, with the alerts of the account and the service.
    #[serde(flatten)]
    pub counts: ReportCounts,
    /// The time in seconds that all servers together had a fresh copy.
    pub fresh_seconds: i64,
    /// The time in seconds that all servers together were under care in the period.
    pub watched_seconds: i64,
    /// The size of all recovery points in MB; `null` if the provider gives none.
    pub size_mb: Option<u64>,
    /// The same according to the receiver's report before.
    pub size_before_mb: Option<u64>,
    /// The next slot of all servers.
    pub next: Option<NextSnapshot>,
}

impl Report {
    /// Returns the report on the tally's period, as of `time`.
    pub fn new(tally: &ReportTally, present: &PresentState, time: Timestamp) -> Self {
        let period = tally.period();
        let PresentState {
            servers: present,
            service_alerts,
            sizes,
        } = present;
        let of = |server: &PresentServer| {
            let nothing = ServerTally::default();
            let tally = tally.servers().get(&server.id).unwrap_or(&nothing);
            ServerReport::new(server, tally, period, sizes)
        };
        let mut servers: Vec<_> = present.iter().map(of).collect();
        let known: BTreeSet<_> = present.iter().map(|server| &server.id).collect();
        let former = tally.servers().iter();
        let former = former
            .filter(|(id, tally)| tally.counts != ReportCounts::default() && !known.contains(id));
        servers.extend(former.map(|(id, tally)| ServerReport::former(id, tally)));
        servers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        let is_present = present.iter().any(|server| server.seen.is_some());
        let alerts = with_seen(tally.service.faults(), service_alerts, period);
        let service_needs_somebody = if is_present {
            !service_alerts.is_empty()
        } else {
            alerts.iter().any(|alert| alert.mended.is_none())
        };
        Self {
            interval: None,
            from: period.from,
            until: period.until,
            time,
            missed: period.missed,
            reported: period.reported,
            present: is_present,
            unreadable: tally.unreadable,
            sums: sums(&servers, is_present, (&alerts, period.from)),
            service_alerts: alerts,
            service_needs_somebody,
            servers,
        }
    }

    /// Returns the report with these rows in place of its own.
    #[must_use]
    pub fn with_rows(&self, servers: Vec<ServerReport>) -> Self {
        Self {
            service_alerts: self.service_alerts.clone(),
            sums: self.sums.clone(),
            servers,
            ..*self
        }
    }

    /// Returns the part of the report about these servers.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&ServerId) -> bool) -> Self {
        self.servers.retain(|server| wanted(&server.id));
        let service = (&*self.service_alerts, self.from);
        self.sums = sums(&self.servers, self.present, service);
        self
    }

    /// Returns true if a server or the service needs somebody.
    pub fn needs_somebody(&self) -> bool {
        self.sums.need_somebody > 0 || self.service_needs_somebody
    }

    /// Returns the active alerts of the account and the service, if they need somebody.
    pub fn open_service_alerts(&self) -> impl Iterator<Item = &Fault> {
        let open = self.service_alerts.iter();
        open.filter(|alert| self.service_needs_somebody && alert.mended.is_none())
    }

    /// Returns the servers, those that need somebody first and the worst of them at the top.
    pub fn worst_first(&self) -> Vec<&ServerReport> {
        let mut servers: Vec<_> = self.servers.iter().collect();
        servers.sort_by_key(|server| std::cmp::Reverse((server.needs_somebody, server.health)));
        servers
    }
}

/// Returns the sums over these servers, with the alerts of the service in the period that began at
/// `from`.
fn sums(
    servers: &[ServerReport],
    is_present: bool,
    (service, from): (&[Fault], Timestamp),
) -> ReportSums {
    let number = |alerts: usize| u32::try_from(alerts).unwrap_or(u32::MAX);
    let raised = service.iter().filter(|alert| alert.since >= Some(from));
    let cleared = service.iter().filter(|alert| alert.mended.is_some());
    let mut counts = ReportCounts {
        alerts_raised: number(raised.count()),
        alerts_cleared: number(cleared.count()),
        ..ReportCounts::default()
    };
    for server in servers {
        counts.add(&server.counts);
    }
    let sizes: Vec<_> = servers.iter().filter_map(|server| server.size_mb).collect();
    let next = servers.iter().filter_map(|server| server.next.as_ref());
    let points = servers.iter().filter_map(|server| server.recovery_points);
    let judged = servers
        .iter()
        .filter(|server| server.fresh_seconds.is_some());
    ReportSums {
        servers: servers
            .iter()
            .filter(|server| server.policy.is_some())
            .count(),
        need_somebody: servers
            .iter()
            .filter(|server| server.needs_somebody)
            .count(),
        restorable: is_present.then(|| servers.iter().filter(|s| s.newest_copy.is_some()).count()),
        recovery_points: is_present.then(|| points.sum()),
        oldest: servers.iter().filter_map(|server| server.oldest).min(),
        newest: servers.iter().filter_map(|server| server.newest).max(),
        least_recent_copy: servers.iter().filter_map(|server| server.newest_copy).min(),
        counts,
        fresh_seconds: servers
            .iter()
            .filter_map(|server| server.fresh_seconds)
            .sum(),
        watched_seconds: judged.map(|server| server.watched_seconds).sum(),
        size_mb: (!sizes.is_empty()).then(|| sizes.iter().sum()),
        size_before_mb: None,
        next: next.min_by_key(|next| next.at).cloned(),
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
