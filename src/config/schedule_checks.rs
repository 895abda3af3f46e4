//! Checks of schedules: the distance between their slots, and slots that would share a name.
//!
//! All checks use plain local time: names are formatted from it, and expressions are written in it.
//! A zone only removes slots (if several fall on one instant in a gap, only the last exists), so
//! slots that don't share a name without a zone don't in any zone. Distances ignore that a clock
//! change may bring two slots closer together. Results are cached by expression: thousands of
//! policies share a few schedules.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::value_types::NamedZone;
use crate::core::name_pattern::Pattern;
use crate::core::schedule::{Schedule, ScheduleError};
use crate::core::slot_intervals::BEGINNING;

/// Bounds of the walk over slots, whichever comes first: more than a leap year, or this many slots.
const WALK_DAYS: SignedDuration = SignedDuration::from_hours(24 * 400);
const WALK_SLOTS: usize = 3_000;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

const DAILY_OR_RARER: [&str; 6] = [
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
];

/// All schedules of the set of files.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    placed: BTreeMap<String, BTreeMap<String, Arc<Schedule>>>,
    seen: BTreeMap<String, CachedSchedule>,
    twins: BTreeMap<(String, FinestField), Option<(DateTime, DateTime)>>,
}

#[derive(Debug)]
struct CachedSchedule {
    /// The expression without a zone.
    plain: Schedule,
    fires: bool,
    /// Lower bound for the distance between two slots, derived from the form of the expression.
    at_least: SignedDuration,
    /// Computed on first use; `SignedDuration::MAX` for a schedule with one slot.
    shortest: Option<SignedDuration>,
}

/// The finest field of a pattern. A pattern with a finer field has all coarser ones too, so this
/// field alone decides which slots share a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FinestField {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Year,
}

impl Schedules {
    /// Returns the schedule; it is parsed once for each expression and zone.
    pub(super) fn get(
        &mut self,
        expression: &str,
        zone: &NamedZone,
    ) -> Result<Arc<Schedule>, ScheduleError> {
        let by_zone = self.placed.entry(zone.name.clone()).or_default();
        if let Some(schedule) = by_zone.get(expression) {
            return Ok(Arc::clone(schedule));
        }
        let seen = match self.seen.entry(expression.to_owned()) {
            Entry::Occupied(seen) => seen.into_mut(),
            Entry::Vacant(place) => {
                let plain = Schedule::new(expression, TimeZone::UTC)?;
                place.insert(CachedSchedule {
                    fires: plain.local_after(BEGINNING).is_some(),
                    plain,
                    at_least: at_least(expression),
                    shortest: None,
                })
            }
        };
        let schedule = Arc::new(seen.plain.within(zone.zone.clone()));
        by_zone.insert(expression.to_owned(), Arc::clone(&schedule));
        Ok(schedule)
    }

    /// Returns true if an expression that [`Self::get`] accepted has any slot.
    pub(super) fn fires(&self, expression: &str) -> bool {
        self.seen.get(expression).is_some_and(|seen| seen.fires)
    }

    /// Returns the shortest time between two slots if it is below `limit`.
    pub(super) fn closer_than(
        &mut self,
        expression: &str,
        limit: SignedDuration,
    ) -> Option<SignedDuration> {
        let seen = self.seen.get_mut(expression)?;
        if seen.at_least >= limit || !seen.fires {
            return None;
        }
        let plain = &seen.plain;
        let shortest = *seen.shortest.get_or_insert_with(|| shortest(plain));
        (shortest < limit).then_some(shortest)
    }

    /// Returns two slots of the expression to which the pattern gives the same name.
    pub(super) fn twins(
        &mut self,
        expression: &str,
        pattern: &Pattern,
    ) -> Option<(DateTime, DateTime)> {
        let seen = self.seen.get(expression)?;
        let finest = FinestField::of(pattern);
        if !seen.fires || finest.tells_apart(seen.at_least) {
            return None;
        }
        *self
            .twins
            .entry((expression.to_owned(), finest))
            .or_insert_with(|| {
                // Names are truncated local times, so slots that share one are neighbours.
                pairs(walk(&seen.plain))
                    .find(|(one, next)| pattern.format(*one) == pattern.format(*next))
            })
    }
}

impl FinestField {
    fn of(pattern: &Pattern) -> Self {
        let text = pattern.to_string();
        let fields = [
            ("%S", Self::Second),
            ("%M", Self::Minute),
            ("%H", Self::Hour),
            ("%d", Self::Day),
            ("%m", Self::Month),
        ];
        let found = fields.iter().find(|(field, _)| text.contains(field));
        found.map_or(Self::Year, |(_, finest)| *finest)
    }

    /// Returns true if slots at least this far apart always differ in this field or a coarser one.
    fn tells_apart(self, at_least: SignedDuration) -> bool {
        match self {
            Self::Second => true,
            Self::Minute => at_least >= SignedDuration::from_mins(1),
            Self::Hour => at_least >= HOUR,
            Self::Day => at_least >= DAY,
            Self::Month | Self::Year => false,
        }
    }
}

/// Returns the local times that the expression names, from [`BEGINNING`] on.
fn walk(schedule: &Schedule) -> impl Iterator<Item = DateTime> {
    std::iter::successors(schedule.local_after(BEGINNING), |local| {
        schedule.local_after(*local)
    })
    .take(WALK_SLOTS)
    .take_while(|local| local.duration_since(BEGINNING) <= WALK_DAYS)
}

/// Returns each value with its successor.
fn pairs(mut row: impl Iterator<Item = DateTime>) -> impl Iterator<Item = (DateTime, DateTime)> {
    let mut before = row.next();
    row.filter_map(move |next| Some((before.replace(next)?, next)))
}

/// Returns the shortest time between two slots; `SignedDuration::MAX` if there is only one.
fn shortest(schedule: &Schedule) -> SignedDuration {
    let within = schedule.intervals_within_a_day().min();
    let mut shortest = within.unwrap_or(SignedDuration::MAX);
    for (interval, next) in schedule.intervals_over_midnight() {
        if next.duration_since(BEGINNING) > WALK_DAYS {
            break;
        }
        shortest = shortest.min(interval);
        // A step to the next calendar day would take this long; no step over midnight is shorter.
        let mut least = interval;
        while least > DAY {
            least -= DAY;
        }
        if least >= shortest {
            break;
        }
    }
    shortest
}

/// Returns a lower bound for the time between slots, derived from the form of the expression. For
/// most expressions it is large enough to make a walk over the slots unnecessary.
fn at_least(expression: &str) -> SignedDuration {
    let single = |field: &str| field.bytes().all(|b| b.is_ascii_digit());
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let (minute, hour) = match fields.as_slice() {
        [word] if word.eq_ignore_ascii_case("@hourly") => return HOUR,
        [word] if DAILY_OR_RARER.contains(&word.to_ascii_lowercase().as_str()) => return DAY,
        [second, minute, hour, _, _, _] if single(second) => (minute, hour),
        [minute, hour, _, _, _] => (minute, hour),
        _ => return SignedDuration::from_secs(1),
    };
    match (single(minute), single(hour)) {
        (true, true) => DAY,
        (true, false) => HOUR,
        (false, _) => SignedDuration::from_mins(1),
    }
}
