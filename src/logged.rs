//! Values as the log writes them.

use tracing::Value;

use crate::core::snapshot::ServerId;

/// An identifier: an integer stays one in a log of JSON.
pub(crate) fn id(id: &ServerId) -> Box<dyn Value> {
    match (id.number(), id.text()) {
        (Some(number), _) => Box::new(number),
        (None, text) => Box::new(text.unwrap_or_default().to_owned()),
    }
}
