//! The behaviour of the stand-in while no fault is injected.

use std::time::Duration;

use jiff::SignedDuration;

use super::IdShape;
use crate::clock::Clock;

/// The behaviour of the stand-in while no fault is injected.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Its clock.
    pub clock: Clock,
    /// The only token that it accepts.
    pub token: String,
    /// Maximum number of snapshots per server, whatever their status.
    pub limit: usize,
    /// Real time from a request to its effect and answer.
    pub latency: Duration,
    /// How long a snapshot is in progress, by the clock.
    pub completes_after: SignedDuration,
    /// Rows per page if the request has no `page_size`; `None`: listings have no pages.
    pub page_size: Option<usize>,
    /// Maximum number of rows that `page_size` may request; 0: `page_size` is ignored.
    pub max_page_size: usize,
    /// The shape of ids.
    pub ids: IdShape,
    /// The permissions that the account call reports; no request is refused because of them.
    pub permissions: Vec<String>,
    /// The kind of pagination.
    pub pagination: Pagination,
}

/// The pagination styles of Django REST framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pagination {
    /// By number: `page=2`.
    Page,
    /// By limit and offset: `limit=100&offset=100`.
    Offset,
    /// By an opaque cursor, and without a count.
    Cursor,
}

impl SandboxConfig {
    /// Returns the behaviour of the documented provider: a limit of five, several minutes per
    /// snapshot, no pages.
    pub fn new(clock: Clock, token: &str) -> Self {
        Self {
            clock,
            token: token.to_owned(),
            limit: 5,
            latency: Duration::ZERO,
            completes_after: SignedDuration::from_mins(5),
            page_size: None,
            max_page_size: 0,
            ids: IdShape::default(),
            permissions: vec!["snapshots:*".to_owned(), "servers:*".to_owned()],
            pagination: Pagination::Page,
        }
    }
}
