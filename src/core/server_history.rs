//! The history of one server, built from the trail. `apply.rs` applies it event by event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::downtime_record::Downtime;
use super::expiring_snapshot::ExpiringSnapshot;
use super::inventory::Inventory;
use super::newest_copy::NewestCopy;
use super::ordered_protection::OrderedProtection;
use super::ownership::Ownership;
use super::pause::Pause;
use super::payment_and_promise::PruneFirstPromise;
use super::policy::{Policy, Rules};
use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::rotation_history::RotationRecord;
use super::second_server_id::ServerIdentity;
use super::server_event::{AlertKind, ClockReading, RaisedAlert, RecordedAt};
use super::snapshot::{ServerId, Snapshot, SnapshotId, Status};

/// Number of failed runs of `after` after which `once` leaves the release to the next process.
const HOPELESS: u32 = 3;

/// A mutation whose effect no listing has confirmed yet.
#[expect(
    missing_docs,
    reason = "the fields have the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingOp {
    /// A create.
    ///
    /// `claimed` is an id from the answer that can't be relied on. `sent` is the wall time of the
    /// intent. `said` has the provider's words from an answer that left the outcome unknown.
    /// `ordered` is true for an operator's create, which belongs to no slot; `expires` is when its
    /// snapshot expires.
    Create {
        name: SnapshotName,
        known: BTreeSet<SnapshotId>,
        id: Option<SnapshotId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claimed: Option<SnapshotId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<Box<str>>,
        since: RecordedAt,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ordered: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// A delete. One that an operator ordered is never resent automatically.
    Delete {
        id: SnapshotId,
        since: RecordedAt,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ordered: bool,
    },
    /// A restore without an answer. It is never sent again (I12).
    Restore { id: SnapshotId, since: RecordedAt },
}

impl PendingOp {
    /// Returns the snapshot that an open create made, if these rows contain it: the row with the id
    /// from the answer, else the new row with its name, else the row with the id from a doubtful
    /// answer.
    pub fn made_in<'s>(&self, rows: &'s [Snapshot]) -> Option<&'s Snapshot> {
        let Self::Create {
            name,
            known,
            id,
            claimed,
            ..
        } = self
        else {
            return None;
        };
        let by_id = |id: &SnapshotId| rows.iter().find(|row| row.id == *id);
        if let Some(id) = id {
            return by_id(id);
        }
        let new = |row: &&Snapshot| row.name == *name && !known.contains(&row.id);
        rows.iter().find(new).or_else(|| by_id(claimed.as_ref()?))
    }
}

/// A pause that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPause {
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// A slot's create that may have taken effect, though no answer confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LapsedCreate {
    /// The requested name.
    pub name: Box<str>,
    /// Every id that was listed before.
    pub known: BTreeSet<SnapshotId>,
    /// Time of the intent.
    pub sent: Option<Timestamp>,
}

/// A snapshot that the rotation made and that is not completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedSnapshot {
    /// Its id, as answered or found.
    pub id: SnapshotId,
    /// The requested name.
    pub name: Box<str>,
    /// Time of the intent.
    pub sent: Option<Timestamp>,
    /// Time from which it is known to have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<RecordedAt>,
}

/// A server that a rotation's `before` holds for a snapshot; `after` is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookLease {
    /// The rotation with the hooks.
    pub rotation: RotationName,
    /// The snapshot that the server is held for.
    pub snapshot: SnapshotName,
    /// Start of `before`.
    pub since: RecordedAt,
    /// True once the snapshot's create was sent.
    pub created: bool,
    /// True if a failed `before` counted as a try of the slot.
    pub tried: bool,
    /// True if something failed during the hold.
    pub faulty: bool,
    /// Number of failed runs of `after`.
    pub failures: u32,
    /// Time of the last failure.
    pub last: Option<RecordedAt>,
}

impl HookLease {
    /// Returns true if `after` has failed so often that `once` no longer waits for it.
    pub fn needs_operator(&self) -> bool {
        self.failures >= HOPELESS
    }

    /// Returns true if this process holds the server for this snapshot.
    pub(super) fn is_for(&self, snapshot: &str) -> bool {
        self.snapshot == snapshot && self.since.mono.is_some() && self.failures == 0
    }
}

