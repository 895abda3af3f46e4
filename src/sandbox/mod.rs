//! The stand-in of the provider's API, over real HTTP: for the demo, tests and benchmarks.
//!
//! It answers as API.md says and shares no rule with the client, so that a mistake on one side
//! shows on the other. Its truth can be asked for, and every fault that the API's silence allows
//! can be ordered:
//!
//! - `state`, `mutations`, `store`: what the provider truly holds, and what time does to it;
//! - [`faults`]: what goes wrong, when ordered;
//! - `ids`: the shapes of its ids;
//! - `serve`, `listing`, `response`, `connection`, `wire`: requests, answers, bytes;
//! - [`request_log`]: what was asked and what came of it.
//!
//! Durations of the provider (how long a snapshot takes, how late an effect comes) are of the
//! clock's time and run faster under a fast clock; latency and dripping are real time.

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

use self::connection::{ConnectionHandle, CuttableListener};
use self::faults::Fault;
pub use self::ids::{IdShape, server_uuid, snapshot_uuid};
use self::request_log::{LoggedRequest, RequestCounts};
use self::serve::SandboxState;
pub use self::state::ProviderState;
use self::store::StoredSnapshot;
pub use self::wire::{PowerAction, SandboxServer};
use crate::clock::Clock;

/// How the stand-in behaves when no fault is ordered.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Its time.
    pub clock: Clock,
    /// The one token that it accepts.
    pub token: String,
    /// The most snapshots of a server; all count.
    pub limit: usize,
    /// Real time from a request to its effect and answer.
    pub latency: Duration,
    /// How long a snapshot is in progress, in the clock's time.
    pub completes_after: SignedDuration,
    /// Rows of a page where `page_size` asks for none; `None`: listings have no pages.
    pub page_size: Option<usize>,
    /// The most that `page_size` may ask for; 0: it is ignored.
    pub max_page_size: usize,
    /// The shape of ids.
    pub ids: IdShape,
    /// The permissions that the token is said to have; nothing is refused by it.
    pub permissions: Vec<String>,
    /// How pages are asked for.
    pub pagination: Pagination,
}

/// The paginations of Django REST framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pagination {
    /// By number: `page=2`.
    Page,
    /// By limit and offset: `limit=100&offset=100`.
    Offset,
    /// By a cursor, which says nothing, and without a count.
    Cursor,
}

impl SandboxConfig {
    /// The provider as documented: a limit of five, some minutes for everything, no pages.
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

/// A running stand-in, whose copies are one; it ends when the last copy of this handle is dropped.
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

    /// Serves at this address, which is to be one of loopback: whoever knows the token may do all.
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

    /// Where it serves, in the form of the `base_url` setting.
    pub fn base_url(&self) -> String {
        self.shared.base.clone()
    }

    /// Orders a fault; of several that match a call, the one ordered first is taken.
    pub fn order(&self, fault: Fault) {
        self.shared.change(|state, _| state.orders.add(fault));
    }

    /// Takes back all orders; effects that are already late still come.
    pub fn clear_orders(&self) {
        self.shared.change(|state, _| state.orders.clear());
    }

    /// How many orders stand, those for ever too.
    pub fn orders(&self) -> usize {
        self.look(ProviderState::orders_left)
    }

    /// Whether requests are kept one by one; counters are kept always.
    pub fn keep_log(&self, keep: bool) {
        self.shared.change(|state, _| state.keep_log = keep);
    }

    /// Rows of a page from now on; `None`: no pages.
    pub fn set_page_size(&self, rows: Option<usize>) {
        self.shared.change(|state, _| state.config.page_size = rows);
    }

    /// Rows of a page from now on, and the most that may be asked for.
    pub fn set_page_sizes(&self, usual: usize, most: usize) {
        self.shared.change(|state, _| {
            state.config.page_size = Some(usual);
            state.config.max_page_size = most;
        });
    }

    /// The names of all snapshots that creates through the API made on this server, in order.
    pub fn created(&self, server: u64) -> Vec<String> {
        self.look(|state| state.created(server).to_vec())
    }

    /// Adds a server, or names and activates the one with this id.
    pub fn add_server(&self, id: u64, name: &str) {
        self.rename_server(id, name);
        self.set_server_status(id, "active");
    }

