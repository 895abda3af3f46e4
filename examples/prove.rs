//! The proof by simulation: thousands of seeds that must break no invariant, and seeds in which one
//! rule is broken on purpose, which must be caught.
//!
//! `cargo run --release --example prove` is the short run; `-- --seeds 50000` a long one.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use clap::Parser;
use snaprotate::core::deliberate_breaks::Break;
use snaprotate::sim::{SimulationOptions, SimulationReport, simulate};

#[derive(Parser)]
#[command(
    about = "Proves by simulation that no fault makes snaprotate lose or duplicate a snapshot"
)]
struct Args {
    /// Number of seeds, which must all pass
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Days with faults in each; two quiet ones follow
    #[arg(long, default_value_t = 14)]
    days: i64,
    /// Number of seeds with a provider that lies, which must all pass too
    #[arg(long, default_value_t = 2000)]
    lying: u64,
    /// Days with lies in each; two quiet ones follow
    #[arg(long, default_value_t = 6)]
    lying_days: i64,
    /// Maximum number of seeds in which each deliberately broken rule is tried
    #[arg(long, default_value_t = 40)]
    broken_seeds: u64,
    /// Stop trying a broken rule once this many seeds have caught it
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    enough: u64,
}

/// Seeds in which a broken rule is tried before the catches are counted.
const BATCH: u64 = 4;

/// Seeds between two progress lines of a long run.
const PROGRESS: u64 = 1000;

fn main() -> ExitCode {
    let args = Args::parse();
    let sound = seeds(args.from, args.seeds, args.days, SimulationOptions::new);
    println!("\nthe same with a provider that lies");
    let sound = seeds(
        args.from,
        args.lying,
        args.lying_days,
        SimulationOptions::lying,
    ) && sound;
    let caught = broken(&args);
    if sound && caught {
        println!("\nproven");
        return ExitCode::SUCCESS;
    }
    println!("\nNOT proven");
    ExitCode::FAILURE
}

/// Simulates all of them, on every core, and passes on each report as it arrives.
fn each(options: &[SimulationOptions], mut take: impl FnMut(SimulationOptions, SimulationReport)) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let (sender, reports) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(options) = options.get(usize::try_from(nth).unwrap_or(usize::MAX))
                    else {
                        return;
                    };
                    if sender.send((*options, simulate(*options))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (options, report) in reports {
            take(options, report);
        }
    });
}

fn seeds(from: u64, count: u64, days: i64, options: fn(u64) -> SimulationOptions) -> bool {
    let options = (from..from + count).map(|seed| SimulationOptions {
        days,
        ..options(seed)
    });
    let (mut hours, mut processes, mut failed, mut done) = (0, 0, Vec::new(), 0);
    let mut fired: BTreeMap<&str, u64> = BTreeMap::new();
    let mut checked: BTreeMap<&str, u64> = BTreeMap::new();
    each(&options.collect::<Vec<_>>(), |options, report| {
        done += 1;
        if done % PROGRESS == 0 && done < count {
            eprintln!("{done} of {count} seeds, {} failed", failed.len());
        }
        hours += report.server_hours;
        processes += report.processes;
        for (kind, times) in &report.fired {
            *fired.entry(kind).or_default() += times;
        }
        for (invariant, times) in &report.checked {
            *checked.entry(invariant).or_default() += times;
        }
        if let Some(first) = report.violations.first() {
            println!("seed {}: {first}", options.seed);
            failed.push(options.seed);
        }
    });
    println!("{count} seeds of {days} days with faults and 2 without, from seed {from} on");
    println!(
        "{hours} server-hours, {processes} processes, {} seeds failed",
        failed.len()
    );
    println!("\nfaults injected");
    for (kind, times) in &fired {
        println!("  {times:>9}  {kind}");
    }
    println!("\ninvariants checked");
    for (invariant, times) in &checked {
        println!("  {times:>9}  {invariant}");
    }
    if let Some(seed) = failed.first() {
        println!("\nreplay: cargo run --release --example simulate -- --seed {seed} --days {days}");
    }
    failed.is_empty()
}

fn broken(args: &Args) -> bool {
    println!(
        "\nrules broken on purpose, each in up to {} seeds",
        args.broken_seeds
    );
    let mut all = true;
    for rule in Break::ALL {
        let (mut tried, mut caught) = (0, 0);
        let mut by: BTreeMap<String, u64> = BTreeMap::new();
        while tried < args.broken_seeds && caught < args.enough {
            let batch = tried..args.broken_seeds.min(tried + BATCH);
            tried = batch.end;
            let options = batch.map(|seed| SimulationOptions {
                broken: Some(rule),
                ..if rule.needs_lies() {
                    SimulationOptions::lying(seed)
                } else {
                    SimulationOptions::new(seed)
                }
            });
            each(&options.collect::<Vec<_>>(), |_, report| {
                caught += u64::from(!report.violations.is_empty());
                for violation in &report.violations {
                    let what = violation.split(": ").nth(1).unwrap_or(violation);
                    *by.entry(what.chars().take(12).collect()).or_default() += 1;
                }
            });
        }
        let by: Vec<_> = by
            .iter()
            .map(|(what, times)| format!("{what} {times}"))
            .collect();
        println!(
            "  {:<22} caught in {caught:>3} of {tried:>3} seeds   {}",
            format!("{rule:?}"),
            by.join(", ")
        );
        all &= caught > 0;
    }
    all
}
