//! What the trail says of one server, as a value: facts folded in the order of the trail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::fact::{Ending, Fact, Now, Outcome, When};
use super::policy::Policy;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// A mutation whose effect has not been seen yet.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
const REMEMBERED: usize = 16;

/// What the trail says of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The time of the server's first record.
    pub first_record: Option<Timestamp>,
    /// Since when it is paused.
    pub paused: Option<Timestamp>,
    /// When the last restore was sent.
    pub restore: Option<When>,
    /// The newest mutation intent, unless `resume` has set the clock right since.
    pub last_intent: Option<Timestamp>,
    /// When the last mutation was answered in this process.
    pub last_answer: Option<SignedDuration>,
    /// The open mutation, one at most (I5).
    pub open: Option<Open>,
    /// Every id listed at the last prune-first that is not made good yet (I7).
    pub prune_first: Option<BTreeSet<SnapshotId>>,
    /// Deletes refused in a row.
    pub refused_deletes: u32,
    /// When the last delete was refused.
    pub last_refusal: Option<When>,
    /// The server's name in the last answer to a create.
    pub answered_name: Option<String>,
    /// When an unfinished own snapshot was first seen.
    pub seen: BTreeMap<SnapshotId, When>,
    slots: BTreeMap<String, VecDeque<SlotNote>>,
}

impl History {
    /// Folds one fact in. `grace` is added to the wait for an intent that an earlier
    /// process left unanswered: its call may have run for the whole `request_timeout`.
    pub fn apply(&mut self, fact: &Fact, at: When, grace: SignedDuration) {
        self.first_record.get_or_insert(at.wall);
        let after_call = When {
            wall: at.wall.saturating_add(grace).unwrap_or(at.wall),
            mono: at.mono,
        };
        match fact {
            Fact::ServerAdded => {}
            Fact::SlotDue {
                rotation,
                name,
                slot,
            } => {
                self.note(rotation, name, *slot);
            }
            Fact::SlotEnded {
                rotation,
                name,
                slot,
                ending,
                ..
            } => {
                self.note(rotation, name, *slot).ending = Some(*ending);
            }
            Fact::CreateIntent { name, known } => {
                self.last_intent = Some(at.wall);
                let (name, known) = (name.clone(), known.clone());
                self.open = Some(Open::Create {
                    name,
                    known,
                    id: None,
                    since: after_call,
                });
            }
            Fact::CreateResult {
                name,
                outcome,
                id,
                server_name,
            } => {
                self.answer(at);
                if server_name.is_some() {
                    self.answered_name.clone_from(server_name);
                }
                match (outcome, &mut self.open) {
                    (
                        Outcome::Done | Outcome::Unknown,
                        Some(Open::Create {
                            id: open, since, ..
                        }),
                    ) => {
                        *open = *id;
                        *since = if *outcome == Outcome::Done {
                            at
                        } else {
                            after_call
                        };
                    }
                    (Outcome::Failed | Outcome::Later, _) => {
                        self.open = None;
                        self.tried(name, at, *outcome == Outcome::Failed);
                    }
                    _ => {}
                }
            }
            Fact::DeleteIntent {
                id, prune_first, ..
            } => {
                self.last_intent = Some(at.wall);
                if prune_first.is_some() {
                    self.prune_first.clone_from(prune_first);
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
                    (Outcome::Failed | Outcome::Later, _) => {
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
                    .is_some_and(|known| !known.contains(id))
                {
                    self.prune_first = None;
                }
            }
            Fact::SnapshotFailed { id, name } => {
                self.seen.remove(id);
                if matches!(&self.open, Some(Open::Create { name: open, .. }) if open == name) {
                    self.open = None;
                }
                self.tried(name, at, true);
            }
            Fact::Paused => self.paused = Some(at.wall),
            Fact::Resumed => {
                self.paused = None;
                self.last_intent = None;
            }
            Fact::RestoreIntent { .. } => {
                self.last_intent = Some(at.wall);
                self.restore = Some(at);
            }
        }
    }

    /// Notes what a valid listing shows, in memory only: since when an unfinished own
    /// snapshot is known, and that a created one was still there.
    pub fn observe(&mut self, policy: &Policy, snapshots: &[Snapshot], now: Now) {
        let unfinished = |s: &&Snapshot| {
            matches!(s.status, Status::InProgress | Status::Unknown(_))
                && policy.place(&s.name).is_some()
        };
        let ids: BTreeSet<_> = snapshots.iter().filter(unfinished).map(|s| s.id).collect();
        self.seen.retain(|id, _| ids.contains(id));
        for id in ids {
            self.seen.entry(id).or_insert_with(|| now.into());
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

    /// What is remembered of the slot of this name.
    pub fn slot(&self, rotation: &str, name: &str) -> Option<&SlotNote> {
        self.slots
            .get(rotation)?
            .iter()
            .find(|note| note.name == name)
    }

    /// The slots of a rotation that have no ending yet, in the order of the trail.
    pub fn unsettled<'a>(&'a self, rotation: &str) -> impl Iterator<Item = &'a SlotNote> {
        self.slots
            .get(rotation)
            .into_iter()
            .flatten()
            .filter(|note| note.ending.is_none())
    }

    /// The newest slot of a rotation that the trail knows.
    pub fn newest(&self, rotation: &str) -> Option<&SlotNote> {
        self.slots.get(rotation)?.iter().max_by_key(|note| note.at)
    }

    fn answer(&mut self, at: When) {
        if at.mono.is_some() {
            self.last_answer = at.mono;
        }
    }

    fn note(&mut self, rotation: &str, name: &str, at: Timestamp) -> &mut SlotNote {
        let notes = self.slots.entry(rotation.to_owned()).or_default();
        if let Some(index) = notes.iter().position(|note| note.name == name) {
            return &mut notes[index];
        }
        if notes.len() == REMEMBERED {
            notes.pop_front();
        }
        let name = name.to_owned();
        notes.push_back(SlotNote {
            name,
            at,
            ending: None,
            attempts: 0,
            tries: 0,
            last_try: None,
        });
        let last = notes.len() - 1;
        &mut notes[last]
    }

    fn tried(&mut self, name: &str, at: When, counts: bool) {
        let notes = self.slots.values_mut().flatten();
        for note in notes.filter(|note| note.name == name && note.ending.is_none()) {
            note.attempts += u32::from(counts);
            note.tries += 1;
            note.last_try = Some(at);
        }
    }
}
