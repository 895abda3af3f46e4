//! Parses the times of `--since` and `--until`.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};

use crate::core::sanitize::printable;

/// Examples of the accepted forms, for error messages.
const ACCEPTED: &str = "write 2026-11-25T03:00:00Z, \"2026-11-25 03:00\", 2026-11-25, 03:00, today, yesterday, or how long ago: 2d, 12h, 90m";
const TYPED_SHOWN: usize = 60;
/// The length of `2026-11-25`.
const A_DAY: usize = 10;
/// The index of the first colon in `03:00`.
const HOURS: usize = 2;

/// Parses the times of `--since` and `--until`, and checks their order.
pub(in crate::cli) fn range(
    since: Option<&str>,
    until: Option<&str>,
    now: &Zoned,
) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
    let since = since.map(|text| parse(text, RangeEnd::Since, now));
    let until = until.map(|text| parse(text, RangeEnd::Until, now));
    let (since, until) = (since.transpose()?, until.transpose()?);
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(format!(
            "--since {since} is later than --until {until}: swap them"
        ));
    }
    Ok((since, until))
}

/// Which end of the range a time sets. A day sets `--since` to its first instant and `--until` to
/// its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum RangeEnd {
    Since,
    Until,
}

/// Parses a time. A time without a zone is in the zone of `now`.
fn parse(text: &str, end: RangeEnd, now: &Zoned) -> Result<Timestamp, String> {
    let typed = text.trim();
    let found = match typed {
        "now" => Some(now.timestamp()),
        "today" => day(now.date(), end, now.time_zone()),
        "yesterday" => now
            .date()
            .yesterday()
            .ok()
            .and_then(|date| day(date, end, now.time_zone())),
        typed => written(typed, end, now).or_else(|| ago(typed, now)),
    };
    found.ok_or_else(|| {
        let word = match end {
            RangeEnd::Since => "since",
            RangeEnd::Until => "until",
        };
        let typed = printable(typed, TYPED_SHOWN);
        format!("--{word} {typed} is not a time: {ACCEPTED}")
    })
}

/// Parses an instant, a local time, a day, or a time of today. A day gives one of its ends.
pub(in crate::cli) fn written(typed: &str, end: RangeEnd, now: &Zoned) -> Option<Timestamp> {
    if typed.len() == A_DAY
        && let Ok(date) = typed.parse::<Date>()
    {
        return day(date, end, now.time_zone());
    }
    if let Ok(instant) = typed.parse::<Timestamp>() {
        return Some(instant);
    }
    let local: DateTime = if typed.find(':') == Some(HOURS) {
        now.date().to_datetime(typed.parse::<Time>().ok()?)
    } else {
        typed.parse().ok()?
    };
    let zoned = local.to_zoned(now.time_zone().clone()).ok()?;
    Some(zoned.timestamp())
}

/// Returns the first or last instant of a day; days may have 23 or 25 hours.
fn day(date: Date, end: RangeEnd, zone: &TimeZone) -> Option<Timestamp> {
    let begins = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp());
    match end {
        RangeEnd::Since => begins(date),
        RangeEnd::Until => begins(date.tomorrow().ok()?)?
            .checked_sub(SignedDuration::from_nanos(1))
            .ok(),
    }
}

