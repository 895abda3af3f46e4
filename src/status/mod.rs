//! What others may see of the running service, and ask of it: one writer, many readers.
//!
//! - `view`: how things stand, as a value; the JSON of `status --json`. `collect`: how it is put
//!   together; `activity`: what each server is at.
//! - `terminal_text`: the same for a terminal; `state_text`: its words for states, slots and times;
//!   `line_wrap`: its lines.
//! - `next_steps`: what is created and deleted next on one server.
//! - `control_routes`: what the service does when it is asked to.
//! - `server_lookup`: which server is meant.
//! - `forecast_svg`: a forecast as SVG; `time_text`: how its parts are said.
//! - `http_routes`: what is served over TCP: `page` as HTML, `metrics` for Prometheus, of what
//!   `page_model` puts together; `connection_limit`: its connections.
//! - `control`: the socket on which the service answers; `control_client`: the one who asks there.
//! - `http_server`: how both answer, for no longer than it may take.

mod activity;
mod collect;
mod connection_limit;
mod control;
mod control_client;
pub mod control_routes;
mod forecast_svg;
mod http_routes;
mod http_server;
mod line_wrap;
mod metrics;
pub mod next_steps;
mod page;
mod page_model;
pub mod server_lookup;
mod state_text;
mod terminal_text;
mod time_text;
mod view;

pub use control::{ControlSocket, socket};
pub use control_client::{NoAnswer, ask, ask_upcoming, order, pause, resume};
pub use forecast_svg::picture;
pub use http_routes::PageServer;
pub(crate) use line_wrap::wrap;
pub use page_model::{PageModel, ViewSource};
pub(crate) use state_text::span;
pub use terminal_text::{fleet, server};
pub(crate) use terminal_text::{lines, table};
pub use time_text::{age, duration, heading, moment, name, zone_name};
pub use view::{
    Activity, AlertView, FleetView, LastSlot, NextSlot, RotationView, ServerView, SnapshotView,
};
