//! Runs the hooks of a rotation. One process, the runner, holds the server from `before` to
//! `after`. It runs `after` on request, and by itself when the process that began the hold is gone,
//! when the runner is asked to end, or when `max_hold` has elapsed. The server is therefore
//! released even if the service dies.
//!
//! - this module: the engine's interface to hooks.
//! - `runner`: the runner's process; `protocol`: its messages; `authorize`: who may use it.
//! - `launch`: starts a runner for each hold, behind systemd's socket or as a child process.

pub mod authorize;
mod launch;
mod protocol;
pub mod runner;

pub use launch::{LOCKS, RunnerLauncher, unit_socket};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::core::rotation_and_snapshot_name::{RotationName, SnapshotName};
use crate::core::server_event::HookOutcome;
use crate::core::snapshot::ServerId;

/// The server, the rotation and the snapshot that a hook is run for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookJob {
    /// Stem of the policy's file.
    pub policy: String,
    /// The rotation whose hooks are run.
    pub rotation: RotationName,
    /// The snapshot's name.
    pub snapshot: SnapshotName,
    /// The provider's id of the server; the runner reads the id from the policy's file instead.
    pub server: ServerId,
    /// Longest time for one run, according to the service.
    #[serde(skip)]
    pub limit: Duration,
}

/// Result of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReport {
    /// How it ended.
    pub ran: HookOutcome,
    /// The reason for the outcome, with the hook's output.
    pub reason: String,
    /// The truncated output of a hook that succeeded; a failed hook's output is only in `reason`.
    #[serde(default)]
    pub said: String,
    /// True if `after` was run without a request.
    #[serde(default)]
    pub early: bool,
}

impl HookReport {
    /// Returns the report of a hook that did not succeed.
    pub fn bad(ran: HookOutcome, reason: impl Into<String>) -> Self {
        Self {
            ran,
            reason: reason.into(),
            said: String::new(),
            early: false,
        }
    }
}

/// A boxed future, so that the engine does not depend on the implementation.
pub type BoxedFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs hooks.
pub trait Runner: Send + Sync {
    /// Runs `before`. From then on the server is held until the lease is released or dropped. There
    /// is no lease if nothing was run.
    fn begin(&self, job: HookJob) -> BoxedFuture<'_, (HookReport, Option<RunnerLease>)>;

    /// Runs `after` of a hold whose lease is lost.
    fn after(&self, job: HookJob, why: String) -> BoxedFuture<'_, HookReport>;
}

/// A hold on a server. Dropping it releases the server.
pub struct RunnerLease {
    release: oneshot::Sender<String>,
    ended: oneshot::Receiver<HookReport>,
}

/// The runner's side of a lease.
pub struct RunnerHandle {
    /// Receives the reason for the release; an error if the lease was dropped.
    pub released: oneshot::Receiver<String>,
    /// Sends the result of `after`.
    pub ended: oneshot::Sender<HookReport>,
}

impl RunnerLease {
    /// Returns a lease and its other side.
    pub fn new() -> (Self, RunnerHandle) {
        let (release, released) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let lease = Self {
            release,
            ended: end,
        };
        (lease, RunnerHandle { released, ended })
    }

    /// Requests `after` and waits for it; `None` if the runner is gone and the outcome is unknown.
    pub async fn release(self, why: String) -> Option<HookReport> {
        let _ended_already = self.release.send(why);
        self.ended.await.ok()
    }

    /// Returns true if the runner has released the server by itself, or is gone.
    pub fn is_over(&self) -> bool {
        self.release.is_closed()
    }
}
