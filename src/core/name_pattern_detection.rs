//! Detects the naming patterns of existing snapshots that already rotate.
//!
//! A pattern counts only if at least two names follow it, formatting reproduces each of them
//! exactly, and their dates are evenly spaced or the names state the interval. If names contain
//! `weekly` but their dates contradict it, nothing is detected. Doubtful snapshots stay foreign.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::name_pattern::Pattern;
use super::pattern_of_dated_name::{DatedName, dated, forms};
use super::snapshot::{Snapshot, Status};

/// The times of day of one schedule's snapshots differ by at most this many minutes.
const JITTER: i32 = 15;

/// The proposed time of day, in minutes, if there is no other source.
const QUIET_HOUR: i32 = 3 * 60;

/// A detected naming pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedPattern {
    /// A name for the rotation, unique on the server: the word in the snapshots' names that states
    /// the interval, if there is one.
    pub rotation: String,
    /// The pattern.
    pub pattern: Pattern,
    /// Its schedule as a cron expression of five fields.
    pub schedule: String,
    /// The approximate distance between two slots.
    pub interval: SignedDuration,
    /// Number of dates with a snapshot that did not fail; at least 1.
    pub keep: usize,
    /// Number of snapshots that follow the pattern.
    pub held: usize,
    /// The newest local time in the snapshots' names.
    pub newest: DateTime,
    /// The source of the time of day.
    pub time: TimeSource,
}

/// The source of the time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// The names contain it. Holds the number of minutes by which it is ahead of UTC, if the
    /// creation dates show that.
    Names(Option<i32>),
    /// The creation dates, in UTC.
    Made,
    /// There is none; `QUIET_HOUR` is proposed.
    Guess,
}

/// The distance between the dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DateSpacing {
    Hours(i32),
    Day,
    Week(Weekday),
    Month(i8),
    Year(i8, i8),
}

/// Returns the patterns of one server's rotating snapshots, shortest interval first.
pub fn recognise(snapshots: &[Snapshot]) -> Vec<DetectedPattern> {
    let forms = forms();
    let mut groups: BTreeMap<String, Vec<(DatedName, &Snapshot)>> = BTreeMap::new();
    for snapshot in snapshots {
        if let Some(dated) = dated(&snapshot.name, &forms) {
            let group = groups.entry(dated.text.clone()).or_default();
            group.push((dated, snapshot));
        }
    }
    let mut found: Vec<DetectedPattern> = groups.values().filter_map(|group| one(group)).collect();
    found.sort_by_key(|one| (one.interval, std::cmp::Reverse(one.held)));
    let mut kept: Vec<DetectedPattern> = Vec::new();
    for mut one in found {
        // If two patterns could give the same name, the snapshots of the second stay foreign.
        if kept
            .iter()
            .any(|other| other.pattern.may_clash(&one.pattern))
        {
            continue;
        }
        let taken = |name: &str| kept.iter().any(|other| other.rotation == name);
        let numbered = (2..).map(|nth| format!("{}-{nth}", one.rotation));
        let mut names = std::iter::once(one.rotation.clone()).chain(numbered);
        if let Some(free) = names.find(|name| !taken(name)) {
            one.rotation = free;
        }
        kept.push(one);
    }
    kept
}

/// Returns the pattern that a group's names follow, if the group's snapshots rotate.
fn one(group: &[(DatedName, &Snapshot)]) -> Option<DetectedPattern> {
    let (first, _) = group.first()?;
    let all: BTreeSet<DateTime> = group.iter().map(|(dated, _)| dated.at).collect();
    let newest = *all.last()?;
    // A single date does not show an interval.
    if all.len() < 2 {
        return None;
    }
    let hint = hint(&first.words);
    let (minute, time) = time_of_day(group, first.hour);
    let every = match minute {
        // Times of day that differ must be hours apart.
        None => hours(&all)?,
        Some(_) if first.day => days(&all, hint.map(|(_, kind)| kind))?,
        Some(_) => months(&all, group, hint.is_some())?,
    };
    if hint.is_some_and(|(_, kind)| kind != every.kind()) {
        return None;
    }
    // A snapshot in progress counts, since it will be completed.
    let kept = group.iter().filter(|(_, row)| row.status != Status::Failed);
    let kept: BTreeSet<DateTime> = kept.map(|(dated, _)| dated.at).collect();
    let word = hint.map_or(every.kind(), |(word, _)| word);
    let minute = minute.unwrap_or_else(|| earliest(&all, 60));
    Some(DetectedPattern {
        rotation: word.to_owned(),
        pattern: first.pattern.clone(),
        schedule: every.schedule(minute, newest),
        interval: every.interval(),
        keep: kept.len().max(1),
        held: group.len(),
        newest,
        time,
    })
}

