//! The overview of all servers for a terminal: the verdict, then what needs somebody, one line
//! each. `--all` adds a table of all servers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use owo_colors::{AnsiColors, OwoColorize as _};

use super::attention::{Concern, Verdict, concerns, needs_somebody};
use super::state_text::{
    acknowledged, activity, activity_with_reason, clock, copy_age, last_slot_with_age, next_slot,
    paused, unlisted,
};
use super::terminal_text::{LONGEST_NAME, lines, narrow, receiver_line, table, wrapped};
use super::view::{Activity, FleetView, RotationView, ServerView};
use crate::core::health::Health;
use crate::core::sanitize::{counted, fitted, printable, span};

/// Columns if the output is no terminal.
const UNLIMITED: usize = 400;

/// Most lines about servers if the output is no terminal; `--all` has the others.
const CONCERNS: usize = 80;

/// Rows of a screen for other lines: the verdict, what is left out, the rest, the legend, and the
/// prompt.
const OTHER_ROWS: usize = 10;

/// Widest columns of the lines.
const NAME: usize = 20;
const KIND: usize = 16;

/// The narrowest space for a cause; without it the cause is left out.
const CAUSE: usize = 24;

/// Explains the signs, and the words of the first line.
const LEGEND: &str = "✕ no good copy, or a fault of the service · ! needs you · ↻ in progress · ✓ fine · restorable: has a completed snapshot · least recent copy: the oldest of the newest copies";

/// Longest reason in a row of the table on a terminal, in characters.
const REASON_SHOWN: usize = 120;

/// Returns the text for the whole service. Lines have at most `width` columns, if it is known.
/// Without `all`, they fit in `rows` rows.
pub fn overview(
    view: &FleetView,
    zone: &TimeZone,
    width: Option<u16>,
    rows: Option<u16>,
    all: bool,
) -> String {
    let columns = width.map_or(UNLIMITED, usize::from);
    let mut text = String::new();
    // A forgotten pause raises no alert.
    if view.paused.is_some()
        && let Some(paused) = paused(view, zone)
    {
        let line = format!("‖ {paused}: nothing is created or deleted until snaprotate resume");
        text.push_str(&wrapped(&line, width));
    }
    text.push_str(&verdict(view, zone, width));
    let concerns = concerns(view);
    let concerns = concerns.iter();
    let lines = concerns.map(|concern| concern_line(concern, view, zone, columns));
    let notable = view.servers.iter().filter(|server| is_notable(server));
    let lines = lines.chain(notable.map(|server| working_line(server, view, zone, width)));
    text.push_str(&those_that_fit(lines, rows.filter(|_| !all)));
    if let Some(unlisted) = unlisted(view, zone) {
        text.push_str(&wrapped(&format!("! {unlisted}"), width));
    }
    text.push_str(&rest(view, all, width));
    for receiver in &view.receivers {
        text.push_str(&receiver_line(receiver, width));
    }
    if all {
        let running = span(view.time.duration_since(view.started));
        let service = format!(
            "snaprotate {} (process {}, {}), running for {running}",
            view.version, view.pid, view.config,
        );
        text.push_str(&wrapped(&service, width));
        let _ = writeln!(text, "\n{}", every_server(view, zone, width));
    }
    if width.is_some() {
        text.push_str(&legend(width));
    }
    text
}

/// Returns the lines that fit on the screen, and the number of the others.
fn those_that_fit(lines: impl Iterator<Item = String>, rows: Option<u16>) -> String {
    let rows = rows.map_or(CONCERNS, |rows| {
        usize::from(rows).saturating_sub(OTHER_ROWS)
    });
    let (mut text, mut room, mut more) = (String::new(), rows.max(1), 0);
    for line in lines {
        let rows = line.lines().count();
        if rows > room || more > 0 {
            more += 1;
        } else {
            room -= rows;
            text.push_str(&line);
        }
    }
    if more > 0 {
        let _ = writeln!(text, "  and {more} more lines: snaprotate status --all");
    }
    text
}

