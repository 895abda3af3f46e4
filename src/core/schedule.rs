//! Slots: the instants of a cron schedule in an IANA zone.
//!
//! The cron expression is walked in plain local time, where no hour is missing or doubled. Each
//! local time is then placed in the zone: one in the spring gap at the first instant after the gap,
//! one in the autumn fold at its first pass (docs/design.md, "Time"). A list such as
//! `15,45 2 * * *` or a step therefore gives no slot twice.

use std::sync::{Mutex, OnceLock, PoisonError};

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
    /// True if the schedule has any slot. The search for a slot walks through thousands of years if
    /// there is none, so it is done once and not at each decision.
    fires: bool,
    walked: SlotCache,
    longest: OnceLock<Option<SignedDuration>>,
}

/// Pairs of neighbouring slots that were found before. At every instant between two slots the
/// answer is the same, and walking the expression is by far the most expensive part of a decision.
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
/// one after this date.
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
            longest: OnceLock::new(),
        };
        schedule.fires = schedule.local_after(LONG_AGO).is_some();
        Ok(schedule)
    }

    /// Returns a schedule with the same expression in another zone.
    #[must_use]
    pub fn within(&self, zone: TimeZone) -> Self {
        Self {
            text: self.text.clone(),
            cron: self.cron.clone(),
            zone,
            fires: self.fires,
            walked: SlotCache::default(),
            longest: self.longest.clone(),
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

    /// Returns the longest time between two neighbouring slots, by local time; `None` if there are
    /// fewer than two.
    pub fn longest_interval(&self) -> Option<SignedDuration> {
        *self
            .longest
            .get_or_init(|| self.walk_for_longest_interval())
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

    /// Returns the newest slot before `at`.
    pub fn before(&self, at: Timestamp) -> Option<Slot> {
        self.previous(at.checked_sub(SignedDuration::from_nanos(1)).ok()?)
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
        // A change at this very instant counts as past.
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
                // Of several slots at one instant, only the last counts.
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

    /// Returns the instant of a local time in the schedule's zone.
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
#[path = "schedule_tests.rs"]
mod tests;
