//! Calls to the provider's API, and what can be done when one fails.
//!
//! - [`SnapshotApi`]: the calls as a trait, so that the engine can be tested without a network.
//! - [`error`]: failures, classified by what can be done about them; `error_body`: the provider's
//!   own words.
//! - [`http`]: the calls over HTTP; `snapshot_calls`: their implementation of [`SnapshotApi`];
//!   `request`: one request and its answer; `client`: the HTTP client, which follows no redirects
//!   and retries nothing, and the certificates that it trusts.
//! - `pagination`: the pages of a listing.
//! - [`wire`]: the JSON, and the checks that decide whether a listing is in doubt; `lenient_json`:
//!   fields of any type.
//! - [`rate_limit`]: rate, requests in flight and backoff; `retry_after`: the pause that an answer
//!   asks for.
//! - `power`: a server's state, stop and start.
//! - [`account_info`], [`server_list`]: the token's owner and the account's servers, for people.
//! - [`response_shape`]: fields, types and status words of the answers, to detect API changes.
//! - [`call_metrics`]: counters of the calls.
//! - [`proxy`]: the proxy for TLS connections.
//! - [`token`]: the token and its file.

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
mod snapshot_calls;
pub mod token;
pub mod wire;

#[cfg(test)]
mod scripted_server;
#[cfg(test)]
mod tls_tests;

use std::collections::BTreeMap;
use std::future::Future;

pub use client::{ApiSettings, BaseUrlError, is_loopback, outgoing, over_socket, parse_base_url};
pub use error::{ApiError, ErrorKind, chain};
pub use http::HttpApi;
pub use power::PowerAction;
pub use proxy::Proxy;
pub use rate_limit::{Limiter, Permit, RateSettings, StatusCell};
pub use token::{TokenSource, secret};

use crate::core::sanitize::printable;
use crate::core::server_info::{PowerState, ServerInfo};
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The part of the provider's API that rotation needs.
///
/// Only [`list`](Self::list) retries a request by itself. The others send exactly one each,
/// whatever the answer (I9, I12); the next decision follows from a listing.
pub trait SnapshotApi: Send + Sync + 'static {
    /// Waits for the rate limit, any `Retry-After` and a place in flight. Fails if requests are
    /// held back for more than another minute.
    fn admit(&self) -> impl Future<Output = Result<Permit, ApiError>> + Send;

    /// Waits only for a place in flight, so that a server that the rotation stopped is started even
    /// if many requests are waiting or the provider has asked for a pause.
    fn admit_owed(&self) -> impl Future<Output = Permit> + Send;

    /// Lists all snapshots of the account, or of one server. Takes a permit of its own for each
    /// page.
    fn list(
        &self,
        server: Option<ServerId>,
    ) -> impl Future<Output = Result<Listing, ApiError>> + Send;

    /// Creates a snapshot.
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

    /// Overwrites a server with a snapshot; only on an operator's confirmed order (I12).
    fn restore(
        &self,
        pass: Permit,
        id: SnapshotId,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Requests the server's state once, for rotations that stop the server.
    fn state(&self, pass: Permit, server: &ServerId) -> impl Future<Output = ServerInfo> + Send;

    /// Like [`state`](Self::state), after waiting for a permit. A pause of more than a minute is
    /// treated as a failed request.
    fn state_once_admitted(&self, server: &ServerId) -> impl Future<Output = ServerInfo> + Send {
        async {
            match self.admit().await {
                Ok(pass) => self.state(pass, server).await,
                Err(error) => PowerState::Untold(error.message.into()).into(),
            }
        }
    }

    /// Stops or starts a server.
    fn power(
        &self,
        pass: Permit,
        server: &ServerId,
        action: PowerAction,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Rereads the token. After an error the former token stays in use.
    fn renew(&self) -> Result<(), String>;

    /// Returns the generation of the token in use; it changes with the token.
    fn token(&self) -> u64 {
        0
    }
}

/// The provider's snapshots as one listing shows them, and how reliable it is (I11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Rows by server: by its id, or by its UUID if it has no id. A server without snapshots has no
    /// entry.
    pub servers: BTreeMap<ServerId, ServerRows>,
    /// The id of each server that also has a UUID, by that UUID.
    pub uuids: BTreeMap<ServerId, ServerId>,
    /// Why the whole listing is in doubt.
    pub doubt: Option<String>,
    /// Number of pages.
    pub pages: usize,
    /// Set if the pages contradicted each other or the `count`, or repeated an id, as happens when
    /// they change while they are read. The servers must then be listed one by one.
    pub shifted: bool,
    /// Sizes in MB, where the provider gives them; only [`HttpApi::browse`] collects them.
    pub sizes: BTreeMap<SnapshotId, u64>,
}

/// The rows of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerRows {
    /// The server's name, or its hostname if it has no name. Empty if neither can be read.
    pub name: String,
    /// Its hostname, if that differs.
    pub hostname: Option<String>,
    /// Its UUID, if it has an id too.
    pub uuid: Option<ServerId>,
    /// Its readable snapshots, in the listing's order.
    pub snapshots: Vec<Snapshot>,
    /// Why this server's rows are in doubt.
    pub doubt: Option<String>,
}

/// A snapshot to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSnapshot {
    /// The server.
    pub server: ServerId,
    /// The name, which is also the key by which the snapshot is found again.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
}

/// The provider's answer to a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedSnapshot {
    /// The snapshot's id, or its UUID if it has no id.
    pub id: SnapshotId,
    /// Its UUID, if it has an id too.
    pub uuid: Option<SnapshotId>,
    /// The server's name, if the answer gives it.
    pub server_name: Option<String>,
    /// The server's hostname, if that differs.
    pub hostname: Option<String>,
    /// The snapshot's name in the answer.
    pub name: String,
}
