//! Tests the words of actions, and their lines on a terminal.

use jiff::tz::TimeZone;

use super::super::action_fold::ActionFold;
use super::super::snapshot_names::SnapshotNames;
use super::*;
use crate::audit::Record;

/// Returns the lines of the actions that these records make: the second of each record, its event
/// and its fields.
fn lines(width: Option<usize>, colour: bool, records: &[(i64, &str)]) -> Vec<String> {
    let format = LineFormat::new(&[], None, TimeZone::UTC, width, colour);
    let (mut known, mut fold) = (SnapshotNames::default(), ActionFold::default());
    let mut actions = Vec::new();
    for ((second, line), seq) in records.iter().zip(1..) {
        let (event, fields) = line.split_once(' ').unwrap_or((line, ""));
        let record = Record {
            seq,
            time: jiff::Timestamp::from_second(*second).expect("a time"),
            run: "test".to_owned(),
            server: Some(7.into()),
            event: event.to_owned(),
            json: format!("{{{fields}}}"),
        };
        actions.extend(fold.take(known.named(record)));
    }
    actions.extend(fold.open().into_iter().cloned());
    actions.iter().map(|action| format.action(action)).collect()
}

/// Returns the only line, from the sign on.
fn told(records: &[(i64, &str)]) -> String {
    let lines = lines(None, false, records);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (_, rest) = lines[0].split_once("  7       ").expect("the server");
    rest.to_owned()
}

const CREATE: &str =
    r#"create_intent "rotation":"daily","snapshot":"d-1","known":[3,4],"reason":"a slot is due""#;

#[test]
fn a_create_says_how_it_ended_and_why_it_was_made() {
    let accepted = r#"create_result "snapshot":"d-1","id":801,"outcome":"done","status":201"#;
    let completed = r#"snapshot_completed "snapshot":"d-1","id":801"#;
    assert_eq!(
        told(&[(0, CREATE), (1, accepted), (250, completed)]),
        "✓ create    d-1 (id 801): completed after 4 min; a slot is due; rotation daily"
    );
    assert_eq!(
        told(&[(0, CREATE), (1, accepted)]),
        "↻ create    d-1 (id 801): still open: accepted, not completed yet; a slot is due; rotation daily"
    );
    assert_eq!(
        told(&[(0, CREATE)]),
        "↻ create    d-1: still open: no answer is recorded; a slot is due; rotation daily"
    );
}

#[test]
fn a_refusal_quotes_the_provider_and_names_the_status() {
    let refused = r#"create_result "snapshot":"d-1","outcome":"failed","status":400,"said":"Server is not in a valid state","error":"x""#;
    assert_eq!(
        told(&[(0, CREATE), (1, refused)]),
        "✕ create    d-1: refused: \"Server is not in a valid state\" (HTTP 400); a slot is due; rotation daily"
    );
    let unknown = r#"create_result "snapshot":"d-1","outcome":"unknown","error":"timed\u001b out""#;
    assert_eq!(
        told(&[(0, CREATE), (1, unknown)]),
        "↻ create    d-1: still open: without a reliable answer: timed\\u{1b} out, not completed yet; a slot is due; rotation daily"
    );
}

#[test]
fn a_delete_names_the_operator_who_ordered_it() {
    let intent = r#"delete_intent "snapshot":"by-hand","id":3,"reason":"ordered","by":"root""#;
    let done = r#"delete_result "id":3,"outcome":"done","status":204"#;
    let gone = r#"delete_confirmed "id":3"#;
    assert_eq!(
        told(&[(0, intent), (0, done), (0, gone)]),
        "✓ delete    by-hand (id 3): deleted; by order of root"
    );
    let unknown = r#"delete_result "id":3,"outcome":"unknown""#;
    assert_eq!(
        told(&[(0, intent), (0, unknown), (9, gone)]),
        "✓ delete    by-hand (id 3): no longer listed after 9 s, without a reliable answer; by order of root"
    );
}

#[test]
fn events_and_alerts_are_written_as_words() {
    for (record, line) in [
        (
            r#"slot_given_up "rotation":"daily","snapshot":"d-1","reason":"3 attempts failed""#,
            "✕ slot given up  d-1; 3 attempts failed; rotation daily",
        ),
        (
            r#"alert_raised "alert":"slot_failed","about":"daily","reason":"no snapshot""#,
            "! alert     slot failed daily; no snapshot",
        ),
        (
            r#"daemon_started "command":"run","pid":1"#,
            "  process started  command run; pid 1",
        ),
    ] {
        assert_eq!(told(&[(0, record)]), line);
    }
    let over = [
        (
            0,
            r#"alert_raised "alert":"stale","about":"7","reason":"old""#,
        ),
        (7200, r#"alert_cleared "alert":"stale","about":"7""#),
    ];
    assert!(lines(None, false, &over)[1].ends_with("✓ alert cleared  stale; after 2 h"));
}

#[test]
fn on_a_terminal_the_reason_is_below_the_line_and_no_word_is_broken() {
    let why = r#"create_intent "rotation":"daily","snapshot":"daily-snapshot-2026-11-25","reason":"a slot of daily is due, and there is room for one more snapshot on the server""#;
    let shown = lines(Some(80), false, &[(0, why)]);
    assert_eq!(
        shown,
        [
            "1970-01-01 00:00:00  7       ↻ create    daily-snapshot-2026-11-25: still open:
                     no answer is recorded
                     a slot of daily is due, and there is room for one more
                     snapshot on the server; rotation daily"
        ]
    );
    let short = lines(Some(120), false, &[(0, CREATE)]);
    assert_eq!(short[0].lines().count(), 1, "what fits stays on one line");
    let coloured = &lines(Some(80), true, &[(0, why)])[0];
    assert!(coloured.contains("\u{1b}[36m↻"), "{coloured:?}");
    assert!(!lines(None, false, &[(0, why)])[0].contains('\u{1b}'));
}
