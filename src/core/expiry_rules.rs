//! Manual snapshots that were ordered with an expiry. Each is deleted when its time is over, so
//! that it doesn't take up a place for ever.
//!
//! No other rule deletes a snapshot that is not own (I1), so a delete needs everything at once: the
//! trail has the snapshot's id from its own create, the listing shows that id with the recorded
//! name and date, nothing protects it, no rotation owns its name by now, and the server holds
//! another completed snapshot. It pays for nothing, and nothing needs to pay for it (I19).

use jiff::{SignedDuration, Timestamp};

use super::decide::{DecisionContext, Step};
use super::expiring_snapshot::ExpiringSnapshot;
use super::last_few::keep_last;
use super::server_event::{RecordedAt, ServerEvent};
use super::server_history::{PendingOp, ServerHistory};
use super::snapshot::{Snapshot, Status};

/// Maximum number of expiring snapshots kept per server; one that is dropped stays at the provider.
const MOST_EXPIRING: usize = 16;

impl ServerHistory {
    pub(super) fn apply_expiring(&mut self, expiring: &ExpiringSnapshot, at: RecordedAt) {
        self.expiring.retain(|(known, _)| known.id != expiring.id);
        keep_last(&mut self.expiring, MOST_EXPIRING, (expiring.clone(), at));
    }

    /// Returns when the snapshot expires, if it was ordered with an expiry and is listed as the
    /// trail records it.
    pub fn expires(&self, row: &Snapshot) -> Option<Timestamp> {
        self.expiring(row).map(|(expiring, _)| expiring.expires)
    }

    fn expiring(&self, row: &Snapshot) -> Option<&(ExpiringSnapshot, RecordedAt)> {
        let mut all = self.expiring.iter();
        all.find(|(expiring, _)| expiring.is_shown_by(row))
    }
}

impl DecisionContext<'_> {
    /// Returns the record of the expiry with which an operator ordered the completed snapshot of
    /// the open create. One without a reliable date is never deleted.
    pub(super) fn expiry_to_record(&self, row: &Snapshot) -> Option<Step> {
        let Some(PendingOp::Create {
            expires: Some(expires),
            ..
        }) = &self.history.open
        else {
            return None;
        };
        let created_at = row.created_at.filter(|_| self.dated(row))?;
        let expiring = ExpiringSnapshot {
            snapshot: row.name.clone().into(),
            id: row.id.clone(),
            created_at,
            expires: *expires,
        };
        let mut known = self.history.expiring.iter();
        let new = known.all(|(known, _)| *known != expiring);
        new.then_some(Step::Record(ServerEvent::SnapshotExpires(expiring)))
    }

    /// Returns the delete of a manual snapshot whose time is over.
    pub(super) fn expired(&self) -> Option<Step> {
        if self.troubled() {
            return None;
        }
        let mut rows = self.inventory.snapshots.iter();
        let row = rows.find(|row| self.time_to_expiry(row).is_some_and(|left| left.is_zero()))?;
        let attempts = self.policy.rotations.iter().map(|r| r.attempts).max();
        if let Some(step) = self.after_refused_deletes(&row.name, attempts.unwrap_or(1)) {
            return Some(step);
        }
        Some(Step::Delete {
            id: row.id.clone(),
            name: row.name.clone().into(),
            rotation: "".into(),
            prune_first: false,
            paid_by: None,
            expired: true,
            reason: "an operator ordered it with --expire, and its time is over".to_owned(),
        })
    }

    /// Returns the times at which expiring snapshots are to be deleted.
    pub(super) fn expiries(&self) -> impl Iterator<Item = Timestamp> {
        let rows = self.inventory.snapshots.iter();
        let left = rows.filter_map(|row| self.time_to_expiry(row));
        left.filter_map(|left| self.now.wall.checked_add(left).ok())
    }

    /// Returns how much longer the snapshot stays before its expiry may delete it; zero if its time
    /// is over, `None` if nothing may.
    ///
    /// Both clocks must agree that the time is over, so that a wall clock that is ahead can't end
    /// it early. Of a record of an earlier process, only the wall clock is known.
    fn time_to_expiry(&self, row: &Snapshot) -> Option<SignedDuration> {
        let (expiring, since) = self.history.expiring(row)?;
        let is_own = self.policy.place(&row.name).is_some();
        let kept = self.protects(row) || self.is_spared_for_restore(&row.id);
        if is_own || kept || !self.has_other_copy(row) {
            return None;
        }
        let by_wall = expiring.expires.duration_since(self.now.wall);
        let by_age = expiring.expires.duration_since(since.wall) - since.age(self.now);
        Some(by_wall.max(by_age).max(SignedDuration::ZERO))
    }

    /// Returns true if the server holds another completed snapshot with a reliable date: its last
    /// one must not expire.
    fn has_other_copy(&self, row: &Snapshot) -> bool {
        let mut rows = self.inventory.snapshots.iter();
        rows.any(|other| {
            other.id != row.id && other.status == Status::Completed && self.dated(other)
        })
    }
}

#[cfg(test)]
#[path = "expiry_rules_tests.rs"]
mod tests;
