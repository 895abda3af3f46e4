//! How long the provider asks to be left alone.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The longest rest that is believed: a wrong header must not stop the rotation for a year.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// The rest that a 429 or 503 asks for; `None` where it asks for none, or not readably.
pub(super) fn asked(
    status: StatusCode,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<SignedDuration> {
    if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let rest = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are too many seconds, too.
        text.parse().map_or(LONGEST, SignedDuration::from_secs)
    } else {
        // By the provider's own clock where it tells it; ours may be off.
        let now = date(headers, &DATE).unwrap_or(now);
        date(headers, &RETRY_AFTER)?.duration_since(now)
    };
    Some(rest.clamp(SignedDuration::ZERO, LONGEST))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(status: u16, retry_after: &str, date: Option<&str>) -> Option<i64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        asked(StatusCode::from_u16(status).unwrap(), &headers, now).map(|rest| rest.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(rest(429, "120", None), Some(120));
        assert_eq!(rest(503, " 0 ", None), Some(0));
        assert_eq!(rest(503, "Sun, 01 Mar 2026 12:02:00 GMT", None), Some(120));
    }

    #[test]
    fn a_date_is_measured_by_the_providers_clock_where_it_tells_it() {
        let date = Some("Sun, 01 Mar 2026 13:00:00 GMT");
        assert_eq!(rest(429, "Sun, 01 Mar 2026 13:00:30 GMT", date), Some(30));
        assert_eq!(
            rest(429, "Sun, 01 Mar 2026 12:02:00 GMT", Some("rubbish")),
            Some(120)
        );
    }

    #[test]
    fn no_rest_is_longer_than_an_hour_or_shorter_than_none() {
        assert_eq!(rest(429, "86400", None), Some(3_600));
        assert_eq!(rest(429, "99999999999999999999999", None), Some(3_600));
        assert_eq!(
            rest(429, "Mon, 01 Mar 2027 12:00:00 GMT", None),
            Some(3_600)
        );
        assert_eq!(rest(429, "Sun, 01 Mar 2026 11:00:00 GMT", None), Some(0));
    }

    #[test]
    fn other_answers_and_unreadable_headers_ask_for_nothing() {
        assert_eq!(rest(500, "120", None), None);
        for text in ["", "soon", "-5", "1.5", "Sun, 99 Mar 2026 12:02:00 GMT"] {
            assert_eq!(rest(429, text, None), None, "{text:?}");
        }
    }
}
