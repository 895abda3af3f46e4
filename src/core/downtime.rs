//! Downtimes: a server that a rotation stops for its snapshot, as the trail tells it. `restart.rs`
//! says when its start is due.
//!
//! From the moment that a stop is intended the start is owed, until the server is seen active
//! (I20). A downtime outlives its process: the next one goes on with the same stop.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::create_outcome::FailedTry;
use super::event::{ClockReading, Outcome, RecordedAt, ServerEvent};
use super::server_history::ServerHistory;
use super::snapshot::ServerId;

/// Starts that failed, from which on `once` leaves the server to the next process.
const HOPELESS: u32 = 5;

/// The state of a server, as the provider tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// It runs.
    Active,
    /// It is shut down.
    Stopped,
    /// Another word, such as `suspended`.
    Other(Box<str>),
    /// It couldn't be asked for.
    Untold(Box<str>),
    /// The provider doesn't tell: 404 or 405.
    NotOffered,
}

impl PowerState {
    /// The state of this word.
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
    /// Its name, where it was told.
    pub name: Option<String>,
    /// Its host name, where that is another.
    pub hostname: Option<String>,
    /// Its other id, where it has two.
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
    /// The rotation that asks for it.
    pub rotation: String,
    /// The snapshot that it is stopped for.
    pub snapshot: String,
    /// When the stop was intended.
    pub since: RecordedAt,
    /// It was seen stopped.
    pub stopped: bool,
    /// The snapshot's create was sent.
    pub created: bool,
    /// Starts that were sent.
    pub starts: u32,
    /// When the call of the last start is over at the latest.
    pub started: Option<RecordedAt>,
    /// The outcome of the last call; `None`: nobody knows yet.
    pub answer: Option<Outcome>,
    /// A start was taken since it was seen stopped.
    pub taken: bool,
    /// How the last start was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Box<str>>,
    /// Since when this process sees it active after the last start.
    #[serde(skip)]
    pub active: Option<SignedDuration>,
}

impl Downtime {
    /// The record of a call whose answer went with the process that sent it, or couldn't be written.
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

    /// Returns true if the stop was refused: it may take effect all the same, so the server is
    /// watched for a while. Once it is seen stopped its start is owed.
    pub(super) fn is_doubtful(&self) -> bool {
        let refused = matches!(
            self.answer,
            Some(Outcome::Failed | Outcome::Later | Outcome::NoServer)
        );
        refused && self.starts == 0 && !self.stopped
    }

    /// Returns true if `once` has tried for long enough.
    pub fn hopeless(&self) -> bool {
        self.starts >= HOPELESS && self.active.is_none()
    }
}

impl ServerHistory {
    /// Takes in what a power call or the server's state tells.
    pub(super) fn powered(&mut self, fact: &ServerEvent, at: RecordedAt, after_call: RecordedAt) {
        match fact {
            ServerEvent::StopIntent {
                rotation, snapshot, ..
            } => {
                self.last_intent = Some(at.wall);
                for note in self.unsettled_named(snapshot) {
                    note.stops += 1;
                }
                self.downtime = Some(Box::new(Downtime {
                    rotation: rotation.clone(),
                    snapshot: snapshot.clone(),
                    since: at,
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
                // One that was refused did count for none.
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
                    // It may have taken effect after a start: that one is void.
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
                // It is sent though the clock may be behind, which says nothing of the clock.
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
            ServerEvent::StartConfirmed { .. } => self.downtime = None,
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

    /// No further attempt could end otherwise.
    fn out_of_attempts(&mut self, name: &str) {
        for note in self.unsettled_named(name) {
            note.attempts = u32::MAX;
        }
    }

    /// Returns true if the rotation stopped the server, and its start is owed; a stop that was
    /// refused counts once it is seen to have acted.
    pub fn is_down(&self) -> bool {
        let down = self.downtime.as_deref();
        down.is_some_and(|down| !down.is_doubtful())
    }

    /// The id for the next call about the server's power: the other one where the provider said
    /// last that it knows no such server.
    pub fn power_id(&self, server: &ServerId) -> ServerId {
        let unknown = self.downtime.as_deref().is_some_and(|downtime| {
            downtime.answer == Some(Outcome::NoServer) && downtime.starts % 2 == 1
        });
        let other = self.other_id().filter(|_| unknown);
        other.unwrap_or(server).clone()
    }

    /// The rotation for which the server is left without a start that was taken, when the service
    /// ends, and that in words.
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

    /// Takes in the server's state, as it was asked for at `now`; in memory only.
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
