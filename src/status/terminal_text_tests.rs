use jiff::{SignedDuration, Timestamp};

use super::super::view::{Activity, LastSlot, NextSlot, RotationView, SnapshotView};
use super::*;
use crate::core::health::Health;
use crate::core::plan::{NextChanges, PlannedAction, PlannedStep};
use crate::core::snapshot::{ServerId, SnapshotId};

pub(in crate::status) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A server with a snapshot of its rotation, a foreign one and an alert.
pub(in crate::status) fn view() -> FleetView {
    let snapshot = |id, name: &str, rotation: Option<&str>| SnapshotView {
        id: SnapshotId::from(id),
        name: name.to_owned(),
        status: "completed".to_owned(),
        created_at: Some(at("2026-11-22T03:05:00Z")),
        rotation: rotation.map(Into::into),
        verdict: rotation.map_or("foreign", |_| "newest").to_owned(),
        reason: "why".to_owned(),
        protected: false,
        expires: None,
    };
    FleetView {
        version: "1.2.3".to_owned(),
        pid: 77,
        config: "/etc/x.toml".to_owned(),
        started: at("2026-11-22T02:00:00Z"),
        read: None,
        time: at("2026-11-25T06:00:00Z"),
        healthy: false,
        paused: None,
        alerts: vec![AlertView {
            alert: "slot_failed".to_owned(),
            server: Some(ServerId::from(5)),
            about: "daily".to_owned(),
            reason: "given up; run snaprotate x".to_owned(),
            what: "given up".to_owned(),
            cause: None,
            harm: None,
            remedy: None,
            command: None,
            since: Some(at("2026-11-23T03:00:00Z")),
            acknowledged: None,
        }],
        servers: vec![ServerView {
            id: ServerId::from(5),
            name: "web".to_owned(),
            file: "web-01".to_owned(),
            health: Health::Ok,
            alerts: 1,
            newest_copy: Some(at("2026-11-22T03:05:00Z")),
            fresh_until: None,
            activity: Activity::Idle,
            activity_since: None,
            activity_until: Some(at("2026-11-29T03:00:00Z")),
            reason: None,
            limit: 5,
            listed: Some(at("2026-11-25T05:48:00Z")),
            unlisted: None,
            snapshots: vec![
                snapshot(1, "weekly-snapshot-2026-11-22", Some("weekly")),
                snapshot(2, "by \u{1b}[31mhand", None),
            ],
            rotations: vec![RotationView {
                name: "weekly".to_owned(),
                keep: 3,
                held: Some(1),
                completed: None,
                last: Some(LastSlot {
                    snapshot: "weekly-snapshot-2026-11-22".into(),
                    slot: at("2026-11-22T03:00:00Z"),
                    ending: Some("completed".to_owned()),
                }),
                next: Some(NextSlot {
                    snapshot: "weekly-snapshot-2026-11-29".into(),
                    at: at("2026-11-29T03:00:00Z"),
                }),
                recent: Vec::new(),
            }],
            upcoming: None,
            pause: None,
        }],
        receivers: Vec::new(),
        pause: None,
    }
}

#[test]
fn spans_are_shown_in_their_two_largest_units() {
    let table = [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (86_400 + 3600, "1 d 1 h"),
        (86_400 + 59 * 60, "1 d"),
    ];
    for (seconds, told) in table {
        assert_eq!(span(SignedDuration::from_secs(seconds)), told, "{seconds}");
    }
}

#[test]
fn the_server_view_explains_each_snapshot_and_escapes_control_characters_in_foreign_names() {
    let view = view();
    let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
    assert!(
        text.starts_with("web (id 5, web-01.toml): ok; idle until Sun 2026-11-29 03:00 UTC\n"),
        "{text}"
    );
    assert!(text.contains("1 of 3"), "{text}");
    assert!(
        text.contains("2 of 5 snapshots, listed 12 min ago"),
        "{text}"
    );
    let row = |name: &str| {
        text.lines()
            .rfind(|line| line.contains(name))
            .expect("a row")
    };
    assert!(
        row("weekly-snapshot-2026-11-22").contains("newest: why"),
        "{text}"
    );
    assert!(row("by ").contains("foreign: why"), "{text}");
    assert!(text.contains("by \\u{1b}[31mhand"), "{text}");
}

