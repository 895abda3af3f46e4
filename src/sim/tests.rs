//! Tests that simulate a few seeds; the proof runs thousands.

use std::num::NonZeroUsize;

use super::crash_points::{PointShare, SCENARIOS, StoryFailure, sweep};
use super::{SimulationOptions, simulate};
use crate::core::deliberate_breaks::Break;

#[test]
fn a_fortnight_of_faults_breaks_no_invariant() {
    for seed in 0..3 {
        let report = simulate(SimulationOptions::new(seed));
        assert_eq!(report.violations, [""; 0], "seed {seed}");
    }
}

#[test]
fn i19_a_provider_that_lies_costs_no_more_good_snapshots_than_were_made() {
    for seed in 0..4 {
        let report = simulate(SimulationOptions::lying(seed));
        assert_eq!(report.violations, [""; 0], "seed {seed}");
        assert!(report.checked.contains_key("I6"));
    }
}

#[test]
fn the_same_seed_gives_the_same_trail_byte_for_byte() {
    let first = simulate(SimulationOptions::new(7));
    let again = simulate(SimulationOptions::new(7));
    assert!(!first.trail.is_empty());
    assert_eq!(first, again);
}

#[test]
fn a_broken_rule_is_caught() {
    let caught = (0..40).any(|seed| {
        let broken = SimulationOptions {
            broken: Some(Break::ForeignAsOwn),
            ..SimulationOptions::new(seed)
        };
        !simulate(broken).violations.is_empty()
    });
    assert!(caught);
}

#[test]
fn a_crash_at_any_point_does_not_change_the_end_of_any_story() {
    // Tries only a share of the points; since the stride is odd, every kind of crash occurs. The
    // example `crash_points` tries all single deaths.
    let part = PointShare {
        single: NonZeroUsize::new(7).unwrap(),
        double: 300,
        ..PointShare::SINGLE
    };
    for scenario in &SCENARIOS {
        let swept = sweep(scenario, part);
        let bad = swept.failures.iter().map(|f| (&f.deaths, &f.violations));
        assert_eq!(bad.collect::<Vec<_>>(), [], "{}", scenario.name);
        assert!(swept.steps.iter().all(|steps| *steps > 0), "{swept:?}");
        assert_eq!(swept.single, (4 * swept.points).div_ceil(7), "{swept:?}");
        assert!(swept.double > 0, "{swept:?}");
    }
}

#[test]
fn a_create_sent_again_too_early_is_caught_at_a_crash_point() {
    let part = PointShare {
        single: NonZeroUsize::new(4).unwrap(),
        broken: Some(Break::NoSettleWindow),
        ..PointShare::SINGLE
    };
    let swept = sweep(&SCENARIOS[0], part);
    let said = |failure: &StoryFailure| failure.violations.iter().any(|what| what.contains("I9"));
    assert!(swept.failures.iter().any(said), "{swept:?}");
}
