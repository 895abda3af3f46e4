//! Applies the results of creates to a history: the provider's answer, or a try that made no
//! snapshot.

use super::rotation_history::SlotFailure;
use super::server_event::{Outcome, RecordedAt, TransientRefusal};
use super::server_history::{PendingOp, ServerHistory};
use super::snapshot::SnapshotId;

/// How a try that made no snapshot counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailedTry {
    /// As an attempt.
    Counts,
    /// Not as an attempt, since it was refused for now, not delivered, or not even sent. Holds the
    /// kind of refusal, if known.
    ForNow(Option<TransientRefusal>),
}

/// The answer to a create, or its absence.
pub(super) struct CreateOutcome<'a> {
    pub(super) outcome: Outcome,
    pub(super) id: Option<SnapshotId>,
    pub(super) hindrance: Option<TransientRefusal>,
    /// The provider's own words.
    pub(super) said: Option<&'a str>,
}

impl ServerHistory {
    pub(super) fn answer(&mut self, at: RecordedAt) {
        if at.mono.is_some() {
            self.last_answer = at.mono;
        }
    }

    /// Applies the answer to a create. `after_call` is the latest end of a call without an answer.
    pub(super) fn created(
        &mut self,
        name: &str,
        answer: CreateOutcome<'_>,
        at: RecordedAt,
        after_call: RecordedAt,
    ) {
        let CreateOutcome {
            outcome,
            id,
            hindrance,
            said,
        } = answer;
        match (outcome, &mut self.open) {
            (
                Outcome::Done,
                Some(PendingOp::Create {
                    id: open, since, ..
                }),
            ) => {
                open.clone_from(&id);
                *since = at;
                for note in self.unsettled_named(name) {
                    note.waiting = None;
                }
                if let (Some(id), Some(mono)) = (id, at.mono) {
                    self.seen.insert(id, mono);
                }
            }
            (
                Outcome::Unknown,
                Some(PendingOp::Create {
                    claimed,
                    said: words,
                    since,
                    ..
                }),
            ) => {
                *claimed = id;
                *words = said.map(Into::into);
                *since = after_call;
            }
            (Outcome::Failed | Outcome::NoServer | Outcome::Later, _) => {
                self.open = None;
                let why = match outcome {
                    Outcome::NoServer => "the provider has no such server",
                    Outcome::Later => {
                        "the create request was temporarily refused, or not delivered"
                    }
                    _ => "the create request was refused, or had no effect",
                };
                if outcome == Outcome::Later {
                    for note in self.unsettled_named(name) {
                        note.intents = note.intents.saturating_sub(1);
                    }
                }
                let tried = match outcome {
                    // `Rate` is dropped: otherwise the create would be retried after a short pause,
                    // and each retry would hold the server again.
                    Outcome::Later if self.hold.is_some() => FailedTry::ForNow(
                        hindrance.filter(|which| *which != TransientRefusal::Rate),
                    ),
                    Outcome::Later => FailedTry::ForNow(hindrance),
                    _ => FailedTry::Counts,
                };
                self.tried(at, tried, SlotFailure::of(name, why, said));
            }
            _ => {}
        }
    }

    pub(super) fn tried(&mut self, at: RecordedAt, tried: FailedTry, failed: SlotFailure) {
        let failed = Box::new(failed);
        for rotation in &mut self.rotations {
            let mut notes = rotation.slots.iter_mut();
            let note = notes.find(|note| *note.name == *failed.name && note.ending.is_none());
            let Some(note) = note else { continue };
            let counts = tried == FailedTry::Counts;
            note.attempts += u32::from(counts);
            note.tries += 1;
            note.own_tries += u32::from(at.mono.is_some());
            note.last_try = Some(at);
            note.limited = tried == FailedTry::ForNow(Some(TransientRefusal::Rate));
            let waits = !counts && tried != FailedTry::ForNow(Some(TransientRefusal::Token));
            note.waiting = waits.then(|| note.waiting.unwrap_or(at.wall));
            rotation.failed = Some(failed.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::server_event::ServerEvent;
    use crate::core::test_provider::TestProvider;

    const NAME: &str = "weekly-2026-11-22";

    #[test]
    fn the_providers_words_in_an_answer_that_left_the_outcome_unknown_are_kept_for_the_failure() {
        let mut world = TestProvider::weekly(3);
        world.recorded();
        world.intend_create(NAME);
        let answer = |outcome, said: Option<&str>| ServerEvent::CreateResult {
            snapshot: NAME.into(),
            outcome,
            id: None,
            server_name: None,
            looked_for: said.is_none(),
            hindrance: None,
            said: said.map(str::to_owned),
        };
        world.record(&answer(Outcome::Unknown, Some("volume busy")));
        world.record(&answer(Outcome::Failed, None));
        let failed = world.history.rotations[0]
            .failed
            .as_ref()
            .expect("a failure");
        assert_eq!(failed.said.as_deref(), Some("volume busy"));
    }
}
