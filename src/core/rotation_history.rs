//! The record of a rotation's slots and payments.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::announced_deletes::UnpaidDeletes;
use super::ended_slot_ranges::EndedSlotRanges;
use super::payment_and_promise::{Payer, Payment};
use super::recent_slots::PastSlots;
use super::recorded_settings::TermsHash;
use super::rotation_and_snapshot_name::RotationName;
use super::server_event::RecordedAt;
use super::slot_record::SlotRecord;
use super::snapshot::SnapshotId;

/// Number of spent payments that are kept, in case a listing shows the deleted snapshot again.
const MOST_SPENT: usize = 2;

/// Why slots count from a certain time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CareReason {
    /// The rotation came under care: its first snapshot has the name of that instant.
    Added,
    /// Its schedule, zone or pattern changed: older slots don't belong to it.
    Changed,
}

/// Why a slot has no snapshot, or why its snapshot may be that of a running server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotFailure {
    /// The name of its snapshot.
    pub(super) name: Box<str>,
    pub(super) why: Box<str>,
    /// The provider's own words about the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) said: Option<Box<str>>,
}

impl SlotFailure {
    pub(super) fn of(name: &str, why: &str, said: Option<&str>) -> Self {
        let (name, why, said) = (name.into(), why.into(), said.map(Into::into));
        Self { name, why, said }
    }

    /// Returns the reason, with the provider's own words.
    pub fn reason(&self) -> String {
        match &self.said {
            Some(said) => format!("{}: the provider says \"{said}\"", self.why),
            None => self.why.to_string(),
        }
    }
}

/// The record of one rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RotationRecord {
    pub(super) name: RotationName,
    /// Time from which its slots count: when it came under care, or when its schedule, zone or
    /// pattern changed. `None` after it left the policy.
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
    pub(super) shrink: Option<Box<UnpaidDeletes>>,
    pub(super) slots: Vec<SlotRecord>,
    /// The ended slots that no longer have a record of their own.
    #[serde(default, skip_serializing_if = "EndedSlotRanges::is_empty")]
    pub(super) passed: EndedSlotRanges,
    /// The outcomes of the last of them, for readers.
    #[serde(default, skip_serializing_if = "PastSlots::is_empty")]
    pub(super) past: PastSlots,
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

impl RotationRecord {
    /// Returns the snapshots whose delete waits for an operator or for the end of the grace period.
    pub(super) fn to_agree(&self) -> impl Iterator<Item = SnapshotId> {
        let shrink = self.shrink.iter();
        shrink.flat_map(|shrink| {
            let announced = shrink.announcements().map(|(id, _)| id);
            announced.chain(&shrink.found).cloned()
        })
    }

    /// Ends the care of the rotation, because it left the policy or the policy was removed.
    pub(super) fn leave(&mut self) {
        (self.since, self.begin, self.terms, self.shrink) = (None, None, None, None);
        self.payments.clear();
    }

    /// Puts the rotation under care with these terms.
    pub(super) fn begin_care(
        &mut self,
        key: TermsHash,
        shrinks: &BTreeSet<SnapshotId>,
        at: RecordedAt,
    ) {
        self.leave();
        self.since = Some(at.wall);
        self.begin = Some(CareReason::Added);
        self.terms = Some(key);
        self.announce(shrinks, at);
    }

    /// Replaces the terms. After a change of schedule, zone or pattern, slots count from `since`,
    /// or from now on.
    pub(super) fn change_terms(
        &mut self,
        key: TermsHash,
        since: Option<Timestamp>,
        shrinks: &BTreeSet<SnapshotId>,
        at: RecordedAt,
    ) {
        let before = self.terms.replace(key);
        // Earlier versions recorded no terms, so a difference can't be detected.
        if before.is_some_and(|before| before.timing != key.timing) {
            let since = since.unwrap_or(at.wall);
            // If the start is unchanged, the first slot of a new rotation stays open, and so the
            // reason stays `Added`.
            if self.since.replace(since) != Some(since) {
                self.begin = Some(CareReason::Changed);
            }
        }
        let same = |before: TermsHash| (before.keep, before.owns) == (key.keep, key.owns);
        if !before.is_some_and(same) {
            self.announce(shrinks, at);
        }
    }

    /// Announces the ids that new terms delete. They replace the previous announcement and the
    /// deletes that an operator agreed to under the previous terms.
    pub(super) fn announce(&mut self, ids: &BTreeSet<SnapshotId>, at: RecordedAt) {
        let found = self.shrink.take().map(|shrink| shrink.found);
        let shrink = UnpaidDeletes {
            announced: ids.iter().cloned().collect(),
            since: Some(at),
            found: found.unwrap_or_default(),
            ..UnpaidDeletes::default()
        };
        self.shrink = (!shrink.is_empty()).then(|| Box::new(shrink));
    }

    /// Adds a snapshot that pays for another. Spent payments are kept for a while, since the
    /// deleted snapshot may be listed again.
    pub(super) fn add_payment(&mut self, by: Payer) {
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
            let UnpaidDeletes {
                announced,
                found,
                agreed,
                instead,
                ..
            } = &mut **shrink;
            agreed.append(announced);
            agreed.extend(instead.drain(..).map(|(id, _)| id));
            agreed.append(found);
            shrink.taken = 0;
        }
    }

    /// Removes a snapshot that is gone.
    pub(super) fn remove_snapshot(&mut self, id: &SnapshotId) {
        self.payments.retain(|payment| payment.by.id != *id);
        let Some(shrink) = &mut self.shrink else {
            return;
        };
        let UnpaidDeletes {
            announced,
            found,
            agreed,
            instead,
            ..
        } = &mut **shrink;
        for ids in [announced, found, agreed] {
            ids.retain(|held| *held != *id);
        }
        instead.retain(|(held, _)| *held != *id);
        self.shrink.take_if(|shrink| shrink.is_empty());
    }
}
