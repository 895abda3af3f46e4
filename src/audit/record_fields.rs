//! The fields of a record, for everything that reads the trail but bases no decision on it.

use serde::Deserialize;

use super::Record;
use crate::core::server_event::{AlertKind, ServerEvent};
use crate::core::snapshot::{ServerId, SnapshotId};

/// The fields of a record that readers use, under the trail's names. All are empty if one has a
/// type other than the one that the trail writes.
#[expect(
    missing_docs,
    clippy::struct_excessive_bools,
    reason = "the fields have the names and types that the trail gives them"
)]
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RecordFields {
    pub event: String,
    pub hook: Option<String>,
    pub snapshot: Option<String>,
    pub id: Option<SnapshotId>,
    pub rotation: Option<String>,
    pub policy: Option<String>,
    pub server_name: Option<String>,
    pub alert: Option<String>,
    pub about: Option<String>,
    pub outcome: Option<String>,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub reason: Option<String>,
    pub said: Option<String>,
    pub looked_for: bool,
    pub what: Option<String>,
    pub by: Option<String>,
    pub until: Option<String>,
    pub note: Option<String>,
    pub paused: bool,
    pub foreign: bool,
    pub assumed: bool,
    pub problems: Vec<String>,
    pub snapshots: Vec<String>,
    pub shrinks: Vec<SnapshotId>,
    pub deletes: Vec<String>,
    pub duration_ms: Option<u64>,
    history: Option<CheckpointFields>,
}

/// The part of a server's checkpoint that is used.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CheckpointFields {
    rotations: Vec<RotationFields>,
}

#[derive(Clone, Debug, Deserialize)]
struct RotationFields {
    name: String,
    #[serde(default)]
    slots: Vec<SlotFields>,
}

#[derive(Clone, Debug, Deserialize)]
struct SlotFields {
    name: String,
}

impl RecordFields {
    /// Returns the fields of a record.
    pub fn of(record: &Record) -> Self {
        serde_json::from_str(&record.json).unwrap_or_default()
    }

    /// Returns the fields that the record of an event has.
    pub fn of_event(event: &ServerEvent) -> Self {
        let json = serde_json::to_string(event).unwrap_or_default();
        serde_json::from_str(&json).unwrap_or_default()
    }

    /// Returns the operator whose order a mutation carries out.
    pub fn ordered_by(&self, event: &str) -> Option<&str> {
        self.by.as_deref().filter(|_| event.ends_with("_intent"))
    }

    /// Returns the rotation or other subject that an alert is about. `None` for an alert about the
    /// server itself.
    pub fn subject(&self, server: Option<&ServerId>) -> Option<&str> {
        let server = server.map(ToString::to_string);
        self.about
            .as_deref()
            .filter(|about| server.as_deref() != Some(about))
    }

    /// Returns every rotation that the record names.
    pub fn rotations(&self) -> impl Iterator<Item = &str> {
        let earlier = self.history.iter().flat_map(|history| &history.rotations);
        let earlier = earlier.map(|rotation| rotation.name.as_str());
        let own = self.rotation.as_deref().into_iter();
        own.chain(self.about_rotation()).chain(earlier)
    }

    /// Returns the rotation and the snapshot's name of each slot in a server's checkpoint.
    pub fn earlier_slots(&self) -> impl Iterator<Item = (&str, &str)> {
        let rotations = self.history.iter().flat_map(|history| &history.rotations);
        rotations.flat_map(|rotation| {
            let slots = rotation.slots.iter();
            slots.map(|slot| (rotation.name.as_str(), slot.name.as_str()))
        })
    }

    /// Returns the names of the record's snapshot and of the snapshots of a checkpoint's slots.
    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        let own = self.snapshot.as_deref().into_iter();
        own.chain(self.earlier_slots().map(|(_, snapshot)| snapshot))
    }

    /// Returns the rotation that an alert is about, if its kind is always about one.
    pub fn about_rotation(&self) -> Option<&str> {
        let kind = AlertKind::of_word(self.alert.as_deref()?)?;
        self.about.as_deref().filter(|_| kind.is_about_rotation())
    }
}
