//! What the trail says of one server, as a value; `fold` makes it, fact by fact.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::downtime::Downtime;
use super::event::{AlertKind, ClockReading, RaisedAlert, RecordedAt};
use super::policy::{Policy, Rules};
use super::server_identity::ServerIdentity;
use super::slot_log::RotationLog;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// Runs of `after` that failed, from which on a person has to release the server.
const HOPELESS: u32 = 3;

/// A mutation whose effect has not been seen yet.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingOp {
    /// A create. `claimed` is an id that an answer named which can't be relied on; `sent` is
    /// when it was intended, by the wall clock; `said` is the provider's words in an answer that
    /// left the outcome unknown. An operator's is no slot's.
    Create {
        name: String,
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
    },
    /// A delete; one that an operator ordered is never sent again by itself.
    Delete {
        id: SnapshotId,
        since: RecordedAt,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ordered: bool,
    },
    /// A restore that has no answer yet. It is never sent again (I12).
    Restore { id: SnapshotId, since: RecordedAt },
}

impl PendingOp {
    /// The snapshot that an open create made, if these rows show it: by the id that was
    /// answered, else the new one of its name, else the one that a doubtful answer named.
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
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
}

/// A prune-first whose promise is not kept yet (I7, I19): the rotation has made nothing since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneFirstPromise {
    /// The snapshot that was given up. It alone may be deleted again.
    pub victim: SnapshotId,
    /// Every id that was listed then.
    pub known: BTreeSet<SnapshotId>,
}

/// A create of a slot that may have had an effect, though no answer says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LapsedCreate {
    /// The name that was asked for.
    pub name: Box<str>,
    /// Every id that was listed before.
    pub known: BTreeSet<SnapshotId>,
    /// When it was intended.
    pub sent: Option<Timestamp>,
}

/// A snapshot that the rotation made and that is not completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedSnapshot {
    /// Its id, as it was answered or found.
    pub id: SnapshotId,
    /// The name that was asked for.
    pub name: Box<str>,
    /// When it was intended.
    pub sent: Option<Timestamp>,
    /// Since when it is known to have failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<RecordedAt>,
}

/// A server that a rotation's `before` holds for a snapshot; its `after` is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookLease {
    /// The rotation whose hooks they are.
    pub rotation: String,
    /// The snapshot that it is held for.
    pub snapshot: String,
    /// When `before` was begun.
    pub since: RecordedAt,
    /// Whether the snapshot's create was sent.
    pub created: bool,
    /// Whether the slot had its try by a `before` that failed.
    pub tried: bool,
    /// Whether something went wrong on the way.
    pub faulty: bool,
    /// Runs of `after` that failed.
    pub failures: u32,
    /// When the last of them did.
    pub last: Option<RecordedAt>,
}

impl HookLease {
    /// Whether only a person can release the server.
    pub fn hopeless(&self) -> bool {
        self.failures >= HOPELESS
    }

    /// Returns true if this process holds the server for this snapshot.
    pub(super) fn is_for(&self, snapshot: &str) -> bool {
        self.snapshot == snapshot && self.since.mono.is_some() && self.failures == 0
    }
}

/// What the trail says of one server. What is rare stands in a box of its own: ten thousand
/// servers pay for every byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerHistory {
    /// Since when it is paused by itself.
    pub paused: Option<Timestamp>,
    /// Since when every server is; the trail keeps that once for all.
    #[serde(skip)]
    pub all_paused: Option<Timestamp>,
    /// The last pause that ended.
    pub last_pause: Option<Box<PastPause>>,
    /// Its other id, and which of its names is the policy's, where there are two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<ServerIdentity>>,
    /// When the last restore was sent that may have had an effect.
    pub restore: Option<RecordedAt>,
    /// The restore of which nobody knows whether it took effect, until a person looked.
    pub unknown_restore: Option<SnapshotId>,
    /// What an operator is about to restore, and since when: it is not pruned meanwhile.
    pub spared: Option<Box<(SnapshotId, RecordedAt)>>,
    /// The newest mutation intent, unless `resume` has set the clock right since.
    pub last_intent: Option<Timestamp>,
    /// When the last mutation was answered in this process.
    #[serde(skip)]
    pub last_answer: Option<SignedDuration>,
    /// The open mutation, one at most (I5).
    pub open: Option<PendingOp>,
    /// The hold that has not been released yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Box<HookLease>>,
    /// The server that a rotation stopped and that was not seen active since (I20).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downtime: Option<Box<Downtime>>,
    /// The prune-first whose promise is not kept yet (I7, I19).
    pub prune_first: Option<Box<PruneFirstPromise>>,
    /// The own snapshots that were seen completed, with a hash of their names; by the provider's
    /// present word one may have failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub completed: Vec<(SnapshotId, u64)>,
    /// Those of them that are listed otherwise, and since when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regressed: Vec<(SnapshotId, RecordedAt)>,
    /// When the last own one was found that the rotation did not make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<RecordedAt>,
    /// The last few that were listed under names that aren't own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<(SnapshotId, Box<str>)>,
    /// Those that the policy protects by the other of their ids, with that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protected: Vec<(SnapshotId, SnapshotId)>,
    /// Completed ones that went though no delete of ours took them, with a hash of their names;
    /// the last few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vanished: Vec<(SnapshotId, u64)>,
    /// Completed ones that stood beside one of those under the same name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<SnapshotId>,
    /// Snapshots of the rotation's creates that are stuck, missing or failed; the last few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<UnfinishedSnapshot>,
    /// Creates that had no answer and were looked for in vain, or that were refused; the last
    /// few. What they made may still show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lapsed: Vec<LapsedCreate>,
    /// How the provider stores otherwise what a create asked for, until a person looked (I19).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Box<str>>,
    /// The snapshot that the last delete was sent for, until it is seen to be gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delete: Option<SnapshotId>,
    /// Deletes refused in a row.
    pub refused_deletes: u32,
    /// When the last delete was refused.
    pub last_refusal: Option<RecordedAt>,
    /// The server's name in the last answer to a create.
    pub answered_name: Option<String>,
    /// Whether its policy went; what was open stays so, for the case that it returns.
    pub removed: bool,
    /// Whether the last create was answered by "no such server".
    pub no_server: bool,
    /// Why the server is blocked, if it is.
    pub blocked: Option<String>,
    /// The alerts that stand, with their reasons, and since when.
    #[serde(with = "alert_rows")]
    pub alerts: BTreeMap<(AlertKind, String), RaisedAlert>,
    /// The unfinished own snapshots that are called stuck, by this process or one before.
    pub stuck: BTreeSet<SnapshotId>,
    /// When this process first saw an unfinished own snapshot, by the clock that doesn't
    /// step: neither its date nor an earlier process's clock makes it stuck (I8).
    #[serde(skip)]
    pub seen: BTreeMap<SnapshotId, SignedDuration>,
    /// By name; a row of few.
    pub(super) rotations: Vec<RotationLog>,
}

