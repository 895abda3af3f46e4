//! Ranges of slots that have ended and are too many to be noted one by one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Maximum number of ranges that are stored; each leap of the clock begins another one.
const KEPT: usize = 4;

/// Slots that ended one after the other, as ranges from the first to the last. If the clock is set
/// back, their times come again, but none of them runs twice. Slots that a leap passed over are in
/// no range: if the clock was wrong, they are still to come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EndedSlotRanges(Vec<(Timestamp, Timestamp)>);

impl EndedSlotRanges {
    /// Adds the slot of this instant, which has ended. After a `leap` it does not continue a range.
    /// Slots are added in the order of the trail, except that a slot whose note was retained for
    /// longer is added later. A slot may therefore continue a range other than the last.
    pub(super) fn add(&mut self, at: Timestamp, leap: bool) {
        if self.holds(at) {
            return;
        }
        let before = self.0.iter_mut().filter(|(_, last)| *last < at && !leap);
        if let Some((_, last)) = before.max_by_key(|(_, last)| *last) {
            *last = at;
            return;
        }
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.reserve_exact(1);
        self.0.push((at, at));
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        let mut stretches = self.0.iter();
        stretches.any(|(first, last)| (*first..=*last).contains(&at))
    }

    /// Returns the latest instant up to `until` that lies in a range.
    pub(super) fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        let begun = self.0.iter().filter(|(first, _)| *first <= until);
        begun.map(|(_, last)| until.min(*last)).max()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn held(passed: &EndedSlotRanges) -> Vec<i64> {
        (0..100)
            .filter(|second| passed.holds(at(*second)))
            .collect()
    }

    #[test]
    fn consecutive_slots_form_one_range() {
        let mut passed = EndedSlotRanges::default();
        assert!(passed.is_empty());
        for second in [10, 11, 12, 11, 10, 13] {
            passed.add(at(second), false);
        }
        assert!(!passed.is_empty());
        assert_eq!(held(&passed), [10, 11, 12, 13]);
        assert_eq!(passed.0, [(at(10), at(13))]);
    }

    #[test]
    fn slots_within_a_leap_are_in_no_range_and_after_a_correction_the_earlier_range_continues() {
        let mut passed = EndedSlotRanges::default();
        for (second, leap) in [
            (10, false),
            (50, true),
            (51, false),
            (11, false),
            (12, false),
        ] {
            passed.add(at(second), leap);
        }
        assert_eq!(held(&passed), [10, 11, 12, 50, 51]);
        let last = [9, 11, 20, 50, 60].map(|second| passed.last_until(at(second)));
        let expected = [None, Some(11), Some(12), Some(50), Some(51)];
        assert_eq!(last, expected.map(|second| second.map(at)));
    }

    #[test]
    fn a_slot_whose_note_was_kept_for_longer_does_not_join_ranges_across_a_leap() {
        let mut passed = EndedSlotRanges::default();
        for (second, leap) in [
            (2, false),
            (49, true),
            (50, false),
            (1, false),
            (51, false),
            (52, false),
        ] {
            passed.add(at(second), leap);
        }
        assert_eq!(held(&passed), [1, 2, 49, 50, 51, 52]);
    }

    #[test]
    fn after_many_leaps_the_newest_ranges_are_kept() {
        let mut passed = EndedSlotRanges::default();
        for second in [1, 3, 5, 7, 9] {
            passed.add(at(second), true);
        }
        assert_eq!(held(&passed), [3, 5, 7, 9]);
    }
}
