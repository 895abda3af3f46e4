//! Applies power calls and power states to a server's history.

use super::apply_create_outcome::FailedTry;
use super::downtime_record::Downtime;
use super::rotation_history::SlotFailure;
use super::server_event::{ClockReading, Outcome, RecordedAt, ServerEvent};
use super::server_history::ServerHistory;
use super::server_info::PowerState;
use super::snapshot::{ServerId, SnapshotId};

impl ServerHistory {
    /// Applies an event about a power call or about the server's state.
    pub(super) fn apply_power_event(
        &mut self,
        event: &ServerEvent,
        at: RecordedAt,
        after_call: RecordedAt,
    ) {
        match event {
            ServerEvent::StopIntent {
                rotation,
                snapshot,
                max_stopped,
                ..
            } => {
                self.last_intent = Some(at.wall);
                for note in self.unsettled_named(snapshot) {
                    note.stops += 1;
                }
                let notes = self.notes(rotation);
                notes.ran.take_if(|ran| *ran.name == **snapshot);
                self.downtime = Some(Box::new(Downtime {
                    rotation: rotation.clone(),
                    snapshot: snapshot.clone(),
                    since: at,
                    longest: *max_stopped,
                    stopped: false,
                    created: false,
                    released: None,
                    starts: 0,
                    started: None,
                    answer: None,
                    taken: false,
                    refused: None,
                    active: None,
                }));
            }
            ServerEvent::StopResult {
                snapshot,
                outcome,
                said,
            } => self.stop_answered(snapshot, *outcome, said.as_deref(), at),
            ServerEvent::StopConfirmed { snapshot, .. } => {
                // The refused stop was no longer counted, but has taken effect after all.
                if self
                    .downtime
                    .as_ref()
                    .is_some_and(|down| down.is_doubtful())
                {
                    for note in self.unsettled_named(snapshot) {
                        note.stops += 1;
                    }
                }
                if let Some(downtime) = &mut self.downtime {
                    downtime.stopped = true;
                    // The stop may have taken effect after a start; that start no longer counts.
                    downtime.taken = false;
                }
            }
            ServerEvent::StopWithheld {
                snapshot,
                reason,
                for_good,
                ..
            } => {
                let failed = SlotFailure::of(snapshot, reason, None);
                self.tried(at, FailedTry::ForNow(None), failed);
                if *for_good {
                    self.out_of_attempts(snapshot);
                }
            }
            ServerEvent::StartIntent {
                rotation,
                snapshot,
                early,
                reason,
            } => {
                // A start is sent even while the clock is behind, so it must not set the last
                // intent back.
                self.last_intent = self.last_intent.max(Some(at.wall));
                let Some(downtime) = &mut self.downtime else {
                    return;
                };
                // The refusal of a stop was already recorded as a try.
                let first = downtime.starts == 0 && !downtime.created && !downtime.is_doubtful();
                downtime.starts += 1;
                (downtime.started, downtime.active) = (Some(after_call), None);
                (downtime.answer, downtime.refused) = (None, None);
                if first {
                    let tried = if downtime.stopped {
                        FailedTry::ForNow(None)
                    } else {
                        FailedTry::Counts
                    };
                    self.tried(at, tried, SlotFailure::of(snapshot, reason, None));
                }
                if *early {
                    self.ran_meanwhile(
                        rotation,
                        snapshot,
                        &format!(
                            "a start of the server was sent before the snapshot was seen completed: {reason}"
                        ),
                    );
                }
            }
            ServerEvent::StartResult { outcome, said, .. } => {
                if let Some(downtime) = &mut self.downtime {
                    downtime.started = Some(match outcome {
                        Outcome::Unknown => after_call,
                        _ => at,
                    });
                    downtime.answer = Some(*outcome);
                    downtime.taken |= *outcome == Outcome::Done;
                    downtime.refused = said.as_deref().map(Into::into);
                }
            }
            ServerEvent::ServerRan {
                rotation,
                snapshot,
                reason,
            } => self.ran_meanwhile(rotation, snapshot, reason),
            ServerEvent::StartConfirmed { rotation, .. } => {
                let ended = self.downtime.take().filter(|downtime| downtime.created);
                if let Some(Downtime { snapshot, .. }) = ended.as_deref() {
                    let notes = self.notes(rotation);
                    notes.ran.take_if(|ran| *ran.name != **snapshot);
                }
            }
            _ => {}
        }
    }

