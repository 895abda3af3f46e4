//! Counts what the trail records about servers in a period: the snapshots that were made and
//! deleted, the slots that ended without one, and the alerts that were raised and cleared.
//!
//! Records from before the period are passed in too. They give the copies that existed when it
//! began, and the time since which an alert has been active.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::alert_tally::AlertTally;
use super::fresh_time::{CopyLife, fresh_time};
use super::report_period::ReportPeriod;
use super::rotation_and_snapshot_name::SnapshotName;
use super::server_event::{Outcome, ServerEvent};
use super::server_history::ServerHistory;
use super::snapshot::{ServerId, SnapshotId};

/// The rule by which a snapshot was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeletionRule {
    /// It was beyond `keep`.
    BeyondKeep,
    /// A due slot needed its place on a full server.
    MakeRoom,
    /// Its slot had a newer copy.
    Copy,
    /// It had failed or was stuck.
    Unusable,
    /// An operator ordered it.
    Order,
    /// The trail that was read lacks the intent.
    Unknown,
}

impl DeletionRule {
    /// Returns the rule in the words of a report.
    pub const fn words(self) -> &'static str {
        match self {
            Self::BeyondKeep => "beyond keep",
            Self::MakeRoom => "to make room for a due slot",
            Self::Copy => "older copies of a slot",
            Self::Unusable => "failed or stuck",
            Self::Order => "by order",
            Self::Unknown => "by a rule that is no longer recorded",
        }
    }

    /// Returns the rule of a delete's intent. The trail has it in words only; `retention.rs` and
    /// `create_or_prune.rs` write them.
    fn of(reason: &str, ordered: bool, prune_first: bool) -> Self {
        if ordered {
            Self::Order
        } else if prune_first {
            Self::MakeRoom
        } else if reason.starts_with("beyond keep") {
            Self::BeyondKeep
        } else if reason.ends_with("has a newer copy") {
            Self::Copy
        } else {
            Self::Unusable
        }
    }
}

/// Counts of the records of one server, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportCounts {
    /// Snapshots that were seen completed.
    pub snapshots_completed: u32,
    /// Slots whose snapshot was completed.
    pub slots_settled: u32,
    /// Slots that were given up, or that passed without an attempt although nobody paused the
    /// server.
    pub slots_failed: u32,
    /// Calls that the provider refused, or that had no usable answer.
    pub calls_failed: u32,
    /// Alerts that were raised.
    pub alerts_raised: u32,
    /// Alerts that were cleared.
    pub alerts_cleared: u32,
    /// Restores that the provider accepted.
    pub restores: u32,
    /// Snapshots that were deleted, by the rule that required it.
    pub deleted: BTreeMap<DeletionRule, u32>,
}

impl ReportCounts {
    /// Returns the number of deleted snapshots.
    pub fn all_deleted(&self) -> u32 {
        self.deleted.values().sum()
    }

    /// Adds the counts of another server.
    pub fn add(&mut self, other: &Self) {
        self.snapshots_completed += other.snapshots_completed;
        self.slots_settled += other.slots_settled;
        self.slots_failed += other.slots_failed;
        self.calls_failed += other.calls_failed;
        self.alerts_raised += other.alerts_raised;
        self.alerts_cleared += other.alerts_cleared;
        self.restores += other.restores;
        for (rule, n) in &other.deleted {
            *self.deleted.entry(*rule).or_default() += n;
        }
    }
}

/// The records of one server.
#[derive(Clone, Debug, Default)]
pub struct ServerTally {
    /// Its first record.
    first: Option<Timestamp>,
    /// True if it is in a checkpoint: it is older than the records that are read.
    known: bool,
    pub(super) counts: ReportCounts,
    copies: BTreeMap<SnapshotId, CopyLife>,
    /// Creates whose snapshots have not been seen completed, by name.
    asked: BTreeMap<SnapshotName, Timestamp>,
    deletes: BTreeMap<SnapshotId, DeletionRule>,
    pub(super) alerts: AlertTally,
}

/// The records of all servers, up to the end of a period.
#[derive(Clone, Debug)]
pub struct ReportTally {
    period: ReportPeriod,
    /// Lines of the trail that can't be read.
    pub unreadable: u64,
    servers: BTreeMap<ServerId, ServerTally>,
    /// The alerts of the account and the service.
    pub(super) service: AlertTally,
}

impl ReportTally {
    /// Returns the tally of a period without any records.
    pub fn new(period: ReportPeriod) -> Self {
        Self {
            period,
            unreadable: 0,
            servers: BTreeMap::new(),
            service: AlertTally::default(),
        }
    }

    /// Returns the period.
    pub fn period(&self) -> ReportPeriod {
        self.period
    }

    /// Returns the tally of each server that has records.
    pub fn servers(&self) -> &BTreeMap<ServerId, ServerTally> {
        &self.servers
    }

    /// Adds the alerts of a server's checkpoint, which may be older than the records that are read.
    pub fn checkpoint(&mut self, server: &ServerId, history: &ServerHistory) {
        let tally = self.servers.entry(server.clone()).or_default();
        tally.known = true;
        for ((alert, about), standing) in &history.alerts {
            tally.alerts.stood(alert.word(), about, standing.since);
        }
    }

    /// Adds an alert of the service from a checkpoint.
    pub fn service_alert_stood(&mut self, alert: &str, about: &str, since: Option<Timestamp>) {
        self.service.stood(alert, about, since);
    }

