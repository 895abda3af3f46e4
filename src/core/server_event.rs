//! The events that can happen on a server, as the trail records them.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::expiring_snapshot::ExpiringSnapshot;
use super::order_terms::OrderTerms;
use super::ordered_protection::OrderedProtection;
use super::ownership::ContestedSnapshot;
use super::recorded_settings::RotationTerms;
use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::second_server_id::ServerIdentity;
use super::snapshot::{ServerId, SnapshotId};

pub use super::alert_kind::{AlertKind, KeyedAlert, RaisedAlert, ServiceAlertKind, alert_words};
pub use super::alert_text::AlertText;
pub use super::outcomes::{HookKind, HookOutcome, Outcome, SlotOutcome, TransientRefusal};
pub use super::wall_and_monotonic_time::{ClockReading, RecordedAt};

/// One event on a server, as the trail records it. Variants and fields have the trail's names;
/// `snapshot` is a snapshot's name, `id` its id.
#[expect(
    missing_docs,
    reason = "the fields have the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ServerEvent {
    /// A rotation of the server comes under care; earlier slots are not judged. Without `terms`, it
    /// was already under care, and the earlier record was written while the clock was ahead.
    RotationAdded {
        rotation: RotationName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<RotationTerms>,
        /// Ids that the first look finds beyond `keep`; they are deleted after a grace period
        /// (I19).
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        shrinks: BTreeSet<SnapshotId>,
    },
    /// A rotation's terms changed. After a change of schedule, zone or pattern its slots count from
    /// then on.
    RotationChanged {
        rotation: RotationName,
        terms: RotationTerms,
        /// The first slot that counts, if it became due before the change was noticed and has not
        /// been judged yet. Without it, slots count from the record's time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
        /// Ids that the new terms delete and no new snapshot has replaced; they are deleted after a
        /// grace period (I19).
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        shrinks: BTreeSet<SnapshotId>,
    },
    /// A rotation left the policy; its snapshots are foreign from now on.
    RotationRemoved { rotation: RotationName },
    /// The policy file was renamed. The file name identifies the server if its id changes.
    PolicyRenamed { former: String },
    /// The policy was removed; the outcomes of open calls on the server stay unknown.
    ServerRemoved,
    /// The provider gives the server another id, or a second name beside the policy's.
    ServerIdentified(ServerIdentity),
    /// The policy names the server by its other id from now on. Records of `from` belong to this
    /// server. `assumed` is set if only the policy file shows that both are ids of one server.
    ServerIdChanged {
        from: ServerId,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        assumed: bool,
    },
    /// A slot became due, and work on it begins.
    SlotDue {
        rotation: RotationName,
        slot: Timestamp,
        snapshot: SnapshotName,
    },
    /// A slot's snapshot is completed.
    SlotSettled {
        rotation: RotationName,
        slot: Timestamp,
        snapshot: SnapshotName,
        reason: String,
    },
    /// A slot passed without being run, as did `missed` slots before it. `paused` is set if it
    /// raises no alert.
    SlotSkipped {
        rotation: RotationName,
        slot: Timestamp,
        snapshot: SnapshotName,
        missed: u32,
        paused: bool,
        reason: String,
    },
    /// An operator opened a slot again that ended without a snapshot. Its attempts begin anew.
    SlotReopened {
        rotation: RotationName,
        slot: Timestamp,
        snapshot: SnapshotName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A slot is given up.
    SlotGivenUp {
        rotation: RotationName,
        slot: Timestamp,
        snapshot: SnapshotName,
        reason: String,
    },
    /// A create is about to be sent. `known` has every listed id; the new snapshot has a different
    /// one. An operator's create has no rotation, and `by` names the operator.
    CreateIntent {
        #[serde(default, skip_serializing_if = "RotationName::is_empty")]
        rotation: RotationName,
        snapshot: SnapshotName,
        known: BTreeSet<SnapshotId>,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The snapshot to restore after this create; it is not pruned before that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spare: Option<SnapshotId>,
        /// When the snapshot of an operator's create expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// The outcome of a create. After `Unknown`, another result may follow; `id` is then an id from
    /// the answer that can't be relied on.
    CreateResult {
        snapshot: SnapshotName,
        outcome: Outcome,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<SnapshotId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_name: Option<String>,
        /// True if the result follows from listings, since no reliable answer came.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        looked_for: bool,
        /// The reason for a temporary refusal, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hindrance: Option<TransientRefusal>,
        /// The provider's own words for a refusal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// A delete is about to be sent.
    ///
    /// `prune_first` has every listed id if the delete makes room for a create. `by` names the
    /// operator who ordered it; `None` if the rotation decided it. A foreign snapshot, which only
    /// an order deletes, has no rotation.
    DeleteIntent {
        #[serde(default, skip_serializing_if = "RotationName::is_empty")]
        rotation: RotationName,
        snapshot: SnapshotName,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prune_first: Option<BTreeSet<SnapshotId>>,
        /// The rotation's newer snapshot that pays for it (I19).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paid_by: Option<SnapshotId>,
        /// True for a manual snapshot whose expiry has passed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        expired: bool,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The outcome of a delete.
    DeleteResult { id: SnapshotId, outcome: Outcome },
    /// A listing no longer shows the deleted snapshot.
    DeleteConfirmed { id: SnapshotId },
    /// An own or ordered snapshot was seen completed. `pays` is true if the rotation made it, and it
    /// keeps a promise or may pay for one beyond `keep` (I19). Earlier versions didn't write it.
    SnapshotCompleted {
        snapshot: SnapshotName,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pays: Option<bool>,
    },
    /// A listing shows a completed own snapshot that the trail does not expect: the rotation did
    /// not make it, or it had regressed or vanished. With `foreign`, the snapshot is not own, and
    /// it stays foreign under any later name (I19).
    SnapshotFound {
        snapshot: SnapshotName,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        foreign: bool,
        /// The other id of a foreign snapshot. A later listing may show only that id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other_id: Option<SnapshotId>,
    },
    /// The policy protects a snapshot by the other of its two ids. The snapshot stays protected if
    /// a listing shows only one of them.
    SnapshotIdentified {
        snapshot: SnapshotName,
        id: SnapshotId,
        other_id: SnapshotId,
    },
    /// A manual snapshot that was ordered with an expiry is completed.
    SnapshotExpires(ExpiringSnapshot),
    /// An operator protected a snapshot (I1).
    SnapshotProtected(OrderedProtection),
    /// An operator ended the protection of a snapshot by order.
    SnapshotUnprotected(OrderedProtection),
    /// An own snapshot that was completed is listed as failed, or has had another status for too
    /// long (I19).
    SnapshotRegressed {
        snapshot: SnapshotName,
        id: SnapshotId,
    },
    /// A known snapshot is listed under another name, and one of the two names is own. Nothing is
    /// changed until `resume` (I19). `foreign` is set if it had a foreign name before; it then
    /// stays foreign under any name.
    SnapshotRenamed {
        snapshot: SnapshotName,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        foreign: bool,
        reason: String,
    },
    /// The provider stores something other than what a create asked for. Nothing is changed on the
    /// server until `resume` (I19).
    CreateMismatch {
        snapshot: SnapshotName,
        id: SnapshotId,
        reason: String,
    },
    /// More own snapshots are beyond `keep` than the rotation has replaced. They stay until an
    /// operator agrees to their deletion by `resume` (I19). `shrinks` has those that are announced
    /// in place of others that were deleted for a due slot.
    SurplusFound {
        rotation: RotationName,
        snapshots: Vec<String>,
        ids: BTreeSet<SnapshotId>,
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        shrinks: BTreeSet<SnapshotId>,
    },
    /// An own or ordered snapshot was seen failed, or is missing from the listings.
    SnapshotFailed {
        snapshot: SnapshotName,
        id: SnapshotId,
        reason: String,
    },
    /// An own snapshot, or one that an operator ordered, has been in progress for too long.
    SnapshotStuck {
        snapshot: SnapshotName,
        id: SnapshotId,
    },
    /// An own completed snapshot is no longer listed, and no delete of it is open.
    SnapshotGone {
        snapshot: SnapshotName,
        id: SnapshotId,
        reason: String,
    },
    /// Nothing may be changed on the server. `contested` is a snapshot of it that another server's
    /// listing shows too.
    Blocked {
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contested: Option<ContestedSnapshot>,
    },
    /// The server is no longer blocked.
    Recovered { reason: String },
    /// An alert is active from now on.
    AlertRaised {
        alert: AlertKind,
        about: String,
        #[serde(flatten)]
        text: AlertText,
    },
    /// An alert is no longer active.
    AlertCleared { alert: AlertKind, about: String },
    /// An operator acknowledged an active alert. Receivers get no repeats of it as long as it is
    /// active, or until the given time.
    AlertAcknowledged {
        alert: AlertKind,
        about: String,
        #[serde(flatten)]
        terms: OrderTerms,
    },
    /// A hook is about to be run. From the start of `before`, the server is held and `after` is
    /// owed. `command` is empty if the rotation has no `before`.
    HookStarted {
        hook: HookKind,
        rotation: RotationName,
        snapshot: SnapshotName,
        command: Vec<String>,
    },
    /// A hook ended. `go_on`: the snapshot is made although the hook failed. `early`: the server
    /// was released before its snapshot had ended. `later`: the create could not be sent, so the
    /// slot is tried again after a pause.
    HookFinished {
        hook: HookKind,
        rotation: RotationName,
        snapshot: SnapshotName,
        outcome: HookOutcome,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        go_on: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        early: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        later: bool,
        reason: String,
    },
    /// A server is about to be stopped for a snapshot. Its start is owed from here on (I20).
    StopIntent {
        rotation: RotationName,
        snapshot: SnapshotName,
        reason: String,
        /// The longest downtime that the policy allowed at that time. A later edit doesn't shorten
        /// the watch for the stop's effect. Trails of earlier versions lack it.
        #[serde(
            default,
            serialize_with = "jiff::fmt::serde::duration::friendly::compact::optional",
            skip_serializing_if = "Option::is_none"
        )]
        max_stopped: Option<SignedDuration>,
    },
    /// The outcome of a stop.
    StopResult {
        snapshot: SnapshotName,
        outcome: Outcome,
        /// The provider's own words for a refusal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// The server was seen stopped.
    StopConfirmed {
        rotation: RotationName,
        snapshot: String,
    },
    /// A server is not stopped for its snapshot, so none is made. `for_good` is set if no later try
    /// could end differently.
    StopWithheld {
        rotation: RotationName,
        snapshot: SnapshotName,
        reason: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_good: bool,
    },
    /// The owed start is about to be sent. `early` is set if the snapshot has not ended yet.
    StartIntent {
        rotation: RotationName,
        snapshot: SnapshotName,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        early: bool,
        reason: String,
    },
    /// The outcome of a start.
    StartResult {
        snapshot: SnapshotName,
        outcome: Outcome,
        /// The provider's own words for a refusal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// The server was seen active while its snapshot was made, although the rotation had stopped it
    /// and had sent no start.
    ServerRan {
        rotation: RotationName,
        snapshot: SnapshotName,
        reason: String,
    },
    /// The server was seen active, and no start is owed any more.
    StartConfirmed {
        rotation: RotationName,
        snapshot: String,
    },
    /// An operator paused the server, or changed the end or the note of its pause.
    Paused(OrderTerms),
    /// The pause ended by itself, at the time that its operator had given.
    PauseEnded { until: Timestamp },
    /// An operator resumed the server; from now on the clock is considered correct. `ended`
    /// describes what the resume ended besides a pause. `ended_restore` is set if it ended the wait
    /// after a restore. `gave_up` lists the snapshots that only another server's listing shows, and
    /// that may belong to that server from now on. With either of these, the resume agreed to no
    /// delete.
    Resumed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ended_restore: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gave_up: Vec<SnapshotId>,
    },
    /// A restore is about to be sent; only an operator can order one.
    RestoreIntent {
        snapshot: SnapshotName,
        id: SnapshotId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The outcome of a restore.
    RestoreResult { id: SnapshotId, outcome: Outcome },
}

#[cfg(test)]
#[path = "server_event_tests.rs"]
mod tests;
