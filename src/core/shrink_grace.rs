//! Shrinks (I19): deletes that follow from an edit or a first look are announced, and happen after
//! `shrink_grace` or when an operator agrees.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::alert_text::AlertText;
use super::announced_deletes::UnpaidDeletes;
use super::decide::{DecisionContext, Inventory};
use super::policy::Rotation;
use super::recorded_settings::TermsHash;
use super::retention::{self, OwnSnapshot, SurplusReason};
use super::sanitize::{counted, utc};
use super::server_history::ServerHistory;
use super::snapshot::{SnapshotId, Status};
use super::wall_and_monotonic_time::RecordedAt;

impl ServerHistory {
    /// Withdraws the announced delete of a snapshot that a restore uses. The snapshot stays until a
    /// newer one replaces it, or an operator agrees.
    pub(super) fn withdraw_announcement(&mut self, id: &SnapshotId) {
        for shrink in self.rotations.iter_mut().filter_map(|r| r.shrink.as_mut()) {
            shrink.announced.retain(|announced| announced != id);
            shrink.instead.retain(|(announced, _)| announced != id);
        }
    }

    /// Restarts the grace period of announced deletes: when the service starts, so that a wall clock
    /// that was ahead can't end it early, and at a `resume` that does not agree to them, so that
    /// they don't follow it at once.
    pub fn restart_grace(&mut self, at: RecordedAt) {
        for shrink in self.rotations.iter_mut().filter_map(|r| r.shrink.as_mut()) {
            shrink.since = shrink.since.map(|_| at);
            for (_, since) in &mut shrink.instead {
                *since = at;
            }
        }
    }
}

