//! Retries that an operator orders: opens slots again that ended without a snapshot.

use serde::{Deserialize, Serialize};

use super::{Engine, lock};
use crate::api::SnapshotApi;
use crate::audit::{Details, TrailError};
use crate::core::operator_order::{describe_hook_hold, describe_open_call};
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::slot_retry::{self, RetryAnswer};
use crate::core::snapshot::ServerId;

/// The outcome of a retry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryResult {
    /// The names of the snapshots that are tried again.
    pub opened: Vec<String>,
    /// Why the other rotations have nothing to retry.
    pub nothing: Vec<String>,
    /// True if the server is paused: the slots run after `resume`.
    pub paused: bool,
    /// In words: the operation that must end before the slots run.
    #[serde(default)]
    pub after: Option<String>,
}

/// Why no slot could be opened.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The order can't be recorded.
    #[error("the retry can't be recorded, so nothing has changed: {0}")]
    Trail(#[from] TrailError),
    /// The server has no policy.
    #[error("the server has no policy, so it has no slots")]
    NoPolicy,
    /// The policy has no such rotation.
    #[error("the policy has no rotation {named}: name one of {known}")]
    NoRotation {
        /// The rotation that was named.
        named: String,
        /// The policy's rotations.
        known: String,
    },
}

impl<A: SnapshotApi> Engine<A> {
    /// Opens the newest slot of each rotation, or of the one that is named, again if it ended
    /// without a snapshot. Its attempts begin anew, and it is tried at once.
    pub async fn retry(
        &self,
        server: &ServerId,
        rotation: Option<&str>,
        by: &str,
    ) -> Result<RetryResult, RetryError> {
        let _renaming = self.renaming.lock().await;
        let wanted = self.wanted();
        let server = self.id_of_state(server, &wanted);
        let policy = self.policy_of_state(&server, &wanted);
        let policy = policy.ok_or(RetryError::NoPolicy)?;
        if let Some(named) = rotation.filter(|named| policy.rotation(named).is_none()) {
            let names: Vec<_> = policy.rotations.iter().map(|r| r.name.as_str()).collect();
            return Err(RetryError::NoRotation {
                named: printable(named, NAME_SHOWN),
                known: names.join(", "),
            });
        }
        let runtime = self.runtime(&server);
        let answers = {
            let history = &lock(&runtime).history;
            let now = self.clock.now();
            slot_retry::retry(policy, history, &wanted.rules, now, rotation)
        };
        let mut result = RetryResult::default();
        for answer in answers {
            if let Some(event) = answer.event(by) {
                self.record(&server, &runtime, event, Details::default())
                    .await?;
            }
            match answer {
                RetryAnswer::Opens { snapshot, .. } => result.opened.push(snapshot.into()),
                RetryAnswer::Nothing(why) => result.nothing.push(why),
            }
        }
        {
            let history = &lock(&runtime).history;
            result.paused = history.paused().is_some();
            let hold = history.hold.as_deref().map(describe_hook_hold);
            let open = history.open.as_ref();
            result.after = hold.or_else(|| Some(describe_open_call(open?, &[])));
        }
        if !result.opened.is_empty() {
            self.call(server);
        }
        Ok(result)
    }
}