/// Returns the first line: how many servers need somebody, and what can be restored.
fn verdict(view: &FleetView, zone: &TimeZone, width: Option<u16>) -> String {
    let verdict = Verdict::of(view);
    let service = view.alerts.iter().filter(|a| a.server.is_none()).count();
    let servers = counted(verdict.servers, "server");
    let (sign, colour, first) = match (verdict.need, service) {
        (0, 0) if verdict.servers == 0 => ("✓", AnsiColors::Green, "0 servers".to_owned()),
        (0, 0) if view.healthy => ("✓", AnsiColors::Green, format!("All is well on {servers}")),
        (0, 0) => {
            let of = |word: &str, is: fn(Health) -> bool| {
                let count = view.servers.iter().filter(|s| is(s.health)).count();
                (count > 0).then(|| format!("; {count} of {servers} {word}"))
            };
            let parts = [
                of("not listed yet", |health| health == Health::Unknown),
                of("without a fresh copy yet", |health| {
                    !matches!(health, Health::Ok | Health::Unknown)
                }),
            ];
            let parts: String = parts.into_iter().flatten().collect();
            ("✓", AnsiColors::Yellow, format!("Nothing needs you{parts}"))
        }
        (0, _) => (
            "✕",
            AnsiColors::Red,
            format!("The service needs you; {servers}"),
        ),
        (need, _) => {
            let need_word = if need == 1 { "needs" } else { "need" };
            (
                "✕",
                AnsiColors::Red,
                format!("{need} of {servers} {need_word} you"),
            )
        }
    };
    let mut parts = vec![first];
    if verdict.servers > 0 {
        parts.push(format!("{} restorable", verdict.restorable));
    }
    if let Some(oldest) = verdict.oldest_copy {
        let age = span(view.time.duration_since(oldest));
        parts.push(format!("least recent copy {age}"));
    }
    if let Some(next) = verdict.next_slot {
        parts.push(format!("next slot {}", clock(next, view.time, zone)));
    }
    let line = wrapped(&format!("{sign} {}", parts.join(" · ")), width);
    format!("{}\n", line.trim_end().color(colour).bold())
}

/// Returns the line of what needs somebody, with its command on a second one if it would cut the
/// reason.
fn concern_line(
    concern: &Concern<'_>,
    view: &FleetView,
    zone: &TimeZone,
    columns: usize,
) -> String {
    let (sign, colour) = match concern.health {
        None | Some(Health::Failing | Health::Unprotected) => ("✕", AnsiColors::Red),
        Some(_) => ("!", AnsiColors::Yellow),
    };
    let names: Vec<_> = concern.servers.iter().map(|s| s.name.as_str()).collect();
    let name = match names.as_slice() {
        [] => "service".to_owned(),
        [one] => printable(one, NAME),
        [first, rest @ ..] => format!("{} +{}", printable(first, NAME - 5), rest.len()),
    };
    let kind = match concern.more {
        0 => concern.kind(),
        more => format!("{} +{more}", concern.kind()),
    };
    let copy = match concern.servers.as_slice() {
        [] => String::new(),
        servers => {
            let oldest = servers.iter().min_by_key(|s| s.newest_copy);
            oldest.map_or_else(String::new, |s| copy_age(s, view.time))
        }
    };
    let remedy = match (concern.alert, names.len()) {
        (Some(alert), 0 | 1) => alert.command.clone().or_else(|| alert.remedy.clone()),
        (None, 1) if concern.health == Some(Health::Unknown) => {
            Some("snaprotate check --online".to_owned())
        }
        (None, 1) => names
            .first()
            .map(|name| format!("snaprotate status {name}")),
        _ => Some("snaprotate status --all".to_owned()),
    };
    let remedy = remedy
        .map(|remedy| format!("→ {remedy}"))
        .unwrap_or_default();
    let acknowledged = concern.alert.and_then(|alert| acknowledged(alert, zone));
    let (why, short) = match (concern.alert, concern.servers.first()) {
        (Some(alert), _) if let Some(words) = &acknowledged => {
            let words = format!("acknowledged {words}");
            (format!("{words}: {}", alert.what), words)
        }
        (Some(alert), _) => match &alert.cause {
            Some(cause) => (
                format!("{}: \"{cause}\"", alert.what),
                format!("\"{cause}\""),
            ),
            None => (alert.what.clone(), alert.what.clone()),
        },
        (None, Some(server)) => {
            let doing = activity_with_reason(server, view.time, zone, usize::MAX);
            (doing.clone(), doing)
        }
        (None, None) => (String::new(), String::new()),
    };
    let head = format!("{sign} {name:<NAME$} {kind:<KIND$} ");
    let used = head.chars().count() + copy.chars().count() + 3;
    let tail = remedy.chars().count() + 1;
    // The remedy moves to a line of its own if it would cut the reason.
    let beside = columns.checked_sub(used + tail);
    let beside = beside.filter(|room| short.chars().count() <= *room);
    let own_line = beside.is_none() && !remedy.is_empty();
    let room = beside.unwrap_or_else(|| columns.saturating_sub(used));
    let why = if room >= CAUSE {
        // The cause alone says most.
        let fits = why.chars().count() <= room;
        let end = if copy.is_empty() { "" } else { " · " };
        format!("{}{end}", fitted(if fits { &why } else { &short }, room))
    } else {
        String::new()
    };
    let mut line = format!("{head}{why}{copy}");
    if own_line {
        line = format!(
            "{}\n    {}",
            line.trim_end(),
            fitted(&remedy, columns.saturating_sub(4))
        );
    } else if !remedy.is_empty() {
        line = format!("{line} {remedy}");
    }
    format!("{}\n", line.trim_end().color(colour))
}

