//! Finds the newest due slots that lack a completed snapshot, and those that the trail has not
//! recorded yet.

use super::decide::{DecisionContext, Inventory};
use super::policy::{Policy, Rotation, Rules};
use super::schedule::Slot;
use super::server_event::{ClockReading, SlotOutcome};
use super::server_history::ServerHistory;

/// Returns a rotation's newest due slot if the trail does not have it yet and `catch_up` still
/// permits it. The next look at the server records it.
pub fn unrecorded_due_slot(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
    rotation: &Rotation,
) -> Option<Slot> {
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    let slot = server.slot_due(rotation, now.wall)?;
    let name = rotation.pattern.format(slot.local);
    let heard =
        history.slot(&rotation.name, &name).is_some() || history.passed(&rotation.name, slot.at);
    (!heard && rotation.within_catch_up(slot, now.wall)).then_some(slot)
}

/// Returns true if every rotation's newest due slot has, or had, a completed snapshot: one of the
/// conditions for `once` to succeed.
pub fn all_settled(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> bool {
    let mut left = left_unsettled(policy, inventory, history, rules, now);
    left.next().is_none()
}

/// Returns the rotations whose newest due slot neither has nor had a completed snapshot, each with
/// the name that the snapshot should have.
pub fn left_unsettled<'a>(
    policy: &'a Policy,
    inventory: &'a Inventory,
    history: &'a ServerHistory,
    rules: &'a Rules,
    now: ClockReading,
) -> impl Iterator<Item = (&'a Rotation, String)> {
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    let due_until = rules.due_until.unwrap_or(now.wall).min(now.wall);
    let rotations = policy.rotations.iter().enumerate();
    rotations.filter_map(move |(index, rotation)| {
        let slot = server.slot_due(rotation, due_until)?;
        let name = rotation.pattern.format(slot.local);
        let note = history.slot(&rotation.name, &name);
        let settled = server.completed(index, slot)
            || note.is_some_and(|note| note.ending == Some(SlotOutcome::Completed));
        (!settled).then_some((rotation, name))
    })
}
