//! Retention: which own snapshots may be deleted, and which goes first.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::policy::{OwnSlot, Policy, Rotation};
use super::snapshot::{Snapshot, SnapshotId, Status};

/// An own snapshot with the properties that retention needs.
#[derive(Clone, Copy, Debug)]
pub struct OwnSnapshot<'a> {
    /// The row of the listing.
    pub snapshot: &'a Snapshot,
    /// Its rotation and slot.
    pub place: OwnSlot,
    /// True if the policy or an order protects it (I1).
    pub protected: bool,
    /// Its date, if it is reliable: readable, not in the future, and not before its create (I11).
    pub dated: Option<Timestamp>,
    /// Its slot's instant according to the trail, else from the local time in its name.
    pub slot: Timestamp,
    /// True if it was seen completed and is now listed with another status. It is not treated as
    /// failed (I19).
    pub regressed: bool,
    /// True if it is left alone for now, since it failed or regressed recently.
    pub recent: bool,
}

impl OwnSnapshot<'_> {
    /// Returns true if it failed and was never completed.
    pub fn failed(&self) -> bool {
        self.snapshot.status == Status::Failed && !self.regressed
    }

    /// Returns true if it was completed, and the provider lists it as failed.
    pub fn may_be_lost(&self) -> bool {
        self.snapshot.status == Status::Failed && self.regressed
    }

    fn completed(&self) -> bool {
        self.snapshot.status == Status::Completed
    }

    /// Returns true if it is unprotected (I1) and has a reliable date (I11).
    pub fn deletable(&self) -> bool {
        !self.protected && self.dated.is_some()
    }

    /// Returns true if `keep` counts it: completed and deletable.
    fn counts(&self) -> bool {
        self.completed() && self.deletable()
    }

    /// Returns the sort key of its age: the date, then the id.
    fn age(&self) -> (Option<Timestamp>, SnapshotId) {
        (self.dated, self.snapshot.id.clone())
    }
}

/// Why a snapshot is surplus (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurplusReason {
    /// It is completed, and its slot has a newer copy.
    Copy,
    /// It is completed, and beyond `keep`.
    Beyond,
    /// It failed, and its rotation has a newer completed one.
    Outlived,
    /// It was completed, has been listed as failed for a week, and its rotation has a newer one.
    Regressed,
}

impl SurplusReason {
    /// Returns the reason in one line, for a snapshot of this rotation.
    pub fn reason(self, rotation: &Rotation) -> String {
        let name = &rotation.name;
        match self {
            Self::Copy => format!("the same slot of {name} has a newer copy"),
            Self::Beyond => format!("beyond keep = {} of {name}", rotation.keep),
            Self::Outlived => format!("it failed, and a newer snapshot of {name} is completed"),
            Self::Regressed => format!(
                "it was completed but has been listed as failed for a week, and a newer snapshot of {name} is completed"
            ),
        }
    }
}

/// Returns everything that rule 5 would delete in turn, with reasons.
pub fn surplus_of<'a>(
    policy: &Policy,
    owned: &[OwnSnapshot<'a>],
) -> Vec<(OwnSnapshot<'a>, SurplusReason)> {
    // The usual case: no surplus.
    let Some(first) = next_spare(policy, owned) else {
        return Vec::new();
    };
    let (mut spares, mut left) = (vec![first], owned.to_vec());
    loop {
        let gone = spares.last().map(|(own, _)| own.snapshot.id.clone());
        left.retain(|own| Some(own.snapshot.id.clone()) != gone);
        match next_spare(policy, &left) {
            Some(next) => spares.push(next),
            None => return spares,
        }
    }
}

/// Returns the next surplus snapshot (rule 5): the older copy of a slot, then one beyond `keep`,
/// then a failed or regressed one whose rotation has a newer completed one.
fn next_spare<'a>(
    policy: &Policy,
    owned: &[OwnSnapshot<'a>],
) -> Option<(OwnSnapshot<'a>, SurplusReason)> {
    let counted = in_age_order(owned, OwnSnapshot::counts);
    let newest = newest_completed(owned);
    let spare = |own: &OwnSnapshot<'_>| Some(own.snapshot.id.clone()) != newest;
    let copy = counted.iter().enumerate().find(|(index, own)| {
        counted[index + 1..]
            .iter()
            .any(|newer| newer.place == own.place)
    });
    if let Some((_, own)) = copy.filter(|(_, own)| spare(own)) {
        return Some((*own, SurplusReason::Copy));
    }
    let beyond = counted.iter().find(|own| {
        let rotation = own.place.rotation;
        let held = counted
            .iter()
            .filter(|other| other.place.rotation == rotation);
        let slots: BTreeSet<_> = held.map(|other| other.place).collect();
        let keep = policy.rotations[rotation].keep;
        slots.len() > keep
    });
    // I2: the newest own completed snapshot stays, whatever `keep` is.
    if let Some(own) = beyond.filter(|own| spare(own)) {
        return Some((*own, SurplusReason::Beyond));
    }
    let outlived = |wanted: fn(&OwnSnapshot<'a>) -> bool| {
        let old = in_age_order(owned, |own| wanted(own) && own.deletable() && !own.recent);
        old.into_iter().find(|failed| {
            let mut newer = counted
                .iter()
                .filter(|own| own.place.rotation == failed.place.rotation);
            newer.any(|own| failed.age() < own.age())
        })
    };
    let failed = outlived(OwnSnapshot::failed).map(|own| (own, SurplusReason::Outlived));
    failed.or_else(|| outlived(OwnSnapshot::may_be_lost).map(|own| (own, SurplusReason::Regressed)))
}