    /// Stores why the snapshot may be that of a running server.
    pub(super) fn ran_meanwhile(&mut self, rotation: &str, snapshot: &str, why: &str) {
        let why = format!("{snapshot} may be a snapshot of the running server: {why}");
        self.notes(rotation).ran = Some(Box::new(SlotFailure::of(snapshot, &why, None)));
    }

    /// Records that the server may have been running, if a create took effect only after the server
    /// was started again.
    pub(super) fn made_late(&mut self, id: &SnapshotId, snapshot: &str) {
        let mut lapsed = self.lapsed.iter();
        let late = lapsed.any(|l| *l.name == *snapshot && !l.known.contains(id));
        let down = self.downtime.as_deref();
        let down = down.is_some_and(|down| down.stopped && down.starts == 0);
        if !late || down || self.has_open_slot_create_of(id) {
            return;
        }
        let stopping = self.rotations.iter().find(|notes| {
            let mut slots = notes.slots.iter();
            slots.any(|note| note.name == snapshot && note.stops > 0)
        });
        if let Some(rotation) = stopping.map(|notes| notes.name.clone()) {
            let why = "its create request took effect after the server was started again";
            self.ran_meanwhile(&rotation, snapshot, why);
        }
    }

    fn stop_answered(&mut self, name: &str, outcome: Outcome, said: Option<&str>, at: RecordedAt) {
        let why = match outcome {
            Outcome::Done | Outcome::Unknown => {
                if let Some(downtime) = &mut self.downtime {
                    downtime.answer = Some(outcome);
                }
                return;
            }
            Outcome::NoServer => "the provider doesn't support stopping the server",
            Outcome::Later => "the stop request was temporarily refused, or not delivered",
            Outcome::Failed => "the stop request was refused",
        };
        if let Some(downtime) = &mut self.downtime {
            downtime.answer = Some(outcome);
        }
        for note in self.unsettled_named(name) {
            note.stops = note.stops.saturating_sub(1);
        }
        let tried = match outcome {
            Outcome::Later => FailedTry::ForNow(None),
            _ => FailedTry::Counts,
        };
        self.tried(at, tried, SlotFailure::of(name, why, said));
        if outcome == Outcome::NoServer {
            self.out_of_attempts(name);
        }
    }

    /// Counts the slot's attempts as used up, since no further one could end differently.
    fn out_of_attempts(&mut self, name: &str) {
        for note in self.unsettled_named(name) {
            note.attempts = u32::MAX;
        }
    }

    /// Returns true if the rotation stopped the server and its start is owed. A refused stop counts
    /// once the server is seen stopped.
    pub fn is_down(&self) -> bool {
        let down = self.downtime.as_deref();
        down.is_some_and(|down| !down.is_doubtful())
    }

    /// Returns the server's id for the next power call or state request. After an odd number of
    /// starts, it is the other id if the provider answered that the server does not exist.
    pub fn power_id(&self, server: &ServerId) -> ServerId {
        let unknown = self.downtime.as_deref().is_some_and(|downtime| {
            downtime.answer == Some(Outcome::NoServer) && downtime.starts % 2 == 1
        });
        let other = self.other_id().filter(|_| unknown);
        other.unwrap_or(server).clone()
    }

    /// Returns the rotation and a message if the service ends while the server may still be down,
    /// or its stop may still take effect.
    pub fn left_stopped(&self) -> Option<(String, String)> {
        let downtime = self.downtime.as_deref()?;
        let runs = downtime.taken && downtime.active.is_some();
        let doubtful = downtime.is_doubtful();
        if runs && downtime.stopped {
            return None;
        }
        let (what, then) = if runs || doubtful {
            ("the stop request that it sent for", "may still take effect")
        } else {
            ("the server that it stopped for", "may still be down")
        };
        let reason = format!(
            "the service is stopping, and {what} {} {then}: if the server is down, start it at the provider, or start the service again, which then starts the server",
            downtime.snapshot
        );
        Some((downtime.rotation.clone().into(), reason))
    }

    /// Stores, in memory only, the server's state that a request at `now` returned.
    pub fn observe_state(&mut self, state: Option<&PowerState>, now: ClockReading) {
        let Some(downtime) = &mut self.downtime else {
            return;
        };
        match state {
            Some(PowerState::Active) => drop(downtime.active.get_or_insert(now.mono)),
            _ => downtime.active = None,
        }
    }
}
