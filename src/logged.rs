//! Converts ids to log values.

use tracing::Value;

use crate::core::snapshot::{ServerId, SnapshotId};

/// Returns a server's id as a log value; an integer remains a number in a JSON log.
pub(crate) fn id(id: &ServerId) -> Box<dyn Value> {
    value(id.number(), id.text())
}

/// Returns a snapshot's id as a log value.
pub(crate) fn snapshot_id(id: &SnapshotId) -> Box<dyn Value> {
    value(id.number(), id.text())
}

fn value(number: Option<u64>, text: Option<&str>) -> Box<dyn Value> {
    match number {
        Some(number) => Box::new(number),
        None => Box::new(text.unwrap_or_default().to_owned()),
    }
}
