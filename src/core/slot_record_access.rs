//! Reads and writes the slot records in a server's history.

use super::recent_slots::{RecentSlot, SHOWN};
use super::recorded_settings::Fnv;
use super::rotation_history::{CareReason, RotationRecord, SlotFailure};
use super::server_event::SlotOutcome;
use super::server_history::ServerHistory;
use super::slot_record::{REMEMBERED, SlotRecord};
use super::snapshot::SnapshotId;
use jiff::Timestamp;

impl ServerHistory {
    /// Returns true if a delete of this snapshot was sent: one that a payment or the last promise
    /// covered, or one of the last few.
    pub fn was_deletion_sent(&self, id: &SnapshotId) -> bool {
        let payments = self.rotations.iter().flat_map(|notes| &notes.payments);
        let promised = self.prune_first.as_deref();
        payments
            .clone()
            .any(|payment| payment.victim.as_ref() == Some(id))
            || promised.is_some_and(|prune| prune.victim == *id)
            || self.deleted.contains(id)
    }

    pub(super) fn rotation(&self, name: &str) -> Option<&RotationRecord> {
        self.rotations.iter().find(|notes| notes.name == name)
    }

    /// Returns since when the rotation's slots have counted. `None` if it is not under care.
    pub fn since(&self, rotation: &str) -> Option<Timestamp> {
        self.rotation(rotation)?.since
    }

    /// Returns since when the rotation's slots have counted, if its schedule, zone or pattern
    /// changed then.
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

    /// Returns the record of the slot whose snapshot has this name.
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
    pub fn completed_snapshot_name(&self, id: &SnapshotId) -> Option<&str> {
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
    pub(super) fn ran_during_snapshot(&self, rotation: &str) -> Option<&SlotFailure> {
        self.rotation(rotation)?.ran.as_deref()
    }

    /// Returns why the last attempt failed, if it was for the snapshot with this name.
    pub fn failed(&self, rotation: &str, name: &str) -> Option<&SlotFailure> {
        let failed = self.rotation(rotation)?.failed.as_deref();
        failed.filter(|failed| *failed.name == *name)
    }

    /// Returns why the last slot that ended without a snapshot has none, if its snapshot would have
    /// this name.
    pub fn missing(&self, rotation: &str, name: &str) -> Option<&SlotFailure> {
        let missing = self.rotation(rotation)?.missing.as_deref();
        missing.filter(|missing| *missing.name == *name)
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

    /// Returns the instant of the newest slot that the trail records, up to `until`.
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

    /// Returns the newest slots of a rotation up to an instant, oldest first. Later ones come from
    /// a clock that was ahead.
    pub fn recent_slots(&self, rotation: &str, until: Timestamp) -> Vec<RecentSlot> {
        let Some(notes) = self.rotation(rotation) else {
            return Vec::new();
        };
        let recorded = notes.slots.iter().map(RecentSlot::from);
        let slots = recorded.chain(notes.past.iter());
        let mut slots: Vec<_> = slots.filter(|slot| slot.slot <= until).collect();
        // If the clock was set back, a slot may have a record again, which comes first.
        slots.sort_by_key(|slot| slot.slot);
        slots.dedup_by_key(|slot| slot.slot);
        slots.drain(..slots.len().saturating_sub(SHOWN));
        slots
    }

    pub(super) fn notes(&mut self, rotation: &str) -> &mut RotationRecord {
        let at = self
            .rotations
            .binary_search_by(|notes| notes.name.as_str().cmp(rotation));
        let at = at.unwrap_or_else(|at| {
            self.rotations.reserve_exact(1);
            let notes = RotationRecord {
                name: rotation.into(),
                ..RotationRecord::default()
            };
            self.rotations.insert(at, notes);
            at
        });
        &mut self.rotations[at]
    }

    pub(super) fn note(&mut self, rotation: &str, name: &str, at: Timestamp) -> &mut SlotRecord {
        let RotationRecord {
            slots: notes,
            passed,
            past,
            ..
        } = self.notes(rotation);
        if let Some(index) = notes.iter().position(|note| note.name == name) {
            return &mut notes[index];
        }
        if notes.len() == REMEMBERED {
            // The last record with a snapshot is kept: it shows since when there has been none.
            let good = |note: &SlotRecord| note.ending == Some(SlotOutcome::Completed);
            let oldest = notes.remove(usize::from(notes.iter().rposition(good) == Some(0)));
            if oldest.ending.is_some() {
                passed.add(oldest.at, oldest.leap);
                past.add(&oldest);
            }
        }
        notes.reserve_exact(1);
        notes.push(SlotRecord {
            name: name.into(),
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
            reopened: false,
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

    /// Returns the unsettled slots of all rotations whose snapshot has this name.
    pub(super) fn unsettled_named(&mut self, name: &str) -> impl Iterator<Item = &mut SlotRecord> {
        let rotations = self.rotations.iter_mut();
        rotations.filter_map(move |rotation| {
            let mut notes = rotation.slots.iter_mut();
            notes.find(|note| note.name == name && note.ending.is_none())
        })
    }

    /// Records why a slot ended without a snapshot.
    pub(super) fn missed(&mut self, rotation: &str, name: &str, reason: &str) {
        let last = self.failed(rotation, name);
        let why = match (last, &self.blocked) {
            (Some(last), _) => format!("{reason}; the last attempt: {}", last.why),
            (None, Some(blocked)) => format!("{reason}; blocked: {blocked}"),
            (None, None) => reason.to_owned(),
        };
        let said = last.and_then(|last| last.said.as_deref());
        let missing = SlotFailure::of(name, &why, said);
        self.notes(rotation).missing = Some(Box::new(missing));
    }
}
