//! Prints a forecast: the recovery points, then the snapshots of each day.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::core::plan::PlannedAction;
use crate::core::recovery_ages::RecoveryAges;
use crate::core::sanitize::counted;
use crate::core::snapshot::ServerId;
use crate::core::steady_state_forecast::{Forecast, SnapshotLifetime};
use crate::status::{age, heading, moment, name, zone_name};

/// A width that every terminal has, in columns.
const NARROW: u16 = 80;

/// Returns the full text for one server.
pub(super) fn server(forecast: &Forecast) -> String {
    let mut text = heading(forecast);
    let _ = write!(
        text,
        "\n\nBased on the policy alone, in the long run; plan starts from what is there now.\nAge of the newest and the oldest completed snapshot:\n{}\n",
        points(forecast)
    );
    let _ = writeln!(
        text,
        "{}",
        worst(&forecast.recovery, &forecast.zone, forecast.days.len())
    );
    if let Some(line) = blocked(forecast) {
        let _ = writeln!(text, "{line}");
    }
    let _ = write!(text, "\n{}", days(forecast));
    text
}

/// Returns a table of the recovery points, by rotation and in total.
fn points(forecast: &Forecast) -> Table {
    let mut table = table();
    table.set_header([
        "rotation",
        "keep",
        "newest at best",
        "at worst",
        "oldest at best",
        "at worst",
    ]);
    let mut row = |name: String, keep: usize, found: &RecoveryAges| {
        let moments = [
            found.newest.best,
            found.newest.worst,
            found.oldest.best,
            found.oldest.worst,
        ];
        let ages = moments.into_iter().map(age);
        let cells: Vec<_> = [name, keep.to_string()].into_iter().chain(ages).collect();
        table.add_row(cells);
    };
    for rotation in &forecast.rotations {
        row(
            rotation.name.clone().into(),
            rotation.keep,
            &rotation.recovery,
        );
    }
    if forecast.rotations.len() > 1 {
        let keep = forecast.rotations.iter().map(|rotation| rotation.keep);
        row("together".to_owned(), keep.sum(), &forecast.recovery);
    }
    table
}

/// Returns what the worst ages in this many days mean for a restore.
fn worst(found: &RecoveryAges, zone: &TimeZone, days: usize) -> String {
    let days = if days == 1 {
        "this one day".to_owned()
    } else {
        format!("these {}", counted(days, "day"))
    };
    let (newest, oldest) = (found.newest.worst, found.oldest.worst);
    if newest.age.is_none() {
        return format!(
            "At worst in {days}:\n  there is no completed snapshot to go back to ({})",
            moment(newest.at, zone)
        );
    }
    format!(
        "At worst in {days}:\n  the work of {} is lost ({})\n  a restore can go back {} ({})",
        age(newest),
        moment(newest.at, zone),
        age(oldest),
        moment(oldest.at, zone)
    )
}

/// Returns a line with the reason if the server is blocked when a slot is due.
fn blocked(forecast: &Forecast) -> Option<String> {
    let mut events = forecast.events.iter();
    let first = events.find(|event| event.do_ == PlannedAction::Blocked)?;
    let more = events
        .filter(|event| event.do_ == PlannedAction::Blocked)
        .count();
    let times = match more {
        0 => "once".to_owned(),
        more => format!("{} times", more + 1),
    };
    let at = moment(first.time, &forecast.zone);
    Some(format!("Blocked {times}, first {at}: {}.", first.reason))
}

/// Returns a table of the snapshots at the end of each day, a column for each rotation. Consecutive
/// equal days share a row.
fn days(forecast: &Forecast) -> Table {
    let mut table = table();
    let columns = forecast.rotations.iter().map(|rotation| {
        if rotation.zone == forecast.zone {
            rotation.name.to_string()
        } else {
            format!("{} ({})", rotation.name, zone_name(&rotation.zone))
        }
    });
    let header = std::iter::once("at the end of".to_owned()).chain(columns);
    table.set_header(header.collect::<Vec<_>>());
    let mut rest = forecast.days.as_slice();
    while let Some(first) = rest.first() {
        let alike = rest
            .iter()
            .take_while(|day| day.snapshots == first.snapshots);
        let count = alike.count();
        let last = &rest[count - 1];
        rest = &rest[count..];
        let mut when = first.date.strftime("%a %Y-%m-%d").to_string();
        if count > 1 {
            let _ = write!(when, " to {}", last.date.strftime("%m-%d"));
        }
        let cells = forecast.rotations.iter().map(|rotation| {
            let lives = forecast.snapshots.iter();
            let own = lives.filter(|life| life.rotation == rotation.name);
            let style = slot_style(own.clone());
            let there = own.filter(|life| first.snapshots.contains(&life.name));
            let there: Vec<_> = there
                .map(|life| life.slot.strftime(style).to_string())
                .collect();
            there.join("  ")
        });
        let row = std::iter::once(when).chain(cells);
        table.add_row(row.collect::<Vec<_>>());
    }
    table
}

/// Returns a short time format for these slots. It has the time of day if two are on one day, or
/// else the year if they span more than two calendar years.
fn slot_style<'a>(lives: impl Iterator<Item = &'a SnapshotLifetime>) -> &'static str {
    let slots: Vec<_> = lives.map(|life| life.slot).collect();
    let twice_a_day = slots.windows(2).any(|two| two[0].date() == two[1].date());
    let apart = slots.first().zip(slots.last());
    let years = apart.is_some_and(|(first, last)| last.year() - first.year() > 1);
    match (years, twice_a_day) {
        (_, true) => "%d_%H:%M",
        (true, false) => "%Y-%m-%d",
        (false, false) => "%m-%d",
    }
}

/// One line of a forecast for many servers.
pub(super) struct ServerSummary {
    name: String,
    id: ServerId,
    lost: String,
    back: String,
    blocked: bool,
}

impl ServerSummary {
    pub(super) fn of(forecast: &Forecast) -> Self {
        Self {
            name: name(&forecast.name),
            id: forecast.id.clone(),
            lost: age(forecast.recovery.newest.worst),
            back: age(forecast.recovery.oldest.worst),
            blocked: forecast
                .events
                .iter()
                .any(|event| event.do_ == PlannedAction::Blocked),
        }
    }
}

/// Returns a line for each server.
pub(super) fn summaries(
    rows: impl Iterator<Item = ServerSummary>,
    from: Timestamp,
    days: u32,
) -> String {
    let rows: Vec<_> = rows.collect();
    let widest = rows.iter().map(|row| row.name.chars().count()).max();
    let wide = widest.unwrap_or(0).max("server".len());
    let mut text = format!(
        "{}, {} from {}; details: --server SERVER\n\n",
        counted(rows.len(), "server"),
        counted(usize::try_from(days).unwrap_or(usize::MAX), "day"),
        moment(from, &TimeZone::UTC)
    );
    let _ = write!(
        text,
        "{:<wide$}  {:<10}  {:<14}  back at worst",
        "server", "id", "lost at worst"
    );
    for row in rows {
        let blocked = if row.blocked { "  blocked" } else { "" };
        let (name, id, lost, back) = (row.name, row.id, row.lost, row.back);
        let line = format!("{name:<wide$}  {id:<10}  {lost:<14}  {back:<13}{blocked}");
        let _ = write!(text, "\n{}", line.trim_end());
    }
    text
}

/// Returns a table as wide as the terminal, but at least 80 columns wide.
pub(super) fn table() -> Table {
    let wide = terminal_size::terminal_size().map_or(NARROW, |(width, _)| width.0.max(NARROW));
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(wide);
    table
}