/// The history of one server. Rarely used fields are boxed, since with ten thousand servers every
/// byte counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerHistory {
    /// The server's own pause.
    pub paused: Option<Box<Pause>>,
    /// The pause of all servers, which the trail records only once.
    #[serde(skip)]
    pub all_paused: Option<Arc<Pause>>,
    /// The last pause that ended.
    pub last_pause: Option<Box<PastPause>>,
    /// Its other id, and which of its names the policy uses, if there are two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<ServerIdentity>>,
    /// Stem of the policy file that was last named in a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<str>>,
    /// Time of the last restore that may have taken effect.
    pub restore: Option<RecordedAt>,
    /// The snapshot of a restore with an unknown outcome, until an operator resumes the server.
    pub unknown_restore: Option<SnapshotId>,
    /// The snapshot that an operator is about to restore, and since when; it is not pruned
    /// meanwhile.
    pub spared: Option<Box<(SnapshotId, RecordedAt)>>,
    /// Time of the newest mutation intent. `None` if a `resume` has accepted the clock since then.
    pub last_intent: Option<Timestamp>,
    /// Time up to which slots were judged, by this process or the one before it.
    #[serde(skip)]
    pub judged: Option<Timestamp>,
    /// Time of the last answer to a mutation in this process.
    #[serde(skip)]
    pub last_answer: Option<SignedDuration>,
    /// The open mutation, at most one (I5).
    pub open: Option<PendingOp>,
    /// The hold that is not released yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Box<HookLease>>,
    /// The downtime of a server that a rotation stopped and that was not seen active since (I20).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Box<Downtime>>,
    /// The promise of the last prune-first (I7, I19).
    pub prune_first: Option<Box<PruneFirstPromise>>,
    /// Own snapshots that were seen completed, with a hash of their names. The provider may list
    /// one as failed now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub completed: Vec<(SnapshotId, u64)>,
    /// Those in `completed` that are now listed with another status, and since when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regressed: Vec<(SnapshotId, RecordedAt)>,
    /// Time at which the last own snapshot that the rotation did not make was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<RecordedAt>,
    /// The last few snapshots that were listed under foreign names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<(SnapshotId, Box<str>)>,
    /// The last few snapshots in `foreign` that were later listed under an own name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign_renamed: Vec<SnapshotId>,
    /// Snapshots that the policy protects by the other of their ids, with that id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protected: Vec<(SnapshotId, SnapshotId)>,
    /// Snapshots that operators protect by order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ordered_protections: Vec<OrderedProtection>,
    /// Manual snapshots that expire, and the times of their records.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expiring: Vec<(ExpiringSnapshot, RecordedAt)>,
    /// The last few completed snapshots that vanished while no delete of them was open, with a hash
    /// of their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vanished: Vec<(SnapshotId, u64)>,
    /// Completed snapshots that were listed beside one in `vanished` under the same name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<SnapshotId>,
    /// The last few snapshots of the rotation's creates that are stuck, missing or failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<UnfinishedSnapshot>,
    /// The last few creates that were refused, or had no answer and were not found in listings.
    /// Their snapshots may still appear.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lapsed: Vec<LapsedCreate>,
    /// How a snapshot differs from what its create asked for, or from its earlier name, until an
    /// operator resumes the server (I19).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Box<str>>,
    /// The snapshot of the last sent delete, until it is seen to be gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delete: Option<SnapshotId>,
    /// The last few snapshots whose deletes were sent. A provider may list one again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<SnapshotId>,
    /// Number of refused deletes in a row.
    pub refused_deletes: u32,
    /// Time of the last refused delete.
    pub last_refusal: Option<RecordedAt>,
    /// The server's name in the last answer to a create.
    pub answered_name: Option<String>,
    /// True if its policy was removed. Open calls stay, in case the policy returns.
    pub removed: bool,
    /// True if the last create was answered with "no such server".
    pub no_server: bool,
    /// Why the server is blocked, if it is.
    pub blocked: Option<String>,
    /// Claims of other servers to its snapshots. Boxed, since nearly every server has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ownership: Option<Box<Ownership>>,
    /// The active alerts, with their reasons and times.
    #[serde(with = "super::alert_rows")]
    pub alerts: BTreeMap<(AlertKind, String), RaisedAlert>,
    /// The newest completed snapshot in the last reliable listing.
    #[serde(skip)]
    pub newest_copy: NewestCopy,
    /// Unfinished own snapshots that this process or an earlier one has recorded as stuck.
    pub stuck: BTreeSet<SnapshotId>,
    /// Time at which this process first saw an unfinished own snapshot, by the monotonic clock.
    /// Neither its date nor an earlier process's clock makes it stuck (I8).
    #[serde(skip)]
    pub seen: BTreeMap<SnapshotId, SignedDuration>,
    /// The rotations, sorted by name; there are few.
    pub(super) rotations: Vec<RotationRecord>,
}