/// Subtracts a duration from `now`. Days are calendar days: `2d` is the same time of day two days
/// ago.
fn ago(typed: &str, now: &Zoned) -> Option<Timestamp> {
    if typed.contains(':') {
        // A colon means a time of day. jiff would also parse `1d 03:00:00` as a duration.
        return None;
    }
    let span: Span = typed
        .strip_suffix("ago")
        .unwrap_or(typed)
        .trim()
        .parse()
        .ok()?;
    if span.is_negative() {
        return None;
    }
    Some(now.checked_sub(span).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wednesday 12:30, one hour ahead of UTC.
    fn now() -> Zoned {
        "2026-11-25T12:30:00[Europe/Malta]".parse().expect("a time")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn since(text: &str) -> Timestamp {
        parse(text, RangeEnd::Since, &now()).expect("accepted")
    }

    fn until(text: &str) -> Timestamp {
        parse(text, RangeEnd::Until, &now()).expect("accepted")
    }

    #[test]
    fn a_time_with_an_offset_is_parsed_as_that_instant() {
        for text in [
            "2026-11-25T03:00:00Z",
            "2026-11-25T04:00:00+01:00",
            "2026-11-25 03:00:00Z",
        ] {
            assert_eq!(since(text), at("2026-11-25T03:00:00Z"), "{text}");
            assert_eq!(until(text), at("2026-11-25T03:00:00Z"), "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_local() {
        for text in [
            "2026-11-25 03:00",
            "2026-11-25T03:00:00",
            " 2026-11-25 03:00 ",
        ] {
            assert_eq!(since(text), at("2026-11-25T02:00:00Z"), "{text}");
        }
        // In summer the zone is two hours ahead.
        assert_eq!(since("2026-07-01 03:00"), at("2026-07-01T01:00:00Z"));
    }

    #[test]
    fn a_time_of_day_means_today_even_if_it_is_still_in_the_future() {
        for text in ["11:30", "11:30:00", " 11:30 "] {
            assert_eq!(since(text), at("2026-11-25T10:30:00Z"), "{text}");
        }
        assert_eq!(since("23:41:30"), at("2026-11-25T22:41:30Z"));
        assert_eq!(until("00:00"), at("2026-11-24T23:00:00Z"));
    }

    #[test]
    fn a_day_sets_since_to_its_first_instant_and_until_to_its_last() {
        assert_eq!(since("2026-11-24"), at("2026-11-23T23:00:00Z"));
        assert_eq!(until("2026-11-24"), at("2026-11-24T22:59:59.999999999Z"));
        assert_eq!(since("yesterday"), since("2026-11-24"));
        assert_eq!(until("yesterday"), until("2026-11-24"));
        assert_eq!(since("today"), at("2026-11-24T23:00:00Z"));
        assert_eq!(until("now"), at("2026-11-25T11:30:00Z"));
        // The day of the autumn clock change has 25 hours.
        let long = until("2026-10-25").duration_since(since("2026-10-25"));
        assert_eq!(long.as_hours(), 24);
    }

    #[test]
    fn a_duration_counts_back_from_now_and_its_days_are_calendar_days() {
        assert_eq!(since("12h"), at("2026-11-24T23:30:00Z"));
        assert_eq!(since("90m"), at("2026-11-25T10:00:00Z"));
        assert_eq!(since("2d"), at("2026-11-23T11:30:00Z"));
        assert_eq!(since("1w"), at("2026-11-18T11:30:00Z"));
        assert_eq!(since("2 days ago"), since("2d"));
        assert_eq!(since("1d12h"), at("2026-11-23T23:30:00Z"));
        // Across the autumn clock change the local time of day stays the same.
        assert_eq!(since("40d"), at("2026-10-16T10:30:00Z"));
    }

    #[test]
    fn the_error_for_an_invalid_time_lists_the_accepted_forms() {
        for text in [
            "",
            "soon",
            "2d later",
            "-2d",
            "2026-13-01",
            "2026-11-25 25:00",
            "25.11.2026",
            "25:00",
            "03:00 yesterday",
            "03:00Z",
            "1d 03:00:00",
            "99999999d",
            "\u{1b}[2J",
        ] {
            let said = parse(text, RangeEnd::Since, &now()).expect_err(text);
            assert!(
                said.contains("--since") && said.contains("2d, 12h"),
                "{said}"
            );
            assert!(!said.contains('\u{1b}'), "{said}");
        }
        let said = parse("soon", RangeEnd::Until, &now()).expect_err("not a time");
        assert!(said.contains("--until soon"), "{said}");
    }
}
