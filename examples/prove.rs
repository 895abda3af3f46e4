fn main() {
    use snaprotate::sim::{Options, simulate};
    let from: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let to: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let mut bad = 0;
    let mut hours = 0;
    for seed in from..to {
        let report = simulate(Options::new(seed));
        hours += report.server_hours;
        if let Some(first) = report.violations.first() {
            bad += 1;
            println!("{seed}: {first} (+{})", report.violations.len() - 1);
        }
    }
    println!("{bad} of {} bad; {hours} server-hours", to - from);
}
