//! Tests of reports as receivers get them.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::alerts::{AlertChange, Message, report_csv};
use crate::core::alert_tally::Fault;
use crate::core::health::Health;
use crate::core::report::PresentState;
use crate::core::report_period::{ReportInterval, ReportPeriod};
use crate::core::report_tally::ReportTally;
use crate::core::server_event::ServerEvent;
use crate::core::server_history::ServerHistory;
use crate::core::server_report::{NextSnapshot, PresentCopy, PresentServer, SeenServer};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn copies(first: u64, count: u64) -> Vec<PresentCopy> {
    let newest = at("2026-11-30T02:00:00Z");
    let made = |back| newest - SignedDuration::from_hours(24 * back);
    let copy = |n: u64| PresentCopy {
        id: (first + n).into(),
        made: made(i64::try_from(n).expect("few")),
        own: true,
    };
    (0..count).map(copy).collect()
}

fn server(id: u64, health: Health, copies: Vec<PresentCopy>) -> PresentServer {
    let name = format!("web-{id:02}");
    PresentServer {
        id: id.into(),
        file: name.clone(),
        copy_age_limit: Some(SignedDuration::from_hours(36)),
        seen: Some(SeenServer {
            health,
            needs_somebody: health > Health::New,
            copies: Some(copies),
            alerts: Vec::new(),
            next: Some(NextSnapshot {
                snapshot: format!("{name}-2026-12-01").into(),
                at: at("2026-12-01T02:00:00Z"),
            }),
        }),
        name,
    }
}

fn events() -> Vec<(u64, &'static str, &'static str)> {
    vec![
        (
            1,
            "2026-11-24T02:05:00Z",
            r#"{"event":"snapshot_completed","snapshot":"a","id":106}"#,
        ),
        (
            1,
            "2026-11-24T02:05:00Z",
            r#"{"event":"slot_settled","rotation":"daily","slot":"2026-11-24T02:00:00Z","snapshot":"a","reason":"completed"}"#,
        ),
        (
            1,
            "2026-11-24T02:06:00Z",
            r#"{"event":"delete_intent","rotation":"daily","snapshot":"z","id":90,"reason":"beyond keep = 5 of daily"}"#,
        ),
        (
            1,
            "2026-11-24T02:07:00Z",
            r#"{"event":"delete_confirmed","id":90}"#,
        ),
        (
            2,
            "2026-11-25T02:00:00Z",
            r#"{"event":"create_result","snapshot":"b","outcome":"failed"}"#,
        ),
        (
            2,
            "2026-11-25T03:00:00Z",
            r#"{"event":"slot_given_up","rotation":"daily","slot":"2026-11-25T02:00:00Z","snapshot":"b","reason":"given up after 1 attempt"}"#,
        ),
        (
            2,
            "2026-11-25T03:00:00Z",
            r#"{"event":"alert_raised","alert":"slot_failed","about":"daily","reason":"x"}"#,
        ),
        (
            2,
            "2026-11-26T02:05:00Z",
            r#"{"event":"alert_cleared","alert":"slot_failed","about":"daily"}"#,
        ),
        (
            3,
            "2026-11-27T02:05:00Z",
            r#"{"event":"alert_raised","alert":"blocked","about":"3","reason":"x"}"#,
        ),
    ]
}

/// Returns the weekly report on these servers.
fn report(servers: Vec<PresentServer>, missed: u32) -> Report {
    let period = ReportPeriod {
        from: at("2026-11-23T06:00:00Z"),
        until: at("2026-11-30T06:00:00Z"),
        missed,
        reported: (missed > 0).then(|| at("2026-11-02T06:00:00Z")),
    };
    let mut tally = ReportTally::new(period);
    for server in &servers {
        tally.checkpoint(&server.id, &ServerHistory::default());
    }
    for (id, time, json) in events() {
        let event: ServerEvent = serde_json::from_str(json).expect("an event");
        tally.note(&id.into(), at(time), &event);
    }
    let sizes = (101..=302).map(|id| (id.into(), 2048)).collect();
    let state = PresentState {
        servers,
        sizes,
        ..PresentState::default()
    };
    let report = Report::new(&tally, &state, at("2026-11-30T06:00:05Z"));
    Report {
        interval: Some(ReportInterval::Weekly),
        ..report
    }
}

fn three() -> Report {
    report(
        vec![
            server(1, Health::Ok, copies(101, 5)),
            server(2, Health::Ok, copies(201, 5)),
            server(3, Health::Unprotected, Vec::new()),
        ],
        2,
    )
}

fn message(report: Report) -> Message {
    let zone = TimeZone::get("Europe/Malta").expect("a zone");
    Message {
        event: AlertChange::Report,
        time: report.time,
        host: "admin-01".to_owned(),
        alerts: Vec::new(),
        signed: None,
        report: Some(std::sync::Arc::new(ReportNews {
            receiver: "ops".to_owned(),
            zone,
            report,
        })),
        page: Some("https://admin.example.org/rotation".to_owned()),
    }
}

