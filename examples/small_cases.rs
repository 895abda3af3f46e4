//! Runs every small case of the decision, on all cores: `cargo run --release --locked --example
//! small_cases -- [--part I/N]`.
//!
//! The whole is more than a billion plans of some fourteen decisions each, and takes a day or two
//! on two cores; `--part 1/1000` takes minutes, and the N parts together are the whole.
//!
//! Prints the number of cases and of the checks of each invariant. If a case breaks an invariant,
//! the first such case is printed step by step, and the exit code is 1.

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

#[path = "../tests/small/mod.rs"]
mod small;

use small::judge::Rule;
use small::space::{TIERS, Tier};
use small::tally::{Answers, Tally};
use small::{Share, explore};

fn main() -> ExitCode {
    let Some(share) = share(&std::env::args().skip(1).collect::<Vec<_>>()) else {
        eprintln!("usage: small_cases [--part I/N], with I from 1 to N");
        return ExitCode::from(2);
    };
    let mut whole = Tally::default();
    let start = Instant::now();
    for tier in &TIERS {
        let begun = Instant::now();
        match on_all_cores(tier, share) {
            Ok(tally) => {
                println!("{}: {}", tier.title, counts(&tally, begun));
                whole.add(&tally);
            }
            Err(broken) => {
                println!("{}: {broken}", tier.title);
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "all of part {}/{}: {}",
        share.part,
        share.of,
        counts(&whole, start)
    );
    for rule in Rule::ALL {
        let count = whole.checks.get(&rule).copied().unwrap_or(0);
        println!("  {rule:?} was put to the test {count} times");
    }
    ExitCode::SUCCESS
}

fn share(args: &[String]) -> Option<Share> {
    if args.is_empty() {
        return Some(Share { part: 1, of: 1 });
    }
    let ["--part", part] = args.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return None;
    };
    let (part, of) = part.split_once('/')?;
    let share = Share {
        part: part.parse().ok()?,
        of: of.parse().ok()?,
    };
    (1..=share.of).contains(&share.part).then_some(share)
}

/// Splits the share among the cores: each takes every nth inventory of it.
fn on_all_cores(tier: &Tier, share: Share) -> Result<Tally, String> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let share = Share {
                    part: share.part + core * share.of,
                    of: share.of * cores,
                };
                scope.spawn(move || explore(tier, share, &Answers::ALL))
            })
            .collect();
        let mut tally = Tally::default();
        for worker in workers {
            tally.add(
                &worker
                    .join()
                    .map_err(|_| "a worker panicked".to_owned())??,
            );
        }
        Ok(tally)
    })
}

fn counts(tally: &Tally, begun: Instant) -> String {
    format!(
        "{} inventories, {} cases, {} plans, {} decisions (the longest plan: {}), \
         {} creates, {} deletes, {} blocked ends, in {:.1} s",
        tally.inventories,
        tally.cases,
        tally.plans,
        tally.decisions,
        tally.longest,
        tally.creates,
        tally.deletes,
        tally.blocked,
        begun.elapsed().as_secs_f64()
    )
}
