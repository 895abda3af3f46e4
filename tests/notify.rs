//! Alerts reach people: the real binary, receivers on loopback.

#[path = "support/notify.rs"]
mod notify;
#[path = "support/receivers.rs"]
mod receivers;
mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use notify::Service;
use receivers::{Answer, Hook, Smtp};
use serde_json::Value;
use snaprotate::audit::{Entry, Event, Extra, Trail, Wide};
use snaprotate::core::fact::{AlertKind, Fact};
use snaprotate::core::snapshot::ServerId;
use support::{Home, Provider, QUICK, days_ago, stderr, stdout, until, verified};

const SERVER: u64 = 7;
/// What must stand nowhere.
const SECRET: &str = "s3cr3t-part-of-an-address";

/// A server that is full of people's own snapshots, and the ids of these.
fn full() -> (Provider, Home, Vec<u64>) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    for n in 0..5 {
        let name = format!("by-hand-{n}");
        let at = days_ago(n + 1);
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
    let ids = provider
        .sandbox
        .truth(SERVER)
        .iter()
        .map(|row| row.id)
        .collect();
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 3, "");
    (provider, home, ids)
}

fn receiver(home: &Home, text: &str) {
    let path = home.path("snaprotate.toml");
    let mut all = std::fs::read_to_string(&path).expect("read");
    let _written = write!(all, "\n[[notify]]\n{text}\n");
    std::fs::write(path, all).expect("written");
}

fn webhook(home: &Home, name: &str, url: &str) {
    home.secret(name, url);
    receiver(
        home,
        &format!("type = \"webhook\"\nname = \"{name}\"\nurl_file = \"{name}\""),
    );
}

/// So many looks at the server from now on.
fn looks(provider: &Provider, more: u64) {
    let before = provider.sandbox.counts().lists();
    until("it has looked again", || {
        provider.sandbox.counts().lists() > before + more
    });
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.path("stderr")).unwrap_or_default()
}

/// All that the service wrote.
fn written(home: &Home) -> String {
    let trail: Vec<_> = home.trail().iter().map(Value::to_string).collect();
    log(home) + &trail.join("\n")
}

#[test]
fn a_block_is_told_once_and_its_end_once_and_the_address_stands_nowhere() {
    let (provider, home, ids) = full();
    let hook = Hook::start();
    webhook(&home, "hook", &hook.url(&format!("/{SECRET}")));
    let service = Service::start(&home);
    until("it is told", || !hook.came().is_empty());
    looks(&provider, 5);
    let came = hook.came();
    assert_eq!(came.len(), 1, "{came:?}");
    assert_eq!(came[0].path, format!("/{SECRET}"));
    let said = came[0].json();
    let raised = &home.events("alert_raised")[0];
    for (key, value) in [
        ("event", "raised".into()),
        ("count", 1.into()),
        ("alert", "blocked".into()),
        ("server", SERVER.into()),
        ("server_name", "server-7".into()),
        ("policy", "server-7".into()),
        ("about", raised["about"].clone()),
        ("reason", raised["reason"].clone()),
        ("since", raised["time"].clone()),
    ] {
        assert_eq!(said[key], value, "{key} of {said}");
    }
    let status: Value =
        serde_json::from_str(&stdout(&home.run(&["status", "--json"]))).expect("JSON");
    assert_eq!(status["alerts"][0]["since"], raised["time"], "{status}");
    assert_eq!(status["receivers"][0]["delivered"], 1, "{status}");

    assert!(provider.sandbox.remove_snapshot(ids[0]));
    until("its end is told", || hook.came().len() > 1);
    until("the slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
    assert_eq!(service.stop(), Some(0));
    assert_eq!(hook.told(), ["raised blocked", "recovered blocked"]);
    assert!(!written(&home).contains(SECRET));
    verified(&home);
}

#[test]
fn a_slot_s_turns_are_pinged_and_one_that_is_given_up_is_an_alert() {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    provider.sandbox.add_server(8, "web-02");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 3, "");
    home.daily(8, 3, "attempts = 1");
    let refused =
        snaprotate::sandbox::faults::Fault::status(snaprotate::sandbox::faults::Call::Create, 400);
    provider.sandbox.order(refused.server(8).forever());
    let (good, bad, hook) = (Hook::start(), Hook::start(), Hook::start());
    for (hook, server) in [(&good, "7"), (&bad, "\"server-8\"")] {
        let url = hook.url("/uuid");
        receiver(
            &home,
            &format!(
                "type = \"ping\"\nurl = \"{url}\"\nservers = [{server}]\nrotations = [\"daily\"]"
            ),
        );
    }
    webhook(&home, "hook", &hook.url("/"));
    let service = Service::start(&home);
    until("all is told", || {
        (good.came().len(), bad.came().len(), hook.came().len()) == (2, 2, 1)
    });
    assert_eq!(service.stop(), Some(0));
    let paths = |hook: &Hook| -> Vec<_> { hook.came().into_iter().map(|came| came.path).collect() };
    assert_eq!(paths(&good), ["/uuid/start", "/uuid"]);
    assert_eq!(paths(&bad), ["/uuid/start", "/uuid/fail"]);
    assert_eq!(hook.told(), ["raised slot_failed"]);
    assert_eq!(hook.came()[0].json()["about"], "daily");
}