#[test]
fn the_server_view_shows_the_ages_of_the_recovery_points() {
    let mut view = view();
    let mut says = |made: Option<&str>, line: &str| {
        view.servers[0].snapshots[1].created_at = made.map(at);
        let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
        assert!(text.contains(line), "{text}");
    };
    says(None, "recovery point: 3 d 2 h ago\n");
    let older = "recovery points: newest 3 d 2 h ago, oldest 10 d 6 h ago\n";
    says(Some("2026-11-15T00:00:00Z"), older);
    view.servers[0].snapshots.retain(|s| s.rotation.is_none());
    view.servers[0].snapshots[0].created_at = None;
    let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
    assert!(text.contains("no recovery point: "), "{text}");
}

#[test]
fn the_server_view_names_the_next_create_and_delete_and_their_time() {
    let mut view = view();
    let step = |do_, name: &str, id| PlannedStep {
        do_,
        name: Some(name.into()),
        id,
        reason: "why".to_owned(),
    };
    view.servers[0].upcoming = Some(NextChanges {
        at: at("2026-11-29T03:00:00Z"),
        after: None,
        steps: vec![
            step(PlannedAction::Create, "new", None),
            step(PlannedAction::Delete, "old", Some(SnapshotId::from(1))),
        ],
    });
    let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
    let line = "next, 2026-11-29 03:00 UTC: create new, then delete old (id 1)";
    assert!(text.lines().any(|found| found == line), "{text}");
    let upcoming = view.servers[0].upcoming.as_mut().expect("the next changes");
    upcoming.after = Some("other is under way".to_owned());
    let waits = server(&view, &view.servers[0], &TimeZone::UTC, None);
    let line = "next, 2026-11-29 03:00 UTC or later, since other is under way: create new, then delete old (id 1)";
    assert!(waits.lines().any(|found| found == line), "{waits}");
    // The verdict describes the present.
    let goes = "newest: why; to be deleted next";
    assert!(text.contains(goes), "{text}");
}

#[test]
fn lines_about_one_server_are_no_wider_than_the_terminal_and_break_no_name() {
    let mut view = view();
    view.alerts[0].what = "what is wrong and what to do ".repeat(20);
    view.servers[0].reason = Some("why it waits ".repeat(9));
    for width in [60, 80, 120] {
        let text = server(&view, &view.servers[0], &TimeZone::UTC, Some(width));
        for line in text.lines() {
            let line = anstream::adapter::strip_str(line).to_string();
            assert!(
                line.chars().count() <= usize::from(width),
                "{width}: {line}"
            );
        }
        // One server's alert is not shortened.
        let words: Vec<_> = text.split_whitespace().collect();
        let whole = words.join(" ").matches("what to do").count();
        assert_eq!(whole, 20, "{text}");
    }
    let text = server(&view, &view.servers[0], &TimeZone::UTC, Some(80));
    let row = "weekly-snapshot-2026-11-22  1  completed  2026-11-22 03:05 UTC  weekly";
    let mut lines = text.lines().skip_while(|line| *line != row);
    assert!(lines.next().is_some(), "{text}");
    assert_eq!(lines.next(), Some("       newest: why"), "{text}");
}

#[test]
fn an_alert_is_shown_with_its_cause_its_harm_and_what_to_do() {
    let mut view = view();
    view.alerts[0] = AlertView {
        cause: Some("volume busy".to_owned()),
        harm: Some("newest copy: 3 d 2 h old".to_owned()),
        remedy: Some("run snaprotate audit show web-01 --failed".to_owned()),
        ..view.alerts[0].clone()
    };
    let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
    let text = anstream::adapter::strip_str(&text).to_string();
    let lines: Vec<_> = text.lines().skip(1).take(4).collect();
    assert_eq!(
        lines,
        [
            "ALERT  slot_failed for 2 d 3 h: given up",
            "       cause: \"volume busy\"",
            "       harm: newest copy: 3 d 2 h old",
            "       do: run snaprotate audit show web-01 --failed",
        ]
    );
}
