//! Formats and parses names, and compares schedules with a minute-by-minute search.
//!
//! Input: a byte for the zone, four for the time, then lines: a pattern, another one, a rotation's
//! name, a snapshot's name, a cron expression.
#![no_main]

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use libfuzzer_sys::fuzz_target;
use snaprotate::core::name_pattern::Pattern;
use snaprotate::core::schedule::Schedule;
use snaprotate_fuzz::assert_line;

/// Zones with gaps and folds of all kinds: by night and day, of half an hour, of a whole day.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
];

fuzz_target!(|data: &[u8]| {
    let Some(([zone, time @ ..], text)) = data.split_first_chunk::<5>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    // 1970 to 2106.
    let now = Timestamp::from_second(i64::from(u32::from_be_bytes(*time))).expect("a time");
    let zone = TimeZone::get(ZONES[usize::from(*zone) % ZONES.len()]).expect("a zone");
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (one, other, rotation, name, expression) = (line(), line(), line(), line(), line());
    let local = zone.to_datetime(now);
    patterns([one, other], rotation, name, local);
    match Schedule::new(expression, zone.clone()) {
        Ok(schedule) => {
            placed(&schedule, &zone, now);
            counted(&schedule, expression, local);
        }
        Err(error) => {
            assert_line(&error.message, expression.len() * 10 + 300);
            assert_line(&error.remedy, 300);
        }
    }
});

fn patterns(texts: [&str; 2], rotation: &str, name: &str, local: DateTime) {
    let read = texts.map(|text| Pattern::new(text, rotation));
    for (pattern, text) in read.iter().zip(texts) {
        let pattern = match pattern {
            Ok(pattern) => pattern,
            Err(error) => {
                assert_line(
                    &error.to_string(),
                    (text.len() + 1) * (rotation.len() + 1) * 10 + 300,
                );
                continue;
            }
        };
        assert_eq!(
            Pattern::new(&pattern.to_string(), "other").as_ref(),
            Ok(pattern)
        );
        let made = pattern.format(local);
        let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(made.chars().all(fit), "{made}");
        let back = pattern
            .parse(&made)
            .expect("what was formatted can be read");
        assert_eq!(back, cut(local, &pattern.to_string()), "{pattern}");
        assert_eq!(pattern.format(back), made);
        if let Some(at) = pattern.parse(name) {
            assert_eq!(pattern.format(at), name);
        }
    }
    if let [Ok(one), Ok(other)] = &read {
        assert_eq!(one.may_clash(other), other.may_clash(one));
        let names = [one.format(local), other.format(local), name.to_owned()];
        let shared = |name: &String| one.parse(name).is_some() && other.parse(name).is_some();
        assert!(
            one.may_clash(other) || !names.iter().any(shared),
            "{one} {other}"
        );
    }
}

/// Returns the time without the fields that the pattern lacks.
fn cut(local: DateTime, pattern: &str) -> DateTime {
    let has = |field: &str| pattern.contains(field);
    let or = |field: &str, value: i8, least: i8| if has(field) { value } else { least };
    DateTime::new(
        local.year(),
        or("%m", local.month(), 1),
        or("%d", local.day(), 1),
        or("%H", local.hour(), 0),
        or("%M", local.minute(), 0),
        or("%S", local.second(), 0),
        0,
    )
    .expect("a time")
}

/// Checks the slots around `now` in the zone. Each is computed anew, and by a schedule that caches
/// earlier ones.
fn placed(schedule: &Schedule, zone: &TimeZone, now: Timestamp) {
    let previous = |at| {
        let slot = schedule.within(zone.clone()).previous(at);
        assert_eq!(schedule.previous(at), slot, "{at} remembered");
        slot
    };
    let next = |at| {
        let slot = schedule.within(zone.clone()).next(at);
        assert_eq!(schedule.next(at), slot, "{at} remembered");
        slot
    };
    let around = (previous(now), next(now));
    for slot in [around.0, around.1].into_iter().flatten() {
        // A missing local time is replaced by the first instant after the gap.
        let shown = zone.to_datetime(slot.at);
        let gap = zone.to_ambiguous_timestamp(slot.local).offset();
        assert!(shown == slot.local || matches!(gap, jiff::tz::AmbiguousOffset::Gap { .. }));
        assert_eq!(previous(slot.at), Some(slot));
    }
    if let Some(slot) = around.0 {
        assert!(slot.at <= now);
        assert_eq!(next(slot.at), around.1);
    }
    if let Some(slot) = around.1 {
        assert!(slot.at > now);
        assert_eq!(previous(slot.at - SignedDuration::from_nanos(1)), around.0);
    }
}

/// Compares the next local times with a search of every minute or second for a while.
fn counted(schedule: &Schedule, expression: &str, local: DateTime) {
    let (after, before) = (
        schedule.local_after(local),
        schedule.local_before(local, false),
    );
    assert!(after.is_none_or(|after| after > local));
    assert!(before.is_none_or(|before| before < local));
    let Some(plain) = Plain::read(expression) else {
        return;
    };
    assert!(
        after.is_none_or(|after| plain.names(after)),
        "{expression:?} {after:?}"
    );
    assert!(
        before.is_none_or(|before| plain.names(before)),
        "{expression:?} {before:?}"
    );
    let (step, start) = if plain.seconds {
        (1.second(), local)
    } else {
        (1.minute(), local.with().second(0).build().expect("a time"))
    };
    let mut at = start;
    for _ in 0..1_500 {
        at += step;
        if after.is_some_and(|after| at >= after) {
            return assert_eq!(after, Some(at), "{expression:?}");
        }
        assert!(!plain.names(at), "{expression:?} passes {at} over");
    }
}

/// A simple expression: lists of numbers, ranges and steps, and at most one of the two fields of
/// the day.
struct Plain {
    seconds: bool,
    fields: [Vec<i8>; 6],
}

impl Plain {
    fn read(expression: &str) -> Option<Self> {
        let mut texts: Vec<&str> = expression.split_ascii_whitespace().collect();
        let seconds = texts.len() == 6;
        if !seconds {
            texts.insert(0, "0");
        }
        let [_, _, _, day, _, weekday] = texts[..] else {
            return None;
        };
        if day != "*" && weekday != "*" {
            return None;
        }
        let tops = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
        let fields: Option<Vec<Vec<i8>>> = texts
            .iter()
            .zip(tops)
            .map(|(t, top)| field(t, top))
            .collect();
        Some(Self {
            seconds,
            fields: fields?.try_into().ok()?,
        })
    }

    fn names(&self, at: DateTime) -> bool {
        let [seconds, minutes, hours, days, months, weekdays] = &self.fields;
        let weekday = at.weekday().to_sunday_zero_offset();
        seconds.contains(&at.second())
            && minutes.contains(&at.minute())
            && hours.contains(&at.hour())
            && days.contains(&at.day())
            && months.contains(&at.month())
            && (weekdays.contains(&weekday) || weekday == 0 && weekdays.contains(&7))
    }
}

fn field(text: &str, (low, top): (i8, i8)) -> Option<Vec<i8>> {
    let number = |text: &str| {
        let digits = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let mut all = Vec::new();
    for piece in text.split(',') {
        let (range, step) = match piece.split_once('/') {
            Some((range, step)) => (range, number(step)?),
            None => (piece, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" => (low, top),
            None if range.len() == piece.len() => (number(range)?, number(range)?),
            None => return None,
        };
        all.extend((from..=to).step_by(usize::try_from(step).ok().filter(|step| *step > 0)?));
    }
    Some(all)
}
