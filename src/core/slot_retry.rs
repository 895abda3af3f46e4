//! Reopens a slot without a completed snapshot when an operator runs `retry`.
//!
//! Only the newest due slot of a rotation can be reopened: an older one would give a snapshot of
//! today the name of another day. Its attempts begin anew (I9 counts from the retry on), and its
//! `catch_up` no longer applies. It still ends when the next slot is due.

use jiff::Timestamp;

use super::decide::{DecisionContext, Inventory};
use super::policy::{Policy, Rules};
use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::server_event::{ClockReading, ServerEvent, SlotOutcome};
use super::server_history::{PendingOp, ServerHistory};

/// The answer to a retry of one rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAnswer {
    /// The slot to open again.
    Opens {
        /// The rotation.
        rotation: RotationName,
        /// The slot's instant.
        slot: Timestamp,
        /// The name of its snapshot.
        snapshot: SnapshotName,
    },
    /// Why there is nothing to open.
    Nothing(String),
}

impl RetryAnswer {
    /// Returns the record that opens the slot.
    pub fn event(&self, by: &str) -> Option<ServerEvent> {
        match self {
            Self::Opens {
                rotation,
                slot,
                snapshot,
            } => Some(ServerEvent::SlotReopened {
                rotation: rotation.clone(),
                slot: *slot,
                snapshot: snapshot.clone(),
                by: Some(by.to_owned()),
            }),
            Self::Nothing(_) => None,
        }
    }
}

/// Returns the answer for each rotation, or for the one that is named.
pub fn retry(
    policy: &Policy,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
    named: Option<&str>,
) -> Vec<RetryAnswer> {
    let nothing = Inventory::empty(now.mono);
    let server = DecisionContext::of(policy, &nothing, history, rules, now);
    let rotations = policy.rotations.iter();
    let rotations = rotations.filter(|r| named.is_none_or(|named| r.name == named));
    rotations.map(|rotation| server.retry(rotation)).collect()
}

impl DecisionContext<'_> {
    fn retry(&self, rotation: &super::policy::Rotation) -> RetryAnswer {
        let of = &rotation.name;
        let Some(slot) = self.slot_due(rotation, self.now.wall) else {
            return RetryAnswer::Nothing(format!("no slot of {of} has been due yet"));
        };
        let name = rotation.pattern.format(slot.local);
        if let Some(PendingOp::Create { name: open, .. }) = &self.history.open
            && **open == *name
        {
            return RetryAnswer::Nothing(format!("{name} of {of} is being made"));
        }
        let ending = self.history.slot(of, &name).map(|note| note.ending);
        match ending {
            Some(Some(SlotOutcome::Completed)) => RetryAnswer::Nothing(format!(
                "the newest slot of {of} has its snapshot, {name}: there is nothing to retry"
            )),
            _ => RetryAnswer::Opens {
                rotation: of.clone(),
                slot: slot.at,
                snapshot: name.into(),
            },
        }
    }
}

impl ServerHistory {
    /// Opens a slot again. Its attempts begin anew.
    pub(super) fn apply_reopened(&mut self, event: &ServerEvent) {
        let ServerEvent::SlotReopened {
            rotation,
            slot,
            snapshot,
            ..
        } = event
        else {
            return;
        };
        let note = self.note(rotation, snapshot, *slot);
        if note.ending == Some(SlotOutcome::Completed) {
            return;
        }
        note.ending = None;
        (
            note.attempts,
            note.tries,
            note.own_tries,
            note.intents,
            note.stops,
        ) = (0, 0, 0, 0, 0);
        // `last_try` stays: a snapshot that the listings still lack may appear later.
        (note.waiting, note.limited) = (None, false);
        note.reopened = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::Step;
    use crate::core::server_event::AlertKind;
    use crate::core::snapshot::Status;
    use crate::core::test_provider::{MINUTE, TestProvider, WEEK};

    const NAME: &str = "weekly-2026-11-22";

    fn retried(world: &mut TestProvider) -> RetryAnswer {
        let (policy, history) = (&world.policy, &world.history);
        let answers = retry(policy, history, &world.rules, world.now, None);
        let [answer] = answers.as_slice() else {
            panic!("{answers:?}");
        };
        if let Some(event) = answer.event("root") {
            world.record(&event);
        }
        answer.clone()
    }

    fn failed(world: &TestProvider) -> bool {
        let key = (AlertKind::SlotFailed, "weekly".to_owned());
        world.history.alerts.contains_key(&key)
    }

    #[test]
    fn i9_a_retried_slot_gets_its_attempts_again_and_its_alert_stays_until_it_has_its_snapshot() {
        let mut world = TestProvider::weekly(3);
        world.settle(&Status::Failed);
        assert_eq!(
            world
                .log
                .iter()
                .filter(|line| line.starts_with("create"))
                .count(),
            3
        );
        assert!(failed(&world));
        // Its three failed snapshots are gone.
        world.snapshots.clear();
        world.pass(90 * MINUTE);
        world.log.clear();
        assert!(matches!(retried(&mut world), RetryAnswer::Opens { .. }));
        assert!(matches!(world.recorded(), Step::Create { .. }));
        assert!(failed(&world), "nothing is made yet");
        world.settle(&Status::Failed);
        assert_eq!(
            world
                .log
                .iter()
                .filter(|line| line.starts_with("create"))
                .count(),
            3
        );
        world.snapshots.clear();
        world.pass(90 * MINUTE);
        retried(&mut world);
        world.settle(&Status::Completed);
        assert!(!failed(&world));
        let said = "the newest slot of weekly has its snapshot, weekly-2026-11-22: there is nothing to retry";
        assert_eq!(retried(&mut world), RetryAnswer::Nothing(said.to_owned()));
    }

    #[test]
    fn a_retried_slot_runs_after_its_catch_up_but_not_after_the_next_slot() {
        let mut world = TestProvider::weekly(3);
        world.policy.rotations[0].catch_up = Some(2 * 60 * MINUTE);
        world.settle(&Status::Failed);
        world.snapshots.clear();
        world.pass(24 * 60 * MINUTE);
        retried(&mut world);
        assert!(matches!(world.recorded(), Step::Create { .. }));
        world.pass(WEEK);
        world.recorded();
        let ending = world
            .history
            .slot("weekly", NAME)
            .and_then(|note| note.ending);
        assert!(ending.is_some(), "superseded by the next slot");
    }

    #[test]
    fn a_slot_that_was_skipped_without_an_attempt_can_be_retried_and_one_in_progress_cannot() {
        let mut world = TestProvider::weekly(3);
        world.recorded();
        world.policy.rotations[0].catch_up = Some(MINUTE);
        world.pass(2 * 60 * MINUTE);
        world.recorded();
        let ending = world
            .history
            .slot("weekly", NAME)
            .and_then(|note| note.ending);
        assert_eq!(ending, Some(SlotOutcome::Skipped));
        retried(&mut world);
        world.create(NAME, Status::InProgress);
        let said = "weekly-2026-11-22 of weekly is being made";
        assert_eq!(retried(&mut world), RetryAnswer::Nothing(said.to_owned()));
    }

    #[test]
    fn a_reopened_slot_survives_a_checkpoint() {
        let mut world = TestProvider::weekly(3);
        world.settle(&Status::Failed);
        retried(&mut world);
        let json = serde_json::to_string(&world.history).expect("JSON");
        let read: ServerHistory = serde_json::from_str(&json).expect("a history");
        let note = read.slot("weekly", NAME).expect("a slot");
        assert_eq!((note.ending, note.intents, note.reopened), (None, 0, true));
    }
}
