//! Tests of messages as JSON for programs and as text for people.

use super::*;
use crate::alerts::ServerLabel;
use crate::core::health::NewestCopy;
use crate::core::server_event::{ServiceAlertKind, alert_words};

fn alert(id: u64, kind: &str) -> Alert {
    Alert {
        kind: kind.to_owned(),
        server: Some(ServerLabel {
            id: id.into(),
            name: format!("web-{id:02}"),
            policy: format!("server-{id}"),
        }),
        about: id.to_string(),
        text: AlertText::new("the server is full").run("snaprotate delete web 7"),
        copy: NewestCopy::At("2026-11-24T00:00:02Z".parse().expect("a time")),
        since: "2026-11-25T03:00:00Z".parse().expect("a time"),
        acknowledged: None,
    }
}

fn message(event: AlertChange, alerts: Vec<Alert>) -> Message {
    Message {
        signed: None,
        report: None,
        event,
        time: "2026-11-25T03:00:02Z".parse().expect("a time"),
        host: "admin-01".to_owned(),
        alerts,
        page: None,
    }
}

#[test]
fn the_json_of_a_single_alert_has_its_fields_at_the_top_level_and_in_the_list() {
    let json = message(AlertChange::Raised, vec![alert(7, "blocked")]).json();
    let row = json!({
        "alert": "blocked",
        "server": 7,
        "server_name": "web-07",
        "policy": "server-7",
        "about": "7",
        "reason": "the server is full; run snaprotate delete web 7",
        "what": "the server is full",
        "cause": null,
        "harm": "newest copy: 1 d 3 h old",
        "remedy": "run snaprotate delete web 7",
        "command": "snaprotate delete web 7",
        "since": "2026-11-25T03:00:00Z",
    });
    let mut wanted = json!({
        "event": "raised",
        "time": "2026-11-25T03:00:02Z",
        "host": "admin-01",
        "title": "web-07: blocked",
        "text": "web-07: blocked | The server is full. Newest copy: 1 d 3 h old. → snaprotate delete web 7",
        "priority": "default",
        "count": 1,
        "alerts": [row],
    });
    let top = wanted.as_object_mut().expect("an object");
    top.extend(row.as_object().expect("an object").clone());
    assert_eq!(json, wanted);
}

/// Returns title and text of a message, as a receiver gets them.
fn told(message: &Message) -> String {
    format!("{}\n{}", message.subject(), message.text())
}

#[test]
fn a_message_about_one_alert_says_cause_harm_and_remedy_in_its_first_line() {
    let mut failed = alert(1, "slot_failed");
    failed.text = AlertText::new(
        "the slot of daily-snapshot-2026-11-25 has no snapshot: given up after 3 attempts",
    )
    .cause(Some(
        "Server is not in a valid state for snapshotting (400)",
    ))
    .run("snaprotate audit show build-01 --failed");
    let mut message = message(AlertChange::Raised, vec![failed]);
    message.time = "2026-11-25T03:20:00Z".parse().expect("a time");
    message.page = Some("https://admin.example.org/rotation".to_owned());
    assert_eq!(
        told(&message),
        "web-01: a scheduled snapshot was not made\n\
         \"Server is not in a valid state for snapshotting (400)\". Newest copy: 1 d 3 h old. → snaprotate audit show build-01 --failed\n\
         \n\
         The slot of daily-snapshot-2026-11-25 has no snapshot: given up after 3 attempts.\n\
         Run snaprotate audit show build-01 --failed.\n\
         Since 2026-11-25 03:00 UTC, 20 min ago.\n\
         \n\
         snaprotate on admin-01\n\
         https://admin.example.org/rotation/server/1\n"
    );
    message.event = AlertChange::Repeated;
    assert_eq!(
        message.subject(),
        "STILL web-01: a scheduled snapshot was not made"
    );
    message.event = AlertChange::Recovered;
    message.alerts[0].text = AlertText::new("over; the reason was: the server is full");
    assert_eq!(
        told(&message),
        "OK web-01: scheduled snapshots are made again\n\
         After 20 min. Over; the reason was: the server is full.\n\
         \n\
         snaprotate on admin-01\n\
         https://admin.example.org/rotation/server/1\n"
    );
}

#[test]
fn titles_have_at_most_60_characters_and_first_lines_at_most_178_for_every_kind() {
    let long = "a".repeat(80);
    for kind in alert_words() {
        let mut one = alert(1, kind);
        one.text = AlertText::new("what ".repeat(80))
            .cause(Some(&"why ".repeat(80)))
            .run("snaprotate resume ".to_owned() + &long);
        let of_service = ServiceAlertKind::ALL
            .iter()
            .any(|known| known.word() == kind);
        match &mut one.server {
            server if of_service => *server = None,
            Some(server) => server.name.clone_from(&long),
            None => {}
        }
        for event in [
            AlertChange::Raised,
            AlertChange::Repeated,
            AlertChange::Recovered,
        ] {
            let message = message(event, vec![one.clone()]);
            let title = message.subject();
            assert!(title.chars().count() <= TITLE, "{title}");
            let words = if event == AlertChange::Recovered {
                headlines(kind).expect("a known kind").1
            } else {
                headlines(kind).expect("a known kind").0
            };
            assert!(title.ends_with(words), "{title}");
            let text = message.text();
            let first = text.lines().next().expect("a line");
            let cut = event == AlertChange::Recovered || first.chars().count() <= FIRST_LINE;
            assert!(cut, "{first}");
        }
    }
}

