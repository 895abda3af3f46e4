//! Replays one seed of the simulation and prints its story.
//!
//! `cargo run --release --example simulate -- --seed S [--days N] [--broken RULE]`

use clap::Parser;
use snaprotate::core::deliberate_breaks::Break;
use snaprotate::sim::{SimulationOptions, simulate};

#[derive(Parser)]
struct Args {
    /// The seed, from which everything follows
    #[arg(long)]
    seed: u64,
    /// Days with faults; two quiet ones follow
    #[arg(long, default_value_t = 14)]
    days: i64,
    /// A rule to break on purpose, such as `NoFloor`
    #[arg(long)]
    broken: Option<String>,
    /// Simulate without hooks, power calls and operators
    #[arg(long)]
    alone: bool,
    /// The provider lies
    #[arg(long)]
    lying: bool,
    /// Print the trail too
    #[arg(long)]
    trail: bool,
}

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    let named = |name: &String| {
        let found = Break::ALL.into_iter().find(|b| format!("{b:?}") == *name);
        found.unwrap_or_else(|| panic!("no such rule: one of {:?}", Break::ALL))
    };
    let report = simulate(SimulationOptions {
        seed: args.seed,
        days: args.days,
        company: !args.alone && !args.lying,
        lying: args.lying,
        broken: args.broken.as_ref().map(named),
        story: true,
    });
    for line in &report.story {
        println!("{line}");
    }
    if args.trail {
        print!("{}", report.trail);
    }
    println!(
        "\n{} server-hours, {} processes",
        report.server_hours, report.processes
    );
    for (kind, times) in &report.fired {
        println!("  {times:>6}  {kind}");
    }
    for violation in &report.violations {
        println!("VIOLATED {violation}");
    }
    std::process::ExitCode::from(u8::from(!report.violations.is_empty()))
}
