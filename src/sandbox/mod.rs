//! A stand-in of the provider's API over real HTTP, for `demo`, tests and benchmarks.
//!
//! It behaves as API.md says, and goes wrong as it is told to. It shares no rule with
//! `core`: it must be able to prove `core` wrong.
//!
//! - `rows`: the snapshots it holds; `wire`: their JSON; `log`: what was asked and done.
//! - `faults`: what is ordered to go wrong.
//! - `state`: what each call does; `serve`: HTTP, with answers that are cut, drip or hang.

pub mod faults;
pub mod log;
pub mod rows;
mod serve;
mod state;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use faults::Fault;
use log::{Counts, Request};
use rows::Row;
use state::State;

/// How the stand-in is set up.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Its time.
    pub clock: Clock,
    /// The token that it takes.
    pub token: String,
    /// Snapshots that a server may hold.
    pub limit: usize,
    /// Real time before each answer.
    pub latency: Duration,
    /// Time of the clock from a create to `completed`.
    pub completes_after: SignedDuration,
    /// Rows a page of a listing; `None`: no pages.
    pub page_size: Option<usize>,
}

/// A running stand-in on loopback; it ends when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    base_url: String,
    _stop: DropGuard,
}

/// What the handle and the connections share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    clock: Clock,
    latency: Duration,
    changed: watch::Sender<u64>,
    stop: CancellationToken,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|changes| *changes += 1);
    }
}

impl Sandbox {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start(config: SandboxConfig) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let base_url = format!("{origin}/api/v1");
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            clock: config.clock,
            latency: config.latency,
            state: Mutex::new(State::new(config, base_url.clone())),
            changed: watch::Sender::new(0),
            stop: stop.clone(),
        });
        tokio::spawn(serve::listen(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            base_url,
            _stop: stop.drop_guard(),
        })
    }

    /// What `api.base_url` is to be.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Orders something to go wrong.
    pub fn order(&self, fault: Fault) {
        self.shared.state().orders.add(fault);
    }

    /// Takes back every order.
    pub fn clear_orders(&self) {
        self.shared.state().orders.clear();
    }

    /// How many orders stand.
    pub fn orders(&self) -> usize {
        self.shared.state().orders.len()
    }

    /// Adds a server to the account.
    pub fn add_server(&self, id: u64, name: &str) {
        self.shared.state().add_server(id, name);
    }

    /// Gives a server another name.
    pub fn rename_server(&self, id: u64, name: &str) {
        let now = self.shared.clock.now().wall;
        self.shared.state().rename_server(id, name, now);
    }

    /// Adds a snapshot, as a person would, past every limit; its id.
    pub fn add_snapshot(&self, server: u64, name: &str, status: &str, at: Timestamp) -> u64 {
        let id = self.shared.state().put(server, name, status, at);
        self.shared.tell();
        id
    }

    /// Takes a snapshot away, as a person would.
    pub fn remove_snapshot(&self, id: u64) {
        let now = self.shared.clock.now().wall;
        self.shared.state().rows.remove(id, false, now);
        self.shared.tell();
    }

    /// The token that it takes from now on.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.shared.state().config.token);
    }

    /// Rows a page from now on.
    pub fn set_page_size(&self, rows: Option<usize>) {
        self.shared.state().config.page_size = rows;
    }

    /// Whether requests are kept one by one; counters are kept always.
    pub fn keep_log(&self, keep: bool) {
        self.shared.state().keep_log = keep;
    }

    /// What a server truly holds, newest first.
    pub fn truth(&self, server: u64) -> Vec<Row> {
        self.shared.state().rows.truth(Some(server))
    }

    /// What every server truly holds, newest first.
    pub fn all(&self) -> Vec<Row> {
        self.shared.state().rows.truth(None)
    }

    /// Every request, in the order in which they came.
    pub fn log(&self) -> Vec<Request> {
        self.shared.state().log.clone()
    }

    /// The names of all snapshots that creates made on this server, in order.
    pub fn created(&self, server: u64) -> Vec<String> {
        let state = self.shared.state();
        state.created.get(&server).cloned().unwrap_or_default()
    }

    /// Requests and effects so far.
    pub fn counts(&self) -> Counts {
        self.shared.state().counts
    }

    /// The most that a server ever held.
    pub fn max_held(&self, server: u64) -> usize {
        let state = self.shared.state();
        state.rows.max_held.get(&server).copied().unwrap_or(0)
    }

    /// Waits until the stand-in is in a state that satisfies this.
    pub async fn wait_for(&self, so: impl Fn(&Self) -> bool) {
        let mut changes = self.shared.changed.subscribe();
        while !so(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
