//! The report on a period as CSV (RFC 4180): a header, and a row for each server.

use jiff::Timestamp;

use crate::core::health::Health;
use crate::core::report::Report;
use crate::core::report_tally::DeletionRule;
use crate::core::sanitize::{NAME_SHOWN, csv_row, printable};
use crate::core::server_report::ServerReport;

/// The rules that have columns of their own, in their order.
const RULES: [DeletionRule; 6] = [
    DeletionRule::BeyondKeep,
    DeletionRule::MakeRoom,
    DeletionRule::Copy,
    DeletionRule::Unusable,
    DeletionRule::Order,
    DeletionRule::Unknown,
];

/// The columns: those of `--json`, with the counts of each deletion rule.
const COLUMNS: [&str; 31] = [
    "id",
    "name",
    "policy",
    "health",
    "needs_somebody",
    "recovery_points",
    "oldest",
    "newest",
    "newest_copy",
    "snapshots_completed",
    "slots_settled",
    "slots_failed",
    "calls_failed",
    "alerts_raised",
    "alerts_cleared",
    "alerts_active",
    "restores",
    "deleted_beyond_keep",
    "deleted_make_room",
    "deleted_copy",
    "deleted_unusable",
    "deleted_order",
    "deleted_unknown",
    "fresh_seconds",
    "watched_seconds",
    "size_mb",
    "newest_size_mb",
    "oldest_size_mb",
    "next",
    "from",
    "until",
];

/// Returns the report as CSV. Lines end with CR and LF.
pub fn report_csv(report: &Report) -> String {
    let mut text = line(COLUMNS.map(str::to_owned));
    for server in &report.servers {
        text.push_str(&line(row(report, server)));
    }
    text
}

fn row(report: &Report, server: &ServerReport) -> [String; 31] {
    let counts = &server.counts;
    let deleted = RULES.map(|rule| {
        let n = counts.deleted.get(&rule);
        n.copied().unwrap_or_default().to_string()
    });
    let [beyond, room, copy, unusable, order, unknown] = deleted;
    [
        server.id.to_string(),
        printable(&server.name, NAME_SHOWN),
        text(server.policy.as_ref()),
        text(server.health.map(Health::word).as_ref()),
        server.needs_somebody.to_string(),
        text(server.recovery_points.as_ref()),
        time(server.oldest),
        time(server.newest),
        time(server.newest_copy),
        counts.snapshots_completed.to_string(),
        counts.slots_settled.to_string(),
        counts.slots_failed.to_string(),
        counts.calls_failed.to_string(),
        counts.alerts_raised.to_string(),
        counts.alerts_cleared.to_string(),
        server.open_faults().count().to_string(),
        counts.restores.to_string(),
        beyond,
        room,
        copy,
        unusable,
        order,
        unknown,
        text(server.fresh_seconds.as_ref()),
        server.watched_seconds.to_string(),
        text(server.size_mb.as_ref()),
        text(server.newest_size_mb.as_ref()),
        text(server.oldest_size_mb.as_ref()),
        time(server.next.as_ref().map(|next| next.at)),
        report.from.to_string(),
        report.until.to_string(),
    ]
}

/// Returns a value, or nothing if it is unknown.
fn text<T: ToString>(value: Option<&T>) -> String {
    value.map(T::to_string).unwrap_or_default()
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// Returns a record. Negative numbers stay numbers.
fn line(fields: [String; 31]) -> String {
    csv_row(fields, true) + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_as_rfc_4180_requires_and_no_name_is_a_formula() {
        for (field, written) in [
            ("web-01", "web-01"),
            ("a,b", "\"a,b\""),
            ("the \"old\" one", "\"the \"\"old\"\" one\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1,B1)", "\"'@SUM(A1,B1)\""),
            ("-5", "-5"),
            ("", ""),
        ] {
            assert_eq!(csv_row([field.to_owned()], true), written);
        }
    }
}
