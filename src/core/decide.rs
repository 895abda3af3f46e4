//! The one decision: what to do next on one server, and why.
//!
//! First match wins: held, doubt, open intent, under way, due, surplus, idle (DESIGN.md,
//! section 2). The caller performs the step, records it, looks again and asks again.

use jiff::{SignedDuration, Timestamp};

use super::history::{Ending, Fact, History, Now, Open, Outcome, SlotNote, When};
use super::policy::{Place, Policy, Rotation, Rules, WhenFull};
use super::retention::{self, Own};
use super::schedule::Slot;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// The clock may lie this far behind the newest intent, and a date this far ahead.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The longest pause between two attempts.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// A server's listing at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The server's name in the listing; `None` when it shows no row.
    pub server_name: Option<String>,
    /// All snapshots of the server.
    pub snapshots: Vec<Snapshot>,
    /// When the listing was requested, by the monotonic clock.
    pub requested: SignedDuration,
    /// Why the listing can't be relied on.
    pub doubt: Option<String>,
}

/// What to do next.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this fact to the trail, then ask again.
    Record(Fact),
    /// Create the slot's snapshot.
    Create {
        rotation: String,
        name: String,
        reason: String,
    },
    /// Delete this snapshot; `prune_first` where it makes room for a create (I7).
    Delete {
        id: SnapshotId,
        name: String,
        prune_first: bool,
        reason: String,
    },
    /// Something is under way: look again after this long.
    Wait {
        pause: SignedDuration,
        reason: String,
    },
    /// Nothing may be done until something outside changes.
    Blocked { reason: String },
    /// All is as it should be until this instant.
    Idle { until: Option<Timestamp> },
}

/// Decides the next step on one server.
pub fn decide(
    policy: &Policy,
    inventory: &Inventory,
    history: &History,
    rules: &Rules,
    now: Now,
) -> Step {
    let server = Server {
        policy,
        inventory,
        history,
        rules,
        now,
    };
    let held = || server.held();
    held()
        .or_else(|| server.doubt())
        .or_else(|| server.open_intent())
        .or_else(|| server.under_way())
        .unwrap_or_else(|| server.due_or_surplus())
}

struct Server<'a> {
    policy: &'a Policy,
    inventory: &'a Inventory,
    history: &'a History,
    rules: &'a Rules,
    now: Now,
}

