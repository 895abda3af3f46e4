//! Tests of the report: its rows, its sums, and what it leaves open.

use super::*;
use crate::core::health::Health;
use crate::core::report_period::ReportPeriod;
use crate::core::server_event::ServerEvent;
use crate::core::server_report::{PresentCopy, SeenServer};
use jiff::SignedDuration;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn period() -> ReportPeriod {
    ReportPeriod {
        from: at("2026-11-23T07:00:00Z"),
        until: at("2026-11-30T07:00:00Z"),
        missed: 3,
        reported: Some(at("2026-11-02T07:00:00Z")),
    }
}

fn now() -> Timestamp {
    at("2026-11-30T08:00:00Z")
}

fn copy(id: u64, made: &str, own: bool) -> PresentCopy {
    PresentCopy {
        id: id.into(),
        made: at(made),
        own,
    }
}

fn server(id: u64, name: &str, copies: Vec<PresentCopy>) -> PresentServer {
    PresentServer {
        id: id.into(),
        name: name.to_owned(),
        file: name.to_owned(),
        copy_age_limit: Some(SignedDuration::from_hours(36)),
        seen: Some(SeenServer {
            health: Health::Ok,
            needs_somebody: false,
            copies: Some(copies),
            alerts: Vec::new(),
            next: None,
        }),
    }
}

fn settled() -> ServerEvent {
    serde_json::from_str(r#"{"event":"slot_settled","rotation":"daily","slot":"2026-11-24T03:00:00Z","snapshot":"d","reason":"completed"}"#).expect("an event")
}

fn state(servers: Vec<PresentServer>) -> PresentState {
    PresentState {
        servers,
        ..PresentState::default()
    }
}

#[test]
fn recovery_points_are_own_copies_and_a_foreign_copy_is_only_the_newest_copy() {
    let copies = vec![
        copy(1, "2026-11-28T03:00:00Z", true),
        copy(2, "2026-11-29T03:00:00Z", true),
        copy(3, "2026-11-30T03:00:00Z", false),
    ];
    let mut state = state(vec![server(7, "web", copies)]);
    state.sizes = [(1.into(), 100), (2.into(), 130), (3.into(), 9)].into();
    let report = Report::new(&ReportTally::new(period()), &state, now());
    let row = &report.servers[0];
    assert_eq!(row.recovery_points, Some(2));
    assert_eq!(row.oldest, Some(at("2026-11-28T03:00:00Z")));
    assert_eq!(row.newest, Some(at("2026-11-29T03:00:00Z")));
    assert_eq!(row.newest_copy, Some(at("2026-11-30T03:00:00Z")));
    let sizes = (row.size_mb, row.oldest_size_mb, row.newest_size_mb);
    assert_eq!(sizes, (Some(230), Some(100), Some(130)));
    assert_eq!((report.sums.recovery_points, report.missed), (Some(2), 3));
}

#[test]
fn the_sums_are_those_of_the_rows_also_of_a_server_whose_policy_was_removed() {
    let mut tally = ReportTally::new(period());
    for (id, times) in [(7, 2), (8, 1), (9, 4)] {
        for _ in 0..times {
            tally.note(&id.into(), at("2026-11-24T03:01:00Z"), &settled());
        }
    }
    let present = state(vec![
        server(7, "web", Vec::new()),
        server(8, "db", Vec::new()),
    ]);
    let report = Report::new(&tally, &present, now());
    let names: Vec<_> = report.servers.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["db", "server 9", "web"]);
    assert_eq!(report.sums.counts.slots_settled, 7);
    assert_eq!(report.sums.servers, 2);
    assert_eq!(report.servers[1].policy, None);
}

#[test]
fn a_report_for_some_servers_has_their_sums_only() {
    let mut tally = ReportTally::new(period());
    for id in [7, 8] {
        tally.note(&id.into(), at("2026-11-24T03:01:00Z"), &settled());
    }
    let present = state(vec![
        server(7, "web", Vec::new()),
        server(8, "db", Vec::new()),
    ]);
    let report = Report::new(&tally, &present, now()).only(|id| *id == 8.into());
    assert_eq!(report.servers.len(), 1);
    assert_eq!(
        (report.sums.servers, report.sums.counts.slots_settled),
        (1, 1)
    );
}

