//! The costs of a fleet, in counts and ratios; exits with 1 if a limit is exceeded.
//!
//! `cargo bench --locked --bench fleet`; to run only some parts, name them after `--`. In
//! `together` and `paged`, the stand-in answers in 50 ms and completes a snapshot after 20 s; at
//! most 16 requests are in flight, and the poll interval is a second. Only `paged` and `whole` have
//! pages, and nothing has a rate limit.

#[path = "../tests/support/mod.rs"]
mod support;

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use support::{Daemon, Home, Provider, daily_name, days_ago};

const LATENCY: Duration = Duration::from_millis(50);
const COMPLETES: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_secs(1);
const IN_FLIGHT: u32 = 16;
const TOGETHER: u32 = 1_000;
const FLEET: u64 = 10_000;

fn main() {
    // `cargo test --benches` runs every benchmark too, without `--bench`: nothing is measured then.
    let args: Vec<_> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let wanted: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    shipped();
    let mut limits = Limits::default();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name) {
            part(&mut limits);
        }
    }
    limits.end();
}

type Part = fn(&mut Limits);

const PARTS: [(&str, Part); 5] = [
    ("together", together),
    ("paged", paged),
    ("whole", whole),
    ("idle", idle),
    ("small", small),
];

/// Builds the binary that a user installs. The one that Cargo built for the benchmark contains the
/// simulation and the tests' features.
fn shipped() {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "--quiet"]);
    assert!(build.status().expect("cargo runs").success());
}

#[derive(Default)]
struct Limits(u32);

impl Limits {
    fn at_most(&mut self, what: &str, unit: &str, seen: f64, limit: f64) {
        let missed = seen > limit;
        self.0 += u32::from(missed);
        let word = if missed { "MISSED" } else { "ok" };
        println!(
            "{what:<58} {seen:>9.2} {unit:<8} at most {limit:>9.2}  ratio {:>5.2}  {word}",
            seen / limit
        );
    }

    fn end(self) {
        if self.0 > 0 {
            println!("{} limits missed", self.0);
            std::process::exit(1);
        }
    }
}

/// A thousand servers rotate together, each with one create and one delete.
fn together(limits: &mut Limits) {
    let (count, wall) = rotated(TOGETHER, None);
    let n = f64::from(TOGETHER);
    limits.at_most(
        "requests, 1,000 servers together",
        "",
        count,
        2.1 * n + 20.0,
    );
    let ideal = count * LATENCY.as_secs_f64() / f64::from(IN_FLIGHT);
    let bound = 1.2 * ideal + COMPLETES.as_secs_f64() + POLL.as_secs_f64();
    limits.at_most("wall time, 1,000 servers together", "s", wall, bound);
}

/// The same for 200 servers with paged listings; for pages of 20 rows the number has no limit.
fn paged(limits: &mut Limits) {
    for (servers, rows, most) in [(200, 100, 2.6), (200, 20, f64::INFINITY)] {
        let (count, _) = rotated(servers, Some(rows));
        let what = format!("requests a server, {servers} together, pages of {rows}");
        limits.at_most(&what, "", count / f64::from(servers), most);
    }
}

/// One listing of 1,000 servers with 4 snapshots each, in pages of 100.
fn whole(limits: &mut Limits) {
    let provider = Provider::start(SignedDuration::from_secs(20), LATENCY);
    provider.sandbox.set_page_sizes(20, 100);
    for id in 1..=u64::from(TOGETHER) {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        for back in 1..=4 {
            provider
                .sandbox
                .add_snapshot(id, &daily_name(back), "completed", days_ago(back));
        }
    }
    let api = format!("max_in_flight = {IN_FLIGHT}");
    let home = Home::new(&provider.sandbox.base_url(), &api, "");
    home.daily(1, 3, "");
    let began = Instant::now();
    let output = home.run(&["list"]);
    let wall = began.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", support::stderr(&output));
    let count = u32::try_from(provider.sandbox.counts().requests()).expect("some");
    limits.at_most(
        "requests, a listing of 4,000 rows",
        "",
        f64::from(count),
        40.0,
    );
    // The first page alone, then the others side by side.
    let rounds = 1.0 + (39.0_f64 / f64::from(IN_FLIGHT)).ceil();
    let bound = 2.0 * rounds * LATENCY.as_secs_f64() + 0.5;
    limits.at_most("wall time, a listing of 4,000 rows", "s", wall, bound);
}

