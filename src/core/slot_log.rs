//! The record of a rotation's slots and payments.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::announced_deletes::AnnouncedDeletes;
use super::event::{RecordedAt, SlotOutcome};
use super::payment::{Payer, Payment};
use super::recorded_terms::{Fnv, TermsHash};
use super::server_history::ServerHistory;
use super::settled_ranges::SettledRanges;
use super::snapshot::SnapshotId;

/// Number of slots noted one by one for each rotation. Of older ones only a range is kept.
const REMEMBERED: usize = 6;

/// Number of spent payments that are kept, in case a listing shows the deleted snapshot again.
const MOST_SPENT: usize = 2;

/// The record of one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The name of its snapshot.
    pub name: String,
    /// Its scheduled instant.
    pub at: Timestamp,
    /// How it ended; `None` while unsettled.
    pub ending: Option<SlotOutcome>,
    /// Number of attempts that count.
    pub attempts: u32,
    /// Number of all tries; determines the length of the pause.
    pub tries: u32,
    /// Time at which the last try ended.
    pub last_try: Option<RecordedAt>,
    /// Since when its tries have not counted: each was refused for now or not delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Timestamp>,
    /// True if the last try exceeded the provider's rate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    /// Number of tries of this process.
    #[serde(skip)]
    pub own_tries: u32,
    /// Number of creates sent for it, without those that were refused for now (I9).
    #[serde(default, skip_serializing_if = "none")]
    pub intents: u32,
    /// Time of the last create's intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
    /// Number of stops of the server sent for it, without refused ones (I20).
    #[serde(default, skip_serializing_if = "none")]
    pub stops: u32,
    /// True if slots before it passed without a note of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leap: bool,
}

impl SlotRecord {
    /// Returns the outcome when the slot's time has passed: given up if it was ever tried.
    pub fn passed(&self) -> SlotOutcome {
        if self.tries > 0 {
            SlotOutcome::GivenUp
        } else {
            SlotOutcome::Skipped
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(super) fn none(count: &u32) -> bool {
    *count == 0
}

/// Why slots count from a certain time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CareReason {
    /// The rotation came under care: its first snapshot has the name of that instant.
    Added,
    /// Its schedule, zone or pattern changed: older slots don't belong to it.
    Changed,
}

/// Why a slot has no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SlotFailure {
    /// The name of its snapshot.
    pub(super) name: Box<str>,
    pub(super) why: Box<str>,
}

impl SlotFailure {
    pub(super) fn of(name: &str, why: &str) -> Self {
        let (name, why) = (name.into(), why.into());
        Self { name, why }
    }
}

/// The log of one rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RotationLog {
    pub(super) name: String,
    /// Since when it is under care; `None` after it left the policy.
    pub(super) since: Option<Timestamp>,
    /// The reason for `since`; trails of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) begin: Option<CareReason>,
    /// Its terms, as last recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) terms: Option<TermsHash>,
    /// Payments for deletes (I19).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) payments: Vec<Payment>,
    /// Deletes that need no payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shrink: Option<Box<AnnouncedDeletes>>,
    pub(super) slots: Vec<SlotRecord>,
    /// The slots that ended before those.
    #[serde(default, skip_serializing_if = "SettledRanges::is_empty")]
    pub(super) passed: SettledRanges,
    /// Why its hooks failed last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hook_fault: Option<Box<str>>,
    /// Why its last snapshot may show a running server, although the rotation stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ran: Option<Box<SlotFailure>>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<Box<SlotFailure>>,
    /// Why the last slot without a snapshot ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<Box<SlotFailure>>,
}

impl RotationLog {
    /// Returns the snapshots whose delete waits for an operator or for the grace.
    pub(super) fn to_agree(&self) -> impl Iterator<Item = SnapshotId> {
        let shrink = self.shrink.iter();
        shrink.flat_map(|shrink| shrink.announced.iter().chain(&shrink.found).cloned())
    }

    /// Ends the care for the rotation: it left the policy, or the policy was removed.
    pub(super) fn leave(&mut self) {
        (self.since, self.begin, self.terms, self.shrink) = (None, None, None, None);
        self.payments.clear();
    }

    /// Announces the ids that new terms delete. They replace the previous announcement and the
    /// deletes that an operator agreed to under the previous terms.
    pub(super) fn announce(&mut self, ids: &BTreeSet<SnapshotId>, at: RecordedAt) {
        let found = self.shrink.take().map(|shrink| shrink.found);
        let shrink = AnnouncedDeletes {
            announced: ids.iter().cloned().collect(),
            since: Some(at),
            found: found.unwrap_or_default(),
            agreed: Vec::new(),
            taken: 0,
        };
        self.shrink = (!shrink.is_empty()).then(|| Box::new(shrink));
    }

