//! Rules 2 and 3 of the decision: a mutation whose effect hasn't been seen, and a snapshot
//! that is under way, are resolved before anything else is done.

use jiff::SignedDuration;

use super::breaks::Break;
use super::decide::{DecisionContext, Step, ended};
use super::event::{Outcome, RecordedAt, ServerEvent, SlotOutcome};
use super::server_history::PendingOp;
use super::snapshot::{Snapshot, SnapshotId, Status};

impl DecisionContext<'_> {
    /// Rule 2. A mutation whose effect hasn't been seen is resolved before any other (I5).
    pub(super) fn open_intent(&self) -> Option<Step> {
        let open = self.history.open.as_ref()?;
        match open {
            PendingOp::Create {
                name, id, since, ..
            } => {
                match (open.made_in(&self.inventory.snapshots), id) {
                    // I19: what isn't as it was asked for is nobody's payment.
                    (Some(found), Some(_)) => match self.mismatch(name, found) {
                        Some(mismatch) => Some(Step::Record(mismatch)),
                        None => self.watched(found),
                    },
                    (Some(found), None) => Some(Step::Record(create_result(
                        name,
                        Outcome::Done,
                        Some(found.id.clone()),
                    ))),
                    // I9: not sent again while the earlier one may still happen.
                    (None, _)
                        if self.over_for(*since) < self.rules.settle_window
                            && !Break::NoSettleWindow.on() =>
                    {
                        Some(self.poll(&format!("whether {name} was made isn't known yet")))
                    }
                    (None, Some(id)) => Some(Step::Record(ServerEvent::SnapshotFailed {
                        id: id.clone(),
                        snapshot: name.clone(),
                        reason: "it is missing from every listing".to_owned(),
                    })),
                    (None, None) => Some(Step::Record(create_result(name, Outcome::Failed, None))),
                }
            }
            PendingOp::Delete { .. } if Break::OpenDeleteForgotten.on() => None,
            // The process that sent it is gone, and with it the answer (I12: not sent again).
            PendingOp::Restore { id, .. } => Some(Step::Record(ServerEvent::RestoreResult {
                id: id.clone(),
                outcome: Outcome::Unknown,
            })),
            PendingOp::Delete { id, since, ordered } => {
                if !self.inventory.snapshots.iter().any(|s| s.id == *id) {
                    return Some(Step::Record(ServerEvent::DeleteConfirmed {
                        id: id.clone(),
                    }));
                }
                let waited = self.over_for(*since);
                // I8: what appeared in the meantime may make the delete needless.
                let under_way = self.own().any(|(s, _)| {
                    matches!(s.status, Status::InProgress | Status::Unknown(_)) && !self.stuck(s)
                });
                let again = if under_way || *ordered || self.held().is_some() {
                    self.poll("a delete isn't seen yet")
                } else {
                    self.due_or_surplus()
                };
                match again {
                    Step::Delete {
                        id: ref candidate, ..
                    } if candidate == id => {
                        // Not before the last try can have no effect any more: if this one is
                        // refused, nothing is open (I5).
                        let pause = self.pause(&id.to_string(), self.history.refused_deletes + 1);
                        let left = pause.max(self.rules.settle_window) - waited;
                        if left <= SignedDuration::ZERO {
                            Some(again)
                        } else {
                            Some(self.poll("a delete isn't seen yet"))
                        }
                    }
                    _ if waited < self.rules.settle_window => {
                        Some(self.poll("a delete isn't seen yet"))
                    }
                    _ => Some(Step::Record(ServerEvent::DeleteResult {
                        id: id.clone(),
                        outcome: Outcome::Failed,
                    })),
                }
            }
        }
    }

    /// For how long the call of an open mutation is over.
    fn over_for(&self, since: RecordedAt) -> SignedDuration {
        since.elapsed_with(self.rules.request_timeout, self.now)
    }

    /// One that an operator ordered bears no rotation's name: it is watched by its id alone.
    fn watched(&self, snapshot: &Snapshot) -> Option<Step> {
        if self.policy.place(&snapshot.name).is_some() {
            return None;
        }
        let (name, id) = (snapshot.name.clone(), snapshot.id.clone());
        Some(match snapshot.status {
            Status::InProgress | Status::Unknown(_) if !self.stuck(snapshot) => {
                self.poll(&format!("{name} is under way"))
            }
            Status::InProgress | Status::Unknown(_) => {
                Step::Record(ServerEvent::SnapshotStuck { snapshot: name, id })
            }
            // Its rotation may have another pattern by now.
            Status::Completed => Step::Record(ServerEvent::SnapshotCompleted {
                snapshot: name,
                id,
                pays: Some(self.pays(snapshot, None)),
            }),
            Status::Failed => Step::Record(failed(name, id)),
        })
    }

    /// Rule 3. While an own snapshot is under way nothing else is done (I8).
    pub(super) fn under_way(&self) -> Option<Step> {
        for (snapshot, place) in self.own() {
            let rotation = &self.policy.rotations[place.rotation];
            let note = self.history.slot(&rotation.name, &snapshot.name);
            let unsettled = note.filter(|note| note.ending.is_none());
            let status = match &snapshot.status {
                Status::InProgress if Break::InProgressCounts.on() => &Status::Completed,
                Status::InProgress if Break::PruneBeforeCompletion.on() => continue,
                status => status,
            };
            match status {
                Status::InProgress | Status::Unknown(_) if !self.stuck(snapshot) => {
                    return Some(self.poll(&format!("{} is under way", snapshot.name)));
                }
                Status::InProgress | Status::Unknown(_) => {
                    if !self.history.stuck.contains(&snapshot.id) {
                        return Some(Step::Record(ServerEvent::SnapshotStuck {
                            snapshot: snapshot.name.clone(),
                            id: snapshot.id.clone(),
                        }));
                    }
                    if let Some(note) = unsettled {
                        let reason = format!("{} is stuck", snapshot.name);
                        return Some(ended(rotation, note, SlotOutcome::GivenUp, reason));
                    }
                }
                Status::Completed => {
                    let awaited = self.history.makes(&snapshot.id)
                        || self.history.seen.contains_key(&snapshot.id)
                        || self.awaits(snapshot);
                    if awaited {
                        return Some(Step::Record(ServerEvent::SnapshotCompleted {
                            snapshot: snapshot.name.clone(),
                            id: snapshot.id.clone(),
                            pays: Some(self.pays(snapshot, Some(place))),
                        }));
                    }
                    // One that was completed late settles its slot all the same.
                    let settled = note.and_then(|note| match note.ending {
                        None => Some((note, "completed")),
                        Some(SlotOutcome::GivenUp | SlotOutcome::Skipped) => {
                            Some((note, "completed late"))
                        }
                        Some(SlotOutcome::Completed | SlotOutcome::Paused) => None,
                    });
                    if let Some((note, how)) = settled {
                        return Some(ended(
                            rotation,
                            note,
                            SlotOutcome::Completed,
                            how.to_owned(),
                        ));
                    }
                }
                Status::Failed if self.history.makes(&snapshot.id) => {
                    return Some(Step::Record(failed(
                        snapshot.name.clone(),
                        snapshot.id.clone(),
                    )));
                }
                Status::Failed => {}
            }
        }
        None
    }

    /// Whether it has been in progress for too long while this process watched, or while an
    /// earlier one did, by the trail. Dates tell nothing here: with a wall clock that is
    /// ahead a new one would look old (I8).
    pub(super) fn stuck(&self, snapshot: &Snapshot) -> bool {
        self.history.stuck.contains(&snapshot.id) || self.long(self.seen_for(&snapshot.id))
    }

    /// For how long this process has watched it, unfinished.
    pub(super) fn seen_for(&self, id: &SnapshotId) -> Option<SignedDuration> {
        let seen = self.history.seen.get(id);
        seen.map(|since| self.now.mono - *since)
    }

    pub(super) fn long(&self, age: Option<SignedDuration>) -> bool {
        age.is_some_and(|age| age >= self.rules.stuck_after)
    }
}

fn failed(snapshot: String, id: SnapshotId) -> ServerEvent {
    ServerEvent::SnapshotFailed {
        snapshot,
        id,
        reason: "the provider says that it failed".to_owned(),
    }
}

pub(super) fn create_result(name: &str, outcome: Outcome, id: Option<SnapshotId>) -> ServerEvent {
    ServerEvent::CreateResult {
        snapshot: name.to_owned(),
        outcome,
        id,
        server_name: None,
        looked_for: true,
        hindrance: None,
        said: None,
    }
}

#[cfg(test)]
#[path = "pending_op_tests.rs"]
mod tests;
