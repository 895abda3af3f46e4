//! An operator's order that waits, and the result of an order.

use crate::audit::Details;
use crate::core::operator_order::Order;
use crate::core::server_event::Outcome;
use crate::core::snapshot::SnapshotId;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

const UNTOLD: &str = "the order was started, but its outcome is unknown to the service";

/// An order that waits for its server's loop.
pub(super) struct PendingOrder {
    pub(super) order: Order,
    pub(super) by: String,
    pub(super) until: SignedDuration,
    pub(super) number: u64,
    pub(super) begun: Arc<AtomicBool>,
    pub(super) reply: oneshot::Sender<OrderOutcome>,
}

/// The result of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderOutcome {
    /// The outcome according to the provider's answer, or `Unknown` if the order began and its
    /// result was lost. `None` if the order was refused and nothing was sent.
    pub outcome: Option<Outcome>,
    /// Why it was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The snapshot that the order concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SnapshotId>,
}

impl OrderOutcome {
    /// Returns a refusal: nothing was sent.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self {
            outcome: None,
            reason: Some(reason.into()),
            id: None,
        }
    }

    /// Returns the result of an order whose reply channel was dropped.
    pub(super) fn unanswered(begun: &AtomicBool, why: &str) -> Self {
        if !begun.load(Ordering::SeqCst) {
            return Self::refused(why);
        }
        Self {
            outcome: Some(Outcome::Unknown),
            ..Self::refused(UNTOLD)
        }
    }

    pub(super) fn of(outcome: Outcome, extra: &Details, id: Option<SnapshotId>) -> Self {
        let status = extra.status.map_or(String::new(), |s| format!("{s}: "));
        let error = extra.error.as_ref();
        Self {
            outcome: Some(outcome),
            reason: error.map(|error| format!("{status}{error}")),
            id,
        }
    }
}
