//! The terms of an order that lasts, such as a pause or the acknowledgement of an alert: who gave
//! it, when it ends, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::sanitize::printable;

/// Maximum number of characters that are recorded of an operator's note.
pub const NOTE_SHOWN: usize = 200;

/// The terms of an order, as the trail records them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    /// The operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When the order ends by itself; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl OrderTerms {
    /// Returns this operator's order without an end.
    pub fn by(by: &str) -> Self {
        Self {
            by: Some(by.to_owned()),
            ..Self::default()
        }
    }

    /// Returns the terms with a note that is safe to print.
    #[must_use]
    pub fn printable(self) -> Self {
        let note = self.note.map(|note| printable(&note, NOTE_SHOWN));
        Self { note, ..self }
    }

    /// Returns the terms, unless their end has passed.
    pub fn in_force(&self, now: Timestamp) -> Option<&Self> {
        self.until.is_none_or(|until| until > now).then_some(self)
    }
}
