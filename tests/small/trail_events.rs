//! The events of a possible trail.

use std::collections::BTreeSet;

use snaprotate::core::server_event::{Outcome, ServerEvent};
use snaprotate::core::snapshot::SnapshotId;

use super::space::name;
use super::view::ROTATIONS;

pub(super) fn create(rotation: usize, known: BTreeSet<u64>) -> ServerEvent {
    ServerEvent::CreateIntent {
        rotation: ROTATIONS[rotation].into(),
        snapshot: name(ROTATIONS[rotation], 0).into(),
        known: known.into_iter().map(SnapshotId::from).collect(),
        reason: String::new(),
        by: None,
        spare: None,
        expires: None,
    }
}

pub(super) fn created(rotation: usize, outcome: Outcome, id: Option<u64>) -> ServerEvent {
    ServerEvent::CreateResult {
        snapshot: name(ROTATIONS[rotation], 0).into(),
        outcome,
        id: id.map(SnapshotId::from),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    }
}

pub(super) fn delete(id: u64, prune_first: Option<&BTreeSet<u64>>) -> ServerEvent {
    ServerEvent::DeleteIntent {
        rotation: "".into(),
        snapshot: "".into(),
        id: SnapshotId::from(id),
        prune_first: prune_first.map(|known| known.iter().copied().map(SnapshotId::from).collect()),
        paid_by: None,
        expired: false,
        reason: String::new(),
        by: None,
    }
}

pub(super) fn settled(rotation: String, slot: jiff::Timestamp, snapshot: String) -> ServerEvent {
    let reason = String::new();
    ServerEvent::SlotSettled {
        rotation: rotation.into(),
        slot,
        snapshot: snapshot.into(),
        reason,
    }
}

pub(super) fn given_up(rotation: String, slot: jiff::Timestamp, snapshot: String) -> ServerEvent {
    let reason = String::new();
    ServerEvent::SlotGivenUp {
        rotation: rotation.into(),
        slot,
        snapshot: snapshot.into(),
        reason,
    }
}

pub(super) fn skipped(rotation: String, slot: jiff::Timestamp, snapshot: String) -> ServerEvent {
    let reason = String::new();
    ServerEvent::SlotSkipped {
        rotation: rotation.into(),
        slot,
        snapshot: snapshot.into(),
        missed: 0,
        paused: false,
        reason,
    }
}
