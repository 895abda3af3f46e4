//! The loop of one server: observe, decide, record, act, and look again, until it can rest.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use tokio::sync::{AcquireError, SemaphorePermit};

use super::before_listing::ListingWanted;
use super::turn_outcome::{Requeue, ShuttingDown};
use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::Details;
use crate::core::decide::{Inventory, Step, decide, judges_slots};
use crate::core::newest_slot_completed::all_settled;
use crate::core::policy::{Policy, Rules};
use crate::core::snapshot::ServerId;

/// Maximum number of records that one listing may lead to. More would be a bug in this program.
const MOST_RECORDS: usize = 500;

/// Maximum number of concurrent decisions. Each waits for the trail's disk, and all share one disk.
pub(super) const MOST_DECIDED: usize = 512;

/// A permit to decide; see [`MOST_DECIDED`].
type DecisionPermit<'e> = Result<SemaphorePermit<'e>, AcquireError>;

/// A step with everything that is needed to perform it.
pub(super) struct ReadyStep {
    pub(super) rules: Arc<Rules>,
    pub(super) policy: Arc<Policy>,
    pub(super) inventory: Inventory,
    pub(super) step: Step,
}

impl<A: SnapshotApi> Engine<A> {
    /// Runs one server's loop until there is nothing to do for a while.
    pub(super) async fn settle(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
    ) -> Requeue {
        loop {
            let ready = match self.ready(server, runtime).await {
                Ok(ready) => ready,
                Err(rest) => return rest,
            };
            // Boxed so that the future of a server that waits for its listing stays small (10,000
            // of them may be alive).
            if let Some(rest) = Box::pin(self.proceed(runtime, ready)).await {
                return rest;
            }
        }
    }

    /// Performs the next step. Returns `None` if the loop must decide again at once.
    async fn proceed(&self, runtime: &Mutex<ServerRuntime>, ready: ReadyStep) -> Option<Requeue> {
        let ReadyStep {
            rules,
            policy,
            inventory,
            step,
        } = ready;
        // An order takes precedence: the step is decided again after it.
        if let Some(waiting) = self.take(runtime) {
            let obeyed = self.obey(&policy, runtime, &inventory, waiting).await;
            return obeyed.is_err().then_some(Requeue::Until(None));
        }
        let held = self.create_hold(&policy, runtime, &inventory).await;
        let wait = self.creates_held(held);
        match step {
            // `ready` performs a release at the start of the next turn.
            Step::Record(_) | Step::After { .. } | Step::AskState => None,
            // No create is sent yet, so a prune-first must not free room for one.
            Step::Create { .. }
            | Step::Stop { .. }
            | Step::Delete {
                prune_first: true, ..
            } if wait.is_some() => wait.map(Requeue::After),
            start @ Step::Start { .. } => {
                match Box::pin(self.start(&policy.server, runtime, start)).await {
                    Ok(true) => None,
                    Ok(false) => Some(Requeue::After(rules.poll_interval)),
                    Err(ShuttingDown) => Some(Requeue::Until(None)),
                }
            }
            Step::Create { .. } | Step::Delete { .. } | Step::Stop { .. } => {
                let acted = self.act(&policy, runtime, &inventory, step).await;
                acted.is_err().then_some(Requeue::Until(None))
            }
            Step::Wait { pause, .. } if pause > rules.poll_interval => Some(Requeue::After(pause)),
            Step::Wait { pause, .. } => {
                let rested = self.rest(pause).await;
                rested.is_err().then_some(Requeue::Until(None))
            }
            Step::Blocked { .. } => Some(Requeue::Blocked(rules.retry_after)),
            Step::Idle { until } => {
                let now = self.clock.now();
                let mut runtime = lock(runtime);
                runtime.settled = runtime.history.alerts.is_empty()
                    && all_settled(&policy, &inventory, &runtime.history, &rules, now);
                // The alert about a new trail must be cleared when the hold ends.
                let cleared = held.filter(|_| !rules.count_all);
                let cleared = cleared.and_then(|left| now.wall.checked_add(left).ok());
                Some(Requeue::Until(until.into_iter().chain(cleared).min()))
            }
        }
    }

