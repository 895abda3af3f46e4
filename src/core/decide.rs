//! Decides what to do next on one server, and why.
//!
//! The first rule that applies gives the step: paused or restored, doubt, open intent, under way,
//! due, surplus, idle (docs/design.md, "The rules"). The caller performs the step, records it,
//! lists again and decides again. This file has rule 1, `pause_and_restore_rule.rs` rule 0,
//! `in_flight_rules.rs` rules 2 and 3, `due_slot_rules.rs` and `create_or_prune.rs`
//! rules 4 to 6. `hook_release.rs` and `server_start.rs` take precedence over all rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

#[cfg(feature = "proof")]
use super::broken_rule_input::{broken_history, broken_input};
use super::policy::{OwnSlot, Policy, Rotation, Rules};
use super::recorded_settings::{RotationTerms, TermsHash};
use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::server_event::{ClockReading, ServerEvent, SlotOutcome};
use super::server_history::ServerHistory;
use super::slot_record::SlotRecord;
use super::snapshot::{Snapshot, SnapshotId};

pub use super::inventory::{Inventory, MOST_ROWS};

use super::retry_backoff::backoff;

/// How far the clock may be behind the newest intent or the end of a pause, and how far a date may
/// be ahead of the clock.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The next step on a server.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this event to the trail, then decide again.
    Record(ServerEvent),
    /// Create the slot's snapshot.
    Create {
        rotation: RotationName,
        name: SnapshotName,
        reason: String,
    },
    /// Delete this snapshot. `prune_first` if a snapshot that is still to be made pays for it (I7).
    Delete {
        id: SnapshotId,
        name: SnapshotName,
        rotation: RotationName,
        prune_first: bool,
        /// The newer snapshot that pays for it (I19).
        paid_by: Option<SnapshotId>,
        /// True for a manual snapshot whose expiry has passed; it has no rotation.
        expired: bool,
        reason: String,
    },
    /// Run the rotation's `after`, which releases the server that was held for this snapshot.
    /// `early` if the snapshot has not ended yet.
    After {
        rotation: RotationName,
        name: SnapshotName,
        early: bool,
        reason: String,
    },
    /// Request the server's state, then decide again.
    AskState,
    /// Stop the server for this snapshot.
    Stop {
        rotation: RotationName,
        name: SnapshotName,
        reason: String,
    },
    /// Start the server that was stopped for this snapshot. `early` if the snapshot has not ended
    /// yet.
    Start {
        rotation: RotationName,
        name: SnapshotName,
        early: bool,
        reason: String,
    },
    /// Something is in progress or not due yet: list again after this pause.
    Wait {
        pause: SignedDuration,
        reason: String,
    },
    /// Nothing may be changed until the cause is gone.
    Blocked { reason: String },
    /// Nothing to do until this instant.
    Idle { until: Option<Timestamp> },
}

impl Step {
    /// Returns what the step does, without the text that explains it.
    #[must_use]
    pub fn without_reason(mut self) -> Self {
        match &mut self {
            Self::Create { reason, .. }
            | Self::Delete { reason, .. }
            | Self::After { reason, .. }
            | Self::Stop { reason, .. }
            | Self::Start { reason, .. }
            | Self::Wait { reason, .. }
            | Self::Blocked { reason } => reason.clear(),
            Self::Record(_) | Self::AskState | Self::Idle { .. } => {}
        }
        self
    }
}

