//! Values in the form that the log writes.

use tracing::Value;

use crate::core::snapshot::ServerId;

/// Returns a JSON number or text as a log value.
pub(crate) fn json(value: &serde_json::Value) -> Option<Box<dyn Value>> {
    let number = value
        .as_u64()
        .map(|number| Box::new(number) as Box<dyn Value>);
    number.or_else(|| Some(Box::new(value.as_str()?.to_owned())))
}

/// Returns an id as a log value; an integer stays one in a JSON log.
pub(crate) fn id(id: &ServerId) -> Box<dyn Value> {
    match (id.number(), id.text()) {
        (Some(number), _) => Box::new(number),
        (None, text) => Box::new(text.unwrap_or_default().to_owned()),
    }
}
