//! Tries the steps of one server on a copy of its state, for a plan.
//!
//! The steps come from [`decide`], as in a run, so that a plan can't differ from a run (I14). Only
//! the plan's steps and the passing of time change the copy. Time passes only while the plan waits;
//! meanwhile snapshots in progress complete, unless they are stuck.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::decide::{DecisionContext, Inventory, Step, decide};
use super::plan::{Plan, PlannedAction, PlannedStep};
use super::policy::{Policy, Rules};
use super::retention_verdict::{SnapshotVerdict, verdicts, whole_seconds};
use super::rotation_and_snapshot_name::SnapshotName;
use super::sanitize::utc;
use super::server_event::{ClockReading, ServerEvent};
use super::server_history::{PendingOp, ServerHistory};
use super::server_info::PowerState;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// Number of looks after which a plan that does not come to rest is cut off.
const MOST_LOOKS: usize = 10_000;

/// Maximum number of times that the search for the next change looks beyond a rest.
const MOST_RESTS: usize = 3;

/// Number of strides in which a repeated wait covers the longest time that it can last.
const STRIDES: i32 = 60;

/// The copy on which steps are tried.
pub(super) struct DryRun<'a> {
    pub(super) policy: &'a Policy,
    pub(super) rules: &'a Rules,
    pub(super) inventory: Inventory,
    pub(super) history: ServerHistory,
    pub(super) now: ClockReading,
    /// Ids that stand for those that the provider will assign.
    pub(super) created: BTreeSet<SnapshotId>,
    pub(super) plan: Plan,
}

