//! Findings that contradict the trail (I19): a snapshot that differs from what was requested, a
//! known one under another name, a completed one that is listed as failed, and snapshots that the
//! trail lacks.

use jiff::{SignedDuration, Timestamp};

use super::decide::{DecisionContext, Step};
use super::recorded_settings::Fnv;
use super::sanitize::{NAME_SHOWN, printable, utc};
use super::server_event::{RecordedAt, ServerEvent};
use super::server_history::PendingOp;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// A snapshot's date may lie this far before its create, or after now. Clocks and zones of hosts
/// differ.
const DATED_APART: SignedDuration = SignedDuration::from_hours(24);

/// The earliest possible date of a snapshot (2000); an earlier one is a default or a fault.
const NO_DATE_BEFORE: Timestamp = Timestamp::constant(946_684_800, 0);

/// How long a completed snapshot that is listed as failed is kept.
pub(super) const REGRESSED_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl DecisionContext<'_> {
    pub(super) fn was_completed(&self, id: &SnapshotId) -> bool {
        self.history.name_of(id).is_some()
    }

    /// Returns true if the snapshot was completed and is listed as failed, or has had another
    /// status for longer than a listing can lag behind.
    pub(super) fn has_regressed(&self, snapshot: &Snapshot) -> bool {
        let otherwise = match snapshot.status {
            Status::Failed => true,
            Status::InProgress | Status::Unknown(_) => self.stuck(snapshot),
            Status::Completed => false,
        };
        otherwise
            && (self.was_completed(&snapshot.id)
                || self.regressed_since(&snapshot.id).is_some()
                || self.came_back(snapshot))
    }

    /// Returns true if the snapshot was completed and vanished before, under this id or another.
    pub(super) fn came_back(&self, snapshot: &Snapshot) -> bool {
        let made = || self.history.made.iter().any(|made| made.id == snapshot.id);
        let mut former = self.history.former_ids(snapshot);
        former.any(|id| *id == snapshot.id || !made())
    }

    /// Returns a known snapshot that is listed under another name, if either name is own. A
    /// provider must not be able to choose what is deleted by renaming snapshots.
    fn renamed(&self) -> Option<&Snapshot> {
        let mut rows = self.inventory.snapshots.iter();
        rows.find(|s| {
            let known = self.history.name_of(&s.id);
            let own = || self.policy.place(&s.name).is_some();
            let settled = self.history.stays_foreign(s);
            known.is_some_and(|known| known != Fnv::of(&s.name))
                || (!settled && self.was_foreign(s).is_some() && own())
        })
    }

    /// Returns the foreign name under which the snapshot was listed. `None` if it still has that
    /// name: an edit of the policy may make it own.
    fn was_foreign(&self, row: &Snapshot) -> Option<&str> {
        let other = row.uuid.as_ref();
        let name = self
            .foreign_name(&row.id)
            .or_else(|| self.foreign_name(other?));
        name.filter(|name| **name != printable(&row.name, NAME_SHOWN))
    }

    /// Returns the name of the foreign snapshot that was listed under this id.
    fn foreign_name(&self, id: &SnapshotId) -> Option<&str> {
        let mut foreign = self.history.foreign.iter();
        let known = foreign.find(|(known, _)| *known == *id)?;
        Some(&known.1)
    }

    /// Returns the record of a known snapshot that is listed under another name.
    fn renaming(&self) -> Option<Step> {
        let row = self.renamed().filter(|_| self.history.mismatch.is_none())?;
        let foreign = self.was_foreign(row);
        let before = foreign.or(self.history.completed_snapshot_name(&row.id));
        let before = before.filter(|name| !name.is_empty());
        Some(Step::Record(ServerEvent::SnapshotRenamed {
            snapshot: row.name.clone().into(),
            id: row.id.clone(),
            foreign: foreign.is_some(),
            reason: format!(
                "the provider lists the snapshot with id {} as {}, and listed it as {} before",
                row.id,
                printable(&row.name, NAME_SHOWN),
                before.unwrap_or("something else")
            ),
        }))
    }

    /// Returns the time of the intent of the last create of this name, if the trail still has it.
    pub(super) fn sent(&self, name: &str) -> Option<Timestamp> {
        if let Some(PendingOp::Create {
            name: open, sent, ..
        }) = &self.history.open
            && open == name
        {
            return *sent;
        }
        let rotation = self.policy.rotation_of(name)?;
        self.history.slot(rotation, name)?.sent
    }

    /// Returns the record of a snapshot that differs from what an open create requested.
    pub(super) fn mismatch(&self, asked: &str, found: &Snapshot) -> Option<ServerEvent> {
        let reason = stored_otherwise(asked, found, self.sent(asked), self.now.wall)?;
        Some(ServerEvent::CreateMismatch {
            snapshot: asked.into(),
            id: found.id.clone(),
            reason,
        })
    }

    /// Returns the own snapshots that were seen completed and have regressed.
    pub(super) fn regressed(&self) -> impl Iterator<Item = &Snapshot> {
        let own = self.own().map(|(snapshot, _)| snapshot);
        own.filter(|snapshot| self.has_regressed(snapshot))
    }

    /// Returns true if several snapshots have regressed. The fault is then the provider's, and
    /// nothing is deleted on the server, except a failed snapshot of a due slot that the rotation
    /// made.
    pub(super) fn troubled(&self) -> bool {
        self.regressed().nth(1).is_some()
    }

    /// Returns when the trail recorded that the snapshot has regressed.
    pub(super) fn regressed_since(&self, id: &SnapshotId) -> Option<RecordedAt> {
        let mut regressed = self.history.regressed.iter();
        regressed
            .find(|(known, _)| *known == *id)
            .map(|(_, since)| *since)
    }

    /// Returns the record of a finding that the trail lacks: a renamed, a foreign or a completed
    /// snapshot, a regression, or surplus that nothing pays for.
    pub(super) fn findings(&self) -> Option<Step> {
        let history = self.history;
        if let Some(step) = self.renaming() {
            return Some(step);
        }
        let rows = self.inventory.snapshots.iter();
        let mut foreign = rows.filter(|s| self.policy.place(&s.name).is_none());
        // A completed own snapshot that is now listed under another, foreign name was renamed. If
        // it still has its former name, an edit of the policy has made it foreign, and it is
        // recorded as foreign.
        let by_both = |s: &Snapshot| {
            let mut ids = s.ids();
            ids.all(|id| self.foreign_name(id).is_some() && !self.history.gave_up(id))
        };
        let renamed = |s: &Snapshot| {
            let name = self.history.name_of(&s.id);
            name.is_some_and(|known| known != Fnv::of(&s.name))
        };
        let known = |s: &Snapshot| by_both(s) || renamed(s);
        if let Some(row) = foreign.find(|s| !known(s)) {
            return Some(Step::Record(ServerEvent::SnapshotFound {
                snapshot: printable(&row.name, NAME_SHOWN).into(),
                id: row.id.clone(),
                foreign: true,
                other_id: row.uuid.clone(),
            }));
        }
        let new = |s: &&Snapshot| {
            let known = self.was_completed(&s.id) && self.regressed_since(&s.id).is_none();
            s.status == Status::Completed && !known
        };
        if let Some(row) = self.own().map(|(snapshot, _)| snapshot).find(new) {
            return Some(Step::Record(ServerEvent::SnapshotFound {
                snapshot: row.name.clone().into(),
                id: row.id.clone(),
                foreign: false,
                other_id: None,
            }));
        }
        if let Some(row) = self
            .regressed()
            .find(|s| self.regressed_since(&s.id).is_none())
        {
            return Some(Step::Record(ServerEvent::SnapshotRegressed {
                snapshot: row.name.clone().into(),
                id: row.id.clone(),
            }));
        }
        let owned = self.owned();
        let rotations = self.policy.rotations.iter().enumerate();
        // A snapshot that has regressed has an alert of its own and stays until a newer one is
        // made.
        let mut surplus = rotations.map(|(index, rotation)| {
            let mut unpaid = self.unpaid(index, &owned);
            unpaid.retain(|own| !own.regressed);
            (rotation, unpaid)
        });
        let (rotation, mut unpaid) = surplus.find(|(_, unpaid)| !unpaid.is_empty())?;
        // Waiting snapshots are named again, since the record replaces the previous one.
        let notes = history.rotation(&rotation.name);
        let shrink = notes.and_then(|notes| notes.shrink.as_deref());
        // Announced snapshots that were deleted count only after the new snapshot that takes their
        // place is completed.
        let kept = self.is_promise_kept();
        let taken = shrink.filter(|_| kept).map_or(0, |shrink| shrink.taken);
        let taken = usize::try_from(taken).unwrap_or(usize::MAX);
        if let Some(payer) = self.unconfirmed_promise().filter(|_| taken > 0) {
            return Some(self.confirm(payer));
        }
        let shrinks = unpaid.iter().take(taken).map(|own| own.snapshot.id.clone());
        let shrinks = shrinks.collect();
        let waiting = shrink.map_or(&[][..], |shrink| &shrink.found);
        unpaid.extend(
            owned
                .iter()
                .filter(|own| waiting.contains(&own.snapshot.id)),
        );
        let unpaid = unpaid.iter().map(|own| own.snapshot);
        let (snapshots, ids) = unpaid.map(|s| (s.name.clone(), s.id.clone())).unzip();
        Some(Step::Record(ServerEvent::SurplusFound {
            rotation: rotation.name.clone(),
            snapshots,
            ids,
            shrinks,
        }))
    }
}

