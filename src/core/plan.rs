//! The plan of one server: the steps from now until it is idle or blocked, provided that each
//! succeeds, and the verdict on each snapshot.
//!
//! `dry_run.rs` finds the steps, and `plan_text.rs` prints them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::retention_verdict::SnapshotVerdict;
use super::rotation_and_snapshot_name::SnapshotName;
use super::snapshot::{ServerId, SnapshotId};

/// The action of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlannedAction {
    /// Creates a snapshot.
    Create,
    /// Deletes a snapshot.
    Delete,
    /// Stops the server for a snapshot.
    Stop,
    /// Starts the server again.
    Start,
    /// Waits for something in progress, or until work may continue.
    Wait,
    /// Nothing may be changed until something outside the service changes; always the last step.
    Blocked,
}

impl PlannedAction {
    /// Returns the sign before a line of the plan.
    pub(super) const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Delete => '-',
            Self::Stop | Self::Start | Self::Wait => '·',
            Self::Blocked => '!',
        }
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlannedStep {
    /// The action.
    #[serde(rename = "do")]
    pub do_: PlannedAction,
    /// The name of the affected snapshot.
    pub name: Option<SnapshotName>,
    /// Its id, if it has one already.
    pub id: Option<SnapshotId>,
    /// The reason, in one line.
    pub reason: String,
}

/// The steps of one server from now until it is idle or blocked, and the verdict on each snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// The server.
    pub id: ServerId,
    /// Its name: the policy's, else the provider's, else the policy file's.
    pub name: String,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// Every snapshot that is listed now. One that a step deletes has the verdict `delete`.
    pub snapshots: Vec<SnapshotVerdict>,
    /// The time until which the server is then idle; `null`: until something changes.
    pub until: Option<Timestamp>,
    /// The changes that follow at `until` if nothing else happens, or the `blocked` step that says
    /// why there are none.
    pub next: Vec<PlannedStep>,
    /// Time of the first step that changes something, if every wait before it ended at once.
    #[serde(skip)]
    pub first_change: Option<Timestamp>,
}

/// The next changes on one server, or the `blocked` step that says why there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NextChanges {
    /// Their time; the earliest possible one if the server must wait for something first.
    pub at: Timestamp,
    /// The waits that come first, in one line.
    pub after: Option<String>,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
}

impl Plan {
    /// Returns the next changes: those that are due, else those that follow at `until`.
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
    /// Returns true if the step changes something at the provider.
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

/// The plans of several servers, as `plan --json` prints them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plans {
    /// One plan per server.
    pub servers: Vec<Plan>,
}

impl PlannedAction {
    /// Returns the word for the action, as in the JSON output.
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