impl ServerHistory {
    /// Returns the server's `blocked` alert, if it is active.
    pub fn blocked_alert(&self, server: &ServerId) -> Option<&RaisedAlert> {
        self.alerts.get(&(AlertKind::Blocked, server.to_string()))
    }

    /// Stores, in memory only, what a valid listing shows: when each unfinished own snapshot was
    /// first seen, that a created one is still listed, and that a second listing shows a new one as
    /// completed.
    pub fn observe(&mut self, policy: &Policy, inventory: &Inventory, now: ClockReading) {
        let snapshots = &inventory.snapshots;
        self.confirm_promise(inventory);
        let open = match &self.open {
            Some(PendingOp::Create { id, .. }) => id.clone(),
            _ => None,
        };
        let unfinished = |s: &&Snapshot| {
            matches!(s.status, Status::InProgress | Status::Unknown(_))
                && (policy.place(&s.name).is_some() || open == Some(s.id.clone()))
        };
        let rows = snapshots.iter().filter(unfinished).map(|s| s.id.clone());
        let rows: BTreeSet<_> = rows.collect();
        self.seen
            .retain(|id, _| rows.contains(id) || open == Some(id.clone()));
        self.stuck.retain(|id| rows.contains(id));
        for id in rows {
            self.seen.entry(id).or_insert(now.mono);
        }
        if let Some(PendingOp::Create {
            id: Some(id),
            since,
            ..
        }) = &mut self.open
            && snapshots.iter().any(|s| s.id == *id)
        {
            *since = now.into();
        }
    }

    /// Returns the number of creates that were sent with this name, for any rotation (I9).
    pub fn intents(&self, name: &str) -> u32 {
        let notes = self.rotations.iter().flat_map(|notes| &notes.slots);
        let of_name = notes.filter(|note| note.name == name);
        of_name.map(|note| note.intents).sum()
    }

    /// Returns true if a slot's create was sent, as far as the trail still shows.
    pub fn has_asked(&self) -> bool {
        let mut notes = self.rotations.iter().flat_map(|notes| &notes.slots);
        notes.any(|note| note.intents > 0)
    }

    /// Returns true if the create that was answered with this id is open.
    pub(super) fn has_open_create_of(&self, id: &SnapshotId) -> bool {
        matches!(&self.open, Some(PendingOp::Create { id: Some(open), .. }) if *open == *id)
    }

    /// Returns true if the snapshot is the result of a slot's open create, and not of an
    /// operator's.
    pub(super) fn has_open_slot_create_of(&self, id: &SnapshotId) -> bool {
        matches!(&self.open, Some(PendingOp::Create { id: Some(open), ordered: false, .. }) if *open == *id)
    }

    /// Returns true if a delete of this snapshot is open.
    pub fn has_open_delete_of(&self, id: &SnapshotId) -> bool {
        matches!(&self.open, Some(PendingOp::Delete { id: open, .. }) if *open == *id)
    }

    /// Returns how much longer the server is left alone after a restore.
    pub fn restoring(&self, rules: &Rules, now: ClockReading) -> Option<SignedDuration> {
        // The longer of the times on the two clocks counts, so that the window ends even if every
        // process is short-lived.
        let sent = self.restore?;
        let left = rules.restore_window - sent.age(now).max(sent.elapsed(now));
        (left > SignedDuration::ZERO).then_some(left)
    }

    /// Returns true if hooks hold the server, or if it was stopped and a start is owed.
    pub fn owes_release(&self) -> bool {
        self.hold.is_some() || self.downtime.is_some()
    }

    /// Returns true if the policy was removed and nothing needs to be recorded any more. If the
    /// policy returned and its server was blocked at once, an alert is active, which must be
    /// cleared first.
    pub fn is_policy_removed(&self) -> bool {
        self.removed && self.alerts.is_empty() && self.blocked.is_none()
    }

    /// Returns true if the policy was removed, and nothing needs to be recorded or done any more. A
    /// held server waits for its policy, and a stopped one for its start.
    pub fn is_forgettable(&self) -> bool {
        self.is_policy_removed() && !self.owes_release()
    }
}
