//! Formats a listing for a terminal: one line per snapshot, grouped by server.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::view::{ListingView, Owner, ServerListing, SnapshotCounts, SnapshotRow};
use crate::core::sanitize::{counted, local, printable, size, span};
use crate::status::{WRAP_INDENT, lines, table, wrap_lines};

/// Longest name that is shown, in characters.
const LONGEST_NAME: usize = 60;
/// Longest doubt that is shown, in characters.
const DOUBT_SHOWN: usize = 300;

/// Returns the whole listing. Lines have at most `width` columns, if the width is known.
pub(super) fn listed(listed: &ListingView, zone: &TimeZone, width: Option<u16>) -> String {
    let mut text = String::new();
    if let Some(doubt) = &listed.doubt {
        let doubt = printable(doubt, DOUBT_SHOWN);
        let line = format!("This listing can't be relied on: {doubt}\n");
        text = wrap_lines(&line, width) + "\n";
    }
    if !listed.servers.is_empty() {
        let table = one_table(listed, zone);
        text.push_str(&if fits(&table, width) {
            table
        } else {
            by_server(listed, zone, width)
        });
        text.push('\n');
    }
    for server in &listed.servers {
        if let Some(doubt) = &server.doubt {
            let (name, doubt) = (called(server), printable(doubt, DOUBT_SHOWN));
            let name = printable(&name, LONGEST_NAME);
            let line = format!("The listing of {name} can't be relied on: {doubt}");
            text.push_str(&wrap_lines(&line, width));
        }
    }
    text + wrap_lines(&total(&listed.servers), width).trim_end()
}

fn fits(text: &str, width: Option<u16>) -> bool {
    let columns = text.lines().map(|line| line.chars().count()).max();
    width.is_none_or(|width| columns <= Some(width.into()))
}

/// Returns one table, for wide output. A server is named in its first row.
fn one_table(listed: &ListingView, zone: &TimeZone) -> String {
    let mut table = table(None);
    table.set_header([
        "server", "used", "id", "name", "status", "size", "created", "whose",
    ]);
    for server in &listed.servers {
        let mut name = printable(&called(server), LONGEST_NAME);
        // The id is shown because a first policy for the server needs it.
        if server.policy.is_none() && server.name.is_some() {
            let _ = write!(name, " (id {})", server.id);
        }
        let mut first = [name, room(server)];
        if server.snapshots.is_empty() {
            let [name, room] = first;
            table.add_row([name.as_str(), &room, "", "no snapshots", "", "", "", ""]);
            continue;
        }
        for row in &server.snapshots {
            let [server, room] = std::mem::take(&mut first);
            let at = row.created_at.map(|at| local(at, zone));
            let at = at.map(|at| format!("{at} ({})", relative(row, listed.time)));
            let [id, name, status, size] = plain(row);
            let created = at.unwrap_or_else(|| "?".to_owned());
            table.add_row([
                server,
                room,
                id,
                name,
                status,
                size,
                created,
                whose(row, zone),
            ]);
        }
    }
    lines(&table)
}

