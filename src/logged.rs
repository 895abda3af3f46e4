//! Values as the log writes them.

use tracing::Value;

use crate::core::snapshot::ServerId;

/// A number or a text of JSON.
pub(crate) fn json(value: &serde_json::Value) -> Option<Box<dyn Value>> {
    let number = value
        .as_u64()
        .map(|number| Box::new(number) as Box<dyn Value>);
    number.or_else(|| Some(Box::new(value.as_str()?.to_owned())))
}

/// An identifier: an integer stays one in a log of JSON.
pub(crate) fn id(id: &ServerId) -> Box<dyn Value> {
    match (id.number(), id.text()) {
        (Some(number), _) => Box::new(number),
        (None, text) => Box::new(text.unwrap_or_default().to_owned()),
    }
}
