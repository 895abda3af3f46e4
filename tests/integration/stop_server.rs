//! `stop_server` with the real binary: a server is stopped for its snapshot and runs afterwards,
//! whatever happens to the calls and the service.

use std::time::{Duration, Instant};

use crate::support::{Home, Provider, QUICK, daily_name, stderr, stdout, until, verified, within};
use jiff::SignedDuration;
use snaprotate::sandbox::PowerAction;
use snaprotate::sandbox::faults::{CallKind, Fault};

pub(super) const SERVER: u64 = 12345;

/// Default number of kills; `SNAPROTATE_KILLS` overrides it.
const KILLS: usize = 60;

/// Services that run at the same time.
const SERVICES: usize = 6;

pub(super) struct Place {
    pub(super) provider: Provider,
    pub(super) home: Home,
}

/// Returns a running server whose daily slot is due; `more` is added to its rotation.
pub(super) fn place(more: &str) -> Place {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web");
    provider
        .sandbox
        .set_switches_after(SignedDuration::from_millis(100));
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.policy("web", &policy(SERVER, "0 0 * * *", more));
    Place { provider, home }
}

pub(super) fn policy(id: u64, schedule: &str, more: &str) -> String {
    format!(
        "[server]\nid = {id}\n[[rotation]]\nname = \"daily\"\nschedule = \"{schedule}\"\nkeep = 3\nstop_server = true\nstop_timeout = \"1s\"\nmax_stopped = \"5s\"\n{more}\n"
    )
}

impl Place {
    pub(super) fn once(&self) -> (Option<i32>, String) {
        let output = self.home.run(&["once"]);
        (output.status.code(), stderr(&output))
    }

    pub(super) fn status(&self) -> String {
        self.provider
            .sandbox
            .server_status(SERVER)
            .expect("a server")
    }

    /// Removes the server's policy, and adds another server's, since an empty folder is refused.
    pub(super) fn leave(&self) {
        let file = self.home.path("policies.d/web.toml");
        std::fs::remove_file(file).expect("removed");
        self.provider.sandbox.add_server(SERVER + 1, "other");
        self.home.daily(SERVER + 1, 3, "");
    }

    /// Returns how often the server was stopped, and checks that it was started as often.
    pub(super) fn downs(&self) -> usize {
        let switched = self.provider.sandbox.switched();
        let times = |word: &str| {
            switched
                .iter()
                .filter(|(_, status)| *status == word)
                .count()
        };
        assert_eq!(times("stopped"), times("active"), "{switched:?}");
        times("stopped")
    }

    /// Returns the events about the server's power, in the order of the trail.
    pub(super) fn told(&self) -> Vec<String> {
        let trail = self.home.trail();
        let events = trail.iter().filter_map(|record| record["event"].as_str());
        let of_power = |event: &&str| event.starts_with("st") || *event == "create_intent";
        events.filter(of_power).map(str::to_owned).collect()
    }

    pub(super) fn alerts(&self, kind: &str) -> Vec<String> {
        let raised = self.home.events("alert_raised").into_iter();
        let of_kind = raised.filter(|record| record["alert"] == kind);
        of_kind.map(|record| record["reason"].to_string()).collect()
    }

    /// Checks that only stop and start were called, and that the trail verifies.
    pub(super) fn verified(&self) {
        let powered = self.provider.sandbox.powered();
        assert!(
            powered
                .iter()
                .all(|(_, action)| matches!(action, PowerAction::Stop | PowerAction::Start)),
            "{powered:?}"
        );
        verified(&self.home);
    }
}

#[test]
fn i20_a_server_is_stopped_for_its_snapshot_and_started_when_the_snapshot_is_completed() {
    let place = place("");
    let plan = place.home.run(&["plan", "web"]);
    let plan = stdout(&plan);
    for step in [
        "stop: a slot of daily is due",
        "create daily",
        "start: daily",
    ] {
        assert!(plan.contains(step), "{step}: {plan}");
    }
    assert!(
        plan.contains("15m at most") || plan.contains("5s at most"),
        "{plan}"
    );
    let (code, said) = place.once();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(place.provider.names(SERVER), [daily_name(0)]);
    assert_eq!((place.status().as_str(), place.downs()), ("active", 1));
    assert_eq!(
        place.told(),
        [
            "stop_intent",
            "stop_result",
            "stop_confirmed",
            "create_intent",
            "start_intent",
            "start_result",
            "start_confirmed"
        ]
    );
    let completed = &place.home.events("snapshot_completed")[0];
    let start = &place.home.events("start_intent")[0];
    assert!(completed["seq"].as_u64() < start["seq"].as_u64());
    // A settled slot doesn't stop the server again.
    assert_eq!(place.once().0, Some(0));
    assert_eq!(place.downs(), 1);
    let shown = place.home.run(&[
        "audit", "show", "--raw", "--server", "web", "--event", "stop",
    ]);
    assert!(stdout(&shown).contains("stop_intent"), "{}", stdout(&shown));
    place.verified();
}