/// Returns how a snapshot differs from what its create requested; `sent` is the time of the create.
/// `None` if it does not differ.
pub fn stored_otherwise(
    asked: &str,
    found: &Snapshot,
    sent: Option<Timestamp>,
    now: Timestamp,
) -> Option<String> {
    let id = found.id.clone();
    if found.name != asked {
        let stored = printable(&found.name, NAME_SHOWN);
        return Some(format!(
            "the request was for {asked}, but the provider stores {stored} (id {id})"
        ));
    }
    let far_ahead = |at: Timestamp| at.duration_since(now) > DATED_APART;
    if !before(found, sent) && !found.created_at.is_some_and(far_ahead) {
        return None;
    }
    let date = found.created_at.map(utc)?;
    let sent = utc(sent.unwrap_or(now));
    Some(format!(
        "the provider gives {asked} (id {id}) the date {date}, although the request was sent at {sent}"
    ))
}

/// Returns true if the date is impossible: before the first possible snapshot, or more than
/// [`DATED_APART`] before its create.
pub(super) fn before(snapshot: &Snapshot, sent: Option<Timestamp>) -> bool {
    snapshot.created_at.is_some_and(|at| {
        at < NO_DATE_BEFORE || sent.is_some_and(|sent| sent.duration_since(at) > DATED_APART)
    })
}

#[cfg(test)]
#[path = "listing_discrepancies_tests.rs"]
mod tests;
