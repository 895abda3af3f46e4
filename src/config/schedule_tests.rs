//! Schedules: the errors for invalid ones, the warnings about close slots, and the cost of many.

use std::time::Instant;

use jiff::tz::TimeZone;

use super::fixture::{ConfigFolder, POLICY};
use crate::core::schedule::Schedule;

#[test]
fn the_error_for_an_invalid_schedule_names_field_value_range_and_an_example() {
    // The schedule; what is wrong in it; the remedy.
    let cases = [
        ("60 3 * * *", "the minute \"60\"", "0 to 59"),
        ("-1 3 * * *", "the minute \"-1\"", "0 to 59"),
        ("*/0 3 * * *", "the minute \"*/0\"", "0 to 59"),
        ("0,61 3 * * *", "the minute \"61\"", "0 to 59"),
        ("0 24 * * *", "the hour \"24\"", "0 to 23"),
        ("0 5-2 * * *", "the hour \"5-2\"", "0 to 23"),
        ("0 3h * * *", "the hour \"3h\"", "0 to 23"),
        ("0 3 0 * *", "the day of month \"0\"", "1 to 31"),
        ("0 3 32 * *", "the day of month \"32\"", "1 to 31"),
        ("0 3 1 13 *", "the month \"13\"", "1 to 12"),
        ("0 3 1 Jam *", "the month \"Jam\"", "Jan to Dec"),
        ("0 3 * * 8", "the day of week \"8\"", "0 to 7"),
        ("0 3 * * Son", "the day of week \"Son\"", "Sun to Sat"),
        (
            "0 3 * * Mon,Dienstag",
            "the day of week \"Dienstag\"",
            "Sun to Sat",
        ),
        ("99 0 3 * * Sun", "the second \"99\"", "0 to 59"),
        (
            "0 3 * *",
            "it has 4 fields, not five",
            "day of month, month",
        ),
        ("daily", "it has 1 field, not five", "@daily"),
        (
            "0 0 3 * * Sun 2026",
            "it has 7 fields, not five",
            "with seconds first",
        ),
        ("@fortnightly", "unknown word", "@midnight"),
    ];
    for (schedule, message, remedy) in cases {
        let policy = POLICY.replace("0 3 * * Sun", schedule);
        let said = ConfigFolder::new()
            .with("policies.d/web.toml", policy)
            .said();
        assert_eq!(said.len(), 1, "{said:?}");
        let start = format!("policies.d/web.toml:6:12: error: schedule {schedule:?}: {message}");
        assert!(
            said[0].starts_with(&start),
            "expected {start}, got {}",
            said[0]
        );
        let (_, told) = said[0].split_once("; ").expect("a remedy");
        assert!(told.contains(remedy), "expected {remedy}, got {told}");
        let example = told.split('"').nth(1);
        let example = example.or_else(|| told.rsplit_once("or ").map(|(_, word)| word));
        let example = Schedule::new(example.expect("an example"), TimeZone::UTC);
        assert!(example.is_ok(), "the example can be used: {told}");
        assert!(
            !said[0].contains("Pattern") && !said[0].contains("omponent"),
            "{}",
            said[0]
        );
    }
}

#[test]
fn every_schedule_word_fires_at_the_times_that_cron_defines() {
    let words = [
        ("@hourly", "2026-11-24T13:00:00Z"),
        ("@daily", "2026-11-25T00:00:00Z"),
        ("@midnight", "2026-11-25T00:00:00Z"),
        (" @Midnight", "2026-11-25T00:00:00Z"),
        ("@weekly", "2026-11-29T00:00:00Z"),
        ("@monthly", "2026-12-01T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("@annually", "2027-01-01T00:00:00Z"),
    ];
    for (word, wanted) in words {
        let policy =
            POLICY.replace("0 3 * * Sun", word) + "snapshot_name = \"{name}-%Y-%m-%d-%H\"\n";
        let config = ConfigFolder::new()
            .with("policies.d/web.toml", policy)
            .good();
        assert!(config.warnings.is_empty(), "{word}: {:?}", config.warnings);
        let now = "2026-11-24T12:30:00Z".parse().expect("time");
        let slot = config.policies[0].rotations[0].schedule.next(now);
        assert_eq!(slot.expect("a slot").at.to_string(), wanted, "{word}");
    }
}

/// Returns a folder of policies for different servers; the nth policy has the nth expression.
fn many(expression: impl Fn(usize) -> String) -> ConfigFolder {
    let name = "snapshot_name = \"{name}-%Y%m%d-%H%M\"\n";
    (0..2_000).fold(
        ConfigFolder::new().without("policies.d/web.toml"),
        |folder, n| {
            let policy = POLICY
                .replace("id = 7", &format!("id = {}", n + 1))
                .replace("0 3 * * Sun", &expression(n));
            folder.with(&format!("policies.d/{n}.toml"), policy + name)
        },
    )
}

/// Returns the CPU seconds of this thread; other processes don't affect them.
fn on_a_core() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    let nanos = text.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanos.expect("a number") / 1e9
}

