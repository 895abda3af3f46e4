//! The state of the service as a value: the JSON of `status --json` and of the control socket.
//!
//! Times are RFC 3339 in UTC. A `null` field is unknown or doesn't apply.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::health::Health;
use crate::core::order_terms::OrderTerms;
use crate::core::pause::Pause;
use crate::core::plan::NextChanges;
use crate::core::recent_slots::RecentSlot;
use crate::core::retention_verdict::RetentionVerdict;
use crate::core::rotation_and_snapshot_name::{RotationName, SnapshotName};
use crate::core::snapshot::{ServerId, SnapshotId};
use crate::notify::ReceiverView;

/// The whole service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FleetView {
    /// The service's version.
    pub version: String,
    /// The id of the service's process.
    pub pid: u32,
    /// The main configuration file.
    pub config: String,
    /// The time when the service started.
    pub started: Timestamp,
    /// The time when the service last began to read the files in force.
    #[serde(default)]
    pub read: Option<Timestamp>,
    /// The time of this view.
    pub time: Timestamp,
    /// True if no alert is active and the health of every server is `ok`.
    pub healthy: bool,
    /// The time since which all servers have been paused together.
    #[serde(default)]
    pub paused: Option<Timestamp>,
    /// The pause of all servers, with its end, its operator and the note.
    #[serde(default)]
    pub pause: Option<PauseView>,
    /// All active alerts, those of the whole service first.
    pub alerts: Vec<AlertView>,
    /// Every server with a policy, by id.
    pub servers: Vec<ServerView>,
    /// The receivers of alerts, and the state of their deliveries.
    #[serde(default)]
    pub receivers: Vec<ReceiverView>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PauseView {
    /// Its start.
    pub since: Timestamp,
    /// When it ends by itself; `null` if only `resume` ends it.
    pub until: Option<Timestamp>,
    /// The user who ordered it.
    pub by: Option<String>,
    /// The note of the order.
    pub note: Option<String>,
}

impl PauseView {
    pub(super) fn new(pause: &Pause) -> Self {
        let Pause {
            since,
            until,
            by,
            note,
        } = pause.clone();
        Self {
            since,
            until,
            by,
            note,
        }
    }
}

/// An active alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AlertView {
    /// The kind, as the trail names it.
    pub alert: String,
    /// The server that it concerns, if it concerns one.
    pub server: Option<ServerId>,
    /// The rotation, snapshot name or account that it is about.
    pub about: String,
    /// Why it is active, and what to do: the parts below in one sentence.
    pub reason: String,
    /// The event: a part of the reason.
    #[serde(default)]
    pub what: String,
    /// Why, in the words of the provider or the system.
    #[serde(default)]
    pub cause: Option<String>,
    /// The harm: for a server, the age of its newest copy.
    #[serde(default)]
    pub harm: Option<String>,
    /// The action to take, or the place to look.
    #[serde(default)]
    pub remedy: Option<String>,
    /// The command in the remedy, if it has one.
    #[serde(default)]
    pub command: Option<String>,
    /// The time when it was raised; `null` if an older trail lacks it.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// The acknowledgement in force; receivers get no repeats meanwhile.
    #[serde(default)]
    pub acknowledged: Option<AcknowledgementView>,
}

/// The acknowledgement of an alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AcknowledgementView {
    /// The user who acknowledged it.
    pub by: Option<String>,
    /// When the acknowledgement ends; `null` if it ends with the alert.
    pub until: Option<Timestamp>,
    /// The note of the order.
    pub note: Option<String>,
}

impl AcknowledgementView {
    pub(super) fn new(terms: &OrderTerms) -> Self {
        let OrderTerms { by, until, note } = terms.clone();
        Self { by, until, note }
    }
}

/// A server's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// No rule allows a change.
    Blocked,
    /// The server is left alone after a restore.
    Restoring,
    /// Hooks hold the server, or it is stopped for a snapshot.
    Holding,
    /// A snapshot is being made.
    Creating,
    /// A snapshot is being deleted.
    Deleting,
    /// A slot is due and not settled, or the first listing is due: waiting for an answer, for the
    /// next attempt, or for a place in flight.
    Waiting,
    /// Nothing changes until the pause ends.
    Paused,
    /// Nothing is due before the next slot.
    Idle,
}

impl Activity {
    /// All values.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::Restoring,
        Self::Holding,
        Self::Creating,
        Self::Deleting,
        Self::Waiting,
        Self::Paused,
        Self::Idle,
    ];

    /// Returns the word in JSON, metrics and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Restoring => "restoring",
            Self::Holding => "holding",
            Self::Creating => "creating",
            Self::Deleting => "deleting",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Idle => "idle",
        }
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServerView {
    /// The provider's id.
    pub id: ServerId,
    /// The policy's name for the server, else the stem of the policy's file.
    pub name: String,
    /// The stem of the policy's file.
    pub file: String,
    /// The health: whether there is a fresh copy to go back to.
    pub health: Health,
    /// The number of the server's active alerts.
    #[serde(default)]
    pub alerts: usize,
    /// The time when the newest copy was made: the newest completed snapshot with a reliable date,
    /// own or foreign.
    pub newest_copy: Option<Timestamp>,
    /// The time from which that copy is too old.
    pub fresh_until: Option<Timestamp>,
    /// The activity.
    pub activity: Activity,
    /// The time since which the activity has lasted, if it is known.
    pub activity_since: Option<Timestamp>,
    /// The time at which the activity ends at the latest; for `idle`, the next slot.
    pub activity_until: Option<Timestamp>,
    /// The reason for the activity, if it needs one.
    pub reason: Option<String>,
    /// The pause in force, the server's own or that of all servers.
    #[serde(default)]
    pub pause: Option<PauseView>,
    /// Snapshots that the server may hold.
    pub limit: usize,
    /// The time of the last accepted listing.
    pub listed: Option<Timestamp>,
    /// Why the server can't be listed now, or for how long the provider hasn't answered; `null` if
    /// all is well.
    #[serde(default)]
    pub unlisted: Option<String>,
    /// The snapshots in that listing.
    pub snapshots: Vec<SnapshotView>,
    /// The rotations, in the order of the file.
    pub rotations: Vec<RotationView>,
    /// The next creates, deletes, stops and starts; only set when one server is requested.
    #[serde(default)]
    pub upcoming: Option<NextChanges>,
}

