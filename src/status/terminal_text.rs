//! Formats the state for a terminal: alerts and a line for each server, or one server in full.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use owo_colors::OwoColorize as _;

use super::line_wrap::wrap;
use super::state_text::{
    goes_next, last_slot, next_slot, paused, servers_without_snapshot, span, state,
    state_with_reason, unlisted,
};
use super::view::{AlertView, FleetView, LastSlot, RotationView, ServerView};
use crate::core::plan_text::one_after_the_other;
use crate::core::sanitize::{counted, local, printable, shortened};
use crate::notify::ReceiverView;

/// Longest foreign name in a line, in characters.
const LONGEST_NAME: usize = 60;

/// Longest text in the overview, in characters; the text for one server is not cut.
const TEXT_SHOWN: usize = 300;

/// Columns that full rows need.
const WIDE: u16 = 130;

/// Indent of continuation lines.
const INDENT: usize = 7;

/// Returns the text for the whole service. Lines have at most `width` columns, if it is known.
pub fn fleet(view: &FleetView, zone: &TimeZone, width: Option<u16>) -> String {
    let servers = counted(view.servers.len(), "server");
    let alerts = match view.alerts.len() {
        0 => "no alerts".to_owned(),
        n => counted(n, "alert"),
    };
    let running = span(view.time.duration_since(view.started));
    let paused = paused(view, zone);
    let all: Vec<_> = [Some(servers), paused, Some(alerts)]
        .into_iter()
        .flatten()
        .collect();
    let first = format!("{}; {}", all.join(", "), local(view.time, zone));
    let mut text = wrapped(&first, width);
    let service = format!(
        "snaprotate {} (process {}, {}), running for {running}",
        view.version, view.pid, view.config,
    );
    text.push_str(&wrapped(&service, width));
    if let Some(unlisted) = unlisted(view, zone) {
        text.push_str(&wrapped(&unlisted, width));
    }
    if let Some(bare) = servers_without_snapshot(view) {
        text.push_str(&wrapped(&bare, width));
    }
    text.push_str(&alert_lines(view, &view.alerts, TEXT_SHOWN, width));
    for receiver in &view.receivers {
        text.push_str(&receiver_line(receiver, width));
    }
    if view.servers.is_empty() {
        return text;
    }
    let mut table = table(width);
    table.set_header(["server", "used", "state", "last slot", "next slot"]);
    for server in &view.servers {
        let room = match server.listed {
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
            if narrow(width) {
                format!("{} {when}", rotation.name)
            } else {
                format!("{snapshot} ({when})")
            }
        };
        table.add_row([
            printable(&server.name, LONGEST_NAME),
            room,
            state(server, view.time),
            newest.map_or_else(String::new, |(rotation, slot)| {
                cell(rotation, &slot.snapshot, last(slot, server, view))
            }),
            next.map_or_else(String::new, |(rotation, slot)| {
                cell(rotation, &slot.snapshot, next_slot(slot, view.time))
            }),
        ]);
    }
    let _ = write!(text, "\n{}", lines(&table));
    text
}

/// Returns the text for one server: its snapshots, the reasons why they stay, and its rotations.
pub fn server(
    view: &FleetView,
    server: &ServerView,
    zone: &TimeZone,
    width: Option<u16>,
) -> String {
    let title = format!(
        "{} (id {}, {}.toml): {}",
        printable(&server.name, LONGEST_NAME),
        server.id,
        server.file,
        state_with_reason(server, view.time, usize::MAX),
    );
    let mut text = wrapped(&title, width);
    let alerts: Vec<_> = view
        .alerts
        .iter()
        .filter(|a| a.server.clone().is_none_or(|id| id == server.id))
        .cloned()
        .collect();
    text.push_str(&alert_lines(view, &alerts, usize::MAX, width));

    let mut rotations = table(width);
    rotations.set_header(["rotation", "holds", "last slot", "next slot"]);
    for rotation in &server.rotations {
        let next = rotation.next.as_ref();
        rotations.add_row([
            rotation.name.clone(),
            match rotation.held {
                Some(held) => format!("{held} of {}", rotation.keep),
                None => format!("? of {}", rotation.keep),
            },
            rotation.last.as_ref().map_or_else(String::new, |slot| {
                format!("{} ({})", slot.snapshot, last(slot, server, view))
            }),
            next.map_or_else(
                || "never".to_owned(),
                |slot| {
                    let (left, at) = (next_slot(slot, view.time), local(slot.at, zone));
                    format!("{} ({left}), {at}", slot.snapshot)
                },
            ),
        ]);
    }
    let _ = write!(text, "\n{}", lines(&rotations));

    if let Some(upcoming) = &server.upcoming {
        let steps = one_after_the_other(&upcoming.steps);
        let (at, or_later) = (local(upcoming.at, zone), upcoming.or_later());
        let line = format!("next, {at}{or_later}: {steps}");
        let _ = write!(text, "\n{}", wrapped(&line, width));
    }

    let Some(listed) = server.listed else {
        text.push_str("\nnot listed yet by this process\n");
        return text;
    };
    let _ = writeln!(
        text,
        "\n{} of {} snapshots, listed {} ago",
        server.snapshots.len(),
        server.limit,
        span(view.time.duration_since(listed)),
    );
    let _ = writeln!(text, "{}", back(view, server));
    if server.snapshots.is_empty() {
        return text;
    }
    text + &snapshots(server, zone, width)
}