/// Decides the next step on one server.
pub fn decide(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Step {
    #[cfg(feature = "proof")]
    let (inventory, history) = &broken_input(policy, inventory, history, now);
    decided(&DecisionContext::of(policy, inventory, history, rules, now))
}

fn decided(server: &DecisionContext<'_>) -> Step {
    let owed = server.release().or_else(|| server.owed_power_step());
    owed.unwrap_or_else(|| server.in_time_for_after(server.in_downtime(server.by_rules())))
}

/// Returns true if a decision on this input judges the slots that are due.
pub fn judges_slots(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> bool {
    DecisionContext::of(policy, inventory, history, rules, now).judges_slots()
}

/// Decides for a server that is held for its create. Records of blocks and alerts are left for
/// later.
pub fn decide_in_hold(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Step {
    #[cfg(feature = "proof")]
    let (inventory, history) = &broken_input(policy, inventory, history, now);
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    let owed = server.owed_power_step().or_else(|| server.held());
    let first = owed.or_else(|| server.doubt());
    first.unwrap_or_else(|| server.wanted())
}

/// Returns the step that runs a due `after`. It needs no listing.
pub fn release(
    policy: &Policy,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Option<Step> {
    #[cfg(feature = "proof")]
    let history = &broken_history(history);
    history.hold.as_ref()?;
    let nothing = Inventory::empty(now.mono);
    DecisionContext::of(policy, &nothing, history, rules, now).release()
}

/// The input of one decision.
#[derive(Clone, Copy)]
pub(super) struct DecisionContext<'a> {
    pub(super) policy: &'a Policy,
    pub(super) inventory: &'a Inventory,
    pub(super) history: &'a ServerHistory,
    pub(super) rules: &'a Rules,
    pub(super) now: ClockReading,
}

impl<'a> DecisionContext<'a> {
    pub(super) fn of(
        policy: &'a Policy,
        inventory: &'a Inventory,
        history: &'a ServerHistory,
        rules: &'a Rules,
        now: ClockReading,
    ) -> Self {
        Self {
            policy,
            inventory,
            history,
            rules,
            now,
        }
    }
}

impl DecisionContext<'_> {
    /// Applies the rules in order, and puts records and alerts before the step.
    fn by_rules(&self) -> Step {
        if let Some(ended) = self.history.pause_over(self.now.wall) {
            return Step::Record(ended);
        }
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

    /// Applies rules 2 to 6.
    fn wanted(&self) -> Step {
        self.care()
            .or_else(|| self.missing_identity_record())
            .or_else(|| self.open_intent())
            .or_else(|| self.under_way())
            .or_else(|| self.findings())
            .or_else(|| self.stored_otherwise())
            .unwrap_or_else(|| self.due_or_surplus())
    }

    /// I19: blocks a server on which the provider stored something other than what was requested.
    fn stored_otherwise(&self) -> Option<Step> {
        let reason = self.history.mismatch.as_deref()?;
        Some(Step::Blocked {
            reason: format!(
                "{reason}: check it at the provider, then run snaprotate resume {}",
                self.policy.server
            ),
        })
    }

    /// Rule 1: blocks on an unreliable listing, name or clock (I11).
    pub(super) fn doubt(&self) -> Option<Step> {
        let blocked = |reason: String| Some(Step::Blocked { reason });
        if let Some(reason) = self.unreliable() {
            return blocked(reason);
        }
        if let Some(last) = self.clock_behind() {
            return blocked(put_right(last));
        }
        // I4: only a listing that was requested after the last answer justifies a change.
        if self
            .history
            .last_answer
            .is_some_and(|answer| self.inventory.requested < answer)
        {
            return Some(self.poll("the listing is older than the last mutation"));
        }
        None
    }

    /// Returns why the listing is unreliable or shows another server (I11).
    pub(super) fn unreliable(&self) -> Option<String> {
        if let Some(doubt) = &self.inventory.doubt {
            return Some(format!("the listing can't be relied on: {doubt}"));
        }
        let reported = self
            .inventory
            .server_name
            .as_ref()
            .or(self.history.answered_name.as_ref());
        let (wanted, reported) = (self.policy.name.as_ref()?, reported?);
        let hostname = self.inventory.hostname.as_ref();
        (wanted != reported && Some(wanted) != hostname)
            .then(|| {
                let or = hostname.map(|hostname| format!(" (host name {hostname:?})"));
                format!(
                    "the provider calls this server {reported:?}{}, but the policy calls it {wanted:?}: correct server.id or server.name in {}.toml",
                    or.unwrap_or_default(),
                    self.policy.file
                )
            })
    }

    /// Returns the time of the last intent if the clock is behind it.
    pub(super) fn clock_behind(&self) -> Option<Timestamp> {
        let last = self.history.last_intent?;
        (last.duration_since(self.now.wall) > CLOCK_TOLERANCE).then_some(last)
    }

    /// Records which rotations are under care, and their terms. Earlier slots are not judged, and
    /// deletes that follow from new terms are announced (I19).
    fn care(&self) -> Option<Step> {
        let wanted = |name: &str| self.policy.rotations.iter().any(|r| r.name == name);
        if let Some(gone) = self.history.rotations().find(|name| !wanted(name)) {
            let rotation = gone.to_owned();
            return Some(Step::Record(ServerEvent::RotationRemoved {
                rotation: rotation.into(),
            }));
        }
        let recorded = |r: &Rotation| {
            let notes = self.history.rotation(&r.name);
            notes.is_some_and(|notes| {
                notes.since.is_some() && notes.terms == Some(TermsHash::of(self.policy, r))
            })
        };
        let mut rotations = self.policy.rotations.iter();
        let new = rotations.find(|r| !recorded(r))?;
        let (rotation, shrinks) = (new.name.clone(), self.ids_to_announce(new));
        let terms = RotationTerms::of(self.policy, new);
        Some(Step::Record(if self.history.since(&rotation).is_none() {
            let terms = Some(terms);
            ServerEvent::RotationAdded {
                rotation,
                terms,
                shrinks,
            }
        } else {
            ServerEvent::RotationChanged {
                since: self.counts_since(new),
                rotation,
                terms,
                shrinks,
            }
        }))
    }

    /// Records that care begins now if the trail dates its beginning in the future because the
    /// clock was ahead. Otherwise a slot that passes before that time would be missed without an
    /// alert (I15). This is recorded even while the clock is in doubt, since nothing would show
    /// later that the clock was ahead.
    fn under_care_already(&self) -> Option<Step> {
        let ahead = |since: Timestamp| since.duration_since(self.now.wall) > CLOCK_TOLERANCE;
        let mut rotations = self.policy.rotations.iter();
        let early = rotations.find(|r| self.history.since(&r.name).is_some_and(ahead))?;
        let rotation = early.name.clone();
        let (terms, shrinks) = (None, BTreeSet::new());
        Some(Step::Record(ServerEvent::RotationAdded {
            rotation,
            terms,
            shrinks,
        }))
    }

    pub(super) fn own(&self) -> impl Iterator<Item = (&Snapshot, OwnSlot)> {
        let rows = self.inventory.snapshots.iter();
        let own = rows.filter(|s| !self.history.stays_foreign(s));
        own.filter_map(|s| self.policy.place(&s.name).map(|place| (s, place)))
    }

    pub(super) fn poll(&self, reason: &str) -> Step {
        Step::Wait {
            pause: self.rules.poll_interval,
            reason: reason.to_owned(),
        }
    }

    pub(super) fn backoff(&self, what: &str, tries: u32) -> SignedDuration {
        backoff(&self.policy.server, self.rules, what, tries)
    }
}

/// Returns the message for a clock that is behind the last intent.
pub(super) fn put_right(last: Timestamp) -> String {
    format!(
        "the clock is behind the trail's last intent, which is dated {last}: correct the clock; if it is already correct, run snaprotate resume"
    )
}

pub(super) fn ended(
    rotation: &Rotation,
    note: &SlotRecord,
    ending: SlotOutcome,
    reason: String,
) -> Step {
    let (rotation, slot, snapshot) = (rotation.name.clone(), note.at, note.name.clone());
    Step::Record(match ending {
        SlotOutcome::Completed => ServerEvent::SlotSettled {
            rotation,
            slot,
            snapshot,
            reason,
        },
        SlotOutcome::GivenUp => ServerEvent::SlotGivenUp {
            rotation,
            slot,
            snapshot,
            reason,
        },
        SlotOutcome::Skipped | SlotOutcome::Paused => ServerEvent::SlotSkipped {
            rotation,
            slot,
            snapshot,
            missed: 0,
            paused: ending == SlotOutcome::Paused,
            reason,
        },
    })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
