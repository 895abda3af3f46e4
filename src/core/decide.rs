//! The one decision: what to do next on one server, and why.
//!
//! First match wins: held, doubt, open intent, under way, due, surplus, idle (DESIGN.md,
//! section 2). The caller performs the step, records it, looks again and asks again.
//! The first four rules stand here; `due.rs` has those for slots and surplus.

use jiff::{SignedDuration, Timestamp};

use super::breaks::Break;
use super::fact::{Ending, Fact, Now, Outcome};
use super::history::{History, Open, SlotNote};
use super::policy::{Place, Policy, Rotation, Rules};
use super::snapshot::{Snapshot, SnapshotId, Status};

/// The clock may lie this far behind the newest intent, and a date this far ahead.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The longest pause between two attempts.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

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
    /// Run the rotation's `after`: it releases the server that was held for this snapshot.
    /// `early` where the snapshot is not over yet.
    After {
        rotation: String,
        name: String,
        early: bool,
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
    if let Some(step) = server.release() {
        return step;
    }
    server.in_time_for_after(server.by_rules())
}

/// What is wanted of a server that is held for its create; what has to be said can wait.
pub fn decide_in_hold(
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
    let held = server.held().or_else(|| server.doubt());
    held.unwrap_or_else(|| server.wanted())
}

/// Whether a rotation's `after` is due; for that no listing is needed.
pub fn release(policy: &Policy, history: &History, rules: &Rules, now: Now) -> Option<Step> {
    history.hold.as_ref()?;
    let nothing = Inventory {
        server_name: None,
        snapshots: Vec::new(),
        requested: now.mono,
        doubt: None,
    };
    let server = Server {
        policy,
        inventory: &nothing,
        history,
        rules,
        now,
    };
    server.release()
}
/// Everything that one decision looks at.
pub(super) struct Server<'a> {
    pub(super) policy: &'a Policy,
    pub(super) inventory: &'a Inventory,
    pub(super) history: &'a History,
    pub(super) rules: &'a Rules,
    pub(super) now: Now,
}

