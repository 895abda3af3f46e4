//! kill -9, over and over, in the middle of everything: the next start goes on, and nothing
//! happens twice.

mod support;

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use support::{Home, Provider, QUICK, until};

const KILLS: usize = 200;

/// The provider's limit (API.md).
const LIMIT: usize = 5;

#[test]
fn i6_i9_two_hundred_kills_leave_one_snapshot_a_slot_and_a_trail_that_verifies() {
    // A call takes effect at once and is answered late: most of the time an intent is open.
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
    let began = Instant::now();
    let mut between = 0;
    for kill in 0..KILLS {
        let seen = home.trail().len();
        let daemon = home.start(&["run"]);
        // Killed after some records of its own, so that each kill falls elsewhere.
        let records = seen + 1 + kill % 7;
        let started = Instant::now();
        while home.trail().len() < records && started.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(daemon);
        between += usize::from(open_intents(&home) > 0);
    }
    println!(
        "{KILLS} kills, {between} of them between an intent and its outcome, in {:?}",
        began.elapsed()
    );
    assert!(
        between * 3 >= KILLS,
        "only {between} of {KILLS} fell between"
    );

    let last = home.start(&["run"]);
    until("every intent has its outcome and a slot is settled", || {
        open_intents(&home) == 0 && !home.events("slot_settled").is_empty()
    });
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
        assert_eq!(made.len(), all, "no name was ever made twice on {id}");
        assert!(all > 0, "{id} was never rotated");
    }
    let verified = home.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", support::stdout(&verified));
}

/// Intents that no later outcome answers.
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