/// Returns true if the server needs nobody, but people should know what is done on it: it is being
/// restored or held, or an attempt has failed.
fn is_notable(server: &ServerView) -> bool {
    let notable = match server.activity {
        Activity::Restoring | Activity::Holding => true,
        Activity::Waiting => server.reason.is_some(),
        // The first snapshot is expected; one that replaces a copy that is too old is notable.
        Activity::Creating => matches!(server.health, Health::Failing | Health::Unprotected),
        _ => false,
    };
    notable && !needs_somebody(server)
}

/// Returns the line of a server on which something notable is done.
fn working_line(
    server: &ServerView,
    view: &FleetView,
    zone: &TimeZone,
    width: Option<u16>,
) -> String {
    let name = printable(&server.name, NAME);
    let doing = match server.activity {
        Activity::Restoring => activity(server, view.time, zone),
        _ => activity_with_reason(server, view.time, zone, usize::MAX),
    };
    let copy = copy_age(server, view.time);
    wrapped(&format!("↻ {name:<NAME$} {doing} · {copy}"), width)
}

/// Returns the line that counts the servers that need nobody.
fn rest(view: &FleetView, all: bool, width: Option<u16>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let others = view.servers.iter();
    let others = others.filter(|s| !needs_somebody(s) && !is_notable(s));
    let mut total = 0;
    for server in others {
        total += 1;
        let word = match (server.health, server.activity) {
            (_, Activity::Paused) => "paused",
            (Health::New, _) => "new",
            (Health::Unknown, _) => "not listed yet",
            (_, Activity::Idle) => "ok",
            (_, activity) => activity.word(),
        };
        *counts.entry(word).or_default() += 1;
    }
    if total == 0 {
        return String::new();
    }
    let counts = counts.iter().map(|(word, count)| format!("{count} {word}"));
    let counts: Vec<_> = counts.collect();
    let hint = if all { "" } else { " (--all)" };
    wrapped(
        &format!("✓ {total} more: {}{hint}", counts.join(", ")),
        width,
    )
}

/// Returns the meaning of the signs and words, for a terminal.
fn legend(width: Option<u16>) -> String {
    let lines = wrapped(LEGEND, width);
    let lines = lines.lines().map(|line| format!("{}\n", line.dimmed()));
    lines.collect()
}

/// Returns a row for each server.
fn every_server(view: &FleetView, zone: &TimeZone, width: Option<u16>) -> String {
    let mut table = table(width);
    let headings = [
        "server",
        "health",
        "copy",
        "used",
        "next slot",
        "activity",
        "last slot",
    ];
    // A column that does not fit is left out, so that no word is broken.
    let shown = match width {
        Some(..100) => 5,
        Some(..150) => 6,
        _ => headings.len(),
    };
    table.set_header(&headings[..shown]);
    let narrow = narrow(width);
    let reason_shown = width.map_or(UNLIMITED, |_| REASON_SHOWN);
    for server in &view.servers {
        let used = match server.listed {
            Some(_) => format!("{}/{}", server.snapshots.len(), server.limit),
            None => format!("?/{}", server.limit),
        };
        let newest = server.rotations.iter();
        let newest = newest.filter_map(|r| Some((r, r.last.as_ref()?)));
        let newest = newest.max_by_key(|(_, slot)| slot.slot);
        let next = server.rotations.iter();
        let next = next.filter_map(|r| Some((r, r.next.as_ref()?)));
        let next = next.min_by_key(|(_, slot)| slot.at);
        // A snapshot's name is long and adds little to the rotation's.
        let cell = |rotation: &RotationView, snapshot: &str, when: String| {
            if narrow {
                format!("{} {when}", rotation.name)
            } else {
                format!("{snapshot} ({when})")
            }
        };
        let doing = match server.activity {
            // The alert says why.
            Activity::Blocked => activity(server, view.time, zone),
            _ => activity_with_reason(server, view.time, zone, reason_shown),
        };
        let copy = copy_age(server, view.time);
        let cells = [
            printable(&server.name, LONGEST_NAME),
            server.health.word().to_owned(),
            copy.trim_start_matches("copy ").to_owned(),
            used,
            next.map_or_else(String::new, |(rotation, slot)| {
                cell(rotation, &slot.snapshot, next_slot(slot, view.time))
            }),
            doing,
            newest.map_or_else(String::new, |(rotation, slot)| {
                cell(
                    rotation,
                    &slot.snapshot,
                    last_slot_with_age(slot, server, view.time),
                )
            }),
        ];
        table.add_row(&cells[..shown]);
    }
    lines(&table)
}

#[cfg(test)]
#[path = "overview_text_tests.rs"]
mod tests;