/// Returns the result of a slot, and its age.
fn last(slot: &LastSlot, server: &ServerView, view: &FleetView) -> String {
    let (_, words, at) = last_slot(slot, server);
    format!("{words} {} ago", span(view.time.duration_since(at)))
}

/// Returns a row for each snapshot, or two lines on a narrow terminal.
fn snapshots(server: &ServerView, zone: &TimeZone, width: Option<u16>) -> String {
    let mut table = table(width);
    table.set_header([
        "snapshot",
        "id",
        "status",
        "made",
        "whose",
        "verdict and reason",
    ]);
    let mut text = String::new();
    for snapshot in &server.snapshots {
        let made = snapshot.created_at;
        let whose = snapshot.rotation.as_deref().unwrap_or("foreign");
        let cells = [
            printable(&snapshot.name, LONGEST_NAME),
            snapshot.id.to_string(),
            printable(&snapshot.status, 20),
            made.map_or_else(|| "?".to_owned(), |at| local(at, zone)),
            whose.to_owned(),
        ];
        let goes = goes_next(server.upcoming.as_ref(), snapshot);
        let why = format!("{}: {}{goes}", snapshot.verdict, snapshot.reason);
        if narrow(width) {
            text.push_str(&wrapped(&cells.join("  "), width));
            let indent = " ".repeat(INDENT);
            text.push_str(&wrapped(&format!("{indent}{why}"), width));
        } else {
            table.add_row(cells.into_iter().chain([why]));
        }
    }
    if narrow(width) { text } else { lines(&table) }
}

/// Returns true if a full row wouldn't fit without breaking words.
fn narrow(width: Option<u16>) -> bool {
    width.is_some_and(|width| width < WIDE)
}

fn back(view: &FleetView, server: &ServerView) -> String {
    let ago = |at| format!("{} ago", span(view.time.duration_since(at)));
    match server.restore_range() {
        None => "no recovery point: no completed snapshot with a reliable date is known".to_owned(),
        Some((newest, oldest)) if newest == oldest => {
            format!("recovery point: {}", ago(newest))
        }
        Some((newest, oldest)) => format!(
            "recovery points: newest {}, oldest {}",
            ago(newest),
            ago(oldest)
        ),
    }
}

/// Wraps a line at the terminal's width.
fn wrapped(text: &str, width: Option<u16>) -> String {
    let mut line = String::new();
    match width {
        Some(width) => wrap(&mut line, text, 0, width.into(), INDENT),
        None => line.push_str(text),
    }
    line.push('\n');
    line
}

/// Returns a line for each alert. A reason is cut in its middle, since its end says what to do.
fn alert_lines(view: &FleetView, alerts: &[AlertView], shown: usize, width: Option<u16>) -> String {
    let name = |alert: &AlertView| {
        let server = view
            .servers
            .iter()
            .find(|s| Some(s.id.clone()) == alert.server);
        server.map_or_else(|| alert.about.clone(), |server| server.name.clone())
    };
    let lines = alerts.iter().map(|alert| {
        let since = alert.since.map_or_else(String::new, |since| {
            format!("  for {}", span(view.time.duration_since(since)))
        });
        let line = format!(
            "ALERT  {}  {}{since}  {}",
            printable(&name(alert), LONGEST_NAME),
            alert.alert,
            shortened(&alert.reason, shown),
        );
        format!("{}\n", wrapped(&line, width).trim_end().red())
    });
    lines.collect()
}

/// Returns a line about a receiver that failed or missed messages; empty if all is well.
pub(super) fn receiver_line(receiver: &ReceiverView, width: Option<u16>) -> String {
    let failed = receiver
        .error
        .as_ref()
        .map(|error| format!("delivery failed: {}", shortened(error, TEXT_SHOWN)));
    let dropped = (receiver.dropped > 0).then(|| format!("{} not delivered", receiver.dropped));
    let said: Vec<_> = failed.into_iter().chain(dropped).collect();
    if said.is_empty() {
        return String::new();
    }
    let name = printable(&receiver.name, LONGEST_NAME);
    let line = format!("receiver {name} ({}): {}", receiver.r#type, said.join("; "));
    wrapped(&line, width)
}

pub(crate) fn table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table
}

/// Returns the table's lines without the surrounding blanks.
pub(crate) fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "terminal_lines_tests.rs"]
mod line_tests;
#[cfg(test)]
#[path = "terminal_text_tests.rs"]
mod tests;
