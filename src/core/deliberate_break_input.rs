//! The input of a decision under a deliberately broken rule.

use super::deliberate_breaks::{BROKEN, Break};
use super::inventory::Inventory;
use super::payment::{Payer, Payment};
use super::policy::Policy;
use super::rotation_terms::Fnv;
use super::server_history::{ServerHistory, UnfinishedSnapshot};
use super::slot_log::RotationLog;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// Returns the altered inventory and history for a broken rule of the erosion bound. These rules
/// stand in one place, so their input is altered instead of giving each a switch.
pub(super) fn blinded(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
) -> Option<(Inventory, ServerHistory)> {
    let broken = BROKEN.get().filter(|broken| broken.needs_lies())?;
    let (inventory, mut history) = (inventory.clone(), history.clone());
    let own = inventory.snapshots.iter();
    let own: Vec<_> = own
        .filter(|s| policy.place(&s.name).is_some())
        .cloned()
        .collect();
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
        Break::NoGrace => history.rotations.iter_mut().for_each(RotationLog::agree),
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
            if broken == Break::MismatchForgotten {
                history.mismatch = None;
                for (id, name) in &mut history.completed {
                    *name = there(id.clone()).map_or(*name, |own| Fnv::of(&own.name));
                }
            }
        }
        _ => return None,
    }
    Some((inventory, history))
}
