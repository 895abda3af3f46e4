//! Tests the text of lines and their width.

use super::super::snapshot_names::SnapshotNames;
use super::*;

const MALTA: &str = "Europe/Malta";

fn lines(width: Option<usize>, colour: bool) -> LineFormat {
    let zone = TimeZone::get(MALTA).expect("a zone");
    let mut lines = LineFormat::new(&[], None, zone, width, colour);
    lines.names.insert(ServerId::from(7), "web".to_owned());
    lines
}

fn record(server: Option<u64>, event: &str, fields: &str) -> Record {
    Record {
        seq: 1,
        time: "2026-11-25T02:00:01.5Z".parse().expect("a time"),
        run: "test".to_owned(),
        server: server.map(ServerId::from),
        event: event.to_owned(),
        json: format!(r#"{{"seq":1,"event":"x","run":"test",{fields}"prev":"0","hash":"0"}}"#),
    }
}

/// Returns the line of a record that follows the other one.
fn shown_after(lines: &LineFormat, before: &Record, record: &Record) -> String {
    let mut known = SnapshotNames::default();
    known.named(before.clone());
    lines.line(&known.named(record.clone()))
}

fn shown(lines: &LineFormat, record: &Record) -> String {
    lines.line(&SnapshotNames::default().named(record.clone()))
}

/// Returns the line of an event of server 7, from the event's name on.
fn told(event: &str, fields: &str) -> String {
    let record = record(Some(7), event, &format!("{fields},"));
    let line = shown(&lines(None, false), &record);
    let rest = line.strip_prefix("2026-11-25 03:00:01  web     ");
    rest.unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn times_are_in_the_zone_that_the_opening_line_names() {
    assert_eq!(lines(None, false).opening(), "Times are in Europe/Malta.");
    let utc = LineFormat::new(
        &[],
        None,
        TimeZone::get("Etc/UTC").expect("a zone"),
        None,
        false,
    );
    assert_eq!(utc.opening(), "Times are in UTC.");
    let line = shown(
        &lines(None, false),
        &record(None, "daemon_stopped", r#""reason":"a signal","#),
    );
    assert_eq!(
        line,
        "2026-11-25 03:00:01  -       daemon_stopped      a signal"
    );
}

#[test]
fn a_server_without_a_policy_is_shown_by_its_id() {
    let line = shown(&lines(None, false), &record(Some(8), "paused", ""));
    assert_eq!(line, "2026-11-25 03:00:01  8       paused");
}

#[test]
fn an_outcome_shows_its_status_and_its_error() {
    let said = told(
        "create_result",
        r#""snapshot":"d-1","outcome":"unknown","status":503,"error":"over\u001b[2Jload","duration_ms":12"#,
    );
    assert_eq!(
        said,
        "create_result       d-1: unknown; HTTP 503; over\\u{1b}[2Jload; 12 ms"
    );
    let said = told(
        "create_result",
        r#""snapshot":"d-1","outcome":"done","id":801,"server_name":"web","status":201"#,
    );
    assert_eq!(said, "create_result       d-1 (id 801): done; HTTP 201");
    // The provider's name for the server differs from the policy's.
    let said = told(
        "create_result",
        r#""snapshot":"d-1","outcome":"done","server_name":"db""#,
    );
    assert_eq!(said, "create_result       d-1: done; server name db");
}

#[test]
fn an_intent_shows_reason_and_rotation() {
    let said = told(
        "create_intent",
        r#""rotation":"daily","snapshot":"d-1","known":[],"reason":"slot of daily is due""#,
    );
    assert_eq!(
        said,
        "create_intent       d-1: slot of daily is due; rotation daily"
    );
    let intent = record(
        Some(7),
        "delete_intent",
        r#""snapshot":"d-1","id":801,"reason":"it is beyond keep","#,
    );
    let due = record(
        Some(7),
        "slot_due",
        r#""snapshot":"d-1","rotation":"daily","#,
    );
    let line = shown_after(&lines(None, false), &due, &intent);
    assert!(
        line.ends_with("delete_intent       d-1 (id 801): it is beyond keep; rotation daily"),
        "{line}"
    );
}

#[test]
fn an_alert_shows_what_it_is_about_without_repeating_the_server() {
    let said = told(
        "alert_raised",
        r#""alert":"blocked","about":"7","reason":"full""#,
    );
    assert_eq!(said, "alert_raised        blocked: full");
    let said = told("alert_cleared", r#""alert":"slot_failed","about":"daily""#);
    assert_eq!(said, "alert_cleared       slot_failed daily");
}

#[test]
fn a_field_without_a_text_of_its_own_is_shown_under_its_name() {
    let said = told(
        "some_day",
        r#""policies":2,"missed":0,"warnings":[],"deletes":["a","b"],"whole":true,"paused":false,"x\u001b":null"#,
    );
    assert_eq!(said, "some_day            changes: a; b; policies 2; whole");
}

#[test]
fn a_result_shows_the_name_that_an_earlier_record_gave_for_its_id() {
    let made = record(Some(7), "create_result", r#""snapshot":"d-1","id":801,"#);
    let result = record(Some(7), "delete_result", r#""id":801,"outcome":"done","#);
    let line = shown_after(&lines(None, false), &made, &result);
    assert!(line.ends_with("d-1 (id 801): done"), "{line}");
}

#[test]
fn on_a_terminal_a_long_line_is_wrapped_below_the_server_column() {
    let blocked = record(
        Some(7),
        "blocked",
        r#""reason":"the server is full, and nothing on it may be deleted: foreign snapshots take up 5 of 5 places","#,
    );
    let line = shown(&lines(Some(72), false), &blocked);
    let rows: Vec<_> = line.lines().collect();
    assert_eq!(
        rows,
        [
            "2026-11-25 03:00:01  web     blocked             the server is full, and",
            "                     nothing on it may be deleted: foreign snapshots",
            "                     take up 5 of 5 places",
        ]
    );
    assert!(rows.iter().all(|row| row.len() <= 72), "{line}");
    // Without a terminal each record is one line.
    assert_eq!(shown(&lines(None, false), &blocked).lines().count(), 1);
}

#[test]
fn only_a_terminal_gets_colours_and_failures_are_red() {
    let failed = record(Some(7), "snapshot_failed", "");
    assert!(!shown(&lines(None, false), &failed).contains('\u{1b}'));
    assert!(shown(&lines(Some(80), true), &failed).contains("\u{1b}[31msnapshot_failed"));
}

#[test]
fn a_hook_record_shows_its_kind_its_snapshot_and_how_it_ran() {
    let begun = told(
        "hook_started",
        r#""hook":"before","rotation":"weekly","snapshot":"w-1","command":["/bin/freeze","/srv","it's"]"#,
    );
    assert_eq!(
        begun,
        r"hook_started        before for w-1: rotation weekly; command /bin/freeze /srv 'it'\''s'"
    );
    let ended = told(
        "hook_finished",
        r#""hook":"after","rotation":"weekly","snapshot":"w-1","outcome":"done","early":true,"reason":"max_hold is over""#,
    );
    assert_eq!(
        ended,
        "hook_finished       after for w-1: done; max_hold is over; rotation weekly; early"
    );
}
