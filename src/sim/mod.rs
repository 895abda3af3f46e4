//! The engine lives through seeded weeks of faults, on one thread and in paused time.
//!
//! The engine, the trail and the decision are the real ones. What is simulated is
//! everything around them, and all of it follows from the seed:
//!
//! - `world_setup`: the servers, what is wanted of them, and how bad the weather is;
//! - `provider`, `effects`: the truth of the snapshots, and what calls, time and people do to it;
//! - `faulty_api`: the four calls as the engine meets them, with every fault;
//! - `director`, `disturbances`: processes that begin, die and begin again; clocks, disks, reloads, people;
//! - `judge`: the invariants, measured by the provider's truth at every mutation; `deletable`: what may go;
//! - `hook_faults`: which servers are truly held, and a runner that fails;
//! - `power_faults`: which servers truly run, and power calls that fail;
//! - `lying_provider`: a provider that lies; `deletion_budget`: the erosion bound by what it truly holds;
//! - `operator_orders`: orders and pauses; `crash`: where a process dies;
//! - `final_checks`: what must be so when the faults have stopped.
//!
//! [`crash_points`] draws nothing: a few short stories (`scenario`) are killed at every point
//! there is.
//!
//! The same seed gives the same trail, byte for byte.

mod crash;
pub mod crash_points;
mod deletable;
mod deletion_budget;
mod director;
mod disturbances;
mod effects;
mod faulty_api;
mod final_checks;
mod hook_faults;
mod ids;
mod judge;
mod lying_provider;
mod operator_orders;
mod power_faults;
mod provider;
mod rng;
mod scenario;
mod slot_outcome;
#[cfg(test)]
mod tests;
mod world_setup;

use std::collections::BTreeMap;
use std::path::Path;

use crate::core::breaks::{self, Break};

pub use crash::PlannedCrash;
pub use lying_provider::LIES;
pub use world_setup::{CREATE_FAULTS, DELETE_FAULTS, FATES, LISTING_FAULTS};

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct SimulationOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// Days with faults; two quiet ones follow.
    pub days: i64,
    /// Whether some rotations have hooks, and operators order and pause; all else is drawn
    /// alike with them and without.
    pub company: bool,
    /// Whether the provider lies; then there are no operators who could agree to anything.
    pub lying: bool,
    /// A rule that is broken on purpose.
    pub broken: Option<Break>,
    /// Whether what happens is written down line by line.
    pub story: bool,
}

impl SimulationOptions {
    /// Six days with a provider that lies, and nobody but the program.
    pub fn lying(seed: u64) -> Self {
        Self {
            days: 6,
            company: false,
            lying: true,
            ..Self::new(seed)
        }
    }

    /// Two weeks, with hooks and operators, nothing broken, no story.
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

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimulationReport {
    /// Invariants that were broken, each with time and server.
    pub violations: Vec<String>,
    /// How often each kind of fault happened.
    pub fired: BTreeMap<&'static str, u64>,
    /// How often each invariant was checked.
    pub checked: BTreeMap<&'static str, u64>,
    /// Servers times hours.
    pub server_hours: u64,
    /// Processes that lived.
    pub processes: u64,
    /// The trail's files, one after the other.
    pub trail: String,
    /// What happened, if it was asked for.
    pub story: Vec<String>,
}

/// Simulates one seed.
pub fn simulate(options: SimulationOptions) -> SimulationReport {
    ids::draw(options.seed);
    breaks::set(options.broken);
    let report = director::direct(options);
    breaks::set(None);
    report
}

fn audit_dir() -> &'static Path {
    Path::new("/audit")
}

fn state_dir() -> &'static Path {
    Path::new("/state")
}
