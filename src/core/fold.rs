//! How a history comes about: facts folded in the order of the trail, the same way while
//! they happen and when a start reads them back.

use jiff::{SignedDuration, Timestamp};

use super::decide::CLOCK_TOLERANCE;
use super::fact::{Ending, Fact, Outcome, Standing, When};
use super::history::{History, Open, PruneFirst};
use super::snapshot::SnapshotId;

impl History {
    /// Folds one fact in. `grace` is added to the wait for an intent that an earlier
    /// process left unanswered: its call may have run for the whole `request_timeout`.
    pub fn apply(&mut self, fact: &Fact, at: When, grace: SignedDuration) {
        let after_call = When {
            wall: at.wall.saturating_add(grace).unwrap_or(at.wall),
            mono: at.mono,
        };
        // Where the trail goes on before the end of a pause, that was by a clock that was ahead.
        let ahead = |end: Timestamp| end.duration_since(at.wall) > CLOCK_TOLERANCE;
        self.last_pause.take_if(|pause| ahead(pause.until));
        match fact {
            Fact::RotationAdded { rotation } => {
                self.notes(rotation).since = Some(at.wall);
                self.removed = false;
            }
            Fact::RotationRemoved { rotation } => self.notes(rotation).since = None,
            Fact::ServerRemoved => {
                self.removed = true;
                self.blocked = None;
                self.alerts.clear();
                for notes in &mut self.rotations {
                    notes.since = None;
                }
            }
            Fact::SlotDue {
                rotation,
                slot,
                snapshot,
            } => {
                self.note(rotation, snapshot, *slot);
            }
            Fact::SlotSettled {
                rotation,
                slot,
                snapshot,
                ..
            } => {
                self.note(rotation, snapshot, *slot).ending = Some(Ending::Completed);
                let notes = self.notes(rotation);
                (notes.failed, notes.missing) = (None, None);
            }
            Fact::SlotSkipped {
                rotation,
                slot,
                snapshot,
                paused,
                missed,
                reason,
            } => {
                let ending = if *paused {
                    Ending::Paused
                } else {
                    Ending::Skipped
                };
                self.end(rotation, snapshot, *slot, ending);
                self.note(rotation, snapshot, *slot).leap |= *missed > 0;
                if !paused {
                    self.missed(rotation, snapshot, reason);
                }
            }
            Fact::SlotGivenUp {
                rotation,
                slot,
                snapshot,
                reason,
            } => {
                self.end(rotation, snapshot, *slot, Ending::GivenUp);
                self.missed(rotation, snapshot, reason);
            }
            Fact::CreateIntent {
                rotation,
                snapshot,
                known,
                spare,
                ..
            } => {
                self.last_intent = Some(at.wall);
                if let Some(hold) = &mut self.hold {
                    hold.created |= hold.rotation == *rotation && hold.snapshot == *snapshot;
                }
                if let Some(id) = spare {
                    self.spared = Some(Box::new((*id, at)));
                }
                self.open = Some(Open::Create {
                    name: snapshot.clone(),
                    known: known.clone(),
                    id: None,
                    since: after_call,
                });
            }
            Fact::CreateResult {
                snapshot,
                outcome,
                id,
                server_name,
            } => {
                self.answer(at);
                if server_name.is_some() {
                    self.answered_name.clone_from(server_name);
                }
                self.no_server = *outcome == Outcome::NoServer;
                self.created(snapshot, *outcome, *id, at, after_call);
            }
            Fact::DeleteIntent {
                id,
                prune_first,
                by,
                ..
            } => {
                self.last_intent = Some(at.wall);
                if let Some(known) = prune_first {
                    self.prune_first = Some(Box::new(PruneFirst {
                        victim: *id,
                        gone: None,
                        known: known.clone(),
                    }));
                }
                // A delete that is sent again had no effect so far: it counts as refused.
                if self.deletes(*id) {
                    self.refused_deletes += 1;
                    self.last_refusal = Some(at);
                }
                self.open = Some(Open::Delete {
                    id: *id,
                    since: after_call,
                    ordered: by.is_some(),
                });
            }
            Fact::DeleteResult { outcome, .. } => {
                self.answer(at);
                match (outcome, &mut self.open) {
                    (Outcome::Done | Outcome::Unknown, Some(Open::Delete { since, .. })) => {
                        *since = at;
                    }
                    // What an operator couldn't delete says nothing of the rotation's deletes.
                    (
                        Outcome::Failed | Outcome::NoServer | Outcome::Later,
                        Some(Open::Delete { ordered: true, .. }),
                    ) => self.open = None,
                    (Outcome::Failed | Outcome::NoServer | Outcome::Later, _) => {
                        self.open = None;
                        self.refused_deletes += 1;
                        self.last_refusal = Some(at);
                    }
                    _ => {}
                }
            }
            Fact::DeleteConfirmed { id } => {
                if let Some(prune) = &mut self.prune_first
                    && prune.victim == *id
                {
                    prune.gone = Some(at);
                }
                self.open = None;
                self.refused_deletes = 0;
                self.last_refusal = None;
            }
            Fact::SnapshotCompleted { id, .. } => {
                // A listing that was believed has shown it by now, under the policy's name.
                self.answered_name = None;
                self.seen.remove(id);
                self.stuck.remove(id);
                if self.makes(*id) {
                    self.open = None;
                }
                if self
                    .prune_first
                    .as_ref()
                    .is_some_and(|prune| !prune.known.contains(id))
                {
                    self.prune_first = None;
                }
            }
            Fact::SnapshotFailed {
                id,
                snapshot,
                reason,
            } => {
                self.seen.remove(id);
                self.stuck.remove(id);
                if self.makes(*id) {
                    self.open = None;
                }
                self.tried(snapshot, at, true, reason);
            }
            Fact::SnapshotStuck { id, .. } => {
                self.stuck.insert(*id);
                if self.makes(*id) {
                    self.open = None;
                }
            }
            // What is left is decided on by the listing.
            Fact::SnapshotGone { .. } => {}
            Fact::Blocked { reason } => self.blocked = Some(reason.clone()),
            Fact::Recovered { .. } => {
                // Its names agree, and those of an older answer tell nothing any more.
                (self.blocked, self.answered_name) = (None, None);
            }
            Fact::AlertRaised {
                alert,
                about,
                reason,
            } => {
                let key = (*alert, about.clone());
                let standing = Standing::raised(reason, at.wall, self.alerts.get(&key));
                self.alerts.insert(key, standing);
            }
            Fact::AlertCleared { alert, about } => {
                self.alerts.remove(&(*alert, about.clone()));
            }
            Fact::HookStarted { .. } | Fact::HookFinished { .. } => self.hooked(fact, at),
            Fact::Paused { .. } => self.paused = Some(at.wall),
            Fact::Resumed { .. } => {
                let from = self.paused.take();
                self.resume(from, at.wall);
                // Somebody looked at this very server: what can't be released is theirs, and
                // a restore is over if they say so.
                self.hold.take_if(|hold| hold.failures > 0);
                self.restore = None;
            }
            Fact::RestoreIntent { id, .. } => {
                self.last_intent = Some(at.wall);
                self.restore = Some(at);
                (self.spared, self.unknown_restore) = (None, None);
                self.open = Some(Open::Restore {
                    id: *id,
                    since: after_call,
                });
            }
            Fact::RestoreResult { id, outcome } => {
                self.answer(at);
                self.open = None;
                self.unknown_restore = (*outcome == Outcome::Unknown).then_some(*id);
                self.restore = match outcome {
                    Outcome::Done | Outcome::Unknown => Some(at),
                    // It never began.
                    Outcome::Failed | Outcome::NoServer | Outcome::Later => None,
                };
            }
        }
    }

    fn created(
        &mut self,
        name: &str,
        outcome: Outcome,
        id: Option<SnapshotId>,
        at: When,
        after_call: When,
    ) {
        match (outcome, &mut self.open) {
            (
                Outcome::Done | Outcome::Unknown,
                Some(Open::Create {
                    id: open, since, ..
                }),
            ) => {
                *open = id;
                *since = if outcome == Outcome::Done {
                    at
                } else {
                    after_call
                };
                if let (Some(id), Some(mono)) = (id, at.mono) {
                    self.seen.insert(id, mono);
                }
            }
            (Outcome::Failed | Outcome::NoServer | Outcome::Later, _) => {
                self.open = None;
                let why = match outcome {
                    Outcome::NoServer => "the provider knows no such server",
                    Outcome::Later => "the provider was busy, or out of reach",
                    _ => "the create was refused, or had no effect",
                };
                self.tried(name, at, outcome != Outcome::Later, why);
            }
            _ => {}
        }
    }

    fn answer(&mut self, at: When) {
        if at.mono.is_some() {
            self.last_answer = at.mono;
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
