//! Builds a server's history by applying events in the order of the trail. The running service and
//! the replay at start use the same code.

use jiff::{SignedDuration, Timestamp};

use super::apply_create_outcome::{CreateOutcome, FailedTry};
use super::decide::CLOCK_TOLERANCE;
use super::payment_and_promise::{Payer, PruneFirstPromise};
use super::rotation_history::SlotFailure;
use super::server_event::{Outcome, RaisedAlert, RecordedAt, ServerEvent, SlotOutcome};
use super::server_history::{PendingOp, ServerHistory};

impl ServerHistory {
    /// Applies one event. `grace` is added to the recorded time of a call without an answer, which
    /// may have run for the whole `request_timeout`.
    pub fn apply(&mut self, event: &ServerEvent, at: RecordedAt, grace: SignedDuration) {
        let after_call = RecordedAt {
            wall: at.wall.saturating_add(grace).unwrap_or(at.wall),
            mono: at.mono,
        };
        // A pause that ends after this record was recorded while the clock was ahead.
        let ahead = |end: Timestamp| end.duration_since(at.wall) > CLOCK_TOLERANCE;
        self.last_pause.take_if(|pause| ahead(pause.until));
        match event {
            ServerEvent::RotationAdded {
                rotation,
                terms,
                shrinks,
            } => {
                let notes = self.notes(rotation);
                notes.since = Some(at.wall);
                if let Some(terms) = terms {
                    notes.begin_care(terms.key(), shrinks, at);
                }
                self.removed = false;
            }
            ServerEvent::RotationChanged {
                rotation,
                terms,
                since,
                shrinks,
            } => {
                self.notes(rotation)
                    .change_terms(terms.key(), *since, shrinks, at);
            }
            ServerEvent::RotationRemoved { rotation } => self.notes(rotation).leave(),
            // The history takes the name from the records that have it, this one included.
            ServerEvent::PolicyRenamed { .. } => {}
            ServerEvent::ServerRemoved => {
                self.removed = true;
                self.blocked = None;
                self.end_contest();
                self.alerts.clear();
                for notes in &mut self.rotations {
                    notes.leave();
                }
            }
            ServerEvent::ServerIdentified(identity) => {
                self.identity = Some(Box::new(identity.clone()));
            }
            ServerEvent::ServerIdChanged { from, .. } => {
                let identity = self.identity.get_or_insert_default();
                identity.other_id = Some(from.clone());
            }
            ServerEvent::SnapshotIdentified { id, other_id, .. } => {
                self.protected.retain(|(_, other)| other != other_id);
                self.protected.push((id.clone(), other_id.clone()));
            }
            ServerEvent::SlotDue {
                rotation,
                slot,
                snapshot,
            } => {
                self.note(rotation, snapshot, *slot);
            }
            ServerEvent::SlotSettled {
                rotation,
                slot,
                snapshot,
                ..
            } => {
                let note = self.note(rotation, snapshot, *slot);
                note.ending = Some(SlotOutcome::Completed);
                // No stop was sent: the server was down already, or is no longer stopped.
                let was_stopped = note.intents > 0 && note.stops == 0;
                let notes = self.notes(rotation);
                (notes.failed, notes.missing) = (None, None);
                (notes.ran).take_if(|ran| was_stopped && *ran.name != **snapshot);
            }
            ServerEvent::SlotSkipped {
                rotation,
                slot,
                snapshot,
                paused,
                missed,
                reason,
            } => {
                let ending = if *paused {
                    SlotOutcome::Paused
                } else {
                    SlotOutcome::Skipped
                };
                self.end(rotation, snapshot, *slot, ending);
                self.note(rotation, snapshot, *slot).leap |= *missed > 0;
                if !paused {
                    self.missed(rotation, snapshot, reason);
                }
            }
            ServerEvent::SlotGivenUp {
                rotation,
                slot,
                snapshot,
                reason,
            } => {
                self.end(rotation, snapshot, *slot, SlotOutcome::GivenUp);
                self.missed(rotation, snapshot, reason);
            }
            ServerEvent::CreateIntent {
                rotation,
                snapshot,
                known,
                spare,
                by,
                expires,
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
                self.open = Some(PendingOp::Create {
                    name: snapshot.clone(),
                    known: self.with_deleted(known),
                    id: None,
                    claimed: None,
                    said: None,
                    sent: Some(at.wall),
                    since: after_call,
                    ordered: by.is_some(),
                    expires: *expires,
                });
            }
            ServerEvent::CreateResult {
                snapshot,
                outcome,
                id,
                server_name,
                hindrance,
                said,
                ..
            } => {
                self.answer(at);
                let unanswered = match &self.open {
                    Some(PendingOp::Create { said, .. }) => said.clone(),
                    _ => None,
                };
                if matches!(outcome, Outcome::Failed | Outcome::NoServer) {
                    self.lapse();
                }
                if server_name.is_some() {
                    self.answered_name.clone_from(server_name);
                }
                self.no_server = *outcome == Outcome::NoServer;
                let answer = CreateOutcome {
                    outcome: *outcome,
                    id: id.clone(),
                    hindrance: *hindrance,
                    said: said.as_deref().or(unanswered.as_deref()),
                };
                self.created(snapshot, answer, at, after_call);
            }
            ServerEvent::DeleteIntent {
                id,
                prune_first,
                paid_by,
                by,
                ..
            } => {
                self.last_intent = Some(at.wall);
                self.sent_delete(id);
                // The promise ends when its victim is deleted for another reason.
                self.prune_first.take_if(|prune| prune.victim == *id);
                if let Some(known) = prune_first {
                    self.prune_first = Some(Box::new(PruneFirstPromise {
                        victim: id.clone(),
                        known: known.clone(),
                        kept_by: None,
                    }));
                }
                if let Some(payer) = paid_by {
                    self.bind_payment(payer, id);
                }
                // A delete that is sent again has had no effect so far, so it counts as refused.
                if self.has_open_delete_of(id) {
                    self.refused_deletes += 1;
                    self.last_refusal = Some(at);
                }
                self.open = Some(PendingOp::Delete {
                    id: id.clone(),
                    since: after_call,
                    ordered: by.is_some(),
                });
            }
            ServerEvent::DeleteResult { outcome, .. } => {
                self.answer(at);
                match (outcome, &mut self.open) {
                    (Outcome::Done | Outcome::Unknown, Some(PendingOp::Delete { since, .. })) => {
                        *since = at;
                    }
                    // An operator's failed delete doesn't count against the rotation's deletes.
                    (
                        Outcome::Failed | Outcome::NoServer | Outcome::Later,
                        Some(PendingOp::Delete { ordered: true, .. }),
                    ) => self.open = None,
                    (Outcome::Failed | Outcome::NoServer | Outcome::Later, _) => {
                        self.open = None;
                        self.refused_deletes += 1;
                        self.last_refusal = Some(at);
                    }
                    _ => {}
                }
            }
            ServerEvent::DeleteConfirmed { id } => {
                let promised = self.prune_first.as_ref();
                let promised = promised.is_some_and(|prune| prune.victim == *id);
                if promised && self.name_of(id).is_some() {
                    let shrinks = self.rotations.iter_mut().filter_map(|r| r.shrink.as_mut());
                    for shrink in shrinks {
                        let taken = shrink.announcements().any(|(announced, _)| announced == id);
                        shrink.taken += u32::from(taken);
                    }
                }
                self.forget(id);
                self.open = None;
                self.refused_deletes = 0;
                self.last_refusal = None;
            }
            ServerEvent::SnapshotCompleted { id, pays, snapshot } => {
                // By now an accepted listing has shown the server under the policy's name.
                self.answered_name = None;
                self.seen.remove(id);
                self.stuck.remove(id);
                self.saw_completed(id.clone(), snapshot);
                self.made_late(id, snapshot);
                let made = self.has_open_slot_create_of(id) || self.takes_made(id, snapshot);
                if made {
                    // One name pays once: a snapshot that appears under it later is a copy.
                    self.lapsed.retain(|lapsed| *lapsed.name != **snapshot);
                }
                if self.has_open_create_of(id) {
                    self.open = None;
                }
                match pays {
                    Some(true) if made => {
                        let (id, completed) = (id.clone(), at.mono);
                        self.record_payer(snapshot, Payer { id, completed });
                    }
                    Some(_) => {}
                    // Records of earlier versions lack `pays`; any own snapshot that was not listed
                    // before counts.
                    None => drop(self.prune_first.take_if(|prune| !prune.known.contains(id))),
                }
            }
            ServerEvent::SnapshotFailed {
                id,
                snapshot,
                reason,
            } => {
                self.seen.remove(id);
                self.stuck.remove(id);
                if self.has_open_create_of(id) {
                    self.keep_made(id.clone(), Some(at));
                    self.open = None;
                } else if let Some(made) = self.made.iter_mut().find(|made| made.id == *id) {
                    made.failed.get_or_insert(at);
                    return;
                }
                let failed = SlotFailure::of(snapshot, reason, None);
                self.tried(at, FailedTry::Counts, failed);
            }
            ServerEvent::SnapshotStuck { id, .. } => {
                self.stuck.insert(id.clone());
                if self.has_open_create_of(id) {
                    self.keep_made(id.clone(), None);
                    self.open = None;
                }
            }
            ServerEvent::SnapshotFound {
                id,
                snapshot,
                foreign: true,
                other_id,
            } => {
                self.saw_foreign(id.clone(), snapshot);
                if let Some(other_id) = other_id {
                    self.saw_foreign(other_id.clone(), snapshot);
                }
            }
            ServerEvent::SnapshotFound { id, snapshot, .. } => {
                self.found = Some(at);
                self.saw_completed(id.clone(), snapshot);
                self.regressed.retain(|(known, _)| known != id);
            }
            ServerEvent::SnapshotRegressed { id, .. } => self.regressed.push((id.clone(), at)),
            ServerEvent::SurplusFound {
                rotation,
                ids,
                shrinks,
                ..
            } => {
                let shrink = self.notes(rotation).shrink.get_or_insert_default();
                shrink.found = ids.difference(shrinks).cloned().collect();
                let instead = shrinks.iter().map(|id| (id.clone(), at));
                shrink.instead.extend(instead);
                shrink.taken = 0;
            }
            ServerEvent::SnapshotRenamed {
                id,
                foreign,
                reason,
                ..
            } => {
                self.mismatch = Some(reason.as_str().into());
                self.saw_renamed(id, *foreign);
            }
            ServerEvent::CreateMismatch {
                snapshot, reason, ..
            } => {
                self.open = None;
                self.mismatch = Some(reason.as_str().into());
                let failed = SlotFailure::of(snapshot, reason, None);
                self.tried(at, FailedTry::Counts, failed);
            }
            // What follows depends on the next listing.
            ServerEvent::SnapshotGone { id, .. } => {
                self.saw_vanished(id);
                self.forget(id);
            }
            ServerEvent::Blocked { reason, contested } => {
                self.apply_blocked(reason, contested.as_ref());
            }
            ServerEvent::Recovered { .. } => self.apply_recovered(),
            ServerEvent::AlertRaised { alert, about, text } => {
                let key = (*alert, about.clone());
                let standing = RaisedAlert::raised(text, at.wall, self.alerts.get(&key));
                self.alerts.insert(key, standing);
            }
            ServerEvent::AlertCleared { alert, about } => {
                self.alerts.remove(&(*alert, about.clone()));
            }
            ServerEvent::HookStarted { .. } | ServerEvent::HookFinished { .. } => {
                self.apply_hook_event(event, at);
            }
            ServerEvent::StopIntent { .. }
            | ServerEvent::StopResult { .. }
            | ServerEvent::StopConfirmed { .. }
            | ServerEvent::StopWithheld { .. }
            | ServerEvent::StartIntent { .. }
            | ServerEvent::StartResult { .. }
            | ServerEvent::ServerRan { .. }
            | ServerEvent::StartConfirmed { .. } => self.apply_power_event(event, at, after_call),
            ServerEvent::Paused(_)
            | ServerEvent::PauseEnded { .. }
            | ServerEvent::AlertAcknowledged { .. }
            | ServerEvent::SnapshotExpires(_)
            | ServerEvent::SnapshotProtected(_)
            | ServerEvent::SnapshotUnprotected(_)
            | ServerEvent::SlotReopened { .. }
            | ServerEvent::Resumed { .. }
            | ServerEvent::RestoreIntent { .. }
            | ServerEvent::RestoreResult { .. } => self.apply_order(event, at, after_call),
        }
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
