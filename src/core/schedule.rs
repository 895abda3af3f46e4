//! Slots: the instants of a cron schedule in an IANA zone.
//!
//! The cron expression is walked in plain local time, where no hour is missing or doubled. Each
//! local time is then placed in the zone: one in the spring gap at the first instant after it, one
//! in the autumn fold at its first pass (docs/design.md, "Time"). A list such as `15,45 2 * * *`,
//! or a step, therefore also runs once per slot.

use std::sync::{Mutex, PoisonError};

use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::cron_parse;
pub use super::cron_parse::ScheduleError;

/// One scheduled instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The scheduled local time, before splay; the snapshot's name is derived from it.
    pub local: DateTime,
    /// The instant, before splay.
    pub at: Timestamp,
}

/// A cron schedule in a zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The expression as written.
    text: Box<str>,
    cron: Cron,
    zone: TimeZone,
    /// True if it has any slot. Finding that it has none walks through thousands of years, so this
    /// is done once and not at each decision.
    fires: bool,
    walked: SlotCache,
}

/// Pairs of neighbouring slots that were found before. Between two slots the result is the same,
/// and walking the expression is by far the most expensive part of a decision.
#[derive(Debug, Default)]
struct SlotCache(Mutex<[Option<(Slot, Slot)>; Self::KEPT]>);

impl SlotCache {
    /// A decision requests the slots around two or three instants.
    const KEPT: usize = 4;

    fn around(&self, now: Timestamp) -> Option<(Slot, Slot)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().flatten();
        let mut found = found.filter(|(slot, next)| slot.at <= now && now < next.at);
        found.next().copied()
    }

    fn keep(&self, slot: Slot, next: Slot) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.rotate_right(1);
        kept[0] = Some((slot, next));
    }
}

impl Clone for SlotCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The start of the search for any slot: the calendar repeats, so every schedule with a slot has
/// one after this.
const LONG_AGO: DateTime = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);

/// How far back a zone transition can matter: none shifts the local time by more than a day.
const SHIFT: SignedDuration = SignedDuration::from_hours(26);

impl Schedule {
    /// Parses a cron expression with five fields, or with six if seconds come first, or a word such
    /// as `@daily`.
    pub fn new(expression: &str, zone: TimeZone) -> Result<Self, ScheduleError> {
        let cron = cron_parse::read(expression)?;
        let mut schedule = Self {
            text: expression.into(),
            cron,
            zone,
            fires: true,
            walked: SlotCache::default(),
        };
        schedule.fires = schedule.local_after(LONG_AGO).is_some();
        Ok(schedule)
    }

    /// Returns the same expression in another zone.
    #[must_use]
    pub fn within(&self, zone: TimeZone) -> Self {
        Self {
            text: self.text.clone(),
            cron: self.cron.clone(),
            zone,
            fires: self.fires,
            walked: SlotCache::default(),
        }
    }

    /// Returns the expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the zone of its local times.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the newest slot at or before `now`; `None` for a schedule that never fired.
    pub fn previous(&self, now: Timestamp) -> Option<Slot> {
        if let Some((slot, _)) = self.walked.around(now) {
            return Some(slot);
        }
        let slot = self.walk_back(now)?;
        if let Some(next) = self.walk_on(now, Some(slot)) {
            self.walked.keep(slot, next);
        }
        Some(slot)
    }

    /// Returns the first slot after `now`; `None` for a schedule that never fires.
    pub fn next(&self, now: Timestamp) -> Option<Slot> {
        if let Some((_, next)) = self.walked.around(now) {
            return Some(next);
        }
        let slot = self.walk_back(now);
        let next = self.walk_on(now, slot)?;
        if let Some(slot) = slot {
            self.walked.keep(slot, next);
        }
        Some(next)
    }

    fn walk_back(&self, now: Timestamp) -> Option<Slot> {
        // In the fold's second pass, every local time up to the fold's end has passed. The larger
        // offset, from before the change, bounds what may have passed.
        let mut offset = self.zone.to_offset(now);
        // A change at this very instant has happened.
        let beyond = now.saturating_add(SignedDuration::from_nanos(1));
        if let Some(change) = self.zone.preceding(beyond.unwrap_or(now)).next()
            && now.duration_since(change.timestamp()) < SHIFT
        {
            let before = change.timestamp() - SignedDuration::from_nanos(1);
            offset = offset.max(self.zone.to_offset(before));
        }
        let mut local = offset.to_datetime(now);
        let mut inclusive = true;
        loop {
            local = self.local_before(local, inclusive)?;
            inclusive = false;
            let at = self.place(local)?;
            if at <= now {
                return Some(Slot { local, at });
            }
        }
    }

    fn walk_on(&self, now: Timestamp, previous: Option<Slot>) -> Option<Slot> {
        let mut local = match previous {
            Some(slot) => slot.local,
            None => self.zone.to_offset(now).to_datetime(now),
        };
        let mut found: Option<Slot> = None;
        loop {
            local = match self.local_after(local) {
                Some(next) => next,
                None => return found,
            };
            let at = self.place(local)?;
            match found {
                // Of several slots at one instant only the last exists.
                Some(slot) if at > slot.at => return Some(slot),
                _ if now < at => found = Some(Slot { local, at }),
                _ => {}
            }
        }
    }

    /// Returns the last local time of the expression before this one, or at it if `inclusive`.
    pub fn local_before(&self, local: DateTime, inclusive: bool) -> Option<DateTime> {
        let from = utc(local).filter(|_| self.fires)?;
        let found = self.cron.find_previous_occurrence(&from, inclusive).ok()?;
        Some(found.datetime())
    }

    /// Returns the first local time of the expression after this one, regardless of the zone.
    pub fn local_after(&self, local: DateTime) -> Option<DateTime> {
        let from = utc(local).filter(|_| self.fires)?;
        let found = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(found.datetime())
    }

    /// Returns the instant of a local time in its zone.
    pub fn instant(&self, local: DateTime) -> Timestamp {
        self.place(local).unwrap_or(Timestamp::MIN)
    }

    fn place(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                ambiguous.earlier().ok()
            }
            AmbiguousOffset::Gap { before, .. } => {
                // The change itself is the first instant after the gap. The local time, with the
                // offset from before the change, lies at or after it.
                let beyond = before.to_timestamp(local).ok()?;
                let inclusive = beyond + SignedDuration::from_nanos(1);
                Some(self.zone.preceding(inclusive).next()?.timestamp())
            }
        }
    }
}

fn utc(local: DateTime) -> Option<Zoned> {
    local.to_zoned(TimeZone::UTC).ok()
}

#[cfg(test)]
mod tests {
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
    fn an_unreadable_expression_says_which_field_is_wrong_and_what_to_write() {
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
}
