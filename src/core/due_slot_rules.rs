//! Rules 4 to 6 of the decision: due slots, surplus, and how long to stay idle.

use jiff::{SignedDuration, Timestamp};

use super::decide::{CLOCK_TOLERANCE, DecisionContext, Step, ended};
use super::name_pattern::Pattern;
use super::policy::Rotation;
use super::retry_backoff::{IN_PAUSE, attempts, time_to_next_attempt, unrun};
use super::rotation_history::CareReason;
use super::schedule::Slot;
use super::server_event::{ServerEvent, SlotOutcome};
use super::slot_record::SlotRecord;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// A slot raises an alert once refusals that don't count as attempts have delayed it for this long.
pub(super) const LONG_WAIT: SignedDuration = SignedDuration::from_mins(15);

const CATCH_UP_PASSED: &str = "its catch_up time has passed";

const SETTLES: &str = "the server is full, and a snapshot that the rotation did not make was first seen a short time ago: nothing is deleted to make room until the settle window is over";

/// The result of rule 4 for one rotation.
pub(super) enum RotationDemand {
    Nothing,
    Later(SignedDuration),
    /// An unexpected snapshot appeared recently. Nothing is deleted to make room until it has been
    /// listed for a settle window.
    Settles(SignedDuration),
    Blocked(String),
    Step(Step),
}

impl From<Step> for RotationDemand {
    /// Converts a step so that a wait or block of one rotation does not delay the others.
    fn from(step: Step) -> Self {
        match step {
            Step::Wait { pause, .. } => Self::Later(pause),
            Step::Blocked { reason } => Self::Blocked(reason),
            step => Self::Step(step),
        }
    }
}

