//! The shape of ids in a simulated world: every other seed uses UUIDs. The world numbers all
//! objects; a UUID is such a number in another form.

use std::cell::Cell;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

use crate::core::snapshot::{ServerId, SnapshotId};

thread_local! {
    static UUIDS: Cell<bool> = const { Cell::new(false) };
}

/// The rest of a UUID, after the number.
const REST: &str = "-0000-4000-8000-000000000000";

/// Chooses the shape for the world that runs on this thread.
pub(super) fn draw(seed: u64) {
    UUIDS.set(seed % 2 == 1);
}

pub(super) fn server(number: u64) -> ServerId {
    id(number)
}

pub(super) fn snapshot(number: u64) -> SnapshotId {
    id(number)
}

fn id<I: From<u64> + FromStr>(number: u64) -> I {
    let text = || format!("{number:08x}{REST}").parse().ok();
    let uuid = UUIDS.get().then(text).flatten();
    uuid.unwrap_or_else(|| I::from(number))
}

/// Returns the number in an id, or 0 if it has none.
pub(super) fn number(id: &impl Display) -> u64 {
    let id = id.to_string();
    let uuid = id.strip_suffix(REST);
    let number = uuid.map_or_else(|| id.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok());
    number.unwrap_or_default()
}

/// Returns the number in an id of a record, or 0 if it has none.
pub(super) fn of(value: &Value) -> u64 {
    value
        .as_str()
        .map_or_else(|| value.as_u64().unwrap_or_default(), |id| number(&id))
}

/// Returns an id as the trail writes it.
pub(super) fn json(number: u64) -> String {
    snapshot(number).quoted()
}