#[test]
fn i16_receivers_that_hang_or_are_down_hold_up_neither_rotation_nor_each_other_nor_the_end() {
    let (provider, home, _) = full();
    provider.sandbox.add_server(8, "web-02");
    home.policy(
        "tick",
        "[server]\nid = 8\n[[rotation]]\nname = \"tick\"\nschedule = \"* * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n",
    );
    let (hanging, good) = (Hook::answering(Answer::Never), Hook::start());
    webhook(&home, "hanging", &hanging.url(&format!("/{SECRET}")));
    webhook(&home, "down", &format!("http://127.0.0.1:9/{SECRET}"));
    webhook(&home, "good", &good.url("/"));
    let service = Service::start(&home);
    until("the hanging one is asked", || hanging.connections() > 0);
    until("the good one is told", || !good.came().is_empty());
    let settled = home.events("slot_settled").len();
    until("it rotates on", || {
        home.events("slot_settled").len() > settled + 2
    });
    assert_eq!(hanging.connections(), 1, "still the first");
    let down = || log(&home).contains("the receiver can't be told");
    until("the one that is down is said", down);
    let text = stdout(&home.run(&["status"]));
    assert!(
        text.contains("receiver down (webhook): can't be told: "),
        "{text}"
    );
    let began = Instant::now();
    assert_eq!(service.stop(), Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    assert!(!written(&home).contains(SECRET) && !text.contains(SECRET));
    verified(&home);
}

#[test]
fn after_a_restart_what_stood_is_not_told_again_but_its_end_is() {
    let (provider, home, ids) = full();
    // The reason, in the words of the real decision.
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let reason = home.events("alert_raised")[0]["reason"].clone();
    let reason = reason.as_str().expect("words").to_owned();
    for folder in ["log", "state"] {
        std::fs::remove_dir_all(home.path(folder)).expect("removed");
    }
    stood(&home, &reason);

    let hook = Hook::start();
    webhook(&home, "hook", &hook.url("/"));
    let service = Service::start(&home);
    looks(&provider, 5);
    // What comes later is told; by then the older one would have been, too.
    home.daily(9, 9, "");
    service.reload();
    until("the refused files are told", || !hook.came().is_empty());
    assert_eq!(hook.told(), ["raised config_refused"]);
    std::fs::remove_file(home.path("policies.d/server-9.toml")).expect("removed");
    service.reload();
    until("their end is told", || hook.came().len() > 1);
    assert!(provider.sandbox.remove_snapshot(ids[0]));
    until("the block's end is told", || hook.came().len() > 2);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(
        hook.told(),
        [
            "raised config_refused",
            "recovered config_refused",
            "recovered blocked"
        ]
    );
    let since = hook.came()[2].json()["since"].clone();
    let since: Timestamp = since.as_str().expect("a time").parse().expect("a time");
    assert!(since < Timestamp::now() - SignedDuration::from_mins(100));
    verified(&home);
}

/// A trail whose process ended an hour ago, with the server blocked an hour before that.
fn stood(home: &Home, reason: &str) {
    let ago = |hours| Timestamp::now() - SignedDuration::from_hours(hours);
    let entry = |hours, event| Entry {
        time: ago(hours),
        server: matches!(event, Event::Fact(_)).then_some(ServerId(SERVER)),
        event,
        extra: Extra::default(),
    };
    let facts = [
        Fact::RotationAdded {
            rotation: "daily".to_owned(),
        },
        Fact::Blocked {
            reason: reason.to_owned(),
        },
        Fact::AlertRaised {
            alert: AlertKind::Blocked,
            about: SERVER.to_string(),
            reason: reason.to_owned(),
        },
    ];
    let mut entries: Vec<_> = facts
        .into_iter()
        .map(|f| entry(2, Event::Fact(f)))
        .collect();
    let ended = Wide::DaemonStopped {
        reason: "SIGTERM".to_owned(),
    };
    entries.push(entry(1, Event::Wide(ended)));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let (log, state) = (home.path("log"), home.path("state"));
        let grace = SignedDuration::from_secs(2);
        let (trail, _) = Trail::open(&log, &state, "before", ago(2), grace).expect("a trail");
        trail.append(entries).await.expect("written");
        trail.close().await;
    });
}

