//! Which own snapshot may go, and which goes first.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::breaks::Break;
use super::policy::{OwnSlot, Policy, Rotation};
use super::snapshot::{Snapshot, SnapshotId, Status};

/// An own snapshot with what retention asks about it.
#[derive(Clone, Copy, Debug)]
pub struct OwnSnapshot<'a> {
    /// The row of the listing.
    pub snapshot: &'a Snapshot,
    /// Its rotation and slot.
    pub place: OwnSlot,
    /// Whether the policy protects it (I1).
    pub protected: bool,
    /// Its date, where it can be relied on: readable, not in the future and not from before
    /// its create (I11).
    pub dated: Option<Timestamp>,
    /// Its slot's instant by the trail, else the local time in its name.
    pub slot: Timestamp,
    /// Set if it was seen completed and is listed otherwise; it is no failed one (I19).
    pub regressed: bool,
    /// Set if it failed or regressed a short while ago, so that it is left alone for now.
    pub recent: bool,
}

impl OwnSnapshot<'_> {
    /// Returns true if it ended failed and never was completed.
    pub fn failed(&self) -> bool {
        self.snapshot.status == Status::Failed && !self.regressed
    }

    /// Returns true if it was completed, and by the provider's word it is lost.
    pub fn may_be_lost(&self) -> bool {
        self.snapshot.status == Status::Failed && self.regressed
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
        (self.dated, self.snapshot.id.clone())
    }
}

/// Why nobody needs a snapshot any more (rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurplusReason {
    /// Completed, and its slot has a newer copy.
    Copy,
    /// Completed, and beyond `keep`.
    Beyond,
    /// Failed, and its rotation has a newer completed one.
    Outlived,
    /// Completed once and listed as failed for a week, and its rotation has a newer one.
    Regressed,
}

impl SurplusReason {
    /// The same in one line, of a snapshot of this rotation.
    pub fn reason(self, rotation: &Rotation) -> String {
        let name = &rotation.name;
        match self {
            Self::Copy => format!("the same slot of {name} has a newer copy"),
            Self::Beyond => format!("beyond keep = {} of {name}", rotation.keep),
            Self::Outlived => format!("it failed, and a newer one of {name} is completed"),
            Self::Regressed => format!(
                "it was completed, has been listed as failed for a week, and a newer one of {name} is completed"
            ),
        }
    }
}

/// All that rule 5 would delete one after the other, and why.
pub fn spares<'a>(
    policy: &Policy,
    owned: &[OwnSnapshot<'a>],
) -> Vec<(OwnSnapshot<'a>, SurplusReason)> {
    // Nearly always there is none.
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

/// The next snapshot that nobody needs any more: the older copy of a slot, then what is beyond
/// `keep`, then a failed one outlived by a newer completed one (rule 5).
fn next_spare<'a>(
    policy: &Policy,
    owned: &[OwnSnapshot<'a>],
) -> Option<(OwnSnapshot<'a>, SurplusReason)> {
    let counted = in_age_order(owned, OwnSnapshot::counts);
    let newest = newest_completed(owned);
    let spare =
        |own: &OwnSnapshot<'_>| Some(own.snapshot.id.clone()) != newest || Break::NoFloor.on();
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
        slots.len() > keep.saturating_sub(usize::from(Break::KeepOneLess.on()))
    });
    // I2: the newest own completed one stays, whatever `keep` says.
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

/// The oldest that counts of a rotation, where date and slot agree on which that is; where
/// they don't, the one by date and the one by slot (I19).
pub fn oldest<'a>(
    owned: &[OwnSnapshot<'a>],
    rotation: usize,
) -> Option<Result<OwnSnapshot<'a>, [OwnSnapshot<'a>; 2]>> {
    let counted = in_age_order(owned, |own| own.counts() && own.place.rotation == rotation);
    let by_date = counted.first()?;
    let by_slot = counted.iter().min_by_key(|own| (own.slot, own.age()))?;
    // Two copies of a slot differ by date alone, and two of one date by slot alone.
    Some(if by_date.slot == by_slot.slot {
        Ok(*by_date)
    } else if by_date.dated == by_slot.dated {
        Ok(*by_slot)
    } else {
        Err([*by_date, *by_slot])
    })
}

/// The snapshot that goes for a due slot of `rotation` on a full server, if the guards of
/// I2 and I3 let one go; where its rotation's dates and slots disagree, the two that do (I19).
pub fn prune_first<'a>(
    policy: &Policy,
    owned: &[OwnSnapshot<'a>],
    rotation: usize,
) -> Option<Result<OwnSnapshot<'a>, [OwnSnapshot<'a>; 2]>> {
    if completed(owned).count() <= policy.min_completed && !Break::NoMinimum.on() {
        return None;
    }
    let counted = in_age_order(owned, OwnSnapshot::counts);
    // An older copy of a slot is the least to lose; of the newest one nobody can tell which.
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
    let most = (0..policy.rotations.len()).max_by_key(|r| (of(*r), std::cmp::Reverse(*r)))?;
    let from = if of(rotation) < 2 && of(most) >= 2 {
        most
    } else {
        rotation
    };
    let newest = newest_completed(owned);
    let may_go =
        |own: &OwnSnapshot<'_>| Some(own.snapshot.id.clone()) != newest || Break::NoFloor.on();
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
    if Break::OldestByName.on() {
        found.sort_by_key(|own| &own.snapshot.name);
    }
    found
}

pub(super) fn newest_completed(owned: &[OwnSnapshot<'_>]) -> Option<SnapshotId> {
    completed(owned)
        .max_by_key(|own| own.age())
        .map(|own| own.snapshot.id.clone())
}

/// The own completed ones whose date can be relied on, protected ones too.
fn completed<'b, 'a>(owned: &'b [OwnSnapshot<'a>]) -> impl Iterator<Item = &'b OwnSnapshot<'a>> {
    owned
        .iter()
        .filter(|own| own.completed() && own.dated.is_some())
}
