//! The one decision: what to do next on one server, and why.
//!
//! First match wins: held, doubt, open intent, under way, due, surplus, idle (DESIGN.md,
//! section 2). The caller performs the step, records it, looks again and asks again.
//! Rule 1 stands here; `pause.rs` has rule 0, `open.rs` 2 and 3, `due.rs` those for slots and
//! surplus, and `hold.rs` and `restart.rs` what goes before them all.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::breaks::Break;
use super::downtime::{PowerState, ServerInfo};
use super::event::{ClockReading, ServerEvent, SlotOutcome};
use super::policy::{OwnSlot, Policy, Rotation, Rules};
use super::rotation_terms::{Fnv, RotationTerms, TermsHash};
use super::server_history::ServerHistory;
use super::slot_log::SlotRecord;
use super::snapshot::{ServerId, Snapshot, SnapshotId};

/// The clock may lie this far behind the newest intent or a pause's end, and a date this far
/// ahead.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The longest pause between two attempts.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// A server's listing at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The server's name in the listing; `None` when it shows no row.
    pub server_name: Option<String>,
    /// Its host name, where that is another.
    pub hostname: Option<String>,
    /// Its other id, where the listing gives two: the policy has either.
    pub other_id: Option<ServerId>,
    /// All snapshots of the server.
    pub snapshots: Vec<Snapshot>,
    /// The server's state; `None`: nobody asked.
    pub state: Option<PowerState>,
    /// When the listing was requested, by the monotonic clock.
    pub requested: SignedDuration,
    /// Why the listing can't be relied on.
    pub doubt: Option<String>,
}

impl Inventory {
    /// Of a server that shows no snapshot, or was not asked for any.
    pub fn empty(requested: SignedDuration) -> Self {
        Self {
            server_name: None,
            hostname: None,
            other_id: None,
            snapshots: Vec::new(),
            state: None,
            requested,
            doubt: None,
        }
    }

    /// Takes in what the provider tells of the server itself; its name and its other id count where
    /// no row gives them.
    pub fn tell(&mut self, detail: ServerInfo) {
        self.state = Some(detail.state);
        if self.server_name.is_none() {
            (self.server_name, self.hostname) = (detail.name, detail.hostname);
        }
        self.other_id = self.other_id.take().or(detail.other_id);
    }

    /// Casts doubt on it where the server's other id has a policy of its own: both would
    /// rotate the same server.
    pub fn doubt_twin(&mut self, has_policy: impl Fn(&ServerId) -> bool) {
        let Some(other) = self.other_id.as_ref().filter(|id| has_policy(id)) else {
            return;
        };
        let twin = format!(
            "another policy is for the same server, by its other id {other}: remove one of both"
        );
        self.doubt.get_or_insert(twin);
    }
}