#[test]
fn a_trail_that_can_t_be_written_is_told_though_it_can_t_be_recorded() {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.policy(
        "tick",
        "[server]\nid = 7\n[[rotation]]\nname = \"tick\"\nschedule = \"* * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n",
    );
    let hook = Hook::start();
    let url = hook.url("/");
    receiver(
        &home,
        &format!("type = \"webhook\"\nurl = \"{url}\"\non = [\"trail_unwritable\"]"),
    );
    let service = Service::start(&home);
    until("it rotates", || !home.events("slot_settled").is_empty());
    std::fs::rename(home.path("log"), home.path("away")).expect("moved");
    until("it is told", || !hook.came().is_empty());
    assert_eq!(hook.told(), ["raised trail_unwritable"]);
    std::fs::rename(home.path("away"), home.path("log")).expect("moved back");
    until("its end is told", || hook.came().len() > 1);
    assert_eq!(hook.told()[1], "recovered trail_unwritable");
    assert_eq!(service.stop(), Some(0));
    verified(&home);
}

#[test]
fn once_tells_before_it_ends_and_a_receiver_added_by_a_reload_hears_what_comes_then() {
    let (provider, home, ids) = full();
    let (first, second) = (Hook::start(), Hook::start());
    webhook(&home, "first", &first.url("/"));
    assert_eq!(home.run(&["once"]).status.code(), Some(1));
    assert_eq!(first.told(), ["raised blocked"]);
    let service = Service::start(&home);
    webhook(&home, "second", &second.url("/"));
    service.reload();
    assert!(provider.sandbox.remove_snapshot(ids[0]));
    let recovered = |hook: &Hook| {
        hook.told()
            .last()
            .is_some_and(|last| last == "recovered blocked")
    };
    until("both hear of the end", || {
        recovered(&first) && recovered(&second)
    });
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_test_reaches_each_kind_of_receiver_beside_a_running_service() {
    let (provider, home, _) = full();
    let (hook, smtp) = (Hook::start(), Smtp::start());
    let of = |path: &str| hook.url(path);
    webhook(&home, "hook", &of("/hook"));
    receiver(
        &home,
        &format!("type = \"ping\"\nurl = \"{}\"", of("/ping")),
    );
    home.secret("ntfy-token", SECRET);
    receiver(
        &home,
        &format!(
            "type = \"ntfy\"\nurl = \"{}\"\ntoken_file = \"ntfy-token\"",
            of("/ntfy")
        ),
    );
    receiver(
        &home,
        &format!("type = \"slack\"\nurl = \"{}\"", of("/slack")),
    );
    home.secret("password", "pass word");
    receiver(
        &home,
        &format!(
            "type = \"email\"\nserver = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"s@example.org\"\nto = [\"a@example.org\", \"b@example.org\"]\nusername = \"user\"\npassword_file = \"password\"",
            smtp.address.port()
        ),
    );
    let (heard, env) = (home.path("heard"), home.path("env"));
    receiver(
        &home,
        &format!(
            "type = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"cat > {}; env > {}; echo said\"]",
            heard.display(),
            env.display()
        ),
    );
    let _service = Service::start(&home);
    looks(&provider, 2);
    let mut command = home.command(&["notify", "test"]);
    let output = command
        .env("CREDENTIALS_DIRECTORY", home.path("none"))
        .output();
    let output = output.expect("it runs");
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
    assert_eq!(
        said,
        "hook (webhook): ok\nping (ping): ok\nntfy (ntfy): ok\nslack (slack): ok\nemail (email): ok\ncommand (command): ok\n"
    );
    let came = hook.came();
    let tested = |path: &str| {
        came.iter()
            .find(|c| c.path == path && c.body.contains("TEST"))
    };
    let sent = |path: &str| tested(path).unwrap_or_else(|| panic!("{path} in {came:?}"));
    let (event, host) = (sent("/hook").json(), gethostname());
    assert_eq!(
        (&event["event"], &event["host"]),
        (&"test".into(), &host.into())
    );
    sent("/ping/log");
    let slack = sent("/slack").json();
    assert!(
        slack["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("TEST "))
    );
    let ntfy = came
        .iter()
        .find(|c| c.path == "/ntfy" && c.header("priority") == Some("low"));
    let ntfy = ntfy.expect("one");
    assert!(
        ntfy.header("title")
            .is_some_and(|title| title.starts_with("TEST "))
    );
    assert_eq!(
        ntfy.header("authorization"),
        Some(format!("Bearer {SECRET}").as_str())
    );
    let letters = smtp.letters();
    let letter = letters
        .iter()
        .find(|letter| letter.data.contains("Subject: TEST"));
    let letter = letter.expect("a letter");
    let plain = STANDARD.encode("\0user\0pass word");
    for line in [
        format!("AUTH PLAIN {plain}"),
        "RCPT TO:<b@example.org>".to_owned(),
        "MAIL FROM:<s@example.org>".to_owned(),
    ] {
        assert!(
            letter.envelope.iter().any(|l| l.starts_with(&line)),
            "{line}: {letter:?}"
        );
    }
    let body = letter
        .data
        .split_once("\r\n\r\n")
        .expect("a body")
        .1
        .replace("\r\n", "");
    let body = STANDARD.decode(body).expect("base64");
    assert_eq!(
        body,
        b"This receiver hears of alerts. Nothing is wrong.\r\n"
    );
    let heard: Value = serde_json::from_slice(&std::fs::read(heard).expect("heard")).expect("JSON");
    assert_eq!(heard["event"], "test");
    let env = std::fs::read_to_string(env).expect("written");
    assert!(
        env.contains("PATH=") && !env.contains("CREDENTIALS"),
        "{env}"
    );
    assert!(!env.contains("RUNTIME_DIRECTORY"), "{env}");
    assert!(!written(&home).contains(SECRET) && !written(&home).contains("pass word"));
}

fn gethostname() -> String {
    let output = std::process::Command::new("uname")
        .arg("-n")
        .output()
        .expect("uname runs");
    stdout(&output).trim().to_owned()
}

#[test]
fn a_test_names_who_could_not_be_told_and_why_without_the_address() {
    let (_provider, home, _) = full();
    let (good, hook) = (
        Hook::start(),
        Hook::answering(Answer::Status("404 Not Found", String::new())),
    );
    let away = Hook::answering(Answer::Status(
        "302 Found",
        format!("Location: {}\r\n", good.url("/away")),
    ));
    webhook(&home, "good", &good.url("/good"));
    webhook(&home, "missing", &hook.url(&format!("/{SECRET}")));
    webhook(&home, "moved", &away.url(&format!("/{SECRET}")));
    webhook(&home, "down", &format!("http://127.0.0.1:9/{SECRET}"));
    receiver(
        &home,
        "type = \"email\"\nserver = \"127.0.0.1\"\nport = 9\ntls = \"none\"\nfrom = \"s@example.org\"\nto = [\"a@example.org\"]",
    );
    receiver(
        &home,
        "type = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"echo broken >&2; exit 3\"]",
    );
    let output = home.run(&["notify", "test"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output) + &stderr(&output);
    let lines: Vec<_> = said.lines().collect();
    for (line, begin, end) in [
        (0, "good (webhook): ok", ""),
        (1, "missing (webhook): failed: it answered 404", ""),
        (2, "moved (webhook): failed: it answered 302", ""),
        (3, "down (webhook): failed: ", "refused"),
        (4, "email (email): failed: ", "refused"),
        (
            5,
            "command (command): failed: /bin/sh ended with exit status: 3",
            ": broken",
        ),
    ] {
        assert!(
            lines[line].starts_with(begin) && lines[line].contains(end),
            "{begin}: {said}"
        );
    }
    assert!(!said.contains(SECRET), "{said}");
    assert_eq!(good.came().len(), 1, "no redirect is followed");

    let one = home.run(&["notify", "test", "--receiver", "good"]);
    assert_eq!(
        (one.status.code(), stdout(&one)),
        (Some(0), "good (webhook): ok\n".to_owned())
    );
    let none = home.run(&["notify", "test", "--receiver", "god"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        stderr(&none).contains("there are good, missing, moved, down, email, command"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn without_receivers_a_test_is_a_matter_of_configuration() {
    let (_provider, home, _) = full();
    let output = home.run(&["notify", "test"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("write a [[notify]]"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_command_that_does_not_end_is_ended_with_all_that_it_began() {
    let (_provider, home, _) = full();
    let pid = home.path("pid");
    receiver(
        &home,
        &format!(
            "type = \"command\"\ntimeout = \"1s\"\ncommand = [\"/bin/sh\", \"-c\", \"sleep 600 & echo $! > {}; wait\"]",
            pid.display()
        ),
    );
    let output = home.run(&["notify", "test"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        "command (command): failed: not done within 1s\n"
    );
    let pid = std::fs::read_to_string(pid).expect("begun");
    let stat = format!("/proc/{}/stat", pid.trim());
    until("the child of the child is gone", || {
        std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
    });
}
