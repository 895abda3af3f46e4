//! Stops a server for its snapshot, and sends the owed start until the server is seen active (I20).
//!
//! Each call follows its intent, as every mutation does. The start needs neither a listing nor a
//! policy, and no pause delays it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::account_health::MutationPermit;
use super::call_outcome::{extra, outcome};
use super::pending_order::OrderOutcome;
use super::requeue::{Requeue, ShuttingDown};
use super::{Engine, ServerRuntime, lock};
use crate::api::{Permit, PowerAction, SnapshotApi};
use crate::audit::Details;
use crate::core::decide::{Inventory, Step};
use crate::core::event::{AlertKind, Outcome, ServerEvent};
use crate::core::policy::Policy;
use crate::core::power_state::{PowerState, ServerInfo};
use crate::core::server_start::{is_start_due, owed};
use crate::core::snapshot::ServerId;
use crate::core::start_at_shutdown::{ShutdownStep, at_end};
use crate::logged;

/// How long shutdown waits for servers that are owed a start.
pub(super) const LAST_STARTS: Duration = Duration::from_mins(1);

/// How long shutdown retries starts that the provider refuses.
const LAST_TRIES: SignedDuration = SignedDuration::from_secs(10);

/// Longest pause between two looks at such a server during shutdown.
const END_POLL: SignedDuration = SignedDuration::from_secs(1);