/// Rotates `servers` servers together, each with one create and one delete. Returns the number of
/// requests and the elapsed seconds.
fn rotated(servers: u32, page: Option<usize>) -> (f64, f64) {
    let provider = Provider::start(SignedDuration::try_from(COMPLETES).expect("20 s"), LATENCY);
    if let Some(rows) = page {
        provider.sandbox.set_page_sizes(rows, rows);
    }
    let home = Home::new(
        &provider.sandbox.base_url(),
        &format!("max_in_flight = {IN_FLIGHT}"),
        "poll_interval = \"1s\"",
    );
    for id in 1..=u64::from(servers) {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        for back in 1..=3 {
            provider
                .sandbox
                .add_snapshot(id, &daily_name(back), "completed", days_ago(back));
        }
        home.daily(id, 3, "");
    }
    // Begins the trail first: a trail that begins when own snapshots already exist delays creates
    // for a while.
    for order in ["pause", "resume"] {
        assert!(home.run(&[order, "--server", "1"]).status.success());
    }
    let before = provider.sandbox.counts();
    let began = Instant::now();
    let output = home.run(&["once"]);
    let wall = began.elapsed();
    assert!(output.status.success(), "{}", support::stderr(&output));
    let after = provider.sandbox.counts();
    assert_eq!(after.created - before.created, u64::from(servers));
    assert_eq!(after.deleted - before.deleted, u64::from(servers));
    let requests = u32::try_from(after.requests() - before.requests()).expect("some thousands");
    (f64::from(requests), wall.as_secs_f64())
}

/// Ten thousand policies with nothing to do.
fn idle(limits: &mut Limits) {
    let provider = Provider::start(SignedDuration::from_secs(20), Duration::ZERO);
    let home = Home::new(&provider.sandbox.base_url(), "", "");
    for id in 1..=FLEET {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        let made = days_ago(0);
        provider
            .sandbox
            .add_snapshot(id, &daily_name(0), "completed", made);
        home.policy(
            &format!("server-{id}"),
            &format!("server = {{ id = {id}, name = \"server-{id}\" }}\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n"),
        );
    }
    let began = Instant::now();
    let checked = home.run(&["check"]);
    assert!(checked.status.success(), "{}", support::stderr(&checked));
    let took = began.elapsed().as_secs_f64();
    limits.at_most("check, 10,000 policies", "s", took, 2.0);

    let (daemon, ready) = ready(&home);
    limits.at_most("start to READY, 10,000 policies", "s", ready, 3.0);
    support::until("every server was looked at", || {
        home.events("rotation_added").len() as u64 >= FLEET
    });
    let pid = daemon.0.id();
    // The first looks are over when a second passes without work.
    let mut last = ticks(pid);
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = ticks(pid);
        if now - last < 5.0 {
            break;
        }
        last = now;
    }
    limits.at_most("resident, 10,000 policies idle", "MB", resident(pid), 60.0);
    let (began, before) = (Instant::now(), ticks(pid));
    std::thread::sleep(Duration::from_secs(30));
    let used = (ticks(pid) - before) / 100.0 / began.elapsed().as_secs_f64();
    limits.at_most(
        "CPU of one core, 10,000 policies idle",
        "%",
        used * 100.0,
        0.5,
    );
    drop(daemon);
    let (_daemon, ready) = self::ready(&home);
    limits.at_most(
        "start to READY, 10,000 policies and their trail",
        "s",
        ready,
        3.0,
    );
}

/// A handful of policies, the size of the binary, and the number of its dependencies.
fn small(limits: &mut Limits) {
    let provider = Provider::start(SignedDuration::from_secs(20), Duration::ZERO);
    let home = Home::new(&provider.sandbox.base_url(), "", "");
    for id in 1..=5 {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        home.daily(id, 3, "");
    }
    let mut times: Vec<f64> = (0..5).map(|_| ready(&home).1 * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    limits.at_most(
        "start to READY, 5 policies (median of 5)",
        "ms",
        times[2],
        50.0,
    );
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_snaprotate")).expect("a binary");
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let size = binary.len() as f64 / 1e6;
    limits.at_most("release binary", "MB", size, 10.0);
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "-e", "normal", "--prefix", "none"])
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&tree.stdout).into_owned();
    let mut packages: Vec<_> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    let count = u32::try_from(packages.len()).expect("some hundreds");
    limits.at_most("packages in the program", "", f64::from(count), 220.0);
}

/// Starts the service. Returns it with the seconds until READY=1.
fn ready(home: &Home) -> (Daemon, f64) {
    let path = home.path("notify");
    let _old = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_mins(1)))
        .expect("a limit");
    let mut command = home.command(&["run"]);
    command
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let daemon = Daemon(command.spawn().expect("it starts"));
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).expect("a message");
        let text = String::from_utf8_lossy(&buffer[..length]);
        if text.lines().any(|line| line == "READY=1") {
            return (daemon, began.elapsed().as_secs_f64());
        }
    }
}

/// Returns the processor time used so far, in hundredths of a second.
fn ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let after = stat.rsplit(')').next().expect("fields");
    let fields: Vec<f64> = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse().expect("a number"))
        .collect();
    fields.iter().sum()
}

fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|number| number.parse().ok())
        .expect("a number");
    kib * 1024.0 / 1e6
}