/// What to do next.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this fact to the trail, then ask again.
    Record(ServerEvent),
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
        rotation: String,
        prune_first: bool,
        /// The newer one that pays for it (I19).
        paid_by: Option<SnapshotId>,
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
    /// Ask whether the server runs, then ask again.
    AskState,
    /// Stop the server for this snapshot.
    Stop {
        rotation: String,
        name: String,
        reason: String,
    },
    /// Start the server that was stopped for this snapshot; `early` where that is not over yet.
    Start {
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
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Step {
    #[cfg(feature = "proof")]
    if let Some((inventory, history)) = super::breaks::blinded(policy, inventory, history) {
        return decided(&DecisionContext::of(
            policy, &inventory, &history, rules, now,
        ));
    }
    decided(&DecisionContext::of(policy, inventory, history, rules, now))
}

fn decided(server: &DecisionContext<'_>) -> Step {
    let owed = server.release().or_else(|| server.owed());
    owed.unwrap_or_else(|| server.in_time_for_after(server.in_downtime(server.by_rules())))
}

/// What is wanted of a server that is held for its create; what has to be said can wait.
pub fn decide_in_hold(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Step {
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    let owed = server.owed().or_else(|| server.held());
    let first = owed.or_else(|| server.doubt());
    first.unwrap_or_else(|| server.wanted())
}

/// Whether a rotation's `after` is due; for that no listing is needed.
pub fn release(
    policy: &Policy,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Option<Step> {
    history.hold.as_ref()?;
    let nothing = Inventory::empty(now.mono);
    DecisionContext::of(policy, &nothing, history, rules, now).release()
}

/// Everything that one decision looks at.
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
            .or_else(|| self.identified())
            .or_else(|| self.open_intent())
            .or_else(|| self.under_way())
            .or_else(|| self.findings())
            .or_else(|| self.stored_otherwise())
            .unwrap_or_else(|| self.due_or_surplus())
    }

    /// I19: a provider that stores otherwise what it was asked for gets nothing more to do.
    fn stored_otherwise(&self) -> Option<Step> {
        let reason = self.history.mismatch.as_deref()?;
        Some(Step::Blocked {
            reason: format!(
                "{reason}: look at it at the provider, then snaprotate resume --server {}",
                self.policy.server
            ),
        })
    }

    /// Rule 1. A listing, a name or a clock that can't be relied on (I11).
    pub(super) fn doubt(&self) -> Option<Step> {
        let blocked = |reason: String| Some(Step::Blocked { reason });
        if let Some(reason) = self.unreliable() {
            return blocked(reason);
        }
        if let Some(last) = self.clock_behind()
            && !Break::ClockTrusted.on()
        {
            return blocked(put_right(last));
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
        let hostname = self.inventory.hostname.as_ref();
        (wanted != reported && Some(wanted) != hostname)
            .then(|| {
                let or = hostname.map(|hostname| format!(" (host name {hostname:?})"));
                format!(
                    "the provider calls this server {reported:?}{}, the policy {wanted:?}: correct server.id or server.name in {}.toml",
                    or.unwrap_or_default(),
                    self.policy.file
                )
            })
    }

    /// The last intent, where the clock says that it is yet to come.
    pub(super) fn clock_behind(&self) -> Option<Timestamp> {
        let last = self.history.last_intent?;
        (last.duration_since(self.now.wall) > CLOCK_TOLERANCE).then_some(last)
    }

    /// Notes which rotations are under care, and on what terms: what passed before is not
    /// theirs to judge, and what new terms delete is announced (I19).
    fn care(&self) -> Option<Step> {
        let wanted = |name: &str| self.policy.rotations.iter().any(|r| r.name == name);
        if let Some(gone) = self.history.rotations().find(|name| !wanted(name)) {
            let rotation = gone.to_owned();
            return Some(Step::Record(ServerEvent::RotationRemoved { rotation }));
        }
        let recorded = |r: &Rotation| {
            let notes = self.history.rotation(&r.name);
            notes.is_some_and(|notes| {
                notes.since.is_some() && notes.terms == Some(TermsHash::of(self.policy, r))
            })
        };
        let mut rotations = self.policy.rotations.iter();
        let new = rotations.find(|r| !recorded(r))?;
        let (rotation, shrinks) = (new.name.clone(), self.shrinks(new));
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
                rotation,
                terms,
                shrinks,
            }
        }))
    }

    /// Where care began at a time that is yet to come, the clock was ahead then: it began now
    /// at the latest, or a slot that passes before that time would be missed in silence (I15).
    /// Noted even while the clock counts as odd, since nobody knows it afterwards.
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
        rows.filter_map(|s| self.policy.place(&s.name).map(|place| (s, place)))
    }

    pub(super) fn poll(&self, reason: &str) -> Step {
        Step::Wait {
            pause: self.rules.poll_interval,
            reason: reason.to_owned(),
        }
    }

    pub(super) fn pause(&self, what: &str, tries: u32) -> SignedDuration {
        pause(&self.policy.server, self.rules, what, tries)
    }
}

/// What to do about a clock that is behind the last intent.
pub(super) fn put_right(last: Timestamp) -> String {
    format!(
        "the clock is behind the trail's last intent of {last}: set it right; if it is, snaprotate resume"
    )
}

/// The pause after the nth try: doubling, an hour at most, up to a quarter longer by a hash of
/// what is tried, so that servers don't come back in step.
pub(super) fn pause(server: &ServerId, rules: &Rules, what: &str, tries: u32) -> SignedDuration {
    let doublings = tries.saturating_sub(1).min(16);
    let pause = rules
        .retry_after
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE);
    let number = server.number().map(u64::to_le_bytes);
    let text = server.text().map_or(&[][..], str::as_bytes);
    let seed = number.iter().flatten().chain(text);
    let nth = tries.to_le_bytes();
    let bytes = seed.chain(what.as_bytes()).chain(&nth);
    let mut hash = Fnv::default();
    hash.bytes(bytes.copied());
    let quarter = i32::try_from((hash.0 >> 32) % 256).unwrap_or(0);
    pause + pause * quarter / 1024
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
