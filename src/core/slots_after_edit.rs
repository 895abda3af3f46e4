//! Slots around an edit of the schedule, the zone or the name pattern: which stay open, which end,
//! and from when slots count.

use jiff::Timestamp;

use super::decide::{DecisionContext, Step, ended};
use super::policy::Rotation;
use super::recorded_settings::TermsHash;
use super::retry_backoff::unrun;
use super::rotation_history::CareReason;
use super::schedule::Slot;
use super::server_event::SlotOutcome;
use super::slot_record::SlotRecord;

impl DecisionContext<'_> {
    /// Returns the step that ends an open slot of the former schedule, zone or pattern, which no
    /// longer belongs to the rotation. `slot` is the newest due slot under the new terms, and
    /// `name` is the name of its snapshot.
    pub(super) fn replaced_slot(
        &self,
        rotation: &Rotation,
        slot: Option<Slot>,
        name: Option<&str>,
    ) -> Option<Step> {
        let history = self.history;
        let changed = history.changed(&rotation.name);
        let is_same = |note: &SlotRecord| slot.is_some_and(|slot| slot.at == note.at);
        let old = history.unsettled(&rotation.name).find(|note| {
            Some(note.name.as_str()) != name
                && (changed.is_some_and(|since| note.at <= since) || is_same(note))
        })?;
        let (ending, why) = match name {
            _ if history.has_completed(&old.name) => {
                (SlotOutcome::Completed, "completed".to_owned())
            }
            Some(name) if is_same(old) => (
                SlotOutcome::Paused,
                format!(
                    "the name pattern changed: its snapshot will be made under the name {name}"
                ),
            ),
            _ => unrun(
                old,
                self.passed_in_pause(rotation, old.at),
                "the schedule, zone or name pattern changed before its snapshot was made",
            ),
        };
        Some(ended(rotation, old, ending, why))
    }

    /// Returns the instant of the slot from which slots count after a change of schedule, zone or
    /// pattern. `None` means that they count from now on, or that nothing changed.
    ///
    /// For a new rotation, this is its first slot, if that is open and no create was sent for it.
    /// Otherwise it is the newest due slot, on one of two conditions: the old terms had the same
    /// slot, written differently or under another name; or no slot has been judged since it became
    /// due, because no process ran or the server was blocked.
    pub(super) fn counts_since(&self, rotation: &Rotation) -> Option<Timestamp> {
        let notes = self.history.rotation(&rotation.name)?;
        if notes.terms?.timing == TermsHash::of(self.policy, rotation).timing {
            return None;
        }
        let mut open = self.history.unsettled(&rotation.name);
        if notes.begin == Some(CareReason::Added)
            && open.any(|note| Some(note.at) == notes.since && note.intents == 0)
        {
            return notes.since;
        }
        let slot = rotation.newest_due(self.due_until())?;
        let name = rotation.pattern.format(slot.local);
        let mut same = self.history.slots(&rotation.name);
        let counts = match same.rfind(|note| note.at == slot.at) {
            Some(note) => note.name == name || (note.ending.is_none() && note.intents == 0),
            None => self.history.judged.is_some_and(|judged| slot.at > judged),
        };
        counts.then_some(slot.at)
    }
}
