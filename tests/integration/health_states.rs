//! The states that `health` compares, and how each is brought about.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use jiff::SignedDuration;
use snaprotate::sandbox::faults::{CallKind, Fault};

use crate::page::listen;
use crate::support::http::address;
use crate::support::notify::Service;
use crate::support::receivers::{Hook, webhook};
use crate::support::{Home, Provider, QUICK, days_ago, stdout, until};

const SERVER: u64 = 12345;

/// A service with one server and a receiver.
pub(crate) struct Scene {
    pub(crate) provider: Provider,
    pub(crate) home: Home,
    pub(crate) address: SocketAddr,
    pub(crate) hook: Hook,
    pub(crate) service: Option<Service>,
}

/// A state, and what every reader of it must see.
pub(crate) struct State {
    pub(crate) name: &'static str,
    /// Brings it about.
    pub(crate) make: fn(&mut Scene),
    pub(crate) health: &'static str,
    pub(crate) activity: &'static str,
    /// The kinds of the active alerts, in alphabetical order.
    pub(crate) alerts: &'static [&'static str],
}

impl Scene {
    pub(crate) fn new() -> Self {
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

pub(crate) const STATES: [State; 15] = [
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
