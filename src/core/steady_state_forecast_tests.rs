use std::sync::Arc;

use jiff::SignedDuration;

use super::*;
use crate::core::name_pattern::Pattern;
use crate::core::policy::{Rotation, WhenFull};
use crate::core::recovery_ages::AgeAt;
use crate::core::schedule::Schedule;
use crate::core::snapshot::SnapshotId;
use crate::core::test_provider::{TestProvider, rotation, rules, time};

/// A Wednesday.
const NOON: &str = "2026-11-25T12:00:00Z";

/// Time between two looks: the poll interval of the rules.
const LOOK: SignedDuration = SignedDuration::from_secs(15);

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn of(rotations: Vec<Rotation>, from: &str, days: u32) -> Forecast {
    let policy = TestProvider::new(rotations).policy;
    forecast(&policy, &rules(), time(from), days)
}

fn within(zone: &str, rotation: Rotation) -> Rotation {
    let zone = TimeZone::get(zone).expect("a zone");
    Rotation {
        schedule: Arc::new(rotation.schedule.within(zone)),
        ..rotation
    }
}

fn names(day: &DayEnd) -> String {
    day.snapshots.join(" ")
}

fn happens(event: &ForecastEvent) -> String {
    let name = event.name.as_deref().unwrap_or("-");
    let time = event.time.strftime("%d %H:%M:%S");
    format!("{time} {} {name}: {}", event.do_.word(), event.reason)
}

fn age(moment: AgeAt) -> SignedDuration {
    moment.age.expect("an age")
}

#[test]
fn the_forecast_never_makes_up_a_protected_id() {
    let mut policy = TestProvider::new(vec![rotation("daily", "0 2 * * *", 4)]).policy;
    policy.protected_ids.extend((1..=20).map(SnapshotId::from));
    let got = forecast(&policy, &rules(), time(NOON), 28);
    let held = got.days.iter().map(|day| day.snapshots.len());
    assert_eq!(held.collect::<Vec<_>>(), [4; 28]);
}

#[test]
fn a_snapshot_started_at_midnight_belongs_to_the_new_day() {
    let got = of(vec![rotation("daily", "0 0 * * *", 2)], NOON, 2);
    let days: Vec<_> = got.days.iter().map(names).collect();
    let days = days.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        days,
        [
            "daily-2026-11-24 daily-2026-11-25",
            "daily-2026-11-25 daily-2026-11-26"
        ]
    );
}

#[test]
fn weekly_and_daily_start_full_and_end_each_day_within_keep() {
    let weekly = rotation("weekly", "0 3 * * Sun", 2);
    let got = of(vec![weekly, rotation("daily", "0 2 * * *", 2)], NOON, 7);
    assert_eq!(got.until, time("2026-12-02T00:00:00Z"));
    let days: Vec<_> = got.days.iter().map(names).collect();
    assert_eq!(
        days[0],
        "weekly-2026-11-15 weekly-2026-11-22 daily-2026-11-24 daily-2026-11-25"
    );
    assert_eq!(
        days[4],
        "weekly-2026-11-22 daily-2026-11-28 daily-2026-11-29 weekly-2026-11-29"
    );
    assert_eq!(days.len(), 7);
    let sunday = got.events.iter().map(happens);
    let sunday: Vec<_> = sunday.filter(|line| line.starts_with("29")).collect();
    assert_eq!(
        sunday,
        [
            "29 02:00:00 create daily-2026-11-29: a slot of daily is due, and there is room",
            "29 02:00:15 delete daily-2026-11-27: beyond keep = 2 of daily",
            "29 03:00:00 create weekly-2026-11-29: a slot of weekly is due, and there is room",
            "29 03:00:15 delete weekly-2026-11-15: beyond keep = 2 of weekly",
        ]
    );
}

#[test]
fn the_worst_moments_are_just_before_a_create_is_completed_and_just_after_a_delete() {
    let weekly = rotation("weekly", "0 3 * * Sun", 2);
    let got = of(vec![weekly, rotation("daily", "0 2 * * *", 2)], NOON, 14);
    let all = got.recovery;
    assert_eq!(age(all.newest.best), LOOK);
    assert_eq!(age(all.newest.worst), DAY + LOOK);
    assert_eq!(all.newest.worst.at, time("2026-11-26T02:00:15Z"));
    assert_eq!(age(all.oldest.best), 14 * DAY + LOOK);
    assert_eq!(age(all.oldest.worst), 7 * DAY + LOOK);
    assert_eq!(all.oldest.worst.at, time("2026-11-29T03:00:15Z"));
    let [weekly, daily] = &got.rotations[..] else {
        panic!("two rotations: {:?}", got.rotations);
    };
    assert_eq!(age(weekly.recovery.newest.worst), 7 * DAY + LOOK);
    assert_eq!(age(daily.recovery.oldest.worst), DAY + LOOK);
    assert_eq!(age(daily.recovery.oldest.best), 2 * DAY + LOOK);
}

#[test]
fn if_keep_adds_up_to_the_limit_the_oldest_snapshot_is_deleted_before_the_next_is_created() {
    let weekly = rotation("weekly", "0 3 * * Sun", 3);
    let got = of(vec![weekly, rotation("daily", "0 2 * * *", 2)], NOON, 2);
    let events: Vec<_> = got.events.iter().map(happens).collect();
    assert_eq!(
        events,
        [
            "26 02:00:00 delete daily-2026-11-24: the server is full, and a slot of daily is due",
            "26 02:00:00 create daily-2026-11-26: a slot of daily is due, and there is room",
        ]
    );
    // Until the create is completed, only yesterday's snapshot exists.
    let daily = got.rotations[1].recovery;
    assert_eq!(age(daily.oldest.worst), DAY);
    assert_eq!(daily.oldest.worst.at, time("2026-11-26T02:00:00Z"));
}