#[test]
fn ten_thousand_alerts_make_one_message_that_groups_those_that_are_alike() {
    let mut alerts: Vec<_> = (1..10_000).map(|id| alert(id, "blocked")).collect();
    alerts.push(alert(7, "slot_failed"));
    let message = message(AlertChange::Raised, alerts);
    assert_eq!(
        message.subject(),
        "10000 alerts: 9999 blocked, 1 slot failed on web-01, web-02…"
    );
    assert_eq!(
        message.text(),
        "web-01, web-02, web-03 and 9996 more: blocked. The server is full.\n\
         web-07: a scheduled snapshot was not made. The server is full; run snaprotate delete web 7.\n\
         \n\
         snaprotate on admin-01\n"
    );
    let json = message.json();
    assert_eq!(json["count"], 10_000);
    assert_eq!(json["alerts"].as_array().map(Vec::len), Some(ROWS));
    assert!(
        json.get("server").is_none(),
        "only a single alert has its fields at the top level"
    );
}

#[test]
fn a_long_list_of_different_alerts_says_how_many_are_left_out() {
    let alerts = (1..=30).map(|id| Alert {
        text: AlertText::new(format!("reason {id}")),
        ..alert(id, "blocked")
    });
    let text = message(AlertChange::Raised, alerts.collect()).text();
    assert!(
        text.contains("web-20: blocked. Reason 20.\nAnd 10 more: snaprotate status\n"),
        "{text}"
    );
}

#[test]
fn the_title_names_each_server_once_and_no_server_for_alerts_of_the_service() {
    let subject = |alerts| message(AlertChange::Raised, alerts).subject();
    assert_eq!(
        subject(vec![
            alert(1, "blocked"),
            alert(2, "blocked"),
            alert(2, "stuck")
        ]),
        "3 alerts: 2 blocked, 1 stuck on web-01, web-02"
    );
    let wide = |kind: &str| Alert {
        server: None,
        ..alert(0, kind)
    };
    assert_eq!(
        subject(vec![wide("api_unreachable"), wide("trail_unwritable")]),
        "2 alerts: 1 api unreachable, 1 trail unwritable"
    );
    let refused = wide("account_refused");
    assert_eq!(
        subject(vec![refused.clone()]),
        "All rotation stopped: API token rejected"
    );
    let mut linked = message(AlertChange::Raised, vec![refused]);
    linked.page = Some("https://a.example".to_owned());
    assert_eq!(linked.link().as_deref(), Some("https://a.example/"));
}

#[test]
fn the_priority_follows_the_harm() {
    let of = |kind: &str| message(AlertChange::Raised, vec![alert(1, kind)]).priority();
    assert_eq!(of("hook_failed"), Priority::Default);
    assert_eq!(of("stale"), Priority::High);
    assert_eq!(of("server_stopped"), Priority::Urgent);
    assert_eq!(of("account_refused"), Priority::Urgent);
    let over = message(AlertChange::Recovered, vec![alert(1, "account_refused")]);
    assert_eq!(over.priority(), Priority::Default);
    assert_eq!(
        message(AlertChange::Test, Vec::new()).priority(),
        Priority::Low
    );
}

#[test]
fn untrusted_text_can_neither_break_a_line_nor_control_a_terminal() {
    let mut alert = alert(7, "stuck");
    alert.text = AlertText::new("a\r\nBcc: x\u{1b}[31m");
    if let Some(place) = &mut alert.server {
        place.name = "web\n01".to_owned();
    }
    let message = message(AlertChange::Recovered, vec![alert]);
    assert!(!message.subject().contains(char::is_control));
    assert_eq!(message.text().lines().count(), 3);
}

#[test]
fn text_and_json_messages_contain_the_whole_checkpoint() {
    let note = "snaprotate/admin-01\n12\nroot\n\n\u{2014} snaprotate/admin-01 signature\n";
    let message = Message {
        signed: Some(SignedCheckpoint {
            record: 12,
            origin: "snaprotate/admin-01".to_owned(),
            note: note.to_owned(),
        }),
        ..message(AlertChange::Witnessed, Vec::new())
    };
    let subject = "Audit trail checkpoint, record 12";
    assert_eq!(message.subject(), subject);
    assert!(message.text().ends_with(&format!("\n\n{note}")));
    let json = message.json();
    assert_eq!(
        (&json["event"], &json["record"]),
        (&json!("witnessed"), &json!(12))
    );
    assert_eq!(
        (&json["checkpoint"], &json["count"]),
        (&json!(note), &json!(0))
    );
}
