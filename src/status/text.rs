//! How things stand, for a terminal: alerts first, a line a server; or one server whole.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use owo_colors::OwoColorize as _;

use super::view::{Alert, FleetView, LastSlot, NextSlot, ServerView, State};
use crate::core::printable::{counted, printable};
use crate::notify::ReceiverView;

/// A foreign name takes up no more of a line.
const LONGEST_NAME: usize = 60;

/// As much of a reason as stands beside a state.
const REASON_SHOWN: usize = 200;

/// The whole service; lines at most `width` wide, where it is known.
pub fn fleet(view: &FleetView, zone: &TimeZone, width: Option<u16>) -> String {
    let servers = counted(view.servers.len(), "server");
    let alerts = match view.alerts.len() {
        0 => "no alerts".to_owned(),
        n => counted(n, "alert"),
    };
    let running = span(view.time.duration_since(view.started));
    let mut text = format!(
        "snaprotate {} (process {}, {}), running for {running}: {servers}, {alerts}; {}\n",
        view.version,
        view.pid,
        view.config,
        local(view.time, zone),
    );
    text.push_str(&alert_lines(view, &view.alerts));
    for receiver in &view.receivers {
        text.push_str(&receiver_line(receiver));
    }
    if view.servers.is_empty() {
        return text;
    }
    let mut table = table(width);
    table.set_header(["server", "room", "state", "last", "next"]);
    for server in &view.servers {
        let room = match server.listed {
            Some(_) => format!("{}/{}", server.snapshots.len(), server.limit),
            None => format!("?/{}", server.limit),
        };
        let last = server.rotations.iter().filter_map(|r| r.last.as_ref());
        let last = last.max_by_key(|slot| slot.slot);
        let next = server.rotations.iter().filter_map(|r| r.next.as_ref());
        let next = next.min_by_key(|slot| slot.at);
        table.add_row([
            printable(&server.name, LONGEST_NAME),
            room,
            state(server),
            last.map_or_else(String::new, |slot| last_slot(slot, view.time)),
            next.map_or_else(String::new, |slot| next_slot(slot, view.time)),
        ]);
    }
    let _ = write!(text, "\n{}", lines(&table));
    text
}

/// One server: what it holds and why it stays, and its rotations.
pub fn server(
    view: &FleetView,
    server: &ServerView,
    zone: &TimeZone,
    width: Option<u16>,
) -> String {
    let mut text = format!(
        "{} (id {}, {}.toml): {}\n",
        printable(&server.name, LONGEST_NAME),
        server.id,
        server.file,
        said(server),
    );
    let alerts: Vec<_> = view
        .alerts
        .iter()
        .filter(|a| a.server.is_none_or(|id| id == server.id))
        .cloned()
        .collect();
    text.push_str(&alert_lines(view, &alerts));

    let mut rotations = table(width);
    rotations.set_header(["rotation", "holds", "last", "next"]);
    for rotation in &server.rotations {
        let last = rotation.last.as_ref();
        let next = rotation.next.as_ref();
        rotations.add_row([
            rotation.name.clone(),
            match rotation.held {
                Some(held) => format!("{held} of {}", rotation.keep),
                None => format!("? of {}", rotation.keep),
            },
            last.map_or_else(String::new, |slot| last_slot(slot, view.time)),
            next.map_or_else(
                || "never".to_owned(),
                |slot| format!("{}, {}", next_slot(slot, view.time), local(slot.at, zone)),
            ),
        ]);
    }
    let _ = write!(text, "\n{}", lines(&rotations));

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
    let _ = writeln!(text, "one can go back {}", back(view, server));
    if server.snapshots.is_empty() {
        return text;
    }
    let mut snapshots = table(width);
    snapshots.set_header([
        "snapshot",
        "id",
        "status",
        "made",
        "whose",
        "why it is what it is",
    ]);
    for snapshot in &server.snapshots {
        snapshots.add_row([
            printable(&snapshot.name, LONGEST_NAME),
            snapshot.id.to_string(),
            printable(&snapshot.status, 20),
            snapshot
                .created_at
                .map_or_else(|| "?".to_owned(), |at| local(at, zone)),
            snapshot
                .rotation
                .clone()
                .unwrap_or_else(|| "foreign".to_owned()),
            format!("{}: {}", snapshot.verdict, snapshot.reason),
        ]);
    }
    let _ = write!(text, "{}", lines(&snapshots));
    text
}

fn back(view: &FleetView, server: &ServerView) -> String {
    let ago = |at| format!("{} ago", span(view.time.duration_since(at)));
    match server.back() {
        None => "to nothing: no completed snapshot is known".to_owned(),
        Some((newest, oldest)) if newest == oldest => format!("to {}", ago(newest)),
        Some((newest, oldest)) => format!("to {}, and as far as {}", ago(newest), ago(oldest)),
    }
}

fn alert_lines(view: &FleetView, alerts: &[Alert]) -> String {
    let name = |alert: &Alert| {
        let server = view.servers.iter().find(|s| Some(s.id) == alert.server);
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
            printable(&alert.reason, 300),
        );
        format!("{}\n", line.red())
    });
    lines.collect()
}

/// A receiver that can't be told, or wasn't told everything; nothing where all is well.
fn receiver_line(receiver: &ReceiverView) -> String {
    let failed = receiver
        .error
        .as_ref()
        .map(|error| format!("can't be told: {}", printable(error, 300)));
    let dropped = (receiver.dropped > 0).then(|| format!("{} not told", receiver.dropped));
    let said: Vec<_> = failed.into_iter().chain(dropped).collect();
    if said.is_empty() {
        return String::new();
    }
    let name = printable(&receiver.name, LONGEST_NAME);
    format!(
        "receiver {name} ({}): {}\n",
        receiver.r#type,
        said.join("; ")
    )
}

fn last_slot(slot: &LastSlot, now: Timestamp) -> String {
    let ago = span(now.duration_since(slot.slot));
    let name = &slot.snapshot;
    match slot.ending.as_deref() {
        Some("completed") => format!("{name} ({ago} ago)"),
        Some(other) => format!("{name} ({ago} ago, {})", other.replace('_', " ")),
        None => format!("{name} (due {ago} ago)"),
    }
}

fn next_slot(slot: &NextSlot, now: Timestamp) -> String {
    let left = span(slot.at.duration_since(now));
    format!("{} (in {left})", slot.snapshot)
}

/// In the overview; why a server is blocked stands among the alerts.
fn state(server: &ServerView) -> String {
    match server.state {
        State::Blocked => word(server.state).to_owned(),
        _ => said(server),
    }
}

/// What a server is at, and why.
fn said(server: &ServerView) -> String {
    let word = word(server.state);
    match &server.reason {
        Some(reason) if reason.starts_with(word) => printable(reason, REASON_SHOWN),
        Some(reason) => format!("{word}, {}", printable(reason, REASON_SHOWN)),
        None => word.to_owned(),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Resting => "resting",
        State::Working => "working",
        State::Due => "due",
        State::Blocked => "BLOCKED",
        State::Paused => "paused",
        State::Unseen => "not listed yet",
    }
}

/// A span in its two largest units: `3 d 4 h`, `12 min`, `0 s`.
pub(crate) fn span(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let two = |large: i64, unit: &str, small: i64, next: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {next}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        (_, _, _) => two(days, "d", hours, "h"),
    }
}

pub(crate) fn local(time: Timestamp, zone: &TimeZone) -> String {
    let time = time.to_zoned(zone.clone());
    time.strftime("%Y-%m-%d %H:%M %Z").to_string()
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

/// The table's lines without the blanks around them.
pub(crate) fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
