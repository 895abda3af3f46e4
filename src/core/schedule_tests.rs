//! The slots of schedules, including those around clock changes.

use super::*;

fn slots(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let zone = TimeZone::get(zone).expect("zone");
    let schedule = Schedule::new(expression, zone).expect("schedule");
    let mut now: Timestamp = from.parse().expect("time");
    (0..count)
        .map(|_| {
            let slot = schedule.next(now).expect("slot");
            assert_eq!(
                schedule.previous(slot.at),
                Some(slot),
                "previous inverts next"
            );
            now = slot.at;
            format!("{} = {}", slot.local, slot.at)
        })
        .collect()
}

#[test]
fn a_slot_in_the_spring_gap_runs_once_at_the_first_instant_after_it() {
    let got = slots("30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", 2);
    assert_eq!(
        got,
        [
            "2026-03-29T02:30:00 = 2026-03-29T01:00:00Z",
            "2026-03-30T02:30:00 = 2026-03-30T00:30:00Z",
        ]
    );
}

#[test]
fn a_slot_at_the_start_of_the_spring_gap_also_runs_at_the_first_instant_after_it() {
    let got = slots("0 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", 2);
    assert_eq!(
        got,
        [
            "2026-03-29T02:00:00 = 2026-03-29T01:00:00Z",
            "2026-03-30T02:00:00 = 2026-03-30T00:00:00Z",
        ]
    );
}

#[test]
fn between_two_slots_the_expression_is_walked_only_once() {
    let slot = "2026-11-24T03:00:00Z".parse().expect("time");
    let later = |hours| slot + SignedDuration::from_hours(hours);
    let ways: [fn(&Schedule, Timestamp) -> Option<Slot>; 2] =
        [|s, now| s.next(now), |s, now| s.previous(now)];
    for walk in ways {
        let schedule = Schedule::new("0 3 * * *", TimeZone::UTC).expect("schedule");
        assert!(walk(&schedule, later(1)).is_some());
        for (hours, known) in [(-1, false), (0, true), (23, true), (24, false)] {
            let around = schedule.walked.around(later(hours));
            let around = around.map(|(slot, next)| (slot.at, next.at));
            assert_eq!(around, known.then_some((slot, later(24))), "{hours}");
        }
    }
}

#[test]
fn of_several_slots_in_the_gap_only_the_last_exists() {
    let got = slots("15,45 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", 2);
    assert_eq!(
        got,
        [
            "2026-03-29T02:45:00 = 2026-03-29T01:00:00Z",
            "2026-03-30T02:15:00 = 2026-03-30T00:15:00Z",
        ]
    );
}

#[test]
fn a_list_in_the_autumn_fold_runs_each_slot_once_at_its_first_pass() {
    let got = slots("15,45 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", 3);
    assert_eq!(
        got,
        [
            "2026-10-25T02:15:00 = 2026-10-25T00:15:00Z",
            "2026-10-25T02:45:00 = 2026-10-25T00:45:00Z",
            "2026-10-26T02:15:00 = 2026-10-26T01:15:00Z",
        ]
    );
}

#[test]
fn a_step_over_the_fold_gives_no_slot_twice() {
    let got = slots("0 */2 * * *", "Europe/Paris", "2026-10-24T23:00:00Z", 2);
    assert_eq!(
        got,
        [
            "2026-10-25T02:00:00 = 2026-10-25T00:00:00Z",
            "2026-10-25T04:00:00 = 2026-10-25T03:00:00Z",
        ]
    );
}

#[test]
fn in_the_second_pass_of_the_fold_the_newest_slot_is_the_last_of_the_first_pass() {
    let zone = TimeZone::get("Europe/Paris").expect("zone");
    let schedule = Schedule::new("*/15 2 * * *", zone).expect("schedule");
    let second_pass = "2026-10-25T01:20:00Z".parse().expect("time");
    let slot = schedule.previous(second_pass).expect("slot");
    assert_eq!(slot.local.to_string(), "2026-10-25T02:45:00");
}

#[test]
fn at_the_very_instant_of_the_fold_the_newest_slot_is_the_last_of_the_first_pass() {
    let zone = TimeZone::get("Europe/Paris").expect("zone");
    let schedule = Schedule::new("15,45 2 * * *", zone).expect("schedule");
    let fold = "2026-10-25T01:00:00Z".parse().expect("time");
    let slot = schedule.previous(fold).expect("slot");
    assert_eq!(slot.local.to_string(), "2026-10-25T02:45:00");
}

#[test]
fn six_fields_begin_with_seconds_and_nicknames_are_accepted() {
    let got = slots("30 0 3 * * Sun", "UTC", "2026-11-24T00:00:00Z", 1);
    assert_eq!(got, ["2026-11-29T03:00:30 = 2026-11-29T03:00:30Z"]);
    let got = slots("@daily", "UTC", "2026-11-24T00:00:00Z", 1);
    assert_eq!(got, ["2026-11-25T00:00:00 = 2026-11-25T00:00:00Z"]);
}

#[test]
fn a_schedule_on_a_leap_day_fires_every_fourth_year() {
    let got = slots("0 3 29 2 *", "UTC", "2026-11-24T00:00:00Z", 2);
    assert_eq!(
        got,
        [
            "2028-02-29T03:00:00 = 2028-02-29T03:00:00Z",
            "2032-02-29T03:00:00 = 2032-02-29T03:00:00Z",
        ]
    );
}

#[test]
fn a_schedule_that_never_fires_has_no_slot() {
    let schedule = Schedule::new("0 0 30 2 *", TimeZone::UTC).expect("schedule");
    let now = "2026-11-24T00:00:00Z".parse().expect("time");
    assert_eq!(schedule.next(now), None);
    assert_eq!(schedule.previous(now), None);
}

#[test]
fn the_error_for_an_unreadable_expression_names_the_wrong_field_and_says_what_to_write() {
    let cases = [
        ("5/15 * *", "it has 3 fields, not five", "\"0 3 * * Sun\""),
        ("daily", "it has 1 field, not five", "@daily"),
        ("@nightly", "unknown word", "@midnight"),
        ("61 3 * * Sun", "the minute \"61\"", "\"30 3 * * Sun\""),
        ("0 3 * * Som", "the day of week \"Som\"", "0 to 7"),
        ("0 3 1,32 * *", "the day of month \"32\"", "1 to 31"),
        ("99 0 3 * * Sun", "the second \"99\"", "0 to 59"),
        ("0 0 24 * * Sun", "the hour \"24\"", "0 to 23"),
        // Lists that lack a number.
        (", 2 * * * *", "the second \",\"", "0 to 59"),
        (", 3 * * Sun", "the minute \",\"", "a list (1,3)"),
        ("0 ,, * * Sun", "the hour \",,\"", "a list (1,3)"),
        (
            "0 3 1,,15 * *",
            "the day of month \"1,,15\"",
            "a list (1,3)",
        ),
        ("0 3 * 1, *", "the month \"1,\"", "a list (1,3)"),
    ];
    for (expression, message, remedy) in cases {
        let error = Schedule::new(expression, TimeZone::UTC).expect_err(expression);
        assert!(error.message.starts_with(message), "{error}");
        assert!(error.remedy.contains(remedy), "{error}");
    }
}
