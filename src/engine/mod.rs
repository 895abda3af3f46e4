//! Performs the steps: observe, decide, record, act, and look again.
//!
//! - `shared_listing`: one answer for all who ask what a server holds, with few requests.
//! - `listing_confirmation`: which listing is believed, and which only when the next says the same.
//! - `account_health`: whether the provider lets the account in, and can be reached.
//! - `server_loop`: the loop of one server, from due to rest; `server_runtime`: what it knows between two looks.
//! - `mutation`: one mutation: a place in flight, the intent, the call, the outcome.
//! - `hook_leases`: a rotation's hooks around its create, and the release in the end; `power_cycle`: the same
//!   of a server that is stopped.
//! - `id_change`: what is known of a server that its policy names by another id now.
//! - `operator_orders`: what an operator orders beside the rotation; `pauses`: when it rests.
//! - `policy_swap`: new policies in force.
//! - `work_queue`: which server's loop runs when; a server at rest costs no task.
//! - `once_report`: what keeps `once` from being good.
//! - `runtime_view`: what is known now, for those who look on.
//! - `trail_health`: the trail's disk, and what an outage of it kept from being recorded.
//! - `log_events`: the same events to the log; `alert_events`: to those who tell people.
//!
//! What to do is never decided here: that is `core::decide`'s.

mod account_health;
mod alert_events;
mod hook_leases;
mod id_change;
mod listing_confirmation;
mod log_events;
mod mutation;
mod once_report;
mod operator_orders;
mod pauses;
mod policy_swap;
mod power_cycle;
mod runtime_view;
mod server_loop;
mod server_runtime;
mod shared_listing;
#[cfg(test)]
mod tests;
mod trail_health;
mod work_queue;

pub use alert_events::{tell_wide, wide_alert};
pub use once_report::UnsettledSlot;
pub use operator_orders::OrderOutcome;
pub use pauses::{OpenMutation, PauseError, PauseResult};
pub use runtime_view::{AcceptedListing, EngineCounters, ListingFailure, ServerSnapshot};
pub use shared_listing::observe_once;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use jiff::SignedDuration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::alerts::{NewsQueue, ServerLabel};
use crate::api::SnapshotApi;
use crate::audit::{Details, Entry, Event, OpenedTrail, Trail, TrailError};
use crate::clock::Clock;
use crate::core::event::ServerEvent;
use crate::core::policy::{Policy, Rules};
use crate::core::snapshot::ServerId;
use crate::hooks::Runner;

use account_health::AccountHealth;
use operator_orders::WakeRequests;
use pauses::GlobalPause;
use runtime_view::DecisionCounters;
use server_runtime::{ServerRuntime, SharedRuntime};
use shared_listing::SharedListing;
use trail_health::TrailHealth;

/// The policies in force.
#[derive(Clone)]
struct PolicySet {
    rules: Arc<Rules>,
    policies: Arc<BTreeMap<ServerId, Arc<Policy>>>,
}

/// What the service shows of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineSummary {
    /// Policies in force.
    pub servers: usize,
    /// Servers whose loop runs now.
    pub working: usize,
    /// Servers on which nothing may be done.
    pub blocked: usize,
    /// Alerts that stand, the account's own included.
    pub alerts: usize,
    /// Whether the provider refuses the token.
    pub account_refused: bool,
}

/// The engine: shared by the daemon, `once` and the demo.
pub struct Engine<A> {
    api: Arc<A>,
    trail: Trail,
    clock: Clock,
    account: AccountHealth,
    observer: SharedListing,
    wanted: RwLock<PolicySet>,
    /// What servers were called whose policies went: their alerts are still to be cleared.
    former: Mutex<BTreeMap<ServerId, ServerLabel>>,
    seats: Mutex<BTreeMap<ServerId, SharedRuntime>>,
    /// Servers that have two ids, by the one that the trail doesn't name them by.
    other_ids: Mutex<BTreeMap<ServerId, ServerId>>,
    all_paused: Mutex<GlobalPause>,
    called: Mutex<WakeRequests>,
    /// No create before this much of the monotonic clock: the trail's tail was lost.
    no_create_before: SignedDuration,
    /// Nor before this where own snapshots are found: the trail begins with this process.
    begins_until: SignedDuration,
    longest_sleep: OnceLock<SignedDuration>,
    /// Where news go for those who tell people.
    tap: OnceLock<Arc<NewsQueue>>,
    /// Who runs hooks, and how many servers may be begun to be held at once.
    runner: OnceLock<Arc<dyn Runner>>,
    holds: Arc<Semaphore>,
    /// How many servers are decided on at once, each until its records are written.
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
    /// An engine over what the trail says; nothing happens before `run` or `once`.
    pub fn new(
        api: Arc<A>,
        trail: Trail,
        clock: Clock,
        opened: OpenedTrail,
        rules: Rules,
        policies: Vec<Arc<Policy>>,
    ) -> Arc<Self> {
        // After a loss of records a create may still be on its way that nobody knows of.
        let now = clock.now();
        let no_create_before = opened.hold_since.map_or(SignedDuration::ZERO, |since| {
            let past = now.wall.duration_since(since).max(SignedDuration::ZERO);
            now.mono + (rules.settle_window - past).max(SignedDuration::ZERO)
        });
        // A process that ended within that time is gone on with.
        let begun = (server_loop::TRAIL_BEGINS.to_owned(), "trail".to_owned());
        let begun = opened.wide_alerts.get(&begun);
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
        let seats = opened.histories.into_iter().map(|(server, history)| {
            let seat = ServerRuntime {
                history,
                ..ServerRuntime::default()
            };
            (server, Arc::new(Mutex::new(seat)))
        });
        Arc::new(Self {
            api,
            trail,
            clock,
            account: AccountHealth::new(opened.wide_alerts),
            observer: SharedListing::new(),
            wanted: RwLock::new(wanted(rules, policies)),
            former: Mutex::default(),
            seats: Mutex::new(seats.collect()),
            other_ids,
            all_paused: Mutex::new(GlobalPause {
                since: opened.paused,
                asked: false,
            }),
            called: Mutex::default(),
            no_create_before,
            begins_until,
            longest_sleep: OnceLock::new(),
            tap: OnceLock::new(),
            runner: OnceLock::new(),
            holds: Arc::new(Semaphore::new(hook_leases::MOST_AT_ONCE)),
            turns: Semaphore::new(server_loop::MOST_DECIDED),
            working: AtomicUsize::new(0),
            progress: AtomicU64::new(0),
            decisions: DecisionCounters::default(),
            wake: Notify::new(),
            keeper: TrailHealth::default(),
            reloading: watch::Sender::new(false),
            stop: CancellationToken::new(),
        })
    }

