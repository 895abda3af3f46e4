//! The overview for each kind of server, at the widths of terminals.

use jiff::Timestamp;

use super::*;
use crate::core::snapshot::ServerId;
use crate::status::terminal_text::tests::{at, view as one_server};
use crate::status::view::{AlertView, ServerView};

/// Returns a server like the first one, with a copy of this age in hours.
fn server(id: u64, name: &str, health: Health, hours: Option<i64>) -> ServerView {
    let base = one_server();
    let made = hours.map(|hours| base.time - jiff::SignedDuration::from_hours(hours));
    let mut server = base.servers[0].clone();
    server.id = ServerId::from(id);
    server.name = name.to_owned();
    server.file = name.to_owned();
    server.health = health;
    server.alerts = 0;
    server.newest_copy = made;
    if made.is_none() {
        server.snapshots.clear();
    }
    server
}

fn alert(server: u64, kind: &str, cause: Option<&str>, command: &str) -> AlertView {
    AlertView {
        alert: kind.to_owned(),
        server: Some(ServerId::from(server)),
        about: "daily".to_owned(),
        reason: "all in one sentence".to_owned(),
        what: "the slot of daily-snapshot-2026-11-25 has no snapshot: given up after 3 attempts"
            .to_owned(),
        cause: cause.map(str::to_owned),
        harm: Some("newest copy: 1 d old".to_owned()),
        remedy: Some(format!("run {command}")),
        command: Some(command.to_owned()),
        since: None,
        acknowledged: None,
    }
}

/// Returns a service with a server in each state.
fn fleet() -> FleetView {
    let mut view = one_server();
    let failing = server(1, "build-01", Health::Failing, Some(27));
    let mut blocked = server(2, "git-server-01", Health::Attention, Some(20));
    blocked.activity = Activity::Blocked;
    let unprotected = server(3, "intranet-01", Health::Unprotected, None);
    let mut restoring = server(4, "legacy-crm", Health::Ok, Some(3));
    restoring.activity = Activity::Restoring;
    restoring.activity_since = Some(at("2026-11-25T05:58:00Z"));
    restoring.activity_until = Some(at("2026-11-25T06:28:00Z"));
    let mut paused = server(5, "paused-01", Health::Ok, Some(3));
    paused.activity = Activity::Paused;
    let fine = server(6, "web-01", Health::Ok, Some(3));
    view.servers = vec![failing, blocked, unprotected, restoring, paused, fine];
    let words = "Server is not in a valid state for snapshotting";
    view.alerts = vec![
        alert(
            1,
            "slot_failed",
            Some(words),
            "snaprotate audit show build-01 --failed",
        ),
        alert(1, "stale", None, "snaprotate create build-01 NAME"),
        alert(2, "blocked", None, "snaprotate delete git-server-01 7"),
        alert(3, "no_copy", None, "snaprotate create intranet-01 NAME"),
    ];
    view
}

/// Returns the text without colours and legend.
fn plain(view: &FleetView, width: Option<u16>, all: bool) -> String {
    let text = overview(view, &TimeZone::UTC, width, None, all);
    let text = anstream::adapter::strip_str(&text).to_string();
    let end = text.find("✕ no good copy").unwrap_or(text.len());
    text[..end].to_owned()
}

#[test]
fn the_verdict_comes_first_and_then_a_line_for_each_server_that_needs_somebody_worst_first() {
    let text = plain(&fleet(), Some(160), false);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "✕ 3 of 6 servers need you · 5 restorable · least recent copy 1 d 3 h · next slot Sun 2026-11-29 03:00 UTC",
            "✕ intranet-01          unprotected      the slot of daily-snapshot-2026-11-25 has no snapshot: given up after 3 attempts · no copy",
            "    → snaprotate create intranet-01 NAME",
            "✕ build-01             slot failed +1   \"Server is not in a valid state for snapshotting\" · copy 1 d 3 h → snaprotate audit show build-01 --failed",
            "! git-server-01        blocked          the slot of daily-snapshot-2026-11-25 has no snapshot: given up after 3 attempts · copy 20 h",
            "    → snaprotate delete git-server-01 7",
            "↻ legacy-crm           restoring for 2 min, until 06:28 UTC at most · copy 3 h",
            "✓ 2 more: 1 ok, 1 paused (--all)",
        ],
        "{text}"
    );
}

#[test]
fn no_line_is_wider_than_its_terminal_and_no_word_is_broken() {
    let mut view = fleet();
    view.config = "/etc/snaprotate/a-folder/snaprotate.toml".to_owned();
    view.alerts[0].what = "what is wrong ".repeat(30);
    view.servers[1].reason = Some("why it is blocked ".repeat(9));
    view.receivers.push(crate::notify::ReceiverView {
        name: "chat".to_owned(),
        r#type: "slack".to_owned(),
        delivered: 0,
        dropped: 3,
        error: Some("the receiver answered 500 ".repeat(9)),
        held_until: None,
    });
    for width in [60, 80, 100, 120, 160, 200] {
        for all in [false, true] {
            let text = plain(&view, Some(width), all);
            for line in text.lines() {
                let columns = line.chars().count();
                assert!(columns <= usize::from(width), "{width}: {line}");
            }
            for server in &view.servers {
                let shown = !all || text.contains(&server.name);
                assert!(shown, "{width}: {}: {text}", server.name);
            }
        }
    }
}

