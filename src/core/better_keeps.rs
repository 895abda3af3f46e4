//! Searches other numbers to keep that reach back further with as many snapshots. `forecast` shows
//! the best one.
//!
//! A candidate moves one snapshot from a rotation to another, or gives two to a new rotation that
//! runs more rarely: with only one, the new rotation would have no snapshot older than its own
//! interval just after each deletion. Each candidate is simulated, as the policy itself is.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::name_pattern::Pattern;
use super::plan::PlannedAction;
use super::policy::{Policy, Rotation, Rules};
use super::rotation_and_snapshot_name::RotationName;
use super::schedule::Schedule;
use super::steady_state_forecast::{Forecast, forecast};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);

/// Days that show every interval of schedules that repeat within a week.
const FOUR_WEEKS: u32 = 28;
/// Days that show every month.
const WHOLE_YEAR: u32 = 366;
/// Most days of a forecast.
const MOST_DAYS: u32 = 3660;

/// Most events of a policy for which candidates are simulated: each takes as long as the forecast.
const MOST_EVENTS: usize = 5_000;

/// Snapshots that a new rotation gets.
const NEW_KEEP: usize = 2;

/// The candidate that reaches back furthest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BetterKeeps {
    /// All rotations, in the order of the file; a new one is last.
    pub rotations: Vec<SuggestedKeep>,
    /// The greatest age of the newest completed snapshot.
    #[serde(rename = "lost_at_most_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "i64"))]
    pub lost_at_most: SignedDuration,
    /// The smallest age of the oldest completed snapshot.
    #[serde(rename = "reaches_back_at_least_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "i64"))]
    pub reaches_back: SignedDuration,
}

/// One rotation of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SuggestedKeep {
    /// Its name.
    pub name: RotationName,
    /// Number of completed slots that it would keep.
    pub keep: usize,
    /// The cron expression of a new rotation; `None` for one that the policy has.
    pub new_schedule: Option<String>,
}

/// Returns the number of days that a forecast must have to show every interval of the schedules.
pub fn whole_period(policy: &Policy) -> u32 {
    let rotations = policy.rotations.iter();
    let longest = rotations.filter_map(|rotation| rotation.schedule.longest_interval());
    match longest.max() {
        Some(longest) if longest > YEAR => {
            let days = longest.as_hours() / 24 * 2;
            u32::try_from(days).map_or(MOST_DAYS, |days| days.min(MOST_DAYS))
        }
        Some(longest) if longest > WEEK => WHOLE_YEAR,
        _ => FOUR_WEEKS,
    }
}

/// Returns other keeps with at most as many snapshots that reach back further and lose no more.
/// `None` if no candidate does, or if simulating them would take too long.
pub fn better_keeps(policy: &Policy, rules: &Rules, now: &Forecast) -> Option<BetterKeeps> {
    if now.events.len() > MOST_EVENTS {
        return None;
    }
    let from = now.from;
    // The policy's own worst ages in a span of so many days. `now` has one of these spans.
    let days = u32::try_from(now.days.len()).ok();
    let known = days.map(|days| (days, worst(now)));
    let mut known: BTreeMap<_, _> = known.into_iter().collect();
    let candidates = candidates(policy, from)
        .into_iter()
        .filter_map(|candidate| {
            let days = whole_period(&candidate);
            let before = known.entry(days);
            let before = before.or_insert_with(|| worst(&forecast(policy, rules, from, days)));
            let before = (*before)?;
            let (lost, back) = worst(&forecast(&candidate, rules, from, days))?;
            // A slot may be minutes late, since another rotation has the same time.
            let slack = before.0 / 20;
            let better = lost <= before.0 + slack && back > before.1 + before.1 / 10;
            better.then(|| BetterKeeps {
                rotations: suggested(policy, &candidate),
                lost_at_most: lost,
                reaches_back: back,
            })
        });
    // The first of several equal ones: it changes the least.
    candidates.reduce(|best, next| {
        if next.reaches_back > best.reaches_back {
            next
        } else {
            best
        }
    })
}

/// Returns the worst ages of the newest and of the oldest snapshot. `None` if at some moment there
/// is none, or if a slot finds no room.
fn worst(forecast: &Forecast) -> Option<(SignedDuration, SignedDuration)> {
    let mut events = forecast.events.iter();
    if events.any(|event| event.do_ == PlannedAction::Blocked) {
        return None;
    }
    let recovery = &forecast.recovery;
    recovery.newest.worst.age.zip(recovery.oldest.worst.age)
}

fn candidates(policy: &Policy, from: Timestamp) -> Vec<Policy> {
    let mut found = Vec::new();
    for (giver, gives) in policy.rotations.iter().enumerate() {
        let with = |change: &dyn Fn(&mut Vec<Rotation>)| {
            let mut candidate = policy.clone();
            change(&mut candidate.rotations);
            candidate
        };
        if gives.keep > 1 {
            let others = (0..policy.rotations.len()).filter(|taker| *taker != giver);
            found.extend(others.map(|taker| {
                with(&|rotations| {
                    rotations[giver].keep -= 1;
                    rotations[taker].keep += 1;
                })
            }));
        }
        if gives.keep > NEW_KEEP
            && let Some(rarer) = rarer(gives, from)
            && policy.rotation(&rarer.name).is_none()
        {
            found.push(with(&|rotations| {
                rotations[giver].keep -= NEW_KEEP;
                rotations.push(rarer.clone());
            }));
        }
    }
    found
}