/// Returns the word in a name that states the interval, and the kind of rotation that it stands
/// for.
fn hint(words: &str) -> Option<(&'static str, &'static str)> {
    const WORDS: [(&str, &str); 8] = [
        ("hourly", "hourly"),
        ("daily", "daily"),
        ("nightly", "daily"),
        ("weekly", "weekly"),
        ("monthly", "monthly"),
        ("yearly", "yearly"),
        ("annual", "yearly"),
        ("annually", "yearly"),
    ];
    let mut words = words.split(|c: char| !c.is_ascii_alphabetic());
    words.find_map(|word| WORDS.into_iter().find(|(known, _)| *known == word))
}

/// Returns the minute of the day and its source. The minute is `None` if the names contain times of
/// day that differ.
fn time_of_day(group: &[(DatedName, &Snapshot)], told: bool) -> (Option<i32>, TimeSource) {
    let made = |row: &Snapshot| Some(row.created_at?.to_zoned(TimeZone::UTC).datetime());
    if told {
        let ahead = group.iter().filter_map(|(dated, row)| {
            let ahead = dated.at.duration_since(made(row)?).as_mins();
            // Zones differ from UTC by whole quarters of an hour, and creation began a little after
            // the slot.
            i32::try_from((ahead + 12).div_euclid(15) * 15).ok()
        });
        let ahead: BTreeSet<i32> = ahead.collect();
        let ahead = ahead.first().copied().filter(|_| ahead.len() == 1);
        let all = group.iter().map(|(dated, _)| dated.at).collect();
        return (same(&all), TimeSource::Names(ahead));
    }
    let of_that_day = group.iter().filter_map(|(dated, row)| {
        let made = made(row)?;
        let (day, month) = (made.date(), made.date().first_of_month());
        (dated.at.date() == if dated.day { day } else { month }).then_some(made)
    });
    let made: BTreeSet<DateTime> = of_that_day.collect();
    match same(&made).filter(|_| made.len() == group.len()) {
        Some(minute) => (Some(minute / 5 * 5), TimeSource::Made),
        None => (Some(QUIET_HOUR), TimeSource::Guess),
    }
}

/// Returns the minute of the day that all times share, apart from jitter.
fn same(all: &BTreeSet<DateTime>) -> Option<i32> {
    let minutes = all.iter().map(|at| minute_of_day(*at));
    let (least, most) = (minutes.clone().min()?, minutes.max()?);
    (most - least <= JITTER).then(|| earliest(all, 24 * 60))
}

/// Returns the earliest minute of the times within a span (an hour or a day), rounded down to five
/// minutes if the times differ.
fn earliest(all: &BTreeSet<DateTime>, span: i32) -> i32 {
    let minutes: BTreeSet<i32> = all.iter().map(|at| minute_of_day(*at) % span).collect();
    let first = minutes.first().copied().unwrap_or_default();
    if minutes.len() == 1 {
        first
    } else {
        first / 5 * 5
    }
}

fn minute_of_day(at: DateTime) -> i32 {
    i32::from(at.hour()) * 60 + i32::from(at.minute())
}

/// Returns the differences between neighbours.
fn steps(mut of: impl Iterator<Item = i32>) -> Vec<i32> {
    let Some(mut last) = of.next() else {
        return Vec::new();
    };
    of.map(|next| next - std::mem::replace(&mut last, next))
        .collect()
}

/// Returns true if the steps are even: the smallest is one unit, and none is more than two, since a
/// slot may have been missed. Names that state their interval (`said`) need no second proof.
fn even(steps: &[i32], unit: i32, said: bool) -> bool {
    let (least, most) = (steps.iter().min(), steps.iter().max());
    said || (least == Some(&unit) && most.is_some_and(|most| *most <= 2 * unit))
}

/// Detects evenly spaced hours with the same minute.
fn hours(all: &BTreeSet<DateTime>) -> Option<DateSpacing> {
    let minutes = all.iter().map(|at| i32::from(at.minute()));
    if minutes.clone().max()? - minutes.min()? > JITTER {
        return None;
    }
    let hours = all
        .iter()
        .map(|at| number(at.date()) * 24 + i32::from(at.hour()));
    let steps = steps(hours);
    let step = *steps.iter().min()?;
    let divides = [1, 2, 3, 4, 6, 8, 12].contains(&step);
    let regular = steps.iter().all(|other| other % step.max(1) == 0);
    (divides && regular && even(&steps, step, false)).then_some(DateSpacing::Hours(step))
}

