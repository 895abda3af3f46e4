//! Steps the dry run behind `plan` through the coming days, slot by slot. A forecast therefore uses
//! the service's decision code and has no retention rules of its own.
//!
//! The run begins with an empty server, early enough that every rotation is full at the start of
//! the span. Each rotation joins `keep` + 1 of its own slots before the span, so that a yearly
//! rotation does not require years of hourly slots.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::decide::Inventory;
use super::dry_run::DryRun;
use super::plan::{Plan, PlannedAction};
use super::policy::{Policy, Rotation, Rules};
use super::recovery_ages::UsableSpan;
use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::server_event::ClockReading;
use super::server_history::ServerHistory;
use super::snapshot::{SnapshotId, Status};
use serde::Serialize;

/// One snapshot from its creation to its deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SnapshotLifetime {
    /// Its name.
    pub name: SnapshotName,
    /// The rotation that creates it.
    pub rotation: RotationName,
    /// Its slot's local time according to its name; midnight if the name has a date only.
    #[serde(skip)]
    pub slot: DateTime,
    /// Time of its creation.
    pub created_at: Timestamp,
    /// Time of its completion, if before the end of the span.
    pub completed_at: Option<Timestamp>,
    /// Time of its deletion, if within the span.
    pub deleted_at: Option<Timestamp>,
}

/// One forecast event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ForecastEvent {
    /// Its time.
    pub time: Timestamp,
    /// The action; `blocked` if no snapshot can be made for a due slot.
    #[serde(rename = "do")]
    pub do_: PlannedAction,
    /// The snapshot's name.
    pub name: Option<SnapshotName>,
    /// Its rotation.
    pub rotation: Option<RotationName>,
    /// The reason, in one line.
    pub reason: String,
}

impl SnapshotLifetime {
    pub(super) fn usable(&self) -> Option<UsableSpan> {
        Some(UsableSpan {
            made: self.created_at,
            since: self.completed_at?,
            until: self.deleted_at,
        })
    }
}

/// Runs the simulation, and returns the snapshots and events between `from` and `until`.
pub(super) fn simulate(
    policy: &Policy,
    rules: &Rules,
    from: Timestamp,
    until: Timestamp,
) -> (Vec<SnapshotLifetime>, Vec<ForecastEvent>) {
    let stages = stages(policy, from);
    let start = stages.first().map_or(from, |(start, _)| *start);
    let mut rehearsal = DryRun {
        policy,
        rules,
        inventory: Inventory::empty(SignedDuration::ZERO),
        history: ServerHistory::default(),
        now: ClockReading {
            wall: start,
            mono: SignedDuration::ZERO,
        },
        created: BTreeSet::new(),
        plan: Plan {
            id: policy.server.clone(),
            name: String::new(),
            steps: Vec::new(),
            snapshots: Vec::new(),
            until: None,
            next: Vec::new(),
            first_change: None,
        },
    };
    let mut seen = SimulationResult::default();
    for (nth, (start, stage)) in stages.iter().enumerate() {
        let end = stages.get(nth + 1).map_or(until, |(start, _)| *start);
        rehearsal.policy = stage;
        let mut next = Some(*start);
        while let Some(at) = next.filter(|at| *at < end) {
            rehearsal.pass_until(at);
            rehearsal.run(|look| seen.take(look));
            // A blocked server is looked at again when a slot is due.
            let now = rehearsal.now.wall;
            let due = stage.rotations.iter().filter_map(|r| r.next_due(now)).min();
            next = rehearsal.plan.until.or(due);
            // The ids of deleted snapshots are not needed: the newest snapshot always stays, and
            // new ids are higher than its id.
            let rows = &rehearsal.inventory.snapshots;
            rehearsal
                .created
                .retain(|id| rows.iter().any(|s| s.id == *id));
        }
    }
    seen.between(from, until)
}