/// Returns a rotation of the next longer unit, at the time of day of this one's newest slot.
fn rarer(rotation: &Rotation, from: Timestamp) -> Option<Rotation> {
    let interval = rotation.schedule.longest_interval()?;
    let slot = rotation.newest_due(from)?;
    let (hour, minute) = (slot.local.hour(), slot.local.minute());
    let (name, days) = match interval {
        interval if interval < DAY => ("daily", "* * *"),
        interval if interval < WEEK => ("weekly", "* * Sun"),
        interval if interval == WEEK => ("monthly", "1 * *"),
        _ => return None,
    };
    let schedule = format!("{minute} {hour} {days}");
    let schedule = Schedule::new(&schedule, rotation.schedule.zone().clone()).ok()?;
    Some(Rotation {
        name: name.into(),
        schedule: Arc::new(schedule),
        keep: NEW_KEEP,
        pattern: Pattern::new("{name}-snapshot-%Y-%m-%d", name).ok()?,
        former: Vec::new(),
        ..rotation.clone()
    })
}

fn suggested(policy: &Policy, candidate: &Policy) -> Vec<SuggestedKeep> {
    let rotations = candidate.rotations.iter().map(|rotation| SuggestedKeep {
        name: rotation.name.clone(),
        keep: rotation.keep,
        new_schedule: match policy.rotation(&rotation.name) {
            Some(_) => None,
            None => Some(rotation.schedule.text().to_owned()),
        },
    });
    rotations.collect()
}

fn seconds<S: Serializer>(age: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    age.as_secs().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_provider::{TestProvider, rotation, rules, time};

    const NOON: &str = "2026-11-25T12:00:00Z";

    fn better(rotations: Vec<Rotation>) -> Option<BetterKeeps> {
        let policy = TestProvider::new(rotations).policy;
        let now = forecast(&policy, &rules(), time(NOON), whole_period(&policy));
        better_keeps(&policy, &rules(), &now)
    }

    fn keeps(found: &BetterKeeps) -> Vec<(&str, usize, Option<&str>)> {
        let rotations = found.rotations.iter();
        let rotations = rotations.map(|one| (&*one.name, one.keep, one.new_schedule.as_deref()));
        rotations.collect()
    }

    #[test]
    fn five_dailies_reach_back_further_as_three_dailies_and_two_weeklies() {
        let found = better(vec![rotation("daily", "30 2 * * *", 5)]).expect("a suggestion");
        assert_eq!(
            keeps(&found),
            [("daily", 3, None), ("weekly", 2, Some("30 2 * * Sun"))]
        );
        assert_eq!(found.reaches_back.as_hours() / 24, 7);
        assert!(found.lost_at_most < DAY + DAY / 20, "{found:?}");
    }

    #[test]
    fn a_snapshot_moves_to_the_rotation_that_runs_more_rarely() {
        let found = better(vec![
            rotation("daily", "0 2 * * *", 2),
            rotation("weekly", "0 3 * * Sun", 2),
        ]);
        let found = found.expect("a suggestion");
        assert_eq!(keeps(&found), [("daily", 1, None), ("weekly", 3, None)]);
        assert!(found.reaches_back.as_hours() / 24 >= 13, "{found:?}");
    }

    #[test]
    fn as_many_snapshots_are_kept_as_before_and_nothing_is_suggested_if_nothing_is_better() {
        let one = better(vec![rotation("daily", "0 2 * * *", 1)]);
        assert_eq!(one, None);
        let two = better(vec![rotation("monthly", "0 2 1 * *", 4)]);
        assert_eq!(two, None, "no longer unit is tried");
        let worse = better(vec![
            rotation("daily", "0 2 * * *", 1),
            rotation("weekly", "0 3 * * Sun", 2),
        ]);
        assert_eq!(worse, None, "a second daily one would reach back less");
        let often = Rotation {
            pattern: Pattern::new("{name}-%Y-%m-%d-%H", "often").expect("a pattern"),
            ..rotation("often", "0 */6 * * *", 4)
        };
        let found = better(vec![often]).expect("a suggestion");
        assert_eq!(found.rotations.iter().map(|one| one.keep).sum::<usize>(), 4);
    }

    #[test]
    fn the_whole_period_has_every_interval_of_the_rarest_rotation() {
        let days = |expressions: &[&str]| {
            let rotations = expressions.iter().map(|text| rotation("r", text, 1));
            whole_period(&TestProvider::new(rotations.collect()).policy)
        };
        for (expressions, expected) in [
            (&["0 * * * *"][..], 28),
            (&["0 2 * * *", "0 3 * * Sun"], 28),
            (&["0 2 * * *", "0 3 1 * *"], 366),
            (&["0 3 1 1 *"], 366),
        ] {
            assert_eq!(days(expressions), expected, "{expressions:?}");
        }
    }
}