#[test]
fn with_restart_when_accepted_the_server_runs_before_its_snapshot_is_completed() {
    let place = place("restart_when = \"accepted\"");
    assert_eq!(place.once().0, Some(0));
    let completed = &place.home.events("snapshot_completed")[0];
    let start = &place.home.events("start_intent")[0];
    assert!(start["seq"].as_u64() < completed["seq"].as_u64());
    assert_eq!(start["early"], serde_json::Value::Null);
    assert_eq!((place.status().as_str(), place.downs()), ("active", 1));
    place.verified();
}

#[test]
fn i20_a_server_that_was_already_stopped_gets_its_snapshot_and_stays_stopped() {
    let place = place("");
    place.provider.sandbox.set_server_status(SERVER, "stopped");
    assert_eq!(place.once().0, Some(0));
    assert_eq!(place.provider.names(SERVER), [daily_name(0)]);
    assert_eq!(place.status(), "stopped");
    assert_eq!(place.provider.sandbox.powered(), []);
    place.verified();
}

#[test]
fn i20_without_power_calls_at_the_provider_no_create_is_sent_and_the_alert_says_why() {
    for (call, status) in [
        (CallKind::Power, 404),
        (CallKind::Power, 405),
        (CallKind::Server, 404),
        (CallKind::Server, 405),
    ] {
        let place = place("");
        let fault = Fault::status(call, status);
        place.provider.sandbox.order(fault.forever());
        let (code, said) = place.once();
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(place.provider.sandbox.truth(SERVER), []);
        assert_eq!((place.status().as_str(), place.downs()), ("active", 0));
        let alerts = place.alerts("slot_failed");
        let named = alerts.iter().any(|reason| {
            reason.contains("doesn't support stopping the server")
                || reason.contains("doesn't report whether the server is running")
        });
        assert!(named, "{call:?} {status}: {alerts:?}");
        place.verified();
    }
}

#[test]
fn i20_whatever_happens_to_the_stop_the_server_runs_in_the_end() {
    let late = SignedDuration::from_millis(1200);
    let stop = |fault: Fault| fault.times(1);
    for (case, fault, snapshot) in [
        ("refused", stop(Fault::status(CallKind::Power, 400)), true),
        ("busy", stop(Fault::status(CallKind::Power, 409)), true),
        ("forbidden", stop(Fault::status(CallKind::Power, 403)), true),
        (
            "lost before",
            stop(Fault::status(CallKind::Power, 500)),
            true,
        ),
        (
            "lost after",
            stop(Fault::status(CallKind::Power, 500).done()),
            true,
        ),
        ("cut before", stop(Fault::cut(CallKind::Power)), true),
        ("cut after", stop(Fault::cut(CallKind::Power).done()), true),
        ("late", stop(Fault::hang(CallKind::Power).late(late)), true),
        (
            "without effect",
            stop(Fault::status(CallKind::Power, 200)),
            true,
        ),
        (
            "no answer about the state",
            Fault::status(CallKind::Server, 500).times(4),
            true,
        ),
        (
            "never stops",
            Fault::status(CallKind::Power, 200).times(30),
            false,
        ),
    ] {
        let place = place("");
        place.provider.sandbox.order(fault);
        let daemon = place.home.start(&["run"]);
        until(case, || {
            let over =
                place.home.events("slot_settled").len() + place.home.events("slot_given_up").len();
            let stops = place.home.events("stop_intent").len();
            let open = |event| place.home.events(event).len();
            over > 0
                && stops > 0
                && (open("start_confirmed") > 0 || open("start_intent") == 0)
                && place.status() == "active"
        });
        assert_eq!(daemon.stop(), Some(0), "{case}");
        let names = place.provider.names(SERVER);
        assert_eq!(!names.is_empty(), snapshot, "{case}: {names:?}");
        assert_eq!(place.status(), "active", "{case}");
        // A stop that takes effect after it was undone counts once more.
        let most = if case == "late" { 2 } else { 1 };
        assert!(place.downs() <= most, "{case}: {}", place.downs());
        place.verified();
    }
}

