//! The provider's calls, and what can be done when one fails.
//!
//! - [`SnapshotApi`]: the calls as a trait, so that the engine needs no network to be tested.
//! - [`error`]: failures by what can be done about them.
//! - [`http`]: the calls over HTTP, with every limit that a foreign answer needs; `client`
//!   says whom it talks to and trusts.
//! - `pagination`: the pages of a listing.
//! - [`wire`]: the JSON, and the checks that decide whether a listing may be believed.
//! - [`rate_limit`]: how fast, how many at once, and how long a `Retry-After` holds all back.
//! - `power`: whether a server runs, and how it is stopped and started.
//! - [`account_info`], [`server_list`]: whose token it is, and which servers there are, for people.
//! - [`response_shape`]: which fields, types and words it answers with, for who warns of others.
//! - [`call_metrics`]: how often the provider was called, and what came of it.
//! - [`proxy`]: through which proxy it leaves this host.
//! - [`token`]: where the token comes from.

pub mod account_info;
pub mod call_metrics;
mod client;
pub mod error;
mod error_body;
#[cfg(feature = "proof")]
pub mod fuzz_entry;
pub mod http;
mod lenient_json;
mod pagination;
mod power;
pub mod proxy;
pub mod rate_limit;
mod request;
pub mod response_shape;
mod retry_after;
pub mod server_list;
pub mod token;
pub mod wire;

#[cfg(test)]
mod scripted_server;
#[cfg(test)]
mod tls_tests;

use std::collections::BTreeMap;
use std::future::Future;

pub use client::{is_loopback, outgoing, over_socket};
pub use error::{ApiError, ErrorKind, chain};
pub use http::{ApiSettings, HttpApi};
pub use power::PowerAction;
pub use proxy::Proxy;
pub use rate_limit::{Limiter, Permit, RateSettings, StatusCell};
pub use token::{TokenSource, secret};

use crate::core::downtime::ServerInfo;
use crate::core::sanitize::printable;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The provider's API, as far as rotating needs it.
///
/// Only [`list`](Self::list) repeats a request by itself. The others send exactly one,
/// whatever comes back (I9, I12): what to do next is decided from the listing.
pub trait SnapshotApi: Send + Sync + 'static {
    /// Waits for the rate limit, any `Retry-After` and a place in flight.
    fn admit(&self) -> impl Future<Output = Permit> + Send;

    /// Waits for a place in flight alone: what is owed to a server that stands still is sent
    /// however many requests wait, and though the provider wants to be left alone.
    fn admit_owed(&self) -> impl Future<Output = Permit> + Send;

    /// All snapshots of the account, or of one server. Takes its own pass for each page.
    fn list(
        &self,
        server: Option<ServerId>,
    ) -> impl Future<Output = Result<Listing, ApiError>> + Send;

    /// Asks for a new snapshot.
    fn create(
        &self,
        pass: Permit,
        create: &NewSnapshot,
    ) -> impl Future<Output = Result<CreatedSnapshot, ApiError>> + Send;

    /// Deletes a snapshot for good.
    fn delete(
        &self,
        pass: Permit,
        id: SnapshotId,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Overwrites a server with a snapshot; only on an operator's confirmed command (I12).
    fn restore(
        &self,
        pass: Permit,
        id: SnapshotId,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Asks for the server's state, once; for rotations that stop it.
    fn state(&self, pass: Permit, server: &ServerId) -> impl Future<Output = ServerInfo> + Send;

    /// Stops or starts a server.
    fn power(
        &self,
        pass: Permit,
        server: &ServerId,
        action: PowerAction,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Reads the token anew; after an error the former one stays in use.
    fn renew(&self) -> Result<(), String>;

    /// Which token is in use: another number, another token.
    fn token(&self) -> u64 {
        0
    }
}

/// What the provider said it holds, and how far that may be believed (I11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Each server that had a row, by its id, or its UUID where it has no id. A server without
    /// snapshots does not show.
    pub servers: BTreeMap<ServerId, ServerRows>,
    /// The id of each server that has a UUID too, by that.
    pub uuids: BTreeMap<ServerId, ServerId>,
    /// Why the whole listing is incomplete or wrong.
    pub doubt: Option<String>,
    /// The pages on which it stood.
    pub pages: usize,
    /// Pages disagreed in their count or repeated an id: ask server by server instead.
    pub shifted: bool,
    /// Sizes in MB where they were told; only [`HttpApi::browse`] gathers them.
    pub sizes: BTreeMap<SnapshotId, u64>,
}

/// The rows of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerRows {
    /// The server's name, or its host name where it has no other; empty where the provider gave
    /// none that can be read.
    pub name: String,
    /// Its host name, where that is another.
    pub hostname: Option<String>,
    /// Its UUID, where it has an id too.
    pub uuid: Option<ServerId>,
    /// Its readable snapshots, in the listing's order.
    pub snapshots: Vec<Snapshot>,
    /// Why this server's rows are incomplete or wrong.
    pub doubt: Option<String>,
}

/// A snapshot to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSnapshot {
    /// The server to take it of.
    pub server: ServerId,
    /// Its name, which is also the key by which it is found again.
    pub name: String,
    /// A text for people.
    pub description: Option<String>,
}

/// The provider's word that a snapshot is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedSnapshot {
    /// Its id, or its UUID where it has no id.
    pub id: SnapshotId,
    /// Its UUID, where it has an id too.
    pub uuid: Option<SnapshotId>,
    /// The name of the server that it is taken of, where the answer says so.
    pub server_name: Option<String>,
    /// The host name of that server, where that is another.
    pub hostname: Option<String>,
    /// Its name, as the answer gives it.
    pub name: String,
}
