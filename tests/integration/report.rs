//! Reports: the real binary, its trail, and receivers on loopback.

use crate::support::notify::Service;
use crate::support::receivers::{Hook, SERVER, receiver};
use crate::support::wall::Wall;
use crate::support::{
    Home, Provider, QUICK, daily_name, days_ago, stderr, stdout, until, verified,
};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::Value;
use snaprotate::audit::{Entry, GlobalEvent, Trail};
use snaprotate::core::report_period::ReportInterval;

/// Returns a server with two daily snapshots, and one whose creates are refused.
pub(super) fn fleet() -> (Provider, Home) {
    let provider = Provider::quick();
    for (id, name) in [(SERVER, "web-01"), (8, "web-02")] {
        provider.sandbox.add_server(id, name);
    }
    for back in 1..=2 {
        let name = daily_name(back);
        let at = days_ago(back);
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
    let refused = snaprotate::sandbox::faults::Fault::status(
        snaprotate::sandbox::faults::CallKind::Create,
        400,
    );
    provider.sandbox.order(refused.server(8).forever());
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 2, "");
    home.daily(8, 2, "attempts = 1");
    (provider, home)
}

/// Waits until both servers have done what is due.
pub(super) fn settled(home: &Home) {
    until("both slots have ended and a snapshot is deleted", || {
        !home.events("slot_settled").is_empty()
            && !home.events("slot_given_up").is_empty()
            && !home.events("delete_confirmed").is_empty()
    });
}

pub(super) fn weekly(home: &Home, text: &str) {
    receiver(
        home,
        &format!(
            "{text}\nreport = \"weekly\"\nreport_at = \"Mon 07:00\"\nreport_timezone = \"Europe/Malta\""
        ),
    );
}

/// Writes a trail in which the reports of these receivers were planned so many days ago.
pub(super) fn planned(home: &Home, receivers: &[&str], days: i64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let grace = SignedDuration::from_secs(2);
        let (log, state) = (home.path("log"), home.path("state"));
        let at = days_ago(days);
        let (trail, _) = Trail::open(&log, &state, "before", at, grace).expect("a trail");
        let entries = receivers.iter().map(|receiver| {
            let event = GlobalEvent::ReportPlanned {
                receiver: (*receiver).to_owned(),
                interval: ReportInterval::Weekly,
            };
            Entry::global(at, event)
        });
        let written = trail.append(entries.collect()).await;
        written.expect("written");
        trail.close().await;
    });
}

/// Returns the Mondays at 07:00 in Malta between these times, newest first.
fn mondays(from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let zone = TimeZone::get("Europe/Malta").expect("a zone");
    let at = until
        .to_zoned(zone)
        .with()
        .hour(7)
        .minute(0)
        .second(0)
        .subsec_nanosecond(0);
    let mut at = at.build().expect("a time");
    let mut all = Vec::new();
    while at.timestamp() > from {
        if at.weekday() == Weekday::Monday && at.timestamp() <= until {
            all.push(at.timestamp());
        }
        at = at.checked_sub(1.day()).expect("a day before");
    }
    all
}

fn reports(hook: &Hook) -> Vec<Value> {
    let messages = hook.came().into_iter().map(|came| came.json());
    messages.filter(|json| json["event"] == "report").collect()
}

#[test]
fn after_weeks_of_downtime_one_report_is_sent_and_restarts_send_no_other() {
    let (_provider, home) = fleet();
    let hook = Hook::start();
    let url = hook.url("/");
    weekly(
        &home,
        &format!("type = \"webhook\"\nname = \"ops\"\nurl = \"{url}\"\non = [\"witness_failed\"]"),
    );
    planned(&home, &["ops"], 24);
    let due = mondays(days_ago(24), Timestamp::now());
    for run in 1..=3 {
        let service = Service::start(&home);
        settled(&home);
        until("the report is sent", || !reports(&hook).is_empty());
        assert_eq!(service.stop(), Some(0), "run {run}");
    }
    let [report] = &reports(&hook)[..] else {
        panic!("{} reports", reports(&hook).len());
    };
    let made = home.events("report_made");
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(made[0]["until"], due[0].to_string());
    assert_eq!(
        made[0]["from"],
        (due[0]
            .to_zoned(TimeZone::get("Europe/Malta").expect("a zone"))
            .checked_sub(7.days())
            .expect("a week")
            .timestamp())
        .to_string()
    );
    assert_eq!(made[0]["missed"], due.len() - 1);
    assert_eq!(report["report"]["until"], made[0]["until"]);
    assert_eq!(report["report"]["missed"], made[0]["missed"]);
    let title = report["title"].as_str().expect("a title");
    assert!(title.starts_with("Weekly report: "), "{title}");
    let rows = report["report"]["servers"].as_array().expect("rows");
    assert!(
        rows.iter().all(|row| row["health"] != "unknown"),
        "{rows:?}"
    );
    verified(&home);
}

#[test]
fn a_new_receiver_gets_no_report_on_the_time_before_it_was_added() {
    let (_provider, home) = fleet();
    let hook = Hook::start();
    let service = Service::start(&home);
    settled(&home);
    let url = hook.url("/");
    weekly(
        &home,
        &format!("type = \"webhook\"\nname = \"ops\"\nurl = \"{url}\"\non = [\"witness_failed\"]"),
    );
    service.reload();
    until("the reports are planned", || {
        !home.events("report_planned").is_empty()
    });
    assert_eq!(service.stop(), Some(0));
    let service = Service::start(&home);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(home.events("report_planned").len(), 1);
    assert!(home.events("report_made").is_empty());
    assert!(hook.came().is_empty());
}

