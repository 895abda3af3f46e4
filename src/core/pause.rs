//! A pause of one server, or of all: since when, until when, by whom and why.
//!
//! A pause ends at a time that a person chose. The wall clock decides, and a record ends the pause,
//! so that the trail shows when work was allowed again. Until that record is written, the pause
//! is in force.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::order_terms::OrderTerms;

/// A pause in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RecordedPause", into = "RecordedPause")]
pub struct Pause {
    /// Its start. A later order changes only its end and its note.
    pub since: Timestamp,
    /// When it ends by itself; `None` if only a `resume` ends it.
    pub until: Option<Timestamp>,
    /// The operator of the last order.
    pub by: Option<String>,
    /// The operator's words.
    pub note: Option<String>,
}

/// A pause as checkpoints have it. Earlier versions wrote only its start.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RecordedPause {
    Since(Timestamp),
    Ordered {
        since: Timestamp,
        #[serde(flatten)]
        order: OrderTerms,
    },
}

impl From<RecordedPause> for Pause {
    fn from(recorded: RecordedPause) -> Self {
        match recorded {
            RecordedPause::Since(since) => Self::since(since),
            RecordedPause::Ordered { since, order } => Self::ordered(&order, since, None),
        }
    }
}

impl From<Pause> for RecordedPause {
    fn from(pause: Pause) -> Self {
        Self::Ordered {
            since: pause.since,
            order: OrderTerms {
                by: pause.by,
                until: pause.until,
                note: pause.note,
            },
        }
    }
}

impl Pause {
    /// Returns a pause without an end.
    pub fn since(since: Timestamp) -> Self {
        Self::ordered(&OrderTerms::default(), since, None)
    }

    /// Returns the pause after an order that was recorded at `at`; `before` is the one in force.
    pub fn ordered(order: &OrderTerms, at: Timestamp, before: Option<&Self>) -> Self {
        let note = order.note.clone();
        Self {
            since: before.map_or(at, |before| before.since),
            until: order.until,
            by: order.by.clone(),
            note: note.or_else(|| before?.note.clone()),
        }
    }

    /// Returns true if an order with these terms would change nothing about the pause.
    pub fn meets(&self, order: &OrderTerms) -> bool {
        self.until == order.until && (order.note.is_none() || self.note == order.note)
    }

    /// Returns the order that gives another server the same pause.
    pub fn order(&self) -> OrderTerms {
        OrderTerms {
            by: self.by.clone(),
            until: self.until,
            note: self.note.clone(),
        }
    }

    /// Returns the end of the pause, if that time has come.
    pub fn over(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until <= now)
    }
}
