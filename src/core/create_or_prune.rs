//! The part of rules 4 and 5 that chooses a change: the create for a due slot, the delete that
//! makes room for it, and the delete of surplus.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::alert_text::AlertText;
use super::decide::{CLOCK_TOLERANCE, DecisionContext, Step};
use super::deletion_payment_rules::PaidBy;
use super::due_slot_rules::RotationDemand;
use super::listing_discrepancies::{REGRESSED_KEPT, before};
use super::policy::{OwnSlot, Rotation, WhenFull};
use super::retention::{self, OwnSnapshot, SurplusReason};
use super::sanitize::counted;
use super::server_event::SlotOutcome;
use super::snapshot::{Snapshot, SnapshotId, Status};

impl DecisionContext<'_> {
    /// Returns the step that creates the slot's snapshot or prepares the create, or the reason why
    /// there is none now.
    pub(super) fn make(&self, index: usize, rotation: &Rotation, name: String) -> RotationDemand {
        if let Some(due) = self.unfit_to_stop(rotation, &name) {
            return due;
        }
        let owned = self.owned();
        let full = self.inventory.snapshots.len() >= self.rules.limit;
        // I19: a listing may report a good snapshot as failed. One that failed recently stays as
        // long as its place is not needed, and one that the rotation did not make needs the same
        // payment as a completed one.
        let failed =
            |own: &&OwnSnapshot<'_>| own.failed() && own.deletable() && self.unfinished(own);
        let mut of_slot = owned.iter().filter(|own| own.snapshot.name == name);
        if let Some(failed) = of_slot.find(|own| failed(own) && (full || !own.recent)) {
            let reason = format!("it failed, and its slot of {} is still due", rotation.name);
            return self.delete(failed, false, None, reason).into();
        }
        // I10: no create on a full server; every listed snapshot takes up room.
        if !full {
            if let Some(left) = self.held_by_others(rotation, &name) {
                return RotationDemand::Later(left);
            }
            if let Some(due) = self.stop_first(rotation, &name) {
                return due;
            }
            if self.is_name_unknown() {
                return RotationDemand::Step(Step::AskState);
            }
            let reason = format!("a slot of {} is due, and there is room", rotation.name);
            return RotationDemand::Step(Step::Create {
                rotation: rotation.name.clone(),
                name: name.into(),
                reason,
            });
        }
        if self.troubled() {
            return RotationDemand::Blocked(format!(
                "the server is full, and nothing on it may be deleted while {} that were completed are no longer listed as completed",
                counted(self.regressed().count(), "snapshot")
            ));
        }
        if let Some(step) = self.expired() {
            return step.into();
        }
        if let Some(own) = owned.iter().find(failed) {
            let reason = format!("it failed, and a slot of {} needs its place", rotation.name);
            return self.delete(own, false, None, reason).into();
        }
        let stuck = |own: &&OwnSnapshot<'_>| {
            self.policy.delete_stuck && own.deletable() && self.long_stuck(own)
        };
        if let Some(own) = owned.iter().find(stuck).filter(|own| self.unfinished(own)) {
            return self.delete(own, false, None, stuck_for(rotation)).into();
        }
        if let Some(step) = self.surplus(&owned) {
            return step.into();
        }
        if let Some(due) = self.no_room_by_a_delete() {
            return due;
        }
        let mut failed = owned.iter().filter(|own| own.failed() && own.deletable());
        if let Some(own) = failed.find(|own| self.may_promise(own)) {
            let reason = format!("it failed, and a slot of {} needs its place", rotation.name);
            return self.delete(own, true, None, reason).into();
        }
        // A snapshot that regressed at least a week ago is deleted before a good one.
        let mut regressed = owned.iter().filter(|own| own.may_be_lost() && !own.recent);
        if let Some(own) = regressed.find(|own| own.deletable() && self.may_promise(own)) {
            let reason = format!(
                "it was completed but has been listed as failed for a week, and a slot of {} needs its place",
                rotation.name
            );
            return self.delete(own, true, None, reason).into();
        }
        let mut stuck = owned.iter().filter(stuck);
        if let Some(own) = stuck.find(|own| self.may_promise(own)) {
            return self.delete(own, true, None, stuck_for(rotation)).into();
        }
        if rotation.when_full == WhenFull::Skip {
            return RotationDemand::Blocked(format!(
                "the server is full, and {} doesn't prune first",
                rotation.name
            ));
        }
        match retention::prune_first(self.policy, &owned, index) {
            Some(Err(odd)) => RotationDemand::Blocked(format!(
                "the server is full, and {}",
                disagree(&odd).reason()
            )),
            Some(Ok(own)) if self.newest_settled(&own) => {
                RotationDemand::Blocked(self.nothing_to_give(&owned))
            }
            Some(Ok(own)) if !self.may_promise(&own) => {
                RotationDemand::Blocked(self.why_not_pruned_again())
            }
            Some(Ok(own)) => {
                let reason = format!("the server is full, and a slot of {} is due", rotation.name);
                self.delete(&own, true, None, reason).into()
            }
            None => RotationDemand::Blocked(self.nothing_to_give(&owned)),
        }
    }

    /// Returns true if the policy names the server, but no listing or answer has given the server's
    /// name, and the provider's description of the server, which may give it, was not requested
    /// yet. A listing without rows gives no name.
    fn is_name_unknown(&self) -> bool {
        let told = self.inventory.server_name.is_some() || self.history.answered_name.is_some();
        self.policy.name.is_some() && !told && self.inventory.state.is_none()
    }

    /// Returns why no snapshot may be deleted to make room now, if so: one delete would not be
    /// enough, the last one has not finished, or a new snapshot was first listed too recently.
    fn no_room_by_a_delete(&self) -> Option<RotationDemand> {
        let (held, limit) = (self.inventory.snapshots.len(), self.rules.limit);
        if held > limit {
            return Some(RotationDemand::Blocked(format!(
                "the server holds {held} snapshots, more than its limit of {limit}: deleting one would not make room"
            )));
        }
        if let Some(row) = self.being_deleted() {
            return Some(RotationDemand::Blocked(format!(
                "the server is full, and the provider has not finished deleting {} (id {}): until then, nothing else is deleted to make room",
                row.name, row.id
            )));
        }
        if let Some(payer) = self.unconfirmed_promise() {
            return Some(self.confirm(payer).into());
        }
        let left = self.rules.settle_window - self.history.found?.age(self.now);
        left.is_positive().then_some(RotationDemand::Settles(left))
    }

    /// Returns the snapshot of the last sent delete while it is listed as neither completed nor
    /// failed.
    fn being_deleted(&self) -> Option<&Snapshot> {
        let last = self.history.last_delete.as_ref()?;
        let mut rows = self.inventory.snapshots.iter();
        rows.find(|row| {
            let under_way = matches!(row.status, Status::InProgress | Status::Unknown(_));
            row.id == *last && under_way
        })
    }

    /// Returns the reason why nothing may be deleted. After a rotation is renamed, its former
    /// snapshots are foreign and take up places.
    fn nothing_to_give(&self, owned: &[OwnSnapshot<'_>]) -> String {
        let all = self.inventory.snapshots.len();
        let foreign = all - owned.len();
        let mut reason = "the server is full, and nothing on it may be deleted".to_owned();
        if foreign > 0 {
            let _ = write!(
                reason,
                ": foreign snapshots take up {foreign} of {all} places; delete one (snaprotate delete), or list a renamed rotation's former pattern in former_names"
            );
        }
        reason
    }

    /// Returns the delete of the first surplus snapshot that is paid for (rule 5, I19), or a wait
    /// for a second listing of the snapshot that pays for it.
    pub(super) fn surplus(&self, owned: &[OwnSnapshot<'_>]) -> Option<Step> {
        let spares = retention::surplus_of(self.policy, owned);
        if spares.is_empty() || self.troubled() {
            return None;
        }
        // If a rotation's oldest surplus snapshot stays, no newer one goes in its place.
        let mut stays = BTreeSet::new();
        for (own, why) in spares {
            let rotation = own.place.rotation;
            let in_order = || match retention::oldest(owned, rotation) {
                Some(Ok(oldest)) => oldest.snapshot.id == own.snapshot.id,
                Some(Err(_)) | None => false,
            };
            let may_go = match why {
                SurplusReason::Copy | SurplusReason::Outlived => true,
                SurplusReason::Beyond => !stays.contains(&rotation) && in_order(),
                SurplusReason::Regressed => !stays.contains(&rotation),
            } && (why == SurplusReason::Copy || !self.newest_settled(&own));
            let paid = self.paid(&own, why, owned).filter(|_| may_go);
            let Some(paid) = paid else {
                stays.insert(rotation);
                continue;
            };
            if let PaidBy::By(payer) = &paid
                && !self.is_confirmed(payer)
            {
                return Some(self.confirm(payer));
            }
            let reason = why.reason(&self.policy.rotations[rotation]);
            return Some(self.delete(&own, false, paid.by(), reason));
        }
        None
    }

    /// Returns true if the snapshot has the name of the server's newest slot that a completed
    /// snapshot settled. As long as it is listed as completed, it is deleted only if it has a newer
    /// copy.
    fn newest_settled(&self, own: &OwnSnapshot<'_>) -> bool {
        let rotations = self.policy.rotations.iter();
        let settled = rotations.flat_map(|r| self.history.slots(&r.name));
        let settled = settled.filter(|note| {
            note.ending == Some(SlotOutcome::Completed)
                && note.at.duration_since(self.now.wall) <= CLOCK_TOLERANCE
        });
        // A failed attempt has the same name.
        let newest = settled.max_by_key(|note| note.at);
        !own.failed() && newest.is_some_and(|note| note.name == own.snapshot.name)
    }

    fn delete(
        &self,
        own: &OwnSnapshot<'_>,
        prune_first: bool,
        paid_by: Option<SnapshotId>,
        reason: String,
    ) -> Step {
        let rotation = &self.policy.rotations[own.place.rotation];
        let (id, name) = (own.snapshot.id.clone(), own.snapshot.name.clone());
        let refused = self.after_refused_deletes(&name, rotation.attempts);
        refused.unwrap_or_else(|| Step::Delete {
            id,
            name: name.into(),
            rotation: rotation.name.clone(),
            prune_first,
            paid_by,
            expired: false,
            reason,
        })
    }

    /// Returns the step in place of a delete if the last deletes were refused, until the next may
    /// be sent.
    pub(super) fn after_refused_deletes(&self, name: &str, attempts: u32) -> Option<Step> {
        let last = self.history.last_refusal?;
        let rotations = self.policy.rotations.iter();
        let due = rotations.filter_map(|r| r.newest_due(self.now.wall));
        let newest = due.map(|slot| slot.at).max();
        let new_slot = newest.is_some_and(|at| at > last.wall);
        if self.history.refused_deletes >= attempts && !new_slot {
            return Some(Step::Blocked {
                reason: format!(
                    "{name} can't be deleted: delete requests on this server keep failing"
                ),
            });
        }
        let left = self.backoff(name, self.history.refused_deletes) - last.elapsed(self.now);
        left.is_positive().then(|| Step::Wait {
            pause: left,
            reason: "the last delete request failed".to_owned(),
        })
    }

    /// Returns true if the snapshot's date is reliable: readable, not in the future, not before the
    /// first possible snapshot, and not before its create (I11).
    pub(super) fn dated(&self, snapshot: &Snapshot) -> bool {
        let ahead = |at: Timestamp| at.duration_since(self.now.wall);
        snapshot
            .created_at
            .is_some_and(|at| ahead(at) <= CLOCK_TOLERANCE)
            && !before(snapshot, self.sent(&snapshot.name))
    }

    pub(super) fn owned(&self) -> Vec<OwnSnapshot<'_>> {
        self.owned_where(|snapshot| self.is_spared_for_restore(&snapshot.id))
    }

    /// Returns the own snapshots; those for which `spared` is true count as protected.
    pub(super) fn owned_where(&self, spared: impl Fn(&Snapshot) -> bool) -> Vec<OwnSnapshot<'_>> {
        self.own()
            .map(|(snapshot, place)| {
                let until = self.left_alone_until(snapshot);
                let regressed = self.has_regressed(snapshot);
                // The time of the regression is not recorded yet.
                let new = regressed && until.is_none();
                OwnSnapshot {
                    snapshot,
                    place,
                    protected: self.protects(snapshot) || spared(snapshot),
                    dated: snapshot.created_at.filter(|_| self.dated(snapshot)),
                    slot: self.slot_of(snapshot, place),
                    regressed,
                    recent: new || until.is_some_and(|at| at > self.now.wall),
                }
            })
            .collect()
    }

    /// Returns the time until which a failed or regressed snapshot is left alone. `None` if it has
    /// neither failed nor regressed, or if the trail lacks the time at which it did.
    pub(super) fn left_alone_until(&self, snapshot: &Snapshot) -> Option<Timestamp> {
        let regressed = self.has_regressed(snapshot);
        if snapshot.status != Status::Failed && !regressed {
            return None;
        }
        let mut made = self.history.made.iter();
        let failed = made
            .find(|made| made.id == snapshot.id)
            .and_then(|made| made.failed);
        let (since, kept) = match self.regressed_since(&snapshot.id) {
            Some(since) => (since, REGRESSED_KEPT),
            None => (failed?, self.rules.stuck_after),
        };
        let left = kept - since.age(self.now);
        self.now.wall.checked_add(left).ok()
    }

    /// Returns the slot's instant from the trail, else from the name.
    fn slot_of(&self, snapshot: &Snapshot, place: OwnSlot) -> Timestamp {
        let rotation = &self.policy.rotations[place.rotation];
        let noted = self.history.slot(&rotation.name, &snapshot.name);
        noted.map_or_else(|| rotation.schedule.instant(place.local), |note| note.at)
    }

    /// Returns true if an operator is about to restore the snapshot. The snapshot of the current
    /// state, which is made first, must not displace it.
    pub(super) fn is_spared_for_restore(&self, id: &SnapshotId) -> bool {
        let Some((spared, since)) = self.history.spared.as_deref() else {
            return false;
        };
        let window = self.rules.stuck_after + self.rules.restore_window;
        *spared == *id && since.age(self.now).max(since.elapsed(self.now)) < window
    }

    /// Returns true if the snapshot is stuck. One that was once completed never is, whatever the
    /// listing says (I19).
    fn long_stuck(&self, own: &OwnSnapshot<'_>) -> bool {
        let snapshot = own.snapshot;
        snapshot.status == Status::InProgress
            && self.stuck(snapshot)
            && !self.was_completed(&snapshot.id)
    }
}