#[test]
fn runs_of_once_over_four_weeks_send_each_weekly_report_once() {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 3, "");
    let Some(wall) = Wall::new(&home) else { return };
    let hook = Hook::start();
    let url = hook.url("/");
    weekly(
        &home,
        &format!("type = \"webhook\"\nname = \"ops\"\nurl = \"{url}\"\non = [\"witness_failed\"]"),
    );
    let began = Timestamp::now();
    // The host sleeps for two or three days between two runs, and once for more than a week.
    let mut hours = 0;
    for pause in [0, 50, 70, 55, 0, 61, 72, 200, 1, 49, 66, 58] {
        hours += pause;
        provider.wall.step(SignedDuration::from_hours(pause));
        wall.set(&format!("+{hours}h"));
        let output = wall.rules(home.command(&["once"])).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let made = home.events("report_made");
    let ends: Vec<_> = made
        .iter()
        .map(|record| record["until"].to_string())
        .collect();
    let mut once = ends.clone();
    once.dedup();
    assert_eq!(ends, once, "none is made twice");
    let all = mondays(began, began + SignedDuration::from_hours(hours));
    let missed: u64 = made
        .iter()
        .filter_map(|record| record["missed"].as_u64())
        .sum();
    assert_eq!(
        ends.len() + usize::try_from(missed).expect("few"),
        all.len()
    );
    assert!(ends.len() >= 3, "{ends:?}");
    let sent: Vec<_> = reports(&hook)
        .iter()
        .map(|json| json["report"]["until"].to_string())
        .collect();
    assert_eq!(sent, ends, "each is sent");
    verified(&home);
}

/// Counts the records of the trail with this event.
fn count(trail: &[Value], event: &str) -> usize {
    trail
        .iter()
        .filter(|record| record["event"] == event)
        .count()
}

#[test]
fn the_sums_of_the_command_equal_those_of_the_raw_records() {
    let (_provider, home) = fleet();
    let service = Service::start(&home);
    settled(&home);
    assert_eq!(service.stop(), Some(0));
    let output = home.run(&["report", "--json", "--since", "2h"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let trail = home.trail();
    let sums = &report["sums"];
    for (sum, event) in [
        ("snapshots_completed", "snapshot_completed"),
        ("slots_settled", "slot_settled"),
        ("slots_failed", "slot_given_up"),
        ("alerts_cleared", "alert_cleared"),
    ] {
        assert_eq!(sums[sum], count(&trail, event), "{sum}: {sums}");
    }
    let deleted = sums["deleted"].as_object().expect("rules").values();
    let deleted: u64 = deleted.filter_map(Value::as_u64).sum();
    assert_eq!(deleted, count(&trail, "delete_confirmed") as u64, "{sums}");
    let refused = trail.iter().filter(|record| {
        let outcome = record["outcome"].as_str();
        outcome.is_some_and(|outcome| outcome != "done")
    });
    assert_eq!(sums["calls_failed"], refused.count(), "{sums}");
    let mut alerts: Vec<_> = trail
        .iter()
        .filter(|record| record["event"] == "alert_raised")
        .map(|record| {
            (
                record["server"].to_string(),
                record["alert"].to_string(),
                record["about"].to_string(),
            )
        })
        .collect();
    alerts.sort();
    alerts.dedup();
    assert_eq!(sums["alerts_raised"], alerts.len(), "{sums}");
    assert_eq!(report["present"], false);
}

#[test]
fn with_a_service_the_report_shows_what_exists_now_and_its_sizes() {
    let (provider, home) = fleet();
    let service = Service::start(&home);
    settled(&home);
    let output = home.run(&["report", "--json"]);
    assert_eq!(output.status.code(), Some(1), "server 8 has no copy");
    let report: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(report["present"], true);
    let rows = report["servers"].as_array().expect("rows");
    let of = |id: u64| rows.iter().find(|row| row["id"] == id).expect("a row");
    assert_eq!(of(SERVER)["recovery_points"], provider.names(SERVER).len());
    assert!(of(SERVER)["size_mb"].as_u64() > Some(0), "{report:#}");
    assert!(of(SERVER)["next"]["at"].is_string(), "{report:#}");
    assert_eq!(of(8)["health"], "unprotected");
    assert_eq!(report["sums"]["need_somebody"], 1);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn the_text_fits_80_columns_and_the_csv_has_a_row_for_each_server() {
    let (_provider, home) = fleet();
    let service = Service::start(&home);
    settled(&home);
    let output = home.run(&["report"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        text.starts_with("Report: 1 of 2 servers needs you\n"),
        "{text}"
    );
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for words in [
        "Deleted:         1 beyond keep",
        "  server-8: unprotected",
        "SERVER",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let csv = stdout(&home.run(&["report", "--csv"]));
    let rows: Vec<_> = csv.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 3, "{csv}");
    let columns = rows[0].split(',').count();
    assert!(
        rows.iter().all(|row| row.split(',').count() == columns),
        "{csv}"
    );
    assert!(rows[1].contains(",server-7,server-7,"), "{csv}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn times_that_leave_no_period_are_refused_and_a_missing_trail_is_said() {
    let (_provider, home) = fleet();
    for (args, said) in [
        (&["report", "--since", "1h", "--until", "2h"][..], "--since"),
        (&["report", "--since", "soon"], "--since soon is not a time"),
        (&["report", "--since", "now"], "leaves no time to report on"),
        (&["report", "--csv", "--json"], "--json"),
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    let output = home.run(&["report"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("no trail yet"),
        "{}",
        stderr(&output)
    );
}
