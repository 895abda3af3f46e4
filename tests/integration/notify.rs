//! Alerts reach people: the real binary, with receivers on loopback.

use std::time::{Duration, Instant};

use crate::support;
use crate::support::notify::Service;
use crate::support::receivers::{Answer, Hook, SERVER, full, receiver, webhook};
use crate::support::{Home, Provider, QUICK, stderr, stdout, until, verified};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use snaprotate::audit::{Details, Entry, Event, GlobalEvent, Trail};
use snaprotate::core::server_event::{AlertKind, AlertText, ServerEvent};

/// Must appear nowhere.
const SECRET: &str = "s3cr3t-part-of-an-address";

/// Waits for more than `more` further listings.
fn looks(provider: &Provider, more: u64) {
    let before = provider.sandbox.counts().lists();
    until("the service has listed again", || {
        provider.sandbox.counts().lists() > before + more
    });
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.path("stderr")).unwrap_or_default()
}

/// Returns everything that the service wrote to its log and trail.
fn written(home: &Home) -> String {
    let trail: Vec<_> = home.trail().iter().map(Value::to_string).collect();
    log(home) + &trail.join("\n")
}

#[test]
fn a_block_and_its_end_are_each_sent_once_and_the_receiver_s_address_appears_nowhere() {
    let (provider, home, ids) = full();
    let hook = Hook::start();
    webhook(&home, "hook", &hook.url(&format!("/{SECRET}")));
    let service = Service::start(&home);
    until("the block is sent", || !hook.came().is_empty());
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
    until("the block's end is sent", || hook.came().len() > 1);
    until("the slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
    assert_eq!(service.stop(), Some(0));
    assert_eq!(hook.told(), ["raised blocked", "recovered blocked"]);
    assert!(!written(&home).contains(SECRET));
    verified(&home);
}

#[test]
fn slot_changes_are_pinged_and_a_slot_that_is_given_up_raises_an_alert() {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    provider.sandbox.add_server(8, "web-02");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 3, "");
    home.daily(8, 3, "attempts = 1");
    let refused = snaprotate::sandbox::faults::Fault::status(
        snaprotate::sandbox::faults::CallKind::Create,
        400,
    );
    provider.sandbox.order(refused.server(8).forever());
    let (good, bad, hook) = (Hook::start(), Hook::start(), Hook::start());
    let seven = support::ids::value(SERVER);
    for (hook, server) in [(&good, &*seven), (&bad, "\"server-8\"")] {
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
    until("all messages are sent", || {
        (good.came().len(), bad.came().len(), hook.came().len()) == (2, 2, 1)
    });
    assert_eq!(service.stop(), Some(0));
    let paths = |hook: &Hook| -> Vec<_> { hook.came().into_iter().map(|came| came.path).collect() };
    assert_eq!(paths(&good), ["/uuid/start", "/uuid"]);
    assert_eq!(paths(&bad), ["/uuid/start", "/uuid/fail"]);
    assert_eq!(hook.told(), ["raised no_copy", "raised slot_failed"]);
    let alerts = hook.came()[0].json()["alerts"].clone();
    assert_eq!(alerts[1]["about"], "daily", "{alerts}");
}

#[test]
fn i16_receivers_that_hang_or_are_down_delay_neither_rotation_nor_each_other_nor_the_stop() {
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
    until("the hanging receiver is contacted", || {
        hanging.connections() > 0
    });
    until("the good receiver gets a message", || {
        !good.came().is_empty()
    });
    let settled = home.events("slot_settled").len();
    until("rotation continues", || {
        home.events("slot_settled").len() > settled + 2
    });
    assert_eq!(hanging.connections(), 1, "still the first connection");
    let down = || log(&home).contains("delivery to the receiver failed");
    until("the failed delivery is logged", down);
    let text = stdout(&home.run(&["status"]));
    assert!(
        text.contains("receiver down (webhook): delivery failed: "),
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
fn after_a_restart_an_active_alert_is_not_sent_again_but_its_end_is() {
    let (provider, home, ids) = full();
    // Takes the reason from a real decision.
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let alert = home.events("alert_raised")[0].clone();
    let reason = home.events("blocked")[0]["reason"].clone();
    let reason = reason.as_str().expect("words").to_owned();
    let text = serde_json::from_value(alert).expect("an alert's text");
    for folder in ["log", "state"] {
        std::fs::remove_dir_all(home.path(folder)).expect("removed");
    }
    stood(&home, &reason, text);

    let hook = Hook::start();
    webhook(&home, "hook", &hook.url("/"));
    let service = Service::start(&home);
    looks(&provider, 5);
    // A later alert is sent; the older one would have been sent before it.
    home.daily(9, 9, "");
    service.reload();
    until("the alert about the refused files is sent", || {
        !hook.came().is_empty()
    });
    assert_eq!(hook.told(), ["raised config_refused"]);
    std::fs::remove_file(home.path("policies.d/server-9.toml")).expect("removed");
    service.reload();
    until("the end of that alert is sent", || hook.came().len() > 1);
    assert!(provider.sandbox.remove_snapshot(ids[0]));
    until("the end of the block is sent", || hook.came().len() > 2);
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
    assert!(since < Timestamp::now() - SignedDuration::from_mins(160));
    verified(&home);
}

/// Writes a trail whose process ended an hour ago, with the server blocked two hours before that.
fn stood(home: &Home, reason: &str, text: AlertText) {
    let ago = |hours| Timestamp::now() - SignedDuration::from_hours(hours);
    let entry = |hours, event| Entry {
        time: ago(hours),
        server: matches!(event, Event::Server(_))
            .then(|| support::ids::server(SERVER).parse().expect("an id")),
        event,
        extra: Details::default(),
    };
    let facts = [
        ServerEvent::RotationAdded {
            rotation: "daily".into(),
            terms: None,
            shrinks: std::collections::BTreeSet::new(),
        },
        ServerEvent::Blocked {
            reason: reason.to_owned(),
            contested: None,
        },
        ServerEvent::AlertRaised {
            alert: AlertKind::Blocked,
            about: support::ids::server(SERVER),
            text,
        },
    ];
    let mut entries: Vec<_> = facts
        .into_iter()
        .map(|f| entry(3, Event::Server(f)))
        .collect();
    let ended = GlobalEvent::DaemonStopped {
        reason: "SIGTERM".to_owned(),
    };
    entries.push(entry(1, Event::Global(ended)));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let (log, state) = (home.path("log"), home.path("state"));
        let grace = SignedDuration::from_secs(2);
        let (trail, _) = Trail::open(&log, &state, "before", ago(3), grace).expect("a trail");
        trail.append(entries).await.expect("written");
        trail.close().await;
    });
}

#[test]
fn an_alert_about_an_unwritable_trail_is_sent_although_it_can_t_be_recorded() {
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
    until("the service rotates", || {
        !home.events("slot_settled").is_empty()
    });
    std::fs::rename(home.path("log"), home.path("away")).expect("moved");
    until("the alert is sent", || !hook.came().is_empty());
    assert_eq!(hook.told(), ["raised trail_unwritable"]);
    std::fs::rename(home.path("away"), home.path("log")).expect("moved back");
    until("the alert's end is sent", || hook.came().len() > 1);
    assert_eq!(hook.told()[1], "recovered trail_unwritable");
    assert_eq!(service.stop(), Some(0));
    verified(&home);
}

#[test]
fn once_sends_alerts_before_it_ends_and_a_receiver_added_by_a_reload_gets_later_alerts() {
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
    until("both receivers get the end", || {
        recovered(&first) && recovered(&second)
    });
    assert_eq!(service.stop(), Some(0));
}