fn stuck_for(rotation: &Rotation) -> String {
    let name = &rotation.name;
    format!("it is stuck, and a slot of {name} needs its place")
}

/// Returns the message for a rotation whose dates and slots disagree on the oldest snapshot. If one
/// of the two is older than its slot, the clock was ahead when it was made, and its name is wrong.
pub(super) fn disagree([by_date, by_slot]: &[OwnSnapshot<'_>; 2]) -> AlertText {
    let early = |own: &&OwnSnapshot<'_>| {
        let ahead = own.dated.map(|date| own.slot.duration_since(date));
        ahead.is_some_and(|ahead| ahead > CLOCK_TOLERANCE)
    };
    let advice = match [by_date, by_slot].into_iter().find(early) {
        Some(own) => format!(
            "{} was made before the time in its name: delete or protect it",
            own.snapshot.name
        ),
        None => "delete or protect one".to_owned(),
    };
    AlertText::new(format!(
        "{} is the oldest by its date, {} by its name: neither is deleted while both exist",
        by_date.snapshot.name, by_slot.snapshot.name
    ))
    .remedy(advice)
}

#[cfg(test)]
#[path = "full_tests.rs"]
mod full_tests;
#[cfg(test)]
#[path = "create_or_prune_tests.rs"]
mod tests;
