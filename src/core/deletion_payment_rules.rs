//! I19, the erosion bound: without an announcement or an operator's agreement, the rotation deletes
//! at most one good snapshot more than it has made, whatever the provider answers.
//!
//! A completed own snapshot is deleted only if it is paid for:
//!
//! - by a newer one of the same rotation that the rotation created itself and saw completed, in at
//!   least two listings, including the last one, under the requested name, with the id that the
//!   answer gave or a listing showed, and with a date that fits the create. Each pays once, and
//!   only if a snapshot was beyond `keep` when it was completed. Snapshots that a growing rotation
//!   made can't pay later. A prune-first is paid for by a promised snapshot: no second promise is
//!   given before the first is kept (`payment_and_promise_rules.rs`);
//! - by a shrink: an edit or a first look announced the delete and `shrink_grace` has passed, or an
//!   operator agreed to it.
//!
//! All of this follows from the trail ([`ServerHistory`](super::server_history::ServerHistory)). A
//! listing can only reduce what is deleted.

use jiff::Timestamp;

use super::decide::DecisionContext;
use super::listing_discrepancies::before;
use super::payment_and_promise::{Payer, Payment};
use super::policy::{OwnSlot, Rotation};
use super::retention::{self, OwnSnapshot, SurplusReason};
use super::server_history::PendingOp;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// The payment for a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PaidBy {
    /// The rotation made the snapshot itself, and it was never completed.
    Unfinished,
    /// A newer snapshot pays for it.
    By(Payer),
    /// A shrink whose grace period has passed, or to which an operator agreed.
    Agreed,
}

/// A create of the rotation. `at` is `None` in trails of earlier versions, which lack the intent's
/// time.
struct RequestedCreate {
    at: Option<Timestamp>,
}

impl PaidBy {
    /// Returns the snapshot that pays, if one does.
    pub(super) fn by(self) -> Option<SnapshotId> {
        match self {
            Self::By(payer) => Some(payer.id),
            Self::Unfinished | Self::Agreed => None,
        }
    }
}

