//! What can happen on a server, and when it did: the words of the trail.
//!
//! Times carry the process's monotonic clock where this process lived through them, so
//! that a wall clock that jumps can't end a wait early; facts read from an earlier
//! process's trail have the wall clock only.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::rotation_terms::RotationTerms;
use super::server_identity::ServerIdentity;
use super::snapshot::{ServerId, SnapshotId};

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock.
    pub wall: Timestamp,
    /// Time since the process began, unmoved by clock steps.
    pub mono: SignedDuration,
}

/// When a fact happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAt {
    /// The wall clock then.
    pub wall: Timestamp,
    /// The monotonic clock then; `None` when an earlier process recorded it.
    #[serde(skip)]
    pub mono: Option<SignedDuration>,
}

impl From<ClockReading> for RecordedAt {
    fn from(now: ClockReading) -> Self {
        Self {
            wall: now.wall,
            mono: Some(now.mono),
        }
    }
}

impl RecordedAt {
    /// How long ago this was, for sure; never negative. A record of an earlier process is as
    /// old as this process: a wall clock that is ahead, or was behind when the record was
    /// written, must not end a wait early.
    pub fn elapsed(self, now: ClockReading) -> SignedDuration {
        self.elapsed_with(SignedDuration::ZERO, now)
    }

    /// The same of an instant that was set so much later than its record: when the call of an
    /// intent is over at the latest.
    pub(super) fn elapsed_with(self, grace: SignedDuration, now: ClockReading) -> SignedDuration {
        let passed = match self.mono {
            Some(mono) => now.mono - mono,
            None => now.mono - grace,
        };
        passed.max(SignedDuration::ZERO)
    }

    /// How old the record is by the wall clock, over restarts: what takes days, or is looked at
    /// by one short process after the other, can't begin anew with each.
    pub(super) fn age(self, now: ClockReading) -> SignedDuration {
        let passed = match self.mono {
            Some(mono) => now.mono - mono,
            None => now.wall.duration_since(self.wall),
        };
        passed.max(SignedDuration::ZERO)
    }
}

/// What became of a mutation, as far as its answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider said that it was done.
    Done,
    /// It was refused, or found not done; it counts as an attempt.
    Failed,
    /// The provider knows no such server (404 on a create), or no such power call (404 or 405);
    /// it counts as an attempt.
    NoServer,
    /// It was refused for now (busy, throttled, unreachable); only `once` counts it.
    Later,
    /// No answer, or none that can be relied on.
    Unknown,
}

/// Which of a rotation's hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookKind {
    /// Run before the snapshot: it holds the server.
    Before,
    /// Run when the snapshot is over: it releases the server.
    After,
}

/// How a hook ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookOutcome {
    /// It did well, or there was none to run.
    Done,
    /// It failed, or was not done in time.
    Failed,
    /// It could not be begun at all.
    NotStarted,
}

/// How a slot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotOutcome {
    /// Its snapshot was completed.
    Completed,
    /// Given up after attempts.
    GivenUp,
    /// Passed unrun.
    Skipped,
    /// Passed unrun while the server was paused, which nobody needs to be told.
    Paused,
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A slot was given up or skipped; about the rotation. Stands until a later slot is settled.
    SlotFailed,
    /// Slot after slot ended without a snapshot; about the rotation. Stands until a later one
    /// is settled.
    Overdue,
    /// A slot is tried for a while already in ways that don't count; about the rotation.
    SlotWaiting,
    /// Nothing may be done on the server; about the server.
    Blocked,
    /// A snapshot has been in progress for too long; about its name.
    Stuck,
    /// A snapshot has a status word that is not documented; about its name.
    UnknownStatus,
    /// The provider holds two snapshots of one slot (I9); about the name.
    Copies,
    /// A snapshot that was completed is listed as failed (I19); about its name.
    Regressed,
    /// More is to be deleted than new snapshots have replaced (I19); about the rotation.
    Shrink,
    /// Nobody knows whether a restore took effect; about the snapshot's id. Stands until the
    /// next restore, or until `resume`.
    RestoreUnknown,
    /// A completed snapshot has no date that can be relied on, so it is kept (I11); about its
    /// name. About a rotation where its dates and the slots in its names disagree (I19).
    OddDate,
    /// A hook failed, or the server was released before its snapshot was over; about the
    /// rotation. Stands until the rotation's hooks went well once.
    HookFailed,
    /// A server that a rotation stopped isn't seen active again for `max_stopped`; about the
    /// rotation.
    ServerStopped,
}

