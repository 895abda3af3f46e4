//! Tests what `audit show` shows of a night with all kinds of actions.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::filter::Filter;
use super::record_line::LineFormat;
use super::record_texts::{OutputForm, RecordTexts};
use crate::audit::Record;
use crate::core::policy::Policy;
use crate::core::test_provider::policy;
use crate::screen_tests::Screens;

/// The records: the second, the server, the event, and its fields.
const NIGHT: [(i64, u64, &str, &str); 27] = [
    (
        0,
        0,
        "daemon_started",
        r#""version":"0.2.0","pid":4711,"command":"run""#,
    ),
    (
        0,
        0,
        "config_loaded",
        r#""policies":3,"warnings":[],"deletes":["web-server-01: rotation daily keeps 2 instead of 4"]"#,
    ),
    (
        60,
        7,
        "slot_due",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-25""#,
    ),
    (
        60,
        7,
        "delete_intent",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-21","id":801,"reason":"the server is full, and a slot of daily is due","policy":"web-server-01""#,
    ),
    (
        61,
        7,
        "delete_result",
        r#""id":801,"outcome":"done","status":204"#,
    ),
    (63, 7, "delete_confirmed", r#""id":801"#),
    (
        64,
        7,
        "create_intent",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-25","known":[],"reason":"a slot of daily is due, and there is room","policy":"web-server-01""#,
    ),
    (
        65,
        7,
        "create_result",
        r#""snapshot":"daily-snapshot-2026-11-25","id":818,"outcome":"done","status":201"#,
    ),
    (
        300,
        7,
        "snapshot_completed",
        r#""snapshot":"daily-snapshot-2026-11-25","id":818"#,
    ),
    (
        300,
        7,
        "slot_settled",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-25","reason":"completed""#,
    ),
    (
        301,
        8,
        "create_intent",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-25","known":[],"reason":"a slot of daily is due, and there is room","policy":"build-01""#,
    ),
    (
        302,
        8,
        "create_result",
        r#""snapshot":"daily-snapshot-2026-11-25","outcome":"failed","status":400,"said":"Server is not in a valid state for snapshotting""#,
    ),
    (
        303,
        8,
        "slot_given_up",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-25","reason":"given up after 3 attempts; the last attempt: the create was refused, or had no effect""#,
    ),
    (
        303,
        8,
        "alert_raised",
        r#""alert":"slot_failed","about":"daily","reason":"the slot of daily-snapshot-2026-11-25 has no snapshot: \"Server is not in a valid state for snapshotting\"; run snaprotate retry build-01","what":"the slot of daily-snapshot-2026-11-25 has no snapshot""#,
    ),
    (
        400,
        9,
        "hook_started",
        r#""hook":"before","rotation":"weekly","snapshot":"weekly-snapshot-2026-11-25","command":["/usr/local/bin/freeze","--all"]"#,
    ),
    (
        402,
        9,
        "hook_finished",
        r#""hook":"before","rotation":"weekly","snapshot":"weekly-snapshot-2026-11-25","outcome":"failed","reason":"/usr/local/bin/freeze exited with 1: database is locked""#,
    ),
    (
        500,
        9,
        "blocked",
        r#""reason":"the server is full, and nothing on it may be deleted: foreign snapshots take up 5 of 5 places""#,
    ),
    (700, 9, "recovered", r#""reason":"there is room again""#),
    (
        800,
        7,
        "restore_intent",
        r#""snapshot":"daily-snapshot-2026-11-25","id":818,"by":"root""#,
    ),
    (
        801,
        7,
        "restore_result",
        r#""id":818,"outcome":"done","status":202"#,
    ),
    (
        900,
        8,
        "stop_intent",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-26","reason":"stop_server is set, and a slot of daily is due""#,
    ),
    (
        901,
        8,
        "stop_result",
        r#""snapshot":"daily-snapshot-2026-11-26","outcome":"done""#,
    ),
    (
        940,
        8,
        "stop_confirmed",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-26""#,
    ),
    (
        950,
        7,
        "delete_intent",
        r#""snapshot":"by-hand","id":3,"reason":"ordered","by":"user 1000""#,
    ),
    (
        951,
        7,
        "delete_result",
        r#""id":3,"outcome":"unknown","error":"the connection was closed before the answer""#,
    ),
    (
        960,
        8,
        "create_intent",
        r#""rotation":"daily","snapshot":"daily-snapshot-2026-11-26","known":[],"reason":"a slot of daily is due, and there is room","policy":"build-01""#,
    ),
    (999, 0, "daemon_stopped", r#""reason":"SIGTERM""#),
];

fn record(seq: u64, (second, server, event, fields): (i64, u64, &str, &str)) -> Record {
    let night: jiff::Timestamp = "2026-11-25T03:00:00Z".parse().expect("a time");
    Record {
        seq,
        time: night + jiff::SignedDuration::from_secs(second),
        run: "test".to_owned(),
        server: (server > 0).then(|| server.into()),
        event: event.to_owned(),
        json: format!("{{{fields}}}"),
    }
}

fn screen(form: &OutputForm) -> String {
    let filter = Filter::default();
    let mut texts = RecordTexts::new(&filter, form);
    let mut shown = Vec::new();
    for (told, seq) in NIGHT.into_iter().zip(1..) {
        shown.extend(texts.take(record(seq, told)));
    }
    shown.extend(texts.open());
    let lines = shown.iter().map(|shown| format!("{}\n", shown.text));
    lines.collect()
}

fn format(width: u16) -> LineFormat {
    let named = [(7, "web-server-01"), (8, "build-01"), (9, "legacy-crm")];
    let policies = named.map(|(id, name)| {
        Arc::new(Policy {
            file: name.to_owned(),
            name: Some(name.to_owned()),
            ..policy(id, Vec::new())
        })
    });
    LineFormat::new(&policies, None, TimeZone::UTC, Some(width.into()), true)
}

#[test]
fn a_night_has_its_screens_of_actions_and_of_records() {
    let mut screens = Screens::default();
    screens.add("a night", |width| {
        screen(&OutputForm::Actions(format(width)))
    });
    screens.add("a night (--raw)", |width| {
        screen(&OutputForm::Raw(format(width)))
    });
    screens.compare("audit-show.txt");
}
