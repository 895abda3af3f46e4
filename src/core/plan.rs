//! A dry run of one server: the steps from now to rest, supposing that each succeeds, and
//! what becomes of each snapshot. The plan is a value that prints itself.
//!
//! `rehearsal.rs` finds the steps, `plan_text.rs` prints them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::plan_text::one_after_the_other;

use super::decide::Inventory;
use super::dry_run::DryRun;
use super::event::ClockReading;
use super::policy::{Policy, Rules};
use super::retention_verdict::SnapshotVerdict;
use super::server_history::ServerHistory;
use super::snapshot::{ServerId, SnapshotId};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedAction {
    /// Creates a snapshot.
    Create,
    /// Deletes one.
    Delete,
    /// Stops the server for one.
    Stop,
    /// Starts it again.
    Start,
    /// Waits for something under way, or until work may go on.
    Wait,
    /// Can do nothing until something outside changes; always the last step.
    Blocked,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// What is done.
    #[serde(rename = "do")]
    pub do_: PlannedAction,
    /// The name of the snapshot that is created or deleted.
    pub name: Option<String>,
    /// Its id, where it has one already.
    pub id: Option<SnapshotId>,
    /// Why, in one line.
    pub reason: String,
}

/// The steps of one server from now to rest, and each snapshot's fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The server.
    pub id: ServerId,
    /// What it is called: by the policy, else by the provider, else by the policy's file.
    pub name: String,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// Every snapshot there is now; one that a step deletes has the fate `delete`.
    pub snapshots: Vec<SnapshotVerdict>,
    /// Until when the server then rests; `None`: until something changes.
    pub until: Option<Timestamp>,
    /// What is created and deleted then, or why nothing is, if nothing changes meanwhile.
    pub next: Vec<PlannedStep>,
    /// When the first of the steps that changes something comes, if all that is waited for
    /// before is over at once.
    #[serde(skip)]
    pub first_change: Option<Timestamp>,
}

/// What is created and deleted next on one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextChanges {
    /// When; at the earliest, where something is waited for.
    pub at: Timestamp,
    /// What is waited for before, in one line.
    pub after: Option<String>,
    /// What, in order.
    pub steps: Vec<PlannedStep>,
}

impl Plan {
    /// What is created and deleted next: what is due, else what comes when the server has
    /// rested.
    pub fn upcoming(self) -> Option<NextChanges> {
        let mut steps = self.steps;
        let Some(at) = self.first_change else {
            let (at, steps) = (self.until?, self.next);
            let after = None;
            return (!steps.is_empty()).then_some(NextChanges { at, after, steps });
        };
        let waits = steps.iter().take_while(|step| !step.changes());
        let waits: Vec<_> = waits.map(|step| step.reason.as_str()).collect();
        let after = (!waits.is_empty()).then(|| waits.join(", then "));
        steps.retain(PlannedStep::changes);
        Some(NextChanges { at, after, steps })
    }
}

impl PlannedStep {
    /// Whether it changes something at the provider.
    pub(super) fn changes(&self) -> bool {
        matches!(
            self.do_,
            PlannedAction::Create
                | PlannedAction::Delete
                | PlannedAction::Stop
                | PlannedAction::Start
        )
    }
}

/// The plans of several servers: what `plan --json` writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plans {
    /// One plan a server.
    pub servers: Vec<Plan>,
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

impl PlannedAction {
    /// The word that tables and other programs use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Wait => "wait",
            Self::Blocked => "blocked",
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "upcoming_tests.rs"]
mod upcoming_tests;