impl DecisionContext<'_> {
    /// Returns true if an operator agreed to the delete, or its grace period has passed.
    pub(super) fn agreed(&self, own: &OwnSnapshot<'_>) -> bool {
        let id = &own.snapshot.id;
        self.shrink_of(self.rotation(own)).is_some_and(|shrink| {
            let over = self
                .grace(shrink, id)
                .is_some_and(|left| !left.is_positive());
            over || shrink.agreed.contains(id)
        })
    }

    /// Returns true if the delete is announced, and its grace period has not passed.
    pub(super) fn announced(&self, own: &OwnSnapshot<'_>) -> bool {
        self.shrink_of(self.rotation(own)).is_some_and(|shrink| {
            let left = self.grace(shrink, &own.snapshot.id);
            left.is_some_and(|left| left.is_positive())
        })
    }

    /// Returns true if the delete of one of these snapshots is announced, even if its grace period
    /// has passed.
    pub(super) fn announces(&self, rotation: &Rotation, spares: &[OwnSnapshot<'_>]) -> bool {
        self.shrink_of(rotation).is_some_and(|shrink| {
            let mut announcements = shrink.announcements();
            announcements.any(|(id, _)| spares.iter().any(|own| own.snapshot.id == *id))
        })
    }

    fn shrink_of(&self, rotation: &Rotation) -> Option<&UnpaidDeletes> {
        self.history.rotation(&rotation.name)?.shrink.as_deref()
    }

    /// Returns how much of a snapshot's grace period is left, if its delete is announced.
    fn grace(&self, shrink: &UnpaidDeletes, id: &SnapshotId) -> Option<SignedDuration> {
        let mut announcements = shrink.announcements();
        let (_, since) = announcements.find(|(announced, _)| *announced == id)?;
        Some(self.left(since))
    }

    /// Returns how much of an announcement's grace period is left.
    fn left(&self, since: Option<RecordedAt>) -> SignedDuration {
        let grace = self.rules.shrink_grace;
        since.map_or(grace, |since| grace - since.age(self.now))
    }

    /// Returns when each grace period that has not passed ends.
    pub(super) fn graces(&self) -> impl Iterator<Item = Timestamp> {
        let rotations = self.policy.rotations.iter();
        let shrinks = rotations.filter_map(|rotation| self.shrink_of(rotation));
        let announcements = shrinks.flat_map(UnpaidDeletes::announcements);
        let left = announcements.map(|(_, since)| self.left(since));
        let waiting = left.filter(SignedDuration::is_positive);
        waiting.filter_map(|left| self.now.wall.checked_add(left).ok())
    }

    /// Returns why a surplus snapshot stays. `None` if it is deleted.
    pub(super) fn why_kept(
        &self,
        own: &OwnSnapshot<'_>,
        why: SurplusReason,
        owned: &[OwnSnapshot<'_>],
    ) -> Option<String> {
        if let Some(Err(odd)) = retention::oldest(owned, own.place.rotation) {
            return Some(super::create_or_prune::disagree(&odd).reason());
        }
        if self.paid(own, why, owned).is_some() {
            return None;
        }
        let rotation = self.rotation(own);
        let notes = self.history.rotation(&rotation.name);
        let terms = notes.and_then(|notes| notes.terms);
        if terms != Some(TermsHash::of(self.policy, rotation)) {
            return Some("its deletion will be announced first".to_owned());
        }
        let shrink = self.shrink_summary(rotation, &[*own]);
        let unpaid = || "it is kept until a newer one is made".to_owned();
        Some(shrink.map_or_else(unpaid, |text| text.reason()))
    }

    /// Returns the state of a rotation's shrink, in one line.
    pub(super) fn shrink_summary(
        &self,
        rotation: &Rotation,
        spares: &[OwnSnapshot<'_>],
    ) -> Option<AlertText> {
        let shrink = self.shrink_of(rotation)?;
        let named = |own: &OwnSnapshot<'_>, then: &str| {
            format!("{} (id {}{then})", own.snapshot.name, own.snapshot.id)
        };
        let name = &rotation.name;
        // A full server deletes nothing for a slot while it lacks the snapshot that its last
        // prune-first promised.
        let full = self.inventory.snapshots.len() >= self.rules.limit && self.is_promise_kept();
        let waiting = spares.iter().filter_map(|own| {
            let mut announcements = shrink.announcements();
            let (_, since) = announcements.find(|(id, _)| **id == own.snapshot.id)?;
            let waits = self.left(since).is_positive();
            let until =
                since.and_then(|since| since.wall.checked_add(self.rules.shrink_grace).ok());
            waits.then_some((own, until))
        });
        let waiting: Vec<_> = waiting.collect();
        let mut said = Vec::new();
        let mut first = "to agree to the deletion, run";
        if let Some(from) = waiting.iter().map(|(_, until)| *until).min() {
            let count = waiting.len();
            first = "to prevent this, undo the edit; to agree now, run";
            let waiting = waiting.into_iter().map(|(own, until)| match until {
                Some(later) if until != from => named(own, &format!(", from {} on", utc(later))),
                _ => named(own, ""),
            });
            let named = waiting.collect::<Vec<_>>().join(", ");
            said.push(format!(
                "{} beyond keep = {} of {name} will be deleted from {} on (later if the server is paused){}: {named}",
                counted(count, "snapshot"),
                rotation.keep,
                from.map_or("now".to_owned(), utc),
                if full {
                    ", the oldest as soon as a slot is due, since the server is full"
                } else {
                    ""
                },
            ));
        }
        let found = spares
            .iter()
            .filter(|own| shrink.found.contains(&own.snapshot.id));
        let found: Vec<_> = found.map(|own| named(own, "")).collect();
        let (count, named) = (found.len(), found.join(", "));
        if count > 0 {
            said.push(format!(
                "{} beyond keep = {} of {name} {}{}: {named}",
                counted(count, "snapshot"),
                rotation.keep,
                if count == 1 {
                    "is kept until a snapshot made by the rotation replaces it"
                } else {
                    "are kept until snapshots made by the rotation replace them"
                },
                if full {
                    " (but the server is full, so the oldest is deleted when a slot is due)"
                } else {
                    ""
                }
            ));
        }
        let resume = format!("snaprotate resume {}", self.policy.argument());
        (!said.is_empty()).then(|| AlertText::new(said.join("; ")).only_then_run(first, resume))
    }

    /// Returns the ids of the snapshots that a rotation's new terms no longer keep, that no new
    /// snapshot has replaced, and that the previous terms kept or had announced.
    pub(super) fn ids_to_announce(&self, rotation: &Rotation) -> BTreeSet<SnapshotId> {
        let notes = self.history.rotation(&rotation.name);
        let notes = notes.filter(|notes| notes.since.is_some());
        let wanted = TermsHash::of(self.policy, rotation);
        let before = notes.and_then(|notes| notes.terms);
        let before = before.filter(|before| wanted.owns == before.owns);
        if before.is_some_and(|before| wanted.keep == before.keep) {
            return BTreeSet::new();
        }
        let keeps_more = before.is_some_and(|before| wanted.keep > before.keep);
        let shrink = notes.and_then(|notes| notes.shrink.as_deref());
        let found = shrink.map_or(&[][..], |shrink| &shrink.found);
        let announced = |id| shrink.is_some_and(|shrink| self.grace(shrink, id).is_some());
        let index = self
            .policy
            .rotations
            .iter()
            .position(|r| r.name == rotation.name);
        // A snapshot in progress, even one whose create the trail lacks, will be completed before
        // the deletes, so it counts as completed.
        let rows = self.inventory.snapshots.iter().cloned().map(|mut row| {
            if row.status == Status::InProgress {
                row.status = Status::Completed;
            }
            row
        });
        let inventory = Inventory {
            snapshots: rows.collect(),
            ..self.inventory.clone()
        };
        let then = DecisionContext {
            inventory: &inventory,
            ..*self
        };
        let owned = then.owned();
        let spares = retention::surplus_of(self.policy, &owned);
        let spares = spares
            .into_iter()
            .filter(|(own, _)| Some(own.place.rotation) == index);
        let payments = notes.map_or(&[][..], |notes| &notes.payments);
        let uncovered = self.uncovered(spares, payments, &owned, |id| found.contains(id));
        let ids = uncovered.iter().map(|own| &own.snapshot.id);
        // An edit that keeps more than before announces nothing new.
        ids.filter(|id| !keeps_more || announced(id))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
#[path = "shrink_grace_tests.rs"]
mod tests;
