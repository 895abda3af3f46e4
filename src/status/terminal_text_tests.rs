use jiff::{SignedDuration, Timestamp};

use super::super::view::{Activity, NextSlot, SnapshotView};
use super::*;
use crate::core::plan::{NextChanges, PlannedAction, PlannedStep};
use crate::core::snapshot::{ServerId, SnapshotId};

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A server with a snapshot of its rotation, a foreign one and an alert.
pub(super) fn view() -> FleetView {
    let snapshot = |id, name: &str, rotation: Option<&str>| SnapshotView {
        id: SnapshotId::from(id),
        name: name.to_owned(),
        status: "completed".to_owned(),
        created_at: Some(at("2026-11-22T03:05:00Z")),
        rotation: rotation.map(Into::into),
        verdict: rotation.map_or("foreign", |_| "newest").to_owned(),
        reason: "why".to_owned(),
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
            reason: "given up".to_owned(),
            since: Some(at("2026-11-23T03:00:00Z")),
        }],
        servers: vec![ServerView {
            id: ServerId::from(5),
            name: "web".to_owned(),
            file: "web-01".to_owned(),
            state: Activity::Resting,
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
            }],
            upcoming: None,
        }],
        receivers: Vec::new(),
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
fn below_the_alerts_a_line_per_server_shows_its_room_its_state_and_its_last_and_next_slots() {
    let text = fleet(&view(), &TimeZone::UTC, None);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "1 server, 1 alert; 2026-11-25 06:00 UTC");
    assert_eq!(
        lines[1],
        "snaprotate 1.2.3 (process 77, /etc/x.toml), running for 3 d 4 h"
    );
    assert!(
        lines[2].contains("ALERT  web  slot_failed  for 2 d 3 h  given up"),
        "{text}"
    );
    let cells: Vec<_> = lines[5]
        .split("  ")
        .filter(|cell| !cell.is_empty())
        .collect();
    let cells: Vec<_> = cells.into_iter().map(str::trim).collect();
    assert_eq!(
        cells,
        [
            "web",
            "2/5",
            "resting",
            "weekly-snapshot-2026-11-22 (made 3 d 2 h ago)",
            "weekly-snapshot-2026-11-29 (in 3 d 21 h)"
        ]
    );
}

#[test]
fn pauses_are_shown_in_the_first_line() {
    let mut view = view();
    let first = |view: &FleetView| {
        let text = fleet(view, &TimeZone::UTC, None);
        text.lines().next().expect("a line").to_owned()
    };
    view.servers[0].state = Activity::Paused;
    assert!(first(&view).starts_with("1 server, 1 server paused, 1 alert;"));
    view.paused = Some(at("2026-11-20T12:00:00Z"));
    let all = "1 server, ALL PAUSED since 2026-11-20 12:00 UTC, 1 alert;";
    assert!(first(&view).starts_with(all), "{}", first(&view));
}

#[test]
fn a_slot_that_was_given_up_and_a_server_that_is_not_listed_yet_are_shown_as_such() {
    let mut view = view();
    let last = &mut view.servers[0].rotations[0].last;
    last.as_mut().expect("a slot").ending = Some("given_up".to_owned());
    let text = fleet(&view, &TimeZone::UTC, None);
    assert!(text.contains("(given up, due 3 d 3 h ago)"), "{text}");
    view.servers[0].rotations[0]
        .last
        .as_mut()
        .expect("a slot")
        .ending = None;
    view.servers[0].listed = None;
    view.servers[0].state = Activity::Unseen;
    let text = fleet(&view, &TimeZone::UTC, None);
    assert!(text.contains("(completed, due 3 d 3 h ago)"), "{text}");
    assert!(
        text.contains("?/5") && text.contains("not listed yet"),
        "{text}"
    );
}

#[test]
fn lines_are_no_wider_than_the_terminal() {
    for width in [60, 80, 120] {
        let mut view = view();
        view.config = "/etc/snaprotate/a-folder/snaprotate.toml".to_owned();
        view.alerts[0].reason = "what is wrong and what to do ".repeat(9);
        view.servers[0].reason = Some("why it rests ".repeat(9));
        view.receivers.push(ReceiverView {
            name: "chat".to_owned(),
            r#type: "slack".to_owned(),
            delivered: 0,
            dropped: 3,
            error: Some("the receiver answered 500 ".repeat(9)),
        });
        for text in [
            fleet(&view, &TimeZone::UTC, Some(width)),
            server(&view, &view.servers[0], &TimeZone::UTC, Some(width)),
        ] {
            for line in text.lines() {
                assert!(
                    anstream::adapter::strip_str(line)
                        .to_string()
                        .chars()
                        .count()
                        <= usize::from(width),
                    "{width}: {line}"
                );
            }
        }
    }
}

#[test]
fn on_a_narrow_terminal_no_name_is_broken() {
    let view = view();
    let text = fleet(&view, &TimeZone::UTC, Some(80));
    let row = text.lines().last().expect("a row");
    let words = ["web", "weekly made 3 d 2 h ago", "weekly in 3 d 21 h"];
    assert!(words.iter().all(|words| row.contains(words)), "{text}");
    let text = server(&view, &view.servers[0], &TimeZone::UTC, Some(80));
    let row = "weekly-snapshot-2026-11-22  1  completed  2026-11-22 03:05 UTC  weekly";
    let mut lines = text.lines().skip_while(|line| *line != row);
    assert!(lines.next().is_some(), "{text}");
    assert_eq!(lines.next(), Some("       newest: why"), "{text}");
}

#[test]
fn the_alert_list_shortens_a_long_reason_in_the_middle_and_the_server_view_shows_it_whole() {
    let mut view = view();
    let middle = "and so on ".repeat(60);
    let reason = format!("the folder is full, {middle}: make room in it");
    view.alerts[0].reason.clone_from(&reason);
    let text = fleet(&view, &TimeZone::UTC, None);
    let line = text.lines().find(|line| line.contains("ALERT"));
    let line = anstream::adapter::strip_str(line.expect("a line")).to_string();
    assert!(line.contains("the folder is full"), "{line}");
    assert!(line.ends_with(": make room in it"), "{line}");
    assert!(line.chars().count() < 400, "{line}");
    let text = server(&view, &view.servers[0], &TimeZone::UTC, Some(80));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let whole = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&whole), "{text}");
}

#[test]
fn the_server_view_explains_each_snapshot_and_escapes_control_characters_in_foreign_names() {
    let view = view();
    let text = server(&view, &view.servers[0], &TimeZone::UTC, None);
    assert!(
        text.starts_with("web (id 5, web-01.toml): resting\n"),
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
