//! What is known now, for those who look on: nothing here asks the provider, waits, or
//! changes anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::StandingAlert;
use crate::core::decide::{Inventory, Step};
use crate::core::event::ClockReading;
use crate::core::policy::{Policy, Rules};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{ServerId, Snapshot};

/// What the last listing showed that the engine went by.
#[derive(Clone, Debug)]
pub struct AcceptedListing {
    /// The server's rows.
    pub rows: Box<[Snapshot]>,
    /// When it was taken in.
    pub at: Timestamp,
    /// When it was requested, by the clock that doesn't step.
    pub requested: SignedDuration,
}

impl AcceptedListing {
    /// What a decision looks at.
    pub fn inventory(&self) -> Inventory {
        Inventory {
            snapshots: self.rows.to_vec(),
            ..Inventory::empty(self.requested)
        }
    }
}

/// The last listing couldn't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingFailure {
    /// Why.
    pub why: Box<str>,
    /// When it is tried again, by the clock that doesn't step.
    pub again: SignedDuration,
}

/// What is known of one server.
#[derive(Clone, Copy, Debug)]
pub struct ServerSnapshot<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// What holds for every server.
    pub rules: &'a Rules,
    /// What the trail says of it.
    pub history: &'a ServerHistory,
    /// What it holds; `None` before the first listing of this process.
    pub seen: Option<&'a AcceptedListing>,
    /// For how long a listing has been asked for that isn't answered yet.
    pub asked: Option<SignedDuration>,
    /// Why the last one couldn't be had.
    pub unlisted: Option<&'a ListingFailure>,
    /// Until when nothing is created on it: records were lost, or the trail begins.
    pub creates_held: Option<Timestamp>,
    /// Both clocks.
    pub now: ClockReading,
}

/// What the engine did since it began, for those who watch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineCounters {
    /// Decisions by what was decided.
    pub decisions: Vec<(&'static str, u64)>,
    /// Records written to the trail.
    pub records: u64,
    /// Whether the last record could be written.
    pub writable: bool,
    /// Whether the provider refuses the token.
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

/// How often which kind of step was decided.
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

impl<A: SnapshotApi> Engine<A> {
    /// The policies in force.
    pub fn policies(&self) -> Arc<BTreeMap<ServerId, Arc<Policy>>> {
        self.wanted().policies
    }

    /// Shows what is known of a server with a policy.
    pub fn known<T>(
        &self,
        server: &ServerId,
        look: impl FnOnce(ServerSnapshot<'_>) -> T,
    ) -> Option<T> {
        let wanted = self.wanted();
        let policy = wanted.policies.get(server)?;
        let seat = self.seat(server);
        let seat = lock(&seat);
        let now = self.clock.now();
        let asked = seat.asked.map(|at| SignedDuration::from_secs(at.into()));
        Some(look(ServerSnapshot {
            policy,
            rules: &wanted.rules,
            history: &seat.history,
            seen: seat.seen.as_ref(),
            asked: asked.map(|at| now.mono - at),
            unlisted: seat.unlisted.as_deref(),
            creates_held: self.creates_held_until(&seat, now),
            now,
        }))
    }

    fn creates_held_until(&self, seat: &ServerRuntime, now: ClockReading) -> Option<Timestamp> {
        let begins = self.begins_until - now.mono;
        let begins = Some(begins).filter(|_| seat.found_own == Some(true));
        let left = self.creates_held(begins)?;
        now.wall
            .checked_add(left)
            .ok()
            .filter(|_| left.is_positive())
    }

    /// The alerts of the whole account that stand.
    pub fn account_alerts(&self) -> Vec<StandingAlert> {
        self.wide_alerts().0
    }

    /// The same, the trail's own with them, and whether the account is refused.
    pub(super) fn wide_alerts(&self) -> (Vec<StandingAlert>, bool) {
        let (mut alerts, refused) = self.account.alerts();
        alerts.extend(self.keeper.alert());
        alerts.extend(self.orphaned_alerts());
        (alerts, refused)
    }

    /// The alerts of servers that have no policy any more and are owed something all the same.
    fn orphaned_alerts(&self) -> Vec<StandingAlert> {
        let policies = self.wanted().policies;
        let seats = lock(&self.seats);
        let orphans = seats.iter().filter(|(id, _)| !policies.contains_key(id));
        let mut alerts = Vec::new();
        for (server, seat) in orphans {
            let seat = lock(seat);
            if seat.history.gone() {
                continue;
            }
            for ((kind, _), standing) in &seat.history.alerts {
                alerts.push(StandingAlert {
                    alert: kind.word().to_owned(),
                    about: self.place(server).name,
                    standing: standing.clone(),
                });
            }
        }
        alerts
    }

    /// What was done so far.
    pub fn watched(&self) -> EngineCounters {
        let counts = STEPS.iter().zip(&self.decisions.0);
        EngineCounters {
            decisions: counts
                .map(|(step, count)| (*step, count.load(Ordering::Relaxed)))
                .collect(),
            records: self.trail.written(),
            writable: self.keeper.writable(),
            account_refused: self.wide_alerts().1,
        }
    }
}