#[test]
fn without_a_service_the_present_is_unknown_and_an_active_alert_needs_somebody() {
    let mut tally = ReportTally::new(period());
    let raised = serde_json::from_str(
        r#"{"event":"alert_raised","alert":"blocked","about":"7","reason":"full"}"#,
    );
    tally.note(
        &7.into(),
        at("2026-11-24T03:01:00Z"),
        &raised.expect("an event"),
    );
    let unseen = PresentServer {
        seen: None,
        ..server(7, "web", Vec::new())
    };
    let report = Report::new(&tally, &state(vec![unseen]), now());
    assert!(!report.present);
    let sums = &report.sums;
    assert_eq!((sums.recovery_points, sums.restorable), (None, None));
    assert_eq!(sums.need_somebody, 1);
    assert_eq!(report.servers[0].health, None);
}

#[test]
fn an_alert_that_only_the_service_still_has_is_listed_unless_it_is_newer_than_the_period() {
    let alert = |alert: &str, since: &str| Fault {
        alert: alert.to_owned(),
        about: "7".to_owned(),
        since: Some(at(since)),
        mended: None,
    };
    let mut web = server(7, "web", Vec::new());
    if let Some(seen) = &mut web.seen {
        seen.alerts = vec![
            alert("blocked", "2026-01-01T00:00:00Z"),
            alert("no_copy", "2026-11-30T07:30:00Z"),
        ];
    }
    let report = Report::new(&ReportTally::new(period()), &state(vec![web]), now());
    let faults: Vec<_> = report.servers[0].faults.iter().map(|f| &*f.alert).collect();
    assert_eq!(faults, ["blocked"]);
}

#[test]
fn alerts_of_the_service_count_and_those_that_were_cleared_need_nobody() {
    let mut tally = ReportTally::new(period());
    tally.service_alert_stood("trail_failed", "log", None);
    tally.service_alert_cleared("trail_failed", "log", at("2026-11-22T03:00:00Z"));
    tally.service_alert_raised("account", "account", at("2026-11-22T03:00:00Z"));
    tally.service_alert_cleared("account", "account", at("2026-11-24T03:00:00Z"));
    tally.service_alert_raised("account", "account", at("2026-11-29T03:00:00Z"));
    tally.service_alert_raised("account", "account", at("2026-11-29T04:00:00Z"));
    tally.service_alert_cleared("account", "account", at("2026-11-30T07:30:00Z"));
    let unseen = PresentServer {
        seen: None,
        ..server(7, "web", Vec::new())
    };
    let report = Report::new(&tally, &state(vec![unseen]), now());
    let times = report.service_alerts.iter();
    let times: Vec<_> = times.map(|alert| (alert.since, alert.mended)).collect();
    let time = |text| Some(at(text));
    assert_eq!(
        times,
        [
            (time("2026-11-22T03:00:00Z"), time("2026-11-24T03:00:00Z")),
            (time("2026-11-29T03:00:00Z"), None),
        ]
    );
    let counts = &report.sums.counts;
    assert_eq!((counts.alerts_raised, counts.alerts_cleared), (1, 1));
    assert!(report.needs_somebody() && report.open_service_alerts().count() == 1);
    // The service is back, and the alert is over.
    let present = state(vec![server(7, "web", Vec::new())]);
    let report = Report::new(&tally, &present, now());
    assert!(!report.needs_somebody() && report.open_service_alerts().count() == 0);
}

#[test]
fn servers_that_need_somebody_come_first_and_the_worst_of_them_at_the_top() {
    let with = |id, name, health, needs_somebody| {
        let mut server = server(id, name, Vec::new());
        if let Some(seen) = &mut server.seen {
            (seen.health, seen.needs_somebody) = (health, needs_somebody);
        }
        server
    };
    let present = state(vec![
        with(1, "a", Health::Unknown, false),
        with(2, "b", Health::Attention, true),
        with(3, "c", Health::Unprotected, true),
        with(4, "d", Health::Ok, false),
    ]);
    let report = Report::new(&ReportTally::new(period()), &present, now());
    let names: Vec<_> = report.worst_first().iter().map(|row| &*row.name).collect();
    assert_eq!(names, ["c", "b", "a", "d"]);
}
