//! Runs the hooks of a rotation. One process, the runner, has a hold from `before` to
//! `after`: it runs `after` when it is told to, and by itself when whoever began the hold is
//! gone, when it is asked to end, and when `max_hold` is over. So a service that dies
//! releases the server all the same.
//!
//! - here: what the engine asks for, and what it is answered.
//! - `runner`: what the runner does; `protocol`: what is said between it and the service;
//!   `authorize`: who may ask.
//! - `launch`: a runner for each hold: behind a socket of systemd's, else a child of ours.

pub mod authorize;
mod launch;
mod protocol;
pub mod runner;

pub use launch::{RunnerLauncher, unit_socket};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::core::event::HookOutcome;
use crate::core::snapshot::ServerId;

/// For what a server is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookJob {
    /// The stem of the policy's file.
    pub policy: String,
    /// The rotation whose hooks are run.
    pub rotation: String,
    /// The snapshot's name.
    pub snapshot: String,
    /// The provider's id of the server; the runner goes by the policy's file.
    pub server: ServerId,
    /// How long one run may take, as the service knows it.
    #[serde(skip)]
    pub limit: Duration,
}

/// What came of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReport {
    /// How it ended.
    pub ran: HookOutcome,
    /// Why, or what it said.
    pub reason: String,
    /// What it said beside a reason that is another's; cut.
    #[serde(default)]
    pub said: String,
    /// Whether it was run before it was asked for.
    #[serde(default)]
    pub early: bool,
}

impl HookReport {
    /// One that didn't do well.
    pub fn bad(ran: HookOutcome, reason: impl Into<String>) -> Self {
        Self {
            ran,
            reason: reason.into(),
            said: String::new(),
            early: false,
        }
    }
}

/// A future that the engine can hold without knowing who made it.
pub type BoxedFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who runs hooks.
pub trait Runner: Send + Sync {
    /// Runs `before`. From then on the server is held, until the lease is released or dropped;
    /// there is none where nothing was run.
    fn begin(&self, job: HookJob) -> BoxedFuture<'_, (HookReport, Option<RunnerLease>)>;

    /// Runs `after` of a hold whose lease is lost.
    fn after(&self, job: HookJob, why: String) -> BoxedFuture<'_, HookReport>;
}

/// A hold: who drops it releases the server.
pub struct RunnerLease {
    release: oneshot::Sender<String>,
    ended: oneshot::Receiver<HookReport>,
}

/// The other side of a lease.
pub struct RunnerHandle {
    /// Why the server is to be released; an error when the lease was dropped.
    pub released: oneshot::Receiver<String>,
    /// What came of `after`.
    pub ended: oneshot::Sender<HookReport>,
}

impl RunnerLease {
    /// A lease and its other side.
    pub fn new() -> (Self, RunnerHandle) {
        let (release, released) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let lease = Self {
            release,
            ended: end,
        };
        (lease, RunnerHandle { released, ended })
    }

    /// Has `after` run, and waits for it; `None`: the runner is gone, and nobody knows.
    pub async fn release(self, why: String) -> Option<HookReport> {
        let _ended_already = self.release.send(why);
        self.ended.await.ok()
    }

    /// Whether the runner has released the server by itself, or is gone.
    pub fn is_over(&self) -> bool {
        self.release.is_closed()
    }
}
