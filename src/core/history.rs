//! What the trail says of one server, as a value: facts folded in the order of the trail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::fact::{AlertKind, Ending, Fact, Now, Outcome, When};
use super::policy::Policy;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// A mutation whose effect has not been seen yet.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// A create.
    Create {
        name: String,
        known: BTreeSet<SnapshotId>,
        id: Option<SnapshotId>,
        since: When,
    },
    /// A delete.
    Delete { id: SnapshotId, since: When },
}

/// What is remembered of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotNote {
    /// The name of its snapshot.
    pub name: String,
    /// Its scheduled instant.
    pub at: Timestamp,
    /// How it ended; `None` while unsettled.
    pub ending: Option<Ending>,
    /// Attempts that count.
    pub attempts: u32,
    /// All tries, for the pause's length.
    pub tries: u32,
    /// When the last try ended.
    pub last_try: Option<When>,
}

impl SlotNote {
    /// How the slot ends when its time has passed: given up if it was ever tried.
    pub fn passed(&self) -> Ending {
        if self.tries > 0 {
            Ending::GivenUp
        } else {
            Ending::Skipped
        }
    }
}

/// Slots remembered for each rotation; older ones are overtaken for good.
const REMEMBERED: usize = 6;

/// A prune-first that no completed snapshot has made good yet (I7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneFirst {
    /// What was given up; while a listing still shows it, nothing was lost.
    pub victim: SnapshotId,
    /// Every id that was listed then.
    pub known: BTreeSet<SnapshotId>,
}

/// Since when an unfinished own snapshot is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The first sight of it in this process.
    pub since: When,
    /// Its age then, as far as it was known.
    pub before: SignedDuration,
}

/// What is remembered of one rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RotationNotes {
    /// Since when it is under care; `None` when it left the policy.
    since: Option<Timestamp>,
    slots: VecDeque<SlotNote>,
}

/// What the trail says of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Since when it is paused.
    pub paused: Option<Timestamp>,
    /// When the last pause ended.
    pub resumed: Option<Timestamp>,
    /// When the last restore was sent.
    pub restore: Option<When>,
    /// The newest mutation intent, unless `resume` has set the clock right since.
    pub last_intent: Option<Timestamp>,
    /// When the last mutation was answered in this process.
    #[serde(skip)]
    pub last_answer: Option<SignedDuration>,
    /// The open mutation, one at most (I5).
    pub open: Option<Open>,
    /// The prune-first that is not made good yet (I7).
    pub prune_first: Option<PruneFirst>,
    /// Deletes refused in a row.
    pub refused_deletes: u32,
    /// When the last delete was refused.
    pub last_refusal: Option<When>,
    /// The server's name in the last answer to a create.
    pub answered_name: Option<String>,
    /// Whether its policy went; what was open stays so, for the case that it returns.
    pub removed: bool,
    /// Whether the last create was answered by "no such server".
    pub no_server: bool,
    /// Why the server is blocked, if it is.
    pub blocked: Option<String>,
    /// The alerts that stand, with their reasons.
    #[serde(with = "alert_rows")]
    pub alerts: BTreeMap<(AlertKind, String), String>,
    /// When an unfinished own snapshot was first seen.
    pub seen: BTreeMap<SnapshotId, Seen>,
    rotations: BTreeMap<String, RotationNotes>,
}

/// Alerts as rows, since JSON has no keys of two parts.
mod alert_rows {
    use super::{AlertKind, BTreeMap, Deserialize, Serialize};

    type Alerts = BTreeMap<(AlertKind, String), String>;

