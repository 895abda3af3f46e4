//! The state of the running service for readers, and the requests that it accepts.
//!
//! - `view`: the state as a value, the JSON of `status --json`. `view_builder` builds it;
//!   `activity` derives each server's activity.
//! - `overview_text` and `terminal_text`: all servers, and one server, for a terminal. `attention`
//!   is the verdict and what needs somebody. `state_text` has the words for activities, slots and
//!   times; `line_wrap` wraps lines.
//! - `next_changes`: the next creates, deletes, stops and starts on one server. `report_inputs`: the
//!   present state that a report shows; `snapshot_sizes`: the sizes of snapshots for it.
//! - `pause_and_order_routes`: the routes that change something.
//! - `server_lookup`: finds the server that a user named.
//! - `forecast_svg`: a forecast as SVG. `forecast_labels` formats its names, ages and times.
//! - `http_routes`: the routes over TCP: `page` as HTML and `metrics` for Prometheus, from the data
//!   in `page_model`. `http_answer` compresses them, and answers `304` if nothing has changed;
//!   `rendered_pages` keeps the pages of one view. `bounded_listener` bounds the connections.
//! - `control_socket`: the service's control socket. `control_client` is its client, and
//!   `control_requests` has the bodies of its requests.
//! - `http_connections`: serves both listeners, with limits on time.

mod activity;
mod attention;
mod bounded_listener;
mod control_client;
pub mod control_requests;
mod control_socket;
mod forecast_labels;
mod forecast_svg;
mod http_answer;
mod http_connections;
mod http_routes;
mod line_wrap;
mod metrics;
pub mod next_changes;
mod overview_text;
mod page;
mod page_model;
pub mod pause_and_order_routes;
mod rendered_pages;
mod report_inputs;
pub mod server_lookup;
pub mod snapshot_sizes;
mod state_text;
mod terminal_text;
mod view;
mod view_builder;

pub use control_client::{
    NoAnswer, acknowledge, ask, ask_sizes, ask_upcoming, order, pause, protect, resume, retry,
    unprotect,
};
pub use control_socket::{ControlSocket, socket};
pub use forecast_labels::{age, heading, moment, name, zone_name};
pub use forecast_svg::picture;
pub use http_routes::PageServer;
pub(crate) use line_wrap::{WRAP_INDENT, wrap, wrap_lines};
pub use overview_text::overview;
pub use page_model::{PageModel, ViewSource};
pub use report_inputs::{longest_copy_age_limit, present_state};
pub use snapshot_sizes::snapshot_sizes;
pub use terminal_text::server;
pub(crate) use terminal_text::{lines, table, wrapped};
pub use view::{
    Activity, AlertView, FleetView, LastSlot, NextSlot, RotationView, ServerView, SnapshotView,
};

#[cfg(test)]
mod status_screen_tests;
