//! The real `status` command against the real daemon.

use std::os::unix::fs::PermissionsExt as _;

use crate::support;
use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, daily_name, stderr, stdout, until};
use serde_json::Value;
use snaprotate::sandbox::faults::{CallKind, CreateFault, Fault};

/// Returns a provider with this server, and a home with a daily rotation of it.
fn live(keep: usize) -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(12345, keep, "");
    (provider, home)
}

fn json(home: &Home) -> (Option<i32>, Value) {
    let output = home.run(&["status", "--json"]);
    let value = serde_json::from_str(&stdout(&output));
    (
        output.status.code(),
        value.unwrap_or_else(|why| panic!("{why}: {}", stderr(&output))),
    )
}

#[test]
fn status_without_a_running_service_says_so_and_exits_with_3() {
    let (_provider, home) = live(2);
    let output = home.run(&["status"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("control.sock: it is not running (systemctl start snaprotate"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn status_shows_room_last_and_next_slot_and_exits_with_0_while_no_alert_is_active() {
    let (_provider, home) = live(2);
    let service = Service::start(&home);
    let settled = || json(&home).1["servers"][0]["rotations"][0]["last"]["ending"] == "completed";
    until("the slot is settled", settled);
    let (code, view) = json(&home);
    assert_eq!(code, Some(0), "{view}");
    let server = &view["servers"][0];
    assert_eq!(server["id"], 12345);
    assert_eq!(server["health"], "ok");
    assert_eq!(server["activity"], "idle");
    let snapshot = &server["snapshots"][0];
    assert_eq!(snapshot["name"], daily_name(0));
    assert_eq!(snapshot["rotation"], "daily");
    assert_eq!(snapshot["verdict"], "newest");
    assert_eq!(server["rotations"][0]["next"]["snapshot"], daily_name(-1));
    let whole = home.run(&["status", "--server", "server-12345"]);
    assert_eq!(whole.status.code(), Some(0));
    assert!(
        stdout(&whole).contains("1 of 5 snapshots"),
        "{}",
        stdout(&whole)
    );
    assert_eq!(service.stop(), Some(0));
    assert_eq!(
        home.run(&["status"]).status.code(),
        Some(3),
        "the socket is removed with the service"
    );
}

#[test]
fn a_slot_that_waits_for_the_provider_is_shown_as_due_and_unlisted_values_are_null() {
    // A port of this host that refuses connections.
    let home = Home::new("http://127.0.0.1:9/api/v1", "", QUICK);
    home.daily(12345, 2, "");
    let _service = Service::start(&home);
    let (_, view) = json(&home);
    let server = &view["servers"][0];
    assert_eq!(server["activity"], "waiting", "{view}");
    assert_eq!(server["health"], "unknown", "{view}");
    let rotation = &server["rotations"][0];
    assert_eq!(rotation["last"]["snapshot"], daily_name(0), "{view}");
    assert!(rotation["last"]["ending"].is_null(), "{view}");
    assert!(
        rotation["held"].is_null() && server["listed"].is_null(),
        "{view}"
    );
}

#[test]
fn status_shows_an_alert_at_the_top_and_exits_with_1() {
    let (provider, home) = live(2);
    for n in 0..5 {
        let at = support::days_ago(n);
        provider
            .sandbox
            .add_snapshot(12345, &format!("by-hand-{n}"), "completed", at);
    }
    let _service = Service::start(&home);
    until("the block has its alert", || {
        json(&home).1["alerts"][0]["alert"] == "blocked"
    });
    let (code, view) = json(&home);
    assert_eq!(code, Some(1), "{view}");
    assert!(view["alerts"].to_string().contains("\"blocked\""), "{view}");
    let text = stdout(&home.run(&["status"]));
    let lines: Vec<_> = text.lines().collect();
    let line = anstream::adapter::strip_str(lines[1]).to_string();
    assert!(
        line.starts_with("! server-12345         blocked "),
        "{text}"
    );
    let one = home.run(&["status", "12345"]);
    let whole = anstream::adapter::strip_str(&stdout(&one)).to_string();
    assert_eq!(one.status.code(), Some(1), "{whole}");
    assert!(whole.contains("\nALERT  blocked for "), "{whole}");
}

#[test]
fn status_shows_how_often_a_slot_failed_and_when_it_is_retried() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    provider.sandbox.order(Fault::made(CreateFault::Failed));
    let slow = QUICK.replace("retry_after = \"100ms\"", "retry_after = \"20m\"");
    let home = Home::new(&provider.sandbox.base_url(), "", &slow);
    home.daily(12345, 2, "");
    let _service = Service::start(&home);
    until("an attempt failed", || {
        !home.events("snapshot_failed").is_empty()
    });
    let says =
        |args: &[&str]| stdout(&home.run(args)).contains("; attempt 1 of 3 failed; next at 2");
    for args in [&["status"][..], &["status", "--server", "12345"]] {
        until("status shows the next attempt", || says(args));
    }
}

#[test]
fn refused_files_raise_an_alert_until_they_are_fixed() {
    let (_provider, home) = live(2);
    let service = Service::start(&home);
    home.daily(7, 9, "");
    service.reload();
    let (code, view) = json(&home);
    assert_eq!(
        (code, &view["alerts"][0]["alert"]),
        (Some(1), &"config_refused".into()),
        "{view}"
    );
    home.daily(7, 2, "");
    service.reload();
    let (_, view) = json(&home);
    assert!(
        !view["alerts"].to_string().contains("config_refused"),
        "{view}"
    );
    assert_eq!(view["servers"].as_array().map(Vec::len), Some(2), "{view}");
}

#[test]
fn status_of_an_unknown_server_is_a_usage_error() {
    let (_provider, home) = live(2);
    let _service = Service::start(&home);
    let output = home.run(&["status", "--server", "mail"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("no policy for server mail"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_named_config_file_must_exist_and_status_notes_if_the_service_uses_another() {
    let (_provider, home) = live(2);
    let _service = Service::start(&home);
    until("the service answers", || {
        home.run(&["status"]).status.code() == Some(0)
    });
    let ask = |file: &str, more: &[&str]| {
        let file = home.path(file);
        let args = ["status", "--config", file.to_str().expect("text")];
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_snaprotate"));
        command.args(args).args(more);
        command.env("RUNTIME_DIRECTORY", home.path("run"));
        command.output().expect("it runs")
    };
    let missing = ask("nowhere.toml", &[]);
    assert_eq!(missing.status.code(), Some(2), "{}", stdout(&missing));
    let said = stderr(&missing);
    assert!(said.contains("nowhere.toml: no such file"), "{said}");
    let text = std::fs::read_to_string(home.path("snaprotate.toml")).expect("read");
    std::fs::write(home.path("other.toml"), text).expect("written");
    let (own, other) = (home.path("snaprotate.toml"), home.path("other.toml"));
    let (own, other) = (own.display(), other.display());
    let note = format!("the running service uses {own}, not {other}\n");
    let noted = ask("other.toml", &[]);
    assert_eq!(
        (noted.status.code(), stderr(&noted)),
        (Some(0), note.clone())
    );
    let unknown = ask("other.toml", &["mail"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = stderr(&unknown);
    assert!(
        said.starts_with(&note) && said.contains("no policy for server mail"),
        "{said}"
    );
    assert_eq!(stderr(&ask("snaprotate.toml", &[])), "");
    // The same file by another path.
    std::os::unix::fs::symlink(home.path("snaprotate.toml"), home.path("again.toml"))
        .expect("linked");
    assert_eq!(stderr(&ask("again.toml", &[])), "");
}

#[test]
fn status_shows_until_when_a_restored_server_is_left_alone() {
    let (provider, home) = live(2);
    let made = support::days_ago(3);
    provider
        .sandbox
        .add_snapshot(12345, "by-hand", "completed", made);
    let _service = Service::start(&home);
    until("the slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
    let restored = home.run(&["restore", "12345", "by-hand", "--yes"]);
    assert_eq!(restored.status.code(), Some(0), "{}", stderr(&restored));
    let (_, view) = json(&home);
    let why = "the server was restored recently and is left alone until";
    let reason = view["servers"][0]["reason"].to_string();
    assert!(reason.contains(why), "{view}");
    for args in [&["status"][..], &["status", "--server", "12345"]] {
        let text = stdout(&home.run(args));
        let words = text.contains("restoring for ") && text.contains(" at most");
        assert!(words, "{text}");
    }
}

#[test]
fn while_the_token_is_rejected_status_says_so_first_and_shows_the_server_as_idle() {
    let (provider, home) = live(2);
    let service = Service::start(&home);
    until("the slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
    provider.sandbox.set_token("another");
    service.reload();
    until("the token is rejected", || {
        !home.events("alert_raised").is_empty()
    });
    let text = stdout(&home.run(&["status", "--all"]));
    let mut lines = text.lines();
    let first = lines.next().expect("a line");
    assert!(first.contains("The service needs you; 1 server"), "{text}");
    let second = lines.next().expect("a line");
    assert!(second.contains("account refused"), "{text}");
    let row = lines.last().expect("a row");
    assert!(row.contains("; the provider rejects the token"), "{text}");
}

#[test]
fn status_and_pause_show_that_hooks_hold_a_server() {
    let (_provider, home) = live(2);
    let script = home.path("hook");
    let gate = home.path("gate");
    let text = format!(
        "#!/bin/sh\nwhile ! [ -e {} ]; do sleep 0.05; done\n",
        gate.display()
    );
    std::fs::write(&script, text).expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("mode set");
    let hooks = format!("[rotation.hooks]\nbefore = [\"{}\"]", script.display());
    home.daily(12345, 2, &hooks);
    let service = Service::start(&home);
    until("the before hook runs", || {
        !home.events("hook_started").is_empty()
    });
    let holds = format!(
        "hooks have held the server for {} of daily since",
        daily_name(0)
    );
    let (_, view) = json(&home);
    assert_eq!(view["servers"][0]["activity"], "holding", "{view}");
    for args in [
        &["status"][..],
        &["status", "--server", "12345"],
        &["pause", "--server", "12345"],
    ] {
        let text = stdout(&home.run(args));
        assert!(text.contains(&holds), "{text}");
    }
    std::fs::write(gate, "").expect("written");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn while_the_provider_hangs_status_shows_how_old_its_data_is_and_why() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let text = std::fs::read_to_string(home.path("snaprotate.toml")).expect("read");
    let text = text.replace("request_timeout = \"2s\"", "request_timeout = \"500ms\"");
    std::fs::write(home.path("snaprotate.toml"), text).expect("written");
    home.daily(12345, 2, "");
    let service = Service::start(&home);
    until("the slot is settled", || {
        json(&home).1["servers"][0]["rotations"][0]["last"]["ending"] == "completed"
    });
    assert!(json(&home).1["servers"][0]["unlisted"].is_null());
    provider
        .sandbox
        .order(Fault::hang(CallKind::List).forever());
    home.daily(12345, 3, "");
    service.reload();
    let says = |args: &[&str], words: &str| {
        let text = stdout(&home.run(args));
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains(words)
    };
    // All attempts of a listing together take longer than a single call may.
    let asked = |args: &[&str]| says(args, "s ago, no answer yet");
    until("a listing is requested in vain", || {
        asked(&["status", "--all"])
    });
    for args in [&["status", "--all"][..], &["status", "12345"]] {
        let why = || says(args, "answer within 500ms; ");
        until("the listing failed", why);
    }
    let first = "1 server can't be listed now: the oldest listing is from 20";
    assert!(says(&["status"], first));
    home.run(&["pause", "12345"]);
    until("no newer listing is requested during a pause", || {
        json(&home).1["servers"][0]["unlisted"].is_null()
    });
}