/// Returns a table for each server, for narrow output. Times are relative.
fn by_server(listed: &ListingView, zone: &TimeZone, width: Option<u16>) -> String {
    let parts = listed.servers.iter().map(|server| {
        let name = printable(&called(server), LONGEST_NAME);
        let title = format!("{name} (id {}), {}", server.id, room(server));
        let mut text = wrap_lines(&title, width);
        if !server.snapshots.is_empty() {
            let now = listed.time;
            let rows: Vec<_> = (server.snapshots.iter().map(|row| cells(row, now, zone))).collect();
            let mut tables = [true, false].into_iter();
            let table = tables.find_map(|sizes| {
                let table = snapshots(&rows, sizes);
                fits(&table, width).then_some(table)
            });
            text.push_str(&table.unwrap_or_else(|| wrapped(rows, width)));
        }
        text
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// Returns a table of a server's snapshots, with or without their sizes.
fn snapshots(rows: &[[String; 6]], sizes: bool) -> String {
    let mut table = table(None);
    let with = |[id, name, status, size, created, whose]: [String; 6]| {
        let size = sizes.then_some(size);
        let cells = [id, name, status].into_iter().chain(size);
        cells.chain([created, whose]).collect::<Vec<_>>()
    };
    let columns = ["id", "name", "status", "size", "created", "whose"];
    table.set_header(with(columns.map(str::to_owned)));
    table.add_rows(rows.iter().cloned().map(with));
    lines(&table)
}

/// Returns a line for each snapshot, wrapped, for a terminal on which no table fits.
fn wrapped(rows: Vec<[String; 6]>, width: Option<u16>) -> String {
    let longest = width.map_or(LONGEST_NAME, |width| {
        LONGEST_NAME.min(usize::from(width).saturating_sub(WRAP_INDENT + 1))
    });
    let rows = rows.into_iter().map(|mut cells| {
        cells[1] = printable(&cells[1], longest);
        wrap_lines(&cells.join("  "), width)
    });
    rows.collect()
}

fn cells(row: &SnapshotRow, now: Timestamp, zone: &TimeZone) -> [String; 6] {
    let [id, name, status, size] = plain(row);
    let created = relative(row, now);
    [id, name, status, size, created, whose(row, zone)]
}

fn plain(row: &SnapshotRow) -> [String; 4] {
    [
        row.id.to_string(),
        printable(&row.name, LONGEST_NAME),
        printable(&row.status, 20),
        row.size_mb.map_or_else(String::new, size),
    ]
}

fn room(server: &ServerListing) -> String {
    format!("{}/{}", server.counts.total, server.limit)
}

fn called(server: &ServerListing) -> String {
    let name = server.name.as_deref();
    name.map_or_else(|| format!("server {}", server.id), str::to_owned)
}

/// Returns `12 snapshots on 3 servers: 8 own, 4 foreign (1 protected in all); 1 server has no
/// policy`.
fn total(servers: &[ServerListing]) -> String {
    let mut sum = SnapshotCounts::default();
    for server in servers {
        sum.total += server.counts.total;
        sum.own += server.counts.own;
        sum.foreign += server.counts.foreign;
        sum.protected += server.counts.protected;
    }
    let place = match servers {
        [one] => format!(
            "{} (id {}), which holds at most {}",
            printable(&called(one), LONGEST_NAME),
            one.id,
            one.limit
        ),
        all => counted(all.len(), "server"),
    };
    let mut text = format!("{} on {place}", counted(sum.total, "snapshot"));
    let ruled = sum.own + sum.foreign;
    if ruled > 0 {
        let _ = write!(text, ": {} own, {} foreign", sum.own, sum.foreign);
    }
    if sum.protected > 0 {
        let _ = write!(text, " ({} protected in all)", sum.protected);
    }
    match servers
        .iter()
        .filter(|server| server.policy.is_none())
        .count()
    {
        0 => {}
        1 if servers.len() == 1 => text.push_str("; it has no policy"),
        1 => text.push_str("; 1 server has no policy"),
        n => {
            let _ = write!(text, "; {n} servers have no policy");
        }
    }
    text
}

fn whose(row: &SnapshotRow, zone: &TimeZone) -> String {
    let whose = match (row.whose, &row.rotation) {
        (None, _) => "no policy".to_owned(),
        (Some(Owner::Own), Some(rotation)) => format!("own ({rotation})"),
        (Some(Owner::Own), None) => "own".to_owned(),
        (Some(Owner::Foreign), _) => "foreign".to_owned(),
    };
    let protected = if row.protected { ", protected" } else { "" };
    let expires = row
        .expires
        .map(|at| format!(", expires {}", local(at, zone)));
    format!("{whose}{protected}{}", expires.unwrap_or_default())
}

/// Returns a snapshot's age: `3 d 4 h ago`.
fn relative(row: &SnapshotRow, now: Timestamp) -> String {
    let Some(at) = row.created_at else {
        return "?".to_owned();
    };
    let age = now.duration_since(at);
    if age < SignedDuration::ZERO {
        format!("in {}", span(-age))
    } else {
        format!("{} ago", span(age))
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
