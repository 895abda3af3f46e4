//! Runs each server's loop: observe, decide, record, act, and look again.
//!
//! - `server_loop`: the loop of one server, until it can rest; `before_listing`: steps that need no
//!   listing; `server_runtime`: the server's state in memory.
//! - `loop_scheduler`: when each server's loop runs; a server at rest costs no task.
//! - `listing_batcher`: listings for all servers that wait for one, with few requests.
//! - `confirmed_inventory`: the listing of one server; `listing_acceptance`: which listings are
//!   accepted, and which need a second one that agrees.
//! - `snapshot_owners`: which server a snapshot belongs to; `owner_map`: the owners and claims as
//!   data; `contested_listing`: a listing compared with them; `stray_snapshots`: new snapshots with
//!   the name of another server's open create.
//! - `account_health`: whether the provider accepts the token and can be reached.
//! - `mutation`: one mutation: the permit, the intent, the call, the outcome; `step_recheck`: the
//!   decision, made again right before the call; `call_outcome`: the outcome that the call's answer
//!   shows; `turn_outcome`: when the server's loop runs again.
//! - `create_hold_at_new_trail`: no creates for a while if there are own snapshots but no trail.
//! - `hooked_create`: a rotation's hooks around its create, and the release; `power_cycle`: the
//!   stop and the start of a server around its create; `starts_at_shutdown`: the starts that are
//!   owed when the service ends.
//! - `other_id_handover`: the handover when a policy names its server by another id.
//! - `order_execution`: an operator's create, delete or restore; `pending_order`: an order that
//!   waits; `pauses`: pause and resume; `slot_retries`: retries that an operator orders;
//!   `acknowledgements`: alerts that an operator acknowledges; `protections`: snapshots that an
//!   operator protects.
//! - `policy_set_swap`: the swap to a new policy set.
//! - `once_failures`: the reasons why `once` did not succeed.
//! - `runtime_view`: the read-only view for status.
//! - `trail_health`: whether the trail is writable, and the report of an outage.
//! - `log_events`: events as log lines; `enqueue_news`: events for the notifiers.
//!
//! Nothing here decides what to do; `core::decide` does.

mod account_health;
mod acknowledgements;
mod before_listing;
mod call_outcome;
mod confirmed_inventory;
mod contested_listing;
mod create_hold_at_new_trail;
mod enqueue_news;
mod hooked_create;
mod listing_acceptance;
mod listing_batcher;
mod log_events;
mod loop_scheduler;
mod mutation;
mod once_failures;
mod order_execution;
mod other_id_handover;
mod owner_map;
mod pauses;
mod pending_order;
mod policy_set_swap;
mod power_cycle;
mod protections;
mod runtime_view;
mod server_loop;
mod server_runtime;
mod slot_retries;
mod snapshot_owners;
mod starts_at_shutdown;
mod step_recheck;
mod stray_snapshots;
#[cfg(test)]
mod tests;
mod trail_health;
mod turn_outcome;

pub use acknowledgements::{AckError, AckResult};
pub use enqueue_news::{global_alert, queue_global_alert};
pub use listing_batcher::observe_once;
pub use once_failures::UnsettledSlot;
pub use pauses::{OpenMutation, PauseError, PauseResult};
pub use pending_order::OrderOutcome;
pub use protections::{ProtectionError, ProtectionResult};
pub use runtime_view::{EngineCounters, EngineSummary, ServerStateView};
pub use server_runtime::{AcceptedListing, ListingFailure};
pub use slot_retries::{RetryError, RetryResult};
pub use snapshot_owners::doubt_contested;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::alerts::{NewsQueue, ServerLabel};
use crate::api::SnapshotApi;
use crate::audit::{Details, Entry, Event, OpenedTrail, Trail, TrailError};
use crate::clock::Clock;
use crate::core::policy::{Policy, Rules};
use crate::core::server_event::{ServerEvent, ServiceAlertKind};
use crate::core::snapshot::ServerId;
use crate::hooks::Runner;

use crate::engine::snapshot_owners::SnapshotOwners;
use account_health::AccountHealth;
use listing_batcher::SharedListing;
use order_execution::WakeRequests;
use pauses::GlobalPause;
use runtime_view::DecisionCounters;
use server_runtime::{ServerRuntime, SharedRuntime};
use trail_health::TrailHealth;

/// Time limit for the end of a run, counted from the last answer: stopped servers are started, and
/// held ones are released.
pub const LAST_WORK: Duration =
    starts_at_shutdown::LAST_STARTS.saturating_add(hooked_create::LAST_RELEASES);