impl DecisionContext<'_> {
    /// Applies rules 4 to 6. A wait ends early if the next slot of any rotation becomes due.
    pub(super) fn due_or_surplus(&self) -> Step {
        match self.first_of_all() {
            Step::Wait { pause, reason } => {
                let next = self.policy.rotations.iter();
                let next = next.filter_map(|r| r.next_due(self.now.wall)).min();
                let left = next.map(|at| at.duration_since(self.now.wall));
                let pause = left.map_or(pause, |left| pause.min(left));
                Step::Wait { pause, reason }
            }
            step => step,
        }
    }

    /// Applies rules 4 to 6.
    fn first_of_all(&self) -> Step {
        let mut waiting: Option<SignedDuration> = None;
        let mut reason = "the next attempt isn't due yet";
        let mut blocked: Option<String> = None;
        for (index, rotation) in self.policy.rotations.iter().enumerate() {
            match self.due(index, rotation) {
                RotationDemand::Nothing => {}
                RotationDemand::Later(pause) => {
                    waiting = Some(waiting.map_or(pause, |w| w.min(pause)));
                }
                RotationDemand::Settles(pause) => {
                    waiting = Some(waiting.map_or(pause, |w| w.min(pause)));
                    reason = SETTLES;
                }
                RotationDemand::Blocked(reason) => blocked = blocked.or(Some(reason)),
                RotationDemand::Step(step) => return step,
            }
        }
        if let Some(step) = self.surplus(&self.owned()).or_else(|| self.expired()) {
            return step;
        }
        if let Some(reason) = blocked {
            return Step::Blocked { reason };
        }
        if self.history.no_server && self.inventory.snapshots.is_empty() {
            let id = self.policy.server.clone();
            return Step::Blocked {
                reason: format!(
                    "the provider has no server {id}: correct server.id in {}.toml, or remove the file",
                    self.policy.file
                ),
            };
        }
        if let Some(pause) = waiting {
            return Step::Wait {
                pause,
                reason: reason.to_owned(),
            };
        }
        let next = self
            .policy
            .rotations
            .iter()
            .filter_map(|r| r.next_due(self.now.wall));
        // A stuck snapshot no longer delays work, but is checked again after `stuck_after`.
        let mut own = self.own();
        let unfinished =
            own.any(|(s, _)| matches!(s.status, Status::InProgress | Status::Unknown(_)));
        let again = unfinished
            .then(|| self.now.wall.checked_add(self.rules.stuck_after).ok())
            .flatten();
        // A snapshot with a future date counts from that date on.
        let dates = self.own().filter_map(|(s, _)| s.created_at);
        let ahead = dates.filter_map(|at| at.checked_sub(CLOCK_TOLERANCE).ok());
        // Snapshots that are left alone, or that wait for a grace period, may be deleted at these
        // times.
        let left_alone = self.own().filter_map(|(s, _)| self.left_alone_until(s));
        let later = ahead.chain(left_alone).chain(self.graces());
        // The alert about a copy that becomes too old must not wait for the next slot.
        let later = later.chain(self.expiries()).chain(self.fresh_until());
        let later = later.filter(|at| *at > self.now.wall);
        Step::Idle {
            until: next.chain(again).chain(later).min(),
        }
    }

    /// Applies rule 4 to one rotation: only its newest due slot counts.
    fn due(&self, index: usize, rotation: &Rotation) -> RotationDemand {
        let slot = self.slot_due(rotation, self.due_until());
        let name = slot.map(|slot| rotation.pattern.format(slot.local));
        if let Some(step) = self.replaced_slot(rotation, slot, name.as_deref()) {
            return RotationDemand::Step(step);
        }
        let (Some(slot), Some(name)) = (slot, name) else {
            return RotationDemand::Nothing;
        };
        if let Some(old) = self
            .history
            .unsettled(&rotation.name)
            .find(|note| note.at < slot.at && note.name != name)
        {
            let paused = self.passed_in_pause(rotation, old.at);
            let (ending, why) = unrun(old, paused, "superseded by the next slot");
            return RotationDemand::Step(ended(rotation, old, ending, why));
        }
        if let Some(event) = self.missed(index, rotation, slot) {
            return RotationDemand::Step(Step::Record(event));
        }
        let note = self.history.slot(&rotation.name, &name);
        let over = if let Some(note) = note {
            note.ending.is_some()
        } else {
            // The slot's snapshot may have another name: the clock was set back, and the zone or
            // the pattern changed. For a slot that ended long ago, the trail has only the range.
            let mut slots = self.history.slots(&rotation.name);
            let completed = Some(SlotOutcome::Completed);
            slots.any(|other| other.at == slot.at && other.ending == completed)
                || self.history.passed(&rotation.name, slot.at)
        };
        if over {
            return RotationDemand::Nothing;
        }
        if let Some(there) = self.of_slot(index, slot, |s| s.status == Status::Completed) {
            let reason = if there.name == name {
                "its completed snapshot already exists".to_owned()
            } else {
                format!(
                    "{} is its completed snapshot, named by a former pattern",
                    there.name
                )
            };
            return RotationDemand::Step(Step::Record(ServerEvent::SlotSettled {
                rotation: rotation.name.clone(),
                slot: slot.at,
                snapshot: name.into(),
                reason,
            }));
        }
        let Some(note) = note else {
            return self.first_sight(rotation, slot, name);
        };
        // I9: a stuck snapshot of this slot, under a former pattern's name, may still complete.
        if let Some(stuck) = self.of_slot(index, slot, |s| match s.status {
            Status::InProgress | Status::Unknown(_) => self.stuck(s),
            Status::Completed | Status::Failed => false,
        }) {
            let reason = format!("{} is stuck", stuck.name);
            return RotationDemand::Step(ended(rotation, note, SlotOutcome::GivenUp, reason));
        }
        let sent = note
            .attempts
            .min(note.tries)
            .max(self.history.intents(&name));
        if note.attempts.max(sent) >= rotation.attempts
            || (self.rules.count_all
                && note.own_tries >= rotation.attempts
                && !self.waits_for_rate(note))
        {
            let made = if self.rules.count_all {
                sent.max(note.own_tries)
            } else {
                sent
            };
            let reason = format!("given up after {}", attempts(made));
            return RotationDemand::Step(ended(rotation, note, SlotOutcome::GivenUp, reason));
        }
        if !note.reopened && !rotation.within_catch_up(slot, self.now.wall) {
            let paused = self.passed_in_pause(rotation, slot.at);
            let (ending, why) = unrun(note, paused, CATCH_UP_PASSED);
            return RotationDemand::Step(ended(rotation, note, ending, why));
        }
        if let Some(left) = self.may_show_yet(&name, note) {
            return RotationDemand::Later(left);
        }
        if let Some(left) = time_to_next_attempt(&self.policy.server, note, self.rules, self.now) {
            return RotationDemand::Later(left);
        }
        self.make(index, rotation, name)
    }

    /// Returns true while `once` waits for a slot whose creates exceed the provider's rate limit.
    fn waits_for_rate(&self, note: &SlotRecord) -> bool {
        let short = |since: Timestamp| self.now.wall.duration_since(since) < LONG_WAIT;
        note.limited && note.waiting.is_some_and(short)
    }

    /// Returns how much longer to wait for a created snapshot whose id the provider returned, but
    /// which the listings lack. A listing can lag behind, and meanwhile the slot gets no second
    /// create (I9).
    fn may_show_yet(&self, name: &str, note: &SlotRecord) -> Option<SignedDuration> {
        let listed = |id: &SnapshotId| self.inventory.snapshots.iter().any(|s| s.id == *id);
        let mut made = self.history.made.iter();
        made.find(|made| *made.name == *name && !listed(&made.id))?;
        let left = self.rules.stuck_after - note.last_try?.elapsed(self.now);
        left.is_positive().then_some(left)
    }

    /// Returns the instant up to which slots count as due.
    pub(super) fn due_until(&self) -> Timestamp {
        let until = self.rules.due_until.unwrap_or(self.now.wall);
        until.min(self.now.wall)
    }

    /// Returns true if the rules for due slots apply: the server is neither paused nor recently
    /// restored, nothing is in doubt (rule 1), and no snapshot differs from its request or from its
    /// earlier name.
    pub(super) fn judges_slots(&self) -> bool {
        self.held().is_none() && self.doubt().is_none() && self.history.mismatch.is_none()
    }

    /// Returns the rotation's newest due slot. If that slot lies before the rotation came under
    /// care, the instant at which care began takes its place and gives the name: a snapshot's name
    /// must state the day of its data. A slot from before a change of schedule does not count.
    pub(super) fn slot_due(&self, rotation: &Rotation, until: Timestamp) -> Option<Slot> {
        let slot = rotation.newest_due(until)?;
        let notes = self.history.rotation(&rotation.name);
        let Some((notes, since)) = notes.and_then(|notes| Some((notes, notes.since?))) else {
            return Some(slot);
        };
        match notes.begin {
            Some(CareReason::Added) if slot.at < since => self.first_slot(rotation, slot, since),
            Some(CareReason::Changed) if slot.at < since => None,
            _ => Some(slot),
        }
    }

    /// Returns the first slot of a rotation that came under care at `since`, where `newest` was the
    /// newest slot. `None` if it no longer needs a snapshot.
    fn first_slot(&self, rotation: &Rotation, newest: Slot, since: Timestamp) -> Option<Slot> {
        let local = rotation.schedule.zone().to_datetime(since);
        let first = Slot { local, at: since };
        let name = rotation.pattern.format(local);
        if self.history.slot(&rotation.name, &name).is_some() {
            return Some(first);
        }
        let noted = rotation.pattern.format(newest.local);
        let noted = self.history.slot(&rotation.name, &noted);
        let mut rows = self.inventory.snapshots.iter();
        let there = |name: &str| {
            let names = |pattern: &Pattern| pattern.format(newest.local) == name;
            rotation.slot_patterns().any(names)
        };
        if noted.is_some_and(|note| note.ending == Some(SlotOutcome::Completed))
            || rows.any(|s| s.status == Status::Completed && there(&s.name))
        {
            return Some(newest);
        }
        let mut rows = self.inventory.snapshots.iter();
        let settled = rows
            .any(|s| s.status == Status::Completed && rotation.names_since(&s.name, newest.local));
        // If the next slot has the same name, the snapshot waits for that slot.
        let next = rotation.schedule.next(since);
        let waits = next.is_some_and(|next| rotation.pattern.format(next.local) == name);
        let late = !rotation.within_catch_up(newest, self.now.wall);
        (!settled && !waits && !late).then_some(first)
    }

    fn first_sight(&self, rotation: &Rotation, slot: Slot, snapshot: String) -> RotationDemand {
        let (name, slot_at) = (rotation.name.clone(), slot.at);
        if rotation.within_catch_up(slot, self.now.wall) {
            return RotationDemand::Step(Step::Record(ServerEvent::SlotDue {
                rotation: name,
                slot: slot_at,
                snapshot: snapshot.into(),
            }));
        }
        // A slot from before the rotation came under care never belonged to it.
        let since = self.history.since(&rotation.name);
        if since.is_none_or(|first| slot.at < first) {
            return RotationDemand::Nothing;
        }
        let paused = self.passed_in_pause(rotation, slot.at);
        RotationDemand::Step(Step::Record(ServerEvent::SlotSkipped {
            rotation: name,
            slot: slot_at,
            snapshot: snapshot.into(),
            missed: 0,
            paused,
            reason: if paused { IN_PAUSE } else { CATCH_UP_PASSED }.to_owned(),
        }))
    }

    /// Returns true if the slot has a completed own snapshot.
    pub(super) fn completed(&self, rotation: usize, slot: Slot) -> bool {
        let found = self.of_slot(rotation, slot, |s| s.status == Status::Completed);
        found.is_some()
    }

    /// Returns a snapshot of this slot, under any of the rotation's patterns that distinguish
    /// slots.
    fn of_slot(
        &self,
        rotation: usize,
        slot: Slot,
        wanted: impl Fn(&Snapshot) -> bool,
    ) -> Option<&Snapshot> {
        self.policy.rotations[rotation]
            .slot_patterns()
            .find_map(|pattern| {
                let name = pattern.format(slot.local);
                let mut rows = self.inventory.snapshots.iter();
                rows.find(|s| wanted(s) && s.name == name && !self.history.stays_foreign(s))
            })
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod slot_tests;
#[cfg(test)]
#[path = "due_slot_rules_tests.rs"]
mod tests;
