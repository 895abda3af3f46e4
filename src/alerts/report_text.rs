//! The report on a period as plain text, and the parts that it shares with HTML: the sums, the
//! lists of what needs somebody and of what was mended, and the table of servers. A large fleet has
//! no table in the text.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::report_words::{
    NAME, deletions, fault, first_line, notes, percent, server_line, service_line, size_change,
    when,
};
use crate::core::alert_tally::Fault;
use crate::core::report::Report;
use crate::core::sanitize::{printable, size, span};
use crate::core::server_report::ServerReport;

/// Maximum number of servers in the table of the text.
const TABLE: usize = 20;

/// Maximum number of lines in a list.
const LINES: usize = 20;

/// Longest name in the table, in characters.
const COLUMN: usize = 15;

/// The heading of the table, and the line below the table that explains it.
const HEADING: [&str; 10] = [
    "SERVER", "PTS", "OLDEST", "NEWEST", "FRESH", "MADE", "DEL", "FAIL", "SIZE", "NEXT",
];

const LEGEND: &str = "PTS: recovery points. MADE, DEL: snapshots. FAIL: slots without a snapshot.";

/// Returns the text. Lines of prose are not wrapped; the table fits 80 columns.
pub fn report_text(report: &Report, zone: &TimeZone) -> String {
    let mut text = format!("{}\n\n", first_line(report));
    for note in notes(report) {
        let _ = writeln!(text, "{note}\n");
    }
    for (label, value) in sums(report, zone) {
        let _ = writeln!(text, "{:<17}{value}", format!("{label}:"));
    }
    for (heading, lines) in lists(report, zone) {
        let _ = writeln!(text, "\n{heading}:");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    match report.servers.len() {
        0 => {}
        1..=TABLE => text.push_str(&table(report, zone)),
        _ => text.push_str("\nEvery server: snaprotate report --csv\n"),
    }
    text
}

/// Returns the sums that are known, each with its label.
pub(super) fn sums(report: &Report, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let sums = &report.sums;
    let counts = &sums.counts;
    let points = sums.recovery_points.map(|points| {
        if points == 0 {
            return "none".to_owned();
        }
        let (oldest, newest) = (when(sums.oldest, zone), when(sums.newest, zone));
        format!("{points}, {oldest} to {newest}")
    });
    let size = sums.size_mb.map(|now| match sums.size_before_mb {
        Some(before) => {
            let change = size_change(before, now);
            format!("{} ({change} since the last report)", size(now))
        }
        None => size(now),
    });
    let deleted = match counts.all_deleted() {
        0 => "none".to_owned(),
        _ => deletions(counts),
    };
    let share = percent(sums.fresh_seconds, sums.watched_seconds);
    let share = (sums.watched_seconds > 0).then(|| format!("{share} of the time"));
    let (settled, failed) = (counts.slots_settled, counts.slots_failed);
    let (raised, cleared) = (counts.alerts_raised, counts.alerts_cleared);
    let next = sums.next.as_ref().map(|next| {
        let name = printable(&next.snapshot, NAME);
        format!("{name} at {}", when(Some(next.at), zone))
    });
    let rows = [
        ("Period", Some(report.period(zone))),
        ("Recovery points", points),
        ("Fresh copy", share),
        (
            "Slots",
            Some(format!("{settled} with a snapshot, {failed} without")),
        ),
        (
            "Alerts",
            Some(format!("{raised} raised, {cleared} cleared")),
        ),
        ("Failed calls", Some(counts.calls_failed.to_string())),
        ("Deleted", Some(deleted)),
        (
            "Restores",
            (counts.restores > 0).then(|| counts.restores.to_string()),
        ),
        ("Size", size),
        ("Next", next),
    ];
    let known = rows.into_iter();
    known
        .filter_map(|(label, value)| Some((label, value?)))
        .collect()
}

/// Returns the lists that are not empty, each with its heading.
pub(super) fn lists(report: &Report, zone: &TimeZone) -> Vec<(&'static str, Vec<String>)> {
    let service = report.open_service_alerts().map(service_line);
    let need = report.worst_first().into_iter();
    let need = need.filter(|server| server.needs_somebody);
    let need = service.chain(need.map(server_line));
    let of_service = report.service_alerts.iter().map(|fault| (None, fault));
    let of_servers = report.servers.iter();
    let of_servers =
        of_servers.flat_map(|server| server.faults.iter().map(move |f| (Some(server), f)));
    let mended = of_service.chain(of_servers);
    let mut mended: Vec<_> = mended.filter(|(_, fault)| fault.mended.is_some()).collect();
    mended.sort_by_key(|(_, fault)| std::cmp::Reverse(fault.mended));
    let mended = mended.into_iter();
    let mended = mended.map(|(server, fault)| mended_line(server, fault, zone));
    let lists = [
        ("Needs you (see snaprotate status)", first_lines(need)),
        ("Failed and mended", first_lines(mended)),
    ];
    let some = |(_, lines): &(&str, Vec<String>)| !lines.is_empty();
    lists.into_iter().filter(some).collect()
}

/// Returns the first few lines, and the number of those left out.
fn first_lines(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    let more = lines.len().saturating_sub(LINES);
    if more > 0 {
        lines.truncate(LINES);
        lines.push(format!("and {more} more: snaprotate report --csv"));
    }
    lines
}

/// Returns a mended alert with its times. One of the service names no server.
fn mended_line(server: Option<&ServerReport>, mended: &Fault, zone: &TimeZone) -> String {
    let what = match server {
        Some(server) => {
            let what = fault(mended, &server.id.to_string());
            format!("{}: {what}", printable(&server.name, NAME))
        }
        None => service_line(mended),
    };
    let end = when(mended.mended, zone);
    match mended.since {
        Some(since) => format!("{what}, {} to {end}", when(Some(since), zone)),
        None => format!("{what}, until {end}"),
    }
}

/// Returns a row for each server, below a heading.
fn table(report: &Report, zone: &TimeZone) -> String {
    let mut text = String::from("\n");
    let rows = report.servers.iter();
    let rows = rows.map(|server| cells(server, report.time, zone));
    for row in std::iter::once(HEADING.map(str::to_owned)).chain(rows) {
        let [
            name,
            points,
            oldest,
            newest,
            fresh,
            made,
            deleted,
            failed,
            size,
            next,
        ] = row;
        let name = printable(&name, COLUMN);
        let line = format!(
            "{name:<16} {points:>3} {oldest:>6} {newest:>6} {fresh:>7} {made:>4} {deleted:>4} {failed:>4} {size:>7} {next}"
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "\n{LEGEND}");
    text
}

/// Returns the cells of a server's row.
pub(super) fn cells(server: &ServerReport, now: Timestamp, zone: &TimeZone) -> [String; 10] {
    let counts = &server.counts;
    let share = |fresh| percent(fresh, server.watched_seconds);
    let next = server.next.as_ref();
    let next = next.map(|next| next.at.to_zoned(zone.clone()));
    [
        printable(&server.name, NAME),
        known(server.recovery_points, |points| points.to_string()),
        known(server.oldest, |at| age(at, now)),
        known(server.newest, |at| age(at, now)),
        known(server.fresh_seconds, share),
        counts.snapshots_completed.to_string(),
        counts.all_deleted().to_string(),
        counts.slots_failed.to_string(),
        known(server.size_mb, size),
        known(next, |at| at.strftime("%m-%d %H:%M").to_string()),
    ]
}

/// Returns a value's words, or a dash if it is unknown.
fn known<T>(value: Option<T>, words: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), words)
}

/// Returns an age in its largest unit only.
fn age(at: Timestamp, now: Timestamp) -> String {
    let age = span(now.duration_since(at).max(SignedDuration::ZERO));
    age.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
