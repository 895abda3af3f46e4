//! The alerts that receivers are notified of: pure, except for the queue of news.
//!
//! - `receiver_state`: the state machine of one receiver's alerts, and the notices that are due.
//! - `message`: the messages, as JSON for programs and as text for people; `encoded_word`: their
//!   headers; `priority`: how urgent they are.
//! - `report_message`: the report on a period as a message; `report_text`, `report_html` and
//!   `report_csv`: its forms; `report_words`: the words that these share.
//! - `queue`: the bounded queue from the engine, which never waits for it, to the notifiers.
//!
//! `core` decides whether an alert is active, and the trail records it. `notify::pending` decides
//! which receivers want it. This folder composes the messages, and tracks which alerts were
//! delivered.

mod encoded_word;
mod message;
mod priority;
mod queue;
mod receiver_state;
mod report_csv;
mod report_html;
mod report_message;
mod report_text;
mod report_words;

pub use encoded_word::encoded_word;
pub use message::{AlertChange, Message};
pub use priority::Priority;
pub use queue::NewsQueue;
pub use receiver_state::{GIVE_UP, Notice, PACE, ReceiverState};
pub use report_csv::report_csv;
pub use report_message::ReportNews;
pub use report_text::report_text;

use std::sync::Arc;

use crate::core::alert_text::AlertText;
use crate::core::health::NewestCopy;
use crate::core::order_terms::OrderTerms;
use crate::core::rotation_and_snapshot_name::{RotationName, SnapshotName};
use crate::core::snapshot::ServerId;
use jiff::Timestamp;

/// Maximum number of characters of a title, and of the first line of a text.
const TITLE: usize = 60;
const FIRST_LINE: usize = 178;

/// A server as messages name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerLabel {
    /// The provider's id.
    pub id: ServerId,
    /// Name of the server from the policy, else the stem of the policy's file.
    pub name: String,
    /// Stem of the policy's file.
    pub policy: String,
}

/// Identity of an alert: its kind, its server, and its subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    /// The word that names the kind of alert.
    pub kind: String,
    /// The server; `None` for alerts of the account or the service.
    pub server: Option<ServerId>,
    /// The subject: a rotation, a snapshot's name, the account…
    pub about: String,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The word that names the kind of alert.
    pub kind: String,
    /// The server, if the alert concerns one.
    pub server: Option<ServerLabel>,
    /// The subject: a rotation, a snapshot's name, the account…
    pub about: String,
    /// Why it is active, and what to do.
    pub text: AlertText,
    /// The server's newest copy.
    pub copy: NewestCopy,
    /// When it became active.
    pub since: Timestamp,
    /// The operator who has acknowledged it, if one has.
    pub acknowledged: Option<Box<OrderTerms>>,
}

impl Alert {
    /// Returns the alert's identity.
    pub fn key(&self) -> AlertKey {
        AlertKey {
            kind: self.kind.clone(),
            server: self.server.as_ref().map(|place| place.id.clone()),
            about: self.about.clone(),
        }
    }
}

/// A change of a slot's state that receivers are pinged about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotChange {
    /// Work on it began.
    Started,
    /// Its snapshot is completed.
    Completed,
    /// It was given up or skipped.
    Failed,
}

/// A slot whose state changed, and the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotNews {
    /// Its server.
    pub server: ServerLabel,
    /// Its rotation.
    pub rotation: RotationName,
    /// Its snapshot's name.
    pub snapshot: SnapshotName,
    /// The change.
    pub turn: SlotChange,
    /// The reason; may be empty.
    pub reason: String,
}

/// A signed checkpoint of the trail, for receivers to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The record that it names.
    pub record: u64,
    /// Name of the trail.
    pub origin: String,
    /// The signed note, in lines that end in newlines.
    pub note: String,
}

/// News from the engine and the daemon to receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An alert was raised, or its text changed.
    Raised(Alert),
    /// An alert was cleared.
    Cleared(AlertKey),
    /// An alert ended because its server's policy was removed; its cause may persist.
    Unwatched(AlertKey),
    /// An operator acknowledged an alert.
    Acknowledged(AlertKey, Box<OrderTerms>),
    /// The newest copy of a server with an active alert changed.
    Copy(ServerId, NewestCopy),
    /// A slot began or ended.
    Slot(SlotNews),
    /// A checkpoint of the trail, for receivers with `witness`.
    Witness(SignedCheckpoint),
    /// A report for one receiver.
    Report(Arc<ReportNews>),
}
