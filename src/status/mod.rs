//! What others may see of the running service, and ask of it: one writer, many readers.
//!
//! - `view`: how things stand, as a value; the JSON of `status --json`.
//! - `text`: the same for a terminal.
//! - `control`: the socket on which the service answers; `client`: the one who asks there.

mod client;
mod control;
mod text;
mod view;

pub use client::{Absent, ask};
pub use control::{Control, socket};
pub(crate) use text::{count, lines, local, span, table};
pub use text::{fleet, server};
pub use view::{
    Alert, FleetView, LastSlot, NextSlot, RotationView, ServerView, SnapshotView, State,
};
