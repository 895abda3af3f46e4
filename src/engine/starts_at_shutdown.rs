//! The starts that are owed when the service ends (I20).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;

use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::Details;
use crate::core::server_event::{AlertKind, ServerEvent};
use crate::core::server_info::ServerInfo;
use crate::core::snapshot::ServerId;
use crate::core::start_at_shutdown::{ShutdownStep, at_end};
use crate::logged;

/// How long shutdown waits for servers that are owed a start.
pub(super) const LAST_STARTS: Duration = Duration::from_mins(1);

/// Longest pause between two requests for a server's state during shutdown.
const END_POLL: SignedDuration = SignedDuration::from_secs(1);

/// Longest pause after a start that is sent during shutdown.
const END_BACKOFF: SignedDuration = SignedDuration::from_secs(8);

impl<A: SnapshotApi> Engine<A> {
    /// Starts every server that the rotation stopped and that is still down at shutdown. Otherwise
    /// only the next process could start it, and that may begin much later.
    pub(super) async fn start_all(&self) {
        let down: Vec<_> = {
            let runtimes = lock(&self.runtimes);
            let down = runtimes
                .iter()
                .filter(|(_, runtime)| lock(runtime).history.downtime.is_some());
            down.map(|(server, runtime)| (server.clone(), Arc::clone(runtime)))
                .collect()
        };
        let starts = down
            .iter()
            .map(|(server, runtime)| self.bring_up(server, runtime));
        let all = futures_util::future::join_all(starts);
        let _late = tokio::time::timeout(LAST_STARTS, all).await;
        for (server, runtime) in &down {
            self.left_stopped(server, runtime).await;
        }
    }

    /// Sends starts until the server is seen active. First waits for a stop that has had no effect
    /// yet, since it would undo the start.
    async fn bring_up(&self, server: &ServerId, runtime: &Mutex<ServerRuntime>) {
        let wanted = self.wanted();
        let policy = wanted.policies.get(server).map(Arc::as_ref);
        let pause = wanted.rules.poll_interval.min(END_POLL);
        let mut backoff = pause;
        loop {
            let ServerInfo { state, .. } = self.state_of(server, runtime).await;
            let now = self.clock.now();
            let step = {
                let mut runtime = lock(runtime);
                runtime.history.observe_state(Some(&state), now);
                at_end(policy, &runtime.history, &state, now)
            };
            match step {
                ShutdownStep::Record(event) => {
                    let record = self.record(server, runtime, event, Details::default());
                    if record.await.is_err() {
                        self.start_unrecorded(server, runtime, &state).await;
                        self.clock.sleep(pause).await;
                    }
                }
                ShutdownStep::Start(start) => {
                    let way = (
                        self.api.admit_owed().await,
                        self.account.owed_start_permit(),
                    );
                    if !matches!(self.send_start(server, runtime, way, start).await, Ok(true)) {
                        self.start_unrecorded(server, runtime, &state).await;
                    }
                    self.clock.sleep(backoff).await;
                    backoff = (backoff * 2).min(END_BACKOFF);
                }
                ShutdownStep::Wait => self.clock.sleep(pause).await,
                ShutdownStep::Over => return,
            }
        }
    }

    /// Reports a server that the service leaves without an accepted start.
    async fn left_stopped(&self, server: &ServerId, runtime: &Mutex<ServerRuntime>) {
        let left = lock(runtime).history.left_stopped();
        let Some((rotation, reason)) = left else {
            return;
        };
        let called = self.place(server).name;
        tracing::error!(
            server = logged::id(server),
            server_name = called,
            "{reason}"
        );
        let standing = (AlertKind::ServerStopped, rotation);
        if !lock(runtime).history.alerts.contains_key(&standing) {
            let ((alert, about), text) = (standing, reason.into());
            let raised = ServerEvent::AlertRaised { alert, about, text };
            // If the record can't be written, the log entry above is all that remains.
            let _unwritten = self
                .record(server, runtime, raised, Details::default())
                .await;
        }
    }
}
