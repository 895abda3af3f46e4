//! Tests of the periods of reports, with a clock that the test sets.

use std::collections::BTreeSet;

use super::*;
use jiff::{SignedDuration, ToSpan as _};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn schedule(interval: ReportInterval, expression: &str, zone: &str) -> ReportSchedule {
    let zone = TimeZone::get(zone).expect("a zone");
    ReportSchedule::new(interval, expression, zone).expect("a schedule")
}

fn weekly() -> ReportSchedule {
    schedule(ReportInterval::Weekly, "0 7 * * Mon", "Europe/Malta")
}

/// A service that looks at its receiver, and its trail.
struct Receiver {
    schedule: ReportSchedule,
    trail: ReportHistory,
    made: Vec<ReportPeriod>,
}

impl Receiver {
    fn new(schedule: ReportSchedule) -> Self {
        Self {
            schedule,
            trail: ReportHistory::default(),
            made: Vec::new(),
        }
    }

    fn look(&mut self, now: Timestamp) {
        match self.schedule.next(&self.trail, now) {
            NextReport::Plan => self.trail.note(now),
            NextReport::Due(period) => {
                self.trail.note(period.until);
                self.made.push(period);
            }
            NextReport::Rest => {}
        }
    }

    /// Ends the process and starts another: only what the trail holds is left.
    fn restart(&mut self) {
        let line = serde_json::to_string(&self.trail).expect("JSON");
        self.trail = serde_json::from_str(&line).expect("the same");
    }

    fn ends(&self) -> Vec<String> {
        self.made.iter().map(|p| p.until.to_string()).collect()
    }
}

#[test]
fn a_year_with_restarts_sleeps_and_summer_time_gives_52_weekly_reports_and_none_twice() {
    let mut receiver = Receiver::new(weekly());
    // From Friday, 2027-01-01 on; the year has 52 Mondays.
    let (mut now, end) = (at("2026-12-31T23:00:00Z"), at("2027-12-31T23:00:00Z"));
    let mut looks = 0_i64;
    while now < end {
        receiver.look(now);
        looks += 1;
        // The service looks once a minute, restarts, and sleeps through up to two nights.
        now += match looks % 97 {
            13 => SignedDuration::from_hours(19),
            71 => SignedDuration::from_hours(37),
            _ => SignedDuration::from_mins(11 + looks % 7),
        };
        if looks % 29 == 0 {
            receiver.restart();
        }
    }
    assert_eq!(receiver.made.len(), 52);
    let ends: BTreeSet<_> = receiver.made.iter().map(|period| period.until).collect();
    assert_eq!(ends.len(), 52, "a period was reported twice");
    assert!(receiver.made.iter().all(|period| period.missed == 0));
    let local = |at: Timestamp| at.to_zoned(receiver.schedule.zone().clone());
    for period in &receiver.made {
        let (from, until) = (local(period.from), local(period.until));
        assert_eq!(until.strftime("%a %H:%M").to_string(), "Mon 07:00");
        assert_eq!(from.checked_add(7.days()).expect("a week"), until);
    }
    // No gap and no overlap, also over the two changes of the clock.
    for pair in receiver.made.windows(2) {
        assert_eq!(pair[0].until, pair[1].from);
    }
}

#[test]
fn the_first_report_is_due_at_the_first_instant_after_the_receiver_was_added() {
    let mut receiver = Receiver::new(weekly());
    receiver.look(at("2026-11-25T12:00:00Z"));
    receiver.look(at("2026-11-30T05:59:59Z"));
    assert_eq!(receiver.ends(), [""; 0]);
    receiver.look(at("2026-11-30T06:00:00Z"));
    assert_eq!(receiver.ends(), ["2026-11-30T06:00:00Z"]);
}

#[test]
fn after_a_month_of_downtime_only_the_newest_period_is_reported_and_it_counts_the_missed_ones() {
    let mut receiver = Receiver::new(weekly());
    receiver.look(at("2026-11-01T12:00:00Z"));
    receiver.look(at("2026-11-02T06:00:00Z"));
    receiver.restart();
    receiver.look(at("2026-11-26T12:00:00Z"));
    receiver.look(at("2026-11-26T12:01:00Z"));
    let [_, late] = receiver.made.as_slice() else {
        panic!("{:?}", receiver.made);
    };
    assert_eq!(late.from, at("2026-11-16T06:00:00Z"));
    assert_eq!(late.until, at("2026-11-23T06:00:00Z"));
    assert_eq!(late.missed, 2);
    assert_eq!(late.reported, Some(at("2026-11-02T06:00:00Z")));
}

#[test]
fn a_clock_that_is_set_back_reports_no_period_twice() {
    let mut receiver = Receiver::new(weekly());
    receiver.look(at("2026-11-25T12:00:00Z"));
    receiver.look(at("2026-11-30T06:00:00Z"));
    for now in [
        "2026-11-30T05:00:00Z",
        "2026-11-30T06:00:00Z",
        "2026-11-26T06:00:00Z",
        "2026-11-30T06:00:01Z",
    ] {
        receiver.restart();
        receiver.look(at(now));
    }
    assert_eq!(receiver.ends(), ["2026-11-30T06:00:00Z"]);
}

#[test]
fn a_clock_that_was_a_year_ahead_silences_no_report_after_its_correction() {
    let mut receiver = Receiver::new(weekly());
    receiver.look(at("2026-11-25T12:00:00Z"));
    receiver.look(at("2027-11-25T12:00:00Z"));
    receiver.restart();
    receiver.look(at("2026-11-25T12:05:00Z"));
    receiver.look(at("2026-11-30T06:00:00Z"));
    receiver.look(at("2026-12-07T06:00:00Z"));
    assert_eq!(
        receiver.ends(),
        [
            "2027-11-22T06:00:00Z",
            "2026-11-30T06:00:00Z",
            "2026-12-07T06:00:00Z",
        ]
    );
    // The true report of a period that was reported too early is not sent again.
    receiver.look(at("2027-11-22T06:00:00Z"));
    assert_eq!(receiver.made.len(), 3);
}

#[test]
fn a_receiver_that_was_only_seen_by_a_clock_ahead_is_planned_again() {
    let mut receiver = Receiver::new(weekly());
    receiver.look(at("2030-01-01T00:00:00Z"));
    receiver.look(at("2026-11-25T12:00:00Z"));
    receiver.look(at("2026-11-30T06:00:00Z"));
    assert_eq!(receiver.ends(), ["2026-11-30T06:00:00Z"]);
}

#[test]
fn days_and_months_end_at_their_local_time() {
    let mut daily = Receiver::new(schedule(
        ReportInterval::Daily,
        "30 2 * * *",
        "Europe/Malta",
    ));
    daily.look(at("2026-03-27T12:00:00Z"));
    for day in ["28", "29", "30"] {
        daily.look(at(&format!("2026-03-{day}T12:00:00Z")));
    }
    // 02:30 does not exist on the day when summer time begins.
    assert_eq!(
        daily.ends(),
        [
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z"
        ]
    );
    let mut monthly = Receiver::new(schedule(ReportInterval::Monthly, "0 7 1 * *", "UTC"));
    monthly.look(at("2026-01-15T00:00:00Z"));
    monthly.look(at("2026-03-01T07:00:00Z"));
    let period = monthly.made[0];
    assert_eq!(period.from, at("2026-02-01T07:00:00Z"));
    assert_eq!(period.missed, 1);
}
