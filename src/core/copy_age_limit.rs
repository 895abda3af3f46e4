//! The age from which a server's newest completed snapshot is too old to count as a fresh copy.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::policy::{Policy, Rotation};
use super::slot_intervals::BEGINNING;

/// Minimum margin beyond an interval: a create takes minutes, and may be retried.
const SLACK: SignedDuration = SignedDuration::from_hours(1);

/// Bounds of the walk over the slots of several rotations.
const MOST_SLOTS: usize = 5_000;
const LONGEST_WALK: SignedDuration = SignedDuration::from_hours(24 * 400);

impl Policy {
    /// Returns `alert_after`, or else one and a half times the longest interval of the rotation
    /// whose longest interval is the shortest, and at least an hour more than that interval. `None`
    /// if no rotation has two slots.
    pub fn copy_age_limit(&self) -> Option<SignedDuration> {
        self.alert_after.or_else(|| {
            let rotations = self.rotations.iter();
            let intervals = rotations.filter_map(|r| r.schedule.longest_interval());
            let interval = intervals.min()?;
            Some(interval.saturating_add((interval / 2).max(SLACK)))
        })
    }
}

/// Returns the longest time between two consecutive slots of these rotations taken together. `None`
/// if they have fewer than two.
pub fn longest_time_without_slot(rotations: &[Rotation]) -> Option<SignedDuration> {
    if let [rotation] = rotations {
        return rotation.schedule.longest_interval();
    }
    let beginning = BEGINNING.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let next = |after| rotations.iter().filter_map(|r| r.next_due(after)).min();
    let slots = std::iter::successors(next(beginning), |at| next(*at));
    let mut slots = slots.take(MOST_SLOTS);
    let mut longest = None;
    let mut before = slots.next()?;
    for at in slots {
        longest = longest.max(Some(at.duration_since(before)));
        if at.duration_since(beginning) > LONGEST_WALK {
            break;
        }
        before = at;
    }
    longest
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::schedule::Schedule;
    use crate::core::test_provider::TestProvider;

    fn policy(expressions: &[&str]) -> Policy {
        let mut policy = TestProvider::weekly(1).policy;
        let rotation = policy.rotations.remove(0);
        policy.rotations = expressions
            .iter()
            .map(|expression| Rotation {
                schedule: Arc::new(Schedule::new(expression, TimeZone::UTC).expect("schedule")),
                ..rotation.clone()
            })
            .collect();
        policy
    }

    #[test]
    fn a_copy_is_too_old_after_one_and_a_half_intervals_of_the_most_frequent_rotation() {
        let hours = |hours| Some(SignedDuration::from_hours(hours));
        for (expressions, limit) in [
            (&["0 3 * * *"][..], hours(36)),
            (&["0 3 1 * *", "0 3 * * *"], hours(36)),
            (&["0 3 * * Mon-Fri"], hours(108)),
            (&["0 * * * *"], hours(2)),
            (&["0 0 30 2 *"], None),
        ] {
            assert_eq!(
                policy(expressions).copy_age_limit(),
                limit,
                "{expressions:?}"
            );
        }
        let mut promised = policy(&["0 3 * * *"]);
        promised.alert_after = hours(25);
        assert_eq!(promised.copy_age_limit(), hours(25));
    }

    #[test]
    fn the_slots_of_several_rotations_shorten_the_time_without_a_slot() {
        let longest = |expressions: &[&str]| {
            let policy = policy(expressions);
            longest_time_without_slot(&policy.rotations).map(|time| time.as_hours())
        };
        assert_eq!(longest(&["0 3 * * *"]), Some(24));
        assert_eq!(longest(&["0 3 * * *", "0 13 * * *"]), Some(14));
        assert_eq!(longest(&["0 3 * * Sun", "0 3 1 * *"]), Some(7 * 24));
    }
}