    /// Adds the record of an alert of the service that was raised.
    pub fn service_alert_raised(&mut self, alert: &str, about: &str, at: Timestamp) {
        if at < self.period.until {
            self.service.raised(alert, about, at);
        }
    }

    /// Adds the record of an alert of the service that was cleared.
    pub fn service_alert_cleared(&mut self, alert: &str, about: &str, at: Timestamp) {
        if at < self.period.until {
            self.service
                .cleared(alert, about, at, at >= self.period.from);
        }
    }

    /// Adds a record. The records of a server must come in their order.
    pub fn note(&mut self, server: &ServerId, at: Timestamp, event: &ServerEvent) {
        if at >= self.period.until {
            return;
        }
        if let ServerEvent::ServerIdChanged { from, .. } = event
            && let Some(former) = self.servers.remove(from)
        {
            self.servers.insert(server.clone(), former);
        }
        let counts = at >= self.period.from;
        let tally = self.servers.entry(server.clone()).or_default();
        tally.first.get_or_insert(at);
        tally.copies(at, event);
        tally.note_alert(at, event, counts);
        if counts {
            tally.count(event);
        }
    }
}

impl ServerTally {
    fn copies(&mut self, at: Timestamp, event: &ServerEvent) {
        match event {
            ServerEvent::CreateIntent { snapshot, .. } => {
                self.asked.insert(snapshot.clone(), at);
            }
            ServerEvent::SnapshotCompleted { snapshot, id, .. } => {
                let made = self.asked.remove(snapshot).unwrap_or(at);
                self.copies.insert(
                    id.clone(),
                    CopyLife {
                        made,
                        completed: at,
                        ended: None,
                    },
                );
            }
            ServerEvent::DeleteIntent {
                id,
                reason,
                by,
                prune_first,
                expired,
                ..
            } => {
                let ordered = by.is_some() || *expired;
                let rule = DeletionRule::of(reason, ordered, prune_first.is_some());
                self.deletes.insert(id.clone(), rule);
            }
            ServerEvent::DeleteConfirmed { id }
            | ServerEvent::SnapshotGone { id, .. }
            | ServerEvent::SnapshotRegressed { id, .. } => {
                if let Some(copy) = self.copies.get_mut(id) {
                    copy.ended.get_or_insert(at);
                }
            }
            _ => {}
        }
    }

    fn note_alert(&mut self, at: Timestamp, event: &ServerEvent, counts: bool) {
        match event {
            ServerEvent::AlertRaised { alert, about, .. } => {
                let new = self.alerts.raised(alert.word(), about, at);
                self.counts.alerts_raised += u32::from(counts && new);
            }
            ServerEvent::AlertCleared { alert, about } => {
                self.alerts.cleared(alert.word(), about, at, counts);
                self.counts.alerts_cleared += u32::from(counts);
            }
            ServerEvent::ServerRemoved => self.alerts.forget(),
            _ => {}
        }
    }

    fn count(&mut self, event: &ServerEvent) {
        let counts = &mut self.counts;
        match event {
            ServerEvent::SnapshotCompleted { .. } => counts.snapshots_completed += 1,
            ServerEvent::SlotSettled { .. } => counts.slots_settled += 1,
            ServerEvent::SlotGivenUp { .. } => counts.slots_failed += 1,
            ServerEvent::SlotSkipped {
                paused: false,
                missed,
                ..
            } => counts.slots_failed += 1 + missed,
            ServerEvent::DeleteConfirmed { id } => {
                let rule = self.deletes.get(id).copied();
                let rule = rule.unwrap_or(DeletionRule::Unknown);
                *counts.deleted.entry(rule).or_default() += 1;
            }
            ServerEvent::RestoreResult {
                outcome: Outcome::Done,
                ..
            } => counts.restores += 1,
            ServerEvent::CreateResult { outcome, .. }
            | ServerEvent::DeleteResult { outcome, .. }
            | ServerEvent::RestoreResult { outcome, .. }
            | ServerEvent::StopResult { outcome, .. }
            | ServerEvent::StartResult { outcome, .. }
                if *outcome != Outcome::Done =>
            {
                counts.calls_failed += 1;
            }
            _ => {}
        }
    }

    /// Returns the part of the period in which the server was under care: all of it, unless its
    /// first record is later.
    pub(super) fn watched(&self, period: ReportPeriod) -> (Timestamp, Timestamp) {
        let from = match self.first {
            _ if self.known => period.from,
            Some(first) => first.max(period.from),
            None => period.until,
        };
        (from, period.until)
    }

    /// Returns for how long the newest copy was younger than `limit`. `listed` are the copies that
    /// exist now, with their dates.
    pub(super) fn fresh(
        &self,
        listed: &[(SnapshotId, Timestamp)],
        limit: SignedDuration,
        watched: (Timestamp, Timestamp),
    ) -> SignedDuration {
        let mut copies = self.copies.clone();
        for (id, made) in listed {
            let copy = copies.entry(id.clone()).or_insert(CopyLife {
                made: *made,
                completed: *made,
                ended: None,
            });
            (copy.made, copy.ended) = (*made, None);
        }
        fresh_time(copies.values(), limit, watched)
    }
}

#[cfg(test)]
#[path = "report_tally_tests.rs"]
mod tests;
