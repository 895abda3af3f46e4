//! Forecasts what a policy yields in the long run, from the policy alone: which snapshots will
//! exist, and how old the recovery points are.
//!
//! `steady_state_simulation.rs` steps through the days with the service's own decision code; this
//! file presents the result. Every step succeeds, and a create completes at the next look
//! (`poll_interval`).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Serialize, Serializer};

use super::policy::{Policy, Rules};
use super::recovery_ages::{RecoveryAges, recovery};
use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::snapshot::ServerId;
use super::steady_state_simulation::simulate;
pub use super::steady_state_simulation::{ForecastEvent, SnapshotLifetime};

/// The forecast of one server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Forecast {
    /// The server.
    pub id: ServerId,
    /// Its name in the policy, or else the name of the policy file.
    pub name: String,
    /// Start of the span.
    pub from: Timestamp,
    /// End of the span: the end of its last day.
    pub until: Timestamp,
    /// The zone of the days: that of the first rotation.
    #[serde(serialize_with = "zone_name")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub zone: TimeZone,
    /// The recovery points of all rotations together.
    pub recovery: RecoveryAges,
    /// Each rotation by itself, in the order of the file.
    pub rotations: Vec<RotationForecast>,
    /// Every snapshot that exists at some time of the span, oldest first.
    pub snapshots: Vec<SnapshotLifetime>,
    /// The events, in order.
    pub events: Vec<ForecastEvent>,
    /// The snapshots at the end of each day.
    pub days: Vec<DayEnd>,
}

/// One rotation's part of a forecast.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RotationForecast {
    /// Its name.
    pub name: RotationName,
    /// Number of completed snapshots that it keeps.
    pub keep: usize,
    /// The zone of its schedule and names.
    #[serde(serialize_with = "zone_name")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub zone: TimeZone,
    /// The recovery points that it alone provides.
    pub recovery: RecoveryAges,
}

/// The snapshots at the end of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DayEnd {
    /// The day, in the forecast's zone.
    pub date: Date,
    /// The names of the snapshots, oldest first.
    pub snapshots: Vec<SnapshotName>,
}

/// Forecasts one server from `from` on, for `days` days; the rest of the first day counts as one.
pub fn forecast(policy: &Policy, rules: &Rules, from: Timestamp, days: u32) -> Forecast {
    let zone = policy.rotations.first();
    let zone = zone.map_or(TimeZone::UTC, |first| first.schedule.zone().clone());
    let ends = day_ends(&zone, from, days);
    let until = ends.last().map_or(from, |(_, end)| *end);
    let (lives, events) = simulate(policy, rules, from, until);
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

/// Returns the days and the end of each: the first instant of the next day.
fn day_ends(zone: &TimeZone, from: Timestamp, days: u32) -> Vec<(Date, Timestamp)> {
    let today = zone.to_datetime(from).date();
    let end = |nth: u32| {
        let date = today.checked_add(Span::new().try_days(nth).ok()?).ok()?;
        let next = date.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        Some((date, next.timestamp()))
    };
    (0..days).map_while(end).collect()
}

fn zone_name<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    zone.iana_name().serialize(serializer)
}

#[cfg(test)]
#[path = "steady_state_forecast_tests.rs"]
mod tests;
