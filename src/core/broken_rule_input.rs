//! The input of a decision under a deliberately broken rule.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::deliberate_breaks::{Break, broken};
use super::ended_slot_ranges::EndedSlotRanges;
use super::inventory::Inventory;
use super::payment_and_promise::{Payer, Payment};
use super::policy::Policy;
use super::recorded_settings::Fnv;
use super::rotation_history::RotationRecord;
use super::server_event::{ClockReading, SlotOutcome};
use super::server_history::{PendingOp, ServerHistory, UnfinishedSnapshot};
use super::snapshot::{Snapshot, SnapshotId, Status};

/// Returns the inventory and the history as a decision under the broken rule sees them.
pub(super) fn broken_input<'a>(
    policy: &Policy,
    inventory: &'a Inventory,
    history: &'a ServerHistory,
    now: ClockReading,
) -> (Cow<'a, Inventory>, Cow<'a, ServerHistory>) {
    let Some(broken) = broken() else {
        return (Cow::Borrowed(inventory), Cow::Borrowed(history));
    };
    let history = altered_history(broken, history, now.wall);
    let mut inventory = altered_inventory(broken, policy, inventory, now);
    if broken == Break::ExpiryByIdAlone {
        show_as_recorded(&mut inventory, &history);
    }
    if broken.needs_lies() {
        let rows = own_rows(policy, &inventory);
        let history = altered_trust(broken, policy, &rows, history);
        return (Cow::Owned(inventory), Cow::Owned(history));
    }
    let history = altered_memory(broken, policy, &inventory, history);
    (Cow::Owned(inventory), Cow::Owned(history))
}

/// Returns the history for a rule that needs no listing, altered if that rule is broken.
pub(super) fn broken_history(history: &ServerHistory) -> Cow<'_, ServerHistory> {
    match broken() {
        Some(broken @ (Break::StartForgotten | Break::HoldForgotten | Break::AfterRunOnce)) => {
            Cow::Owned(altered_history(broken, history, Timestamp::MIN))
        }
        _ => Cow::Borrowed(history),
    }
}

/// Alters the history, whatever the listing shows.
fn altered_history(broken: Break, history: &ServerHistory, until: Timestamp) -> ServerHistory {
    let mut history = history.clone();
    match broken {
        Break::ClockTrusted => history.last_intent = None,
        Break::NoErosionGuard => history.prune_first = None,
        Break::ProtectionIgnored => history.ordered_protections.clear(),
        Break::OpenDeleteForgotten => {
            let open = &mut history.open;
            open.take_if(|open| matches!(open, PendingOp::Delete { .. }));
        }
        Break::HoldForgotten => {
            history.hold.take_if(|hold| hold.created);
        }
        Break::AfterRunOnce => {
            history.hold.take_if(|hold| hold.failures > 0);
        }
        Break::StartForgotten => {
            history.downtime.take_if(|downtime| downtime.created);
        }
        Break::TrailForgotten => {
            for rotation in &mut history.rotations {
                rotation.passed = EndedSlotRanges::default();
                for slot in &mut rotation.slots {
                    slot.ending = None;
                }
            }
        }
        Break::SlotsLost => {
            for rotation in &mut history.rotations {
                rotation.passed = EndedSlotRanges::default();
                rotation.passed.add(Timestamp::MIN, true);
                rotation.passed.add(until, false);
            }
        }
        Break::SilentFailure => {
            let slots = history.rotations.iter_mut().flat_map(|r| &mut r.slots);
            for slot in slots {
                slot.waiting = None;
                if matches!(
                    slot.ending,
                    Some(SlotOutcome::GivenUp | SlotOutcome::Skipped)
                ) {
                    slot.ending = Some(SlotOutcome::Paused);
                }
            }
        }
        _ => {}
    }
    history
}

/// Alters the listing.
fn altered_inventory(
    broken: Break,
    policy: &Policy,
    inventory: &Inventory,
    now: ClockReading,
) -> Inventory {
    let mut inventory = inventory.clone();
    let is_own = |row: &Snapshot| policy.place(&row.name).is_some();
    let rows = &mut inventory.snapshots;
    match broken {
        Break::ShortListingTrusted => inventory.doubt = None,
        Break::ContestForgotten if inventory.contested.is_some() => inventory.doubt = None,
        Break::InProgressCounts => {
            for row in rows.iter_mut().filter(|row| is_own(row)) {
                if row.status == Status::InProgress {
                    row.status = Status::Completed;
                }
            }
        }
        Break::ForeignAsOwn => {
            let pattern = &policy.rotations[0].pattern;
            for row in rows.iter_mut().filter(|row| !is_own(row)) {
                row.name = pattern.format(jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0));
            }
        }
        // The dates follow the order of the names, and can all be relied on.
        Break::OldestByName => {
            let mut own: Vec<_> = rows.iter_mut().filter(|row| is_own(row)).collect();
            own.sort_by(|one, other| other.name.cmp(&one.name));
            for (seconds, row) in (1..).zip(own) {
                row.created_at = Some(now.wall - SignedDuration::from_secs(seconds));
            }
        }
        // If no rotation has two completed snapshots, the oldest snapshot gets the newest date, so
        // that the newest one loses its protection.
        Break::NoFloor => {
            let mut own: Vec<_> = rows.iter_mut().filter(|row| is_own(row)).collect();
            own.retain(|row| row.status == Status::Completed);
            own.sort_by_key(|row| row.created_at);
            let rotations: BTreeSet<_> = own
                .iter()
                .filter_map(|row| policy.rotation_of(&row.name))
                .collect();
            let newest = own.last().and_then(|row| row.created_at);
            if rotations.len() == own.len()
                && let (Some(oldest), Some(newest)) = (own.first_mut(), newest)
            {
                oldest.created_at = Some(newest + SignedDuration::from_secs(1));
            }
        }
        _ => {}
    }
    inventory
}