/// The rules and policies in force.
#[derive(Clone)]
struct PolicySet {
    rules: Arc<Rules>,
    policies: Arc<BTreeMap<ServerId, Arc<Policy>>>,
}

/// The engine, shared by the daemon, `once` and the demo.
pub struct Engine<A> {
    api: Arc<A>,
    trail: Trail,
    clock: Clock,
    account: AccountHealth,
    observer: SharedListing,
    wanted: RwLock<PolicySet>,
    /// Labels of servers whose policies were removed; their alerts may still have to be cleared.
    former: Mutex<BTreeMap<ServerId, ServerLabel>>,
    runtimes: Mutex<BTreeMap<ServerId, SharedRuntime>>,
    /// Second ids of servers, mapped to the id that the trail uses.
    other_ids: Mutex<BTreeMap<ServerId, ServerId>>,
    /// Former ids of servers, with the ids by which the policies in force name them.
    id_changes: Mutex<BTreeMap<ServerId, ServerId>>,
    /// Locked while a server's state moves to a new id, and while a pause or a resume is recorded
    /// under the id of the state.
    renaming: tokio::sync::Mutex<()>,
    owners: SnapshotOwners,
    all_paused: Mutex<GlobalPause>,
    called: Mutex<WakeRequests>,
    /// No create is sent before this monotonic instant, since records of the trail may have been
    /// lost. Zero if none were.
    no_create_before: SignedDuration,
    /// No create is sent before this monotonic instant to servers that already had own snapshots,
    /// since the trail is new. Zero if it is not.
    begins_until: SignedDuration,
    longest_sleep: OnceLock<SignedDuration>,
    /// Queue to the notifiers.
    tap: OnceLock<Arc<NewsQueue>>,
    /// Runs the hooks.
    runner: OnceLock<Arc<dyn Runner>>,
    /// Limits how many servers are stopped, or held without an answered create, at the same time.
    holds: Arc<Semaphore>,
    /// Limits concurrent decisions. A permit is kept until the decision's records are written.
    turns: Semaphore,
    working: AtomicUsize,
    progress: AtomicU64,
    decisions: DecisionCounters,
    wake: Notify,
    keeper: TrailHealth,
    reloading: watch::Sender<bool>,
    stop: CancellationToken,
}

impl<A: SnapshotApi> Engine<A> {
    /// Creates an engine from the opened trail. It sends nothing until `run`, `once` or an order is
    /// called.
    pub fn new(
        api: Arc<A>,
        trail: Trail,
        clock: Clock,
        opened: OpenedTrail,
        rules: Rules,
        policies: Vec<Arc<Policy>>,
    ) -> Arc<Self> {
        // A lost record may have been the intent of a create that may still take effect.
        let now = clock.now();
        let no_create_before = opened.hold_since.map_or(SignedDuration::ZERO, |since| {
            let past = now.wall.duration_since(since).max(SignedDuration::ZERO);
            now.mono + (rules.settle_window - past).max(SignedDuration::ZERO)
        });
        // A previous process may have ended within the hold; the rest of it still applies.
        let begun = opened
            .global_alerts
            .get(&ServiceAlertKind::TrailBegins.key());
        let begins_until = if opened.begins {
            now.mono + rules.settle_window
        } else if let Some(since) = begun.and_then(|standing| standing.since) {
            let past = now.wall.duration_since(since).max(SignedDuration::ZERO);
            now.mono + (rules.settle_window - past).max(SignedDuration::ZERO)
        } else {
            SignedDuration::ZERO
        };
        let other_ids = opened.histories.iter().filter_map(|(server, history)| {
            let other = history.other_id()?;
            Some((other.clone(), server.clone()))
        });
        let other_ids = Mutex::new(other_ids.collect());
        let owners = SnapshotOwners::of(opened.histories.iter());
        let once = rules.count_all;
        // The previous process judged the slots up to its last record.
        let last = opened.last;
        let runtimes = opened
            .histories
            .into_iter()
            .map(move |(server, mut history)| {
                history.judged = last;
                // Runs of `once` share one grace period: a restart at each run would never let it
                // end.
                if !once {
                    history.restart_grace(now.into());
                }
                let runtime = ServerRuntime {
                    history,
                    ..ServerRuntime::default()
                };
                (server, Arc::new(Mutex::new(runtime)))
            });
        let engine = Arc::new(Self {
            api,
            trail,
            clock,
            account: AccountHealth::new(opened.global_alerts),
            observer: SharedListing::new(),
            wanted: RwLock::new(wanted(rules, policies)),
            former: Mutex::default(),
            runtimes: Mutex::new(runtimes.collect()),
            other_ids,
            id_changes: Mutex::default(),
            renaming: tokio::sync::Mutex::default(),
            owners,
            all_paused: Mutex::new(GlobalPause {
                pause: opened.paused,
                asked: false,
            }),
            called: Mutex::default(),
            no_create_before,
            begins_until,
            longest_sleep: OnceLock::new(),
            tap: OnceLock::new(),
            runner: OnceLock::new(),
            holds: Arc::new(Semaphore::new(hooked_create::MOST_AT_ONCE)),
            turns: Semaphore::new(server_loop::MOST_DECIDED),
            working: AtomicUsize::new(0),
            progress: AtomicU64::new(0),
            decisions: DecisionCounters::default(),
            wake: Notify::new(),
            keeper: TrailHealth::default(),
            reloading: watch::Sender::new(false),
            stop: CancellationToken::new(),
        });
        engine.expect_id_changes(&engine.wanted());
        engine
    }