    pub(super) fn serialize<S: serde::Serializer>(
        alerts: &Alerts,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let rows: Vec<_> = alerts.iter().collect();
        rows.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Alerts, D::Error> {
        Vec::deserialize(deserializer).map(|rows: Vec<_>| rows.into_iter().collect())
    }
}

impl History {
    /// Folds one fact in. `grace` is added to the wait for an intent that an earlier
    /// process left unanswered: its call may have run for the whole `request_timeout`.
    pub fn apply(&mut self, fact: &Fact, at: When, grace: SignedDuration) {
        let after_call = When {
            wall: at.wall.saturating_add(grace).unwrap_or(at.wall),
            mono: at.mono,
        };
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
                for notes in self.rotations.values_mut() {
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
            }
            Fact::SlotSkipped {
                rotation,
                slot,
                snapshot,
                paused,
                ..
            } => {
                let ending = if *paused {
                    Ending::Paused
                } else {
                    Ending::Skipped
                };
                self.end(rotation, snapshot, *slot, ending);
            }
            Fact::SlotGivenUp {
                rotation,
                slot,
                snapshot,
                ..
            } => {
                self.end(rotation, snapshot, *slot, Ending::GivenUp);
            }
            Fact::CreateIntent {
                snapshot, known, ..
            } => {
                self.last_intent = Some(at.wall);
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
                id, prune_first, ..
            } => {
                self.last_intent = Some(at.wall);
                if let Some(known) = prune_first {
                    self.prune_first = Some(PruneFirst {
                        victim: *id,
                        known: known.clone(),
                    });
                }
                // A delete that is sent again had no effect so far: it counts as refused.
                if matches!(&self.open, Some(Open::Delete { id: open, .. }) if open == id) {
                    self.refused_deletes += 1;
                    self.last_refusal = Some(at);
                }
                self.open = Some(Open::Delete {
                    id: *id,
                    since: after_call,
                });
            }
            Fact::DeleteResult { outcome, .. } => {
                self.answer(at);
                match (outcome, &mut self.open) {
                    (Outcome::Done | Outcome::Unknown, Some(Open::Delete { since, .. })) => {
                        *since = at;
                    }
                    (Outcome::Failed | Outcome::NoServer | Outcome::Later, _) => {
                        self.open = None;
                        self.refused_deletes += 1;
                        self.last_refusal = Some(at);
                    }
                    _ => {}
                }
            }
            Fact::DeleteConfirmed { .. } => {
                self.open = None;
                self.refused_deletes = 0;
                self.last_refusal = None;
            }
            Fact::SnapshotCompleted { id, .. } => {
                self.seen.remove(id);
                if matches!(&self.open, Some(Open::Create { id: open, .. }) if *open == Some(*id)) {
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
            Fact::SnapshotFailed { id, snapshot, .. } => {
                self.seen.remove(id);
                if matches!(&self.open, Some(Open::Create { id: open, .. }) if *open == Some(*id)) {
                    self.open = None;
                }
                self.tried(snapshot, at, true);
            }
            Fact::SnapshotStuck { id, .. } => {
                if matches!(&self.open, Some(Open::Create { id: open, .. }) if *open == Some(*id)) {
                    self.open = None;
                }
            }
            Fact::Blocked { reason } => self.blocked = Some(reason.clone()),
            Fact::Recovered { .. } => self.blocked = None,
            Fact::AlertRaised {
                alert,
                about,
                reason,
            } => {
                self.alerts.insert((*alert, about.clone()), reason.clone());
            }
            Fact::AlertCleared { alert, about } => {
                self.alerts.remove(&(*alert, about.clone()));
            }
            Fact::Paused => self.paused = Some(at.wall),
            Fact::Resumed => {
                self.paused = None;
                self.resumed = Some(at.wall);
                self.last_intent = None;
            }
            Fact::RestoreIntent { .. } => {
                self.last_intent = Some(at.wall);
                self.restore = Some(at);
            }
            Fact::RestoreResult { .. } => self.answer(at),
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
                if let Some(id) = id {
                    let before = SignedDuration::ZERO;
                    self.seen.insert(id, Seen { since: at, before });
                }
            }
            (Outcome::Failed | Outcome::NoServer | Outcome::Later, _) => {
                self.open = None;
                self.tried(name, at, outcome != Outcome::Later);
            }
            _ => {}
        }
    }

