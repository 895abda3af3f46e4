//! The terms that an operator gives with an order: when it ends, and a note.

use jiff::{SignedDuration, Span, Timestamp, Zoned};

use super::audit::time::{RangeEnd, written};
use crate::core::order_terms::NOTE_SHOWN;
use crate::core::sanitize::printable;
use crate::daemon::CommandError;

/// Maximum number of characters of a mistyped value that a message repeats.
const TYPED_SHOWN: usize = 60;

/// Returns the time at which an order ends that was given with `--until`. It must lie ahead.
pub(super) fn until(typed: &str) -> Result<Timestamp, CommandError> {
    let now = Zoned::now();
    parse_until(typed, &now).map_err(CommandError::Settings)
}

/// Returns the time at which an order ends that lasts for the given time.
pub(super) fn after(option: &str, typed: &str) -> Result<Timestamp, CommandError> {
    let now = Zoned::now();
    parse_after(option, typed, &now).map_err(CommandError::Settings)
}

/// Returns the note, if it is short enough to be recorded whole.
pub(super) fn note(note: Option<&String>) -> Result<Option<String>, CommandError> {
    let Some(note) = note else { return Ok(None) };
    let length = note.chars().count();
    if note.trim().is_empty() || length > NOTE_SHOWN {
        return Err(CommandError::Settings(format!(
            "a note has 1 to {NOTE_SHOWN} characters; this one has {length}"
        )));
    }
    Ok(Some(note.clone()))
}

fn parse_until(typed: &str, now: &Zoned) -> Result<Timestamp, String> {
    let shown = printable(typed, TYPED_SHOWN);
    let at = written(typed.trim(), RangeEnd::Since, now).ok_or_else(|| {
        format!(
            "--until {shown} is not a time: write 2026-12-03T08:00:00Z, \"2026-12-03 08:00\", 2026-12-03 (its first instant) or 08:00"
        )
    })?;
    if at > now.timestamp() {
        Ok(at)
    } else {
        Err(format!(
            "--until {shown} has passed already: give a later time"
        ))
    }
}

/// Adds a duration to `now`. Days are calendar days: `3d` is the same time of day three days later.
fn parse_after(option: &str, typed: &str, now: &Zoned) -> Result<Timestamp, String> {
    let shown = || printable(typed, TYPED_SHOWN);
    let text = typed.trim();
    // jiff would also parse `1d 03:00:00`.
    let span = text.parse::<Span>().ok().filter(|_| !text.contains(':'));
    let end = span.and_then(|span| now.checked_add(span).ok());
    let end = end.ok_or_else(|| {
        format!(
            "{option} {} is not a duration: write 90m, 12h, 3d or 1w",
            shown()
        )
    })?;
    let end = end.timestamp();
    if end.duration_since(now.timestamp()) > SignedDuration::ZERO {
        Ok(end)
    } else {
        Err(format!("{option} {} is not longer than zero", shown()))
    }
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

    #[test]
    fn an_end_is_an_instant_a_local_time_or_the_first_instant_of_a_day_and_lies_ahead() {
        for (typed, end) in [
            ("2026-12-03T08:00:00Z", "2026-12-03T08:00:00Z"),
            ("2026-12-03 08:00", "2026-12-03T07:00:00Z"),
            ("2026-12-03", "2026-12-02T23:00:00Z"),
            (" 13:00 ", "2026-11-25T12:00:00Z"),
        ] {
            assert_eq!(parse_until(typed, &now()), Ok(at(end)), "{typed}");
        }
        for typed in ["12:30", "12:00", "2026-11-25", "2020-01-01"] {
            let why = parse_until(typed, &now()).expect_err(typed);
            assert!(why.contains("has passed already"), "{why}");
        }
        for typed in ["", "3d", "tomorrow", "25:00", "\u{1b}[2J"] {
            let why = parse_until(typed, &now()).expect_err(typed);
            assert!(why.contains("is not a time: write"), "{why}");
            assert!(!why.contains('\u{1b}'), "{why}");
        }
    }

    #[test]
    fn a_duration_counts_from_now_and_its_days_are_calendar_days() {
        for (typed, end) in [
            ("90m", "2026-11-25T13:00:00Z"),
            ("3d", "2026-11-28T11:30:00Z"),
            ("1w", "2026-12-02T11:30:00Z"),
            // The zone changes to summer time meanwhile: the local time of day stays.
            ("150d", "2027-04-24T10:30:00Z"),
        ] {
            assert_eq!(parse_after("--for", typed, &now()), Ok(at(end)), "{typed}");
        }
        for typed in ["", "0s", "-3d", "soon", "3", "1d 03:00:00", "99999999d"] {
            let why = parse_after("--for", typed, &now()).expect_err(typed);
            assert!(why.starts_with("--for"), "{why}");
        }
    }
}
