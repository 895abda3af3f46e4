//! Repeated kill -9 at any moment: the next start continues, and nothing happens twice.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::support::{Home, Provider, QUICK, until, verified};
use jiff::SignedDuration;

/// Default number of kills; `SNAPROTATE_KILLS` overrides it.
const KILLS: usize = 200;

/// The provider's limit (docs/api.md, "Limits and durations").
const LIMIT: usize = 5;

/// The number of services that run side by side: most of the time each waits for a settle window.
const SERVICES: usize = 8;

#[test]
fn i6_i9_kills_at_any_point_leave_one_snapshot_per_slot_and_a_trail_that_verifies() {
    let kills = std::env::var("SNAPROTATE_KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    let each = kills.div_ceil(SERVICES);
    let began = Instant::now();
    let between: usize = std::thread::scope(|scope| {
        let services: Vec<_> = (0..SERVICES).map(|_| scope.spawn(|| kill(each))).collect();
        let between = services
            .into_iter()
            .map(|service| service.join().expect("no check failed"));
        between.sum()
    });
    let kills = each * SERVICES;
    // Written to stderr directly: the harness shows a passing test's output only on request.
    let _told = writeln!(
        std::io::stderr(),
        "{kills} kills, {between} of them between an intent and its outcome, in {:?}",
        began.elapsed()
    );
    assert!(
        between * 3 >= kills,
        "only {between} of {kills} kills fell between an intent and its outcome"
    );
}

/// Kills a service `kills` times, and checks that the last one continues. Returns the number of
/// kills between an intent and its outcome.
fn kill(kills: usize) -> usize {
    // A call takes effect at once and is answered late, so most of the time an intent is open.
    let provider = Provider::start(SignedDuration::from_millis(150), Duration::from_millis(60));
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let servers = [11, 12, 13, 14];
    for id in servers {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        home.policy(
            &format!("server-{id}"),
            &format!("[server]\nid = {id}\n[[rotation]]\nname = \"tick\"\nschedule = \"*/2 * * * * *\"\nkeep = 3\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n"),
        );
    }
    let mut between = 0;
    for kill in 0..kills {
        let seen = home.records();
        let daemon = home.start(&["run"]);
        // Killed after some records of its own, so that each kill hits a different point.
        let records = seen + 1 + kill % 7;
        let started = Instant::now();
        while home.records() < records && started.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(daemon);
        between += usize::from(open_intents(&home) > 0);
    }

    let started = home.events("daemon_started").len();
    let last = home.start(&["run"]);
    // Until the service handles signals, a signal would end it like any other process.
    until("the service runs", || {
        home.events("daemon_started").len() > started
    });
    until(
        "every intent has its outcome and a slot of each server is settled",
        || {
            let settled = home.events("slot_settled");
            open_intents(&home) == 0
                && servers
                    .iter()
                    .all(|id| settled.iter().any(|record| record["server"] == *id))
        },
    );
    assert_eq!(last.stop(), Some(0));
    for id in servers {
        let mut names = provider.names(id);
        assert!(provider.sandbox.max_held(id) <= LIMIT, "I10");
        let held = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), held, "one slot, one snapshot: {names:?}");
        let mut made = provider.sandbox.created(id);
        let all = made.len();
        made.sort();
        made.dedup();
        assert_eq!(made.len(), all, "no name was created twice on {id}");
        assert!(all > 0, "{id} was never rotated");
    }
    verified(&home);
    between
}

/// Returns the number of intents without a later outcome.
fn open_intents(home: &Home) -> usize {
    let mut open = std::collections::BTreeSet::new();
    for record in home.trail() {
        let server = record["server"].as_u64();
        match record["event"].as_str() {
            Some("create_intent" | "delete_intent") => {
                open.insert(server);
            }
            Some("create_result" | "delete_result") => {
                open.remove(&server);
            }
            _ => {}
        }
    }
    open.len()
}
