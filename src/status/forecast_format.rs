//! Formats a forecast's names, ages and times, for `forecast`, its picture and the status page.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::core::forecast::Forecast;
use crate::core::recovery_points::AgeAt;
use crate::core::sanitize::printable;

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
    moment.age.map_or_else(|| "none".to_owned(), duration)
}

/// Formats a duration in its two largest units.
pub fn duration(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let units = [
        ("d", seconds / 86_400),
        ("h", seconds / 3600 % 24),
        ("m", seconds / 60 % 60),
        ("s", seconds % 60),
    ];
    let first = units.iter().position(|(_, n)| *n > 0).unwrap_or(3);
    let two = units[first..].iter().take(2).filter(|(_, n)| *n > 0);
    let words: Vec<_> = two.map(|(unit, n)| format!("{n}{unit}")).collect();
    if words.is_empty() {
        return "0s".to_owned();
    }
    words.join(" ")
}

/// Formats an instant with its zone.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let local = local.strftime("%a %Y-%m-%d %H:%M");
    format!("{local} {}", zone_name(zone))
}

/// Returns a zone's name; one without a name is the system's.
pub fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("local time")
}

/// Returns a server's name, printable and shortened.
pub fn name(text: &str) -> String {
    printable(text, LONGEST_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_by_its_two_largest_units() {
        let cases = [
            (0, "0s"),
            (15, "15s"),
            (75, "1m 15s"),
            (3_600, "1h"),
            (86_415, "1d"),
            (90_000, "1d 1h"),
            (604_800 + 82_800, "7d 23h"),
        ];
        for (seconds, told) in cases {
            assert_eq!(duration(SignedDuration::from_secs(seconds)), told);
        }
    }
}
