//! Checks whether a snapshot may be deleted, judged by the provider's true state.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::judge::TOLERANCE;
use super::true_state::TrueSnapshot;
use super::world_setup::{JudgedPolicy, LIMIT, STUCK};
use crate::core::snapshot::Status;

/// The reason for which a delete is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeleteReason {
    /// It is no longer needed.
    Surplus,
    /// It makes room for a due slot.
    PruneFirst,
}

/// Returns the reason for which the snapshot may be deleted while the server holds these rows. The
/// error names the invariant that the delete would break.
pub(super) fn may_delete(
    view: &JudgedPolicy,
    rows: &[TrueSnapshot],
    id: u64,
    now: Timestamp,
    wall: Timestamp,
) -> Result<DeleteReason, &'static str> {
    let row = rows
        .iter()
        .find(|row| row.id == id)
        .ok_or("I4: not found")?;
    let rotation = view.rotation(&row.name).ok_or("I1: it is foreign")?;
    if view.protects(row.id, &row.name) {
        return Err("I1: it is protected");
    }
    let dated = |row: &TrueSnapshot| row.shown.filter(|at| at.duration_since(wall) <= TOLERANCE);
    if dated(row).is_none() {
        return Err("I11: its date can't be relied on");
    }
    // Measured from the true creation. The program counts from its first sight of the row, so it
    // waits longer.
    let young = |row: &TrueSnapshot| now.duration_since(row.made) < STUCK;
    let under_way = |row: &&TrueSnapshot| {
        view.rotation(&row.name).is_some()
            && matches!(row.status, Status::InProgress | Status::Unknown(_))
            && young(row)
    };
    if rows.iter().any(|row| under_way(&row)) {
        return Err("I8: one of the program's own snapshots is under way");
    }
    let stale = matches!(row.status, Status::InProgress) && view.delete_stuck && !young(row);
    let completed = |row: &&TrueSnapshot| row.status == Status::Completed && dated(row).is_some();
    let own = |row: &&TrueSnapshot| view.rotation(&row.name).is_some();
    match row.status {
        Status::Failed => return Ok(DeleteReason::Surplus),
        Status::InProgress if stale => return Ok(DeleteReason::Surplus),
        Status::Completed => {}
        _ => return Err("I11: neither completed nor failed"),
    }
    let age = |row: &TrueSnapshot| (dated(row), row.id);
    let all: Vec<&TrueSnapshot> = rows.iter().filter(own).filter(completed).collect();
    if all.iter().map(|row| age(row)).max() == Some(age(row)) {
        return Err("I2: it is the program's newest completed snapshot");
    }
    let counted: Vec<&TrueSnapshot> = all
        .iter()
        .filter(|row| {
            view.rotation(&row.name) == Some(rotation) && !view.protects(row.id, &row.name)
        })
        .copied()
        .collect();
    let copy = counted
        .iter()
        .any(|other| other.name == row.name && age(other) > age(row));
    let slots: BTreeSet<&str> = counted.iter().map(|row| row.name.as_str()).collect();
    let oldest = counted.iter().map(|row| age(row)).min() == Some(age(row));
    if copy || (slots.len() > view.rotations[rotation].keep && oldest) {
        return Ok(DeleteReason::Surplus);
    }
    let asked = view.rotations.iter().any(|r| r.prune_first);
    if rows.len() >= LIMIT && asked && oldest {
        if all.len() <= view.min_completed {
            return Err("I3: fewer than min_completed would be left");
        }
        return Ok(DeleteReason::PruneFirst);
    }
    Err("I3: fewer than keep would be left")
}