/// Gives the rows of expiring snapshots the names and dates that the trail records.
fn show_as_recorded(inventory: &mut Inventory, history: &ServerHistory) {
    for (expiring, _) in &history.expiring {
        let rows = inventory.snapshots.iter_mut();
        for row in rows.filter(|row| row.id == expiring.id) {
            row.name = expiring.snapshot.to_string();
            row.created_at = Some(expiring.created_at);
        }
    }
}

/// Alters what the history says about listed snapshots.
fn altered_memory(
    broken: Break,
    policy: &Policy,
    inventory: &Inventory,
    mut history: ServerHistory,
) -> ServerHistory {
    match broken {
        Break::ForeignAsOwn => {
            history.foreign.clear();
            history.foreign_renamed.clear();
        }
        // A stuck snapshot is not waited for.
        Break::PruneBeforeCompletion => {
            let rows = own_rows(policy, inventory);
            let unfinished = rows.iter().filter(|row| row.status == Status::InProgress);
            history.stuck.extend(unfinished.map(|row| row.id.clone()));
        }
        _ => {}
    }
    history
}

/// Alters what the history says about payments and about what the provider showed before (I19).
fn altered_trust(
    broken: Break,
    policy: &Policy,
    own: &[Snapshot],
    mut history: ServerHistory,
) -> ServerHistory {
    match broken {
        Break::UnpaidDeleted => {
            for rotation in &policy.rotations {
                let notes = history.notes(&rotation.name);
                let shrink = notes.shrink.get_or_insert_default();
                shrink.agreed = own.iter().map(|s| s.id.clone()).collect();
            }
        }
        Break::PaysForAll => {
            for notes in &mut history.rotations {
                for payment in &mut notes.payments {
                    payment.victim = None;
                }
            }
        }
        Break::OneListingPays => {
            let payments = history.rotations.iter_mut().flat_map(|r| &mut r.payments);
            payments.for_each(|payment| payment.by.completed = None);
            history
                .prune_first
                .take_if(|promise| promise.kept_by.is_some());
        }
        Break::NoGrace => history.rotations.iter_mut().for_each(RotationRecord::agree),
        Break::RegressedAsFailed | Break::FailedAsMade => {
            if broken == Break::RegressedAsFailed {
                history.regressed.clear();
                history.completed.clear();
            }
            let failed = |s: &&Snapshot| s.status == Status::Failed;
            history
                .made
                .extend(own.iter().filter(failed).map(|row| UnfinishedSnapshot {
                    id: row.id.clone(),
                    name: row.name.as_str().into(),
                    sent: None,
                    failed: None,
                }));
        }
        Break::FoundPays => {
            for (own, place) in own.iter().filter_map(|s| Some((s, policy.place(&s.name)?))) {
                let notes = history.notes(&policy.rotations[place.rotation].name);
                if !notes.payments.iter().any(|payment| payment.by.id == own.id) {
                    notes.payments.push(Payment {
                        by: Payer {
                            id: own.id.clone(),
                            completed: None,
                        },
                        victim: None,
                    });
                }
            }
        }
        Break::MismatchForgotten | Break::ForeignForgotten => {
            let there = |id: SnapshotId| own.iter().find(|own| own.id == id);
            history
                .foreign
                .retain(|(id, _)| there(id.clone()).is_none());
            history.foreign_renamed.clear();
            if broken == Break::MismatchForgotten {
                history.mismatch = None;
                for (id, name) in &mut history.completed {
                    *name = there(id.clone()).map_or(*name, |own| Fnv::of(&own.name));
                }
            }
        }
        _ => {}
    }
    history
}

fn own_rows(policy: &Policy, inventory: &Inventory) -> Vec<Snapshot> {
    let rows = inventory.snapshots.iter();
    let own = rows.filter(|row| policy.place(&row.name).is_some());
    own.cloned().collect()
}