    /// Makes the engine check its queues. Cheap, and harmless if nothing is due.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Makes the engine check its queues less often. For the simulation, whose timers are never
    /// late.
    pub fn look_rarely(&self, longest_sleep: SignedDuration) {
        self.longest_sleep.get_or_init(|| longest_sleep);
    }

    /// Sets the queue to the notifiers. The engine never waits for them.
    pub fn tap(&self, tap: Arc<NewsQueue>) {
        self.tap.get_or_init(|| tap);
    }

    /// Sets the runner of hooks. Without one, no rotation with hooks creates a snapshot.
    pub fn run_hooks_by(&self, runner: Arc<dyn Runner>) {
        self.runner.get_or_init(|| runner);
    }

    /// Returns a counter that grows while the engine makes progress. The watchdog is fed only when
    /// it has grown.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    fn wanted(&self) -> PolicySet {
        let wanted = self.wanted.read();
        wanted.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn runtime(&self, server: &ServerId) -> SharedRuntime {
        let mut runtimes = lock(&self.runtimes);
        let new = || {
            let mut runtime = ServerRuntime::default();
            let all = &lock(&self.all_paused).pause;
            runtime.history.all_paused.clone_from(all);
            Arc::new(Mutex::new(runtime))
        };
        Arc::clone(runtimes.entry(server.clone()).or_insert_with(new))
    }

    /// Returns the policy file to name in the record, if records of this event name one.
    fn policy_of(&self, server: &ServerId, event: &ServerEvent) -> Option<String> {
        let policies = event.is_by_policy().then(|| self.wanted().policies)?;
        Some(policies.get(server)?.file.clone())
    }

    /// Writes an event to the trail, and applies it only after that (I6).
    async fn record(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        event: ServerEvent,
        extra: Details,
    ) -> Result<(), TrailError> {
        let now = self.clock.now();
        // Built in a closure: a local `Entry` would stay in the future until the trail answers.
        let entry = || Entry {
            time: now.wall,
            server: Some(server.clone()),
            event: Event::Server(event.clone()),
            extra: Details {
                policy: self.policy_of(server, &event),
                ..extra.clone()
            },
        };
        let written = self.trail.append(vec![entry()]).await;
        self.note_written(written.as_ref().err(), now.wall);
        {
            let mut runtime = lock(runtime);
            runtime.unwritten = if written.is_ok() {
                0
            } else {
                runtime.unwritten + 1
            };
        }
        written?;
        let wanted = self.wanted();
        let policy = wanted.policies.get(server).map(Arc::as_ref);
        log_events::log_server_event(server, policy, &event, &extra);
        let grace = wanted.rules.request_timeout;
        self.move_state_to_new_id(server, runtime, &event);
        self.owners.apply(server, &event);
        let mut runtime = lock(runtime);
        self.queue_server_event(server, &runtime.history, &event, now.wall);
        runtime.history.apply(&event, now.into(), grace);
        let policy = policy.filter(|_| event.is_by_policy());
        (runtime.history).note_policy(policy.map(|policy| policy.file.as_str()));
        if let ServerEvent::DeleteConfirmed { id } = event {
            runtime.listed.went(id);
        }
        drop(runtime);
        self.progress.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn wanted(rules: Rules, policies: Vec<Arc<Policy>>) -> PolicySet {
    let policies = policies
        .into_iter()
        .map(|p| (p.server.clone(), p))
        .collect();
    PolicySet {
        rules: Arc::new(rules),
        policies: Arc::new(policies),
    }
}

/// Locks a mutex and ignores poisoning. A panic elsewhere leaves the value consistent, so the other
/// servers continue (I16).
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
