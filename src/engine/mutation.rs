//! Performs one mutation: permit, intent, call, outcome.

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::account_health::MutationPermit;
use super::call_outcome::{extra, judge_create_answer, outcome};
use super::pending_order::OrderOutcome;
use super::turn_outcome::ShuttingDown;
use super::{Engine, ServerRuntime, lock};
use crate::api::{ErrorKind, NewSnapshot, Permit, SnapshotApi};
use crate::audit::Details;
use crate::core::decide::{Inventory, Step};
use crate::core::policy::Policy;
use crate::core::server_event::{Outcome, ServerEvent, TransientRefusal};
use crate::core::snapshot::{ServerId, SnapshotId};
use crate::core::taken_late_text::description;

/// Number of times that `once` tries to record an outcome. If all attempts fail, the next process
/// finds the intent open.
const LAST_TRIES: u32 = 3;

impl<A: SnapshotApi> Engine<A> {
    /// Performs a create, delete or stop that was decided from this inventory.
    pub(super) async fn act(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        step: Step,
    ) -> Result<(), ShuttingDown> {
        let (Step::Create { rotation, .. } | Step::Stop { rotation, .. }) = &step else {
            return self.perform(policy, runtime, inventory, step, None).await;
        };
        // A server that is already stopped is already held, if its rotation has hooks.
        let down = lock(runtime).history.is_down();
        if let Some(rotation) = policy.rotation(rotation)
            && let Some(hooks) = rotation.hooks.as_deref()
            && !down
        {
            let hooks = (rotation, hooks);
            return Box::pin(self.run_before_then_perform(policy, runtime, inventory, step, hooks))
                .await;
        }
        if matches!(step, Step::Stop { .. }) {
            return Box::pin(self.stop_for(policy, runtime, inventory, step)).await;
        }
        let patience = down.then(|| self.wanted().rules.request_timeout);
        self.perform(policy, runtime, inventory, step, patience)
            .await
    }

