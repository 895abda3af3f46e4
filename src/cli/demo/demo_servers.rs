//! The demo's servers, each in a different state.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::core::name_pattern::Pattern;
use crate::core::policy::{Policy, Rotation, WhenFull};
use crate::core::schedule::Schedule;
use crate::core::snapshot::ServerId;
use crate::sandbox::Sandbox;
use crate::sandbox::faults::{CreateFault, Fault};

/// A server of the demo that is in a state of its own.
struct DemoServer {
    name: &'static str,
    /// Hour of its daily slot. The servers have different ones, so that their events follow each
    /// other.
    hour: i8,
    keep: usize,
    /// Describes it for the legend.
    legend: &'static str,
}

const SERVERS: [DemoServer; 6] = [
    DemoServer {
        name: "fresh-01",
        hour: 1,
        keep: 3,
        legend: "holds nothing; keep = 3: its 3 newest snapshots stay, older ones are deleted",
    },
    DemoServer {
        name: "full-01",
        hour: 4,
        keep: 4,
        legend: "5 snapshots of its own, the limit: one is deleted before each create",
    },
    DemoServer {
        name: "shared-01",
        hour: 7,
        keep: 2,
        legend: "2 own snapshots (keep = 2), and 2 foreign ones, which are never touched",
    },
    DemoServer {
        name: "foreign-01",
        hour: 10,
        keep: 2,
        legend: "5 foreign snapshots: no room, and nothing may be deleted",
    },
    DemoServer {
        name: "failing-01",
        hour: 13,
        keep: 2,
        legend: "its next snapshot fails at the provider, and is made again",
    },
    DemoServer {
        name: "hanging-01",
        hour: 16,
        keep: 2,
        legend: "its next snapshot never ends, and counts as stuck after 4 hours",
    },
];

/// Returns the lines that say which server is in which state.
pub(super) fn legend(servers: u16) -> impl Iterator<Item = String> {
    let shown = SERVERS.iter().take(servers.into());
    shown.map(|server| format!("{:<11} {}", server.name, server.legend))
}

/// Adds the servers and their snapshots to the stand-in, and returns their policies. `now` is the
/// beginning of a day.
pub(super) fn enter(sandbox: &Sandbox, servers: u16, now: Timestamp) -> Vec<Arc<Policy>> {
    let mut policies = Vec::new();
    for number in 0..servers {
        let id = 101 + u64::from(number);
        let special = SERVERS.get(usize::from(number));
        let name = special.map_or_else(|| format!("web-{id}"), |server| server.name.to_owned());
        sandbox.add_server(id, &name);
        let (hour, keep) = match special {
            Some(server) => (server.hour, server.keep),
            None => (i8::try_from(number % 24).unwrap_or_default(), 3),
        };
        let put = |name: String, status: &str, age: i64| {
            let day = now - SignedDuration::from_hours(24 * age);
            let at = day + SignedDuration::from_hours(hour.into());
            sandbox.add_snapshot(id, &name, status, at);
        };
        let own = |age: i64| format!("daily-snapshot-{}", day(now, age));
        let mut rotations = vec![rotation("daily", &format!("0 {hour} * * *"), keep)];
        match special.map(|server| server.name) {
            // Two rotations that fill the limit: before each new snapshot the oldest is deleted.
            Some("full-01") => {
                for age in 1..=4 {
                    put(own(age), "completed", age);
                }
                let age = days_since_sunday(now);
                put(
                    format!("weekly-snapshot-{}", day(now, age)),
                    "completed",
                    age,
                );
                rotations.push(rotation("weekly", &format!("0 {hour} * * Sun"), 1));
            }
            Some("shared-01") => {
                put("before-migration".to_owned(), "completed", 40);
                put("golden".to_owned(), "completed", 300);
                put(own(2), "completed", 2);
                put(own(1), "completed", 1);
            }
            Some("foreign-01") => {
                for age in 1..=5 {
                    put(format!("by-hand-{age}"), "completed", age);
                }
            }
            Some("failing-01") => {
                put(own(3), "completed", 3);
                put(own(2), "failed", 2);
                put(own(1), "completed", 1);
                sandbox.order(Fault::made(CreateFault::Failed).server(id).times(1));
            }
            Some("hanging-01") => {
                put(own(1), "completed", 1);
                sandbox.order(Fault::made(CreateFault::Stuck).server(id).times(1));
            }
            _ => {}
        }
        policies.push(Arc::new(policy(id, name, rotations)));
    }
    policies
}

/// Returns how many days the last Sunday before today lies back.
fn days_since_sunday(now: Timestamp) -> i64 {
    let today = now.to_zoned(TimeZone::UTC).date();
    match today.weekday().to_sunday_zero_offset() {
        0 => 7,
        days => days.into(),
    }
}

fn day(now: Timestamp, age: i64) -> String {
    let at = now - SignedDuration::from_hours(24 * age);
    at.to_zoned(TimeZone::UTC).date().to_string()
}

fn policy(id: u64, name: String, rotations: Vec<Rotation>) -> Policy {
    Policy {
        file: name.clone(),
        server: ServerId::from(id),
        name: Some(name),
        protected_names: BTreeSet::new(),
        protected_ids: BTreeSet::new(),
        min_completed: 1,
        delete_stuck: false,
        alert_after: None,
        rotations,
    }
}

#[expect(
    clippy::expect_used,
    reason = "the patterns and schedules are the demo's own, and a test runs it"
)]
fn rotation(name: &str, schedule: &str, keep: usize) -> Rotation {
    Rotation {
        name: name.into(),
        schedule: Arc::new(Schedule::new(schedule, TimeZone::UTC).expect("a good schedule")),
        keep,
        pattern: Pattern::new("{name}-snapshot-%Y-%m-%d", name).expect("a good pattern"),
        former: Vec::new(),
        description: None,
        catch_up: None,
        splay: SignedDuration::ZERO,
        attempts: 3,
        when_full: WhenFull::PruneFirst,
        hooks: None,
        stop: None,
    }
}
