//! The outcomes of mutations, hooks and slots, in the words of the trail.

use serde::{Deserialize, Serialize};

/// The outcome of a mutation, as far as its answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider confirmed it.
    Done,
    /// It was refused, or was found to have had no effect. Counts as an attempt.
    Failed,
    /// The provider has no such server (404 on a create) or no such power call (404 or 405). Counts
    /// as an attempt.
    NoServer,
    /// It was refused for now, or not delivered (busy, throttled, unreachable). Only `once` counts
    /// it as an attempt.
    Later,
    /// No answer came, or none that can be relied on.
    Unknown,
}

/// One of a rotation's hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookKind {
    /// Runs before the snapshot: holds the server.
    Before,
    /// Runs when the snapshot has ended: releases the server.
    After,
}

/// The outcome of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookOutcome {
    /// It succeeded, or there was no program to run.
    Done,
    /// It failed or timed out.
    Failed,
    /// It could not be started.
    NotStarted,
}

/// The outcome of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SlotOutcome {
    /// Its snapshot was completed.
    Completed,
    /// It was tried and given up.
    GivenUp,
    /// It passed without an attempt.
    Skipped,
    /// It passed without an attempt during a pause, or continues under a new name. Raises no alert.
    Paused,
}

/// Why the provider refuses creates for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransientRefusal {
    /// Requests came too fast. The pause before the next try starts at `poll_interval`, not at
    /// `retry_after`.
    Rate,
    /// The account's token is rejected, which has an alert of its own.
    Token,
}