/// Plans one server's steps from now until it rests or is blocked.
pub fn plan(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Plan {
    let mut inventory = inventory.clone();
    history.name_as_known(&mut inventory.snapshots);
    let names = [&policy.name, &inventory.server_name];
    let name = names.into_iter().flatten().next().unwrap_or(&policy.file);
    let plan = Plan {
        id: policy.server.clone(),
        name: name.clone(),
        steps: Vec::new(),
        snapshots: Vec::new(),
        until: None,
        next: Vec::new(),
        first_change: None,
    };
    DryRun {
        policy,
        rules,
        inventory,
        history: history.clone(),
        now,
        created: BTreeSet::new(),
        plan,
    }
    .play()
}

impl DryRun<'_> {
    /// Tries steps until the server rests or is blocked.
    pub(super) fn play(mut self) -> Plan {
        self.observe();
        self.plan.snapshots = self.verdicts();
        self.run(|_| {});
        let plan = self.plan.clone();
        match self.next() {
            Some((at, next)) => Plan {
                until: Some(at),
                next,
                ..plan
            },
            None => plan,
        }
    }

    /// Returns the changes that follow the server's rest, or the step that says why none do, and
    /// the end of the rest.
    fn next(&mut self) -> Option<(Timestamp, Vec<PlannedStep>)> {
        // After an edit of the schedule, the next slot's name may already be settled. The search
        // then continues with the slot after it.
        for _ in 0..MOST_RESTS {
            let at = self.plan.until?;
            let before = self.plan.steps.len();
            self.pass_until(at);
            self.run(|_| {});
            let steps = self.plan.steps.drain(before..);
            let told = |step: &PlannedStep| step.changes() || step.do_ == PlannedAction::Blocked;
            let next: Vec<_> = steps.filter(told).collect();
            if !next.is_empty() {
                return Some((at, next));
            }
        }
        None
    }

    /// Tries steps, and calls `seen` after each look.
    pub(super) fn run(&mut self, mut seen: impl FnMut(&Self)) {
        for _ in 0..MOST_LOOKS {
            let over = self.look();
            seen(self);
            if over {
                return;
            }
        }
        let reason =
            format!("the plan is cut off: the server is still not idle after {MOST_LOOKS} steps");
        self.push(PlannedAction::Blocked, None, None, reason);
        seen(self);
    }

    /// Performs one look and its step. Returns true if the server now rests or is blocked.
    fn look(&mut self) -> bool {
        self.observe();
        let (policy, rules) = (self.policy, self.rules);
        match decide(policy, &self.inventory, &self.history, rules, self.now) {
            Step::Record(event) => self.record(&event),
            Step::Create {
                rotation,
                name,
                reason,
            } => self.create(rotation, name, reason),
            Step::Delete {
                id,
                name,
                prune_first,
                paid_by,
                expired,
                reason,
                ..
            } => self.delete((id, name), (prune_first, expired), paid_by, reason),
            Step::After { rotation, name, .. } => self.after(rotation, name),
            // A plan assumes that the server is running, unless its state was requested.
            Step::AskState => self.inventory.state = Some(PowerState::Active),
            Step::Stop {
                rotation,
                name,
                reason,
            } => self.stop(rotation, name, reason),
            Step::Start {
                rotation,
                name,
                early,
                reason,
            } => self.start(rotation, name, early, reason),
            Step::Wait { pause, reason } => self.wait(pause, reason),
            Step::Blocked { reason } => {
                self.push(PlannedAction::Blocked, None, None, reason);
                return true;
            }
            Step::Idle { until } => {
                self.rest(until);
                return true;
            }
        }
        false
    }

    /// Lets time pass until `at` without any change. Never goes back in time.
    pub(super) fn pass_until(&mut self, at: Timestamp) {
        let time = at.duration_since(self.now.wall).max(SignedDuration::ZERO);
        self.now.wall = at.max(self.now.wall);
        self.now.mono = self.now.mono.saturating_add(time);
        self.inventory.requested = self.now.mono;
        self.plan.until = None;
    }

    /// Lets time pass and completes the snapshots in progress. Equal waits in a row become one step
    /// with longer strides, since only time can end them.
    fn wait(&mut self, pause: SignedDuration, reason: String) {
        let reason = if pause > self.rules.poll_interval {
            format!("{reason} (for {:#})", whole_seconds(pause))
        } else {
            reason
        };
        let last = self.plan.steps.last();
        let again =
            last.is_some_and(|last| last.do_ == PlannedAction::Wait && last.reason == reason);
        let stride = if again {
            // An open call ends within `settle_window`, everything else within `stuck_after`.
            let longest = match self.history.open {
                Some(_) => self.rules.settle_window.min(self.rules.stuck_after),
                None => self.rules.stuck_after,
            };
            pause.max(longest / STRIDES)
        } else {
            self.push(PlannedAction::Wait, None, None, reason);
            pause
        };
        self.complete();
        if let Some(downtime) = self.history.downtime.as_deref() {
            let started = downtime.starts > 0 || downtime.is_doubtful();
            self.inventory.state = Some(if started {
                PowerState::Active
            } else {
                PowerState::Stopped
            });
        }
        let wall = self.now.wall.saturating_add(stride);
        self.now.wall = wall.unwrap_or(Timestamp::MAX);
        self.now.mono = self.now.mono.saturating_add(stride);
        self.inventory.requested = self.now.mono;
        // From now on, the listing shows a created snapshot that it did not show yet.
        if let Some(PendingOp::Create {
            id: Some(id), name, ..
        }) = &self.history.open
            && !self.inventory.snapshots.iter().any(|s| s.id == *id)
        {
            let (id, name) = (id.clone(), name.clone());
            self.show(id, name);
        }
    }

    fn complete(&mut self) {
        let server = self.server();
        // A snapshot that an operator ordered does not have an own name.
        let awaited = |s: &&Snapshot| {
            self.policy.place(&s.name).is_some() || self.history.has_open_create_of(&s.id)
        };
        let rows = self.inventory.snapshots.iter().filter(awaited);
        let done: BTreeSet<_> = rows
            .filter(|s| s.status == Status::InProgress && !server.stuck(s))
            .map(|s| s.id.clone())
            .collect();
        for row in &mut self.inventory.snapshots {
            if done.contains(&row.id) {
                row.status = Status::Completed;
            }
        }
    }

    /// Ends the plan: the server rests, is paused, or is left alone after a restore.
    fn rest(&mut self, until: Option<Timestamp>) {
        self.plan.until = until;
        if self.server().held().is_none() {
            return;
        }
        let reason = match self.history.paused() {
            Some(pause) => {
                // A server that is paused is looked at again for its alerts only.
                self.plan.until = None;
                let since = utc(pause.since);
                format!("paused since {since}: nothing is changed until the pause ends")
            }
            None => "a restore started recently: nothing is changed for now".to_owned(),
        };
        self.push(PlannedAction::Wait, None, None, reason);
    }

    /// Adds the row of a snapshot in progress.
    pub(super) fn show(&mut self, id: SnapshotId, name: SnapshotName) {
        self.inventory.snapshots.push(Snapshot {
            uuid: None,
            id,
            name: name.into(),
            status: Status::InProgress,
            created_at: Some(self.now.wall),
        });
        self.inventory.requested = self.now.mono;
    }

    /// Returns an id above every known one. A new snapshot must not be mistaken for an old or a
    /// protected one.
    pub(super) fn new_id(&self) -> SnapshotId {
        let listed = self.inventory.snapshots.iter().map(|s| s.id.clone());
        let pruned = self.history.prune_first.iter();
        let pruned = pruned.flat_map(|prune| prune.known.iter().cloned());
        let protected = self.policy.protected_ids.iter().cloned();
        let ids = listed.chain(pruned).chain(protected);
        let ids = ids.chain(self.created.iter().cloned());
        let ids = ids.chain(self.history.listed_ids().cloned());
        let numbers = ids.filter_map(|id| id.number());
        SnapshotId::from(numbers.max().map_or(1, |id| id.saturating_add(1)))
    }

    fn observe(&mut self) {
        // The service records this end, before it decides.
        let over = self.history.all_paused.as_deref();
        if let Some(until) = over.and_then(|pause| pause.over(self.now.wall)) {
            self.history.end_pause_of_all(until, self.now.wall);
        }
        if self.inventory.doubt.is_none() {
            self.history.observe(self.policy, &self.inventory, self.now);
        }
        let state = self.inventory.state.as_ref();
        self.history.observe_state(state, self.now);
    }

    pub(super) fn record(&mut self, event: &ServerEvent) {
        let grace = self.rules.request_timeout;
        self.history.apply(event, self.now.into(), grace);
        // A second listing would show the same.
        if matches!(event, ServerEvent::SnapshotCompleted { .. }) {
            self.inventory.requested = self.now.mono + SignedDuration::from_nanos(1);
        }
    }

    pub(super) fn push(
        &mut self,
        do_: PlannedAction,
        name: Option<SnapshotName>,
        id: Option<SnapshotId>,
        reason: String,
    ) {
        let step = PlannedStep {
            do_,
            name,
            id,
            reason,
        };
        if step.changes() {
            self.plan.first_change.get_or_insert(self.now.wall);
        }
        self.plan.steps.push(step);
    }

    fn verdicts(&self) -> Vec<SnapshotVerdict> {
        let (policy, rules) = (self.policy, self.rules);
        verdicts(policy, &self.inventory, &self.history, rules, self.now)
    }

    fn server(&self) -> DecisionContext<'_> {
        let (policy, rules) = (self.policy, self.rules);
        DecisionContext::of(policy, &self.inventory, &self.history, rules, self.now)
    }
}

#[cfg(test)]
#[path = "plan_hold_tests.rs"]
mod hold_tests;
#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "upcoming_tests.rs"]
mod upcoming_tests;
