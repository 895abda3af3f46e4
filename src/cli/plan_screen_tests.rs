//! Tests what `plan` shows of servers in various states.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Screen, changes, shown};
use crate::core::decide::Inventory;
use crate::core::dry_run::plan;
use crate::core::order_terms::OrderTerms;
use crate::core::plan::{Plan, Plans};
use crate::core::policy::Policy;
use crate::core::server_event::{ClockReading, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{Snapshot, Status};
use crate::core::test_provider::{policy, rotation, rules};
use crate::screen_tests::Screens;

fn now() -> ClockReading {
    ClockReading {
        wall: at("2026-11-25T04:00:00Z"),
        mono: SignedDuration::from_hours(9),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// Returns a completed snapshot that was made at three in the morning.
fn made(id: u64, name: &str, date: &str) -> Snapshot {
    Snapshot {
        uuid: None,
        id: id.into(),
        name: name.to_owned(),
        status: Status::Completed,
        created_at: Some(at(&format!("{date}T03:00:00Z"))),
    }
}

fn own(id: u64, date: &str) -> Snapshot {
    made(id, &format!("daily-{date}"), date)
}

/// Returns the plan of a server that the service has not seen before.
fn planned(keep: usize, snapshots: Vec<Snapshot>, paused: bool) -> Plan {
    let policy = Policy {
        name: Some("web-server-01".to_owned()),
        ..policy(12345, vec![rotation("daily", "0 3 * * *", keep)])
    };
    let mut history = ServerHistory::default();
    if paused {
        let pause = ServerEvent::Paused(OrderTerms::default());
        history.apply(&pause, now().into(), SignedDuration::ZERO);
    }
    let inventory = Inventory {
        snapshots,
        ..Inventory::empty(now().mono)
    };
    plan(&policy, &inventory, &history, &rules(), now())
}

#[test]
fn each_kind_of_plan_has_its_screens() {
    let foreign = |id: u64| made(id, &format!("before-migration-of-2025-{id}"), "2025-06-01");
    let mut failed = own(5, "2026-11-25");
    failed.status = Status::Failed;
    let mut undated = own(3, "2026-11-23");
    undated.created_at = None;
    let odd = vec![undated, failed, foreign(9)];
    let dates = [
        "2026-11-19",
        "2026-11-20",
        "2026-11-21",
        "2026-11-22",
        "2026-11-23",
    ];
    let full: Vec<_> = (1..).zip(dates).map(|(id, date)| own(id, date)).collect();
    let fresh = vec![own(7, "2026-11-24"), own(8, "2026-11-25")];
    let mut screens = Screens::default();
    for (state, plan) in [
        ("an empty server", planned(3, Vec::new(), false)),
        ("nothing to do", planned(3, fresh.clone(), false)),
        ("full of own snapshots", planned(5, full.clone(), false)),
        ("more than keep", planned(2, full, false)),
        ("blocked", planned(3, (1..=5).map(foreign).collect(), false)),
        ("failed and undated snapshots", planned(3, odd, false)),
        ("paused", planned(3, fresh, true)),
    ] {
        let plans = Plans {
            servers: vec![plan],
        };
        screens.add(state, |width| {
            shown(&plans.text(&TimeZone::UTC), Some(width))
        });
    }
    screens.compare("plan.txt");
}

#[test]
fn a_paused_server_has_no_time_at_which_something_is_done() {
    let plan = planned(3, vec![own(8, "2026-11-25")], true);
    assert_eq!((plan.until, plan.next.len()), (None, 0));
    let text = plan.text(&TimeZone::UTC);
    assert!(text.contains("paused since 2026-11-25 04:00 UTC"), "{text}");
    assert!(!text.contains("nothing to do until"), "{text}");
}

#[test]
fn a_reason_that_several_snapshots_share_is_written_once() {
    let snapshots = (19..=24).map(|day| own(day, &format!("2026-11-{day}")));
    let text = planned(2, snapshots.collect(), false).text(&TimeZone::UTC);
    let (_, verdicts) = text.split_once("snapshots now:").expect("verdicts");
    let long = verdicts.lines().filter(|line| line.contains("surplus"));
    let long: Vec<_> = long.collect();
    assert!(long.len() > 2, "{text}");
    assert!(
        long[1..].iter().all(|line| line.ends_with(": as above")),
        "{text}"
    );
}

#[test]
fn of_many_servers_only_those_that_have_something_to_do_are_shown_as_far_as_they_fit() {
    let idle = planned(3, vec![own(8, "2026-11-25")], false);
    let mut servers = vec![idle; 100];
    servers.extend(vec![planned(3, Vec::new(), false); 100]);
    let plans = Plans { servers };
    let screen = Screen {
        width: Some(80),
        rows: 24,
    };
    let text = changes(&plans, screen);
    assert!(text.lines().count() < 24, "{text}");
    assert!(
        text.contains(" more servers with something to do: --all shows them\n"),
        "{text}"
    );
    assert!(text.contains("Plan: 100 creates, 0 deletes on 100 servers; 100 servers have nothing"));
}