#[test]
fn the_forecast_shows_that_a_rotation_that_skips_on_a_full_server_is_blocked() {
    let mut daily = rotation("daily", "0 2 * * *", 2);
    daily.when_full = WhenFull::Skip;
    let got = of(vec![rotation("weekly", "0 3 * * Sun", 3), daily], NOON, 4);
    let blocked: Vec<_> = got.events.iter().map(happens).collect();
    let reason = "the server is full, and daily doesn't prune first";
    let line = |day: u32| format!("{day} 02:00:00 blocked -: {reason}");
    assert_eq!(blocked[..3], [line(26), line(27), line(28)]);
    let daily = got.rotations[1].recovery;
    assert!(age(daily.newest.worst) > 4 * DAY, "{daily:?}");
    assert_eq!(daily.newest.worst.at, got.until, "the age only grows");
}

#[test]
fn in_the_week_of_a_clock_change_each_night_has_exactly_one_snapshot() {
    let daily = || within("Europe/Paris", rotation("daily", "30 2 * * *", 2));
    let spring = of(vec![daily()], "2026-03-27T12:00:00Z", 4);
    let made: Vec<_> = spring
        .snapshots
        .iter()
        .map(|life| life.created_at)
        .collect();
    let expected = [
        "2026-03-26T01:30:00Z",
        "2026-03-27T01:30:00Z",
        "2026-03-28T01:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-30T00:30:00Z",
    ];
    assert_eq!(made, expected.map(time));
    assert_eq!(spring.snapshots[3].name, "daily-2026-03-29");
    assert_eq!(spring.until, time("2026-03-30T22:00:00Z"), "local days");
    let autumn = of(vec![daily()], "2026-10-23T12:00:00Z", 5);
    let worst = age(autumn.recovery.newest.worst);
    assert_eq!(worst, SignedDuration::from_hours(25) + LOOK);
    assert_eq!(autumn.days[2].snapshots[1], "daily-2026-10-25");
}

#[test]
fn a_monthly_rotation_on_the_29th_skips_february_except_in_a_leap_year() {
    let monthly = || vec![rotation("monthly", "0 3 29 * *", 1)];
    let common = of(monthly(), "2027-02-01T00:00:00Z", 60);
    let worst = age(common.recovery.newest.worst);
    assert_eq!(worst, 59 * DAY + LOOK);
    let leap = of(monthly(), "2028-02-01T00:00:00Z", 60);
    assert_eq!(age(leap.recovery.newest.worst), 31 * DAY + LOOK);
    assert_eq!(names(&leap.days[28]), "monthly-2028-02-29");
}

#[test]
fn a_yearly_rotation_starts_full_even_beside_an_hourly_rotation() {
    let mut hourly = rotation("hourly", "0 * * * *", 2);
    hourly.pattern = Pattern::new("h-%Y-%m-%d-%H%M", "hourly").expect("a pattern");
    let got = of(vec![rotation("yearly", "0 3 1 1 *", 2), hourly], NOON, 1);
    let at_start: Vec<_> = got.snapshots.iter().take(4).map(|s| &s.name[..]).collect();
    let hours = ["h-2026-11-25-1100", "h-2026-11-25-1200"];
    assert_eq!(at_start[..2], ["yearly-2025-01-01", "yearly-2026-01-01"]);
    assert_eq!(got.days[0].snapshots.len(), 4);
    // The slot at this exact instant runs, and the snapshot of the hour before still exists.
    assert!(got.snapshots.iter().any(|s| s.name == hours[0]));
    assert!(got.snapshots.iter().any(|s| s.name == hours[1]));
}

#[test]
fn splay_delays_the_create_but_does_not_change_the_name() {
    let mut daily = rotation("daily", "0 2 * * *", 2);
    daily.splay = SignedDuration::from_mins(20);
    let got = of(vec![daily], NOON, 2);
    let last = got.snapshots.last().expect("a snapshot");
    assert_eq!(last.name, "daily-2026-11-26");
    assert_eq!(last.created_at, time("2026-11-26T02:20:00Z"));
}

#[test]
fn a_schedule_that_never_fires_gives_days_without_snapshots() {
    let never = Arc::new(Schedule::new("0 0 30 2 *", TimeZone::UTC).expect("a schedule"));
    let mut rotation = rotation("never", "@daily", 2);
    rotation.schedule = never;
    let got = of(vec![rotation], NOON, 3);
    assert_eq!(got.days.len(), 3);
    assert_eq!((got.snapshots.len(), got.events.len()), (0, 0));
    assert_eq!(got.recovery.newest.worst.age, None);
}

#[test]
fn json_has_units_in_its_keys_and_times_as_rfc_3339() {
    let got = of(vec![rotation("daily", "0 2 * * *", 1)], NOON, 2);
    let json = serde_json::to_value(&got).expect("JSON");
    assert_eq!(json["from"], NOON);
    assert_eq!(json["zone"], "UTC");
    assert_eq!(json["days"][1]["date"], "2026-11-26");
    let worst = &json["recovery"]["newest"]["worst"];
    assert_eq!(worst["age_seconds"], 86_415);
    assert_eq!(worst["at"], "2026-11-26T02:00:15Z");
    assert_eq!(json["events"][0]["do"], "create");
}