impl Server<'_> {
    /// The rules one after the other, and what has to be said along with the step.
    fn by_rules(&self) -> Step {
        if let Some(step) = self.held() {
            return self.conclude().unwrap_or(step);
        }
        if let Some(step) = self.under_care_already() {
            return step;
        }
        if let Some(step) = self.doubt() {
            return self.announce(step, None);
        }
        self.announce(self.wanted(), Some(self.alerts()))
    }

    /// Rules 2 to 6.
    fn wanted(&self) -> Step {
        self.care()
            .or_else(|| self.open_intent())
            .or_else(|| self.under_way())
            .unwrap_or_else(|| self.due_or_surplus())
    }

    /// Rule 0. Paused, or a restore began a short while ago (I12).
    pub(super) fn held(&self) -> Option<Step> {
        if self.history.paused().is_some() {
            return Some(Step::Idle { until: None });
        }
        let left = self.history.restoring(self.rules, self.now)?;
        Some(Step::Idle {
            until: self.now.wall.checked_add(left).ok(),
        })
    }

    /// What was begun before is watched to its end while the server is held, and nothing new
    /// is done.
    fn conclude(&self) -> Option<Step> {
        let alarming = self.restore_unknown().into_iter().chain(self.stuck_hold());
        for ((alert, about), reason) in alarming {
            if self.history.alerts.contains_key(&(alert, about.clone())) {
                continue;
            }
            return Some(Step::Record(Fact::AlertRaised {
                alert,
                about,
                reason,
            }));
        }
        let open = self.history.open.is_some();
        match self.doubt() {
            // `once` has to end.
            Some(Step::Blocked { .. }) if self.rules.count_all => return None,
            Some(Step::Blocked { reason }) if open => {
                let pause = self.rules.retry_after;
                return Some(Step::Wait { pause, reason });
            }
            Some(step) => return Some(step).filter(|_| open),
            None => {}
        }
        let step = self.open_intent().or_else(|| self.under_way())?;
        // What is seen to have ended is settled; what still goes on needs no watch of its own.
        let done = matches!(step, Step::Record(_)) || (open && matches!(step, Step::Wait { .. }));
        done.then_some(step)
    }

    /// Rule 1. A listing, a name or a clock that can't be relied on (I11).
    fn doubt(&self) -> Option<Step> {
        let blocked = |reason: String| Some(Step::Blocked { reason });
        if let Some(reason) = self.unreliable() {
            return blocked(reason);
        }
        if let Some(last) = self.clock_behind()
            && !Break::ClockTrusted.on()
        {
            return blocked(format!(
                "the clock is behind the trail's last intent of {last}: set it right; if it is, snaprotate resume"
            ));
        }
        // I4: only a listing requested after the last answer justifies anything.
        if self
            .history
            .last_answer
            .is_some_and(|answer| self.inventory.requested < answer)
            && !Break::StaleListingReused.on()
        {
            return Some(self.poll("the listing is older than the last mutation"));
        }
        None
    }

    /// Why the listing isn't to be believed, or is another server's (I11).
    pub(super) fn unreliable(&self) -> Option<String> {
        if let Some(doubt) = &self.inventory.doubt
            && !Break::ShortListingTrusted.on()
        {
            return Some(format!("the listing can't be relied on: {doubt}"));
        }
        let reported = self
            .inventory
            .server_name
            .as_ref()
            .or(self.history.answered_name.as_ref());
        let (wanted, reported) = (self.policy.name.as_ref()?, reported?);
        (wanted != reported)
            .then(|| format!("the provider calls this server {reported:?}, the policy {wanted:?}"))
    }

    /// The last intent, where the clock says that it is yet to come.
    pub(super) fn clock_behind(&self) -> Option<Timestamp> {
        let last = self.history.last_intent?;
        (last.duration_since(self.now.wall) > CLOCK_TOLERANCE).then_some(last)
    }

    /// Notes which rotations are under care: what passed before is not theirs to judge.
    fn care(&self) -> Option<Step> {
        let wanted = |name: &str| self.policy.rotations.iter().any(|r| r.name == name);
        if let Some(gone) = self.history.rotations().find(|name| !wanted(name)) {
            let rotation = gone.to_owned();
            return Some(Step::Record(Fact::RotationRemoved { rotation }));
        }
        let mut rotations = self.policy.rotations.iter();
        let new = rotations.find(|r| self.history.since(&r.name).is_none())?;
        let rotation = new.name.clone();
        Some(Step::Record(Fact::RotationAdded { rotation }))
    }

    /// Where care began at a time that is yet to come, the clock was ahead then: it began now
    /// at the latest, or a slot that passes before that time would be missed in silence (I15).
    /// Noted even while the clock counts as odd, since nobody knows it afterwards.
    fn under_care_already(&self) -> Option<Step> {
        let ahead = |since: Timestamp| since.duration_since(self.now.wall) > CLOCK_TOLERANCE;
        let mut rotations = self.policy.rotations.iter();
        let early = rotations.find(|r| self.history.since(&r.name).is_some_and(ahead))?;
        let rotation = early.name.clone();
        Some(Step::Record(Fact::RotationAdded { rotation }))
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
                    (Some(found), Some(_)) => self.watched(found),
                    (Some(found), None) => Some(Step::Record(create_result(
                        name,
                        Outcome::Done,
                        Some(found.id),
                    ))),
                    // I9: not sent again while the earlier one may still happen.
                    (None, _)
                        if since.elapsed(self.now) < self.rules.settle_window
                            && !Break::NoSettleWindow.on() =>
                    {
                        Some(self.poll(&format!("whether {name} was made isn't known yet")))
                    }
                    (None, Some(id)) => Some(Step::Record(Fact::SnapshotFailed {
                        id: *id,
                        snapshot: name.clone(),
                        reason: "it is missing from every listing".to_owned(),
                    })),
                    (None, None) => Some(Step::Record(create_result(name, Outcome::Failed, None))),
                }
            }
            Open::Delete { .. } if Break::OpenDeleteForgotten.on() => None,
            // The process that sent it is gone, and with it the answer (I12: not sent again).
            Open::Restore { id, .. } => Some(Step::Record(Fact::RestoreResult {
                id: *id,
                outcome: Outcome::Unknown,
            })),
            Open::Delete { id, since, ordered } => {
                if !self.inventory.snapshots.iter().any(|s| s.id == *id) {
                    return Some(Step::Record(Fact::DeleteConfirmed { id: *id }));
                }
                let waited = since.elapsed(self.now);
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
                    Step::Delete { id: candidate, .. } if candidate == *id => {
                        // Not before the last try can have no effect any more: if this one is
                        // refused, nothing is open (I5).
                        let pause = self.pause(&id.0.to_string(), self.history.refused_deletes + 1);
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
                    _ => Some(Step::Record(Fact::DeleteResult {
                        id: *id,
                        outcome: Outcome::Failed,
                    })),
                }
            }
        }
    }

    /// One that an operator ordered bears no rotation's name: it is watched by its id alone.
    fn watched(&self, snapshot: &Snapshot) -> Option<Step> {
        if self.policy.place(&snapshot.name).is_some() {
            return None;
        }
        let (name, id) = (snapshot.name.clone(), snapshot.id);
        Some(match snapshot.status {
            Status::InProgress | Status::Unknown(_) if !self.stuck(snapshot) => {
                self.poll(&format!("{name} is under way"))
            }
            Status::InProgress | Status::Unknown(_) => {
                Step::Record(Fact::SnapshotStuck { snapshot: name, id })
            }
            Status::Completed => Step::Record(Fact::SnapshotCompleted { snapshot: name, id }),
            Status::Failed => Step::Record(failed(name, id)),
        })
    }

    /// Rule 3. While an own snapshot is under way nothing else is done (I8).
    fn under_way(&self) -> Option<Step> {
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
                        return Some(Step::Record(Fact::SnapshotStuck {
                            snapshot: snapshot.name.clone(),
                            id: snapshot.id,
                        }));
                    }
                    if let Some(note) = unsettled {
                        let reason = format!("{} is stuck", snapshot.name);
                        return Some(ended(rotation, note, Ending::GivenUp, reason));
                    }
                }
                Status::Completed => {
                    let awaited =
                        self.awaited(snapshot.id) || self.history.seen.contains_key(&snapshot.id);
                    if awaited {
                        return Some(Step::Record(Fact::SnapshotCompleted {
                            snapshot: snapshot.name.clone(),
                            id: snapshot.id,
                        }));
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
                    return Some(Step::Record(failed(snapshot.name.clone(), snapshot.id)));
                }
                Status::Failed => {}
            }
        }
        None
    }

    pub(super) fn own(&self) -> impl Iterator<Item = (&Snapshot, Place)> {
        let rows = self.inventory.snapshots.iter();
        rows.filter_map(|s| self.policy.place(&s.name).map(|place| (s, place)))
    }

    fn awaited(&self, id: SnapshotId) -> bool {
        matches!(&self.history.open, Some(Open::Create { id: Some(open), .. }) if *open == id)
    }

    /// Whether it has been in progress for too long while this process watched, or while an
    /// earlier one did, by the trail. Dates tell nothing here: with a wall clock that is
    /// ahead a new one would look old (I8).
    pub(super) fn stuck(&self, snapshot: &Snapshot) -> bool {
        self.history.stuck.contains(&snapshot.id) || self.long(self.seen_for(snapshot.id))
    }

    /// For how long this process has watched it, unfinished.
    pub(super) fn seen_for(&self, id: SnapshotId) -> Option<SignedDuration> {
        let seen = self.history.seen.get(&id);
        seen.map(|since| self.now.mono - *since)
    }

    pub(super) fn long(&self, age: Option<SignedDuration>) -> bool {
        age.is_some_and(|age| age >= self.rules.stuck_after)
    }

    pub(super) fn poll(&self, reason: &str) -> Step {
        Step::Wait {
            pause: self.rules.poll_interval,
            reason: reason.to_owned(),
        }
    }

    /// The pause after the nth try: doubling, an hour at most, up to a quarter longer by a
    /// hash of what is tried, so that servers don't come back in step.
    pub(super) fn pause(&self, what: &str, tries: u32) -> SignedDuration {
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

fn failed(snapshot: String, id: SnapshotId) -> Fact {
    Fact::SnapshotFailed {
        snapshot,
        id,
        reason: "the provider says that it failed".to_owned(),
    }
}

fn create_result(name: &str, outcome: Outcome, id: Option<SnapshotId>) -> Fact {
    Fact::CreateResult {
        snapshot: name.to_owned(),
        outcome,
        id,
        server_name: None,
    }
}

pub(super) fn ended(rotation: &Rotation, note: &SlotNote, ending: Ending, reason: String) -> Step {
    let (rotation, slot, snapshot) = (rotation.name.clone(), note.at, note.name.clone());
    Step::Record(match ending {
        Ending::Completed => Fact::SlotSettled {
            rotation,
            slot,
            snapshot,
            reason,
        },
        Ending::GivenUp => Fact::SlotGivenUp {
            rotation,
            slot,
            snapshot,
            reason,
        },
        Ending::Skipped | Ending::Paused => Fact::SlotSkipped {
            rotation,
            slot,
            snapshot,
            missed: 0,
            paused: ending == Ending::Paused,
            reason,
        },
    })
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod open_tests;
#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