impl DecisionContext<'_> {
    /// Returns the payment for deleting this snapshot; without one (`None`) it stays.
    pub(super) fn paid(
        &self,
        own: &OwnSnapshot<'_>,
        why: SurplusReason,
        owned: &[OwnSnapshot<'_>],
    ) -> Option<PaidBy> {
        let id = own.snapshot.id.clone();
        if self.unfinished(own) {
            return Some(PaidBy::Unfinished);
        }
        if self.agreed(own) {
            return Some(PaidBy::Agreed);
        }
        // An announced snapshot is not deleted before its grace period has passed, even if another
        // payment would cover it.
        if self.announced(own) {
            return None;
        }
        let payments = self.payments(own).iter();
        let stand = |payment: &&Payment| stands_for(&payment.by.id, own, why, owned);
        let mut standing = payments.filter(stand).collect::<Vec<_>>().into_iter();
        let bound = standing
            .clone()
            .find(|payment| payment.victim == Some(id.clone()));
        let free = standing.find(|payment| payment.victim.is_none());
        bound.or(free).map(|payment| PaidBy::By(payment.by.clone()))
    }

    /// Returns true if the rotation made the snapshot itself and never saw it completed.
    pub(super) fn unfinished(&self, own: &OwnSnapshot<'_>) -> bool {
        let snapshot = own.snapshot;
        self.made(snapshot).is_some()
            && !self.was_completed(&snapshot.id)
            && !self.came_back(snapshot)
            && snapshot.status != Status::Completed
    }

    /// Returns the rotation's create that made this snapshot. `None` if the rotation did not make
    /// it, or the trail has its completion.
    fn made(&self, snapshot: &Snapshot) -> Option<RequestedCreate> {
        let history = self.history;
        if let Some(PendingOp::Create { name, sent, .. }) = &history.open
            && history.has_open_slot_create_of(&snapshot.id)
        {
            return (*name == snapshot.name).then_some(RequestedCreate { at: *sent });
        }
        let named = |name: &str| *name == *snapshot.name;
        let mut made = history.made.iter();
        if let Some(made) = made.find(|made| made.id == snapshot.id) {
            return named(&made.name).then_some(RequestedCreate { at: made.sent });
        }
        let mut lapsed = history.lapsed.iter();
        let lapsed = lapsed.find(|l| named(&l.name) && !l.known.contains(&snapshot.id));
        lapsed
            .filter(|_| !self.was_completed(&snapshot.id))
            .map(|lapsed| RequestedCreate { at: lapsed.sent })
    }

    /// Returns true if the rotation made the snapshot and the trail lacks its completion.
    pub(super) fn awaits(&self, snapshot: &Snapshot) -> bool {
        self.made(snapshot).is_some()
    }

    fn payments(&self, own: &OwnSnapshot<'_>) -> &[Payment] {
        let notes = self.history.rotation(&self.rotation(own).name);
        notes.map_or(&[], |notes| &notes.payments)
    }

    pub(super) fn rotation(&self, own: &OwnSnapshot<'_>) -> &Rotation {
        &self.policy.rotations[own.place.rotation]
    }

    /// Returns a rotation's surplus snapshots that neither a payment nor a shrink covers.
    pub(super) fn unpaid<'a>(
        &self,
        rotation: usize,
        owned: &[OwnSnapshot<'a>],
    ) -> Vec<OwnSnapshot<'a>> {
        let spares = retention::surplus_of(self.policy, owned);
        let spares = spares
            .into_iter()
            .filter(|(own, _)| own.place.rotation == rotation);
        let notes = self.history.rotation(&self.policy.rotations[rotation].name);
        let named = |id: &SnapshotId| {
            let shrink = notes.and_then(|notes| notes.shrink.as_deref());
            shrink.is_some_and(|shrink| shrink.holds(id))
        };
        let payments = notes.map_or(&[][..], |notes| &notes.payments);
        self.uncovered(spares, payments, owned, named)
    }

    /// Returns the surplus snapshots that no payment covers. Each payment covers one.
    pub(super) fn uncovered<'a>(
        &self,
        spares: impl Iterator<Item = (OwnSnapshot<'a>, SurplusReason)>,
        payments: &[Payment],
        owned: &[OwnSnapshot<'a>],
        skipped: impl Fn(&SnapshotId) -> bool,
    ) -> Vec<OwnSnapshot<'a>> {
        let free = payments.iter().filter(|payment| payment.victim.is_none());
        let mut payers: Vec<_> = free.map(|payment| payment.by.id.clone()).collect();
        let mut uncovered = Vec::new();
        for (own, why) in spares {
            let id = own.snapshot.id.clone();
            let bound = payments.iter().any(|payment| {
                payment.victim == Some(id.clone()) && stands_for(&payment.by.id, &own, why, owned)
            });
            if bound || self.unfinished(&own) || skipped(&id) {
                continue;
            }
            match payers
                .iter()
                .position(|by| stands_for(by, &own, why, owned))
            {
                Some(at) => drop(payers.remove(at)),
                None => uncovered.push(own),
            }
        }
        uncovered
    }

    /// Returns true if this newly completed snapshot pays for another: the rotation made it as
    /// requested, and either promised it or has a surplus snapshot that nothing else pays for.
    pub(super) fn can_pay(&self, snapshot: &Snapshot, place: Option<OwnSlot>) -> bool {
        let Some(asked) = self.made(snapshot) else {
            return false;
        };
        let agrees = self.dated(snapshot) && !before(snapshot, asked.at);
        // A snapshot that is spared for a restore still counts as beyond `keep`.
        let owned = self.owned_where(|_| false);
        let surplus = |place: OwnSlot| !self.unpaid(place.rotation, &owned).is_empty();
        let promise = self.history.open_promise();
        let promised = promise.is_some_and(|promise| !promise.known.contains(&snapshot.id));
        agrees && (promised || place.is_some_and(surplus))
    }
}

/// Returns true if the payer is listed as completed, and neither its date nor its slot is earlier
/// than its victim's.
///
/// If a slot has two copies, the one that the rotation made pays for the other. A copy that the
/// rotation did not make can't displace one that it made.
fn stands_for(
    payer: &SnapshotId,
    own: &OwnSnapshot<'_>,
    why: SurplusReason,
    owned: &[OwnSnapshot<'_>],
) -> bool {
    let payer = owned.iter().find(|other| other.snapshot.id == *payer);
    payer.is_some_and(|payer| {
        payer.snapshot.status == Status::Completed
            && payer.snapshot.id != own.snapshot.id
            && payer.dated >= own.dated
            && payer.slot >= own.slot
            && (why != SurplusReason::Copy || payer.place == own.place)
    })
}

#[cfg(test)]
#[path = "deletion_payment_rules_tests.rs"]
mod tests;
