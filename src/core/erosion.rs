//! I19, the erosion bound: whatever the provider says, the rotation deletes no more good
//! snapshots than it has made.
//!
//! A completed own snapshot goes only when it is paid for:
//!
//! - by a newer one of the same rotation that the rotation created itself and saw completed,
//!   under the name that it asked for, the id that it was answered or found, and a date that
//!   agrees. Each pays once, and only if something was beyond `keep` as it was completed, so
//!   that what a growing rotation made can't pay later. A prune-first is paid by the promise of
//!   one: none follows before that is kept (`room.rs`);
//! - by a shrink: an edit or a first look announced its deletion and the grace has passed, or
//!   an operator agreed to it.
//!
//! All of it is worked out from the trail ([`History`](super::history::History)): a listing can
//! only make less go.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::decide::{Inventory, Server, Step};
use super::fact::{Fact, When};
use super::history::Open;
use super::noted::Payment;
use super::policy::{Place, Rotation};
use super::printable::{counted, printable, utc};
use super::retention::{self, Own, Spare};
use super::snapshot::{Snapshot, SnapshotId, Status};
use super::terms::{Fnv, TermsKey};

/// A snapshot may be dated so long before its create was sent: hosts' clocks and zones differ.
const DATED_BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// No snapshot is older than this; a date before it is a default or a fault.
const NO_DATE_BEFORE: Timestamp = Timestamp::constant(946_684_800, 0);

/// A snapshot that was completed and is listed as failed is kept for so long.
pub(super) const REGRESSED_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The payment for a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paid {
    /// The rotation made it itself, and it never was completed.
    Unfinished,
    /// A newer one stands for it.
    By(SnapshotId),
    /// A shrink whose grace has passed, or that an operator agreed to.
    Agreed,
}

/// A create of the rotation; earlier versions' trails don't say when it was intended.
struct Asked {
    at: Option<Timestamp>,
}

impl Paid {
    /// The snapshot that pays, if one does.
    pub(super) fn by(self) -> Option<SnapshotId> {
        match self {
            Self::By(payer) => Some(payer),
            Self::Unfinished | Self::Agreed => None,
        }
    }
}

