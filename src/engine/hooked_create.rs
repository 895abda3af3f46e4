//! Hook leases: runs a rotation's `before`, then its create, then its `after`, whatever happens in
//! between.
//!
//! `before` starts only when nothing else is left to do before the create, or before the stop that
//! precedes it. From then on every path leads to `release`, which needs neither the provider nor
//! the trail (I18).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::server_runtime::HoldRuntime;
use super::turn_outcome::ShuttingDown;
use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::Details;
use crate::core::decide::{Inventory, Step, release};
use crate::core::hook_release::{command, releases};
use crate::core::policy::{Hooks, Policy, Rotation};
use crate::core::server_event::{HookKind, HookOutcome, ServerEvent};
use crate::core::server_history::{HookLease, PendingOp};
use crate::core::snapshot::ServerId;
use crate::hooks::{HookJob, HookReport, RunnerLease};

/// Maximum number of servers that may be between `before` and an answered create, or stopped, at
/// the same time. More would only wait in the queue for the provider.
pub(super) const MOST_AT_ONCE: usize = 8;

/// How long shutdown waits for servers to be released.
pub(super) const LAST_RELEASES: Duration = Duration::from_secs(20);

/// Time limit of a hook that the policy in force no longer has.
const UNKNOWN_LIMIT: Duration = Duration::from_mins(5);

impl<A: SnapshotApi> Engine<A> {
    /// Runs `before`, performs the step, and leaves the release to the next decision.
    pub(super) async fn run_before_then_perform(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        step: Step,
        (rotation, hooks): (&Rotation, &Hooks),
    ) -> Result<(), ShuttingDown> {
        let Some(runner) = self.runner.get() else {
            tracing::error!(policy = policy.file, "no hook runner is available");
            return self.rest(self.wanted().rules.retry_after).await;
        };
        let Some(place) = self.standstill().await? else {
            return self.rest(self.wanted().rules.retry_after).await;
        };
        let Some(step) = self.still_wanted(policy, runtime, inventory, step, false) else {
            return Ok(());
        };
        let (Step::Create { name, .. } | Step::Stop { name, .. }) = &step else {
            return Ok(());
        };
        let job = job(policy, &rotation.name, name);
        let begun = ServerEvent::HookStarted {
            hook: HookKind::Before,
            rotation: rotation.name.clone(),
            snapshot: name.clone(),
            command: command(hooks, HookKind::Before).to_vec(),
        };
        if !self.noted(&policy.server, runtime, begun).await {
            drop(place);
            return self.rest(self.wanted().rules.poll_interval).await;
        }
        // Shutdown does not cancel `before`, since the hook has a time limit of its own.
        let (report, lease) = runner.begin(job).await;
        lock(runtime).held = Some(Box::new(HoldRuntime {
            lease,
            unrecorded: None,
        }));
        let go_on = report.ran != HookOutcome::Done && hooks.go_on;
        let good = report.ran == HookOutcome::Done || go_on;
        let ended = ServerEvent::HookFinished {
            hook: HookKind::Before,
            rotation: rotation.name.clone(),
            snapshot: name.clone(),
            outcome: report.ran,
            go_on,
            early: false,
            later: false,
            reason: report.reason,
        };
        if !self.noted(&policy.server, runtime, ended).await || !good {
            return Ok(());
        }
        let rules = self.wanted().rules;
        let patience = Some(rules.request_timeout);
        self.perform(policy, runtime, inventory, step, patience)
            .await?;
        let mut runtime = lock(runtime);
        if runtime.history.is_down() {
            // The server was stopped and its create is still to come, so it keeps its permit.
            runtime.place = Some(place);
        }
        Ok(())
    }

    /// Runs `after` if it is due. Returns false if the result can't be recorded.
    pub(super) async fn release_if_due(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
    ) -> bool {
        let rules = self.wanted().rules;
        loop {
            let due = {
                let runtime = lock(runtime);
                release(policy, &runtime.history, &rules, self.clock.now())
            };
            let Some(Step::After { early, reason, .. }) = due else {
                return true;
            };
            if !self
                .release(Some(policy), &policy.server, runtime, early, reason)
                .await
            {
                return false;
            }
        }
    }

    /// Runs the owed `after`. Returns false if the result can't be recorded.
    pub(super) async fn release(
        &self,
        policy: Option<&Policy>,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        early: bool,
        why: String,
    ) -> bool {
        let HoldRuntime { lease, unrecorded } = *lock(runtime).held.take().unwrap_or_default();
        let event = if let Some(event) = unrecorded {
            event
        } else {
            let hold = lock(runtime).history.hold.as_deref().cloned();
            let Some(hold) = hold else { return true };
            let owed = (hold, lease);
            self.run_after(policy, (server.clone(), runtime), owed, early, why)
                .await
        };
        let noted = self.noted(server, runtime, event.clone()).await;
        if !noted {
            lock(runtime).held.get_or_insert_default().unrecorded = Some(event);
        }
        noted
    }

