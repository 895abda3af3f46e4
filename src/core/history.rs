//! What the trail says of one server, as a value; `fold` makes it, fact by fact.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::fact::{AlertKind, Now, Standing, When};
use super::noted::RotationNotes;
use super::policy::{Policy, Rules};
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
pub enum Open {
    /// A create.
    Create {
        name: String,
        known: BTreeSet<SnapshotId>,
        id: Option<SnapshotId>,
        since: When,
    },
    /// A delete; one that an operator ordered is never sent again by itself.
    Delete {
        id: SnapshotId,
        since: When,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ordered: bool,
    },
    /// A restore that has no answer yet. It is never sent again (I12).
    Restore { id: SnapshotId, since: When },
}

impl Open {
    /// The snapshot that an open create made, if these rows show it.
    pub fn made_in<'s>(&self, rows: &'s [Snapshot]) -> Option<&'s Snapshot> {
        let Self::Create {
            name, known, id, ..
        } = self
        else {
            return None;
        };
        rows.iter().find(|row| match id {
            Some(id) => row.id == *id,
            None => row.name == *name && !known.contains(&row.id),
        })
    }
}

/// A pause that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
}

/// A prune-first that no completed snapshot has made good yet (I7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneFirst {
    /// What was given up; while a listing still shows it, nothing was lost.
    pub victim: SnapshotId,
    /// When it was seen to be gone: for a settle window, listings that show it are stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<When>,
    /// Every id that was listed then.
    pub known: BTreeSet<SnapshotId>,
}

/// A server that a rotation's `before` holds for a snapshot; its `after` is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The rotation whose hooks they are.
    pub rotation: String,
    /// The snapshot that it is held for.
    pub snapshot: String,
    /// When `before` was begun.
    pub since: When,
    /// Whether the snapshot's create was sent.
    pub created: bool,
    /// Whether the slot had its try by a `before` that failed.
    pub tried: bool,
    /// Whether something went wrong on the way.
    pub faulty: bool,
    /// Runs of `after` that failed.
    pub failures: u32,
    /// When the last of them did.
    pub last: Option<When>,
}

impl Hold {
    /// Whether only a person can release the server.
    pub fn hopeless(&self) -> bool {
        self.failures >= HOPELESS
    }
}

/// What the trail says of one server. What is rare stands in a box of its own: ten thousand
/// servers pay for every byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// Since when it is paused by itself.
    pub paused: Option<Timestamp>,
    /// Since when every server is; the trail keeps that once for all.
    #[serde(skip)]
    pub all_paused: Option<Timestamp>,
    /// The last pause that ended.
    pub last_pause: Option<Box<Pause>>,
    /// When the last restore was sent that may have had an effect.
    pub restore: Option<When>,
    /// The restore of which nobody knows whether it took effect, until a person looked.
    pub unknown_restore: Option<SnapshotId>,
    /// What an operator is about to restore, and since when: it is not pruned meanwhile.
    pub spared: Option<Box<(SnapshotId, When)>>,
    /// The newest mutation intent, unless `resume` has set the clock right since.
    pub last_intent: Option<Timestamp>,
    /// When the last mutation was answered in this process.
    #[serde(skip)]
    pub last_answer: Option<SignedDuration>,
    /// The open mutation, one at most (I5).
    pub open: Option<Open>,
    /// The hold that has not been released yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Box<Hold>>,
    /// The prune-first that is not made good yet (I7).
    pub prune_first: Option<Box<PruneFirst>>,
    /// Deletes refused in a row.
    pub refused_deletes: u32,
    /// When the last delete was refused.
    pub last_refusal: Option<When>,
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
    pub alerts: BTreeMap<(AlertKind, String), Standing>,
    /// The unfinished own snapshots that are called stuck, by this process or one before.
    pub stuck: BTreeSet<SnapshotId>,
    /// When this process first saw an unfinished own snapshot, by the clock that doesn't
    /// step: neither its date nor an earlier process's clock makes it stuck (I8).
    #[serde(skip)]
    pub seen: BTreeMap<SnapshotId, SignedDuration>,
    /// By name; a row of few.
    pub(super) rotations: Vec<RotationNotes>,
}

/// Alerts as rows, since JSON has no keys of two parts.
mod alert_rows {
    use super::{AlertKind, BTreeMap, Deserialize, Serialize, Standing, Timestamp};