/// Compares a text with a file beside the tests, or writes the file.
fn settle(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/alerts/report_forms")
        .join(name);
    if std::env::var_os("SNAPROTATE_UPDATE").is_some() {
        std::fs::write(&path, text).expect("written");
        return;
    }
    let found = std::fs::read_to_string(&path).expect(name);
    assert!(
        found == text,
        "{name} differs: run SNAPROTATE_UPDATE=1 cargo test --lib report_message and look at the change:\n{text}"
    );
}

#[test]
fn the_text_says_what_happened_what_needs_somebody_and_what_was_mended() {
    let mut report = three();
    report.sums.size_before_mb = Some(18 * 1024);
    settle("weekly.txt", &message(report).text());
}

#[test]
fn the_short_text_names_what_needs_somebody_and_links_to_the_page() {
    let message = message(three());
    assert_eq!(
        format!("{}\n{}", message.subject(), message.short_text()),
        "Weekly report: 1 of 3 servers needs you\n\
         1 snapshot made, 1 deleted, 1 slot without a snapshot. 2 of 3 servers can be restored; the least recent copy is 4 h old.\n\
         web-03: unprotected, blocked\n\
         2 earlier reports were not sent, since the service was not running. To see that time, run snaprotate report --since 2026-11-02T06:00:00Z --until 2026-11-23T06:00:00Z.\n\
         \n\
         snaprotate on admin-01\n\
         https://admin.example.org/rotation/\n"
    );
    assert_eq!(message.priority().word(), "default");
}

#[test]
fn if_all_is_well_the_report_says_so_with_a_low_priority() {
    let message = message(report(vec![server(1, Health::Ok, copies(101, 5))], 0));
    assert_eq!(
        format!("{}\n{}", message.subject(), message.short_text()),
        "Weekly report: all is well on 1 server\n\
         1 snapshot made, 1 deleted, 1 slot without a snapshot. All servers can be restored; the least recent copy is 4 h old.\n\
         \n\
         snaprotate on admin-01\n\
         https://admin.example.org/rotation/\n"
    );
    assert_eq!(message.priority().word(), "low");
}

#[test]
fn the_html_has_a_cell_for_each_server_and_escapes_names() {
    settle("weekly.html", &message(three()).html().expect("a page"));
    let mut evil = server(4, Health::Ok, Vec::new());
    evil.name = "<script>\"&".to_owned();
    let page = message(report(vec![evil], 0)).html().expect("a page");
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;"), "{page}");
}

#[test]
fn the_json_has_the_report_and_its_worst_servers_first() {
    let json = message(three()).json();
    settle("weekly.json", &format!("{json:#}\n"));
}

#[test]
fn the_csv_has_a_row_for_each_server_and_lines_that_end_with_cr_and_lf() {
    let text = report_csv(&three());
    settle("weekly.csv", &text);
    assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains('\n'));
}

#[test]
fn a_report_on_five_thousand_servers_stays_short_and_names_those_that_need_somebody() {
    let fleet = (1..=5000).map(|id| {
        let health = if id % 100 == 0 {
            Health::Failing
        } else {
            Health::Ok
        };
        server(id, health, copies(101, 2))
    });
    let report = report(fleet.collect(), 0);
    let message = message(report.clone());
    let text = message.text();
    assert!(text.lines().count() < 50, "{text}");
    assert!(text.contains("  web-100: failing\n"), "{text}");
    assert!(
        text.contains("and 30 more: snaprotate report --csv"),
        "{text}"
    );
    assert!(message.short_text().len() < 2_000);
    let html = message.html().expect("a page");
    assert!(html.len() < 100_000, "{} bytes", html.len());
    assert!(html.contains("a cell stands for 13 servers"), "{html}");
    let rows = message.json()["report"]["servers"].as_array().map(Vec::len);
    assert_eq!(rows, Some(100));
    assert_eq!(report_csv(&report).lines().count(), 5001);
}

#[test]
fn titles_have_at_most_60_and_first_lines_at_most_178_characters_and_tables_80_columns() {
    let mut report = three();
    report.sums.servers = usize::MAX;
    report.sums.need_somebody = usize::MAX - 1;
    report.sums.counts.snapshots_completed = u32::MAX;
    report.sums.counts.slots_failed = u32::MAX;
    report.sums.restorable = Some(usize::MAX - 2);
    report.sums.least_recent_copy = Some(at("1990-01-01T00:00:00Z"));
    let row = &mut report.servers[0];
    row.name = "n".repeat(200);
    row.recovery_points = Some(100);
    row.oldest = Some(at("1990-01-01T00:00:00Z"));
    row.size_mb = Some(1_048_576_000);
    row.faults = vec![Fault {
        alert: "slot_failed".to_owned(),
        about: "r".repeat(200),
        since: None,
        mended: None,
    }];
    let message = message(report);
    let length = |text: &str| text.chars().count();
    assert!(length(&message.subject()) <= 60, "{}", message.subject());
    for text in [message.text(), message.short_text()] {
        let first = text.lines().next().expect("a line");
        assert!(length(first) <= 178, "{first}");
        let table = text.lines().skip_while(|line| !line.starts_with("SERVER"));
        for line in table.take_while(|line| !line.is_empty()) {
            assert!(length(line) <= 80, "{line}");
        }
    }
    let json = message.json();
    let first = json["text"].as_str().expect("a text").split(" | ").nth(1);
    assert!(length(first.expect("a line")) <= 178);
}
