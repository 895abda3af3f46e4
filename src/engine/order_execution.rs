//! Carries out an operator's orders alongside the rotation.
//!
//! An order waits in its server's runtime state. The server's own loop carries it out, so it never
//! runs at the same time as another mutation there (I5).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tokio::sync::oneshot;

use super::pending_order::{OrderOutcome, PendingOrder};
use super::turn_outcome::ShuttingDown;
use super::{Engine, ServerRuntime, SharedRuntime, lock};
use crate::api::{NewSnapshot, SnapshotApi};
use crate::core::decide::Inventory;
use crate::core::operator_order::{Order, objection};
use crate::core::policy::Policy;
use crate::core::server_event::ServerEvent;
use crate::core::snapshot::ServerId;

/// How long an order may wait before it begins.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// The caller's side of a waiting order.
struct QueuedOrder {
    runtime: SharedRuntime,
    answer: oneshot::Receiver<OrderOutcome>,
    number: u64,
    /// Set once the call may have been sent.
    begun: Arc<AtomicBool>,
}

/// Servers whose loops must run now.
#[derive(Default)]
pub(super) struct WakeRequests {
    pub(super) servers: BTreeSet<ServerId>,
    pub(super) all: bool,
}

impl<A: SnapshotApi> Engine<A> {
    /// Runs the server's loop now.
    pub(super) fn call(&self, server: ServerId) {
        lock(&self.called).servers.insert(server);
        self.wake();
    }

    /// Runs every server's loop now.
    pub(super) fn call_all(&self) {
        lock(&self.called).all = true;
        self.wake();
    }

    /// Carries out one order through the server's running loop. Dropping the future withdraws an
    /// order that has not begun.
    pub async fn order(&self, server: ServerId, order: Order, by: String) -> OrderOutcome {
        if !self.wanted().policies.contains_key(&server) {
            return OrderOutcome::refused(NO_POLICY);
        }
        let until = self.clock.now().mono + PATIENCE;
        let queued = match self.queue(&server, order, by, until) {
            Ok(queued) => queued,
            Err(refused) => return refused,
        };
        let QueuedOrder {
            runtime,
            mut answer,
            number,
            begun,
        } = queued;
        let unanswered = |_| OrderOutcome::unanswered(&begun, STOPPING);
        self.call(server);
        tokio::select! {
            biased;
            answer = &mut answer => return answer.unwrap_or_else(unanswered),
            () = self.stop.cancelled() => {}
            () = self.clock.sleep(PATIENCE) => {}
        }
        let mine = |waiting: &mut Box<PendingOrder>| waiting.number == number;
        if lock(&runtime).order.take_if(mine).is_some() {
            return OrderOutcome::refused(if self.stop.is_cancelled() {
                STOPPING
            } else {
                "the order could not be started within a minute: see snaprotate status"
            });
        }
        // The order has begun, and its call has a timeout.
        answer.await.unwrap_or_else(unanswered)
    }

    /// Carries out one order while no loop is running. No due slot gets a snapshot, but records
    /// that are due are written, and an owed start or release comes first.
    pub async fn order_alone(
        self: &Arc<Self>,
        server: ServerId,
        order: Order,
        by: String,
    ) -> OrderOutcome {
        let observer = tokio::spawn(Arc::clone(self).observe());
        let queued = self.queue(&server, order, by, SignedDuration::MAX);
        let QueuedOrder {
            runtime,
            answer,
            begun,
            ..
        } = match queued {
            Ok(queued) => queued,
            Err(refused) => {
                observer.abort();
                return refused;
            }
        };
        if let Ok(ready) = self.ready(&server, &runtime).await
            && let Some(waiting) = self.take(&runtime)
        {
            let _stopped = self
                .obey(&ready.policy, &runtime, &ready.inventory, waiting)
                .await;
        }
        observer.abort();
        lock(&runtime).order = None;
        let unready = "the listing or the trail is unavailable";
        answer
            .await
            .unwrap_or_else(|_| OrderOutcome::unanswered(&begun, unready))
    }

    fn queue(
        &self,
        server: &ServerId,
        order: Order,
        by: String,
        until: SignedDuration,
    ) -> Result<QueuedOrder, OrderOutcome> {
        let (reply, answer) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let runtime = self.runtime(server);
        let mut sitting = lock(&runtime);
        if sitting.order.as_ref().is_some_and(|w| !w.reply.is_closed()) {
            return Err(OrderOutcome::refused(
                "another order for this server is already waiting",
            ));
        }
        let number = sitting.orders + 1;
        sitting.orders = number;
        sitting.order = Some(Box::new(PendingOrder {
            order,
            by,
            until,
            number,
            begun: Arc::clone(&begun),
            reply,
        }));
        drop(sitting);
        Ok(QueuedOrder {
            runtime,
            answer,
            number,
            begun,
        })
    }

    /// Takes the waiting order, unless it has expired or its caller is gone.
    pub(super) fn take(&self, runtime: &Mutex<ServerRuntime>) -> Option<Box<PendingOrder>> {
        let waiting = lock(runtime).order.take()?;
        let late = self.clock.now().mono > waiting.until;
        (!late && !waiting.reply.is_closed()).then_some(waiting)
    }

