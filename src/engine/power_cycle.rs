//! Stops a server for its snapshot, and sends the owed start until the server is seen active (I20).
//!
//! Each call follows its intent, as every mutation does, except for a start while the trail can't
//! be written (I6). The start needs neither a listing nor a policy, and no pause delays it.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::account_health::MutationPermit;
use super::call_outcome::{extra, outcome};
use super::pending_order::OrderOutcome;
use super::turn_outcome::{Requeue, ShuttingDown};
use super::{Engine, ServerRuntime, lock};
use crate::api::{Permit, PowerAction, SnapshotApi};
use crate::audit::Details;
use crate::core::decide::{Inventory, Step};
use crate::core::policy::Policy;
use crate::core::server_event::{AlertKind, Outcome, ServerEvent};
use crate::core::server_info::{PowerState, ServerInfo};
use crate::core::server_start::{is_start_due, next_power_step};
use crate::core::snapshot::ServerId;
use crate::logged;

/// A state older than this is requested again before a stop, since a person may have stopped the
/// server meanwhile.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

impl<A: SnapshotApi> Engine<A> {
    /// Sends the start that is owed to a stopped server, before anything is listed. Returns the
    /// server's state if a start is still owed, else `None`. If nothing else can be done now, fails
    /// with the time of the next look.
    pub(super) async fn send_owed_start(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        policy: Option<&Policy>,
    ) -> Result<Option<PowerState>, Requeue> {
        let rules = self.wanted().rules;
        let asked = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            detail = self.state_of(server, runtime) => Some(detail),
        };
        let Some(ServerInfo { state, .. }) = asked else {
            return Err(Requeue::Until(None));
        };
        loop {
            let step = {
                let mut runtime = lock(runtime);
                let now = self.clock.now();
                runtime.history.observe_state(Some(&state), now);
                next_power_step(policy, &runtime.history, &rules, Some(&state), now)
            };
            let over = match step {
                Some(Step::Record(event)) => {
                    let record = self.record(server, runtime, event, Details::default());
                    record.await.is_err()
                }
                Some(start @ Step::Start { .. }) => {
                    match self.start(server, runtime, start).await {
                        Ok(true) => break,
                        Ok(false) => true,
                        Err(ShuttingDown) => return Err(Requeue::Until(None)),
                    }
                }
                _ => break,
            };
            if over {
                if self.is_start_due(server, runtime) {
                    self.start_unrecorded(server, runtime, &state).await;
                }
                return Err(Requeue::After(rules.poll_interval));
            }
        }
        let down = lock(runtime).history.downtime.is_some();
        if down && lock(runtime).is_end_unwritten() {
            self.start_unrecorded(server, runtime, &state).await;
        }
        if !down && !self.tell_started(server, runtime).await {
            return Err(Requeue::After(rules.poll_interval));
        }
        if !down {
            lock(runtime).place = None;
            return Ok(None);
        }
        if policy.is_none() {
            return Err(Requeue::After(rules.poll_interval));
        }
        Ok(Some(state))
    }

    /// Returns true if the start of a stopped server is due.
    pub(super) fn is_start_due(&self, server: &ServerId, runtime: &Mutex<ServerRuntime>) -> bool {
        let wanted = self.wanted();
        let policy = wanted.policies.get(server).map(Arc::as_ref);
        let now = self.clock.now();
        is_start_due(policy, &lock(runtime).history, &wanted.rules, now)
    }

    /// Clears the `server_stopped` alerts of a server that is no longer down; this needs no
    /// listing. Returns false if that can't be recorded.
    async fn tell_started(&self, server: &ServerId, runtime: &Mutex<ServerRuntime>) -> bool {
        loop {
            let alert = {
                let runtime = lock(runtime);
                let mut alerts = runtime.history.alerts.keys();
                let of_power = alerts.find(|(kind, _)| *kind == AlertKind::ServerStopped);
                of_power.cloned()
            };
            let Some((alert, about)) = alert else {
                return true;
            };
            let cleared = ServerEvent::AlertCleared { alert, about };
            let record = self.record(server, runtime, cleared, Details::default());
            if record.await.is_err() {
                return false;
            }
        }
    }

    /// Asks the provider for the server's state. Returns `None` if the service is stopping.
    pub(super) async fn ask_state(&self, server: &ServerId) -> Option<ServerInfo> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            detail = self.api.state_once_admitted(server) => Some(detail),
        }
    }

    /// Stops the server for a snapshot, once a permit for a stopped server is free.
    pub(super) async fn stop_for(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        step: Step,
    ) -> Result<(), ShuttingDown> {
        let Some(place) = self.standstill().await? else {
            return self.rest(self.wanted().rules.retry_after).await;
        };
        lock(runtime).place = Some(place);
        let performed = self.perform(policy, runtime, inventory, step, None);
        // Boxed so that the future of a server that waits for its listing stays small (10,000 of
        // them may be alive).
        Box::pin(performed).await?;
        let mut runtime = lock(runtime);
        if !runtime.history.is_down() {
            runtime.place = None;
        }
        Ok(())
    }

    /// Returns true if the server's state may have changed since it was requested, because the stop
    /// waited for a permit, the rate limit or a hook.
    pub(super) fn is_stale(&self, inventory: &Inventory) -> bool {
        self.clock.now().mono - inventory.requested > FRESH
    }

    /// Requests the state again, using the permit of the stop. Returns another permit for the stop,
    /// or `None` if the server is not seen active.
    pub(super) async fn still_active(&self, pass: Permit, server: &ServerId) -> Option<Permit> {
        let asked = self.api.state(pass, server).await;
        if asked.state != PowerState::Active {
            return None;
        }
        Some(self.api.admit_owed().await)
    }

    /// Waits for a permit to hold or stop a server. The caller keeps it until the create is
    /// answered or, after a stop, until the downtime ends. Returns `None` while mutations are
    /// stopped because the token was rejected.
    pub(super) async fn standstill(&self) -> Result<Option<OwnedSemaphorePermit>, ShuttingDown> {
        let place = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(ShuttingDown),
            place = Arc::clone(&self.holds).acquire_owned() => place,
        };
        let barred = self
            .account
            .mutation_permit(self.clock.now().mono)
            .is_none();
        Ok(place.ok().filter(|_| !barred))
    }

    /// Sends a stop. If the intent can't be recorded, sends nothing and returns `None`.
    pub(super) async fn stop_server(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        way: (Permit, MutationPermit<'_>),
        intent: ServerEvent,
    ) -> Result<Option<OrderOutcome>, ShuttingDown> {
        let ServerEvent::StopIntent { snapshot, .. } = intent.clone() else {
            return Ok(None);
        };
        let call = self.power(server, runtime, way, PowerAction::Stop, intent);
        let call = call.await;
        let Some((outcome, said, extra)) = call else {
            return Ok(None);
        };
        let answer = OrderOutcome::of(outcome, &extra, None);
        let event = ServerEvent::StopResult {
            snapshot,
            outcome,
            said,
        };
        self.conclude(server, runtime, event, extra).await?;
        Ok(Some(answer))
    }

    /// Sends a start ahead of all other waiting requests. If the intent can't be recorded, sends
    /// nothing and returns false.
    pub(super) async fn start(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        start: Step,
    ) -> Result<bool, ShuttingDown> {
        let pass = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(ShuttingDown),
            pass = self.api.admit_owed() => pass,
        };
        let leave = self.account.owed_start_permit();
        self.send_start(server, runtime, (pass, leave), start).await
    }

    /// Sends a start. If the intent can't be recorded, sends nothing and returns false.
    pub(super) async fn send_start(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        way: (Permit, MutationPermit<'_>),
        start: Step,
    ) -> Result<bool, ShuttingDown> {
        let Step::Start {
            rotation,
            name,
            early,
            reason,
        } = start
        else {
            return Ok(true);
        };
        let intent = ServerEvent::StartIntent {
            rotation,
            snapshot: name.clone(),
            early,
            reason,
        };
        let call = self
            .power(server, runtime, way, PowerAction::Start, intent)
            .await;
        let Some((outcome, said, extra)) = call else {
            return Ok(false);
        };
        let event = ServerEvent::StartResult {
            snapshot: name,
            outcome,
            said,
        };
        self.conclude(server, runtime, event, extra).await?;
        Ok(true)
    }

    /// Records the intent, sends the call once, and returns its outcome. If the intent can't be
    /// recorded, sends nothing and returns `None`.
    async fn power(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        (pass, leave): (Permit, MutationPermit<'_>),
        action: PowerAction,
        intent: ServerEvent,
    ) -> Option<(Outcome, Option<String>, Details)> {
        let known_as = lock(runtime).history.power_id(server);
        if !self.intend(server, runtime, intent).await {
            return None;
        }
        let (began, heard) = (Instant::now(), pass.heard());
        let answer = self.api.power(pass, &known_as, action).await;
        let extra = extra(began, answer.as_ref().err(), &heard);
        self.update_account_health(leave, answer.as_ref().err())
            .await;
        let said = answer.as_ref().err().and_then(|error| error.said.clone());
        let outcome = answer.map_or_else(
            |error| match error.status {
                Some(405) => Outcome::NoServer,
                _ => outcome(&error, Outcome::NoServer),
            },
            |()| Outcome::Done,
        );
        Some((outcome, said, extra))
    }

    /// Starts a server that is not seen active, even though the trail can't be written. A start
    /// does no harm; a server that stays down does. This is the exception in I6.
    pub(super) async fn start_unrecorded(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        state: &PowerState,
    ) {
        if *state == PowerState::Active {
            return;
        }
        let called = self.place(server).name;
        tracing::error!(
            server = logged::id(server),
            server_name = called,
            "the trail can't be written; the stopped server is started anyway"
        );
        let pass = self.api.admit_owed().await;
        let known_as = lock(runtime).history.power_id(server);
        if let Err(error) = self.api.power(pass, &known_as, PowerAction::Start).await {
            tracing::error!(server = logged::id(server), server_name = called, %error, "the server could not be started");
        }
    }

    /// Returns the server's state, requested under the id that power calls use.
    pub(super) async fn state_of(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
    ) -> ServerInfo {
        let known_as = lock(runtime).history.power_id(server);
        let pass = self.api.admit_owed().await;
        self.api.state(pass, &known_as).await
    }
}
