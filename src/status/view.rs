//! How things stand, as a value: what `status --json` and the control socket say.
//!
//! Times are RFC 3339 in UTC. A field that is `null` is not known, or there is none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::plan::NextChanges;
use crate::core::retention_verdict::RetentionVerdict;
use crate::core::snapshot::{ServerId, SnapshotId};
use crate::notify::ReceiverView;

/// The whole service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetView {
    /// The service's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Its main configuration file.
    pub config: String,
    /// Since when it runs.
    pub started: Timestamp,
    /// When it last began to read the files that are in force.
    #[serde(default)]
    pub read: Option<Timestamp>,
    /// When this was said.
    pub time: Timestamp,
    /// Whether no alert stands.
    pub healthy: bool,
    /// Since when every server is paused at once.
    #[serde(default)]
    pub paused: Option<Timestamp>,
    /// Every alert that stands, the whole service's first.
    pub alerts: Vec<AlertView>,
    /// Every server with a policy, by id.
    pub servers: Vec<ServerView>,
    /// Who is told of alerts, and how that goes.
    #[serde(default)]
    pub receivers: Vec<ReceiverView>,
}

/// An alert that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertView {
    /// Its kind, by the trail's word.
    pub alert: String,
    /// The server that it concerns, if it is one.
    pub server: Option<ServerId>,
    /// What it is about: a rotation, a snapshot's name, the account.
    pub about: String,
    /// Why it stands, and what to do.
    pub reason: String,
    /// Since when; `null` where an older trail doesn't say.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// What a server is at, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing is due.
    Resting,
    /// A mutation is open, or a snapshot is being made.
    Working,
    /// A slot is due and not settled: it waits for its turn, its next attempt, or the provider.
    Due,
    /// Nothing may be done.
    Blocked,
    /// Nothing is done until `resume`.
    Paused,
    /// Not listed yet by this process.
    Unseen,
}

impl Activity {
    /// Its word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Working => "working",
            Self::Due => "due",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Unseen => "unseen",
        }
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// The provider's id of it.
    pub id: ServerId,
    /// What it is called: by the policy, else by the policy's file.
    pub name: String,
    /// The policy file's stem.
    pub file: String,
    /// What it is at.
    pub state: Activity,
    /// Why, where there is more to say.
    pub reason: Option<String>,
    /// Snapshots that it may hold.
    pub limit: usize,
    /// When its snapshots were listed last.
    pub listed: Option<Timestamp>,
    /// Why its snapshots can't be listed now, or what keeps the answer; `null` where all is well.
    #[serde(default)]
    pub unlisted: Option<String>,
    /// What it held then.
    pub snapshots: Vec<SnapshotView>,
    /// Its rotations, in the order of the file.
    pub rotations: Vec<RotationView>,
    /// What is created and deleted next; only of a server that is asked for by itself.
    #[serde(default)]
    pub upcoming: Option<NextChanges>,
}

impl ServerView {
    /// When the newest and the oldest completed snapshot were made, whosever they are: as far
    /// as one can go back.
    pub(super) fn back(&self) -> Option<(Timestamp, Timestamp)> {
        let completed = self.snapshots.iter().filter(|s| s.status == "completed");
        let made: Vec<_> = completed.filter_map(SnapshotView::made).collect();
        Some((*made.iter().max()?, *made.iter().min()?))
    }

    /// When the completed snapshot of this slot was made, as far as a listing showed it.
    pub(super) fn made(&self, slot: &LastSlot) -> Option<Timestamp> {
        let mut all = self.snapshots.iter();
        let own = all.find(|s| s.name == slot.snapshot && s.status == "completed")?;
        own.made()
    }
}

/// A snapshot, and what it is to the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// The provider's id of it.
    pub id: SnapshotId,
    /// Its name, as the provider gives it.
    pub name: String,
    /// The provider's status word.
    pub status: String,
    /// When it was made, by the provider.
    pub created_at: Option<Timestamp>,
    /// The rotation whose it is; `null`: foreign.
    pub rotation: Option<String>,
    /// What becomes of it, by the words of `plan --json`.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

impl SnapshotView {
    /// When it was made, where that can be relied on.
    pub(super) fn made(&self) -> Option<Timestamp> {
        self.created_at.filter(|_| !self.is_misdated())
    }

    /// Returns true if its date can't be relied on: it isn't counted in `keep`.
    pub(super) fn is_misdated(&self) -> bool {
        self.verdict == RetentionVerdict::OddDate.word()
    }

    /// What takes up the room: `own` (and completed), `foreign`, or of the own ones
    /// `in_progress`, `failed` and, with any other status or a date that can't be relied on, `odd`.
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
pub struct RotationView {
    /// Its name.
    pub name: String,
    /// How many it keeps.
    pub keep: usize,
    /// How many completed ones it holds.
    pub held: Option<usize>,
    /// When the newest completed one was made; before the first listing, for which slot.
    pub completed: Option<Timestamp>,
    /// The newest slot that is due, or that the trail knows.
    pub last: Option<LastSlot>,
    /// The next one.
    pub next: Option<NextSlot>,
}

/// A slot that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSlot {
    /// Its snapshot's name.
    pub snapshot: String,
    /// Its scheduled instant.
    pub slot: Timestamp,
    /// How it ended: `completed`, `given_up`, `skipped`, `paused`; `null` while it is worked on.
    pub ending: Option<String>,
}

/// A slot to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextSlot {
    /// Its snapshot's name.
    pub snapshot: String,
    /// When it is due, splay included.
    pub at: Timestamp,
}

#[cfg(test)]
impl FleetView {
    /// Of a service without servers.
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
            alerts: Vec::new(),
            servers: Vec::new(),
            receivers: Vec::new(),
        }
    }
}
