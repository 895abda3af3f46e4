//! Tests of messages as JSON for programs and as text for people.

use super::*;
use crate::alerts::ServerLabel;

fn alert(id: u64, kind: &str) -> Alert {
    Alert {
        kind: kind.to_owned(),
        server: Some(ServerLabel {
            id: id.into(),
            name: format!("web-{id:02}"),
            policy: format!("server-{id}"),
        }),
        about: id.to_string(),
        reason: "the server is full".to_owned(),
        since: "2026-11-25T03:00:00Z".parse().expect("a time"),
    }
}

fn message(event: AlertChange, alerts: Vec<Alert>) -> Message {
    Message {
        signed: None,
        event,
        time: "2026-11-25T03:00:02Z".parse().expect("a time"),
        host: "admin-01".to_owned(),
        alerts,
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
        "reason": "the server is full",
        "since": "2026-11-25T03:00:00Z",
    });
    let mut wanted = json!({
        "event": "raised",
        "time": "2026-11-25T03:00:02Z",
        "host": "admin-01",
        "text": "ALERT web-07 blocked (snaprotate on admin-01): the server is full",
        "count": 1,
        "alerts": [row],
    });
    let top = wanted.as_object_mut().expect("an object");
    top.extend(row.as_object().expect("an object").clone());
    assert_eq!(json, wanted);
}

#[test]
fn ten_thousand_alerts_make_one_message_that_names_the_first_servers_and_the_total() {
    let mut alerts: Vec<_> = (1..10_000).map(|id| alert(id, "blocked")).collect();
    alerts.push(alert(7, "slot_failed"));
    let message = message(AlertChange::Raised, alerts);
    assert_eq!(
        message.subject(),
        "ALERT 10000 alerts: 9999 blocked, 1 slot failed on web-01, web-02, web-03 and 9996 more (snaprotate on admin-01)"
    );
    let text = message.text();
    assert_eq!(text.lines().count(), LINES + 1);
    assert!(text.starts_with("web-01 blocked since 2026-11-25 03:00 UTC: the server is full\n"));
    assert!(text.contains("and 9980 more"), "{text}");
    let json = message.json();
    assert_eq!(json["count"], 10_000);
    assert_eq!(json["alerts"].as_array().map(Vec::len), Some(ROWS));
    assert!(
        json.get("server").is_none(),
        "only a single alert has its fields at the top level"
    );
}

#[test]
fn the_subject_names_each_server_once_and_no_server_for_global_alerts() {
    let subject = |alerts| message(AlertChange::Raised, alerts).subject();
    assert_eq!(
        subject(vec![
            alert(1, "blocked"),
            alert(2, "blocked"),
            alert(2, "stuck")
        ]),
        "ALERT 3 alerts: 2 blocked, 1 stuck on web-01, web-02 (snaprotate on admin-01)"
    );
    let wide = |kind: &str| Alert {
        server: None,
        ..alert(0, kind)
    };
    assert_eq!(
        subject(vec![wide("api_unreachable"), wide("trail_unwritable")]),
        "ALERT 2 alerts: 1 api unreachable, 1 trail unwritable (snaprotate on admin-01)"
    );
}

#[test]
fn untrusted_text_can_neither_break_a_line_nor_control_a_terminal() {
    let mut alert = alert(7, "stuck");
    alert.reason = "a\r\nBcc: x\u{1b}[31m".to_owned();
    if let Some(place) = &mut alert.server {
        place.name = "web\n01".to_owned();
    }
    let message = message(AlertChange::Recovered, vec![alert]);
    assert!(!message.subject().contains(char::is_control));
    assert_eq!(message.text().lines().count(), 1);
}

#[test]
fn a_header_is_ascii_whatever_the_text() {
    assert_eq!(encoded_word("ALERT web-01 blocked"), "ALERT web-01 blocked");
    let umlauts = "Größe ".repeat(20);
    let encoded = encoded_word(&umlauts);
    assert!(encoded.is_ascii());
    let mut decoded = String::new();
    for word in encoded.split(' ') {
        assert!(word.len() <= 75, "{word}");
        let inner = word
            .strip_prefix("=?UTF-8?B?")
            .and_then(|w| w.strip_suffix("?="));
        let bytes = STANDARD.decode(inner.expect("a word")).expect("base64");
        decoded.push_str(std::str::from_utf8(&bytes).expect("whole characters"));
    }
    assert_eq!(decoded, umlauts);
    assert!(!encoded_word("a\r\nb").contains('\n'));
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
    let subject = "WITNESS of the audit trail, record 12 (snaprotate on admin-01)";
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
