//! Compares two policies: their forecasts, and the days on which these differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Unit;
use jiff::civil::Date;
use serde::Serialize;

use super::text::table;
use crate::core::recovery_ages::RecoveryAges;
use crate::core::rotation_and_snapshot_name::SnapshotName;
use crate::core::snapshot::ServerId;
use crate::core::steady_state_forecast::Forecast;
use crate::status::{age, heading, name};

/// The output of `--against --json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ForecastComparison<'a> {
    /// The main file in force.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) now: &'a Path,
    /// The file that it is compared with.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) other: &'a Path,
    /// Both forecasts of each server.
    pub(super) servers: Vec<ServerComparison>,
}

/// One server's forecasts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ServerComparison {
    /// The server.
    id: ServerId,
    /// The forecast for the policy in force; `null` without one.
    now: Option<Forecast>,
    /// The forecast for the other policy; `null` without one.
    other: Option<Forecast>,
    /// The days that end with different snapshots.
    days: Vec<ChangedDay>,
}

/// A day that ends with different snapshots.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ChangedDay {
    /// The day, in the zone of `now`.
    date: Date,
    /// Snapshots that only the forecast `now` has.
    lost: Vec<SnapshotName>,
    /// Snapshots that only the forecast `other` has.
    gained: Vec<SnapshotName>,
}

impl ServerComparison {
    pub(super) fn between(id: ServerId, now: Option<Forecast>, other: Option<Forecast>) -> Self {
        let mut days: BTreeMap<Date, [&[SnapshotName]; 2]> = BTreeMap::new();
        for (side, forecast) in [&now, &other].into_iter().enumerate() {
            for day in forecast.iter().flat_map(|forecast| &forecast.days) {
                days.entry(day.date).or_default()[side] = &day.snapshots;
            }
        }
        let without = |these: &[SnapshotName], those: &[SnapshotName]| -> Vec<SnapshotName> {
            let left = these.iter().filter(|name| !those.contains(name));
            left.cloned().collect()
        };
        let differs = days.into_iter().map(|(date, [now, other])| ChangedDay {
            date,
            lost: without(now, other),
            gained: without(other, now),
        });
        let days = differs.filter(|day| !day.lost.is_empty() || !day.gained.is_empty());
        let days = days.collect();
        Self {
            id,
            now,
            other,
            days,
        }
    }

    /// Returns both forecasts, each with its label; `other` is the other file's.
    pub(super) fn both<'a>(
        &'a self,
        other: &'a str,
    ) -> impl Iterator<Item = (Option<&'a str>, &'a Forecast)> {
        let now = self.now.iter().map(|now| (Some("now"), now));
        now.chain(self.other.iter().map(move |then| (Some(other), then)))
    }

    fn points(&self) -> [Option<&RecoveryAges>; 2] {
        [&self.now, &self.other].map(|side| side.as_ref().map(|forecast| &forecast.recovery))
    }

    fn same(&self) -> bool {
        let [now, other] = self.points();
        self.days.is_empty() && now == other
    }

    fn name(&self) -> String {
        let side = self.now.as_ref().or(self.other.as_ref());
        side.map(|forecast| name(&forecast.name))
            .unwrap_or_default()
    }
}

/// Returns the text for all servers: in full, or one line each if there are more than `most`.
pub(super) fn text(
    changes: &[ServerComparison],
    other: &str,
    most: usize,
    width: Option<u16>,
) -> String {
    if changes.len() > most {
        return lines(changes, other);
    }
    let texts: Vec<_> = changes
        .iter()
        .map(|change| server(change, other, width))
        .collect();
    texts.join("\n\n")
}

/// Returns a line for each server that differs.
fn lines(changes: &[ServerComparison], other: &str) -> String {
    let mut text = format!("Now, and with {other}: lost at most, and reaches back at least\n");
    for change in changes.iter().filter(|change| !change.same()) {
        let [now, then] = change.points().map(worst);
        let days = change.days.len();
        let (name, id) = (change.name(), change.id.clone());
        let _ = write!(
            text,
            "\n{name} (id {id}): {now}, with it {then}; days that differ: {days}"
        );
    }
    let same = changes.iter().filter(|change| change.same()).count();
    let _ = write!(
        text,
        "\nno difference for {same} of {} servers",
        changes.len()
    );
    text
}

fn worst(recovery: Option<&RecoveryAges>) -> String {
    recovery.map_or_else(
        || "no policy".to_owned(),
        |found| {
            format!(
                "{} and {}",
                age(found.newest.worst),
                age(found.oldest.worst)
            )
        },
    )
}

