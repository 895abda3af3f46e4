//! Rules 4 and 5 where they change something: a create where there is room, and which
//! snapshot goes where there is none.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::breaks::Break;
use super::decide::{CLOCK_TOLERANCE, Server, Step};
use super::due::Due;
use super::fact::When;
use super::policy::{Rotation, WhenFull};
use super::retention::{self, Own};
use super::snapshot::{Snapshot, SnapshotId, Status};

impl Server<'_> {
    /// Makes the slot's snapshot, or the room for it.
    pub(super) fn make(&self, index: usize, rotation: &Rotation, name: String) -> Due {
        let owned = self.owned();
        if let Some(failed) = owned
            .iter()
            .find(|own| own.failed() && own.deletable() && own.snapshot.name == name)
        {
            let reason = format!("it failed, and its slot of {} is still due", rotation.name);
            return self.delete(failed, false, reason).into();
        }
        // I10: no create on a full server; everything listed takes up room.
        if self.inventory.snapshots.len() < self.rules.limit || Break::NoRoomCheck.on() {
            if let Some(left) = self.held_by_others(rotation, &name) {
                return Due::Later(left);
            }
            let reason = format!("slot of {} is due, and there is room", rotation.name);
            return Due::Step(Step::Create {
                rotation: rotation.name.clone(),
                name,
                reason,
            });
        }
        if let Some(own) = owned.iter().find(|own| own.failed() && own.deletable()) {
            let reason = format!("it failed, and a slot of {} needs its room", rotation.name);
            return self.delete(own, false, reason).into();
        }
        if self.policy.delete_stuck
            && let Some(own) = owned
                .iter()
                .find(|own| own.deletable() && self.long_stuck(own))
        {
            let reason = format!(
                "it is stuck, and a slot of {} needs its room",
                rotation.name
            );
            return self.delete(own, false, reason).into();
        }
        if let Some(step) = self.surplus(&owned) {
            return step.into();
        }
        if rotation.when_full == WhenFull::Skip {
            return Due::Blocked(format!(
                "the server is full, and {} doesn't prune first",
                rotation.name
            ));
        }
        if !self.made_good(&owned) {
            return Due::Blocked("full, and the last prune-first isn't made good yet".to_owned());
        }
        match retention::prune_first(self.policy, &owned, index) {
            Some(own) => {
                let reason = format!("the server is full, and a slot of {} is due", rotation.name);
                self.delete(&own, true, reason).into()
            }
            None => Due::Blocked(self.nothing_to_give(&owned)),
        }
    }

    /// Says what fills the room: after a rotation was renamed, its own former snapshots do.
    fn nothing_to_give(&self, owned: &[Own<'_>]) -> String {
        let all = self.inventory.snapshots.len();
        let foreign = all - owned.len();
        let mut reason = "the server is full, and nothing on it may be deleted".to_owned();
        if foreign > 0 {
            let _ = write!(
                reason,
                ": {foreign} of {all} are foreign; delete one (snaprotate delete), or list a renamed rotation's pattern in former_names"
            );
        }
        reason
    }

    /// I7: since the last prune-first a snapshot was completed, or a foreign one took the room.
    pub(super) fn made_good(&self, owned: &[Own<'_>]) -> bool {
        if Break::NoErosionGuard.on() {
            return true;
        }
        let Some(prune) = &self.history.prune_first else {
            return true;
        };
        let rows = &self.inventory.snapshots;
        // Refused, or never done: nothing was given up, unless the listing is stale.
        let window = self.rules.settle_window;
        let stale = |gone: When| gone.elapsed(self.now) < window;
        if !prune.gone.is_some_and(stale) && rows.iter().any(|s| s.id == prune.victim) {
            return true;
        }
        let mut new = rows.iter().filter(|s| !prune.known.contains(&s.id));
        new.any(|s| {
            let own = owned.iter().find(|own| own.snapshot.id == s.id);
            own.is_none_or(|own| own.snapshot.status == Status::Completed)
        })
    }

    /// Deletes what nobody needs any more (rule 5).
    pub(super) fn surplus(&self, owned: &[Own<'_>]) -> Option<Step> {
        let (own, why) = retention::surplus(self.policy, owned)?;
        let reason = why.reason(&self.policy.rotations[own.place.rotation]);
        Some(self.delete(&own, false, reason))
    }

    fn delete(&self, own: &Own<'_>, prune_first: bool, reason: String) -> Step {
        let rotation = &self.policy.rotations[own.place.rotation];
        if let Some(last) = self.history.last_refusal {
            let due = self
                .policy
                .rotations
                .iter()
                .filter_map(|r| r.newest_due(self.now.wall));
            let new_slot = due
                .map(|slot| slot.at)
                .max()
                .is_some_and(|at| at > last.wall);
            if self.history.refused_deletes >= rotation.attempts && !new_slot {
                return Step::Blocked {
                    reason: format!("{} can't be deleted", own.snapshot.name),
                };
            }
            let pause = self.pause(&own.snapshot.name, self.history.refused_deletes);
            let left = pause - last.elapsed(self.now);
            if left > SignedDuration::ZERO {
                return Step::Wait {
                    pause: left,
                    reason: "a delete was refused".to_owned(),
                };
            }
        }
        let (id, name) = (own.snapshot.id, own.snapshot.name.clone());
        Step::Delete {
            id,
            name,
            rotation: rotation.name.clone(),
            prune_first,
            reason,
        }
    }

    /// Whether its date can be relied on: readable and not in the future (I11).
    pub(super) fn dated(&self, snapshot: &Snapshot) -> bool {
        let ahead = |at: Timestamp| at.duration_since(self.now.wall);
        snapshot
            .created_at
            .is_some_and(|at| ahead(at) <= CLOCK_TOLERANCE)
    }

    pub(super) fn owned(&self) -> Vec<Own<'_>> {
        self.own()
            .map(|(snapshot, place)| Own {
                snapshot,
                place,
                protected: self.policy.protects(snapshot) || self.spares(snapshot.id),
                dated: snapshot.created_at.filter(|_| self.dated(snapshot)),
            })
            .collect()
    }

    /// Whether an operator is about to restore it: the snapshot of the present state that is
    /// made before must not cost it.
    fn spares(&self, id: SnapshotId) -> bool {
        let Some((spared, since)) = self.history.spared.as_deref() else {
            return false;
        };
        let window = self.rules.stuck_after + self.rules.restore_window;
        *spared == id && since.elapsed(self.now) < window
    }

    fn long_stuck(&self, own: &Own<'_>) -> bool {
        own.snapshot.status == Status::InProgress && self.stuck(own.snapshot)
    }
}

#[cfg(test)]
#[path = "full_tests.rs"]
mod full_tests;
#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
