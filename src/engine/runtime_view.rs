//! Read-only view of the engine for status. Nothing here sends a request, waits or changes
//! anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::server_runtime::{AcceptedListing, ListingFailure, SharedRuntime};
use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::StandingAlert;
use crate::core::decide::Step;
use crate::core::policy::{Policy, Rules};
use crate::core::server_event::ClockReading;
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::ServerId;

/// State of one server.
#[derive(Clone, Copy, Debug)]
pub struct ServerStateView<'a> {
    /// The server's policy in force.
    pub policy: &'a Policy,
    /// The rules for every server.
    pub rules: &'a Rules,
    /// The server's history, according to the trail.
    pub history: &'a ServerHistory,
    /// Its last accepted listing; `None` before the first one of this process.
    pub seen: Option<&'a AcceptedListing>,
    /// How long the current request for a listing has been waiting.
    pub asked: Option<SignedDuration>,
    /// Why the last listing failed, if it did.
    pub unlisted: Option<&'a ListingFailure>,
    /// No create is sent to the server before this time, since records were lost or the trail is
    /// new.
    pub creates_held: Option<Timestamp>,
    /// The wall clock and the monotonic clock.
    pub now: ClockReading,
}

/// Summary of the engine for `systemctl status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineSummary {
    /// Policies in force.
    pub servers: usize,
    /// Servers whose loop is running.
    pub working: usize,
    /// Servers on which nothing may be changed.
    pub blocked: usize,
    /// Active alerts, including those of the account.
    pub alerts: usize,
    /// True if the provider rejects the token.
    pub account_refused: bool,
}

/// Counters since the engine started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineCounters {
    /// Number of decisions, by kind of step.
    pub decisions: Vec<(&'static str, u64)>,
    /// Records written to the trail.
    pub records: u64,
    /// False if the last append to the trail failed or hangs.
    pub writable: bool,
    /// True if the provider rejects the token.
    pub account_refused: bool,
}

/// The kinds of step, in the order of [`DecisionCounters`].
const STEPS: [&str; 10] = [
    "record",
    "create",
    "delete",
    "after",
    "ask_state",
    "stop",
    "start",
    "wait",
    "blocked",
    "idle",
];

/// Number of decisions by kind of step.
#[derive(Default)]
pub(super) struct DecisionCounters([AtomicU64; STEPS.len()]);

impl DecisionCounters {
    pub(super) fn note(&self, step: &Step) {
        let kind = match step {
            Step::Record(_) => 0,
            Step::Create { .. } => 1,
            Step::Delete { .. } => 2,
            Step::After { .. } => 3,
            Step::AskState => 4,
            Step::Stop { .. } => 5,
            Step::Start { .. } => 6,
            Step::Wait { .. } => 7,
            Step::Blocked { .. } => 8,
            Step::Idle { .. } => 9,
        };
        self.0[kind].fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns the servers that have a policy, or those that have none. Both maps are walked side by
/// side: a lookup for each of ten thousand servers would dominate the CPU time of an idle service.
pub(super) fn runtimes_by_policy<'r>(
    runtimes: &'r BTreeMap<ServerId, SharedRuntime>,
    policies: &'r BTreeMap<ServerId, Arc<Policy>>,
    has_policy: bool,
) -> impl Iterator<Item = (&'r ServerId, &'r SharedRuntime)> {
    let mut wanted = policies.keys().peekable();
    runtimes.iter().filter(move |(server, _)| {
        while wanted.next_if(|id| id < server).is_some() {}
        (wanted.peek() == Some(server)) == has_policy
    })
}

impl<A: SnapshotApi> Engine<A> {
    /// Returns the policies in force.
    pub fn policies(&self) -> Arc<BTreeMap<ServerId, Arc<Policy>>> {
        self.wanted().policies
    }

    /// Calls `look` with the state of a server. Returns `None` if the server has no policy.
    pub fn with_server_state<T>(
        &self,
        server: &ServerId,
        look: impl FnOnce(ServerStateView<'_>) -> T,
    ) -> Option<T> {
        let wanted = self.wanted();
        let policy = wanted.policies.get(server)?;
        let runtime = self.runtime(&self.id_of_state(server, &wanted));
        let runtime = lock(&runtime);
        let now = self.clock.now();
        let asked = runtime.asked.map(|at| SignedDuration::from_secs(at.into()));
        Some(look(ServerStateView {
            policy,
            rules: &wanted.rules,
            history: &runtime.history,
            seen: runtime.seen.as_ref(),
            asked: asked.map(|at| now.mono - at),
            unlisted: runtime.unlisted.as_deref(),
            creates_held: self.creates_held_until(&runtime, now),
            now,
        }))
    }

    /// Returns a summary of the current state.
    pub fn summary(&self) -> EngineSummary {
        let wanted = self.wanted();
        let (event, account_refused) = self.global_alerts();
        let mut summary = EngineSummary {
            servers: wanted.policies.len(),
            working: self.working.load(Ordering::Relaxed),
            alerts: event.len(),
            account_refused,
            ..EngineSummary::default()
        };
        let runtimes = lock(&self.runtimes);
        for (_, runtime) in runtimes_by_policy(&runtimes, &wanted.policies, true) {
            let runtime = lock(runtime);
            summary.blocked += usize::from(runtime.history.blocked.is_some());
            summary.alerts += runtime.history.alerts.len();
        }
        summary
    }

    fn creates_held_until(&self, runtime: &ServerRuntime, now: ClockReading) -> Option<Timestamp> {
        let begins = self.begins_until - now.mono;
        let begins = Some(begins).filter(|_| runtime.found_own == Some(true));
        let left = self.creates_held(begins)?;
        now.wall
            .checked_add(left)
            .ok()
            .filter(|_| left.is_positive())
    }

    /// Returns the active alerts that don't concern a server with a policy.
    pub fn account_alerts(&self) -> Vec<StandingAlert> {
        self.global_alerts().0
    }

    /// Returns the alerts of the account, of the trail, and of servers without a policy. The flag
    /// is true if the token is rejected.
    pub(super) fn global_alerts(&self) -> (Vec<StandingAlert>, bool) {
        let (mut alerts, refused) = self.account.alerts();
        alerts.extend(self.keeper.alert());
        alerts.extend(self.orphaned_alerts());
        (alerts, refused)
    }

    /// Returns the alerts of the account and of the trail.
    pub fn service_alerts(&self) -> Vec<StandingAlert> {
        let alerts = self.account.alerts().0.into_iter();
        alerts.chain(self.keeper.alert()).collect()
    }

    /// Returns the active alerts of servers that no longer have a policy.
    fn orphaned_alerts(&self) -> Vec<StandingAlert> {
        let policies = self.wanted().policies;
        let runtimes = lock(&self.runtimes);
        let mut alerts = Vec::new();
        for (server, runtime) in runtimes_by_policy(&runtimes, &policies, false) {
            let runtime = lock(runtime);
            for ((kind, _), standing) in &runtime.history.alerts {
                alerts.push(StandingAlert {
                    alert: kind.word().to_owned(),
                    about: self.place(server).name,
                    standing: standing.clone(),
                });
            }
        }
        alerts
    }

    /// Returns the counters.
    pub fn counters(&self) -> EngineCounters {
        let counts = STEPS.iter().zip(&self.decisions.0);
        EngineCounters {
            decisions: counts
                .map(|(step, count)| (*step, count.load(Ordering::Relaxed)))
                .collect(),
            records: self.trail.written(),
            writable: self.keeper.writable(),
            account_refused: self.global_alerts().1,
        }
    }
}
