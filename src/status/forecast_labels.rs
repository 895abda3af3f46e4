//! Formats a forecast's names, ages and times, for `forecast`, its picture and the status page.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::core::recovery_ages::AgeAt;
use crate::core::sanitize::{printable, span};
use crate::core::steady_state_forecast::Forecast;

/// Longest name that is shown, in characters.
const LONGEST_NAME: usize = 64;

/// Returns a heading with the server, the days and the zone.
pub fn heading(forecast: &Forecast) -> String {
    let (first, last) = (forecast.days.first(), forecast.days.last());
    let (first, last) = (first.map(|day| day.date), last.map(|day| day.date));
    let mut text = format!("{} (id {})", name(&forecast.name), forecast.id);
    if let (Some(first), Some(last)) = (first, last) {
        let _ = write!(text, ", {first} to {last}, {}", zone_name(&forecast.zone));
    }
    text
}

/// Formats an age in its two largest units.
pub fn age(moment: AgeAt) -> String {
    moment.age.map_or_else(|| "none".to_owned(), span)
}

/// Formats an instant with its zone.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let local = local.strftime("%a %Y-%m-%d %H:%M");
    format!("{local} {}", zone_name(zone))
}

/// Returns a zone's name, or `local time` if it has none.
pub fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("local time")
}

/// Returns a server's name, printable and shortened.
pub fn name(text: &str) -> String {
    printable(text, LONGEST_NAME)
}