    /// Performs the step. If the server is held or stopped for it, waits at most `patience` for a
    /// permit, and leaves the step undone on any obstacle.
    pub(super) async fn perform(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        step: Step,
        patience: Option<SignedDuration>,
    ) -> Result<(), ShuttingDown> {
        let held = patience.is_some();
        // The intent is written last, after everything that takes time.
        let pass = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(ShuttingDown),
            pass = self.api.admit() => pass,
            () = self.clock.sleep(patience.unwrap_or_default()), if held => return Ok(()),
        };
        let rules = self.wanted().rules;
        let Ok(pass) = pass else {
            // The next listing fails for the same reason, and reports it.
            return self.rest(rules.poll_interval).await;
        };
        let Some(leave) = self.account.mutation_permit(self.clock.now().mono) else {
            drop(pass);
            if held {
                return Ok(());
            }
            return self.rest(rules.retry_after).await;
        };
        self.wait_for_policy_swap().await?;
        let wanted = |step| self.still_wanted(policy, runtime, inventory, step, held);
        let Some(mut step) = wanted(step) else {
            return Ok(());
        };
        let is_stop = matches!(step, Step::Stop { .. });
        let pass = if is_stop && self.is_stale(inventory) {
            let Some(pass) = self.still_active(pass, &policy.server).await else {
                return Ok(());
            };
            self.wait_for_policy_swap().await?;
            let Some(again) = wanted(step) else {
                return Ok(());
            };
            step = again;
            pass
        } else {
            pass
        };
        let way = (pass, leave);
        let answer = match step {
            Step::Create { rotation, name, .. }
                if Self::is_spent(policy, runtime, &rotation, &name) =>
            {
                tracing::error!(
                    policy = policy.file,
                    name = name.as_str(),
                    "all attempts have already been sent; this is a bug, please report it"
                );
                None
            }
            Step::Create {
                rotation,
                name,
                reason,
            } => {
                let rows = inventory.snapshots.iter();
                let new = NewSnapshot {
                    server: policy.server.clone(),
                    name: name.clone().into(),
                    description: self.description(policy, runtime, &rotation, &name),
                };
                let intent = ServerEvent::CreateIntent {
                    rotation,
                    known: rows.map(|s| s.id.clone()).collect(),
                    snapshot: name,
                    reason,
                    by: None,
                    spare: None,
                    expires: None,
                };
                self.create(policy, runtime, way, &new, intent).await?
            }
            Step::Stop {
                rotation,
                name,
                reason,
            } => {
                let by_policy = policy.rotation(&rotation).and_then(|r| r.stop.as_deref());
                let intent = ServerEvent::StopIntent {
                    max_stopped: by_policy.map(|stop| stop.longest),
                    rotation,
                    snapshot: name,
                    reason,
                };
                self.stop_server(&policy.server, runtime, way, intent)
                    .await?
            }
            Step::Delete {
                id,
                name,
                rotation,
                prune_first,
                paid_by,
                expired,
                reason,
            } => {
                let ids = || inventory.snapshots.iter().map(|s| s.id.clone()).collect();
                let intent = ServerEvent::DeleteIntent {
                    rotation,
                    snapshot: name,
                    id: id.clone(),
                    prune_first: prune_first.then(ids),
                    paid_by,
                    expired,
                    reason,
                    by: None,
                };
                self.delete(policy, runtime, way, id, intent).await?
            }
            _ => return Ok(()),
        };
        if answer.is_none() && !held {
            return self.rest(self.wanted().rules.poll_interval).await;
        }
        Ok(())
    }

    /// Returns the policy's description of a slot's snapshot. Defaults to a text that names the
    /// slot and, if the snapshot is late, says by how much.
    fn description(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        rotation: &str,
        name: &str,
    ) -> Option<String> {
        let rotation = policy.rotation(rotation)?;
        rotation.description.clone().or_else(|| {
            let slot = lock(runtime).history.slot(&rotation.name, name)?.at;
            Some(description(rotation, slot, self.clock.now().wall))
        })
    }

    /// Returns true if the trail contains as many creates of this name as the rotation has
    /// attempts, or if the rotation or the slot does not exist. A last safeguard that does not
    /// depend on the decision (I9).
    fn is_spent(
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        rotation: &str,
        name: &str,
    ) -> bool {
        let Some(attempts) = policy.rotation(rotation).map(|rotation| rotation.attempts) else {
            return true;
        };
        let runtime = lock(runtime);
        runtime.history.slot(rotation, name).is_none() || runtime.history.intents(name) >= attempts
    }

    /// Sends a create. If the intent can't be recorded, sends nothing and returns `None`.
    pub(super) async fn create(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        (pass, leave): (Permit, MutationPermit<'_>),
        new: &NewSnapshot,
        intent: ServerEvent,
    ) -> Result<Option<OrderOutcome>, ShuttingDown> {
        let known = match &intent {
            ServerEvent::CreateIntent { known, .. } => known.clone(),
            _ => BTreeSet::new(),
        };
        if !self.intend(&policy.server, runtime, intent).await {
            return Ok(None);
        }
        let (began, heard) = (Instant::now(), pass.heard());
        let answer = self.api.create(pass, new).await;
        let mut extra = extra(began, answer.as_ref().err(), &heard);
        self.update_account_health(leave, answer.as_ref().err())
            .await;
        let (mut hindrance, mut said) = (None, None);
        let (outcome, id, server_name) = match answer {
            Ok(made) => {
                let is_known =
                    |id: &_| known.contains(id) || self.owners.is_of_another(&policy.server, id);
                let (outcome, id, odd) = judge_create_answer(&made, new, is_known);
                extra.error = odd;
                // The policy may name the server by its name or by its hostname.
                let by_host = made.hostname.is_some() && made.hostname == policy.name;
                let name = if by_host {
                    made.hostname
                } else {
                    made.server_name
                };
                (outcome, id, name)
            }
            Err(error) => {
                hindrance = match error.kind {
                    ErrorKind::Account => Some(TransientRefusal::Token),
                    ErrorKind::Later if error.status == Some(429) => Some(TransientRefusal::Rate),
                    _ => None,
                };
                said.clone_from(&error.said);
                (outcome(&error, Outcome::NoServer), None, None)
            }
        };
        // A listing that lacks this id must then be confirmed by the next one.
        lock(runtime).listed.made(id.clone());
        let event = ServerEvent::CreateResult {
            snapshot: new.name.clone().into(),
            outcome,
            id: id.clone(),
            server_name,
            looked_for: false,
            hindrance,
            said,
        };
        let answer = OrderOutcome::of(outcome, &extra, id);
        self.conclude(&policy.server, runtime, event, extra).await?;
        Ok(Some(answer))
    }

    /// Sends a delete. If the intent can't be recorded, sends nothing and returns `None`.
    pub(super) async fn delete(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        (pass, leave): (Permit, MutationPermit<'_>),
        id: SnapshotId,
        intent: ServerEvent,
    ) -> Result<Option<OrderOutcome>, ShuttingDown> {
        if !self.intend(&policy.server, runtime, intent).await {
            return Ok(None);
        }
        let (began, heard) = (Instant::now(), pass.heard());
        let answer = self.api.delete(pass, id.clone()).await;
        let extra = extra(began, answer.as_ref().err(), &heard);
        let outcome = match &answer {
            Ok(()) => Outcome::Done,
            // 404: done, once listings agree that the snapshot is gone.
            Err(error) => outcome(error, Outcome::Done),
        };
        self.update_account_health(leave, answer.as_ref().err())
            .await;
        // Without an answer, two listings must agree that the snapshot is gone.
        if outcome == Outcome::Done {
            lock(runtime).listed.deleted(&id);
        }
        let answer = OrderOutcome::of(outcome, &extra, Some(id.clone()));
        let event = ServerEvent::DeleteResult { id, outcome };
        self.conclude(&policy.server, runtime, event, extra).await?;
        Ok(Some(answer))
    }

    /// Sends a restore, which only an operator may order and which is never sent again (I12). If
    /// the intent can't be recorded, sends nothing and returns `None`.
    pub(super) async fn restore(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        (pass, leave): (Permit, MutationPermit<'_>),
        id: SnapshotId,
        intent: ServerEvent,
    ) -> Result<Option<OrderOutcome>, ShuttingDown> {
        if !self.intend(&policy.server, runtime, intent).await {
            return Ok(None);
        }
        let (began, heard) = (Instant::now(), pass.heard());
        let answer = self.api.restore(pass, id.clone()).await;
        let extra = extra(began, answer.as_ref().err(), &heard);
        let outcome = match &answer {
            Ok(()) => Outcome::Done,
            Err(error) => outcome(error, Outcome::Failed),
        };
        self.update_account_health(leave, answer.as_ref().err())
            .await;
        let answer = OrderOutcome::of(outcome, &extra, Some(id.clone()));
        let event = ServerEvent::RestoreResult { id, outcome };
        self.conclude(&policy.server, runtime, event, extra).await?;
        Ok(Some(answer))
    }

    /// Records the intent; returns true once it is durable (I6). Nothing is awaited between the
    /// last check and this call, so a pause either precedes the check or finds the intent.
    pub(super) async fn intend(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        intent: ServerEvent,
    ) -> bool {
        lock(runtime).intending = true;
        let written = self.record(server, runtime, intent, Details::default());
        let written = written.await.is_ok();
        lock(runtime).intending = false;
        written
    }

    /// Records the outcome and retries until it is written, since every intent gets one (I6). If
    /// the service stops first, or `once` gives up, the next process finds the intent open, which
    /// is equivalent to an unknown outcome.
    pub(super) async fn conclude(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        event: ServerEvent,
        extra: Details,
    ) -> Result<(), ShuttingDown> {
        loop {
            let written = self
                .record(server, runtime, event.clone(), extra.clone())
                .await;
            if written.is_ok() {
                return Ok(());
            }
            let rules = self.wanted().rules;
            if rules.count_all && lock(runtime).unwritten >= LAST_TRIES {
                return Err(ShuttingDown);
            }
            // A server that is stopped must not wait for the trail (I20).
            if self.is_start_due(server, runtime) {
                let state = self.state_of(server, runtime).await.state;
                self.start_unrecorded(server, runtime, &state).await;
            }
            self.rest(rules.poll_interval).await?;
        }
    }
}