    /// Gives a server another name, in the rows of its snapshots too.
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

    /// Takes a server away; its snapshots stay listed.
    pub fn remove_server(&self, id: u64) {
        self.shared.change(|state, _| state.servers.remove(&id));
    }

    /// Puts a snapshot there, whatever the limit; its status stays until it is set. The id is new.
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

    /// Puts a row there with the id that it bears, in the place of the one that has it.
    pub fn put(&self, row: StoredSnapshot) {
        self.shared.change(|state, now| state.put(row, now));
    }

    /// A person makes a snapshot by the provider's own rules; its id, unless they refuse it.
    pub fn person_creates(&self, server: u64, name: &str) -> Option<u64> {
        self.shared
            .change(|state, now| state.by_hand(server, name, now))
    }

    /// Sets a snapshot's status word, with the size that belongs to it.
    pub fn set_status(&self, id: u64, status: &str) {
        self.shared
            .change(|state, now| state.set_status(id, status, now));
    }

    /// A person deletes a snapshot; whether it was there.
    pub fn remove_snapshot(&self, id: u64) -> bool {
        self.shared
            .change(|state, now| state.rows.remove(id, false, now).is_some())
    }

    /// The permissions that the token is said to have from now on.
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

    /// How long snapshots that are made from now on are in progress.
    pub fn set_completes_after(&self, time: SignedDuration) {
        self.shared
            .change(|state, _| state.config.completes_after = time);
    }

    /// How long restores that begin from now on last.
    pub fn set_restores_after(&self, time: SignedDuration) {
        self.shared.change(|state, _| state.restoring = time);
    }

    /// How long servers take to stop or to start, for calls from now on.
    pub fn set_switches_after(&self, time: SignedDuration) {
        self.shared.change(|state, _| state.switching = time);
    }

    /// Every power call that reached a server, in order.
    pub fn powered(&self) -> Vec<(u64, PowerAction)> {
        self.look(|state| state.powered.clone())
    }

    /// The status that each power call gave a server, in order; those that were refused gave none.
    pub fn switched(&self) -> Vec<(u64, &'static str)> {
        self.look(|state| state.switched.clone())
    }

    /// A server's status; `None`: there is no such server.
    pub fn server_status(&self, id: u64) -> Option<String> {
        self.look(|state| Some(state.servers.get(&id)?.status.clone()))
    }

    /// The most snapshots of a server from now on.
    pub fn set_limit(&self, limit: usize) {
        self.shared.change(|state, _| state.config.limit = limit);
    }

    /// Real time from a request to its effect, for requests from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared
            .change(|state, _| state.config.latency = latency);
    }

    /// The snapshots that a server truly holds, newest first.
    pub fn truth(&self, server: u64) -> Vec<StoredSnapshot> {
        self.look(|state| state.truth(server))
    }

    /// All snapshots of the account, newest first.
    pub fn all(&self) -> Vec<StoredSnapshot> {
        self.look(ProviderState::all)
    }

    /// Every request so far, in the order of arrival, with what came of it.
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.look(|state| state.log().to_vec())
    }

    /// How many requests and effects there were.
    pub fn counts(&self) -> RequestCounts {
        self.look(ProviderState::counts)
    }

    /// The most snapshots that a server ever held, whoever made them.
    pub fn max_held(&self, server: u64) -> usize {
        self.look(|state| state.max_held().get(&server).copied().unwrap_or(0))
    }

    /// The same of every server.
    pub fn max_held_all(&self) -> BTreeMap<u64, usize> {
        self.look(|state| state.max_held().clone())
    }

    /// Requests that have arrived and have no answer yet; hanging ones until the client gives up.
    pub fn in_flight(&self) -> usize {
        self.look(ProviderState::in_flight)
    }

    /// Reads several things of one instant.
    pub fn look<T>(&self, look: impl FnOnce(&ProviderState) -> T) -> T {
        self.shared.look(|state, _| look(state))
    }

    /// Returns once this holds; asked anew after each request, order and change. Bound it by a time-out.
    pub async fn wait_for(&self, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        while !holds(self) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Lets what is due happen at its time, also when nobody asks.
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
