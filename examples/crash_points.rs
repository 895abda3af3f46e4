//! Tries every crash point of a few short stories: a death at any disk change, mutation or listing,
//! after which snaprotate must recover on its own.
//!
//! `cargo run --release --example crash_points`

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use snaprotate::sim::crash_points::{PointShare, SCENARIOS, sweep};

#[derive(Parser)]
#[command(about = "Proves that a crash at any point does not change how a story ends")]
struct Args {
    /// Try only every Nth single death
    #[arg(long, default_value = "1")]
    one_of: NonZeroUsize,
    /// After every Nth of these deaths, try a second one at each disk change while the next process
    /// starts; 0: none
    #[arg(long, default_value_t = 10)]
    double_one_of: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let part = PointShare {
        single: args.one_of,
        double: args.double_one_of,
        ..PointShare::SINGLE
    };
    println!(
        "{:<42} {:>7} {:>9} {:>8} {:>6}  {:>6} {:>7}  result",
        "scenario", "changes", "mutations", "listings", "points", "single", "double"
    );
    let began = Instant::now();
    let (mut stories, mut failed) = (0, 0);
    for scenario in &SCENARIOS {
        let swept = sweep(scenario, part);
        let [changes, mutations, listings] = swept.steps;
        let result = match swept.failures.len() {
            0 => "all end like the undisturbed one".to_owned(),
            bad => format!("{bad} FAILED"),
        };
        println!(
            "{:<42} {changes:>7} {mutations:>9} {listings:>8} {:>6}  {:>6} {:>7}  {result}",
            scenario.name, swept.points, swept.single, swept.double
        );
        if let Some(first) = swept.failures.first() {
            println!("\n{:?}\n{}", first.deaths, first.story.join("\n"));
            println!("{}\n", first.violations.join("\n"));
        }
        stories += swept.single + swept.double;
        failed += swept.failures.len();
    }
    println!(
        "\n{stories} stories in {:.1?}, {failed} failed",
        began.elapsed()
    );
    ExitCode::from(u8::from(failed > 0))
}
