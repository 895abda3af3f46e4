//! What a policy yields in the long run: which snapshots will exist, and how old the
//! recovery points are, from the policy alone.
//!
//! `foresight.rs` lives through the days by the real decision; this file says what comes of
//! it. Every step succeeds, and a create is completed at the next look (`poll_interval`).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Serialize, Serializer};

use super::forecast_simulation::live;
use super::plan::PlannedAction;
use super::policy::{Policy, Rules};
use super::recovery_points::{RecoveryAges, UsableSpan, recovery};
use super::snapshot::ServerId;

/// One server's coming days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The server.
    pub id: ServerId,
    /// What it is called: by the policy, else by its file.
    pub name: String,
    /// When the shown time begins.
    pub from: Timestamp,
    /// When it ends: with the last of its days.
    pub until: Timestamp,
    /// The zone of the days: the first rotation's.
    #[serde(serialize_with = "zone_name")]
    pub zone: TimeZone,
    /// The recovery points of all rotations together.
    pub recovery: RecoveryAges,
    /// Each rotation for itself, in the order of the file.
    pub rotations: Vec<RotationForecast>,
    /// Every snapshot that exists at some time of the span, oldest first.
    pub snapshots: Vec<SnapshotLifetime>,
    /// What happens, in order.
    pub events: Vec<ForecastEvent>,
    /// What exists at the end of each day.
    pub days: Vec<DayEnd>,
}

/// One rotation's part in a forecast.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RotationForecast {
    /// Its name.
    pub name: String,
    /// Completed slots that it keeps.
    pub keep: usize,
    /// The zone of its schedule and names.
    #[serde(serialize_with = "zone_name")]
    pub zone: TimeZone,
    /// The recovery points that it alone gives.
    pub recovery: RecoveryAges,
}

/// One snapshot from its making to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotLifetime {
    /// Its name.
    pub name: String,
    /// The rotation that makes it.
    pub rotation: String,
    /// Its slot's local time as far as the name tells it: of a date alone, midnight.
    #[serde(skip)]
    pub slot: DateTime,
    /// When it is made.
    pub created_at: Timestamp,
    /// When it is completed, if that is within the span.
    pub completed_at: Option<Timestamp>,
    /// When it is deleted, if that is within the span.
    pub deleted_at: Option<Timestamp>,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForecastEvent {
    /// When.
    pub time: Timestamp,
    /// A create, a delete, or that a slot finds the server blocked.
    #[serde(rename = "do")]
    pub do_: PlannedAction,
    /// The snapshot's name.
    pub name: Option<String>,
    /// Its rotation.
    pub rotation: Option<String>,
    /// Why, in one line.
    pub reason: String,
}

/// What exists at the end of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayEnd {
    /// The day, in the forecast's zone.
    pub date: Date,
    /// The names of the snapshots, oldest first.
    pub snapshots: Vec<String>,
}

/// Forecasts one server from `from` on: the rest of that day, and the days after it, `days`
/// in all.
pub fn forecast(policy: &Policy, rules: &Rules, from: Timestamp, days: u32) -> Forecast {
    let zone = policy.rotations.first();
    let zone = zone.map_or(TimeZone::UTC, |first| first.schedule.zone().clone());
    let ends = day_ends(&zone, from, days);
    let until = ends.last().map_or(from, |(_, end)| *end);
    let (lives, events) = live(policy, rules, from, until);
    let of = |rotation: Option<&str>| {
        let lives = lives.iter();
        let lives = lives.filter(|life| rotation.is_none_or(|name| life.rotation == name));
        recovery(lives.filter_map(SnapshotLifetime::usable), from, until)
    };
    let rotations = policy.rotations.iter().map(|rotation| RotationForecast {
        name: rotation.name.clone(),
        keep: rotation.keep,
        zone: rotation.schedule.zone().clone(),
        recovery: of(Some(&rotation.name)),
    });
    let days = ends.into_iter().map(|(date, end)| DayEnd {
        date,
        snapshots: lives
            .iter()
            .filter(|life| life.created_at < end && life.deleted_at.is_none_or(|at| at >= end))
            .map(|life| life.name.clone())
            .collect(),
    });
    Forecast {
        id: policy.server.clone(),
        name: policy.called().to_owned(),
        from,
        until,
        recovery: of(None),
        rotations: rotations.collect(),
        days: days.collect(),
        zone,
        events,
        snapshots: lives,
    }
}

/// The days, and when each ends: with the first instant of the next.
fn day_ends(zone: &TimeZone, from: Timestamp, days: u32) -> Vec<(Date, Timestamp)> {
    let today = zone.to_datetime(from).date();
    let end = |nth: u32| {
        let date = today.checked_add(Span::new().try_days(nth).ok()?).ok()?;
        let next = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        Some((date, next.timestamp()))
    };
    (0..days).map_while(end).collect()
}

impl SnapshotLifetime {
    fn usable(&self) -> Option<UsableSpan> {
        Some(UsableSpan {
            made: self.created_at,
            since: self.completed_at?,
            until: self.deleted_at,
        })
    }
}

fn zone_name<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    zone.iana_name().serialize(serializer)
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
