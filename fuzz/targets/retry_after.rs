//! Computes how long an answer asks the program to wait.
//!
//! Input: a byte for the status, then the headers `Retry-After` and `Date`, a line each.
#![no_main]

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use snaprotate::api::fuzz_entry::retry_after;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let status = [429, 503, 200, 500, 301][usize::from(*first) % 5];
    let mut lines = rest.split(|byte| *byte == b'\n');
    let asked = lines.next().unwrap_or_default();
    let date = lines.next();
    let mut headers = vec![("retry-after", asked)];
    headers.extend(date.map(|date| ("date", date)));
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let rest = retry_after(status, &headers, now);
    if !matches!(status, 429 | 503) {
        return assert_eq!(rest, None);
    }
    assert!(rest.is_none_or(|rest| SignedDuration::ZERO <= rest && rest <= HOUR));
    let text = std::str::from_utf8(asked)
        .unwrap_or_default()
        .trim_matches([' ', '\t']);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(3_600).min(3_600);
        return assert_eq!(rest, Some(SignedDuration::from_secs(seconds)), "{text:?}");
    }
    // A date is measured by the provider's clock, so the local time doesn't matter.
    let readable = |text: &str| DateTimeParser::new().parse_timestamp(text).ok();
    let date = date
        .and_then(|date| std::str::from_utf8(date).ok())
        .filter(|date| date.is_ascii() && !date.contains(|c: char| c.is_ascii_control()));
    if date.is_some_and(|date| readable(date.trim()).is_some()) {
        assert_eq!(rest, retry_after(status, &headers, now + HOUR * 100));
    }
});
