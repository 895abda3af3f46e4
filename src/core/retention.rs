//! Which own snapshot may go, and which goes first.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::breaks::Break;
use super::policy::{Place, Policy, Rotation};
use super::snapshot::{Snapshot, SnapshotId, Status};

/// An own snapshot with what retention asks about it.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The row of the listing.
    pub snapshot: &'a Snapshot,
    /// Its rotation and slot.
    pub place: Place,
    /// Whether the policy protects it (I1).
    pub protected: bool,
    /// Its date, where it can be relied on: readable and not in the future (I11).
    pub dated: Option<Timestamp>,
}

impl Own<'_> {
    /// Whether it ended failed.
    pub fn failed(&self) -> bool {
        self.snapshot.status == Status::Failed
    }

    fn completed(&self) -> bool {
        self.snapshot.status == Status::Completed
            || (Break::InProgressCounts.on() && matches!(self.snapshot.status, Status::InProgress))
    }

    /// Unprotected (I1), with a date that can be relied on (I11).
    pub fn deletable(&self) -> bool {
        !self.protected && self.dated.is_some()
    }

    /// Completed and deletable: what `keep` counts.
    fn counts(&self) -> bool {
        self.completed() && self.deletable()
    }

    /// Oldest first by date, then id.
    fn age(&self) -> (Option<Timestamp>, SnapshotId) {
        (self.dated, self.snapshot.id)
    }
}

/// Why nobody needs a snapshot any more (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// Completed, and its slot has a newer copy.
    Copy,
    /// Completed, and beyond `keep`.
    Beyond,
    /// Failed, and its rotation has a newer completed one.
    Outlived,
}

impl Spare {
    /// The same in one line, of a snapshot of this rotation.
    pub fn reason(self, rotation: &Rotation) -> String {
        let name = &rotation.name;
        match self {
            Self::Copy => format!("the same slot of {name} has a newer copy"),
            Self::Beyond => format!("beyond keep = {} of {name}", rotation.keep),
            Self::Outlived => format!("it failed, and a newer one of {name} is completed"),
        }
    }
}

/// The next snapshot to delete that nobody needs any more: the older copy of a slot, then
/// what is beyond `keep`, then a failed one outlived by a newer completed one (rule 5).
pub fn surplus<'a>(policy: &Policy, owned: &[Own<'a>]) -> Option<(Own<'a>, Spare)> {
    let counted = in_age_order(owned, Own::counts);
    let newest = newest_completed(owned);
    let spare = |own: &Own<'_>| Some(own.snapshot.id) != newest || Break::NoFloor.on();
    let copy = counted.iter().enumerate().find(|(index, own)| {
        counted[index + 1..]
            .iter()
            .any(|newer| newer.place == own.place)
    });
    if let Some((_, own)) = copy.filter(|(_, own)| spare(own)) {
        return Some((*own, Spare::Copy));
    }
    let beyond = counted.iter().find(|own| {
        let rotation = own.place.rotation;
        let held = counted
            .iter()
            .filter(|other| other.place.rotation == rotation);
        let slots: BTreeSet<_> = held.map(|other| other.place).collect();
        let keep = policy.rotations[rotation].keep;
        slots.len() > keep.saturating_sub(usize::from(Break::KeepOneLess.on()))
    });
    // I2: the newest own completed one stays, whatever `keep` says.
    if let Some(own) = beyond.filter(|own| spare(own)) {
        return Some((*own, Spare::Beyond));
    }
    let outlived = in_age_order(owned, |own| own.failed() && own.deletable())
        .into_iter()
        .find(|failed| {
            let mut newer = counted
                .iter()
                .filter(|own| own.place.rotation == failed.place.rotation);
            newer.any(|own| failed.age() < own.age())
        });
    outlived.map(|own| (own, Spare::Outlived))
}

/// The snapshot that goes for a due slot of `rotation` on a full server, if the guards of
/// I2 and I3 let one go.
pub fn prune_first<'a>(policy: &Policy, owned: &[Own<'a>], rotation: usize) -> Option<Own<'a>> {
    if completed(owned).count() <= policy.min_completed && !Break::NoMinimum.on() {
        return None;
    }
    let newest = newest_completed(owned);
    let counted = in_age_order(owned, Own::counts);
    let of = |rotation: usize| {
        counted
            .iter()
            .filter(move |own| own.place.rotation == rotation)
    };
    let most =
        (0..policy.rotations.len()).max_by_key(|r| (of(*r).count(), std::cmp::Reverse(*r)))?;
    let from = if of(rotation).count() < 2 && of(most).count() >= 2 {
        most
    } else {
        rotation
    };
    of(from)
        .next()
        .filter(|own| Some(own.snapshot.id) != newest || Break::NoFloor.on())
        .copied()
}

fn in_age_order<'a>(owned: &[Own<'a>], wanted: impl Fn(&Own<'a>) -> bool) -> Vec<Own<'a>> {
    let mut found: Vec<_> = owned.iter().filter(|own| wanted(own)).copied().collect();
    found.sort_by_key(Own::age);
    if Break::OldestByName.on() {
        found.sort_by_key(|own| &own.snapshot.name);
    }
    found
}

pub(super) fn newest_completed(owned: &[Own<'_>]) -> Option<SnapshotId> {
    completed(owned)
        .max_by_key(|own| own.age())
        .map(|own| own.snapshot.id)
}

/// The own completed ones whose date can be relied on, protected ones too.
fn completed<'b, 'a>(owned: &'b [Own<'a>]) -> impl Iterator<Item = &'b Own<'a>> {
    owned
        .iter()
        .filter(|own| own.completed() && own.dated.is_some())
}
