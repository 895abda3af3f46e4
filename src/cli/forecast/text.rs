//! Prints a forecast: the recovery points, then the snapshots of each day.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::ServerForecast;
use crate::core::better_keeps::BetterKeeps;
use crate::core::plan::PlannedAction;
use crate::core::policy::Policy;
use crate::core::recovery_ages::{AgeAt, RecoveryAges};
use crate::core::sanitize::{counted, printable, span};
use crate::core::snapshot::ServerId;
use crate::core::steady_state_forecast::{Forecast, SnapshotLifetime};
use crate::status::{age, heading, moment, name, wrap_lines, zone_name};

/// Columns if the output is no terminal.
const USUAL_WIDTH: u16 = 80;

/// Columns of the table of recovery points besides the rotation's name.
const OTHER_POINTS: usize = 56;

/// Columns of the table of days besides the rotations' names: the day, and the mark.
const OTHER_DAYS: usize = 46;

/// Fewest columns for a rotation's name.
const NARROWEST_NAME: usize = 12;

/// Days of the table, unless --days asks for more.
const DAYS_SHOWN: usize = 28;

/// Returns the full text for one server. `all` shows every day.
pub(super) fn server(shown: &ServerForecast, all: bool, width: Option<u16>) -> String {
    let forecast = &shown.forecast;
    let width = width.or(Some(USUAL_WIDTH));
    let mut text = wrap_lines(&heading(forecast), width);
    let _ = write!(
        text,
        "If this policy had always been in force; what is there now:\nsnaprotate status {}\n\n{}\n",
        shown.argument,
        points(forecast, width)
    );
    let (recovery, zone) = (&forecast.recovery, &forecast.zone);
    let worst = worst(recovery, zone, forecast.days.len());
    text.push_str(&wrap_lines(&worst, width));
    if let Some(better) = &shown.better {
        text.push_str(&wrap_lines(&suggestion(better, recovery), width));
    }
    if let Some(line) = blocked(forecast) {
        text.push_str(&wrap_lines(&line, width));
    }
    let most = if all { usize::MAX } else { DAYS_SHOWN };
    let _ = write!(text, "\n{}", days(forecast, most, width));
    if forecast.days.len() > most {
        let days = forecast.days.len();
        let _ = write!(
            text,
            "\nThe first {most} of {days} days; --days {days} shows all."
        );
    }
    text
}

/// Returns the recovery points of one server, and its days.
pub(super) fn recovery(forecast: &Forecast, width: Option<u16>) -> String {
    let worst = worst(&forecast.recovery, &forecast.zone, forecast.days.len());
    let worst = wrap_lines(&worst, width);
    let days = days(forecast, DAYS_SHOWN, width);
    format!("{}\n{worst}\n{days}", points(forecast, width))
}

