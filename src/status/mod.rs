//! What others may see of the running service, and ask of it: one writer, many readers.
//!
//! - `view`: how things stand, as a value; the JSON of `status --json`. `survey`: how it is put
//!   together; `state`: what each server is at.
//! - `text`: the same for a terminal; `standing`: its words for states, slots and times;
//!   `wrap`: its lines.
//! - `upcoming`: what is created and deleted next on one server.
//! - `asked`: what the service does when it is asked to.
//! - `servers`: which server is meant.
//! - `picture`: a forecast as SVG; `words`: how its parts are said.
//! - `http`: what is served over TCP: `page` as HTML, `metrics` for Prometheus, of what
//!   `site` puts together; `bounded`: its connections.
//! - `control`: the socket on which the service answers; `client`: the one who asks there.
//! - `serve`: how both answer, for no longer than it may take.

pub mod asked;
mod bounded;
mod client;
mod control;
mod http;
mod metrics;
mod page;
mod picture;
mod serve;
pub mod servers;
mod site;
mod standing;
mod state;
mod survey;
mod text;
pub mod upcoming;
mod view;
mod words;
mod wrap;

pub use client::{Absent, ask, ask_upcoming, order, pause, resume};
pub use control::{Control, socket};
pub use http::Server;
pub use picture::picture;
pub use site::{Look, Site};
pub(crate) use standing::span;
pub use text::{fleet, server};
pub(crate) use text::{lines, table};
pub use view::{
    Alert, FleetView, LastSlot, NextSlot, RotationView, ServerView, SnapshotView, State,
};
pub use words::{age, duration, heading, moment, name, zone_name};
pub(crate) use wrap::wrap;
