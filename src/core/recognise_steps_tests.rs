//! Tests of how evenly dates must be spaced, and of the day of the month that a monthly schedule
//! gets.

use jiff::SignedDuration;

use super::recognise;
use super::tests::{found, rows, said};

#[test]
fn a_gap_of_two_units_counts_as_one_missed_date_but_a_longer_gap_rejects_the_schedule() {
    let week = ["a-2026-11-01", "a-2026-11-08", "a-2026-11-22"];
    assert_eq!(
        said(&found(&week)),
        ["weekly a-%Y-%m-%d [0 3 * * Sun] keep 3"]
    );
    let days = ["a-2026-11-20", "a-2026-11-21", "a-2026-11-24"];
    assert_eq!(said(&found(&days)), [""; 0]);
}

#[test]
fn hourly_steps_must_divide_the_day_and_be_even_to_within_a_quarter_of_an_hour() {
    let every = |wanted: &str| vec![format!("hourly h-%Y-%m-%d-%H%M [{wanted}] keep 3")];
    for (times, wanted) in [
        (["0400", "0615", "0800"], every("0 */2 * * *")),
        (["0400", "0616", "0800"], vec![]),
        // Five hours do not divide a day. Steps of two and three hours are not even.
        (["0000", "0500", "1000"], vec![]),
        (["0400", "0600", "0900"], vec![]),
    ] {
        let names = times.map(|time| format!("h-2026-11-22-{time}"));
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(said(&found(&names)), wanted, "{times:?}");
    }
}

#[test]
fn a_word_in_the_name_outweighs_a_shared_weekday_but_not_differing_weekdays() {
    assert_eq!(
        said(&found(&["daily-2026-11-15", "daily-2026-11-22"])),
        ["daily daily-%Y-%m-%d [0 3 * * *] keep 2"]
    );
    let moved = ["weekly-2026-11-15", "weekly-2026-11-23"];
    assert_eq!(said(&found(&moved)), [""; 0]);
}

#[test]
fn a_monthly_schedule_uses_the_day_of_creation_if_all_share_it_and_every_month_has_it() {
    let day = |first: &str, second: &str| {
        let made = [format!("{first}T02:00:00Z"), format!("{second}T02:00:00Z")];
        let made = made.each_ref().map(String::as_str);
        let names = ["full-2026-09", "full-2026-10"];
        let found = recognise(&rows(&names, &made));
        found.into_iter().next().expect("a rotation").schedule
    };
    for (first, second, wanted) in [
        ("2026-09-15", "2026-10-15", "0 2 15 * *"),
        ("2026-09-28", "2026-10-28", "0 2 28 * *"),
        ("2026-09-29", "2026-10-29", "0 2 1 * *"),
        ("2026-09-15", "2026-10-16", "0 2 1 * *"),
    ] {
        assert_eq!(day(first, second), wanted, "{first}, {second}");
    }
    // A snapshot created in the month after the one in its name determines neither the day nor the
    // time.
    assert_eq!(day("2026-10-15", "2026-11-15"), "0 3 1 * *");
}

#[test]
fn monthly_dates_continue_across_the_turn_of_the_year() {
    let names = ["full-2025-11", "full-2025-12", "full-2026-01"];
    let one = "monthly full-%Y-%m [0 3 1 * *] keep 3";
    assert_eq!(said(&found(&names)), [one]);
}

#[test]
fn the_interval_is_roughly_the_time_between_consecutive_snapshots() {
    for (names, days) in [
        (["a-2026-11-21", "a-2026-11-22"], 1),
        (["a-2026-11-15", "a-2026-11-22"], 7),
        (["a-2026-10-11", "a-2026-11-11"], 31),
        (["a-2025-11-22", "a-2026-11-22"], 366),
    ] {
        let interval = found(&names)[0].interval;
        assert_eq!(interval, SignedDuration::from_hours(days * 24), "{names:?}");
    }
    let hours = ["a-2026-11-22-06", "a-2026-11-22-12"];
    assert_eq!(found(&hours)[0].interval, SignedDuration::from_hours(6));
}