impl AlertKind {
    /// All there are.
    pub const ALL: [Self; 13] = [
        Self::SlotFailed,
        Self::Overdue,
        Self::SlotWaiting,
        Self::Blocked,
        Self::Stuck,
        Self::UnknownStatus,
        Self::Copies,
        Self::Regressed,
        Self::Shrink,
        Self::RestoreUnknown,
        Self::OddDate,
        Self::HookFailed,
        Self::ServerStopped,
    ];

    /// The word that the trail, logs and other programs use.
    pub fn word(self) -> &'static str {
        match self {
            Self::SlotFailed => "slot_failed",
            Self::Overdue => "overdue",
            Self::SlotWaiting => "slot_waiting",
            Self::Blocked => "blocked",
            Self::Stuck => "stuck",
            Self::UnknownStatus => "unknown_status",
            Self::Copies => "copies",
            Self::Regressed => "regressed",
            Self::Shrink => "shrink",
            Self::RestoreUnknown => "restore_unknown",
            Self::OddDate => "odd_date",
            Self::HookFailed => "hook_failed",
            Self::ServerStopped => "server_stopped",
        }
    }
}

/// A reason for which the provider doesn't take a create for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransientRefusal {
    /// It came too fast: the next one waits for nothing but the rate.
    Rate,
    /// The account's token is refused, of which an alert of its own tells.
    Token,
}

/// An alert that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedAlert {
    /// Why, as it was said last.
    pub reason: String,
    /// Since when; `None` where an older trail doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl RaisedAlert {
    /// What stands once it was raised for this reason; one that stood already does so since
    /// it was raised first.
    pub fn raised(reason: &str, at: Timestamp, before: Option<&Self>) -> Self {
        Self {
            reason: reason.to_owned(),
            since: before.map_or(Some(at), |standing| standing.since),
        }
    }
}

