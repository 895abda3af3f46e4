//! The words of a report that all its forms share: shares of time, changes of sizes, periods, alerts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{FIRST_LINE, TITLE};
use crate::core::alert_kind::headlines;
use crate::core::alert_tally::Fault;
use crate::core::report::Report;
use crate::core::report_period::ReportInterval;
use crate::core::report_tally::{DeletionRule, ReportCounts};
use crate::core::sanitize::{counted, fitted, local, printable, size, span};
use crate::core::server_report::ServerReport;

/// Longest name, in characters.
pub(super) const NAME: usize = 60;

/// Longest subject of an alert that a report shows, in characters.
const ABOUT: usize = 40;

/// Returns a share of time in percent with one decimal. It is rounded down, so that only a complete
/// share is 100 %.
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    let tenths = part.clamp(0, whole).saturating_mul(1000) / whole;
    match tenths % 10 {
        0 => format!("{} %", tenths / 10),
        tenth => format!("{}.{tenth} %", tenths / 10),
    }
}

/// Returns the change from one size to another: `+1.5 GB`, `-200 MB`, `unchanged`.
pub(super) fn size_change(before: u64, now: u64) -> String {
    match now.cmp(&before) {
        std::cmp::Ordering::Equal => "unchanged".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", size(now - before)),
        std::cmp::Ordering::Less => format!("-{}", size(before - now)),
    }
}

/// Returns the alert of a fault and its subject, unless that is the server itself.
pub(super) fn fault(fault: &Fault, server: &str) -> String {
    let headline = headlines(&fault.alert).map(|(active, _)| active.to_owned());
    let headline = headline.unwrap_or_else(|| fault.alert.replace('_', " "));
    if fault.about == server {
        return headline;
    }
    format!("{headline} ({})", printable(&fault.about, ABOUT))
}

/// Returns the deleted snapshots by rule: `58 beyond keep, 2 to make room for a due slot`.
pub(super) fn deletions(counts: &ReportCounts) -> String {
    let of = |(rule, n): (&DeletionRule, &u32)| format!("{n} {}", rule.words());
    let parts: Vec<_> = counts.deleted.iter().map(of).collect();
    parts.join(", ")
}

impl Report {
    /// Returns the title: the interval and the verdict.
    pub fn title(&self) -> String {
        let report = match self.interval {
            Some(ReportInterval::Daily) => "Daily report",
            Some(ReportInterval::Weekly) => "Weekly report",
            Some(ReportInterval::Monthly) => "Monthly report",
            None => "Report",
        };
        fitted(&format!("{report}: {}", self.verdict()), TITLE)
    }

    /// Returns the verdict on the servers in one clause.
    fn verdict(&self) -> String {
        let servers = counted(self.sums.servers, "server");
        match (self.sums.need_somebody, self.present) {
            (0, _) if self.service_needs_somebody => {
                format!("the service needs you; {servers}")
            }
            (0, true) => format!("all is well on {servers}"),
            (0, false) => format!("no alert is active on {servers}"),
            (1, _) => format!("1 of {servers} needs you"),
            (need, _) => format!("{need} of {servers} need you"),
        }
    }

    /// Returns what happened in the period, in one sentence.
    fn deeds(&self) -> String {
        let counts = &self.sums.counts;
        let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let made = counted(number(counts.snapshots_completed), "snapshot");
        let slots = counted(number(counts.slots_failed), "slot");
        let deleted = counts.all_deleted();
        format!("{made} made, {deleted} deleted, {slots} without a snapshot.")
    }

    /// Returns what can be restored now, in one sentence; empty if no service runs.
    fn restorable(&self) -> String {
        let sums = &self.sums;
        let Some(restorable) = sums.restorable else {
            return String::new();
        };
        let of = match sums.servers {
            all if all == restorable => "All servers can be restored".to_owned(),
            all => format!("{restorable} of {} can be restored", counted(all, "server")),
        };
        match sums.least_recent_copy {
            Some(at) => {
                let age = span(self.time.duration_since(at));
                format!("{of}; the least recent copy is {age} old.")
            }
            None => format!("{of}."),
        }
    }

    /// Returns the period in the reader's zone.
    pub(super) fn period(&self, zone: &TimeZone) -> String {
        format!("{} to {}", local(self.from, zone), local(self.until, zone))
    }

    /// Returns a note about earlier reports that were not sent, with the command that prints them.
    fn missed_note(&self) -> Option<String> {
        let missed = usize::try_from(self.missed).ok().filter(|n| *n > 0)?;
        let (reports, was) = match missed {
            1 => ("1 earlier report".to_owned(), "was"),
            n => (format!("{n} earlier reports"), "were"),
        };
        let until = self.from;
        let since = self
            .reported
            .map_or_else(String::new, |at| format!("--since {at} "));
        Some(format!(
            "{reports} {was} not sent, since the service was not running. To see that time, run snaprotate report {since}--until {until}."
        ))
    }

    /// Returns a note about lines of the trail that can't be read.
    fn unreadable_note(&self) -> Option<String> {
        let lines = usize::try_from(self.unreadable).ok().filter(|n| *n > 0)?;
        let lines = counted(lines, "line");
        Some(format!(
            "{lines} of the trail can't be read, so this report may be incomplete: run snaprotate audit verify."
        ))
    }
}

/// Returns a time in the reader's zone, or a dash.
pub(super) fn when(at: Option<Timestamp>, zone: &TimeZone) -> String {
    at.map_or_else(|| "–".to_owned(), |at| local(at, zone))
}

/// Returns what was made and deleted, and what can be restored.
pub(super) fn first_line(report: &Report) -> String {
    let line = format!("{} {}", report.deeds(), report.restorable());
    fitted(line.trim_end(), FIRST_LINE)
}

/// Returns a server that needs somebody, with its health and its first active alert.
pub(super) fn server_line(server: &ServerReport) -> String {
    let name = printable(&server.name, NAME);
    let id = server.id.to_string();
    let open: Vec<_> = server.open_faults().map(|one| fault(one, &id)).collect();
    let health = server.health.map_or("alert", |health| health.word());
    match open.as_slice() {
        [] => format!("{name}: {health}"),
        [only] => format!("{name}: {health}, {only}"),
        [first, more @ ..] => format!("{name}: {health}, {first}, and {} more", more.len()),
    }
}

/// Returns an active alert of the account or the service.
pub(super) fn service_line(alert: &Fault) -> String {
    fault(alert, &alert.about)
}

/// Returns what a reader must know about the report itself.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let absent = (!report.present).then(|| {
        "No service is running, so this report shows only what the audit trail records.".to_owned()
    });
    let notes = [absent, report.missed_note(), report.unreadable_note()];
    notes.into_iter().flatten().collect()
}
