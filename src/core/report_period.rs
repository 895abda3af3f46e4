//! The periods that a receiver's reports cover, and which report is due.
//!
//! A period ends at an instant of the receiver's schedule and begins at the one before, so a day
//! with a change to summer time has 23 hours. The trail records the end of each period that was
//! reported. A report is due if the newest instant is later than that. An instant that was missed
//! is not made up for: the newest period is reported, and counts the missed ones.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::last_few::keep_last;
use super::schedule::{Schedule, ScheduleError};

/// Reported periods that are kept for each receiver. Those that a clock recorded while it was ahead
/// must not push out the last true one.
const KEPT: usize = 8;

/// Most missed reports that are counted.
const MOST_MISSED: u32 = 1_000;

/// How often a receiver gets a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReportInterval {
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
    /// Once a month.
    Monthly,
}

impl ReportInterval {
    /// All intervals.
    pub const ALL: [Self; 3] = [Self::Daily, Self::Weekly, Self::Monthly];

    /// Returns the word in the configuration, the trail and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

/// When a receiver's reports are due.
#[derive(Clone, Debug)]
pub struct ReportSchedule {
    /// How often.
    pub interval: ReportInterval,
    times: Schedule,
}

impl PartialEq for ReportSchedule {
    fn eq(&self, other: &Self) -> bool {
        self.interval == other.interval
            && self.times.text() == other.times.text()
            && self.zone() == other.zone()
    }
}

impl Eq for ReportSchedule {}

/// A period to report on: from its first instant, up to its last one, which is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportPeriod {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Earlier reports of the receiver that were due and not made.
    pub missed: u32,
    /// The end of the last period that was reported, if any were missed since.
    pub reported: Option<Timestamp>,
}

/// The reports of one receiver, as the trail records them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportHistory {
    /// The ends of the last few periods that need no report, in the order of their records. The
    /// first is when the receiver's reports were planned.
    ends: Vec<Timestamp>,
    /// The size of all copies in MB according to the last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_mb: Option<u64>,
}

impl ReportHistory {
    /// Adds the end of a period that needs no further report.
    pub fn note(&mut self, end: Timestamp) {
        keep_last(&mut self.ends, KEPT, end);
    }

    /// Returns the newest end. One that is still to come was recorded while the clock was ahead.
    fn newest(&self, now: Timestamp) -> Option<Timestamp> {
        let past = self.ends.iter().filter(|end| **end <= now);
        past.max().copied()
    }
}

/// The next step for a receiver's reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextReport {
    /// The trail has nothing about the receiver: record that its reports begin now.
    Plan,
    /// The period is over and was not reported.
    Due(ReportPeriod),
    /// Nothing is due.
    Rest,
}

impl ReportSchedule {
    /// Returns the schedule of a cron expression.
    pub fn new(
        interval: ReportInterval,
        expression: &str,
        zone: TimeZone,
    ) -> Result<Self, ScheduleError> {
        let times = Schedule::new(expression, zone)?;
        Ok(Self { interval, times })
    }

    /// Returns the zone of its times.
    pub fn zone(&self) -> &TimeZone {
        self.times.zone()
    }

    /// Returns what the receiver's reports need now.
    pub fn next(&self, history: &ReportHistory, now: Timestamp) -> NextReport {
        let Some(reported) = history.newest(now) else {
            return NextReport::Plan;
        };
        match self.newest_period(now) {
            Some(period) if period.until > reported => {
                let missed = self.between(reported, period.until);
                NextReport::Due(ReportPeriod {
                    missed,
                    reported: (missed > 0).then_some(reported),
                    ..period
                })
            }
            _ => NextReport::Rest,
        }
    }

    /// Returns the newest period that is over.
    fn newest_period(&self, now: Timestamp) -> Option<ReportPeriod> {
        let until = self.times.previous(now)?.at;
        let from = self.before(until)?;
        Some(ReportPeriod {
            from,
            until,
            missed: 0,
            reported: None,
        })
    }

    /// Returns the number of instants between these two.
    fn between(&self, from: Timestamp, until: Timestamp) -> u32 {
        let instants = std::iter::successors(self.before(until), |at| self.before(*at));
        let between = instants.take_while(|at| *at > from);
        (1..=MOST_MISSED).zip(between).last().map_or(0, |(n, _)| n)
    }

    fn before(&self, at: Timestamp) -> Option<Timestamp> {
        Some(self.times.before(at)?.at)
    }
}

#[cfg(test)]
#[path = "report_period_tests.rs"]
mod tests;