impl<A: SnapshotApi> Engine<A> {
    /// Sends the start that is owed to a stopped server, before anything is listed. Returns when to
    /// look again if nothing else can be done now.
    pub(super) async fn send_owed_start(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
        policy: Option<&Policy>,
    ) -> Option<Requeue> {
        let rules = self.wanted().rules;
        let asked = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            detail = self.state_of(server, seat) => Some(detail),
        };
        let Some(ServerInfo { state, .. }) = asked else {
            return Some(Requeue::Until(None));
        };
        loop {
            let step = {
                let mut seat = lock(seat);
                let now = self.clock.now();
                seat.history.observe_state(Some(&state), now);
                owed(policy, &seat.history, &rules, Some(&state), now)
            };
            let over = match step {
                Some(Step::Record(fact)) => {
                    let record = self.record(server, seat, fact, Details::default());
                    record.await.is_err()
                }
                Some(start @ Step::Start { .. }) => match self.start(server, seat, start).await {
                    Ok(true) => break,
                    Ok(false) => true,
                    Err(ShuttingDown) => return Some(Requeue::Until(None)),
                },
                _ => break,
            };
            if over {
                let due = {
                    let seat = lock(seat);
                    is_start_due(policy, &seat.history, &rules, self.clock.now())
                };
                if due {
                    self.start_unrecorded(server, seat, &state).await;
                }
                return Some(Requeue::After(rules.poll_interval));
            }
        }
        let down = lock(seat).history.downtime.is_some();
        if !down && !self.tell_started(server, seat).await {
            return Some(Requeue::After(rules.poll_interval));
        }
        let mut seat = lock(seat);
        if !down {
            seat.place = None;
            return None;
        }
        seat.state = Some(Box::new(state));
        policy
            .is_none()
            .then_some(Requeue::After(rules.poll_interval))
    }

    /// Clears the alerts of a server that was down; this needs no listing. Returns false if they
    /// can't be recorded.
    async fn tell_started(&self, server: &ServerId, seat: &Mutex<ServerRuntime>) -> bool {
        loop {
            let alert = {
                let seat = lock(seat);
                let mut alerts = seat.history.alerts.keys();
                let of_power = alerts.find(|(kind, _)| *kind == AlertKind::ServerStopped);
                of_power.cloned()
            };
            let Some((alert, about)) = alert else {
                return true;
            };
            let cleared = ServerEvent::AlertCleared { alert, about };
            let record = self.record(server, seat, cleared, Details::default());
            if record.await.is_err() {
                return false;
            }
        }
    }

    /// Asks the provider for the server's state. Returns `None` if the service is stopping.
    pub(super) async fn ask_state(
        &self,
        admitted: impl Future<Output = Permit>,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
    ) -> Option<ServerInfo> {
        lock(seat).state = None;
        let asked = async { self.api.state(admitted.await, server).await };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            detail = asked => Some(detail),
        }
    }

    /// Stops the server for a snapshot, once a permit for a stopped server is free.
    pub(super) async fn stop_for(
        &self,
        policy: &Policy,
        seat: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        step: Step,
    ) -> Result<(), ShuttingDown> {
        let Some(place) = self.standstill().await? else {
            return self.rest(self.wanted().rules.retry_after).await;
        };
        lock(seat).place = Some(place);
        let performed = self.perform(policy, seat, inventory, step, None);
        // Boxed so that an idle server's future stays small (10,000 of them are alive).
        Box::pin(performed).await?;
        let mut seat = lock(seat);
        if !seat.history.is_down() {
            seat.place = None;
        }
        Ok(())
    }

    /// Waits for a permit to hold or stop a server until its create is answered. Returns `None` if
    /// the token is rejected.
    pub(super) async fn standstill(&self) -> Result<Option<OwnedSemaphorePermit>, ShuttingDown> {
        let place = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(ShuttingDown),
            place = Arc::clone(&self.holds).acquire_owned() => place,
        };
        let barred = self.account.leave(self.clock.now().mono).is_none();
        Ok(place.ok().filter(|_| !barred))
    }

    /// Sends a stop. Returns `None` if the intent can't be recorded; then nothing was sent.
    pub(super) async fn stop_server(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
        way: (Permit, MutationPermit<'_>),
        intent: ServerEvent,
    ) -> Result<Option<OrderOutcome>, ShuttingDown> {
        let ServerEvent::StopIntent { snapshot, .. } = intent.clone() else {
            return Ok(None);
        };
        let call = self.power(server, seat, way, PowerAction::Stop, intent);
        let call = call.await;
        let Some((outcome, said, extra)) = call else {
            return Ok(None);
        };
        let answer = OrderOutcome::of(outcome, &extra, None);
        let fact = ServerEvent::StopResult {
            snapshot,
            outcome,
            said,
        };
        self.conclude(server, seat, fact, extra).await?;
        Ok(Some(answer))
    }

    /// Sends a start ahead of all other waiting requests. Returns false if the intent can't be
    /// recorded; then nothing was sent.
    pub(super) async fn start(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
        start: Step,
    ) -> Result<bool, ShuttingDown> {
        let pass = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(ShuttingDown),
            pass = self.api.admit_owed() => pass,
        };
        let leave = self.account.leave_owed();
        self.send_start(server, seat, (pass, leave), start).await
    }

    /// Sends a start. Returns false if the intent can't be recorded; then nothing was sent.
    async fn send_start(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
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
            .power(server, seat, way, PowerAction::Start, intent)
            .await;
        let Some((outcome, said, extra)) = call else {
            return Ok(false);
        };
        let fact = ServerEvent::StartResult {
            snapshot: name,
            outcome,
            said,
        };
        self.conclude(server, seat, fact, extra).await?;
        Ok(true)
    }

    /// Records the intent, sends the call once, and returns its outcome. Returns `None` if the
    /// intent can't be recorded; then nothing was sent.
    async fn power(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
        (pass, leave): (Permit, MutationPermit<'_>),
        action: PowerAction,
        intent: ServerEvent,
    ) -> Option<(Outcome, Option<String>, Details)> {
        let known_as = lock(seat).history.power_id(server);
        if !self.intend(server, seat, intent).await {
            return None;
        }
        let (began, heard) = (Instant::now(), pass.heard());
        let answer = self.api.power(pass, &known_as, action).await;
        let extra = extra(began, answer.as_ref().err(), &heard);
        self.hear(leave, answer.as_ref().err()).await;
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

    /// Starts every server that is still down at the end of the service. Only the next process
    /// could start it otherwise, and nobody can say when that begins.
    pub(super) async fn start_all(&self) {
        let down: Vec<_> = {
            let seats = lock(&self.seats);
            let down = seats
                .iter()
                .filter(|(_, seat)| lock(seat).history.downtime.is_some());
            down.map(|(server, seat)| (server.clone(), Arc::clone(seat)))
                .collect()
        };
        let starts = down
            .iter()
            .map(|(server, seat)| self.bring_up(server, seat));
        let all = futures_util::future::join_all(starts);
        let _late = tokio::time::timeout(LAST_STARTS, all).await;
        for (server, seat) in &down {
            self.left_stopped(server, seat).await;
        }
    }

    /// Sends starts until the server is seen active. First waits for a stop that has had no effect
    /// yet, since it would undo the start.
    async fn bring_up(&self, server: &ServerId, seat: &Mutex<ServerRuntime>) {
        let wanted = self.wanted();
        let policy = wanted.policies.get(server).map(Arc::as_ref);
        let pause = wanted.rules.poll_interval.min(END_POLL);
        let began = self.clock.now().mono;
        loop {
            let ServerInfo { state, .. } = self.state_of(server, seat).await;
            let now = self.clock.now();
            let step = {
                let mut seat = lock(seat);
                seat.history.observe_state(Some(&state), now);
                at_end(policy, &seat.history, &state, now)
            };
            match step {
                ShutdownStep::Record(fact) => {
                    let record = self.record(server, seat, fact, Details::default());
                    if record.await.is_err() {
                        self.start_unrecorded(server, seat, &state).await;
                        self.clock.sleep(pause).await;
                    }
                }
                // Refused for this long: the next process has to start the server.
                ShutdownStep::Start(_) if now.mono - began >= LAST_TRIES => return,
                ShutdownStep::Start(start) => {
                    let way = (self.api.admit_owed().await, self.account.leave_owed());
                    if !matches!(self.send_start(server, seat, way, start).await, Ok(true)) {
                        self.start_unrecorded(server, seat, &state).await;
                    }
                    self.clock.sleep(pause).await;
                }
                ShutdownStep::Wait => self.clock.sleep(pause).await,
                ShutdownStep::Over => return,
            }
        }
    }

    /// Starts a server that is not seen active although the trail can't be written. A start does no
    /// harm; a server that stays down does. This is the exception in I6.
    async fn start_unrecorded(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
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
        let known_as = lock(seat).history.power_id(server);
        if let Err(error) = self.api.power(pass, &known_as, PowerAction::Start).await {
            tracing::error!(server = logged::id(server), server_name = called, %error, "the server could not be started");
        }
    }

    /// Returns the server's state, asked for under the id that the provider uses.
    async fn state_of(&self, server: &ServerId, seat: &Mutex<ServerRuntime>) -> ServerInfo {
        let known_as = lock(seat).history.power_id(server);
        let pass = self.api.admit_owed().await;
        self.api.state(pass, &known_as).await
    }

    /// Reports a server that the service leaves without an accepted start.
    async fn left_stopped(&self, server: &ServerId, seat: &Mutex<ServerRuntime>) {
        let left = lock(seat).history.left_stopped();
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
        if !lock(seat).history.alerts.contains_key(&standing) {
            let (alert, about) = standing;
            let raised = ServerEvent::AlertRaised {
                alert,
                about,
                reason,
            };
            // A record that can't be written was already logged.
            let _unwritten = self.record(server, seat, raised, Details::default()).await;
        }
    }
}