/// One thing that happened on a server, as the trail records it: the variants are its
/// events, the fields bear its names. `snapshot` is a snapshot's name, `id` its id.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ServerEvent {
    /// A rotation of the server comes under care: what passed before is not ours to judge.
    /// Without `terms` it was under care already, by a clock that was ahead.
    RotationAdded {
        rotation: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<RotationTerms>,
        /// Ids that its first look finds beyond `keep`: they go after a grace (I19).
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        shrinks: BTreeSet<SnapshotId>,
    },
    /// A rotation's terms changed. With another schedule, zone or pattern its slots are
    /// counted from here on.
    RotationChanged {
        rotation: String,
        terms: RotationTerms,
        /// Ids that they delete and nothing new has replaced: they go after a grace (I19).
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        shrinks: BTreeSet<SnapshotId>,
    },
    /// A rotation left the policy; its snapshots are foreign from now on.
    RotationRemoved { rotation: String },
    /// The policy went; what is open on the server stays unknown.
    ServerRemoved,
    /// The provider gives the server another id or a second name beside the policy's.
    ServerIdentified(ServerIdentity),
    /// The policy names the server by its other id from now on: what the trail tells of `from`
    /// is told of this one.
    ServerIdChanged { from: ServerId },
    /// A slot became due; work on it begins.
    SlotDue {
        rotation: String,
        slot: Timestamp,
        snapshot: String,
    },
    /// A slot's snapshot is completed.
    SlotSettled {
        rotation: String,
        slot: Timestamp,
        snapshot: String,
        reason: String,
    },
    /// A slot passed unrun, and `missed` others before it; `paused` when nobody needs to be told.
    SlotSkipped {
        rotation: String,
        slot: Timestamp,
        snapshot: String,
        missed: u32,
        paused: bool,
        reason: String,
    },
    /// A slot is not tried again.
    SlotGivenUp {
        rotation: String,
        slot: Timestamp,
        snapshot: String,
        reason: String,
    },
    /// A create is about to be sent; `known` is every id that was listed, so what is made has
    /// another. An operator's has no rotation, and `by` says who gave the order.
    CreateIntent {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        rotation: String,
        snapshot: String,
        known: BTreeSet<SnapshotId>,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// What is to be restored when this one is there, and not to be pruned before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spare: Option<SnapshotId>,
    },
    /// The outcome of a create. After `Unknown` a later result may follow; then `id` is one that an
    /// answer named which can't be relied on.
    CreateResult {
        snapshot: String,
        outcome: Outcome,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<SnapshotId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_name: Option<String>,
        /// No answer told: it was looked for in listings, in vain.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        looked_for: bool,
        /// The reason for which it wasn't taken for now, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hindrance: Option<TransientRefusal>,
        /// The provider's own words, where it refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// A delete is about to be sent; `prune_first` holds every id then listed, when it makes room for a create.
    /// `by` says whose order it was; `None`: the rotation's own decision. A foreign one, which
    /// only an order deletes, has no rotation.
    DeleteIntent {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        rotation: String,
        snapshot: String,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prune_first: Option<BTreeSet<SnapshotId>>,
        /// The newer snapshot of the rotation that pays for it (I19).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paid_by: Option<SnapshotId>,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// What became of it.
    DeleteResult { id: SnapshotId, outcome: Outcome },
    /// A listing no longer shows what was deleted.
    DeleteConfirmed { id: SnapshotId },
    /// An own snapshot was seen completed. `pays`: the rotation made it, and one that is
    /// beyond `keep` may go for it (I19). Records of earlier versions don't say.
    SnapshotCompleted {
        snapshot: String,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pays: Option<bool>,
    },
    /// An own snapshot is there completed that the trail lacks: the rotation did not make it.
    /// Or one is there that is none of its own, and stays so whatever name it bears later (I19).
    SnapshotFound {
        snapshot: String,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        foreign: bool,
    },
    /// A snapshot that the policy protects by the other of its two ids: it stays protected where a
    /// listing gives one alone.
    SnapshotIdentified {
        snapshot: String,
        id: SnapshotId,
        other_id: SnapshotId,
    },
    /// An own snapshot that was completed is listed as failed (I19).
    SnapshotRegressed { snapshot: String, id: SnapshotId },
    /// A snapshot that the trail knows is listed under another name, which is a rotation's:
    /// nothing is changed on the server until `resume` (I19).
    SnapshotRenamed {
        snapshot: String,
        id: SnapshotId,
        reason: String,
    },
    /// The provider stores otherwise what a create asked for: nothing is changed on the server
    /// until `resume` (I19).
    CreateMismatch {
        snapshot: String,
        id: SnapshotId,
        reason: String,
    },
    /// More own snapshots are beyond `keep` than the rotation has replaced: they stay until an
    /// operator agrees by `resume` (I19). `shrinks`: those to which the announcement of others
    /// passes on that went for a due slot before.
    SurplusFound {
        rotation: String,
        snapshots: Vec<String>,
        ids: BTreeSet<SnapshotId>,
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        shrinks: BTreeSet<SnapshotId>,
    },
    /// An own snapshot was seen failed, or is missing from the listings.
    SnapshotFailed {
        snapshot: String,
        id: SnapshotId,
        reason: String,
    },
    /// An own snapshot has been in progress for too long.
    SnapshotStuck { snapshot: String, id: SnapshotId },
    /// An own completed snapshot is in the listings no more, and no delete of ours took it.
    SnapshotGone {
        snapshot: String,
        id: SnapshotId,
        reason: String,
    },
    /// Nothing may be done on the server.
    Blocked { reason: String },
    /// The server is no longer blocked.
    Recovered { reason: String },
    /// An alert stands from now on.
    AlertRaised {
        alert: AlertKind,
        about: String,
        reason: String,
    },
    /// An alert no longer stands.
    AlertCleared { alert: AlertKind, about: String },
    /// A hook is about to be run. From `before` on the server is held, and `after` is owed;
    /// `command` is empty where a rotation has no `before`.
    HookStarted {
        hook: HookKind,
        rotation: String,
        snapshot: String,
        command: Vec<String>,
    },
    /// A hook ended. `go_on`: its snapshot is made although it failed. `early`: the server
    /// was released before its snapshot was over. `later`: the create could not be sent, so
    /// the slot is tried again after a pause.
    HookFinished {
        hook: HookKind,
        rotation: String,
        snapshot: String,
        outcome: HookOutcome,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        go_on: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        early: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        later: bool,
        reason: String,
    },
    /// A server is about to be stopped for a snapshot. From here on its start is owed (I20).
    StopIntent {
        rotation: String,
        snapshot: String,
        reason: String,
    },
    /// The outcome of a stop.
    StopResult {
        snapshot: String,
        outcome: Outcome,
        /// The provider's own words, where it refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// The server was seen stopped.
    StopConfirmed { rotation: String, snapshot: String },
    /// A server isn't stopped for its snapshot, so none is made; `for_good`: no other try could
    /// end otherwise.
    StopWithheld {
        rotation: String,
        snapshot: String,
        reason: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_good: bool,
    },
    /// The start that is owed is about to be sent; `early`: its snapshot is not over yet.
    StartIntent {
        rotation: String,
        snapshot: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        early: bool,
        reason: String,
    },
    /// The outcome of a start.
    StartResult {
        snapshot: String,
        outcome: Outcome,
        /// The provider's own words, where it refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// The server was seen active, and no start is owed any more.
    StartConfirmed { rotation: String, snapshot: String },
    /// The server was paused, by whom.
    Paused {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The pause ended; the clock counts as right from here on.
    Resumed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A restore is about to be sent; it is always somebody's order.
    RestoreIntent {
        snapshot: String,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// What became of it.
    RestoreResult { id: SnapshotId, outcome: Outcome },
}

impl ServerEvent {
    /// Whether an auditor asks by whose policy: of what comes under care, and of every intent.
    pub fn is_by_policy(&self) -> bool {
        matches!(
            self,
            Self::RotationAdded { .. }
                | Self::RotationChanged { .. }
                | Self::CreateIntent { .. }
                | Self::DeleteIntent { .. }
                | Self::RestoreIntent { .. }
                | Self::StopIntent { .. }
                | Self::StartIntent { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_policy_it_was_is_told_of_intents_and_of_what_comes_under_care_alone() {
        let named = |json: &str| {
            let fact: ServerEvent = serde_json::from_str(json).expect("a fact");
            fact.is_by_policy()
        };
        for fact in [
            r#"{"event":"rotation_added","rotation":"weekly"}"#,
            r#"{"event":"create_intent","snapshot":"w-1","known":[],"reason":""}"#,
            r#"{"event":"delete_intent","snapshot":"w-1","id":1,"reason":""}"#,
            r#"{"event":"restore_intent","snapshot":"w-1","id":1}"#,
        ] {
            assert!(named(fact), "{fact}");
        }
        assert!(!named(r#"{"event":"delete_confirmed","id":1}"#));
        assert!(!named(r#"{"event":"server_removed"}"#));
    }
}
