//! A stand-in for the provider's API, over real HTTP: for the demo, tests and benchmarks.
//!
//! It answers as documented in docs/api.md and shares no rule with the client, so that a mistake on
//! one side becomes visible on the other. Callers can read its true state, and can inject every
//! fault that the API's documentation doesn't rule out. Its modules:
//!
//! - `state`, `mutations`, `store`: the provider's true state and its changes over time;
//! - [`faults`]: the faults that can be injected;
//! - `config`: its behaviour without a fault; `ids`: the shapes of its ids;
//! - `serve`, `listing`, `response`, `connection`, `wire`: requests, answers, bytes;
//! - [`request_log`]: the requests and their effects.
//!
//! The provider's durations (how long a snapshot takes, how late an effect happens) are measured by
//! the sandbox's clock and shrink under a fast clock. Latency and dripping are real time.

mod config;
mod connection;
pub mod faults;
#[cfg(test)]
mod faults_tests;
mod ids;
mod listing;
mod mutations;
pub mod request_log;
mod response;
mod serve;
mod state;
pub mod store;
pub mod stored_snapshot;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::config::{Pagination, SandboxConfig};
use self::connection::{ConnectionHandle, CuttableListener};
use self::faults::Fault;
pub use self::ids::{IdShape, server_uuid, snapshot_uuid};
use self::request_log::{LoggedRequest, RequestCounts};
use self::serve::SandboxState;
pub use self::state::ProviderState;
use self::stored_snapshot::StoredSnapshot;
pub use self::wire::{PowerAction, SandboxServer};

/// A running stand-in. Clones share it, and it ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Sandbox {
    shared: Arc<SandboxState>,
    _stop: Arc<DropGuard>,
}