fn server(change: &ServerComparison, other: &str, width: Option<u16>) -> String {
    let (now, then) = match (&change.now, &change.other) {
        (Some(now), Some(then)) => (now, then),
        (Some(now), None) => return format!("{}\nno policy with {other}", heading(now)),
        (None, Some(then)) => {
            return format!(
                "No policy now; with {other}: {}\n\n{}",
                heading(then),
                super::text::recovery(then, width)
            );
        }
        (None, None) => return String::new(),
    };
    if change.same() {
        return format!("{}\nthe same with {other}", heading(now));
    }
    let mut text = format!("{}\nnow, and with {other}\n\n", heading(now));
    let _ = write!(text, "{}\n\n", points(now, then, width));
    let mut days = table(width);
    days.set_header(["at the end of", "no longer there", "additional"]);
    let mut rest = change.days.as_slice();
    while let Some(first) = rest.first() {
        let alike = |day: &&ChangedDay| day.lost == first.lost && day.gained == first.gained;
        let same = rest.iter().take_while(alike).count();
        // In a daily rotation, names differ from day to day, but ages in days repeat.
        let before = |day: &ChangedDay| {
            let lost = days_before(now, day.date, &day.lost)?;
            Some([lost, days_before(then, day.date, &day.gained)?])
        };
        let moved = before(first);
        let moving = rest.iter().take_while(|day| before(day) == moved);
        let moving = moved.as_ref().map_or(0, |_| moving.count());
        let count = same.max(moving);
        let mut when = first.date.strftime("%a %Y-%m-%d").to_string();
        if count > 1 {
            let _ = write!(when, " to {}", rest[count - 1].date.strftime("%m-%d"));
        }
        rest = &rest[count..];
        let cells = match moved {
            Some(moved) if moving > same => moved.map(|moved| in_words(&moved)),
            _ => [first.lost.join(" "), first.gained.join(" ")],
        };
        days.add_row(std::iter::once(when).chain(cells).collect::<Vec<_>>());
    }
    if !change.days.is_empty() {
        let _ = write!(text, "{days}");
    }
    text
}

/// Returns the ages of these snapshots' slots on `date`, in days, by rotation.
fn days_before<'a>(
    forecast: &'a Forecast,
    date: Date,
    names: &[SnapshotName],
) -> Option<BTreeMap<&'a str, Vec<i32>>> {
    let mut found: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for name in names {
        let life = forecast.snapshots.iter().find(|life| life.name == *name)?;
        let days = date.since((Unit::Day, life.slot.date())).ok()?.get_days();
        found.entry(&life.rotation).or_default().push(days);
    }
    Some(found)
}

fn in_words(found: &BTreeMap<&str, Vec<i32>>) -> String {
    let each = found.iter().map(|(rotation, days)| {
        let days: Vec<_> = days.iter().map(ToString::to_string).collect();
        format!("{rotation} (days before: {})", days.join(", "))
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Returns a table of the worst recovery points of both forecasts.
fn points(now: &Forecast, then: &Forecast, width: Option<u16>) -> comfy_table::Table {
    let mut table = table(width);
    table.set_header([
        "rotation",
        "lost at most, now",
        "with it",
        "reaches back at least, now",
        "with it",
    ]);
    let of = |forecast: &Forecast, name: &str| {
        let mut rotations = forecast.rotations.iter();
        rotations
            .find(|rotation| rotation.name == name)
            .map(|rotation| rotation.recovery)
    };
    let mut row = |name: &str, now: Option<RecoveryAges>, then: Option<RecoveryAges>| {
        let cell = |found: Option<RecoveryAges>, oldest: bool| {
            let found = found.map(|found| if oldest { found.oldest } else { found.newest });
            found.map_or_else(|| "-".to_owned(), |moments| age(moments.worst))
        };
        let ages = [
            cell(now, false),
            cell(then, false),
            cell(now, true),
            cell(then, true),
        ];
        let cells = std::iter::once(name.to_owned()).chain(ages);
        table.add_row(cells.collect::<Vec<_>>());
    };
    let all = now.rotations.iter().chain(&then.rotations);
    let mut names: Vec<&str> = Vec::new();
    for rotation in all {
        if !names.contains(&rotation.name.as_str()) {
            names.push(&rotation.name);
        }
    }
    for name in &names {
        row(name, of(now, name), of(then, name));
    }
    if names.len() > 1 {
        row("together", Some(now.recovery), Some(then.recovery));
    }
    table
}
