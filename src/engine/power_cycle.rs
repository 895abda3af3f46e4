//! Power: a server is stopped for its snapshot, and the start that is owed is sent until the
//! server is seen active (I20).
//!
//! Each call follows its intent, as every mutation does. The start needs neither a listing nor
//! a policy, and no pause holds it up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::account_health::MutationPermit;
use super::mutation::{extra, outcome};
use super::operator_orders::OrderOutcome;
use super::server_loop::{Requeue, ShuttingDown};
use super::{Engine, ServerRuntime, lock};
use crate::api::{Permit, PowerAction, SnapshotApi};
use crate::audit::Details;
use crate::core::decide::{Inventory, Step};
use crate::core::downtime::{PowerState, ServerInfo};
use crate::core::event::{AlertKind, Outcome, ServerEvent};
use crate::core::policy::Policy;
use crate::core::server_restart::{ShutdownStep, at_end, is_start_due, owed};
use crate::core::snapshot::ServerId;
use crate::logged;

/// How long the end of the service waits for the servers that it owes a start; the unit's
/// `TimeoutStopSec` is longer.
const LAST_STARTS: Duration = Duration::from_mins(1);

/// For so long starts that are refused are sent again then.
const LAST_TRIES: SignedDuration = SignedDuration::from_secs(10);

/// Between two looks at such a server, at most.
const END_POLL: SignedDuration = SignedDuration::from_secs(1);

impl<A: SnapshotApi> Engine<A> {
    /// Does what is owed to a server that was stopped, before anything is listed; until when it
    /// needs no look where nothing else is to be done.
    pub(super) async fn pay_start(
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

    /// Clears the alerts of a server that was down, for which no listing is needed; `false`: that
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

    /// Asks whether the server runs; `None`: the service is stopping.
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

    /// Stops the server for a snapshot, when there is a place for it among those that stand
    /// still.
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
        // A future of its own keeps a waiting server's small.
        Box::pin(performed).await?;
        let mut seat = lock(seat);
        if !seat.history.is_down() {
            seat.place = None;
        }
        Ok(())
    }

    /// A place among the servers that are held or stopped and whose create is not answered;
    /// `None`: the token is refused.
    pub(super) async fn standstill(&self) -> Result<Option<OwnedSemaphorePermit>, ShuttingDown> {
        let place = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(ShuttingDown),
            place = Arc::clone(&self.holds).acquire_owned() => place,
        };
        let barred = self.account.leave(self.clock.now().mono).is_none();
        Ok(place.ok().filter(|_| !barred))
    }

    /// Sends a stop; `None`: its intent can't be recorded, so nothing was sent.
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

    /// Sends a start, before all else that waits to be sent; `false`: its intent can't be recorded,
    /// so nothing was sent.
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

    /// Sends a start; `false`: its intent can't be recorded, so nothing was sent.
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

    /// Records the intent, sends the call once, and tells what came of it; `None`: the intent
    /// can't be recorded, so nothing was sent.
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

    /// At the end of the service every server that is still down is started: nobody knows
    /// when the next process begins, which sees to it that it runs.
    pub(super) async fn start_all(&self) {
        let down: Vec<_> = {
            let seats = lock(&self.seats);
            let down = seats
                .iter()
                .filter(|(_, seat)| lock(seat).history.is_down());
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

    /// Starts a server until it is seen to run. A stop that has had no effect yet is waited for: it
    /// would undo the start.
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
                // Where none is taken for so long another process has to see to it.
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

    /// Starts a server that isn't seen active though the trail can't be written: no harm can come
    /// of a start, and much of none.
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
            "the trail can't be written; the server that was stopped is started all the same"
        );
        let pass = self.api.admit_owed().await;
        let known_as = lock(seat).history.power_id(server);
        if let Err(error) = self.api.power(pass, &known_as, PowerAction::Start).await {
            tracing::error!(server = logged::id(server), server_name = called, %error, "it isn't started");
        }
    }

    /// The server's state, by the id that the provider knows it by.
    async fn state_of(&self, server: &ServerId, seat: &Mutex<ServerRuntime>) -> ServerInfo {
        let known_as = lock(seat).history.power_id(server);
        let pass = self.api.admit_owed().await;
        self.api.state(pass, &known_as).await
    }

    /// Tells of a server that the service leaves behind without a start that was taken.
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
            // What can't be recorded was logged.
            let _unwritten = self.record(server, seat, raised, Details::default()).await;
        }
    }
}