impl Server<'_> {
    /// Rule 0. Paused, or a restore began a short while ago (I12).
    fn held(&self) -> Option<Step> {
        if self.history.paused.is_some() {
            return Some(Step::Idle { until: None });
        }
        let left = self.rules.restore_window - self.history.restore?.elapsed(self.now);
        (left > SignedDuration::ZERO).then(|| Step::Idle {
            until: self.now.wall.checked_add(left).ok(),
        })
    }

    /// Rule 1. A listing, a name or a clock that can't be relied on (I11).
    fn doubt(&self) -> Option<Step> {
        let blocked = |reason: String| Some(Step::Blocked { reason });
        if let Some(doubt) = &self.inventory.doubt {
            return blocked(format!("the listing can't be relied on: {doubt}"));
        }
        let reported = self
            .inventory
            .server_name
            .as_ref()
            .or(self.history.answered_name.as_ref());
        if let (Some(wanted), Some(reported)) = (&self.policy.name, reported)
            && wanted != reported
        {
            return blocked(format!(
                "the provider calls this server {reported:?}, the policy {wanted:?}"
            ));
        }
        if let Some(last) = self.history.last_intent
            && last.duration_since(self.now.wall) > CLOCK_TOLERANCE
        {
            return blocked(format!(
                "the clock is behind the trail's last intent of {last}"
            ));
        }
        if self.history.first_record.is_none() {
            return Some(Step::Record(Fact::ServerAdded));
        }
        // I4: only a listing requested after the last answer justifies anything.
        if self
            .history
            .last_answer
            .is_some_and(|answer| self.inventory.requested < answer)
        {
            return Some(self.poll("the listing is older than the last mutation"));
        }
        None
    }

    /// Rule 2. A mutation whose effect hasn't been seen is resolved before any other (I5).
    fn open_intent(&self) -> Option<Step> {
        match self.history.open.as_ref()? {
            Open::Create {
                name,
                known,
                id,
                since,
            } => {
                let shown = |s: &&Snapshot| match id {
                    Some(id) => s.id == *id,
                    None => s.name == *name && !known.contains(&s.id),
                };
                match (self.inventory.snapshots.iter().find(shown), id) {
                    (Some(_), Some(_)) => None,
                    (Some(found), None) => Some(Step::Record(create_result(
                        name,
                        Outcome::Done,
                        Some(found.id),
                    ))),
                    // I9: not sent again while the earlier one may still happen.
                    (None, _) if since.elapsed(self.now) < self.rules.settle_window => {
                        Some(self.poll(&format!("whether {name} was made isn't known yet")))
                    }
                    (None, Some(id)) => Some(Step::Record(Fact::SnapshotFailed {
                        id: *id,
                        name: name.clone(),
                    })),
                    (None, None) => Some(Step::Record(create_result(name, Outcome::Failed, None))),
                }
            }
            Open::Delete { id, since } => {
                if !self.inventory.snapshots.iter().any(|s| s.id == *id) {
                    return Some(Step::Record(Fact::DeleteConfirmed { id: *id }));
                }
                let waited = since.elapsed(self.now);
                let again = self.due_or_surplus();
                match again {
                    Step::Delete { id: candidate, .. } if candidate == *id => {
                        let left = self.pause(&id.0.to_string(), self.history.refused_deletes + 1)
                            - waited;
                        if left <= SignedDuration::ZERO {
                            Some(again)
                        } else {
                            Some(self.poll("a delete isn't seen yet"))
                        }
                    }
                    _ if waited < self.rules.settle_window => {
                        Some(self.poll("a delete isn't seen yet"))
                    }
                    _ => Some(Step::Record(Fact::DeleteResult {
                        id: *id,
                        outcome: Outcome::Failed,
                    })),
                }
            }
        }
    }

    /// Rule 3. While an own snapshot is under way nothing else is done (I8).
    fn under_way(&self) -> Option<Step> {
        for (snapshot, place) in self.own() {
            let rotation = &self.policy.rotations[place.rotation];
            let note = self.history.slot(&rotation.name, &snapshot.name);
            let unsettled = note.filter(|note| note.ending.is_none());
            match snapshot.status {
                Status::InProgress | Status::Unknown(_) if !self.stuck(snapshot) => {
                    return Some(self.poll(&format!("{} is under way", snapshot.name)));
                }
                Status::InProgress | Status::Unknown(_) => {
                    if let Some(note) = unsettled {
                        let reason = format!("{} is stuck", snapshot.name);
                        return Some(ended(rotation, note, Ending::GivenUp, reason));
                    }
                }
                Status::Completed => {
                    let awaited =
                        self.awaited(snapshot.id) || self.history.seen.contains_key(&snapshot.id);
                    let (id, name) = (snapshot.id, snapshot.name.clone());
                    if awaited {
                        return Some(Step::Record(Fact::SnapshotCompleted { id, name }));
                    }
                    if let Some(note) = unsettled {
                        return Some(ended(
                            rotation,
                            note,
                            Ending::Completed,
                            "completed".to_owned(),
                        ));
                    }
                }
                Status::Failed if self.awaited(snapshot.id) => {
                    let (id, name) = (snapshot.id, snapshot.name.clone());
                    return Some(Step::Record(Fact::SnapshotFailed { id, name }));
                }
                Status::Failed => {}
            }
        }
        None
    }

    /// Rules 4 to 6.
    fn due_or_surplus(&self) -> Step {
        let mut waiting: Option<SignedDuration> = None;
        let mut blocked: Option<String> = None;
        for (index, rotation) in self.policy.rotations.iter().enumerate() {
            match self.due(index, rotation) {
                Due::Nothing => {}
                Due::Later(pause) => waiting = Some(waiting.map_or(pause, |w| w.min(pause))),
                Due::Blocked(reason) => blocked = blocked.or(Some(reason)),
                Due::Step(step) => return step,
            }
        }
        if let Some(own) = retention::surplus(self.policy, &self.owned()) {
            return self.delete(&own, false);
        }
        if let Some(reason) = blocked {
            return Step::Blocked { reason };
        }
        if let Some(pause) = waiting {
            return Step::Wait {
                pause,
                reason: "the next attempt isn't due yet".to_owned(),
            };
        }
        let next = self
            .policy
            .rotations
            .iter()
            .filter_map(|r| r.next_due(self.now.wall));
        Step::Idle { until: next.min() }
    }

    /// Rule 4 for one rotation: only its newest due slot is looked at.
    fn due(&self, index: usize, rotation: &Rotation) -> Due {
        let Some(slot) = rotation.newest_due(self.now.wall) else {
            return Due::Nothing;
        };
        let name = rotation.pattern.format(slot.local);
        if let Some(old) = self
            .history
            .unsettled(&rotation.name)
            .find(|note| note.at < slot.at && note.name != name)
        {
            let tried = old.tries > 0;
            let ending = if tried {
                Ending::GivenUp
            } else {
                Ending::Skipped
            };
            return Due::Step(ended(
                rotation,
                old,
                ending,
                "overtaken by the next slot".to_owned(),
            ));
        }
        if let Some(fact) = self.missed(rotation, slot) {
            return Due::Step(Step::Record(fact));
        }
        let note = self.history.slot(&rotation.name, &name);
        if note.is_some_and(|note| note.ending.is_some()) || self.completed(index, slot) {
            return Due::Nothing;
        }
        let Some(note) = note else {
            return self.first_sight(rotation, slot, name);
        };
        if note.attempts >= rotation.attempts
            || (self.rules.count_all && note.tries >= rotation.attempts)
        {
            let reason = format!("given up after {} attempts", note.tries);
            return Due::Step(ended(rotation, note, Ending::GivenUp, reason));
        }
        if !rotation.within_catch_up(slot, self.now.wall) {
            let ending = if note.tries > 0 {
                Ending::GivenUp
            } else {
                Ending::Skipped
            };
            return Due::Step(ended(
                rotation,
                note,
                ending,
                "its catch_up has passed".to_owned(),
            ));
        }
        if let Some(last) = note.last_try {
            let left = self.pause(&note.name, note.tries) - last.elapsed(self.now);
            if left > SignedDuration::ZERO {
                return Due::Later(left);
            }
        }
        self.make(index, rotation, name)
    }

    /// Slots that passed without a look since the last one that the trail knows, as one
    /// record named after the newest of them: older ones are never run.
    fn missed(&self, rotation: &Rotation, slot: Slot) -> Option<Fact> {
        let known = self.history.newest(&rotation.name).map(|note| note.at);
        let since = known.or(self.history.first_record)?;
        let just_before = slot.at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        let missed = rotation.schedule.previous(just_before)?;
        (missed.at > since).then(|| Fact::SlotEnded {
            rotation: rotation.name.clone(),
            name: rotation.pattern.format(missed.local),
            slot: missed.at,
            ending: Ending::Skipped,
            reason: format!("passed unrun, like any other slot after {since}"),
        })
    }

    fn first_sight(&self, rotation: &Rotation, slot: Slot, name: String) -> Due {
        let rotation_name = rotation.name.clone();
        if rotation.within_catch_up(slot, self.now.wall) {
            return Due::Step(Step::Record(Fact::SlotDue {
                rotation: rotation_name,
                name,
                slot: slot.at,
            }));
        }
        // A slot from before the server's first record was never ours to run.
        if self
            .history
            .first_record
            .is_none_or(|first| slot.at < first)
        {
            return Due::Nothing;
        }
        Due::Step(Step::Record(Fact::SlotEnded {
            rotation: rotation_name,
            name,
            slot: slot.at,
            ending: Ending::Skipped,
            reason: "its catch_up has passed".to_owned(),
        }))
    }

    /// Makes the slot's snapshot, or the room for it.
    fn make(&self, index: usize, rotation: &Rotation, name: String) -> Due {
        let owned = self.owned();
        if let Some(failed) = owned
            .iter()
            .find(|own| own.failed() && own.deletable() && own.snapshot.name == name)
        {
            return Due::Step(self.delete(failed, false));
        }
        // I10: no create on a full server; everything listed takes up room.
        if self.inventory.snapshots.len() < self.rules.limit {
            let reason = format!("slot of {} is due, and there is room", rotation.name);
            return Due::Step(Step::Create {
                rotation: rotation.name.clone(),
                name,
                reason,
            });
        }
        if let Some(own) = owned.iter().find(|own| own.failed() && own.deletable()) {
            return Due::Step(self.delete(own, false));
        }
        if self.policy.delete_stuck
            && let Some(own) = owned
                .iter()
                .find(|own| own.deletable() && self.long_stuck(own))
        {
            return Due::Step(self.delete(own, false));
        }
        if let Some(own) = retention::surplus(self.policy, &owned) {
            return Due::Step(self.delete(&own, false));
        }
        if rotation.when_full == WhenFull::Skip {
            return Due::Blocked(format!(
                "the server is full, and {} doesn't prune first",
                rotation.name
            ));
        }
        if !self.made_good(&owned) {
            return Due::Blocked("full, and the last prune-first isn't made good yet".to_owned());
        }
        match retention::prune_first(self.policy, &owned, index) {
            Some(own) => Due::Step(self.delete(&own, true)),
            None => Due::Blocked("the server is full, and nothing on it may be deleted".to_owned()),
        }
    }

    /// I7: since the last prune-first a snapshot was completed, or a foreign one took the room.
    fn made_good(&self, owned: &[Own<'_>]) -> bool {
        let Some(known) = &self.history.prune_first else {
            return true;
        };
        let new = self
            .inventory
            .snapshots
            .iter()
            .filter(|s| !known.contains(&s.id));
        new.into_iter().any(|s| {
            let own = owned.iter().find(|own| own.snapshot.id == s.id);
            own.is_none_or(|own| own.snapshot.status == Status::Completed)
        })
    }

    fn delete(&self, own: &Own<'_>, prune_first: bool) -> Step {
        let rotation = &self.policy.rotations[own.place.rotation];
        if self.history.refused_deletes > 0
            && let Some(last) = self.history.last_refusal
        {
            let due = self
                .policy
                .rotations
                .iter()
                .filter_map(|r| r.newest_due(self.now.wall));
            let new_slot = due
                .map(|slot| slot.at)
                .max()
                .is_some_and(|at| at > last.wall);
            if self.history.refused_deletes >= rotation.attempts && !new_slot {
                return Step::Blocked {
                    reason: format!("{} can't be deleted", own.snapshot.name),
                };
            }
            let pause = self.pause(&own.snapshot.name, self.history.refused_deletes);
            let left = pause - last.elapsed(self.now);
            if left > SignedDuration::ZERO {
                return Step::Wait {
                    pause: left,
                    reason: "a delete was refused".to_owned(),
                };
            }
        }
        let reason = match own.snapshot.status {
            Status::Failed => "it failed",
            Status::Completed if prune_first => "the server is full and a slot is due",
            Status::Completed => "it is beyond keep",
            _ => "it is stuck and its room is needed",
        };
        let (id, name) = (own.snapshot.id, own.snapshot.name.clone());
        Step::Delete {
            id,
            name,
            prune_first,
            reason: reason.to_owned(),
        }
    }

    fn own(&self) -> impl Iterator<Item = (&Snapshot, Place)> {
        let rows = self.inventory.snapshots.iter();
        rows.filter_map(|s| self.policy.place(&s.name).map(|place| (s, place)))
    }

    fn owned(&self) -> Vec<Own<'_>> {
        let horizon = self
            .now
            .wall
            .saturating_add(CLOCK_TOLERANCE)
            .unwrap_or(Timestamp::MAX);
        self.own()
            .map(|(snapshot, place)| Own {
                snapshot,
                place,
                protected: self.policy.protects(snapshot),
                dated: snapshot.created_at.filter(|at| *at <= horizon),
            })
            .collect()
    }

    /// Whether a completed own snapshot of this slot is there, under any of the rotation's patterns.
    fn completed(&self, rotation: usize, slot: Slot) -> bool {
        let rotation = &self.policy.rotations[rotation];
        let mut patterns = std::iter::once(&rotation.pattern).chain(&rotation.former);
        patterns.any(|pattern| {
            let name = pattern.format(slot.local);
            let mut rows = self.inventory.snapshots.iter();
            rows.any(|s| s.status == Status::Completed && s.name == name)
        })
    }

    fn awaited(&self, id: SnapshotId) -> bool {
        matches!(&self.history.open, Some(Open::Create { id: Some(open), .. }) if *open == id)
    }

    fn stuck(&self, snapshot: &Snapshot) -> bool {
        let by_date = snapshot.created_at.map(|at| {
            When {
                wall: at,
                mono: None,
            }
            .elapsed(self.now)
        });
        self.long(by_date) || self.long(self.seen_for(snapshot.id))
    }

    fn long_stuck(&self, own: &Own<'_>) -> bool {
        own.snapshot.status == Status::InProgress && self.long(self.seen_for(own.snapshot.id))
    }

    fn seen_for(&self, id: SnapshotId) -> Option<SignedDuration> {
        self.history
            .seen
            .get(&id)
            .map(|seen| seen.elapsed(self.now))
    }

    fn long(&self, age: Option<SignedDuration>) -> bool {
        age.is_some_and(|age| age >= self.rules.stuck_after)
    }

    fn poll(&self, reason: &str) -> Step {
        Step::Wait {
            pause: self.rules.poll_interval,
            reason: reason.to_owned(),
        }
    }

    /// The pause after the nth try: doubling, an hour at most, up to a quarter longer by a
    /// hash of what is tried, so that servers don't come back in step.
    fn pause(&self, what: &str, tries: u32) -> SignedDuration {
        let doublings = tries.saturating_sub(1).min(16);
        let pause = self
            .rules
            .retry_after
            .saturating_mul(1 << doublings)
            .min(LONGEST_PAUSE);
        let seed = self.policy.server.0.to_le_bytes();
        let nth = tries.to_le_bytes();
        let bytes = seed.iter().chain(what.as_bytes()).chain(&nth);
        // FNV-1a.
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let quarter = i32::try_from((hash >> 32) % 256).unwrap_or(0);
        pause + pause * quarter / 1024
    }
}

enum Due {
    Nothing,
    Later(SignedDuration),
    Blocked(String),
    Step(Step),
}

fn create_result(name: &str, outcome: Outcome, id: Option<SnapshotId>) -> Fact {
    Fact::CreateResult {
        name: name.to_owned(),
        outcome,
        id,
        server_name: None,
    }
}

fn ended(rotation: &Rotation, note: &SlotNote, ending: Ending, reason: String) -> Step {
    let (rotation, name) = (rotation.name.clone(), note.name.clone());
    Step::Record(Fact::SlotEnded {
        rotation,
        name,
        slot: note.at,
        ending,
        reason,
    })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
