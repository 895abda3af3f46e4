//! The small cases that every test run plays: the whole short set, and a few inventories of some
//! larger sets. `cargo run --release --example small_cases` plays them all.

mod small;

use small::judge::Rule;
use small::space::{TIERS, Tier};
use small::tally::{Answers, Tally};
use small::{Share, explore};

fn play(tier: &Tier, share: Share, answers: &[Answers]) -> Tally {
    explore(tier, share, answers).unwrap_or_else(|broken| panic!("{}: {broken}", tier.title))
}

#[test]
fn every_case_of_the_short_set_keeps_the_invariants_and_ends() {
    // The example plays these two ways too; they take long.
    let left_out = [Answers::Refused, Answers::Late];
    let ways = Answers::ALL.into_iter();
    let ways: Vec<_> = ways.filter(|way| !left_out.contains(way)).collect();
    let tally = play(&TIERS[0], Share { part: 1, of: 1 }, &ways);
    println!("{tally:#?}");
    assert!(tally.plans > 10_000, "{tally:?}");
    let unchecked = Rule::ALL
        .iter()
        .find(|rule| !tally.checks.contains_key(rule));
    assert_eq!(unchecked, None, "{tally:?}");
}

#[test]
fn a_few_inventories_of_the_larger_sets_keep_the_invariants_and_end() {
    let mut whole = Tally::default();
    for tier in [&TIERS[1], &TIERS[3], &TIERS[4]] {
        let share = Share {
            part: 1234,
            of: 24_001,
        };
        whole.add(&play(tier, share, &[Answers::Done]));
    }
    println!("{whole:#?}");
    assert!(whole.creates > 100 && whole.deletes > 100, "{whole:?}");
}
