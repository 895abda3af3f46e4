//! How a history comes about: facts folded in the order of the trail, the same way while
//! they happen and when a start reads them back.

use jiff::{SignedDuration, Timestamp};

use super::create_outcome::{Answer, Tried};
use super::decide::CLOCK_TOLERANCE;
use super::event::{Ending, Fact, Outcome, Standing, When};
use super::rotation_terms::TermsKey;
use super::server_history::{History, Open, PruneFirst};
use super::slot_log::Begin;

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
            Fact::RotationAdded {
                rotation,
                terms,
                shrinks,
            } => {
                let notes = self.notes(rotation);
                notes.since = Some(at.wall);
                if let Some(terms) = terms {
                    notes.leave();
                    notes.since = Some(at.wall);
                    notes.begin = Some(Begin::Added);
                    notes.terms = Some(terms.key());
                    notes.announce(shrinks, at);
                    self.foreign.clear();
                }
                self.removed = false;
            }
            Fact::RotationChanged {
                rotation,
                terms,
                shrinks,
            } => {
                let (notes, key) = (self.notes(rotation), terms.key());
                let before = notes.terms.replace(key);
                // An earlier version recorded none: then nothing tells that they are others.
                if before.is_some_and(|before| before.timing != key.timing) {
                    (notes.since, notes.begin) = (Some(at.wall), Some(Begin::Changed));
                }
                let same = |before: TermsKey| (before.keep, before.owns) == (key.keep, key.owns);
                if !before.is_some_and(same) {
                    notes.announce(shrinks, at);
                }
                // What was foreign may be own by the new names.
                let named = |before: TermsKey| (before.timing, before.owns);
                if before.is_none_or(|before| named(before) != named(key)) {
                    self.foreign.clear();
                }
            }
            Fact::RotationRemoved { rotation } => self.notes(rotation).leave(),
            Fact::ServerRemoved => {
                self.removed = true;
                self.blocked = None;
                self.alerts.clear();
                for notes in &mut self.rotations {
                    notes.leave();
                }
            }
            Fact::ServerIdentified(identity) => self.identity = Some(Box::new(identity.clone())),
            Fact::ServerIdChanged { from } => {
                let identity = self.identity.get_or_insert_default();
                identity.other_id = Some(from.clone());
            }
            Fact::SnapshotIdentified { id, other_id, .. } => {
                self.protected.retain(|(_, other)| other != other_id);
                self.protected.push((id.clone(), other_id.clone()));
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
                by,
                ..
            } => {
                self.last_intent = Some(at.wall);
                if by.is_none() {
                    for note in self.unsettled_named(snapshot) {
                        note.intents += 1;
                        note.sent = Some(at.wall);
                    }
                }
                if let Some(hold) = &mut self.hold {
                    hold.created |= hold.rotation == *rotation && hold.snapshot == *snapshot;
                }
                if let Some(downtime) = &mut self.downtime {
                    downtime.created |= downtime.snapshot == *snapshot;
                }
                if let Some(id) = spare {
                    self.spared = Some(Box::new((id.clone(), at)));
                }
                self.open = Some(Open::Create {
                    name: snapshot.clone(),
                    known: known.clone(),
                    id: None,
                    claimed: None,
                    sent: Some(at.wall),
                    since: after_call,
                    ordered: by.is_some(),
                });
            }
            Fact::CreateResult {
                snapshot,
                outcome,
                id,
                server_name,
                hindrance,
                said,
                ..
            } => {
                self.answer(at);
                if matches!(outcome, Outcome::Failed | Outcome::NoServer) {
                    self.lapse();
                }
                if server_name.is_some() {
                    self.answered_name.clone_from(server_name);
                }
                self.no_server = *outcome == Outcome::NoServer;
                let answer = Answer {
                    outcome: *outcome,
                    id: id.clone(),
                    hindrance: *hindrance,
                    said: said.as_deref(),
                };
                self.created(snapshot, answer, at, after_call);
            }
            Fact::DeleteIntent {
                id,
                prune_first,
                paid_by,
                by,
                ..
            } => {
                self.last_intent = Some(at.wall);
                self.last_delete = Some(id.clone());
                // One that goes by its own right is no promise's any more.
                self.prune_first.take_if(|prune| prune.victim == *id);
                if let Some(known) = prune_first {
                    self.prune_first = Some(Box::new(PruneFirst {
                        victim: id.clone(),
                        known: known.clone(),
                    }));
                }
                if let Some(payer) = paid_by {
                    let payments = self.rotations.iter_mut().flat_map(|r| &mut r.payments);
                    for payment in payments.filter(|payment| payment.by == *payer) {
                        payment.victim = Some(id.clone());
                    }
                }
                // A delete that is sent again had no effect so far: it counts as refused.
                if self.deletes(id) {
                    self.refused_deletes += 1;
                    self.last_refusal = Some(at);
                }
                self.open = Some(Open::Delete {
                    id: id.clone(),
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
                let promised = self.prune_first.as_ref();
                let promised = promised.is_some_and(|prune| prune.victim == *id);
                if promised && self.name_of(id).is_some() {
                    let shrinks = self.rotations.iter_mut().filter_map(|r| r.shrink.as_mut());
                    for shrink in shrinks.filter(|shrink| shrink.announced.contains(id)) {
                        shrink.taken += 1;
                    }
                }
                self.forget(id);
                self.open = None;
                self.refused_deletes = 0;
                self.last_refusal = None;
            }
            Fact::SnapshotCompleted { id, pays, snapshot } => {
                // A listing that was believed has shown it by now, under the policy's name.
                self.answered_name = None;
                self.seen.remove(id);
                self.stuck.remove(id);
                self.saw_completed(id.clone(), snapshot);
                let made = self.makes_slot(id) || self.takes_made(id, snapshot);
                if made {
                    // One name pays once: whatever shows under it later is a copy.
                    self.lapsed.retain(|lapsed| *lapsed.name != **snapshot);
                }
                if self.makes(id) {
                    self.open = None;
                }
                match pays {
                    Some(true) if made => self.pays(snapshot, id.clone()),
                    Some(_) => {}
                    // Earlier versions took any own one that was not there before.
                    None => drop(self.prune_first.take_if(|prune| !prune.known.contains(id))),
                }
            }
            Fact::SnapshotFailed {
                id,
                snapshot,
                reason,
            } => {
                self.seen.remove(id);
                self.stuck.remove(id);
                if self.makes(id) {
                    self.keep_made(id.clone(), Some(at));
                    self.open = None;
                } else if let Some(made) = self.made.iter_mut().find(|made| made.id == *id) {
                    made.failed.get_or_insert(at);
                    return;
                }
                self.tried(snapshot, at, Tried::Counts, reason);
            }
            Fact::SnapshotStuck { id, .. } => {
                self.stuck.insert(id.clone());
                if self.makes(id) {
                    self.keep_made(id.clone(), None);
                    self.open = None;
                }
            }
            Fact::SnapshotFound {
                id,
                snapshot,
                foreign: true,
            } => self.saw_foreign(id.clone(), snapshot),
            Fact::SnapshotFound { id, snapshot, .. } => {
                self.found = Some(at);
                self.saw_completed(id.clone(), snapshot);
                self.regressed.retain(|(known, _)| known != id);
            }
            Fact::SnapshotRegressed { id, .. } => self.regressed.push((id.clone(), at)),
            Fact::SurplusFound {
                rotation,
                ids,
                shrinks,
                ..
            } => {
                let shrink = self.notes(rotation).shrink.get_or_insert_default();
                shrink.found = ids.difference(shrinks).cloned().collect();
                shrink.announced.extend(shrinks.iter().cloned());
                shrink.taken = 0;
            }
            Fact::SnapshotRenamed { reason, .. } => {
                self.mismatch = Some(reason.as_str().into());
            }
            Fact::CreateMismatch {
                snapshot, reason, ..
            } => {
                self.open = None;
                self.mismatch = Some(reason.as_str().into());
                self.tried(snapshot, at, Tried::Counts, reason);
            }
            // What is left is decided on by the listing.
            Fact::SnapshotGone { id, .. } => {
                self.saw_vanished(id);
                self.forget(id);
            }
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
            Fact::StopIntent { .. }
            | Fact::StopResult { .. }
            | Fact::StopConfirmed { .. }
            | Fact::StopWithheld { .. }
            | Fact::StartIntent { .. }
            | Fact::StartResult { .. }
            | Fact::StartConfirmed { .. } => self.powered(fact, at, after_call),
            Fact::Paused { .. } => self.paused = Some(at.wall),
            Fact::Resumed { .. } => self.resumed(at),
            Fact::RestoreIntent { id, .. } => {
                self.last_intent = Some(at.wall);
                self.restore = Some(at);
                (self.spared, self.unknown_restore) = (None, None);
                self.open = Some(Open::Restore {
                    id: id.clone(),
                    since: after_call,
                });
            }
            Fact::RestoreResult { id, outcome } => {
                self.answer(at);
                self.open = None;
                self.unknown_restore = (*outcome == Outcome::Unknown).then_some(id.clone());
                self.restore = match outcome {
                    Outcome::Done | Outcome::Unknown => Some(at),
                    // It never began.
                    Outcome::Failed | Outcome::NoServer | Outcome::Later => None,
                };
            }
        }
    }

    fn answer(&mut self, at: When) {
        if at.mono.is_some() {
            self.last_answer = at.mono;
        }
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