    /// Notes what a valid listing shows, in memory only: since when an unfinished own
    /// snapshot is known, and that a created one was still there.
    pub fn observe(&mut self, policy: &Policy, snapshots: &[Snapshot], now: Now) {
        let unfinished = |s: &&Snapshot| {
            matches!(s.status, Status::InProgress | Status::Unknown(_))
                && policy.place(&s.name).is_some()
        };
        let rows: BTreeMap<_, _> = snapshots
            .iter()
            .filter(unfinished)
            .map(|s| (s.id, s.created_at))
            .collect();
        let open = match &self.open {
            Some(Open::Create { id, .. }) => *id,
            _ => None,
        };
        self.seen
            .retain(|id, _| rows.contains_key(id) || open == Some(*id));
        for (id, created_at) in rows {
            let age = created_at.map_or(SignedDuration::ZERO, |at| now.wall.duration_since(at));
            let seen = self.seen.entry(id).or_insert(Seen {
                since: now.into(),
                before: age.max(SignedDuration::ZERO),
            });
            // From here on only the monotonic clock makes it older: a leaping wall clock
            // makes nothing stuck (I8).
            if seen.since.mono.is_none() {
                seen.before += seen.since.elapsed(now);
                seen.since = now.into();
            }
        }
        if let Some(Open::Create {
            id: Some(id),
            since,
            ..
        }) = &mut self.open
            && snapshots.iter().any(|s| s.id == *id)
        {
            *since = now.into();
        }
    }

    /// Since when the rotation is under care.
    pub fn since(&self, rotation: &str) -> Option<Timestamp> {
        self.rotations.get(rotation)?.since
    }

    /// The rotations under care.
    pub fn rotations(&self) -> impl Iterator<Item = &str> {
        let known = self.rotations.iter();
        known.filter_map(|(name, notes)| notes.since.map(|_| name.as_str()))
    }

    /// What is remembered of the slot of this name.
    pub fn slot(&self, rotation: &str, name: &str) -> Option<&SlotNote> {
        self.slots(rotation).find(|note| note.name == name)
    }

    /// The slots of a rotation that are remembered, in the order of the trail.
    pub fn slots<'a>(&'a self, rotation: &str) -> impl DoubleEndedIterator<Item = &'a SlotNote> {
        let notes = self.rotations.get(rotation);
        notes.into_iter().flat_map(|notes| notes.slots.iter())
    }

    /// The slots of a rotation that have no ending yet, in the order of the trail.
    pub fn unsettled<'a>(&'a self, rotation: &str) -> impl Iterator<Item = &'a SlotNote> {
        self.slots(rotation).filter(|note| note.ending.is_none())
    }

    /// The newest slot of a rotation that the trail knows.
    pub fn newest(&self, rotation: &str) -> Option<&SlotNote> {
        self.slots(rotation).max_by_key(|note| note.at)
    }

    fn answer(&mut self, at: When) {
        if at.mono.is_some() {
            self.last_answer = at.mono;
        }
    }

    fn notes(&mut self, rotation: &str) -> &mut RotationNotes {
        self.rotations.entry(rotation.to_owned()).or_default()
    }

    fn note(&mut self, rotation: &str, name: &str, at: Timestamp) -> &mut SlotNote {
        let notes = &mut self.notes(rotation).slots;
        if let Some(index) = notes.iter().position(|note| note.name == name) {
            return &mut notes[index];
        }
        if notes.len() == REMEMBERED {
            notes.pop_front();
        }
        notes.push_back(SlotNote {
            name: name.to_owned(),
            at,
            ending: None,
            attempts: 0,
            tries: 0,
            last_try: None,
        });
        let last = notes.len() - 1;
        &mut notes[last]
    }

    /// A slot ends; one that is settled by a completed snapshot stays so.
    fn end(&mut self, rotation: &str, name: &str, at: Timestamp, ending: Ending) {
        let note = self.note(rotation, name, at);
        if note.ending != Some(Ending::Completed) {
            note.ending = Some(ending);
        }
    }

    fn tried(&mut self, name: &str, at: When, counts: bool) {
        let notes = self.rotations.values_mut().flat_map(|r| r.slots.iter_mut());
        for note in notes.filter(|note| note.name == name && note.ending.is_none()) {
            note.attempts += u32::from(counts);
            note.tries += 1;
            note.last_try = Some(at);
        }
    }
}