/// Detects the spacing of names that contain a day: daily, weekly, monthly or yearly.
fn days(all: &BTreeSet<DateTime>, hint: Option<&str>) -> Option<DateSpacing> {
    let dates: BTreeSet<Date> = all.iter().map(|at| at.date()).collect();
    let newest = *dates.last()?;
    let steps = steps(dates.iter().map(|date| number(*date)));
    let least = *steps.iter().min()?;
    let one_day_of_month = dates.iter().all(|date| date.day() == newest.day());
    if one_day_of_month && least >= 28 && !matches!(hint, Some("weekly" | "daily")) {
        return by_month(&dates, newest.day(), hint.is_some());
    }
    let said = |kind| hint == Some(kind);
    if dates.iter().all(|date| date.weekday() == newest.weekday())
        && !said("daily")
        && least >= 7
        && even(&steps, 7, said("weekly"))
    {
        return Some(DateSpacing::Week(newest.weekday()));
    }
    even(&steps, 1, said("daily")).then_some(DateSpacing::Day)
}

/// Detects the spacing of names that contain a month but no day. The proposed day is the one on
/// which all snapshots were made, if every month has it, else the first.
fn months(
    all: &BTreeSet<DateTime>,
    group: &[(DatedName, &Snapshot)],
    said: bool,
) -> Option<DateSpacing> {
    let dates: BTreeSet<Date> = all.iter().map(|at| at.date()).collect();
    let made = group.iter().map(|(dated, row)| {
        let made = row.created_at?.to_zoned(TimeZone::UTC).date();
        (made.first_of_month() == dated.at.date()).then(|| made.day())
    });
    let made: BTreeSet<Option<i8>> = made.collect();
    let day = made.first().copied().flatten();
    let day = day.filter(|day| made.len() == 1 && *day <= 28);
    by_month(&dates, day.unwrap_or(1), said)
}

fn by_month(dates: &BTreeSet<Date>, day: i8, said: bool) -> Option<DateSpacing> {
    let months = dates
        .iter()
        .map(|date| i32::from(date.year()) * 12 + i32::from(date.month()));
    let steps = steps(months);
    let newest = dates.last()?;
    if steps.iter().all(|step| step % 12 == 0) {
        return even(&steps, 12, said).then(|| DateSpacing::Year(newest.month(), day));
    }
    even(&steps, 1, said).then_some(DateSpacing::Month(day))
}

/// Returns the days since the year 1.
fn number(date: Date) -> i32 {
    let since = date.duration_since(jiff::civil::date(1, 1, 1));
    i32::try_from(since.as_hours() / 24).unwrap_or_default()
}

impl DateSpacing {
    fn kind(self) -> &'static str {
        match self {
            Self::Hours(_) => "hourly",
            Self::Day => "daily",
            Self::Week(_) => "weekly",
            Self::Month(_) => "monthly",
            Self::Year(..) => "yearly",
        }
    }

    fn interval(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Hours(hours) => i64::from(hours),
            Self::Day => 24,
            Self::Week(_) => 7 * 24,
            Self::Month(_) => 31 * 24,
            Self::Year(..) => 366 * 24,
        })
    }

    /// Returns the cron expression for this minute of the day; for hourly spacing, only its minute
    /// of the hour counts.
    fn schedule(self, minute: i32, newest: DateTime) -> String {
        let (hour, minute) = (minute / 60, minute % 60);
        match self {
            Self::Hours(1) => format!("{minute} * * * *"),
            Self::Hours(step) => match i32::from(newest.hour()) % step {
                0 => format!("{minute} */{step} * * *"),
                first => format!("{minute} {first}-23/{step} * * *"),
            },
            Self::Day => format!("{minute} {hour} * * *"),
            Self::Week(day) => format!("{minute} {hour} * * {}", short(day)),
            Self::Month(day) => format!("{minute} {hour} {day} * *"),
            Self::Year(month, day) => format!("{minute} {hour} {day} {month} *"),
        }
    }
}

fn short(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

#[cfg(test)]
#[path = "recognise_steps_tests.rs"]
mod steps_tests;
#[cfg(test)]
#[path = "name_pattern_detection_tests.rs"]
mod tests;
