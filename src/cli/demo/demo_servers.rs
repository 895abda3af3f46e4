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

/// Adds the servers and their snapshots to the stand-in, and returns their policies.
pub(super) fn enter(sandbox: &Sandbox, servers: u16, now: Timestamp) -> Vec<Arc<Policy>> {
    let names = ["fresh", "full", "shared", "foreign", "failing", "hanging"];
    let mut policies = Vec::new();
    for number in 0..servers {
        let id = 101 + u64::from(number);
        let state = names.get(usize::from(number)).copied();
        let name = state.map_or_else(|| format!("web-{id}"), |state| format!("{state}-01"));
        sandbox.add_server(id, &name);
        let daily = |keep| rotation("daily", "0 3 * * *", keep);
        let put = |name: String, status: &str, age: i64| {
            let at = now - SignedDuration::from_hours(24 * age);
            sandbox.add_snapshot(id, &name, status, at);
        };
        let own = |age: i64| format!("daily-snapshot-{}", day(now, age));
        let rotations = match state {
            // Two rotations that fill the limit: before each new snapshot the oldest is deleted.
            Some("full") => {
                for age in 2..6 {
                    put(own(age), "completed", age);
                }
                put("weekly-snapshot-2020-01-05".to_owned(), "completed", 9);
                vec![daily(4), rotation("weekly", "0 4 * * Sun", 1)]
            }
            Some("shared") => {
                put("before-migration".to_owned(), "completed", 40);
                put("golden".to_owned(), "completed", 300);
                put(own(3), "completed", 3);
                put(own(2), "completed", 2);
                vec![daily(2)]
            }
            Some("foreign") => {
                for age in 1..=5 {
                    put(format!("by-hand-{age}"), "completed", age);
                }
                vec![daily(2)]
            }
            Some("failing") => {
                put(own(3), "completed", 3);
                put(own(2), "failed", 2);
                sandbox.order(Fault::made(CreateFault::Failed).server(id).times(1));
                vec![daily(2)]
            }
            Some("hanging") => {
                put(own(2), "completed", 2);
                sandbox.order(Fault::made(CreateFault::Stuck).server(id).times(1));
                vec![daily(2)]
            }
            _ => vec![daily(3)],
        };
        policies.push(Arc::new(policy(id, name, rotations)));
    }
    policies
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