impl ServerView {
    /// Returns when the newest and the oldest completed snapshot were made, own or foreign.
    pub(super) fn restore_range(&self) -> Option<(Timestamp, Timestamp)> {
        let completed = self.snapshots.iter().filter(|s| s.status == "completed");
        let made: Vec<_> = completed.filter_map(SnapshotView::made).collect();
        Some((*made.iter().max()?, *made.iter().min()?))
    }

    /// Returns the next slot of all rotations.
    pub(super) fn next_slot(&self) -> Option<&NextSlot> {
        let next = self.rotations.iter().filter_map(|r| r.next.as_ref());
        next.min_by_key(|next| next.at)
    }

    /// Returns when the slot's completed snapshot was made, if a listing showed it.
    pub(super) fn made(&self, slot: &LastSlot) -> Option<Timestamp> {
        let mut all = self.snapshots.iter();
        let own = all.find(|s| s.name == slot.snapshot && s.status == "completed")?;
        own.made()
    }
}

/// A snapshot, with the policy's verdict on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SnapshotView {
    /// The provider's id.
    pub id: SnapshotId,
    /// The snapshot's name at the provider.
    pub name: String,
    /// The provider's status word.
    pub status: String,
    /// The time of creation that the provider gives.
    pub created_at: Option<Timestamp>,
    /// The rotation that owns it; `null` if it is foreign.
    pub rotation: Option<RotationName>,
    /// The verdict, in the words of `plan --json`.
    #[cfg_attr(
        test,
        schemars(with = "crate::core::retention_verdict::RetentionVerdict")
    )]
    pub verdict: String,
    /// The reason for the verdict.
    pub reason: String,
    /// True if the policy or an order protects it.
    #[serde(default)]
    pub protected: bool,
    /// When it expires and is deleted; only of a manual snapshot that was ordered with an expiry.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl SnapshotView {
    /// Returns when it was made, if that date is reliable.
    pub(super) fn made(&self) -> Option<Timestamp> {
        self.created_at.filter(|_| !self.is_misdated())
    }

    /// Returns true if its date is unreliable; `keep` doesn't count it then.
    pub(super) fn is_misdated(&self) -> bool {
        self.verdict == RetentionVerdict::OddDate.word()
    }

    /// Returns the kind of snapshot that takes up the place: `own` (completed), `foreign`,
    /// `in_progress`, `failed`, or `odd` for an own one with another status or an unreliable date.
    pub(super) fn kind(&self) -> &'static str {
        match (&self.rotation, self.status.as_str()) {
            (None, _) => "foreign",
            _ if self.is_misdated() => "odd",
            (_, "completed") => "own",
            (_, "in_progress") => "in_progress",
            (_, "failed") => "failed",
            _ => "odd",
        }
    }
}

/// A rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RotationView {
    /// The name.
    pub name: String,
    /// Completed snapshots to keep.
    pub keep: usize,
    /// Completed own snapshots with a reliable date; `null` before the first listing.
    pub held: Option<usize>,
    /// The time when the newest of them was made; before the first listing, its slot.
    pub completed: Option<Timestamp>,
    /// The newest slot that is due, or the newest in the trail.
    pub last: Option<LastSlot>,
    /// The next slot.
    pub next: Option<NextSlot>,
    /// The last slots and their outcomes, oldest first.
    #[serde(default)]
    pub recent: Vec<RecentSlot>,
}

/// A slot that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastSlot {
    /// The name of its snapshot.
    pub snapshot: SnapshotName,
    /// The scheduled instant.
    pub slot: Timestamp,
    /// How it ended: `completed`, `given_up`, `skipped`, `paused`; `null` until then.
    #[cfg_attr(test, schemars(extend("enum" = ["completed", "given_up", "skipped", "paused", null])))]
    pub ending: Option<String>,
}

/// A future slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NextSlot {
    /// The name of its snapshot.
    pub snapshot: SnapshotName,
    /// The time when it is due, with the splay.
    pub at: Timestamp,
}

#[cfg(test)]
impl FleetView {
    /// Returns the view of a service without servers.
    pub(super) fn of_nothing() -> Self {
        let time = "2026-11-25T06:00:00Z".parse().expect("a time");
        Self {
            version: "1".to_owned(),
            pid: 1,
            config: "x.toml".to_owned(),
            started: time,
            read: None,
            time,
            healthy: true,
            paused: None,
            pause: None,
            alerts: Vec::new(),
            servers: Vec::new(),
            receivers: Vec::new(),
        }
    }
}
