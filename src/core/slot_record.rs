//! The record of one slot: its outcome and its attempts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rotation_and_snapshot_name::SnapshotName;
use super::server_event::{RecordedAt, SlotOutcome};

/// Number of slots recorded individually for each rotation. Older ones are kept only as ranges, and
/// the outcomes of a few for readers.
pub(super) const REMEMBERED: usize = 6;

/// The record of one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The name of its snapshot.
    pub name: SnapshotName,
    /// Its scheduled instant.
    pub at: Timestamp,
    /// How it ended; `None` while unsettled.
    pub ending: Option<SlotOutcome>,
    /// Number of attempts that count.
    pub attempts: u32,
    /// Number of all tries; determines the length of the pause.
    pub tries: u32,
    /// Time at which the last try ended.
    pub last_try: Option<RecordedAt>,
    /// Time of the first of its latest tries in a row that don't count, since each was refused for
    /// now or not delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Timestamp>,
    /// True if the last try exceeded the provider's rate limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    /// Number of tries by this process.
    #[serde(skip)]
    pub own_tries: u32,
    /// Number of creates sent for it, not counting those that were refused for now (I9).
    #[serde(default, skip_serializing_if = "super::announced_deletes::is_zero")]
    pub intents: u32,
    /// Time of the last create's intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Timestamp>,
    /// Number of server stops sent for it, not counting refused ones (I20).
    #[serde(default, skip_serializing_if = "super::announced_deletes::is_zero")]
    pub stops: u32,
    /// True if earlier slots passed without a record of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leap: bool,
    /// True if an operator opened it again. `catch_up` no longer applies to it. If it had failed,
    /// its alert stays active until it has its snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reopened: bool,
}

impl SlotRecord {
    /// Returns the outcome when the slot's time has passed: given up if it was ever tried.
    pub fn passed(&self) -> SlotOutcome {
        if self.tries > 0 {
            SlotOutcome::GivenUp
        } else {
            SlotOutcome::Skipped
        }
    }
}
