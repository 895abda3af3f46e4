//! The pause that the provider asks for.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Longest pause that is honoured: a wrong header must not stop the rotation for a year.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// Longest pause after an answer that is not a refusal: a field that is always 0 must not stop the
/// rotation either.
const LONGEST_SPENT: SignedDuration = SignedDuration::from_mins(1);

/// A larger reset value is an instant in seconds since 1970, not a pause.
const EPOCH: SignedDuration = SignedDuration::from_secs(1_000_000_000);

/// Returns true if this status refuses a request only for now: 429 or 503.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
}

/// Returns the pause that an answer asks for: in the `Retry-After` of a 429 or 503, or in the
/// rate-limit fields of any answer if they say that no requests are left. `None` if the answer asks
/// for no pause or the fields can't be read.
pub(super) fn asked(
    status: StatusCode,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<SignedDuration> {
    // Measured by the provider's clock if the answer has a date: the local clock may be wrong.
    let now = date(headers, &DATE).unwrap_or(now);
    let refused = is_refusal(status);
    let rest = refused.then(|| retry_after(headers, now)).flatten();
    let rest = rest.or_else(|| spent(headers, now))?;
    let longest = if refused { LONGEST } else { LONGEST_SPENT };
    Some(rest.clamp(SignedDuration::ZERO, longest))
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Some(rest) = seconds(text) {
        return Some(rest);
    }
    Some(date(headers, &RETRY_AFTER)?.duration_since(now))
}

/// Reads a number of seconds. A number that overflows yields the longest pause.
fn seconds(text: &str) -> Option<SignedDuration> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().map_or(LONGEST, SignedDuration::from_secs))
}

/// Returns the time until requests are granted again, if the answer says that none are left. Reads
/// `RateLimit-Remaining` and `RateLimit-Reset`, the same fields with the prefix `X-`, or both
/// values in one `RateLimit` field (the IETF drafts).
fn spent(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let field = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    for prefix in ["ratelimit", "x-ratelimit"] {
        let left = field(&format!("{prefix}-remaining"));
        if let (Some("0"), Some(reset)) = (left, field(&format!("{prefix}-reset"))) {
            return reset_in(reset, now);
        }
    }
    let all = field("ratelimit")?;
    let parts = all
        .split([',', ';'])
        .filter_map(|part| part.trim().split_once('='));
    let of = |keys: [&str; 2]| {
        let mut parts = parts.clone();
        parts
            .find(|(key, _)| keys.contains(key))
            .map(|(_, value)| value)
    };
    (of(["remaining", "r"])? == "0").then(|| reset_in(of(["reset", "t"])?, now))?
}

/// Reads seconds from now, or an instant in seconds since 1970.
fn reset_in(text: &str, now: Timestamp) -> Option<SignedDuration> {
    let rest = seconds(text)?;
    let at = Timestamp::from_second(rest.as_secs()).ok()?;
    Some(if rest > EPOCH {
        at.duration_since(now)
    } else {
        rest
    })
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
    fn a_retry_date_is_measured_from_the_answers_own_date_if_readable() {
        let date = Some("Sun, 01 Mar 2026 13:00:00 GMT");
        assert_eq!(rest(429, "Sun, 01 Mar 2026 13:00:30 GMT", date), Some(30));
        assert_eq!(
            rest(429, "Sun, 01 Mar 2026 12:02:00 GMT", Some("rubbish")),
            Some(120)
        );
    }

    #[test]
    fn no_pause_is_longer_than_an_hour_or_negative() {
        assert_eq!(rest(429, "86400", None), Some(3_600));
        assert_eq!(rest(429, "99999999999999999999999", None), Some(3_600));
        assert_eq!(
            rest(429, "Mon, 01 Mar 2027 12:00:00 GMT", None),
            Some(3_600)
        );
        assert_eq!(rest(429, "Sun, 01 Mar 2026 11:00:00 GMT", None), Some(0));
    }

    #[test]
    fn an_answer_with_no_requests_left_asks_for_a_pause_until_the_reset() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let epoch = (now.as_second() + 30).to_string();
        for (fields, rest) in [
            (
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "30")][..],
                Some(30),
            ),
            (
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", &epoch),
                ],
                Some(30),
            ),
            (
                &[("ratelimit", "limit=100, remaining=0, reset=30")],
                Some(30),
            ),
            (&[("ratelimit", r#""default";r=0;t=30"#)], Some(30)),
            (&[("ratelimit", r#""default";r=9;t=30"#)], None),
            (
                &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "30")],
                None,
            ),
            (&[("x-ratelimit-remaining", "0")], None),
            (&[("ratelimit", "remaining=0")], None),
            (
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "999999")],
                Some(60),
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(*name, value.parse().unwrap());
            }
            let asked = asked(StatusCode::OK, &headers, now);
            assert_eq!(asked.map(|rest| rest.as_secs()), rest, "{fields:?}");
        }
    }

    #[test]
    fn other_answers_and_unreadable_headers_ask_for_no_pause() {
        assert_eq!(rest(500, "120", None), None);
        for text in ["", "soon", "-5", "1.5", "Sun, 99 Mar 2026 12:02:00 GMT"] {
            assert_eq!(rest(429, text, None), None, "{text:?}");
        }
    }
}
