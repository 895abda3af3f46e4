//! Downtimes: servers that a rotation stops for its snapshot, as recorded in the trail.
//! `server_restart.rs` decides when the start is due.
//!
//! The start is owed from the stop's intent until the server is seen active (I20). A downtime
//! survives its process: the next process continues it.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::create_outcome::FailedTry;
use super::event::{ClockReading, Outcome, RecordedAt, ServerEvent};
use super::server_history::ServerHistory;
use super::slot_log::SlotFailure;
use super::snapshot::ServerId;

/// Number of failed starts after which `once` leaves the server to the next process.
const HOPELESS: u32 = 5;

/// The state of a server, as the provider reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// It runs.
    Active,
    /// It is shut down.
    Stopped,
    /// Any other word, such as `suspended`.
    Other(Box<str>),
    /// The request for the state failed.
    Untold(Box<str>),
    /// The provider does not offer the state: 404 or 405.
    NotOffered,
}

impl PowerState {
    /// Parses the provider's word.
    pub fn of(word: &str) -> Self {
        match word {
            "active" => Self::Active,
            "stopped" => Self::Stopped,
            other => Self::Other(other.into()),
        }
    }
}

/// A server, as the provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its state.
    pub state: PowerState,
    /// Its name, if the provider gave one.
    pub name: Option<String>,
    /// Its host name, if that differs.
    pub hostname: Option<String>,
    /// Its other id, if it has two.
    pub other_id: Option<ServerId>,
}

impl From<PowerState> for ServerInfo {
    fn from(state: PowerState) -> Self {
        Self {
            state,
            name: None,
            hostname: None,
            other_id: None,
        }
    }
}

/// A server that a rotation stops for a snapshot; its start is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downtime {
    /// The rotation that stops it.
    pub rotation: String,
    /// The snapshot that it is stopped for.
    pub snapshot: String,
    /// Time of the stop's intent.
    pub since: RecordedAt,
    /// The longest downtime by the policy that the stop was sent by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<SignedDuration>,
    /// True once the server was seen stopped.
    pub stopped: bool,
    /// True once the snapshot's create was sent.
    pub created: bool,
    /// Number of starts sent.
    pub starts: u32,
    /// Latest end of the last start's call.
    pub started: Option<RecordedAt>,
    /// Outcome of the last call; `None` until it is recorded.
    pub answer: Option<Outcome>,
    /// True if a start was accepted after the server was seen stopped.
    pub taken: bool,
    /// The reason with which the last start was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Box<str>>,
    /// Since when this process has seen the server active after the last start.
    #[serde(skip)]
    pub active: Option<SignedDuration>,
}

impl Downtime {
    /// Returns the record of a call whose answer was lost with its process or could not be written.
    pub(super) fn unanswered(&self) -> Option<ServerEvent> {
        if self.answer.is_some() {
            return None;
        }
        let (snapshot, outcome, said) = (self.snapshot.clone(), Outcome::Unknown, None);
        Some(if self.starts == 0 {
            ServerEvent::StopResult {
                snapshot,
                outcome,
                said,
            }
        } else {
            ServerEvent::StartResult {
                snapshot,
                outcome,
                said,
            }
        })
    }

    /// Returns true if the stop was refused. It may take effect all the same, so the server is
    /// watched for a while. Once it is seen stopped, its start is owed.
    pub(super) fn is_doubtful(&self) -> bool {
        let refused = matches!(
            self.answer,
            Some(Outcome::Failed | Outcome::Later | Outcome::NoServer)
        );
        refused && self.starts == 0 && !self.stopped
    }

    /// Returns true if the server was stopped and its only start was accepted. With several starts,
    /// one may act late: on a server that is stopped for its next snapshot.
    pub(super) fn has_one_start(&self) -> bool {
        self.stopped && self.taken && self.starts == 1
    }

    /// Returns true if `once` has sent enough starts.
    pub fn hopeless(&self) -> bool {
        self.starts >= HOPELESS && self.active.is_none()
    }
}

impl ServerHistory {
    /// Applies an event of a power call or of the server's state.
    pub(super) fn powered(&mut self, fact: &ServerEvent, at: RecordedAt, after_call: RecordedAt) {
        match fact {
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
                // The stop was refused and not counted, but took effect.
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
                self.tried(snapshot, at, FailedTry::ForNow(None), reason);
                if *for_good {
                    self.out_of_attempts(snapshot);
                }
            }
            ServerEvent::StartIntent {
                snapshot, reason, ..
            } => {
                // A start is sent even while the clock is behind, so it must not set the last
                // intent back.
                self.last_intent = self.last_intent.max(Some(at.wall));
                let Some(downtime) = &mut self.downtime else {
                    return;
                };
                let first = downtime.starts == 0 && !downtime.created;
                downtime.starts += 1;
                (downtime.started, downtime.active) = (Some(after_call), None);
                (downtime.answer, downtime.refused) = (None, None);
                if first {
                    let tried = if downtime.stopped {
                        FailedTry::ForNow(None)
                    } else {
                        FailedTry::Counts
                    };
                    self.tried(snapshot, at, tried, reason);
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
            } => self.notes(rotation).ran = Some(Box::new(SlotFailure::of(snapshot, reason))),
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

    fn stop_answered(&mut self, name: &str, outcome: Outcome, said: Option<&str>, at: RecordedAt) {
        let why = match outcome {
            Outcome::Done | Outcome::Unknown => {
                if let Some(downtime) = &mut self.downtime {
                    downtime.answer = Some(outcome);
                }
                return;
            }
            Outcome::NoServer => "the provider doesn't offer to stop the server",
            Outcome::Later => "the stop was refused for now, or not delivered",
            Outcome::Failed => "the stop was refused",
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
        let told = said.map(|said| format!("{why}: the provider says \"{said}\""));
        self.tried(name, at, tried, told.as_deref().unwrap_or(why));
        if outcome == Outcome::NoServer {
            self.out_of_attempts(name);
        }
    }

    /// Gives up the slot's attempts: no further one could end differently.
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

    /// Returns the id for the next power call: the other id if the provider last answered that the
    /// server does not exist.
    pub fn power_id(&self, server: &ServerId) -> ServerId {
        let unknown = self.downtime.as_deref().is_some_and(|downtime| {
            downtime.answer == Some(Outcome::NoServer) && downtime.starts % 2 == 1
        });
        let other = self.other_id().filter(|_| unknown);
        other.unwrap_or(server).clone()
    }

    /// Returns the rotation and a message if the service ends while the server has no accepted
    /// start.
    pub fn left_stopped(&self) -> Option<(String, String)> {
        let downtime = self.downtime.as_deref()?;
        let runs = downtime.taken && downtime.active.is_some();
        if downtime.is_doubtful() || (runs && downtime.stopped) {
            return None;
        }
        let (what, then) = if runs {
            ("and the stop that it sent for", "may still take effect")
        } else {
            ("and the server that it stopped for", "may still be down")
        };
        let reason = format!(
            "the service ends, {what} {} {then}: start the server at the provider if it is down, or start the service again, which goes on with it",
            downtime.snapshot
        );
        Some((downtime.rotation.clone(), reason))
    }

    /// Stores the server's state as requested at `now`, in memory only.
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
