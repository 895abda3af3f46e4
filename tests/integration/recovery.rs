//! Faults that end: the real daemon resumes by itself, and not too early.

use std::time::Duration;

use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, TOKEN, daily_name, days_ago, until, verified};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use snaprotate::sandbox::faults::{CallKind, Fault};
use snaprotate::sandbox::request_log::EffectKind;

const SERVER: u64 = 7;

/// Returns the server and its daily rotation, before its first start.
fn scene() -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 3, "");
    (provider, home)
}

fn settled(home: &Home) {
    until("the slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
}

fn raised(home: &Home, event: &str, alert: &str) -> usize {
    let mut alerts = home.events(event);
    alerts.retain(|record| record["alert"] == alert);
    alerts.len()
}

fn time(record: &Value) -> Timestamp {
    let text = record["time"].as_str().expect("a time");
    text.parse().expect("a time")
}

#[test]
fn a_server_that_is_busy_for_more_tries_than_attempts_does_not_lose_its_slot() {
    let (provider, home) = scene();
    for status in [409, 423, 429] {
        let busy = Fault::status(CallKind::Create, status).times(2);
        provider.sandbox.order(busy);
    }
    let service = Service::start(&home);
    settled(&home);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(home.events("create_intent").len(), 7);
    assert!(home.events("slot_given_up").is_empty());
    assert_eq!(provider.names(SERVER), [daily_name(0)]);
    verified(&home);
}

#[test]
fn a_server_filled_with_foreign_snapshots_is_rotated_once_there_is_room() {
    let (provider, home) = scene();
    let mut last = 0;
    for number in 0..5 {
        let (name, at) = (format!("by-hand-{number}"), days_ago(number + 1));
        last = provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
    let service = Service::start(&home);
    until("the alert is raised", || {
        raised(&home, "alert_raised", "blocked") == 1
    });
    provider.sandbox.remove_snapshot(last);
    settled(&home);
    until("the alert is cleared", || {
        raised(&home, "alert_cleared", "blocked") == 1
    });
    assert_eq!(service.stop(), Some(0));
    let counts = provider.sandbox.counts();
    assert_eq!((counts.create, counts.delete), (1, 0));
    verified(&home);
}

#[test]
fn a_refused_token_stops_every_mutation_until_it_is_accepted_again() {
    let (provider, home) = scene();
    provider.sandbox.set_token("another");
    let service = Service::start(&home);
    until("the account alert is raised", || {
        raised(&home, "alert_raised", "account_refused") == 1
    });
    let looked = provider.sandbox.counts().lists();
    until("the account is probed again", || {
        provider.sandbox.counts().lists() > looked + 2
    });
    assert_eq!(provider.sandbox.counts().create, 0);
    provider.sandbox.set_token(TOKEN);
    settled(&home);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(raised(&home, "alert_raised", "account_refused"), 1);
    assert_eq!(raised(&home, "alert_cleared", "account_refused"), 1);
    verified(&home);
}

#[test]
fn i9_after_a_cut_tail_no_create_is_sent_for_a_settle_window() {
    let (provider, home) = scene();
    provider.sandbox.set_token("another");
    assert_eq!(Service::start(&home).stop(), Some(0));
    provider.sandbox.set_token(TOKEN);
    let mut files = std::fs::read_dir(home.path("log")).expect("a trail");
    let file = files.next().expect("a file").expect("an entry").path();
    let text = std::fs::read_to_string(&file).expect("text");
    let lines: Vec<_> = text.lines().collect();
    let cut = lines[..lines.len() - 1].join("\n") + "\n";
    std::fs::write(&file, cut).expect("written");

    let service = Service::start(&home);
    settled(&home);
    assert_eq!(service.stop(), Some(0));
    let started = home.events("daemon_started").pop().expect("a start");
    let intents = home.events("create_intent");
    assert_eq!(intents.len(), 1);
    let waited = time(&intents[0]).duration_since(time(&started));
    assert!(waited >= SignedDuration::from_millis(1400), "{waited:?}");
}

#[test]
fn i8_a_run_longer_than_its_interval_overlaps_no_other_run() {
    let provider = Provider::start(SignedDuration::from_millis(2500), Duration::from_millis(1));
    provider.sandbox.add_server(SERVER, "web-01");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.policy(
        "server-7",
        "[server]\nid = 7\n[[rotation]]\nname = \"tick\"\nschedule = \"* * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n",
    );
    let service = Service::start(&home);
    until("three slots are settled", || {
        home.events("slot_settled").len() == 3
    });
    assert_eq!(service.stop(), Some(0));
    let mut made = 0;
    for effect in provider.sandbox.log().iter().flat_map(|r| &r.effects) {
        if effect.kind == EffectKind::Created {
            let under_way = effect.held.iter().filter(|r| r.status == "in_progress");
            assert_eq!(under_way.count(), 1, "{:?}", effect.held);
            made += 1;
        }
    }
    assert!((3..=4).contains(&made), "slots coalesce: {made}");
    verified(&home);
}