/// Returns a table of the recovery points, by rotation and in total.
fn points(forecast: &Forecast, width: Option<u16>) -> Table {
    let mut table = table(width);
    table.set_header([
        "rotation",
        "keep",
        "lost at most",
        "reaches back at least",
        "at most",
    ]);
    let mut row = |name: String, keep: usize, found: &RecoveryAges| {
        let moments = [found.newest.worst, found.oldest.worst, found.oldest.best];
        let ages = moments.into_iter().map(age);
        let cells: Vec<_> = [name, keep.to_string()].into_iter().chain(ages).collect();
        table.add_row(cells);
    };
    for rotation in &forecast.rotations {
        row(
            printable(&rotation.name, name_room(width, OTHER_POINTS, 1)),
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
    let days = counted(days, "day");
    let (newest, oldest) = (found.newest.worst, found.oldest.worst);
    if newest.age.is_none() {
        return format!(
            "At worst within {days}:\n  there is no completed snapshot to go back to ({})",
            moment(newest.at, zone)
        );
    }
    format!(
        "At worst within {days}:\n  lost at most {} of work ({})\n  reaches back at least {} ({})",
        age(newest),
        moment(newest.at, zone),
        age(oldest),
        moment(oldest.at, zone)
    )
}

/// Returns lines about keeps that reach back further than now.
fn suggestion(better: &BetterKeeps, now: &RecoveryAges) -> String {
    let keeps = better.rotations.iter().map(|one| match &one.new_schedule {
        Some(schedule) => format!("{} keep {} (new: \"{schedule}\")", one.name, one.keep),
        None => format!("{} keep {}", one.name, one.keep),
    });
    format!(
        "Better with as many snapshots: {}\n  lost at most {}\n  reaches back at least {} instead of {}",
        keeps.collect::<Vec<_>>().join(", "),
        span(better.lost_at_most),
        span(better.reaches_back),
        age(now.oldest.worst)
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

/// Returns a table of the snapshots at the end of each of the first `most` days, a column for each
/// rotation. Consecutive equal days share a row. The days of the worst moments are marked.
fn days(forecast: &Forecast, most: usize, width: Option<u16>) -> Table {
    let mut table = table(width);
    let room = name_room(width, OTHER_DAYS, forecast.rotations.len());
    let columns = forecast.rotations.iter().map(|rotation| {
        let name = printable(&rotation.name, room);
        if rotation.zone == forecast.zone {
            name
        } else {
            format!("{name} ({})", zone_name(&rotation.zone))
        }
    });
    let header = std::iter::once("at the end of".to_owned()).chain(columns);
    let header = header.chain([String::new()]);
    table.set_header(header.collect::<Vec<_>>());
    let mut rest = &forecast.days[..forecast.days.len().min(most)];
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
        let mark = mark(forecast, first.date, last.date);
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
        let row = std::iter::once(when).chain(cells).chain([mark]);
        table.add_row(row.collect::<Vec<_>>());
    }
    table
}

/// Returns how many characters of a rotation's name a table has room for, so that no word is broken.
fn name_room(width: Option<u16>, others: usize, rotations: usize) -> usize {
    let room = usize::from(width.unwrap_or(USUAL_WIDTH)).saturating_sub(others);
    // Two blanks and the mark of a shortened name.
    let room = (room / rotations.max(1)).saturating_sub(3);
    room.max(NARROWEST_NAME)
}

/// Returns which of the worst moments is within these days.
fn mark(forecast: &Forecast, first: Date, last: Date) -> String {
    let recovery = &forecast.recovery;
    let within = |worst: AgeAt| {
        let date = forecast.zone.to_datetime(worst.at).date();
        (first..=last).contains(&date)
    };
    let moments = [
        (recovery.newest.worst, "most lost"),
        (recovery.oldest.worst, "shortest reach"),
    ];
    let words = moments.into_iter().filter(|(worst, _)| within(*worst));
    let words: Vec<_> = words.map(|(_, words)| words).collect();
    if words.is_empty() {
        String::new()
    } else {
        format!("← {}", words.join(", "))
    }
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
#[derive(Clone)]
pub(super) struct ServerSummary {
    name: String,
    id: ServerId,
    lost: String,
    back: String,
    blocked: bool,
}

impl ServerSummary {
    /// Returns the line of another server whose policy has the same rotations.
    pub(super) fn for_server(&self, policy: &Policy) -> Self {
        Self {
            name: name(policy.called()),
            id: policy.server.clone(),
            ..self.clone()
        }
    }

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

/// Returns a line for each of these servers, and how many more of the `total` there are.
pub(super) fn summaries(rows: Vec<ServerSummary>, from: Timestamp, total: usize) -> String {
    let widest = rows.iter().map(|row| row.name.chars().count());
    let wide = widest.max().unwrap_or(0).max("server".len());
    let mut text = format!(
        "{} from {}, if their policies had always been in force; what is there\nnow: snaprotate status\n\n",
        counted(total, "server"),
        moment(from, &TimeZone::UTC)
    );
    let _ = write!(
        text,
        "{:<wide$}  {:<10}  {:<12}  reaches back at least",
        "server", "id", "lost at most"
    );
    let more = total.saturating_sub(rows.len());
    for row in rows {
        let blocked = if row.blocked { "  blocked" } else { "" };
        let (name, id, lost, back) = (row.name, row.id, row.lost, row.back);
        let line = format!("{name:<wide$}  {id:<10}  {lost:<12}  {back:<21}{blocked}");
        let _ = write!(text, "\n{}", line.trim_end());
    }
    if more > 0 {
        let _ = write!(
            text,
            "\nand {}: --all shows them",
            counted(more, "more server")
        );
    }
    text
}

/// Returns a table as wide as the terminal.
pub(super) fn table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width.unwrap_or(USUAL_WIDTH));
    table
}
