//! What people see is the same everywhere: for each state of a server and of the service, `status`,
//! its JSON, the page, the metrics, the trail and a receiver agree.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use snaprotate::sandbox::faults::{CallKind, Fault};

use crate::page::listen;
use crate::support::http::{address, get};
use crate::support::notify::Service;
use crate::support::receivers::{Hook, webhook};
use crate::support::{Home, Provider, QUICK, days_ago, stdout, until};

const SERVER: u64 = 12345;

/// A service with one server and a receiver.
struct Scene {
    provider: Provider,
    home: Home,
    address: SocketAddr,
    hook: Hook,
    service: Option<Service>,
}

/// A state, and what every reader of it must see.
struct State {
    name: &'static str,
    /// Brings it about.
    make: fn(&mut Scene),
    health: &'static str,
    activity: &'static str,
    /// The kinds of the active alerts, in alphabetical order.
    alerts: &'static [&'static str],
}

impl Scene {
    fn new() -> Self {
        let provider = Provider::quick();
        provider.sandbox.add_server(SERVER, "web");
        let calm = QUICK
            .replace("stuck_after = \"4s\"", "stuck_after = \"1h\"")
            .replace("retry_after = \"100ms\"", "retry_after = \"20m\"");
        let home = Home::new(&provider.sandbox.base_url(), "", &calm);
        let (address, hook) = (address(), Hook::start());
        webhook(&home, "hook", &hook.url("/"));
        listen(&home, &format!("listen = \"{address}\""));
        Self {
            provider,
            home,
            address,
            hook,
            service: None,
        }
    }

    fn policy(&self, server: &str, rotation: &str) {
        self.home.policy(
            "web",
            &format!(
                "[server]\nid = {SERVER}\n{server}\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 2\n{rotation}\n"
            ),
        );
    }

    /// Adds a snapshot that a person made this many days ago.
    fn by_hand(&self, name: &str, days: i64) {
        let sandbox = &self.provider.sandbox;
        sandbox.add_snapshot(SERVER, name, "completed", days_ago(days));
    }

    fn refuse_creates(&self, status: u16) {
        let refused = Fault::status(CallKind::Create, status);
        self.provider.sandbox.order(refused.forever());
    }

    fn start(&mut self) {
        self.service = Some(Service::start(&self.home));
    }

    fn start_and_settle(&mut self) {
        self.policy("", "");
        self.start();
        until("the slot is settled", || {
            !self.home.events("slot_settled").is_empty()
        });
    }

    fn run(&self, args: &[&str]) {
        let output = self.home.run(args);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    }
}