#[test]
fn thousands_of_different_schedules_load_at_most_a_few_times_slower_than_a_shared_one() {
    let time = |folder: &ConfigFolder| {
        let runs = (0..2).map(|_| {
            let start = on_a_core();
            assert_eq!(folder.good().policies.len(), 2_000);
            on_a_core() - start
        });
        runs.fold(f64::MAX, f64::min)
    };
    let shared = time(&many(|_| "0,30 3 * * Sun".to_owned()));
    let plain = |n| format!("{} {} {} * *", n % 60, n / 60 % 24, n / 1440 + 1);
    let lists = |n| {
        let (minute, hour, day) = (n % 30, n / 30 % 24, n / 720 + 1);
        format!("{minute},{} {hour} {day} * *", minute + 30)
    };
    let daily = |n| {
        let (minute, apart, hour) = (n % 20, 20 + n / 20 % 20, n / 400);
        format!(
            "{minute},{} {},{} * * *",
            minute + apart,
            hour % 5,
            5 + hour / 5
        )
    };
    let different = [time(&many(plain)), time(&many(lists)), time(&many(daily))];
    // Measured: 2 to 4 times as long. A walk over every slot of a year takes a thousand times as
    // long.
    for took in different {
        assert!(took < 8.0 * shared, "{took:.2} s against {shared:.2} s");
    }
}

#[test]
fn slots_less_than_ten_minutes_apart_get_a_warning_with_their_distance() {
    // The schedule, and the distance between its closest slots if it is below ten minutes.
    let cases = [
        ("0,55 0,23 * * *", Some("5m")),
        ("0,55 0,23 * * Mon", None),
        ("0,55 0,23 * * Mon,Wed", None),
        ("0,55 0,23 * * Mon,Thu,Fri", Some("5m")),
        ("0,55 0,23 1,31 * *", Some("5m")),
        ("0,52,57 3 * * *", Some("5m")),
        ("0,10 3 * * *", None),
        ("*/9 3 1 1 *", Some("9m")),
        ("55 23 31 12 *", None),
        ("50 59 23,0 * * *", None),
        ("10,50 59 23 * * *", Some("40s")),
    ];
    for (schedule, apart) in cases {
        let policy =
            POLICY.replace("0 3 * * Sun", schedule) + "snapshot_name = \"{name}-%Y%m%d-%H%M%S\"\n";
        let said = ConfigFolder::new()
            .with("policies.d/web.toml", policy)
            .said();
        let wanted = apart.map(|apart| format!("only {apart} apart"));
        match wanted {
            Some(wanted) => assert!(
                said.len() == 1 && said[0].contains(&wanted),
                "{schedule}: {said:?}"
            ),
            None => assert_eq!(said, Vec::<String>::new(), "{schedule}"),
        }
    }
}

#[test]
fn a_schedule_that_never_fires_is_searched_only_once() {
    let zone = TimeZone::get("Europe/Paris").expect("zone");
    let began = Instant::now();
    let schedule = Schedule::new("45 */2 1,7 3,10 +", TimeZone::UTC).expect("schedule");
    let once = began.elapsed();
    let now = "2026-11-24T00:00:00Z".parse().expect("time");
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(schedule.within(zone.clone()).next(now), None);
    }
    assert!(
        began.elapsed() < once,
        "a hundred lookups took longer than the first search"
    );
}
