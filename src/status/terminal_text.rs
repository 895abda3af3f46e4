//! Formats one server in full for a terminal, and the parts that the overview shares.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use owo_colors::OwoColorize as _;

use super::line_wrap::wrap;
use super::state_text::{
    acknowledged, activity_with_reason, goes_next, last_slot_with_age, next_slot,
};
use super::view::{AlertView, FleetView, ServerView};
use crate::core::plan_text::{SaidReasons, one_after_the_other};
use crate::core::sanitize::{local, printable, shortened, span, utc};
use crate::notify::ReceiverView;

/// Longest foreign name in a line, in characters.
pub(super) const LONGEST_NAME: usize = 60;

/// Longest text in the overview, in characters; the text for one server is not cut.
const TEXT_SHOWN: usize = 300;

/// Columns that full rows need.
const WIDE: u16 = 130;

/// Indent of continuation lines.
const INDENT: usize = 7;

/// Returns the text for one server: its snapshots, the reasons why they stay, and its rotations.
pub fn server(
    view: &FleetView,
    server: &ServerView,
    zone: &TimeZone,
    width: Option<u16>,
) -> String {
    let title = format!(
        "{} (id {}, {}.toml): {}; {}",
        printable(&server.name, LONGEST_NAME),
        server.id,
        server.file,
        server.health.word(),
        activity_with_reason(server, view.time, zone, usize::MAX),
    );
    let mut text = wrapped(&title, width);
    let alerts: Vec<_> = view
        .alerts
        .iter()
        .filter(|a| a.server.clone().is_none_or(|id| id == server.id))
        .cloned()
        .collect();
    text.push_str(&alert_lines(view, &alerts, zone, width));

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
                format!(
                    "{} ({})",
                    slot.snapshot,
                    last_slot_with_age(slot, server, view.time)
                )
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
    let mut said = SaidReasons::default();
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
        let reason = said.once(&snapshot.reason);
        let why = format!("{}: {reason}{goes}", snapshot.verdict);
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
pub(super) fn narrow(width: Option<u16>) -> bool {
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
pub(crate) fn wrapped(text: &str, width: Option<u16>) -> String {
    let mut line = String::new();
    match width {
        Some(width) => wrap(&mut line, text, 0, width.into(), INDENT),
        None => line.push_str(text),
    }
    line.push('\n');
    line
}

/// Returns the lines of each alert: its kind and age, and then its parts.
fn alert_lines(
    view: &FleetView,
    alerts: &[AlertView],
    zone: &TimeZone,
    width: Option<u16>,
) -> String {
    let lines = alerts.iter().map(|alert| {
        let since = alert.since.map_or_else(String::new, |since| {
            format!(" for {}", span(view.time.duration_since(since)))
        });
        let mut parts = vec![format!("ALERT  {}{since}: {}", alert.alert, alert.what)];
        let rest = [
            (
                "cause",
                alert.cause.as_ref().map(|cause| format!("\"{cause}\"")),
            ),
            ("harm", alert.harm.clone()),
            ("do", alert.remedy.clone()),
            ("acknowledged", acknowledged(alert, zone)),
        ];
        let rest = rest
            .into_iter()
            .filter_map(|(part, text)| Some(format!("       {part}: {}", text?)));
        parts.extend(rest);
        let parts = parts.iter().map(|part| wrapped(part, width));
        let lines: String = parts.collect();
        format!("{}\n", lines.trim_end().red())
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
    let held = receiver.held_until.map(|until| {
        format!(
            "many messages were sent: the next one waits until {}",
            utc(until)
        )
    });
    let said: Vec<_> = failed.into_iter().chain(dropped).chain(held).collect();
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
pub(super) mod tests;