impl Server<'_> {
    /// The payment for deleting this one; `None`: it stays.
    pub(super) fn paid(&self, own: &Own<'_>, why: Spare, owned: &[Own<'_>]) -> Option<Paid> {
        let id = own.snapshot.id;
        if self.unfinished(own) {
            return Some(Paid::Unfinished);
        }
        if self.agreed(own) {
            return Some(Paid::Agreed);
        }
        let payments = self.payments(own).iter();
        let stand = |payment: &&Payment| stands_for(payment.by, own, why, owned);
        let mut standing = payments.filter(stand).collect::<Vec<_>>().into_iter();
        let bound = standing.clone().find(|payment| payment.victim == Some(id));
        let free = standing.find(|payment| payment.victim.is_none());
        bound.or(free).map(|payment| Paid::By(payment.by))
    }

    /// Returns true if the rotation made it itself and never saw it completed.
    pub(super) fn unfinished(&self, own: &Own<'_>) -> bool {
        let snapshot = own.snapshot;
        self.made(snapshot).is_some()
            && !self.was_completed(snapshot.id)
            && snapshot.status != Status::Completed
    }

    /// When the rotation sent the create that made this one, which is not completed yet by the
    /// trail; `None`: it made none.
    fn made(&self, snapshot: &Snapshot) -> Option<Asked> {
        let history = self.history;
        if let Some(Open::Create { name, sent, .. }) = &history.open
            && history.makes_slot(snapshot.id)
        {
            return (*name == snapshot.name).then_some(Asked { at: *sent });
        }
        let named = |name: &str| *name == *snapshot.name;
        let mut made = history.made.iter();
        if let Some(made) = made.find(|made| made.id == snapshot.id) {
            return named(&made.name).then_some(Asked { at: made.sent });
        }
        let mut lapsed = history.lapsed.iter();
        let lapsed = lapsed.find(|l| named(&l.name) && !l.known.contains(&snapshot.id));
        lapsed
            .filter(|_| !self.was_completed(snapshot.id))
            .map(|lapsed| Asked { at: lapsed.sent })
    }

    /// Returns true if the rotation made it and the trail lacks its completion.
    pub(super) fn awaits(&self, snapshot: &Snapshot) -> bool {
        self.made(snapshot).is_some()
    }

    fn was_completed(&self, id: SnapshotId) -> bool {
        self.history.name_of(id).is_some()
    }

    /// Returns true if it was completed and is listed as failed.
    pub(super) fn has_regressed(&self, snapshot: &Snapshot) -> bool {
        snapshot.status == Status::Failed
            && (self.was_completed(snapshot.id) || self.regressed_since(snapshot.id).is_some())
    }

    /// A completed one of which the listing says another name than it had: a provider that
    /// renames can't choose what goes.
    pub(super) fn renamed(&self) -> Option<&Snapshot> {
        let mut own = self.own().map(|(snapshot, _)| snapshot);
        own.find(|s| {
            let known = self.history.name_of(s.id);
            known.is_some_and(|known| known != Fnv::of(&s.name))
        })
    }

    fn agreed(&self, own: &Own<'_>) -> bool {
        let rotation = &self.rotation(own).name;
        let shrink = self.history.rotation(rotation);
        let Some(shrink) = shrink.and_then(|notes| notes.shrink.as_deref()) else {
            return false;
        };
        let id = own.snapshot.id;
        let over = shrink
            .since
            .is_some_and(|since| since.age(self.now) >= self.rules.shrink_grace);
        shrink.agreed.contains(&id) || (over && shrink.announced.contains(&id))
    }

    /// When the grace of each shrink is over.
    pub(super) fn graces(&self) -> impl Iterator<Item = Timestamp> {
        let rotations = self.policy.rotations.iter();
        rotations.filter_map(|rotation| {
            let shrink = self.history.rotation(&rotation.name)?.shrink.as_deref()?;
            let left = self.rules.shrink_grace - shrink.since?.age(self.now);
            let waiting = !shrink.announced.is_empty() && left.is_positive();
            waiting.then(|| self.now.wall.checked_add(left).ok())?
        })
    }

    /// Why one that nobody needs any more stays; `None`: it goes.
    pub(super) fn stays(&self, own: &Own<'_>, why: Spare, owned: &[Own<'_>]) -> Option<String> {
        if let Some(Err(odd)) = retention::oldest(owned, own.place.rotation) {
            return Some(super::room::disagree(&odd));
        }
        if self.paid(own, why, owned).is_some() {
            return None;
        }
        let rotation = self.rotation(own);
        let notes = self.history.rotation(&rotation.name);
        let terms = notes.and_then(|notes| notes.terms);
        if terms != Some(TermsKey::of(self.policy, rotation)) {
            return Some("its deletion will be announced first".to_owned());
        }
        let shrink = self.shrink(rotation, &[*own]);
        Some(shrink.unwrap_or_else(|| "it stays until a newer one is made".to_owned()))
    }

    /// The fate of a rotation's snapshots that a shrink has named, in one line.
    pub(super) fn shrink(&self, rotation: &Rotation, spares: &[Own<'_>]) -> Option<String> {
        let shrink = self.history.rotation(&rotation.name)?.shrink.as_deref()?;
        let named_of = |ids: &[SnapshotId]| {
            let named = spares.iter().filter(|own| ids.contains(&own.snapshot.id));
            let named: Vec<_> = named.map(|own| own.snapshot.name.as_str()).collect();
            (named.len(), named.join(", "))
        };
        let (count, named) = named_of(&shrink.announced);
        let left = self.rules.shrink_grace
            - shrink
                .since
                .map_or(SignedDuration::ZERO, |s| s.age(self.now));
        let (name, server) = (&rotation.name, self.policy.server);
        if count > 0 && left.is_positive() {
            let from = shrink
                .since
                .and_then(|since| since.wall.checked_add(self.rules.shrink_grace).ok());
            return Some(format!(
                "by its policy {} beyond keep = {} of {name} will be deleted from {} on: {named}; undo the edit to keep them, or agree at once by snaprotate resume --server {server}",
                counted(count, "snapshot"),
                rotation.keep,
                from.map_or("now".to_owned(), utc),
            ));
        }
        let (count, named) = named_of(&shrink.found);
        (count > 0).then(|| {
            format!(
                "{} beyond keep = {} of {name} stays there, since nothing that the rotation made has replaced it: {named}; agree to its deletion by snaprotate resume --server {server}",
                counted(count, "snapshot"),
                rotation.keep
            )
        })
    }

    fn payments(&self, own: &Own<'_>) -> &[Payment] {
        let notes = self.history.rotation(&self.rotation(own).name);
        notes.map_or(&[], |notes| &notes.payments)
    }

    fn rotation(&self, own: &Own<'_>) -> &Rotation {
        &self.policy.rotations[own.place.rotation]
    }

    /// Those of a rotation that nobody needs any more, and that neither a payment covers nor
    /// a shrink has named.
    pub(super) fn unpaid<'a>(&self, rotation: usize, owned: &[Own<'a>]) -> Vec<Own<'a>> {
        let spares = retention::spares(self.policy, owned);
        let spares = spares
            .into_iter()
            .filter(|(own, _)| own.place.rotation == rotation);
        let notes = self.history.rotation(&self.policy.rotations[rotation].name);
        let named = |id| {
            let shrink = notes.and_then(|notes| notes.shrink.as_deref());
            shrink.is_some_and(|shrink| shrink.holds(id))
        };
        let payments = notes.map_or(&[][..], |notes| &notes.payments);
        self.uncovered(spares, payments, owned, named)
    }

    /// Those of these spares that no payment covers; each payment covers one.
    fn uncovered<'a>(
        &self,
        spares: impl Iterator<Item = (Own<'a>, Spare)>,
        payments: &[Payment],
        owned: &[Own<'a>],
        skipped: impl Fn(SnapshotId) -> bool,
    ) -> Vec<Own<'a>> {
        let free = payments.iter().filter(|payment| payment.victim.is_none());
        let mut payers: Vec<_> = free.map(|payment| payment.by).collect();
        let mut uncovered = Vec::new();
        for (own, why) in spares {
            let id = own.snapshot.id;
            let bound = payments.iter().any(|payment| {
                payment.victim == Some(id) && stands_for(payment.by, &own, why, owned)
            });
            if bound || self.unfinished(&own) || skipped(id) {
                continue;
            }
            match payers
                .iter()
                .position(|by| stands_for(*by, &own, why, owned))
            {
                Some(at) => drop(payers.remove(at)),
                None => uncovered.push(own),
            }
        }
        uncovered
    }

    /// Returns true if this one, which is completed now, pays for another: the rotation made it as it
    /// asked for it, and owes it or has one too many.
    pub(super) fn pays(&self, snapshot: &Snapshot, place: Option<Place>) -> bool {
        let Some(asked) = self.made(snapshot) else {
            return false;
        };
        let agrees = self.dated(snapshot) && !before(snapshot, asked.at);
        // One that an operator spares for now is beyond `keep` all the same.
        let owned = self.owned_where(|_| false);
        let surplus = |place: Place| !self.unpaid(place.rotation, &owned).is_empty();
        let promise = self.history.prune_first.as_deref();
        let promised = promise.is_some_and(|prune| !prune.known.contains(&snapshot.id));
        agrees && (promised || place.is_some_and(surplus))
    }

    /// When the create of this name was intended last, as far as the trail still says so.
    pub(super) fn sent(&self, name: &str) -> Option<Timestamp> {
        if let Some(Open::Create {
            name: open, sent, ..
        }) = &self.history.open
            && open == name
        {
            return *sent;
        }
        let rotation = self.policy.rotation_of(name)?;
        self.history.slot(rotation, name)?.sent
    }

    /// How the provider stores otherwise what an open create asked for.
    pub(super) fn mismatch(&self, asked: &str, found: &Snapshot) -> Option<Fact> {
        let id = found.id;
        let what = if found.name != asked {
            let stored = printable(&found.name, super::order::NAME_SHOWN);
            format!("asked for {asked}, the provider stores {stored} (id {id})")
        } else if before(found, self.sent(asked)) {
            let date = found.created_at.map(utc)?;
            let sent = self.sent(asked).map(utc);
            let sent = sent.unwrap_or_else(|| "now".to_owned());
            format!("the provider dates {asked} (id {id}) {date}, it was asked for at {sent}")
        } else {
            return None;
        };
        Some(Fact::CreateMismatch {
            snapshot: asked.to_owned(),
            id,
            reason: what,
        })
    }

    /// Own snapshots that were seen completed and are listed as failed.
    pub(super) fn regressed(&self) -> impl Iterator<Item = &Snapshot> {
        let own = self.own().map(|(snapshot, _)| snapshot);
        own.filter(|snapshot| self.has_regressed(snapshot))
    }

    /// More than one at once is the provider's trouble: nothing is deleted on the server.
    pub(super) fn troubled(&self) -> bool {
        self.regressed().nth(1).is_some()
    }

    /// Since when it is listed as failed although it was completed.
    pub(super) fn regressed_since(&self, id: SnapshotId) -> Option<When> {
        let mut regressed = self.history.regressed.iter();
        regressed
            .find(|(known, _)| *known == id)
            .map(|(_, since)| *since)
    }

    /// Records the listing's news for the trail: completed ones that it doesn't know, one
    /// that has failed since, and what is beyond `keep` without a payment.
    pub(super) fn findings(&self) -> Option<Step> {
        let history = self.history;
        let new = |s: &&Snapshot| {
            let known = self.was_completed(s.id) && self.regressed_since(s.id).is_none();
            s.status == Status::Completed && !known
        };
        if let Some(row) = self.own().map(|(snapshot, _)| snapshot).find(new) {
            let (snapshot, id) = (row.name.clone(), row.id);
            return Some(Step::Record(Fact::SnapshotFound { snapshot, id }));
        }
        if let Some(row) = self
            .regressed()
            .find(|s| self.regressed_since(s.id).is_none())
        {
            return Some(Step::Record(Fact::SnapshotRegressed {
                snapshot: row.name.clone(),
                id: row.id,
            }));
        }
        let owned = self.owned();
        let rotations = self.policy.rotations.iter().enumerate();
        // One that has regressed has an alert of its own, and waits for a newer one to be made.
        let mut surplus = rotations.map(|(index, rotation)| {
            let mut unpaid = self.unpaid(index, &owned);
            unpaid.retain(|own| !own.regressed);
            (rotation, unpaid)
        });
        let (rotation, mut unpaid) = surplus.find(|(_, unpaid)| !unpaid.is_empty())?;
        // Those that wait already are named once more: the record replaces them.
        let notes = history.rotation(&rotation.name);
        let waiting = notes.and_then(|notes| notes.shrink.as_deref());
        let waiting = waiting.map_or(&[][..], |shrink| &shrink.found);
        unpaid.extend(
            owned
                .iter()
                .filter(|own| waiting.contains(&own.snapshot.id)),
        );
        let unpaid = unpaid.iter().map(|own| own.snapshot);
        let (snapshots, ids) = unpaid.map(|s| (s.name.clone(), s.id)).unzip();
        Some(Step::Record(Fact::SurplusFound {
            rotation: rotation.name.clone(),
            snapshots,
            ids,
        }))
    }

    /// The ids that new terms of a rotation delete, that nothing new has replaced and the terms before
    /// would have kept.
    pub(super) fn shrinks(&self, rotation: &Rotation) -> BTreeSet<SnapshotId> {
        let notes = self.history.rotation(&rotation.name);
        let notes = notes.filter(|notes| notes.since.is_some());
        let wanted = TermsKey::of(self.policy, rotation);
        if let Some(before) = notes.and_then(|notes| notes.terms)
            && wanted.keep >= before.keep
            && wanted.owns == before.owns
        {
            return BTreeSet::new();
        }
        let found = notes.and_then(|notes| notes.shrink.as_deref());
        let found = found.map_or(&[][..], |shrink| &shrink.found);
        let index = self
            .policy
            .rotations
            .iter()
            .position(|r| r.name == rotation.name);
        // One under way, of a create that the trail lacks, will be completed by then.
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
        let then = Server {
            inventory: &inventory,
            ..*self
        };
        let owned = then.owned();
        let spares = retention::spares(self.policy, &owned);
        let spares = spares
            .into_iter()
            .filter(|(own, _)| Some(own.place.rotation) == index);
        let payments = notes.map_or(&[][..], |notes| &notes.payments);
        let uncovered = self.uncovered(spares, payments, &owned, |id| found.contains(&id));
        uncovered.iter().map(|own| own.snapshot.id).collect()
    }
}

/// Returns true if the payer is there, completed, and newer than its victim by date and slot.
/// Two copies of a slot: the rotation's own pays for the other, so no copy that it didn't make
/// takes the place of one that it made.
fn stands_for(payer: SnapshotId, own: &Own<'_>, why: Spare, owned: &[Own<'_>]) -> bool {
    let payer = owned.iter().find(|other| other.snapshot.id == payer);
    payer.is_some_and(|payer| {
        payer.snapshot.status == Status::Completed
            && payer.snapshot.id != own.snapshot.id
            && payer.dated >= own.dated
            && payer.slot >= own.slot
            && (why != Spare::Copy || payer.place == own.place)
    })
}

/// Returns true if its date can't be: before there were snapshots, or before its create was sent.
pub(super) fn before(snapshot: &Snapshot, sent: Option<Timestamp>) -> bool {
    snapshot.created_at.is_some_and(|at| {
        at < NO_DATE_BEFORE || sent.is_some_and(|sent| sent.duration_since(at) > DATED_BEFORE)
    })
}

#[cfg(test)]
#[path = "erosion_tests.rs"]
mod tests;