    type Alerts = BTreeMap<(AlertKind, String), Standing>;

    /// Trails were written without the third part once.
    #[derive(Serialize, Deserialize)]
    struct Row(
        (AlertKind, String),
        String,
        #[serde(default)] Option<Timestamp>,
    );

    pub(super) fn serialize<S: serde::Serializer>(
        alerts: &Alerts,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let row = |(key, standing): (&(AlertKind, String), &Standing)| {
            Row(key.clone(), standing.reason.clone(), standing.since)
        };
        let rows: Vec<_> = alerts.iter().map(row).collect();
        rows.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Alerts, D::Error> {
        let rows: Vec<Row> = Vec::deserialize(deserializer)?;
        let alert = |Row(key, reason, since)| (key, Standing { reason, since });
        Ok(rows.into_iter().map(alert).collect())
    }
}

impl History {
    /// Notes what a valid listing shows, in memory only: since when an unfinished own
    /// snapshot is known, and that a created one was still there.
    pub fn observe(&mut self, policy: &Policy, snapshots: &[Snapshot], now: Now) {
        let open = match &self.open {
            Some(Open::Create { id, .. }) => *id,
            _ => None,
        };
        let unfinished = |s: &&Snapshot| {
            matches!(s.status, Status::InProgress | Status::Unknown(_))
                && (policy.place(&s.name).is_some() || open == Some(s.id))
        };
        let rows = snapshots.iter().filter(unfinished).map(|s| s.id);
        let rows: BTreeSet<_> = rows.collect();
        self.seen
            .retain(|id, _| rows.contains(id) || open == Some(*id));
        self.stuck.retain(|id| rows.contains(id));
        for id in rows {
            self.seen.entry(id).or_insert(now.mono);
        }
        if let Some(Open::Create {
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

    /// Whether the create that was answered by this id is open.
    pub(super) fn makes(&self, id: SnapshotId) -> bool {
        matches!(&self.open, Some(Open::Create { id: Some(open), .. }) if *open == id)
    }

    /// Whether a delete of this one is open.
    pub fn deletes(&self, id: SnapshotId) -> bool {
        matches!(&self.open, Some(Open::Delete { id: open, .. }) if *open == id)
    }

    /// For how long the server is left alone after a restore.
    pub(super) fn restoring(&self, rules: &Rules, now: Now) -> Option<SignedDuration> {
        let left = rules.restore_window - self.restore?.elapsed(now);
        (left > SignedDuration::ZERO).then_some(left)
    }

    /// What an operator's `resume` ends besides a pause, in words; for one of the server
    /// itself also what a person has to have seen to.
    pub fn ended_by_resume(&self, rules: &Rules, now: Now, own: bool) -> Vec<String> {
        let ahead = |at: Timestamp| at > now.wall;
        let mut ended = Vec::new();
        if self.last_intent.is_some_and(ahead) || self.restore.is_some_and(|sent| ahead(sent.wall))
        {
            ended.push("the clock counts as right from now on".to_owned());
        }
        if let Some(id) = self.unknown_restore {
            ended.push(format!(
                "what became of the restore from {id} is yours to know"
            ));
        }
        if own && self.restoring(rules, now).is_some() {
            ended.push("the rest after its restore is over".to_owned());
        }
        if let Some(hold) = self.hold.as_deref().filter(|hold| own && hold.failures > 0) {
            ended.push(format!(
                "the hold of {} is given up, as released by you",
                hold.rotation
            ));
        }
        ended
    }

    /// A pause ended, its own or one of all, if there was one since `from`; the clock counts
    /// as right from here on.
    pub fn resume(&mut self, from: Option<Timestamp>, at: Timestamp) {
        self.last_intent = None;
        if self.restore.is_some_and(|sent| sent.wall > at) {
            self.restore = None;
        }
        self.unknown_restore = None;
        if let Some(from) = from {
            self.last_pause = Some(Box::new(Pause { from, until: at }));
        }
    }

    /// Whether its policy went and nothing is left to be said of it: one that returned only
    /// to be blocked has an alert that must go with it.
    pub fn left(&self) -> bool {
        self.removed && self.alerts.is_empty() && self.blocked.is_none()
    }

    /// Whether that is so, and nothing is left to be done either: one that is still held
    /// waits for its policy.
    pub fn gone(&self) -> bool {
        self.left() && self.hold.is_none()
    }
}