#[test]
fn in_every_state_all_that_people_see_agrees() {
    let states = [
        State {
            name: "healthy",
            make: Scene::start_and_settle,
            health: "ok",
            activity: "idle",
            alerts: &[],
        },
        State {
            name: "new",
            make: |scene| {
                scene
                    .provider
                    .sandbox
                    .set_completes_after(SignedDuration::from_hours(1));
                scene.policy("", "");
                scene.start();
            },
            health: "new",
            activity: "creating",
            alerts: &[],
        },
        State {
            name: "creating",
            make: |scene| {
                scene
                    .provider
                    .sandbox
                    .set_completes_after(SignedDuration::from_hours(1));
                scene.by_hand("by-hand", 0);
                scene.policy("", "");
                scene.start();
            },
            health: "ok",
            activity: "creating",
            alerts: &[],
        },
        State {
            name: "waiting for the next attempt",
            make: |scene| {
                scene.by_hand("by-hand", 0);
                scene.refuse_creates(423);
                scene.policy("", "");
                scene.start();
            },
            health: "ok",
            activity: "waiting",
            alerts: &[],
        },
        State {
            name: "a slot failed, but the copy is fresh",
            make: |scene| {
                scene.by_hand("by-hand", 0);
                scene.refuse_creates(400);
                scene.policy("", "attempts = 1");
                scene.start();
            },
            health: "attention",
            activity: "idle",
            alerts: &["slot_failed"],
        },
        State {
            name: "stale",
            make: |scene| {
                scene.by_hand("by-hand", 3);
                scene.refuse_creates(400);
                scene.policy("", "attempts = 1");
                scene.start();
            },
            health: "failing",
            activity: "idle",
            alerts: &["slot_failed", "stale"],
        },
        State {
            name: "no copy",
            make: |scene| {
                scene.refuse_creates(400);
                scene.policy("", "attempts = 1");
                scene.start();
            },
            health: "unprotected",
            activity: "idle",
            alerts: &["no_copy", "slot_failed"],
        },
        State {
            name: "blocked by snapshots of others",
            make: |scene| {
                for nth in 0..5 {
                    scene.by_hand(&format!("by-hand-{nth}"), 0);
                }
                scene.policy("", "");
                scene.start();
            },
            health: "attention",
            activity: "blocked",
            alerts: &["blocked"],
        },
        State {
            name: "blocked by the name",
            make: |scene| {
                scene.by_hand("by-hand", 0);
                scene.policy("name = \"other\"", "");
                scene.start();
            },
            health: "attention",
            activity: "blocked",
            alerts: &["blocked"],
        },
        State {
            name: "paused",
            make: |scene| {
                scene.start_and_settle();
                scene.run(&["pause", "web"]);
            },
            health: "ok",
            activity: "paused",
            alerts: &[],
        },
        State {
            name: "restoring",
            make: |scene| {
                scene.by_hand("by-hand", 0);
                scene.start_and_settle();
                scene.run(&["restore", "web", "by-hand", "--yes"]);
            },
            health: "ok",
            activity: "restoring",
            alerts: &[],
        },
        State {
            name: "a hook failed",
            make: |scene| {
                let script = scene.home.path("freeze");
                std::fs::write(&script, "#!/bin/sh\nexit 1\n").expect("written");
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(&script, mode).expect("mode set");
                let hooks = format!(
                    "[rotation.hooks]\nbefore = [\"{}\"]\non_failure = \"continue\"",
                    script.display()
                );
                scene.policy("", &hooks);
                scene.start();
            },
            health: "attention",
            activity: "idle",
            alerts: &["hook_failed"],
        },
        State {
            name: "the token is rejected",
            make: |scene| {
                scene.start_and_settle();
                scene.provider.sandbox.set_token("another");
                scene.service.as_ref().expect("a service").reload();
            },
            health: "ok",
            activity: "idle",
            alerts: &["account_refused"],
        },
        State {
            name: "the trail can't be written",
            make: |scene| {
                scene.start_and_settle();
                std::fs::rename(scene.home.path("state"), scene.home.path("away")).expect("moved");
            },
            health: "ok",
            activity: "idle",
            alerts: &["trail_unwritable"],
        },
        State {
            name: "the provider can't be reached",
            make: |scene| {
                scene.start_and_settle();
                let down = Fault::status(CallKind::List, 500);
                scene.provider.sandbox.order(down.forever());
                scene.policy("", "splay = \"1s\"");
                scene.service.as_ref().expect("a service").reload();
            },
            health: "ok",
            activity: "idle",
            alerts: &["api_unreachable"],
        },
    ];
    for state in &states {
        let mut scene = Scene::new();
        (state.make)(&mut scene);
        let shown = || -> Value {
            serde_json::from_str(&stdout(&scene.home.run(&["status", "--json"]))).expect("JSON")
        };
        let kinds = |view: &Value| -> Vec<String> {
            let alerts = view["alerts"].as_array().expect("alerts").iter();
            let mut kinds: Vec<_> = alerts
                .map(|alert| alert["alert"].as_str().expect("a word").to_owned())
                .collect();
            kinds.sort_unstable();
            kinds
        };
        until(state.name, || {
            let view = shown();
            let server = &view["servers"][0];
            server["health"] == state.health
                && server["activity"] == state.activity
                && kinds(&view) == state.alerts
        });
        agrees(state, &scene, &shown());
        drop(scene.service.take());
    }
}