#[test]
fn on_a_narrow_terminal_the_command_has_a_line_of_its_own() {
    let text = plain(&fleet(), Some(80), false);
    let mut lines = text.lines().skip_while(|line| !line.contains("build-01"));
    let line = lines.next().expect("a line");
    assert!(line.ends_with("copy 1 d 3 h"), "{line}");
    let command = Some("    → snaprotate audit show build-01 --failed");
    assert_eq!(lines.next(), command, "{text}");
}

#[test]
fn servers_that_are_alike_share_a_line_with_the_oldest_copy() {
    let mut view = fleet();
    view.servers.truncate(1);
    view.alerts.truncate(1);
    for id in 11..=13 {
        let hours = 20 + i64::try_from(id).expect("a number");
        let name = format!("web-{id}");
        view.servers
            .push(server(id, &name, Health::Failing, Some(hours)));
        let mut alike = view.alerts[0].clone();
        alike.server = Some(ServerId::from(id));
        view.alerts.push(alike);
    }
    let text = plain(&view, Some(160), false);
    assert!(text.starts_with("✕ 4 of 4 servers need you"), "{text}");
    let lines: Vec<_> = text.lines().skip(1).collect();
    let [line] = lines.as_slice() else {
        panic!("{text}");
    };
    assert!(line.starts_with("✕ build-01 +3 "), "{line}");
    let end = "copy 1 d 9 h → snaprotate status --all";
    assert!(line.ends_with(end), "{line}");
}

#[test]
fn a_service_without_a_fault_says_so_and_one_with_an_alert_of_its_own_says_what_to_do() {
    let mut view = fleet();
    view.alerts.clear();
    view.healthy = true;
    for server in &mut view.servers {
        *server = ServerView {
            id: server.id.clone(),
            name: server.name.clone(),
            ..server_view_ok()
        };
    }
    let text = plain(&view, None, false);
    assert!(
        text.starts_with("✓ All is well on 6 servers · 6 restorable"),
        "{text}"
    );
    assert!(text.ends_with("✓ 6 more: 6 ok (--all)\n"), "{text}");
    let mut refused = alert(
        1,
        "account_refused",
        Some("401"),
        "snaprotate check --online",
    );
    refused.server = None;
    view.alerts.push(refused);
    let text = plain(&view, Some(120), false);
    assert!(
        text.starts_with("✕ The service needs you; 6 servers"),
        "{text}"
    );
    let line = text.lines().nth(1).expect("a line");
    assert!(
        line.starts_with("✕ service              account refused  \"401\""),
        "{line}"
    );
    view.paused = Some(at("2026-11-20T12:00:00Z"));
    let text = plain(&view, None, false);
    let paused = "‖ ALL PAUSED since 2026-11-20 12:00 UTC: nothing is created or deleted until snaprotate resume";
    assert!(text.lines().any(|line| line == paused), "{text}");
}

fn server_view_ok() -> ServerView {
    server(6, "web-01", Health::Ok, Some(3))
}

#[test]
fn a_server_whose_copy_is_too_old_needs_nobody_while_its_snapshot_is_being_made() {
    let mut view = fleet();
    view.servers.truncate(1);
    view.alerts.clear();
    view.servers[0].alerts = 0;
    view.servers[0].activity = Activity::Creating;
    let text = plain(&view, None, false);
    assert!(
        text.starts_with("✓ Nothing needs you; 1 of 1 server without a fresh copy yet"),
        "{text}"
    );
    let line = "↻ build-01             creating, usually 3 to 10 min · copy 1 d 3 h";
    assert!(text.lines().any(|found| found == line), "{text}");
    // An alert says that it takes too long.
    view.servers[0].alerts = 1;
    assert!(plain(&view, None, false).starts_with("✕ 1 of 1 server needs you"));
}

#[test]
fn times_of_the_next_days_are_shown_in_words() {
    let now = at("2026-11-25T06:00:00Z");
    let told = |at: &str| {
        let at: Timestamp = at.parse().expect("a time");
        clock(at, now, &TimeZone::UTC)
    };
    assert_eq!(told("2026-11-25T23:59:00Z"), "23:59 UTC");
    assert_eq!(told("2026-11-26T03:00:00Z"), "tomorrow 03:00 UTC");
    assert_eq!(told("2026-11-29T03:00:00Z"), "Sun 2026-11-29 03:00 UTC");
}

#[test]
fn a_new_or_unlisted_server_with_an_alert_needs_somebody() {
    for health in [Health::New, Health::Unknown] {
        let mut view = fleet();
        view.servers = vec![server(7, "down-01", health, None)];
        view.alerts = vec![alert(
            7,
            "server_stopped",
            None,
            "snaprotate resume down-01",
        )];
        let quiet = plain(&view, Some(160), false);
        assert!(quiet.starts_with("✓ Nothing needs you"), "{quiet}");
        view.servers[0].alerts = 1;
        let text = plain(&view, Some(160), false);
        assert!(text.starts_with("✕ 1 of 1 server needs you"), "{text}");
        assert!(
            text.contains("server stopped") && text.contains("resume down-01"),
            "{text}"
        );
    }
}
