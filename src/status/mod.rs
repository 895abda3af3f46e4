//! What others may see of the running service, and ask of it: one writer, many readers.
//!
//! - `view`: how things stand, as a value; the JSON of `status --json`.
//! - `text`: the same for a terminal.
//! - `asked`: what the service does when it is asked to.
//! - `servers`: which server is meant.
//! - `control`: the socket on which the service answers; `client`: the one who asks there.

pub mod asked;
mod client;
mod control;
pub mod servers;
mod text;
mod view;

pub use client::{Absent, ask, order, pause, resume};
pub use control::{Control, socket};
pub(crate) use text::{count, lines, local, span, table};
pub use text::{fleet, server};
pub use view::{
    Alert, FleetView, LastSlot, NextSlot, RotationView, ServerView, SnapshotView, State,
};
