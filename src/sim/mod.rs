//! Simulation of the engine: seeded weeks of faults, on one thread and in paused time.
//!
//! The engine, the trail and the decision are the real ones. Everything around them is simulated,
//! and all of it follows from the seed:
//!
//! - `world_setup`: the servers, their policies and the rates of faults;
//! - `true_state`: the true snapshots; `provider`, `effects`: how calls, time and people change
//!   them;
//! - `faulty_api`: the provider's calls as the engine uses them; `call_faults`: their faults;
//! - `director`, `director_state`, `disturbances`: processes that start, die and start again;
//!   clocks, disks, reloads, people;
//! - `judge`, `mutation_judge`: the invariants, checked against the provider's truth at every
//!   mutation; `deletable`: the snapshots that may be deleted; `expiry_judge`: those that have
//!   expired, by the listings in `shown_rows`;
//! - `hook_ledger`: the servers that are truly held; `hook_faults`: a runner that fails;
//! - `machines`: the servers' true power states; `power_faults`: power calls that fail;
//!   `power_judge`: I20;
//! - `lies`, `lying_provider`, `lying_listing`: a provider that lies; `deletion_budget`: the
//!   erosion bound, judged by what the provider truly holds;
//! - `operator_orders`, `operator_wishes`: orders and pauses; `crash`, `process_deaths`: the points
//!   at which a process dies;
//! - `rule_breaks`: policies, settings and answers under a deliberately broken rule;
//! - `final_checks`: the checks after the faults have stopped.
//!
//! [`crash_points`] draws no faults: it kills the process at every possible point of a few short
//! stories (`scenario`).
//!
//! The same seed gives the same trail, byte for byte.

mod call_faults;
mod crash;
pub mod crash_points;
mod deletable;
mod deletion_budget;
mod director;
mod director_state;
mod disturbances;
mod effects;
mod expiry_judge;
mod faulty_api;
mod final_checks;
mod hook_faults;
mod hook_ledger;
mod ids;
mod judge;
mod lies;
mod lying_listing;
mod lying_provider;
mod machines;
mod mutation_judge;
mod operator_orders;
mod operator_wishes;
mod power_faults;
mod power_judge;
mod process_deaths;
mod provider;
mod rng;
mod rule_breaks;
mod scenario;
mod shown_rows;
mod slot_outcome;
#[cfg(test)]
mod tests;
mod true_state;
mod world_setup;

use std::collections::BTreeMap;
use std::path::Path;

use crate::core::deliberate_breaks::{self, Break};

pub use crash::PlannedCrash;
pub use lies::LIES;
pub use world_setup::{CREATE_FAULTS, DELETE_FAULTS, FATES, LISTING_FAULTS};

/// The parameters of one simulation.
#[derive(Clone, Copy, Debug)]
pub struct SimulationOptions {
    /// The source of all randomness.
    pub seed: u64,
    /// Days with faults; two quiet ones follow.
    pub days: i64,
    /// True if some rotations have hooks or stop their servers, operators send orders and pauses,
    /// and people stop and start servers. Everything else is drawn the same way with or without
    /// them.
    pub company: bool,
    /// True if the provider lies. It is used without `company`, so that no operator can agree to a
    /// deletion.
    pub lying: bool,
    /// A rule that is broken on purpose.
    pub broken: Option<Break>,
    /// True if the events are written down line by line.
    pub story: bool,
}

impl SimulationOptions {
    /// Returns the options of six days with a provider that lies, without `company`.
    pub fn lying(seed: u64) -> Self {
        Self {
            days: 6,
            company: false,
            lying: true,
            ..Self::new(seed)
        }
    }

    /// Returns the options of two weeks with `company`, nothing broken, no story.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            days: 14,
            company: true,
            lying: false,
            broken: None,
            story: false,
        }
    }
}

/// The result of one simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimulationReport {
    /// Invariants that were broken, each with time and server.
    pub violations: Vec<String>,
    /// Number of faults by kind.
    pub fired: BTreeMap<&'static str, u64>,
    /// Number of checks by invariant.
    pub checked: BTreeMap<&'static str, u64>,
    /// Servers times hours.
    pub server_hours: u64,
    /// Number of processes.
    pub processes: u64,
    /// The trail's files, one after the other.
    pub trail: String,
    /// The events line by line, if a story was requested.
    pub story: Vec<String>,
}

/// Simulates one seed.
pub fn simulate(options: SimulationOptions) -> SimulationReport {
    ids::draw(options.seed);
    deliberate_breaks::set(options.broken);
    let report = director::direct(options);
    deliberate_breaks::set(None);
    report
}

fn audit_dir() -> &'static Path {
    Path::new("/audit")
}

fn state_dir() -> &'static Path {
    Path::new("/state")
}