/// Returns the stages of the growing policy: each instant at which rotations join, with the policy
/// of the rotations that have joined by then. The last stage has all of them.
fn stages(policy: &Policy, from: Timestamp) -> Vec<(Timestamp, Policy)> {
    let starts = policy
        .rotations
        .iter()
        .map(|rotation| begin(rotation, from));
    let starts: Vec<_> = starts.collect();
    let order: BTreeSet<_> = starts.iter().copied().collect();
    let stage = |start: Timestamp| {
        let rotations = policy.rotations.iter().zip(&starts);
        let rotations = rotations.filter(|(_, begins)| **begins <= start);
        let mut grown = policy.clone();
        grown.rotations = rotations.map(|(rotation, _)| rotation.clone()).collect();
        grown
    };
    order
        .into_iter()
        .map(|start| (start, stage(start)))
        .collect()
}

/// Returns when the slot that lies `keep` + 1 slots back was due. A rotation that never fired joins
/// at the start of the span.
fn begin(rotation: &Rotation, from: Timestamp) -> Timestamp {
    let newest = rotation.newest_due(from);
    let slots = std::iter::successors(newest, |slot| rotation.schedule.before(slot.at));
    let first = slots.take(rotation.keep.saturating_add(1)).last();
    let due = first.and_then(|slot| slot.at.checked_add(rotation.splay).ok());
    due.unwrap_or(from)
}

/// The results collected so far.
#[derive(Default)]
struct SimulationResult {
    alive: BTreeMap<SnapshotId, SnapshotLifetime>,
    gone: Vec<SnapshotLifetime>,
    events: Vec<ForecastEvent>,
    /// Number of the plan's steps that have been processed.
    steps: usize,
}

impl SimulationResult {
    fn take(&mut self, look: &DryRun<'_>) {
        let now = look.now.wall;
        let rotation = |name: &str| {
            let place = look.policy.place(name)?;
            Some((look.policy.rotations[place.rotation].name.clone(), place))
        };
        for step in &look.plan.steps[self.steps..] {
            if step.do_ != PlannedAction::Wait {
                let of = step.name.as_deref().and_then(rotation);
                self.events.push(ForecastEvent {
                    time: now,
                    do_: step.do_,
                    name: step.name.clone(),
                    rotation: of.map(|(rotation, _)| rotation),
                    reason: step.reason.clone(),
                });
            }
        }
        self.steps = look.plan.steps.len();
        let rows = &look.inventory.snapshots;
        for row in rows {
            if !self.alive.contains_key(&row.id)
                && let Some((rotation, place)) = rotation(&row.name)
            {
                let life = SnapshotLifetime {
                    name: row.name.clone().into(),
                    rotation,
                    slot: place.local,
                    created_at: row.created_at.unwrap_or(now),
                    completed_at: None,
                    deleted_at: None,
                };
                self.alive.insert(row.id.clone(), life);
            }
            if row.status == Status::Completed
                && let Some(life) = self.alive.get_mut(&row.id)
            {
                life.completed_at.get_or_insert(now);
            }
        }
        if self.alive.len() > rows.len() {
            let left = |id: &SnapshotId| !rows.iter().any(|row| row.id == *id);
            let gone: Vec<_> = self.alive.keys().filter(|&x| left(x)).cloned().collect();
            let gone = gone.into_iter().filter_map(|id| self.alive.remove(&id));
            self.gone.extend(gone.map(|life| SnapshotLifetime {
                deleted_at: Some(now),
                ..life
            }));
        }
    }

    /// Returns the part within the span. Times at or after its end are removed, since the span
    /// can't show them.
    fn between(
        self,
        from: Timestamp,
        until: Timestamp,
    ) -> (Vec<SnapshotLifetime>, Vec<ForecastEvent>) {
        let within = |at: &Timestamp| *at < until;
        let all = self.gone.into_iter().chain(self.alive.into_values());
        let mut lives: Vec<_> = all
            .filter(|life| life.created_at < until && life.deleted_at.is_none_or(|at| at > from))
            .map(|life| SnapshotLifetime {
                completed_at: life.completed_at.filter(within),
                deleted_at: life.deleted_at.filter(within),
                ..life
            })
            .collect();
        lives.sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
        let mut events = self.events;
        events.retain(|event| event.time >= from && event.time < until);
        (lives, events)
    }
}

#[cfg(test)]
#[path = "steady_state_simulation_tests.rs"]
mod tests;
