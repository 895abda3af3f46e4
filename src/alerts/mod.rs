//! Who is to be told what of the alerts: pure, but for the queue that the news come by.
//!
//! - `receiver_state`: the one state machine: what a receiver knows of each alert, and what it must
//!   hear next.
//! - `message`: what is said, as JSON for programs and as text for people.
//! - `queue`: the bounded queue between the engine, which never waits for it, and those who tell.
//!
//! Whether an alert stands is decided in `core`, and recorded in the trail; here is only
//! whether that was told.

mod message;
mod queue;
mod receiver_state;

pub use message::{AlertChange, Message, encoded_word};
pub use queue::NewsQueue;
pub use receiver_state::{GIVE_UP, Notice, PACE, ReceiverState};

use crate::core::snapshot::ServerId;
use jiff::Timestamp;

/// The kinds of alert, by the words that trail and configuration use.
pub const KINDS: [&str; 21] = [
    "slot_failed",
    "overdue",
    "slot_waiting",
    "blocked",
    "stuck",
    "unknown_status",
    "copies",
    "regressed",
    "shrink",
    "restore_unknown",
    "odd_date",
    "account_refused",
    "api_unreachable",
    "trail_unwritable",
    "trail_lost",
    "trail_begins",
    "config_refused",
    "provider_changed",
    "hook_failed",
    "server_stopped",
    "witness_failed",
];

/// A server as receivers know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerLabel {
    /// The provider's id of it.
    pub id: ServerId,
    /// What it is called: by the policy, else by the policy's file.
    pub name: String,
    /// The policy file's stem.
    pub policy: String,
}

/// What an alert is one of: its kind, the server's id, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    /// The kind's word.
    pub kind: String,
    /// The server; `None` where it concerns the whole account, or the service itself.
    pub server: Option<ServerId>,
    /// A rotation, a snapshot's name, the account…
    pub about: String,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The kind's word.
    pub kind: String,
    /// The server, if it concerns one.
    pub server: Option<ServerLabel>,
    /// A rotation, a snapshot's name, the account…
    pub about: String,
    /// Why it stands, and what to do.
    pub reason: String,
    /// Since when it stands.
    pub since: Timestamp,
}

impl Alert {
    /// What it is known by.
    pub fn key(&self) -> AlertKey {
        AlertKey {
            kind: self.kind.clone(),
            server: self.server.as_ref().map(|place| place.id.clone()),
            about: self.about.clone(),
        }
    }
}

/// What became of a slot, for those who are pinged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotChange {
    /// Work on it begins.
    Started,
    /// Its snapshot is completed.
    Completed,
    /// It was given up, or passed unrun.
    Failed,
}

/// A slot's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotNews {
    /// Its server.
    pub server: ServerLabel,
    /// Its rotation.
    pub rotation: String,
    /// Its snapshot's name.
    pub snapshot: String,
    /// What became of it.
    pub turn: SlotChange,
    /// Why, where there is more to say.
    pub reason: String,
}

/// A signed checkpoint of the trail, which a receiver is to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The record that it names.
    pub record: u64,
    /// Which trail it is of.
    pub origin: String,
    /// The signed note itself, lines that end in newlines.
    pub note: String,
}

/// What the engine and the daemon let be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An alert stands from now on, or for another reason than before.
    Raised(Alert),
    /// An alert no longer stands.
    Cleared(AlertKey),
    /// An alert no longer stands: its server's policy went, whatever became of its cause.
    Unwatched(AlertKey),
    /// A slot began or ended.
    Slot(SlotNews),
    /// A checkpoint of the trail, for those who are its witness.
    Witness(SignedCheckpoint),
}