    /// Adds a snapshot that pays for another. Spent payments are kept for a while, since the
    /// deleted snapshot may be listed again.
    pub(super) fn earn(&mut self, by: Payer) {
        let spent = self
            .payments
            .iter()
            .filter(|payment| payment.victim.is_some());
        if spent.count() > MOST_SPENT
            && let Some(oldest) = self.payments.iter().position(|p| p.victim.is_some())
        {
            self.payments.remove(oldest);
        }
        self.payments.reserve_exact(1);
        self.payments.push(Payment { by, victim: None });
    }

    /// Agrees to everything that waits for an operator.
    pub(super) fn agree(&mut self) {
        if let Some(shrink) = &mut self.shrink {
            let AnnouncedDeletes {
                announced,
                found,
                agreed,
                ..
            } = &mut **shrink;
            agreed.append(announced);
            agreed.append(found);
            shrink.taken = 0;
        }
    }

    /// Removes a snapshot that is gone.
    pub(super) fn gone(&mut self, id: &SnapshotId) {
        self.payments.retain(|payment| payment.by.id != *id);
        let Some(shrink) = &mut self.shrink else {
            return;
        };
        let AnnouncedDeletes {
            announced,
            found,
            agreed,
            ..
        } = &mut **shrink;
        for ids in [announced, found, agreed] {
            ids.retain(|held| *held != *id);
        }
        self.shrink.take_if(|shrink| shrink.is_empty());
    }
}

impl ServerHistory {
    /// Returns true if a delete of this snapshot was sent lately.
    pub fn paid_for(&self, id: &SnapshotId) -> bool {
        let payments = self.rotations.iter().flat_map(|notes| &notes.payments);
        let promised = self.prune_first.as_deref();
        payments
            .clone()
            .any(|payment| payment.victim.as_ref() == Some(id))
            || promised.is_some_and(|prune| prune.victim == *id)
    }

    pub(super) fn rotation(&self, name: &str) -> Option<&RotationLog> {
        self.rotations.iter().find(|notes| notes.name == name)
    }

    /// Returns since when the rotation is under care.
    pub fn since(&self, rotation: &str) -> Option<Timestamp> {
        self.rotation(rotation)?.since
    }

    /// Returns since when its slots count, if its schedule, zone or pattern changed then.
    pub(super) fn changed(&self, rotation: &str) -> Option<Timestamp> {
        let notes = self.rotation(rotation)?;
        notes
            .since
            .filter(|_| notes.begin == Some(CareReason::Changed))
    }

    /// Returns the rotations under care.
    pub fn rotations(&self) -> impl Iterator<Item = &str> {
        let known = self.rotations.iter();
        known.filter_map(|notes| notes.since.map(|_| notes.name.as_str()))
    }

    /// Returns the record of the slot of this name.
    pub fn slot(&self, rotation: &str, name: &str) -> Option<&SlotRecord> {
        self.slots(rotation).find(|note| note.name == name)
    }

