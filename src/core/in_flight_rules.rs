//! Rules 2 and 3 of the decision. They resolve an open call, and a snapshot in progress, before
//! anything else happens.

use jiff::SignedDuration;

use super::decide::{DecisionContext, Step, ended};
use super::server_event::{Outcome, RecordedAt, ServerEvent, SlotOutcome};
use super::server_history::PendingOp;
use super::snapshot::{Snapshot, SnapshotId, Status};

impl DecisionContext<'_> {
    /// Rule 2: resolves a call whose effect no listing has confirmed, before any other change (I5).
    pub(super) fn open_intent(&self) -> Option<Step> {
        let open = self.history.open.as_ref()?;
        match open {
            PendingOp::Create {
                name, id, since, ..
            } => {
                match (open.made_in(&self.inventory.snapshots), id) {
                    // I19: a snapshot that differs from what was requested must not pay for a
                    // delete.
                    (Some(found), Some(_)) => match self.mismatch(name, found) {
                        Some(mismatch) => Some(Step::Record(mismatch)),
                        None => self.watched(found),
                    },
                    (Some(found), None) => Some(Step::Record(create_result(
                        name,
                        Outcome::Done,
                        Some(found.id.clone()),
                    ))),
                    // I9: no second create is sent while this one may still take effect.
                    (None, _) if self.over_for(*since) < self.rules.settle_window => {
                        Some(self.poll(&format!("it is not known yet whether {name} was made")))
                    }
                    (None, Some(id)) => Some(Step::Record(ServerEvent::SnapshotFailed {
                        id: id.clone(),
                        snapshot: name.clone(),
                        reason: "it is missing from every listing".to_owned(),
                    })),
                    (None, None) => Some(Step::Record(create_result(name, Outcome::Failed, None))),
                }
            }
            // The process that sent it has ended, and the answer is lost (I12: not sent again).
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
                // I8: a snapshot that appeared meanwhile may make the delete unnecessary.
                let under_way = self.own().any(|(s, _)| {
                    matches!(s.status, Status::InProgress | Status::Unknown(_)) && !self.stuck(s)
                });
                let again = if under_way || *ordered || self.held().is_some() {
                    self.poll("no listing has confirmed the delete yet")
                } else {
                    self.due_or_surplus()
                };
                match again {
                    Step::Delete {
                        id: ref candidate, ..
                    } if candidate == id => {
                        // Wait until the last try can no longer take effect: a refusal of the
                        // repeated delete closes the open call (I5).
                        let pause = self.backoff(&id.to_string(), self.history.refused_deletes + 1);
                        let left = pause.max(self.rules.settle_window) - waited;
                        if left <= SignedDuration::ZERO {
                            Some(again)
                        } else {
                            Some(self.poll("no listing has confirmed the delete yet"))
                        }
                    }
                    _ if waited < self.rules.settle_window => {
                        Some(self.poll("no listing has confirmed the delete yet"))
                    }
                    _ => Some(Step::Record(ServerEvent::DeleteResult {
                        id: id.clone(),
                        outcome: Outcome::Failed,
                    })),
                }
            }
        }
    }

    /// Returns how long the call of an open mutation has been over.
    fn over_for(&self, since: RecordedAt) -> SignedDuration {
        since.elapsed_with(self.rules.request_timeout, self.now)
    }

    /// Watches a created snapshot that does not have an own name: an operator ordered it, or its
    /// rotation or pattern has left the policy. Only its id identifies it.
    fn watched(&self, snapshot: &Snapshot) -> Option<Step> {
        if self.policy.place(&snapshot.name).is_some() {
            return None;
        }
        let (name, id) = (snapshot.name.clone(), snapshot.id.clone());
        Some(match snapshot.status {
            Status::InProgress | Status::Unknown(_) if !self.stuck(snapshot) => {
                self.poll(&format!("{name} is in progress"))
            }
            Status::InProgress | Status::Unknown(_) => Step::Record(ServerEvent::SnapshotStuck {
                snapshot: name.into(),
                id,
            }),
            Status::Completed if let Some(step) = self.expiry_to_record(snapshot) => step,
            // The rotation may have another pattern by now.
            Status::Completed => Step::Record(ServerEvent::SnapshotCompleted {
                snapshot: name.into(),
                id,
                pays: Some(self.can_pay(snapshot, None)),
            }),
            Status::Failed => Step::Record(failed(name, id)),
        })
    }

    /// Applies rule 3: does nothing else while an own snapshot is in progress (I8).
    pub(super) fn under_way(&self) -> Option<Step> {
        for (snapshot, place) in self.own() {
            let rotation = &self.policy.rotations[place.rotation];
            let note = self.history.slot(&rotation.name, &snapshot.name);
            let unsettled = note.filter(|note| note.ending.is_none());
            match &snapshot.status {
                Status::InProgress | Status::Unknown(_) if !self.stuck(snapshot) => {
                    return Some(self.poll(&format!("{} is in progress", snapshot.name)));
                }
                Status::InProgress | Status::Unknown(_) => {
                    if !self.history.stuck.contains(&snapshot.id) {
                        return Some(Step::Record(ServerEvent::SnapshotStuck {
                            snapshot: snapshot.name.clone().into(),
                            id: snapshot.id.clone(),
                        }));
                    }
                    if let Some(note) = unsettled {
                        let reason = format!("{} is stuck", snapshot.name);
                        return Some(ended(rotation, note, SlotOutcome::GivenUp, reason));
                    }
                }
                Status::Completed => {
                    let awaited = self.history.has_open_create_of(&snapshot.id)
                        || self.history.seen.contains_key(&snapshot.id)
                        || self.awaits(snapshot);
                    if awaited {
                        return Some(Step::Record(ServerEvent::SnapshotCompleted {
                            snapshot: snapshot.name.clone().into(),
                            id: snapshot.id.clone(),
                            pays: Some(self.can_pay(snapshot, Some(place))),
                        }));
                    }
                    // A snapshot that was completed late still settles its slot.
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
                Status::Failed if self.history.has_open_create_of(&snapshot.id) => {
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

    /// Returns true if the snapshot has been in progress for too long, according to this process's
    /// observation or an earlier one's record. Dates don't count: with a wall clock that is ahead,
    /// a new snapshot would look old (I8).
    pub(super) fn stuck(&self, snapshot: &Snapshot) -> bool {
        self.history.stuck.contains(&snapshot.id) || self.long(self.seen_for(&snapshot.id))
    }

    /// Returns how long this process has seen the snapshot unfinished.
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
        snapshot: snapshot.into(),
        id,
        reason: "the provider reports that it failed".to_owned(),
    }
}

pub(super) fn create_result(name: &str, outcome: Outcome, id: Option<SnapshotId>) -> ServerEvent {
    ServerEvent::CreateResult {
        snapshot: name.into(),
        outcome,
        id,
        server_name: None,
        looked_for: true,
        hindrance: None,
        said: None,
    }
}

#[cfg(test)]
#[path = "in_flight_rules_tests.rs"]
mod tests;