#[test]
fn i20_kills_at_any_point_leave_no_server_stopped_and_stop_none_twice_for_a_slot() {
    let kills = std::env::var("SNAPROTATE_KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    let each = kills.div_ceil(SERVICES);
    std::thread::scope(|scope| {
        for nth in 0..SERVICES {
            scope.spawn(move || kill(each, nth));
        }
    });
}

/// Kills a service the given number of times while it works.
fn kill(kills: usize, nth: usize) {
    let provider = Provider::start(SignedDuration::from_millis(150), Duration::from_millis(40));
    provider
        .sandbox
        .set_switches_after(SignedDuration::from_millis(60));
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let servers = [11, 12, 13];
    for id in servers {
        provider.sandbox.add_server(id, &format!("server-{id}"));
        // Slots are far enough apart that a slot has time left after a killed stop is undone.
        let text = policy(
            id,
            "*/20 * * * * *",
            "snapshot_name = \"tick-%Y%m%d-%H%M%S\"",
        );
        // Longer than many kills in a row take on a busy machine.
        let text = text.replace("stop_timeout = \"1s\"", "stop_timeout = \"5s\"");
        let text = text.replace("max_stopped = \"5s\"", "max_stopped = \"60s\"");
        home.policy(&format!("server-{id}"), &text);
    }
    for kill in 0..kills {
        let seen = home.records();
        let daemon = home.start(&["run"]);
        let records = seen + 1 + (kill + nth) % 9;
        let started = Instant::now();
        while home.records() < records && started.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(daemon);
    }
    let started = home.events("daemon_started").len();
    let last = home.start(&["run"]);
    until("the service runs", || {
        home.events("daemon_started").len() > started
    });
    let long = Duration::from_mins(4);
    within(
        long,
        "every server runs, and no start is outstanding",
        || {
            servers.iter().all(|id| {
                let of = |event| {
                    let all = home.events(event);
                    all.iter().filter(|record| record["server"] == *id).count()
                };
                let last = |event| {
                    let all = home.events(event);
                    let mut all = all.iter().filter(|record| record["server"] == *id);
                    all.next_back().and_then(|record| record["seq"].as_u64())
                };
                let runs = provider.sandbox.server_status(*id).as_deref() == Some("active");
                of("slot_settled") > 0 && runs && last("start_confirmed") > last("stop_intent")
            })
        },
    );
    assert_eq!(last.stop(), Some(0));
    for id in servers {
        let status = provider.sandbox.server_status(id);
        assert_eq!(status.as_deref(), Some("active"), "{id}");
        // The trail gives the slot of each stop, the stand-in the number of stops that took effect.
        let stops = home.events("stop_intent");
        let slots: std::collections::BTreeSet<_> = stops
            .iter()
            .filter(|record| record["server"] == id)
            .map(|record| record["snapshot"].to_string())
            .collect();
        // The next attempt of a slot stops the server again only if the policy's times ran out.
        let starts = home.events("start_intent");
        let undone = starts.iter().filter(|record| {
            let reason = record["reason"].as_str().unwrap_or_default();
            record["server"] == id
                && (reason.contains("max_stopped") || reason.contains("stop_timeout"))
        });
        let undone = undone.count();
        let switched = provider.sandbox.switched();
        let downs = switched
            .iter()
            .filter(|one| **one == (id, "stopped"))
            .count();
        assert!(
            downs <= slots.len() + undone,
            "{id}: {downs} of {slots:?}, {undone} undone"
        );
        let mut made = provider.sandbox.created(id);
        let all = made.len();
        made.sort();
        made.dedup();
        assert_eq!(made.len(), all, "no name was created twice on {id}");
    }
    let powered = provider.sandbox.powered();
    assert!(
        powered
            .iter()
            .all(|(_, action)| *action != PowerAction::HardStop)
    );
    verified(&home);
}
