//! The shape of ids in a simulated world: every other seed uses UUIDs. The world numbers all
//! objects; a UUID is such a number in another form. In some worlds, edits of policies change the
//! ids of servers to the other shape; from the first such edit on, listings show both ids of the
//! server.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

use crate::core::snapshot::{ServerId, SnapshotId};

thread_local! {
    static UUIDS: Cell<bool> = const { Cell::new(false) };
    /// True if edits of policies change the shape of servers' ids.
    static EDITED: Cell<bool> = const { Cell::new(false) };
    /// The servers for which listings show both ids.
    static BOTH: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
    /// The servers whose policies in force use the other shape.
    static OTHER: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// The rest of a UUID, after the number.
const REST: &str = "-0000-4000-8000-000000000000";

/// Chooses the shape for the world that runs on this thread.
pub(super) fn draw(seed: u64) {
    UUIDS.set(seed % 2 == 1);
    EDITED.set(seed % 5 == 3);
    BOTH.take();
    OTHER.take();
}

/// Returns true if an edit of a policy also changes its server's id to the other shape.
pub(super) fn are_edited() -> bool {
    EDITED.get()
}

/// Returns true if the id has the other shape.
pub(super) fn is_other(id: &ServerId) -> bool {
    id.number().is_some() == UUIDS.get()
}

/// Notes whether the server's policy in force has an id of the other shape.
pub(super) fn put_in_force(number: u64, id: &ServerId) {
    let is_other = is_other(id);
    OTHER.with_borrow_mut(|other| {
        if is_other {
            other.insert(number)
        } else {
            other.remove(&number)
        }
    });
    if is_other {
        BOTH.with_borrow_mut(|both| both.insert(number));
    }
}

/// Returns the id of the server in the other shape.
pub(super) fn other_server(number: u64) -> ServerId {
    if UUIDS.get() {
        ServerId::from(number)
    } else {
        uuid(number).unwrap_or_else(|| ServerId::from(number))
    }
}

/// Returns the server's id, as its policy in force has it.
pub(super) fn server(number: u64) -> ServerId {
    if OTHER.with_borrow(|other| other.contains(&number)) {
        other_server(number)
    } else {
        id(number)
    }
}

/// Returns the id under which listings show the server, and its UUID if they show that too.
pub(super) fn listed(number: u64) -> (ServerId, Option<ServerId>) {
    if BOTH.with_borrow(|both| both.contains(&number)) {
        (ServerId::from(number), uuid(number))
    } else {
        (id(number), None)
    }
}

pub(super) fn snapshot(number: u64) -> SnapshotId {
    id(number)
}

fn id<I: From<u64> + FromStr>(number: u64) -> I {
    let uuid = UUIDS.get().then(|| uuid(number)).flatten();
    uuid.unwrap_or_else(|| I::from(number))
}

fn uuid<I: FromStr>(number: u64) -> Option<I> {
    format!("{number:08x}{REST}").parse().ok()
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

/// Returns a predicate that is true for trail lines about this server, under either of its ids.
pub(super) fn about(server: u64) -> impl Fn(&str) -> bool {
    let field = |id: ServerId| format!("\"server\":{},", id.quoted());
    let (one, other) = (field(id(server)), field(other_server(server)));
    move |line| line.contains(&one) || line.contains(&other)
}

/// Returns a snapshot's id as the trail writes it.
pub(super) fn json(number: u64) -> String {
    snapshot(number).quoted()
}
