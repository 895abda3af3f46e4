//! The outcomes of a rotation's last slots, for readers. No rule uses them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::last_few::keep_last;
use super::outcomes::SlotOutcome;
use super::slot_record::{REMEMBERED, SlotRecord};

/// Number of slots of a rotation that readers are shown.
pub const SHOWN: usize = 14;

/// Number of outcomes that outlive their records. With the records they make up [`SHOWN`] slots;
/// one more, since a record that was kept for longer comes late and displaces a newer outcome.
const KEPT: usize = SHOWN - REMEMBERED + 1;

/// A slot that has begun, and its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecentSlot {
    /// The scheduled instant.
    pub slot: Timestamp,
    /// How it ended; `null` until then.
    pub ending: Option<SlotOutcome>,
    /// True if an attempt failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retried: bool,
}

impl From<&SlotRecord> for RecentSlot {
    fn from(record: &SlotRecord) -> Self {
        Self {
            slot: record.at,
            ending: record.ending,
            retried: record.tries > 0,
        }
    }
}

/// The last slots without a record of their own, in the order in which they lost it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PastSlots(Vec<RecentSlot>);

impl PastSlots {
    pub(super) fn add(&mut self, record: &SlotRecord) {
        keep_last(&mut self.0, KEPT, record.into());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = RecentSlot> {
        self.0.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::server_history::ServerHistory;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * 86_400).expect("a time")
    }

    fn ended(history: &mut ServerHistory, day: i64, ending: SlotOutcome) {
        history.end("daily", &format!("d-{day}"), at(day), ending);
    }

    fn days(history: &ServerHistory, until: i64) -> Vec<i64> {
        let slots = history.recent_slots("daily", at(until));
        let days = slots.iter().map(|slot| slot.slot.as_second() / 86_400);
        days.collect()
    }

    #[test]
    fn the_last_14_slots_keep_their_outcomes_beyond_their_records() {
        let mut history = ServerHistory::default();
        assert!(history.recent_slots("daily", at(9)).is_empty());
        for day in 1..=30 {
            history.note("daily", &format!("d-{day}"), at(day)).tries = u32::from(day == 18);
            let ending = match day {
                20 => SlotOutcome::GivenUp,
                21 => SlotOutcome::Paused,
                _ => SlotOutcome::Completed,
            };
            ended(&mut history, day, ending);
        }
        history.note("daily", "d-31", at(31));
        let slots = history.recent_slots("daily", at(31));
        assert_eq!(days(&history, 31), (18..=31).collect::<Vec<_>>());
        let endings: Vec<_> = slots.iter().map(|slot| slot.ending).collect();
        assert_eq!(endings[2], Some(SlotOutcome::GivenUp));
        assert_eq!(endings[3], Some(SlotOutcome::Paused));
        assert_eq!(endings[12], Some(SlotOutcome::Completed));
        assert_eq!(endings[13], None, "the last one has not ended");
        let retried: Vec<_> = slots.iter().filter(|slot| slot.retried).collect();
        assert_eq!(retried, [&slots[0]]);
        assert_eq!(days(&history, 25).last(), Some(&25), "up to an instant");
    }

    #[test]
    fn a_completed_slot_whose_record_is_kept_for_longer_displaces_no_newer_outcome() {
        let mut history = ServerHistory::default();
        for day in 1..=9 {
            ended(&mut history, day, SlotOutcome::Completed);
        }
        for day in 10..=30 {
            ended(&mut history, day, SlotOutcome::GivenUp);
        }
        assert_eq!(days(&history, 30), (17..=30).collect::<Vec<_>>());
        ended(&mut history, 31, SlotOutcome::Completed);
        ended(&mut history, 32, SlotOutcome::Completed);
        assert_eq!(days(&history, 32), (19..=32).collect::<Vec<_>>());
    }

    #[test]
    fn a_slot_that_has_a_record_again_is_shown_once_with_the_records_outcome() {
        let mut history = ServerHistory::default();
        for day in 1..=8 {
            ended(&mut history, day, SlotOutcome::Skipped);
        }
        ended(&mut history, 1, SlotOutcome::Completed);
        let slots = history.recent_slots("daily", at(8));
        assert_eq!(slots.len(), 8);
        assert_eq!(slots[0].ending, Some(SlotOutcome::Completed));
    }

    #[test]
    fn recent_slots_survive_a_checkpoint() {
        let mut history = ServerHistory::default();
        for day in 1..=20 {
            ended(&mut history, day, SlotOutcome::Completed);
        }
        let json = serde_json::to_string(&history).expect("JSON");
        let read: ServerHistory = serde_json::from_str(&json).expect("a history");
        assert_eq!(read, history);
        assert_eq!(days(&read, 20).len(), SHOWN);
    }
}