    /// Runs `after` and returns the event to record.
    async fn run_after(
        &self,
        policy: Option<&Policy>,
        (server, runtime): (ServerId, &Mutex<ServerRuntime>),
        (hold, lease): (HookLease, Option<RunnerLease>),
        early: bool,
        why: String,
    ) -> ServerEvent {
        let rotation = policy.and_then(|policy| policy.rotation(&hold.rotation));
        let hooks = rotation.and_then(|rotation| rotation.hooks.as_deref());
        let begun = ServerEvent::HookStarted {
            hook: HookKind::After,
            rotation: hold.rotation.clone(),
            snapshot: hold.snapshot.clone(),
            command: hooks.map_or_else(Vec::new, |hooks| command(hooks, HookKind::After).to_vec()),
        };
        // `after` runs even if its start can't be recorded.
        self.noted(&server, runtime, begun).await;
        let by_lease = match lease {
            Some(lease) => lease.release(why.clone()).await,
            None => None,
        };
        let report = match (by_lease, policy, self.runner.get()) {
            (Some(report), ..) => report,
            (None, Some(policy), Some(runner)) => {
                let job = job(policy, &hold.rotation, &hold.snapshot);
                runner.after(job, why.clone()).await
            }
            (None, None, _) => HookReport::bad(HookOutcome::Failed, "its policy was removed"),
            (None, _, None) => HookReport::bad(HookOutcome::Failed, "no hook runner is available"),
        };
        let paused = lock(runtime).history.paused().is_some();
        let reason = match (report.ran, report.said.as_str()) {
            // The runner's reason for a failure already contains the hook's output.
            (HookOutcome::Failed | HookOutcome::NotStarted, _) => report.reason,
            (HookOutcome::Done, said) => {
                let why = if report.early { report.reason } else { why };
                match said {
                    "" => why,
                    said => format!("{why}; hook output: {said}"),
                }
            }
        };
        ServerEvent::HookFinished {
            hook: HookKind::After,
            early: (early || (report.early && hold.created)) && releases(hooks),
            later: !(hold.created || hold.tried || paused || self.stop.is_cancelled()),
            rotation: hold.rotation,
            snapshot: hold.snapshot,
            outcome: report.ran,
            go_on: false,
            reason,
        }
    }

    /// Releases every held server at shutdown.
    pub(super) async fn release_all(&self) {
        let wanted = self.wanted();
        let owed: Vec<_> = {
            let runtimes = lock(&self.runtimes);
            let held = runtimes
                .iter()
                .filter(|(_, runtime)| lock(runtime).history.hold.is_some());
            held.map(|(server, runtime)| (server.clone(), Arc::clone(runtime)))
                .collect()
        };
        let releases = owed.iter().map(|(server, runtime)| {
            let policy = self.policy_of_state(server, &wanted).map(Arc::as_ref);
            async move {
                let hold = lock(runtime).history.hold.as_deref().cloned();
                let early = hold.is_some_and(|hold| making(runtime, &hold.snapshot));
                let why = "the service is stopping".to_owned();
                self.release(policy, server, runtime, early, why).await;
            }
        });
        let all = futures_util::future::join_all(releases);
        if tokio::time::timeout(LAST_RELEASES, all).await.is_err() {
            tracing::error!(
                "not every server was released in time; the next start of the service releases the rest"
            );
        }
    }

    async fn noted(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        event: ServerEvent,
    ) -> bool {
        let written = self.record(server, runtime, event, Details::default());
        written.await.is_ok()
    }
}

/// Returns true if the snapshot's create is still open.
fn making(runtime: &Mutex<ServerRuntime>, snapshot: &str) -> bool {
    let runtime = lock(runtime);
    matches!(&runtime.history.open, Some(PendingOp::Create { name, .. }) if name == snapshot)
}

fn job(policy: &Policy, rotation: &str, snapshot: &str) -> HookJob {
    let hooks = policy.rotation(rotation).and_then(|r| r.hooks.as_deref());
    let limit = hooks.and_then(|hooks| hooks.timeout.try_into().ok());
    HookJob {
        policy: policy.file.clone(),
        rotation: rotation.into(),
        snapshot: snapshot.into(),
        server: policy.server.clone(),
        limit: limit.unwrap_or(UNKNOWN_LIMIT),
    }
}