/// Returns a rotation's oldest snapshot that `keep` counts. If date and slot disagree on it,
/// returns the oldest by date and the oldest by slot as an error (I19).
pub fn oldest<'a>(
    owned: &[OwnSnapshot<'a>],
    rotation: usize,
) -> Option<Result<OwnSnapshot<'a>, [OwnSnapshot<'a>; 2]>> {
    let counted = in_age_order(owned, |own| own.counts() && own.place.rotation == rotation);
    let by_date = counted.first()?;
    let by_slot = counted.iter().min_by_key(|own| (own.slot, own.age()))?;
    // Copies of a slot differ only in date, and snapshots with the same date only in slot.
    Some(if by_date.slot == by_slot.slot {
        Ok(*by_date)
    } else if by_date.dated == by_slot.dated {
        Ok(*by_slot)
    } else {
        Err([*by_date, *by_slot])
    })
}

/// Returns the snapshot to delete for a due slot of `rotation` on a full server, if I2 and I3
/// permit one. If its rotation's dates and slots disagree, returns both candidates as an error
/// (I19).
pub fn prune_first<'a>(
    policy: &Policy,
    owned: &[OwnSnapshot<'a>],
    rotation: usize,
) -> Option<Result<OwnSnapshot<'a>, [OwnSnapshot<'a>; 2]>> {
    if completed(owned).count() <= policy.min_completed {
        return None;
    }
    let counted = in_age_order(owned, OwnSnapshot::counts);
    // Deleting the older copy of a slot loses least. Of the newest slot's copies, either may be the
    // only good one, so none of them counts here.
    let newest_place = counted.iter().map(|own| own.slot).max();
    let copy = counted.iter().enumerate().find(|(index, own)| {
        let newer = counted[index + 1..].iter();
        Some(own.slot) != newest_place && newer.clone().any(|newer| newer.place == own.place)
    });
    if let Some((_, own)) = copy {
        return Some(Ok(*own));
    }
    let of = |rotation: usize| {
        let of = counted.iter();
        of.filter(move |own| own.place.rotation == rotation).count()
    };
    let beyond = |rotation: usize| of(rotation).saturating_sub(policy.rotations[rotation].keep);
    let rotations = || 0..policy.rotations.len();
    // The first in file order if several are equal.
    let most_beyond = rotations().max_by_key(|r| (beyond(*r), std::cmp::Reverse(*r)))?;
    let most = rotations().max_by_key(|r| (of(*r), std::cmp::Reverse(*r)))?;
    let from = if beyond(rotation) == 0 && beyond(most_beyond) > 0 {
        most_beyond
    } else if of(rotation) < 2 && of(most) >= 2 {
        most
    } else {
        rotation
    };
    let newest = newest_completed(owned);
    let may_go = |own: &OwnSnapshot<'_>| Some(own.snapshot.id.clone()) != newest;
    oldest(owned, from).filter(|found| match found {
        Ok(own) => may_go(own),
        Err(_) => true,
    })
}

fn in_age_order<'a>(
    owned: &[OwnSnapshot<'a>],
    wanted: impl Fn(&OwnSnapshot<'a>) -> bool,
) -> Vec<OwnSnapshot<'a>> {
    let mut found: Vec<_> = owned.iter().filter(|own| wanted(own)).copied().collect();
    found.sort_by_key(OwnSnapshot::age);
    found
}

pub(super) fn newest_completed(owned: &[OwnSnapshot<'_>]) -> Option<SnapshotId> {
    completed(owned)
        .max_by_key(|own| own.age())
        .map(|own| own.snapshot.id.clone())
}

/// Returns the own completed snapshots with reliable dates, protected ones included.
fn completed<'b, 'a>(owned: &'b [OwnSnapshot<'a>]) -> impl Iterator<Item = &'b OwnSnapshot<'a>> {
    owned
        .iter()
        .filter(|own| own.completed() && own.dated.is_some())
}
