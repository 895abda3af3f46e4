//! The simulation itself, in small; the proof runs thousands of seeds.

use super::{Options, simulate};
use crate::core::breaks::Break;

#[test]
fn a_fortnight_of_faults_breaks_no_invariant() {
    for seed in 0..40 {
        let report = simulate(Options::new(seed));
        assert_eq!(report.violations, [""; 0], "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trail_byte_for_byte() {
    let first = simulate(Options::new(7));
    let again = simulate(Options::new(7));
    assert!(!first.trail.is_empty());
    assert_eq!(first, again);
}

#[test]
fn a_broken_rule_is_caught() {
    let caught = (0..40).any(|seed| {
        let broken = Options {
            broken: Some(Break::ForeignAsOwn),
            ..Options::new(seed)
        };
        !simulate(broken).violations.is_empty()
    });
    assert!(caught);
}