/// Alerts as rows, since JSON has no keys of two parts.
mod alert_rows {
    use super::{AlertKind, BTreeMap, Deserialize, RaisedAlert, Serialize, Timestamp};

    type AlertMap = BTreeMap<(AlertKind, String), RaisedAlert>;

    /// Trails were written without the third part once.
    #[derive(Serialize, Deserialize)]
    struct Row(
        (AlertKind, String),
        String,
        #[serde(default)] Option<Timestamp>,
    );

    pub(super) fn serialize<S: serde::Serializer>(
        alerts: &AlertMap,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let row = |(key, standing): (&(AlertKind, String), &RaisedAlert)| {
            Row(key.clone(), standing.reason.clone(), standing.since)
        };
        let rows: Vec<_> = alerts.iter().map(row).collect();
        rows.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<AlertMap, D::Error> {
        let rows: Vec<Row> = Vec::deserialize(deserializer)?;
        let alert = |Row(key, reason, since)| (key, RaisedAlert { reason, since });
        Ok(rows.into_iter().map(alert).collect())
    }
}

impl ServerHistory {
    /// Notes what a valid listing shows, in memory only: since when an unfinished own
    /// snapshot is known, and that a created one was still there.
    pub fn observe(&mut self, policy: &Policy, snapshots: &[Snapshot], now: ClockReading) {
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

    /// Since when nothing is changed by the rotation: a pause of its own, or one of all.
    pub fn paused(&self) -> Option<Timestamp> {
        self.paused.or(self.all_paused)
    }

    /// Creates of this name that were sent, whichever rotation's slot it was (I9).
    pub fn intents(&self, name: &str) -> u32 {
        let notes = self.rotations.iter().flat_map(|notes| &notes.slots);
        let of_name = notes.filter(|note| note.name == name);
        of_name.map(|note| note.intents).sum()
    }

    /// Returns true if a slot's create was sent, as far as the trail still says so.
    pub fn has_asked(&self) -> bool {
        let mut notes = self.rotations.iter().flat_map(|notes| &notes.slots);
        notes.any(|note| note.intents > 0)
    }

    /// Whether the create that was answered by this id is open.
    pub(super) fn makes(&self, id: &SnapshotId) -> bool {
        matches!(&self.open, Some(PendingOp::Create { id: Some(open), .. }) if *open == *id)
    }

    /// Returns true if a slot's open create made it, and not one that an operator ordered.
    pub(super) fn makes_slot(&self, id: &SnapshotId) -> bool {
        matches!(&self.open, Some(PendingOp::Create { id: Some(open), ordered: false, .. }) if *open == *id)
    }

    /// Whether a delete of this one is open.
    pub fn deletes(&self, id: &SnapshotId) -> bool {
        matches!(&self.open, Some(PendingOp::Delete { id: open, .. }) if *open == *id)
    }

    /// For how long the server is left alone after a restore.
    pub(super) fn restoring(&self, rules: &Rules, now: ClockReading) -> Option<SignedDuration> {
        // The longer by either clock: a short process after the other ends it too.
        let sent = self.restore?;
        let left = rules.restore_window - sent.age(now).max(sent.elapsed(now));
        (left > SignedDuration::ZERO).then_some(left)
    }

    /// Whether its policy went and nothing is left to be said of it: one that returned only
    /// to be blocked has an alert that must go with it.
    pub fn left(&self) -> bool {
        self.removed && self.alerts.is_empty() && self.blocked.is_none()
    }

    /// Whether that is so, and nothing is left to be done either: one that is still held
    /// waits for its policy, and one that was stopped for its start.
    pub fn gone(&self) -> bool {
        self.left() && self.hold.is_none() && self.downtime.is_none()
    }
}