impl Sandbox {
    /// Serves on a free port of 127.0.0.1.
    pub async fn start(config: SandboxConfig) -> io::Result<Self> {
        Self::start_at(config, (Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Serves at this address. Use a loopback address: anyone who has the token can do everything.
    pub async fn start_at(config: SandboxConfig, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let stop = CancellationToken::new();
        let shared = Arc::new(SandboxState {
            base: format!("http://{}/api/v1", listener.local_addr()?),
            clock: config.clock.clone(),
            changed: watch::Sender::new(0),
            stop: stop.clone(),
            state: Mutex::new(ProviderState::new(config)),
        });
        let app = Router::new()
            .fallback(serve::handle)
            .with_state(Arc::clone(&shared))
            .into_make_service_with_connect_info::<ConnectionHandle>();
        let server = axum::serve(CuttableListener(listener), app);
        tokio::spawn(
            server
                .with_graceful_shutdown(stop.clone().cancelled_owned())
                .into_future(),
        );
        tokio::spawn(drive(Arc::clone(&shared)));
        Ok(Self {
            shared,
            _stop: Arc::new(stop.drop_guard()),
        })
    }

    /// Returns its base address, in the form of the `base_url` setting.
    pub fn base_url(&self) -> String {
        self.shared.base.clone()
    }

    /// Injects a fault. If several match a call, the one that was injected first applies.
    pub fn order(&self, fault: Fault) {
        self.shared.change(|state, _| state.orders.add(fault));
    }

    /// Removes all injected faults; late effects that are already scheduled still happen.
    pub fn clear_orders(&self) {
        self.shared.change(|state, _| state.orders.clear());
    }

    /// Returns the number of injected faults that are left, including those without a limit.
    pub fn orders(&self) -> usize {
        self.look(ProviderState::orders_left)
    }

    /// Switches the log of requests on or off; the counters always run.
    pub fn keep_log(&self, keep: bool) {
        self.shared.change(|state, _| state.keep_log = keep);
    }

    /// Sets the number of rows per page from now on; `None`: no pages.
    pub fn set_page_size(&self, rows: Option<usize>) {
        self.shared.change(|state, _| state.config.page_size = rows);
    }

    /// Sets the number of rows per page from now on, and the maximum that may be requested.
    pub fn set_page_sizes(&self, usual: usize, most: usize) {
        self.shared.change(|state, _| {
            state.config.page_size = Some(usual);
            state.config.max_page_size = most;
        });
    }

    /// Returns the names of all snapshots made on this server through the API, in order.
    pub fn created(&self, server: u64) -> Vec<String> {
        self.look(|state| state.created(server).to_vec())
    }

    /// Adds a server, or renames and activates the one with this id.
    pub fn add_server(&self, id: u64, name: &str) {
        self.rename_server(id, name);
        self.set_server_status(id, "active");
    }

    /// Renames a server, also in the rows of its snapshots. Adds the server if there is none with
    /// this id.
    pub fn rename_server(&self, id: u64, name: &str) {
        self.shared.change(|state, now| {
            let server = state.servers.entry(id).or_insert_with(|| SandboxServer {
                id,
                name: String::new(),
                status: "active".to_owned(),
            });
            name.clone_into(&mut server.name);
            state.rows.rename(id, name, now);
        });
    }

    /// Sets a server's status: `active`, `stopped`, `suspended`.
    pub fn set_server_status(&self, id: u64, status: &str) {
        self.shared.change(|state, _| {
            if let Some(server) = state.servers.get_mut(&id) {
                status.clone_into(&mut server.status);
            }
        });
    }

    /// Removes a server; its snapshots stay listed.
    pub fn remove_server(&self, id: u64) {
        self.shared.change(|state, _| state.servers.remove(&id));
    }

    /// Adds a snapshot under a new id, whatever the limit. Its status doesn't change by itself.
    pub fn add_snapshot(
        &self,
        server: u64,
        name: &str,
        status: &str,
        created_at: Timestamp,
    ) -> u64 {
        self.shared.change(|state, now| {
            let id = state.new_id();
            let row = StoredSnapshot {
                id,
                server,
                name: name.to_owned(),
                status: status.to_owned(),
                size_mb: (status == "completed").then_some(5120),
                created_at,
                description: String::new(),
            };
            state.put(row, now);
            id
        })
    }

    /// Adds a row with its own id, or replaces the row with that id.
    pub fn put(&self, row: StoredSnapshot) {
        self.shared.change(|state, now| state.put(row, now));
    }

    /// Makes a snapshot as a person does, by the provider's rules. Returns its id, or `None` if it
    /// is refused.
    pub fn person_creates(&self, server: u64, name: &str) -> Option<u64> {
        self.shared
            .change(|state, now| state.by_hand(server, name, now))
    }

    /// Sets a snapshot's status word, and the size that belongs to it.
    pub fn set_status(&self, id: u64, status: &str) {
        self.shared
            .change(|state, now| state.set_status(id, status, now));
    }

    /// Deletes a snapshot as a person does. Returns true if it was there.
    pub fn remove_snapshot(&self, id: u64) -> bool {
        self.shared
            .change(|state, now| state.rows.remove(id, false, now).is_some())
    }

    /// Sets the permissions that the account call reports from now on.
    pub fn set_permissions(&self, permissions: &[&str]) {
        let permissions = permissions.iter().map(|one| (*one).to_owned()).collect();
        self.shared
            .change(|state, _| state.config.permissions = permissions);
    }

    /// Accepts this token from now on, and no other.
    pub fn set_token(&self, token: &str) {
        self.shared
            .change(|state, _| token.clone_into(&mut state.config.token));
    }

    /// Sets how long snapshots that are made later stay in progress.
    pub fn set_completes_after(&self, time: SignedDuration) {
        self.shared
            .change(|state, _| state.config.completes_after = time);
    }

    /// Sets how long later restores take.
    pub fn set_restores_after(&self, time: SignedDuration) {
        self.shared.change(|state, _| state.restoring = time);
    }

    /// Sets how long servers take to stop or to start on later calls.
    pub fn set_switches_after(&self, time: SignedDuration) {
        self.shared.change(|state, _| state.switching = time);
    }

    /// Returns every power call that reached a server, in order.
    pub fn powered(&self) -> Vec<(u64, PowerAction)> {
        self.look(|state| state.powered.clone())
    }

    /// Returns the status that each accepted power call gave its server, in order.
    pub fn switched(&self) -> Vec<(u64, &'static str)> {
        self.look(|state| state.switched.clone())
    }

    /// Returns a server's status, or `None` if there is no such server.
    pub fn server_status(&self, id: u64) -> Option<String> {
        self.look(|state| Some(state.servers.get(&id)?.status.clone()))
    }

    /// Sets the maximum number of snapshots per server from now on.
    pub fn set_limit(&self, limit: usize) {
        self.shared.change(|state, _| state.config.limit = limit);
    }

    /// Sets the real time from a later request to its effect.
    pub fn set_latency(&self, latency: Duration) {
        self.shared
            .change(|state, _| state.config.latency = latency);
    }

    /// Returns the snapshots that a server truly holds, newest first.
    pub fn truth(&self, server: u64) -> Vec<StoredSnapshot> {
        self.look(|state| state.truth(server))
    }

    /// Returns all snapshots of the account, newest first.
    pub fn all(&self) -> Vec<StoredSnapshot> {
        self.look(ProviderState::all)
    }

    /// Returns every logged request with its effects, in the order of arrival.
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.look(|state| state.log().to_vec())
    }

    /// Returns the numbers of requests and effects.
    pub fn counts(&self) -> RequestCounts {
        self.look(ProviderState::counts)
    }

    /// Returns the largest number of snapshots that a server has held at once, whoever made them.
    pub fn max_held(&self, server: u64) -> usize {
        self.look(|state| state.max_held().get(&server).copied().unwrap_or(0))
    }

    /// Returns the largest number of snapshots that each server has held at once.
    pub fn max_held_all(&self) -> BTreeMap<u64, usize> {
        self.look(|state| state.max_held().clone())
    }

    /// Returns the number of requests without an answer; a hanging one counts until its client
    /// gives up.
    pub fn in_flight(&self) -> usize {
        self.look(ProviderState::in_flight)
    }

    /// Reads several values at one instant.
    pub fn look<T>(&self, look: impl FnOnce(&ProviderState) -> T) -> T {
        self.shared.look(|state, _| look(state))
    }

    /// Returns once `holds` returns true. It is checked after each request, injected fault and
    /// change; the caller must bound the wait with a timeout.
    pub async fn wait_for(&self, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        while !holds(self) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Applies due changes at their time, even without a request.
async fn drive(shared: Arc<SandboxState>) {
    let mut changed = shared.changed.subscribe();
    loop {
        changed.mark_unchanged();
        let wait = shared.look(|state, now| Some(state.next_due()?.duration_since(now)));
        let next = async {
            match wait {
                Some(wait) => shared.clock.sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = next => {}
            _ = changed.changed() => {}
        }
    }
}
