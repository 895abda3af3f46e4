//! The wall clock jumps under the real binary: back, ahead, and over days of sleep.

use crate::support::wall::Wall;
use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stderr, until, verified};
use serde_json::Value;

const SERVER: u64 = 7;

/// Returns a server with a foreign snapshot and completed daily snapshots of these ages in days.
fn scene(days: &[i64]) -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    let put = |name: &str, back| {
        let at = days_ago(back);
        provider.sandbox.add_snapshot(SERVER, name, "completed", at);
    };
    put("by-hand", 400);
    for back in days {
        put(&daily_name(*back), *back);
    }
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 3, "");
    (provider, home)
}

fn reasons(records: &[Value]) -> String {
    records.iter().map(|r| r["reason"].to_string()).collect()
}

#[test]
fn i11_a_clock_set_back_two_days_blocks_changes_until_corrected_and_no_slot_runs_twice() {
    let (provider, home) = scene(&[]);
    let Some(wall) = Wall::new(&home) else { return };
    home.policy(
        "server-7",
        "[server]\nid = 7\n[[rotation]]\nname = \"tick\"\nschedule = \"*/2 * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n",
    );
    let daemon = wall.start(&home);
    until("slots are settled", || {
        home.events("slot_settled").len() > 1
    });
    wall.set("-2d");
    until("the server is blocked", || {
        !home.events("blocked").is_empty()
    });
    let said = reasons(&home.events("blocked"));
    assert!(said.contains("clock"), "{said}");
    let changed = provider.sandbox.counts();
    let looked = changed.lists();
    until("the server is listed several more times", || {
        provider.sandbox.counts().lists() > looked + 5
    });
    let now = provider.sandbox.counts();
    assert_eq!(
        (now.create, now.delete),
        (changed.create, changed.delete),
        "nothing is changed while the clock is wrong"
    );

    wall.set("+0");
    let settled = home.events("slot_settled").len();
    until("more slots are settled", || {
        home.events("slot_settled").len() > settled + 1
    });
    assert!(!home.events("recovered").is_empty());
    assert_eq!(daemon.stop(), Some(0));
    let mut made = provider.sandbox.created(SERVER);
    let all = made.len();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), all, "no slot runs twice");
    verified(&home);
}

#[test]
fn a_clock_set_ahead_ten_days_causes_one_catch_up_and_no_deletion() {
    let (provider, home) = scene(&[3, 2, 1]);
    let Some(wall) = Wall::new(&home) else { return };
    let daemon = wall.start(&home);
    until("today's snapshot is made and the oldest is deleted", || {
        home.events("delete_result").len() == 1
    });

    wall.set("+10d");
    until(
        "the provider's date casts doubt on the new snapshot",
        || !home.events("blocked").is_empty(),
    );
    let said = reasons(&home.events("create_mismatch"));
    assert!(said.contains("the provider gives"), "{said}");
    // Any further change would follow from the next listings; the reload requests one at once.
    let looked = provider.sandbox.counts().lists();
    daemon.signal("HUP");
    until("the server is listed again", || {
        provider.sandbox.counts().lists() > looked + 1
    });
    assert_eq!(daemon.stop(), Some(0));
    let all = ["by-hand".to_owned()]
        .into_iter()
        .chain([2, 1, 0, -10].map(daily_name));
    assert_eq!(provider.names(SERVER), all.collect::<Vec<_>>());
    assert_eq!(
        provider.sandbox.created(SERVER),
        [daily_name(0), daily_name(-10)],
        "one catch-up, not a burst"
    );
    verified(&home);
}

#[test]
fn once_after_nine_days_asleep_makes_one_snapshot_and_deletes_only_what_it_replaces() {
    let (provider, home) = scene(&[3, 2, 1]);
    let Some(wall) = Wall::new(&home) else { return };
    let once = || {
        let output = wall.rules(home.command(&["once"])).output();
        let output = output.expect("it runs");
        (output.status.code(), stderr(&output))
    };
    let (code, said) = once();
    assert_eq!(code, Some(0), "{said}");
    wall.set("+9d");
    provider.wall.step(jiff::SignedDuration::from_hours(9 * 24));
    let (code, said) = once();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        provider.sandbox.created(SERVER),
        [daily_name(0), daily_name(-9)]
    );
    let left = ["by-hand".to_owned()]
        .into_iter()
        .chain([1, 0, -9].map(daily_name));
    assert_eq!(provider.names(SERVER), left.collect::<Vec<_>>());
    verified(&home);
}
