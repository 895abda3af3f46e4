//! Many servers due at once, through the real binary.

use std::time::Duration;

use crate::support::{Home, Provider, daily_name, stderr, stdout};
use jiff::SignedDuration;

const SERVERS: u64 = 1000;
const PLACES: usize = 8;

#[test]
fn a_thousand_servers_due_at_once_get_one_create_each_with_at_most_max_in_flight_requests() {
    let provider = Provider::start(SignedDuration::from_millis(500), Duration::from_millis(3));
    let times = "poll_interval = \"200ms\"\nsettle_window = \"5s\"\nretry_after = \"200ms\"\n";
    let places = format!("max_in_flight = {PLACES}");
    let home = Home::new(&provider.sandbox.base_url(), &places, times);
    for id in 1..=SERVERS {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        home.daily(id, 3, "");
    }
    let output = home.run(&["once", "--log", "error"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for id in 1..=SERVERS {
        assert_eq!(provider.sandbox.created(id), [daily_name(0)], "{id}");
    }
    let counts = provider.sandbox.counts();
    assert_eq!((counts.create, counts.delete), (SERVERS, 0));
    assert_eq!(most_at_once(&provider), PLACES);
    let verified = home.run(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
}

/// Returns the largest number of requests that were unanswered at the same time.
fn most_at_once(provider: &Provider) -> usize {
    let mut moments = Vec::new();
    for request in provider.sandbox.log() {
        moments.push((request.tick, true));
        moments.push((request.answered.unwrap_or(u64::MAX), false));
    }
    moments.sort_unstable();
    let (mut now, mut most) = (0_usize, 0);
    for (_, arrives) in moments {
        now = if arrives { now + 1 } else { now - 1 };
        most = most.max(now);
    }
    most
}