    /// Returns how long no create may be sent, because records were lost or the trail is new.
    pub(super) fn creates_held(&self, begins: Option<SignedDuration>) -> Option<SignedDuration> {
        let lost = self.no_create_before - self.clock.now().mono;
        lost.is_positive().then_some(lost).max(begins)
    }

    /// Records everything that must be recorded and returns the next step, or else when to look
    /// again. A waiting order that can't be carried out is refused with the reason.
    pub(super) async fn ready(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
    ) -> Result<ReadyStep, Requeue> {
        // Boxed for the same reason as in `settle`.
        let prepared = Box::pin(self.prepared(server, runtime)).await?;
        let inventory = self.listed(server, runtime, &prepared).await?;
        // Boxed for the same reason as in `settle`, and built only once the permit is granted.
        let turn = self.turns.acquire().await;
        Box::pin(self.stepped(runtime, prepared, inventory, turn)).await
    }

    /// Returns the next step for this inventory. If the step depends on the server's state,
    /// requests the state first and adds it to the inventory.
    async fn stepped(
        &self,
        runtime: &Mutex<ServerRuntime>,
        wanted: ListingWanted,
        mut inventory: Inventory,
        mut turn: DecisionPermit<'_>,
    ) -> Result<ReadyStep, Requeue> {
        let ListingWanted {
            rules,
            policy,
            state,
            ..
        } = wanted;
        inventory.state = state;
        loop {
            let decided = self.decided(&policy, runtime, &inventory, &rules).await;
            drop(turn);
            match decided {
                Some(Step::AskState) => {
                    let asked = self.ask_state(&policy.server);
                    inventory.add_server_info(asked.await.ok_or(Requeue::Until(None))?);
                    inventory.doubt_second_policy(|id| self.wanted().policies.contains_key(id));
                    turn = self.turns.acquire().await;
                }
                Some(step) => {
                    return Ok(ReadyStep {
                        rules,
                        policy,
                        inventory,
                        step,
                    });
                }
                None => {
                    Self::turn_down(runtime, || "the trail can't be written".to_owned());
                    return Err(Requeue::After(rules.poll_interval));
                }
            }
        }
    }

    /// Records every event that the decision requires and returns the step that remains. Returns
    /// `None` if the trail can't be written, the service is stopping, or the decision does not end.
    pub(super) async fn decided(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        rules: &Rules,
    ) -> Option<Step> {
        for _ in 0..MOST_RECORDS {
            if self.stop.is_cancelled() {
                return None;
            }
            let step = {
                let mut runtime = lock(runtime);
                let now = self.clock.now();
                if let Some(event) = runtime.deleted_by_others(policy) {
                    Step::Record(event)
                } else {
                    if inventory.doubt.is_none() {
                        runtime.history.observe(policy, inventory, now);
                        self.note_newest_copy(policy, &mut runtime, inventory, rules, now);
                        runtime.store_for_status(inventory, now.wall);
                    }
                    let step = decide(policy, inventory, &runtime.history, rules, now);
                    if !matches!(step, Step::Record(_)) {
                        runtime.watching =
                            judges_slots(policy, inventory, &runtime.history, rules, now);
                        if runtime.watching {
                            runtime.history.judged = Some(now.wall);
                        }
                    }
                    step
                }
            };
            self.decisions.note(&step);
            let Step::Record(event) = step else {
                return Some(step);
            };
            // Boxed for the same reason as in `settle`.
            let record = async {
                self.take_pause_of_other_id(&policy.server, &event).await?;
                let details = Details::default();
                self.record(&policy.server, runtime, event, details).await
            };
            Box::pin(record).await.ok()?;
        }
        tracing::error!(
            policy = policy.file,
            "the decision does not end; this is a bug, please report it"
        );
        None
    }

    /// Waits, unless the service is stopping.
    pub(super) async fn rest(&self, time: SignedDuration) -> Result<(), ShuttingDown> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(ShuttingDown),
            () = self.clock.sleep(time) => Ok(()),
        }
    }
}
