//! Tests which records become one action, and in which state it is.

use super::super::snapshot_names::SnapshotNames;
use super::*;
use crate::audit::Record;

const CREATE: &str = r#"create_intent "rotation":"daily","snapshot":"d-1""#;
const ACCEPTED: &str = r#"create_result "snapshot":"d-1","id":1,"outcome":"done""#;
const COMPLETED: &str = r#"snapshot_completed "snapshot":"d-1","id":1"#;
const DELETE: &str = r#"delete_intent "snapshot":"d-1","id":1"#;

/// Returns the record of a line: the event, and its fields.
fn record(seq: u64, line: &str) -> Record {
    let (event, fields) = line.split_once(' ').unwrap_or((line, ""));
    Record {
        seq,
        time: jiff::Timestamp::from_second(i64::try_from(seq).expect("small")).expect("a time"),
        run: "test".to_owned(),
        server: Some(7.into()),
        event: event.to_owned(),
        json: format!("{{{fields}}}"),
    }
}

/// Returns the actions of these records: those that ended, and then the open ones. Each has its
/// kind, its state, and the events of its records.
fn folded(lines: &[&str]) -> Vec<String> {
    let (mut known, mut fold) = (SnapshotNames::default(), ActionFold::default());
    let told = |action: &Action| {
        let events = action.steps.iter().map(|step| step.record.event.as_str());
        let events: Vec<_> = events.collect();
        format!(
            "{:?} {:?}: {}",
            action.kind,
            action.state(),
            events.join(" ")
        )
    };
    let mut actions = Vec::new();
    for (line, seq) in lines.iter().zip(1..) {
        let ended = fold.take(known.named(record(seq, line)));
        actions.extend(ended.iter().map(told));
    }
    actions.extend(fold.open().into_iter().map(told));
    actions
}

#[test]
fn the_records_of_an_action_become_one_and_its_last_record_decides_its_state() {
    let due = r#"slot_due "rotation":"daily","snapshot":"d-1""#;
    let settled = r#"slot_settled "rotation":"daily","snapshot":"d-1","reason":"completed""#;
    let result = |kind: &str, outcome: &str| {
        format!(r#"{kind}_result "snapshot":"d-1","id":1,"outcome":"{outcome}""#)
    };
    let hook = |event: &str| format!(r#"hook_{event} "hook":"after","snapshot":"d-1""#);
    let of_slot = |event: &str| format!(r#"{event} "rotation":"daily","snapshot":"d-1""#);
    let cases: Vec<(Vec<String>, Vec<&str>)> = vec![
        (
            vec![
                due.into(),
                CREATE.into(),
                ACCEPTED.into(),
                COMPLETED.into(),
                settled.into(),
            ],
            vec!["Create Done: slot_due create_intent create_result snapshot_completed"],
        ),
        (vec![due.into()], vec!["Slot Open: slot_due"]),
        (
            vec![due.into(), of_slot("slot_given_up")],
            vec!["Single Failed: slot_due slot_given_up"],
        ),
        (
            vec![CREATE.into(), result("create", "failed"), CREATE.into()],
            vec![
                "Create Failed: create_intent create_result",
                "Create Open: create_intent",
            ],
        ),
        (
            vec![
                CREATE.into(),
                result("create", "unknown"),
                result("create", "done"),
            ],
            vec!["Create Open: create_intent create_result create_result"],
        ),
        (
            vec![CREATE.into(), ACCEPTED.into(), of_slot("snapshot_failed")],
            vec!["Create Failed: create_intent create_result snapshot_failed"],
        ),
        (
            vec![
                DELETE.into(),
                result("delete", "done"),
                r#"delete_confirmed "id":1"#.into(),
            ],
            vec!["Delete Done: delete_intent delete_result delete_confirmed"],
        ),
        (
            vec![DELETE.into(), result("delete", "done")],
            vec!["Delete Open: delete_intent delete_result"],
        ),
        (
            vec![DELETE.into(), result("delete", "later")],
            vec!["Delete Failed: delete_intent delete_result"],
        ),
        (
            vec![
                r#"restore_intent "snapshot":"d-1","id":1"#.into(),
                result("restore", "done"),
            ],
            vec!["Restore Done: restore_intent restore_result"],
        ),
        (
            vec![
                hook("started"),
                hook("finished") + r#","outcome":"not_started""#,
            ],
            vec!["Hook Failed: hook_started hook_finished"],
        ),
        (
            vec![
                of_slot("stop_intent"),
                result("stop", "done"),
                of_slot("stop_confirmed"),
            ],
            vec!["Stop Done: stop_intent stop_result stop_confirmed"],
        ),
        (
            vec![of_slot("start_intent"), result("start", "no_server")],
            vec!["Start Failed: start_intent start_result"],
        ),
    ];
    for (records, expected) in cases {
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        assert_eq!(folded(&records), expected, "{records:?}");
    }
}

#[test]
fn an_intent_that_is_repeated_shows_that_the_first_one_had_no_end() {
    assert_eq!(
        folded(&[DELETE, DELETE]),
        ["Delete Open: delete_intent", "Delete Open: delete_intent"]
    );
}

#[test]
fn records_of_other_snapshots_hooks_and_servers_are_not_joined() {
    let other = r#"create_result "snapshot":"d-2","id":2,"outcome":"done""#;
    assert_eq!(
        folded(&[CREATE, other]),
        ["Single Plain: create_result", "Create Open: create_intent"]
    );
    let (before, after) = (
        r#"hook_started "hook":"before","snapshot":"d-1""#,
        r#"hook_finished "hook":"after","snapshot":"d-1","outcome":"done""#,
    );
    assert_eq!(
        folded(&[before, after]),
        ["Single Plain: hook_finished", "Hook Open: hook_started"]
    );
    let mut fold = ActionFold::default();
    let mut known = SnapshotNames::default();
    fold.take(known.named(record(1, CREATE)));
    let elsewhere = Record {
        server: Some(8.into()),
        ..record(2, ACCEPTED)
    };
    let actions = fold.take(known.named(elsewhere));
    assert!(actions[0].is_single() && actions[0].headless);
    assert_eq!(fold.open().len(), 1);
}

#[test]
fn a_slot_that_was_settled_without_a_create_has_a_line_of_its_own() {
    let settled = r#"slot_settled "rotation":"daily","snapshot":"d-1""#;
    assert_eq!(folded(&[settled]), ["Single Done: slot_settled"]);
    assert_eq!(
        folded(&[CREATE, ACCEPTED, COMPLETED, settled, settled]).len(),
        2,
        "the second one repeats no create"
    );
}

#[test]
fn the_end_of_an_alert_or_a_block_refers_to_its_beginning() {
    let (mut known, mut fold) = (SnapshotNames::default(), ActionFold::default());
    let lines = [
        r#"alert_raised "alert":"stale","about":"7""#,
        "blocked",
        r#"alert_cleared "alert":"no_copy","about":"7""#,
        "recovered",
        r#"alert_cleared "alert":"stale","about":"7""#,
    ];
    let mut since = Vec::new();
    for (line, seq) in lines.iter().zip(1..) {
        for action in fold.take(known.named(record(seq, line))) {
            since.push(action.since.map(jiff::Timestamp::as_second));
        }
    }
    assert_eq!(since, [None, None, None, Some(2), Some(1)]);
}
