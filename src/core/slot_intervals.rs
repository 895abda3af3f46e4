//! The times between neighbouring slots of a schedule.
//!
//! A cron expression has the same hours, minutes and seconds on each day that it names. The slots
//! of one whole day, and the steps from each day's last slot to the next slot, therefore show all
//! intervals. Local times are used, where no hour is missing or doubled.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, date};

use super::schedule::Schedule;

/// The start of every walk. The date is fixed so that the same files are accepted or refused
/// whenever they are read. It is the second before a leap year, so that the walk covers the whole
/// first day.
pub const BEGINNING: DateTime = date(2023, 12, 31).at(23, 59, 59, 0);

/// How long the steps to the next day are walked: a leap year has every month and every weekday.
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);

impl Schedule {
    /// Returns the intervals between the slots of the first day that has any.
    pub fn intervals_within_a_day(&self) -> impl Iterator<Item = SignedDuration> {
        let first = self.local_after(BEGINNING);
        let slots = std::iter::successors(first, |local| self.local_after(*local));
        let day = first.map(DateTime::date);
        let mut slots = slots.take_while(move |local| Some(local.date()) == day);
        let mut before = slots.next();
        slots.filter_map(move |next| Some(next.duration_since(before.replace(next)?)))
    }

    /// Returns the interval from the last slot of each day to the next slot, with that slot's time.
    pub fn intervals_over_midnight(&self) -> impl Iterator<Item = (SignedDuration, DateTime)> {
        let mut last = self
            .local_after(BEGINNING)
            .and_then(|first| self.last_of(first.date()));
        std::iter::from_fn(move || {
            let one = last?;
            let next = self.local_after(one)?;
            last = self.last_of(next.date());
            Some((next.duration_since(one), next))
        })
    }

    fn last_of(&self, day: Date) -> Option<DateTime> {
        self.local_before(day.at(23, 59, 59, 0), true)
    }

    pub(super) fn walk_for_longest_interval(&self) -> Option<SignedDuration> {
        let within = self.intervals_within_a_day().max();
        let mut over: Option<SignedDuration> = None;
        for (interval, next) in self.intervals_over_midnight() {
            over = over.max(Some(interval));
            if next.duration_since(BEGINNING) > YEAR {
                break;
            }
        }
        within.max(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn the_longest_interval_counts_nights_weekends_short_months_and_leap_years() {
        let hours = |hours| Some(SignedDuration::from_hours(hours));
        for (expression, longest) in [
            ("0 3 * * *", hours(24)),
            ("@hourly", hours(1)),
            ("0 9-17 * * *", hours(16)),
            (
                "*/5 9-17 * * Mon-Fri",
                Some(SignedDuration::from_mins(63 * 60 + 5)),
            ),
            ("0 3 * * Mon-Fri", hours(72)),
            ("0 3 * * Sun", hours(7 * 24)),
            ("0 4 1 * *", hours(31 * 24)),
            ("0 4 31 * *", hours(61 * 24)),
            ("@yearly", hours(366 * 24)),
            ("0 3 29 2 *", hours(1461 * 24)),
            ("0 0 30 2 *", None),
        ] {
            let schedule = Schedule::new(expression, TimeZone::UTC).expect("schedule");
            assert_eq!(schedule.longest_interval(), longest, "{expression}");
        }
    }
}
