//! Every small case of the decision: each inventory of a small alphabet × policy × trail, played to
//! its end under each way in which the provider may answer, and judged at each step.
//!
//! - `space`, `policies`: the letters that make up the inventories, the policies, and the tiers.
//! - `trail`, `trail_events`: the possible trails, as a history for the decision and a ledger for
//!   the judge.
//! - `view`, `judge`: the invariants, from the raw rows and the ledger, without the rules of
//!   `core`.
//! - `play`, `effects`, `tally`: performs the steps on a model of the provider until they end.

mod effects;
pub mod judge;
pub mod play;
pub mod policies;
pub mod space;
pub mod tally;
pub mod trail;
mod trail_events;
pub mod view;

#[cfg(test)]
mod judge_tests;

use play::play;
use policies::{Wanted, policies};
use space::{Inventory, Tier, multisets};
use tally::{Answers, Tally};
use trail::trails;

/// A share of the inventories: every `of`th, from the `part`th on.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    pub part: u64,
    pub of: u64,
}

/// Plays a tier's share. The first broken case ends it and is the error.
pub fn explore(tier: &Tier, share: Share, answers: &[Answers]) -> Result<Tally, String> {
    let letters = (tier.letters)();
    let by_size: Vec<_> = (0..=tier.limit).map(|rows| policies(tier, rows)).collect();
    let mut tally = Tally::default();
    let mut broken = None;
    let mut number = 0;
    multisets(&letters, tier.limit, &mut |chosen| {
        number += 1;
        if broken.is_some() || number % share.of != share.part % share.of {
            return;
        }
        for turned in [false, true] {
            // An inventory of fewer than two rows is the same when turned.
            if turned && chosen.len() < 2 {
                continue;
            }
            let inventory = Inventory::new(chosen, turned);
            if let Err(what) = cases(&inventory, &by_size[chosen.len()], answers, &mut tally) {
                broken = Some(what);
                return;
            }
        }
    });
    broken.map_or(Ok(tally), Err)
}

/// Plays one inventory under every policy and trail, and every way to answer that makes a
/// difference.
fn cases(
    inventory: &Inventory,
    policies: &[Wanted],
    answers: &[Answers],
    tally: &mut Tally,
) -> Result<(), String> {
    tally.inventories += 1;
    let protected = inventory.rows.iter().filter(|row| row.protected);
    let protected: Vec<_> = protected.map(|row| row.snapshot.id.clone()).collect();
    for wanted in policies {
        let mut wanted = wanted.clone();
        wanted
            .policy
            .protected_ids
            .extend(protected.iter().cloned());
        for trail in trails(&inventory.rows, &wanted.wants) {
            tally.cases += 1;
            for way in answers {
                if !play(&wanted, inventory, &trail, *way, tally)? {
                    break;
                }
            }
        }
    }
    Ok(())
}