/// Compares what each reader sees with the view.
fn agrees(state: &State, scene: &Scene, view: &Value) {
    let State {
        name,
        health,
        activity,
        alerts,
        ..
    } = state;
    let server = &view["servers"][0];
    let time = |value: &Value| {
        value
            .as_str()
            .map(|at| at.parse::<Timestamp>().expect("a time"))
    };
    let fresh = time(&server["fresh_until"]) > time(&view["time"]);
    assert!(*health != "ok" || fresh, "{name}: {server}");
    let good = *health == "ok" && alerts.is_empty();
    assert_eq!(view["healthy"], good, "{name}: {view}");

    let status = scene.home.run(&["status"]);
    let text = anstream::adapter::strip_str(&stdout(&status)).to_string();
    assert_eq!(
        status.status.code(),
        Some(i32::from(!good)),
        "{name}: {text}"
    );
    let first = text.lines().next().expect("a line");
    let verdict = match (*health, alerts.is_empty()) {
        ("ok", true) => "✓ All is well on 1 server",
        ("new", _) => "✓ Nothing needs you on 1 server",
        ("ok", false) => "✕ The service needs you; 1 server",
        _ => "✕ 1 of 1 server needs you",
    };
    assert!(first.starts_with(verdict), "{name}: {text}");
    // The other alert is counted beside the one that says why.
    for alert in alerts
        .iter()
        .filter(|alert| !["stale", "no_copy"].contains(*alert))
    {
        let words = alert.replace('_', " ");
        assert!(text.contains(&words), "{name}: {text}");
    }
    let one = scene.home.run(&["status", "web"]);
    let whole = stdout(&one);
    assert_eq!(one.status.code(), Some(i32::from(!good)), "{name}: {whole}");
    let title = format!("): {health}; ");
    assert!(
        whole.lines().next().expect("a line").contains(&title),
        "{name}: {whole}"
    );

    let page = get(scene.address, "/").body;
    let badge = format!("<span class=\"badge {health}\">");
    assert!(page.contains(&badge), "{name}: {page}");
    let heading = if good {
        "<h1 class=\"well\">"
    } else {
        "<h1 class=\"ill\">"
    };
    assert!(page.contains(heading), "{name}: {page}");
    let api: Value =
        serde_json::from_str(&get(scene.address, "/api/v1/status").body).expect("JSON");
    for key in ["health", "activity", "newest_copy", "fresh_until"] {
        assert_eq!(api["servers"][0][key], server[key], "{name}: {key}");
    }

    let metrics = get(scene.address, "/metrics").body;
    let count = |series: &str| {
        let lines = metrics.lines().filter(|line| line.starts_with(series));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum::<u64>()
    };
    let of_health = format!("snaprotate_servers{{health=\"{health}\"}}");
    let of_activity = format!("snaprotate_servers_by_activity{{activity=\"{activity}\"}}");
    assert_eq!(
        (count(&of_health), count(&of_activity)),
        (1, 1),
        "{name}: {metrics}"
    );
    let mut own = metrics
        .lines()
        .filter(|line| line.starts_with("snaprotate_server_health{"));
    let own = own.next().expect("a series");
    assert!(
        own.ends_with(&format!("health=\"{health}\"}} 1")),
        "{name}: {own}"
    );
    for alert in *alerts {
        let series = format!("snaprotate_alerts{{kind=\"{alert}\"}}");
        assert_eq!(count(&series), 1, "{name}: {series}");
    }

    until("the receiver has the alerts", || {
        let told = scene.hook.told();
        alerts
            .iter()
            .all(|alert| told.contains(&format!("raised {alert}")))
    });
    // The trail can't record that it can't be written.
    let recorded = scene.home.events("alert_raised");
    for alert in alerts.iter().filter(|alert| **alert != "trail_unwritable") {
        let record = recorded.iter().find(|record| record["alert"] == **alert);
        assert!(record.is_some(), "{name}: {alert} in {recorded:?}");
    }
    for alert in view["alerts"].as_array().expect("alerts") {
        assert!(
            alert["what"].is_string() && alert["harm"].is_string(),
            "{name}: {alert}"
        );
        assert!(alert["remedy"].is_string(), "{name}: {alert}");
    }
}