    /// Refuses the waiting order with a reason.
    pub(super) fn turn_down(runtime: &Mutex<ServerRuntime>, why: impl FnOnce() -> String) {
        if let Some(waiting) = lock(runtime).order.take() {
            let _gone = waiting.reply.send(OrderOutcome::refused(why()));
        }
    }

    /// Carries out an order based on a listing that was requested after the last change (I4).
    pub(super) async fn obey(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        waiting: Box<PendingOrder>,
    ) -> Result<(), ShuttingDown> {
        let PendingOrder {
            order,
            by,
            until,
            begun,
            reply,
            ..
        } = *waiting;
        let answer = self
            .carry_out(policy, runtime, inventory, (order, by, until), &begun)
            .await;
        let (answer, stopped) = match answer {
            Ok(answer) => (answer, Ok(())),
            Err(ShuttingDown) => (
                OrderOutcome::unanswered(&begun, STOPPING),
                Err(ShuttingDown),
            ),
        };
        let _gone = reply.send(answer);
        stopped
    }

    async fn carry_out(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        (order, by, until): (Order, String, SignedDuration),
        begun: &AtomicBool,
    ) -> Result<OrderOutcome, ShuttingDown> {
        // Checked before the wait for a permit, so that an order that can't be carried out is
        // refused at once.
        if let Some(why) = self.objection(policy, runtime, inventory, &order) {
            return Ok(OrderOutcome::refused(why));
        }
        let left = until.saturating_sub(self.clock.now().mono).min(PATIENCE);
        let pass = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(ShuttingDown),
            pass = self.api.admit() => pass,
            () = self.clock.sleep(left) => {
                return Ok(OrderOutcome::refused(
                    "the order could not be sent within a minute, because of the rate limit or \
                    other requests: try again later",
                ));
            }
        };
        let pass = match pass {
            Ok(pass) => pass,
            Err(error) => return Ok(OrderOutcome::refused(error.message)),
        };
        let Some(leave) = self.account.mutation_permit(self.clock.now().mono) else {
            return Ok(OrderOutcome::refused(
                "the provider rejects the token: see snaprotate status",
            ));
        };
        self.wait_for_policy_swap().await?;
        if let Some(why) = self.objection(policy, runtime, inventory, &order) {
            return Ok(OrderOutcome::refused(why));
        }
        begun.store(true, Ordering::SeqCst);
        let way = (pass, leave);
        let by = Some(by);
        let reason = "an operator's order".to_owned();
        let answer = match order {
            Order::Create {
                snapshot,
                spare,
                description,
                expires,
            } => {
                let intent = ServerEvent::CreateIntent {
                    rotation: "".into(),
                    snapshot: snapshot.clone(),
                    known: inventory.snapshots.iter().map(|s| s.id.clone()).collect(),
                    reason,
                    by,
                    spare,
                    expires,
                };
                let new = NewSnapshot {
                    server: policy.server.clone(),
                    name: snapshot.to_string(),
                    description,
                };
                self.create(policy, runtime, way, &new, intent).await?
            }
            Order::Delete { snapshot, id } => {
                // The rotation is taken from the same policy set that the record names.
                let policies = self.wanted().policies;
                let in_force = policies.get(&policy.server);
                let rotation = in_force.and_then(|policy| policy.rotation_of(&snapshot));
                let intent = ServerEvent::DeleteIntent {
                    rotation: rotation.unwrap_or_default().into(),
                    snapshot,
                    id: id.clone(),
                    prune_first: None,
                    paid_by: None,
                    expired: false,
                    reason,
                    by,
                };
                self.delete(policy, runtime, way, id, intent).await?
            }
            Order::Restore { snapshot, id } => {
                let intent = ServerEvent::RestoreIntent {
                    snapshot,
                    id: id.clone(),
                    by,
                };
                self.restore(policy, runtime, way, id, intent).await?
            }
        };
        Ok(answer.unwrap_or_else(|| OrderOutcome::refused("the trail can't be written")))
    }

    fn objection(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        order: &Order,
    ) -> Option<String> {
        let wanted = self.wanted();
        let Some(policy) = wanted.policies.get(&policy.server) else {
            return Some(NO_POLICY.to_owned());
        };
        let now = self.clock.now();
        if matches!(order, Order::Create { .. }) && now.mono < self.no_create_before {
            let left = (self.no_create_before - now.mono).as_secs();
            return Some(format!(
                "records of the trail were lost, so an unrecorded create request may still take effect: try again in {left} s"
            ));
        }
        let runtime = lock(runtime);
        if runtime.protecting {
            return Some("the protection of a snapshot is being recorded: try again".to_owned());
        }
        let history = &runtime.history;
        objection(policy, inventory, history, &wanted.rules, now, order)
    }
}

const NO_POLICY: &str = "no policy in force covers this server";
const STOPPING: &str = "the service is stopping";
