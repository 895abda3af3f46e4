//! An engine with a scripted provider and a trail on an in-memory disk. Tokio's time is paused.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::provider::Provider;
use crate::audit::memory_disk::MemoryDisk;
use crate::audit::{OpenedTrail, Trail};
use crate::clock::{Clock, Stepper};
use crate::core::name_pattern::Pattern;
use crate::core::policy::{Policy, ReleaseWhen, Rules, StopServer};
use crate::core::test_provider;
use crate::engine::Engine;

/// An hour after the daily slot.
pub(super) const BASE: &str = "2026-11-25T04:00:00Z";
/// Name of the newest due slot's snapshot.
pub(super) const TODAY: &str = "daily-2026-11-25";
pub(super) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// An engine, and the provider, disk and clock that it uses.
pub(super) struct Scene {
    pub provider: Arc<Provider>,
    pub disk: MemoryDisk,
    pub clock: Clock,
    pub stepper: Stepper,
    pub engine: Arc<Engine<Provider>>,
    pub rules: Rules,
}

/// A running engine.
pub(super) struct Running {
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Scene {
    /// Creates a scene in which each of these servers has a daily rotation that keeps 2 snapshots.
    pub(super) fn new(servers: impl IntoIterator<Item = u64>) -> Self {
        let (clock, stepper) = Clock::stepped(BASE.parse().unwrap());
        let provider = Arc::new(Provider::new(clock.clone()));
        let disk = MemoryDisk::default();
        let rules = test_provider::rules();
        let engine = engine(&provider, &disk, &clock, &rules, servers);
        Self {
            provider,
            disk,
            clock,
            stepper,
            engine,
            rules,
        }
    }

    /// Like [`Self::new`], for `once`.
    pub(super) fn once(servers: impl IntoIterator<Item = u64>) -> Self {
        let mut scene = Self::new([]);
        scene.rules.count_all = true;
        scene.rules.due_until = Some(scene.clock.now().wall);
        scene.restart(servers);
        scene
    }

    /// Simulates a restart: creates a new engine on the same disk, with these policies.
    pub(super) fn restart(&mut self, servers: impl IntoIterator<Item = u64>) {
        self.engine = engine(
            &self.provider,
            &self.disk,
            &self.clock,
            &self.rules,
            servers,
        );
    }

    pub(super) fn reload(&self, servers: impl IntoIterator<Item = u64>) {
        let policies = servers.into_iter().map(policy).collect();
        self.engine.reload(self.rules.clone(), policies);
    }

    /// Reloads the policy of server 1, and that of server 2 under this server id.
    pub(super) fn reload_second_as(&self, id: u64) {
        let mut second = Policy::clone(&policy(2));
        second.server = id.into();
        self.engine
            .reload(self.rules.clone(), vec![policy(1), Arc::new(second)]);
    }

    /// Reloads server 1 with this schedule and with names that contain the time of day.
    pub(super) fn reload_timed(&self, schedule: &str) {
        let mut policy = Policy::clone(&policy(1));
        let mut rotation = test_provider::rotation("daily", schedule, 2);
        let pattern = Pattern::new("daily-%Y-%m-%d-%H%M", "daily");
        rotation.pattern = pattern.expect("a pattern");
        policy.rotations = vec![rotation];
        self.engine
            .reload(self.rules.clone(), vec![Arc::new(policy)]);
    }

    /// Reloads server 1 with a rotation that stops it for its snapshots.
    pub(super) fn reload_stopping(&self) {
        let mut policy = Policy::clone(&policy(1));
        policy.rotations[0].stop = Some(Box::new(StopServer {
            timeout: 10 * MINUTE,
            restart: ReleaseWhen::Completed,
            longest: 60 * MINUTE,
        }));
        self.engine
            .reload(self.rules.clone(), vec![Arc::new(policy)]);
    }

    pub(super) fn run(&self) -> Running {
        let stop = CancellationToken::new();
        let (engine, until) = (Arc::clone(&self.engine), stop.clone());
        let task = tokio::spawn(async move { engine.run(until).await });
        Running { stop, task }
    }

    /// Lets this much time pass.
    pub(super) async fn pass(&self, time: SignedDuration) {
        self.clock.sleep(time).await;
    }

    /// Returns the records of this event in the trail's file for November 2026.
    pub(super) fn events(&self, event: &str) -> Vec<Value> {
        let path = Path::new("/audit/audit-2026-11.jsonl");
        let text = self.disk.text(path);
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
        records
            .filter(|record: &Value| record["event"] == event)
            .collect()
    }

    /// Returns the raised alerts, each as its name and its subject, except those about copies.
    pub(super) fn raised(&self) -> Vec<String> {
        self.alerts("alert_raised")
    }

    pub(super) fn cleared(&self) -> Vec<String> {
        self.alerts("alert_cleared")
    }

    fn alerts(&self, event: &str) -> Vec<String> {
        let text = |record: &Value, key: &str| record[key].as_str().unwrap().to_owned();
        let alerts = self.events(event);
        // The alerts about copies have tests of their own.
        let of_copies = |alert: &&Value| alert["alert"] == "no_copy" || alert["alert"] == "stale";
        alerts
            .iter()
            .filter(|alert| !of_copies(alert))
            .map(|a| format!("{} {}", text(a, "alert"), text(a, "about")))
            .collect()
    }

    /// Returns the servers that hold today's snapshot.
    pub(super) fn made(&self) -> BTreeSet<u64> {
        self.provider.holding(TODAY)
    }
}

impl Running {
    pub(super) async fn ends(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn engine(
    provider: &Arc<Provider>,
    disk: &MemoryDisk,
    clock: &Clock,
    rules: &Rules,
    servers: impl IntoIterator<Item = u64>,
) -> Arc<Engine<Provider>> {
    let (trail, mut opened) = open(disk, clock);
    // Simulates a trail that an earlier process began.
    opened.begins = false;
    Engine::new(
        Arc::clone(provider),
        trail,
        clock.clone(),
        opened,
        rules.clone(),
        servers.into_iter().map(policy).collect(),
    )
}

/// Returns an engine that finds no trail.
pub(super) fn first(scene: &Scene, server: u64) -> Arc<Engine<Provider>> {
    let (trail, opened) = open(&scene.disk, &scene.clock);
    let (provider, clock) = (Arc::clone(&scene.provider), scene.clock.clone());
    let policies = vec![policy(server)];
    Engine::new(
        provider,
        trail,
        clock,
        opened,
        scene.rules.clone(),
        policies,
    )
}

/// Opens the trail as the service does when it starts.
pub(super) fn open(disk: &MemoryDisk, clock: &Clock) -> (Trail, OpenedTrail) {
    Trail::open_inline(
        Box::new(disk.clone()),
        Path::new("/audit"),
        Path::new("/state"),
        "test",
        clock.now().wall,
        test_provider::rules().request_timeout,
    )
    .unwrap()
}

fn policy(server: u64) -> Arc<Policy> {
    Arc::new(Policy {
        file: format!("server-{server}"),
        name: Some(format!("server-{server}")),
        ..test_provider::policy(
            server,
            vec![test_provider::rotation("daily", "0 3 * * *", 2)],
        )
    })
}