    /// Makes the engine look whether anything is due; cheap, and harmless when nothing is.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Looks at its queues less often: for a simulation, in which no timer is ever late.
    pub fn look_rarely(&self, longest_sleep: SignedDuration) {
        self.longest_sleep.get_or_init(|| longest_sleep);
    }

    /// Lets those who tell people know what happens; never waits for them.
    pub fn tap(&self, tap: Arc<NewsQueue>) {
        self.tap.get_or_init(|| tap);
    }

    /// Has hooks run by this runner; without one no rotation with hooks creates anything.
    pub fn run_hooks_by(&self, runner: Arc<dyn Runner>) {
        self.runner.get_or_init(|| runner);
    }

    /// Grows while the engine makes progress: the watchdog is fed on its word.
    pub fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// How things stand.
    pub fn summary(&self) -> EngineSummary {
        let wanted = self.wanted();
        let (wide, account_refused) = self.wide_alerts();
        let mut summary = EngineSummary {
            servers: wanted.policies.len(),
            working: self.working.load(Ordering::Relaxed),
            alerts: wide.len(),
            account_refused,
            ..EngineSummary::default()
        };
        let seats = lock(&self.seats);
        for seat in wanted.policies.keys().filter_map(|id| seats.get(id)) {
            let seat = lock(seat);
            summary.blocked += usize::from(seat.history.blocked.is_some());
            summary.alerts += seat.history.alerts.len();
        }
        summary
    }

    fn wanted(&self) -> PolicySet {
        let wanted = self.wanted.read();
        wanted.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seat(&self, server: &ServerId) -> SharedRuntime {
        let mut seats = lock(&self.seats);
        let new = || {
            let mut seat = ServerRuntime::default();
            seat.history.all_paused = lock(&self.all_paused).since;
            Arc::new(Mutex::new(seat))
        };
        Arc::clone(seats.entry(server.clone()).or_insert_with(new))
    }

    /// Whose policy it was, where the trail says so.
    fn policy_of(&self, server: &ServerId, fact: &ServerEvent) -> Option<String> {
        let policies = fact.is_by_policy().then(|| self.wanted().policies)?;
        Some(policies.get(server)?.file.clone())
    }

    /// Writes a fact to the trail, and only then believes it (I6).
    async fn record(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
        fact: ServerEvent,
        extra: Details,
    ) -> Result<(), TrailError> {
        let now = self.clock.now();
        // An entry of its own would stay in the future until the trail has answered.
        let entry = || Entry {
            time: now.wall,
            server: Some(server.clone()),
            event: Event::Fact(fact.clone()),
            extra: Details {
                policy: self.policy_of(server, &fact),
                ..extra.clone()
            },
        };
        let written = self.trail.append(vec![entry()]).await;
        self.note_written(written.as_ref().err(), now.wall);
        {
            let mut seat = lock(seat);
            seat.unwritten = if written.is_ok() {
                0
            } else {
                seat.unwritten + 1
            };
        }
        written?;
        let wanted = self.wanted();
        let policy = wanted.policies.get(server).map(Arc::as_ref);
        log_events::fact(server, policy, &fact, &extra);
        let grace = wanted.rules.request_timeout;
        self.succeed(server, seat, &fact);
        let mut seat = lock(seat);
        self.tap_fact(server, &seat.history, &fact, now.wall);
        seat.history.apply(&fact, now.into(), grace);
        if let ServerEvent::DeleteConfirmed { id } = fact {
            seat.listed.went(id);
        }
        drop(seat);
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

/// A panic elsewhere poisons nothing for others: what is behind the lock is whole (I16).
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