    /// Returns the records of a rotation's slots, in the order of the trail.
    pub fn slots<'a>(&'a self, rotation: &str) -> impl DoubleEndedIterator<Item = &'a SlotRecord> {
        let notes = self.rotation(rotation);
        notes.into_iter().flat_map(|notes| notes.slots.iter())
    }

    /// Returns the name of a snapshot that was seen completed; empty if the record of its slot is
    /// gone.
    pub fn called(&self, id: &SnapshotId) -> Option<&str> {
        let name = self.name_of(id)?;
        let mut notes = self.rotations.iter().flat_map(|notes| &notes.slots);
        let note = notes.find(|note| Fnv::of(&note.name) == name);
        Some(note.map_or("", |note| &note.name))
    }

    /// Returns why the rotation's hooks failed last time, if they did.
    pub fn hook_fault(&self, rotation: &str) -> Option<&str> {
        self.rotation(rotation)?.hook_fault.as_deref()
    }

    /// Returns why the rotation's last snapshot may show a running server.
    pub(super) fn ran(&self, rotation: &str) -> Option<&SlotFailure> {
        self.rotation(rotation)?.ran.as_deref()
    }

    /// Returns why the last attempt on the slot of this name failed.
    pub fn failed(&self, rotation: &str, name: &str) -> Option<&str> {
        let fault = self.rotation(rotation)?.failed.as_deref()?;
        (*fault.name == *name).then_some(&*fault.why)
    }

    /// Returns why the slot of this name, which has ended, has no snapshot.
    pub fn missing(&self, rotation: &str, name: &str) -> Option<&str> {
        let fault = self.rotation(rotation)?.missing.as_deref()?;
        (*fault.name == *name).then_some(&*fault.why)
    }

    /// Returns true if the slot of this instant ended so long ago that it has no record of its own.
    pub(super) fn passed(&self, rotation: &str, at: Timestamp) -> bool {
        self.rotation(rotation)
            .is_some_and(|notes| notes.passed.holds(at))
    }

    /// Returns the rotation's unsettled slots, in the order of the trail.
    pub fn unsettled<'a>(&'a self, rotation: &str) -> impl Iterator<Item = &'a SlotRecord> {
        self.slots(rotation).filter(|note| note.ending.is_none())
    }

    /// Returns the newest slot up to an instant that the trail has seen.
    pub(super) fn met_until(&self, rotation: &str, until: Timestamp) -> Option<Timestamp> {
        let noted = self.newest(rotation, until).map(|note| note.at);
        noted.max(self.rotation(rotation)?.passed.last_until(until))
    }

    /// Returns the rotation's newest slot record up to an instant. Later records come from a clock
    /// that was ahead.
    pub fn newest(&self, rotation: &str, until: Timestamp) -> Option<&SlotRecord> {
        let met = self.slots(rotation).filter(|note| note.at <= until);
        met.max_by_key(|note| note.at)
    }

    pub(super) fn notes(&mut self, rotation: &str) -> &mut RotationLog {
        let at = self
            .rotations
            .binary_search_by(|notes| notes.name.as_str().cmp(rotation));
        let at = at.unwrap_or_else(|at| {
            self.rotations.reserve_exact(1);
            let notes = RotationLog {
                name: rotation.to_owned(),
                ..RotationLog::default()
            };
            self.rotations.insert(at, notes);
            at
        });
        &mut self.rotations[at]
    }

    pub(super) fn note(&mut self, rotation: &str, name: &str, at: Timestamp) -> &mut SlotRecord {
        let RotationLog {
            slots: notes,
            passed,
            ..
        } = self.notes(rotation);
        if let Some(index) = notes.iter().position(|note| note.name == name) {
            return &mut notes[index];
        }
        if notes.len() == REMEMBERED {
            // The last record with a snapshot is kept: it shows since when there was none.
            let good = |note: &SlotRecord| note.ending == Some(SlotOutcome::Completed);
            let oldest = notes.remove(usize::from(notes.iter().rposition(good) == Some(0)));
            if oldest.ending.is_some() {
                passed.add(oldest.at, oldest.leap);
            }
        }
        notes.reserve_exact(1);
        notes.push(SlotRecord {
            name: name.to_owned(),
            at,
            ending: None,
            attempts: 0,
            tries: 0,
            last_try: None,
            waiting: None,
            limited: false,
            own_tries: 0,
            intents: 0,
            stops: 0,
            sent: None,
            leap: false,
        });
        let last = notes.len() - 1;
        &mut notes[last]
    }

    /// Ends a slot. A slot that is settled by a completed snapshot stays so.
    pub(super) fn end(&mut self, rotation: &str, name: &str, at: Timestamp, ending: SlotOutcome) {
        let note = self.note(rotation, name, at);
        if note.ending != Some(SlotOutcome::Completed) {
            note.ending = Some(ending);
        }
    }

    /// Returns the unsettled slots of this name, of any rotation.
    pub(super) fn unsettled_named(&mut self, name: &str) -> impl Iterator<Item = &mut SlotRecord> {
        let rotations = self.rotations.iter_mut();
        rotations.filter_map(move |rotation| {
            let mut notes = rotation.slots.iter_mut();
            notes.find(|note| note.name == name && note.ending.is_none())
        })
    }

    /// Records why a slot ended without a snapshot.
    pub(super) fn missed(&mut self, rotation: &str, name: &str, reason: &str) {
        let why = match (self.failed(rotation, name), &self.blocked) {
            (Some(last), _) => format!("{reason}; the last attempt: {last}"),
            (None, Some(blocked)) => format!("{reason}; blocked: {blocked}"),
            (None, None) => reason.to_owned(),
        };
        self.notes(rotation).missing = Some(Box::new(SlotFailure::of(name, &why)));
    }
}
