//! A hook runner that follows a script and records which servers are held.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::support::{MINUTE, Running, Scene};
use crate::clock::Clock;
use crate::core::policy::{Hooks, Policy, ReleaseWhen};
use crate::core::server_event::HookOutcome;
use crate::core::snapshot::ServerId;
use crate::engine::lock;
use crate::hooks::{BoxedFuture, HookJob, HookReport, Runner, RunnerLease};

pub(super) const SECOND: SignedDuration = SignedDuration::from_secs(1);
pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Maps a hook's name to how long its run takes and how it ends.
type Script = Box<dyn FnMut(&str) -> (SignedDuration, HookOutcome) + Send>;

/// A hook runner that follows a script and records which servers are held.
struct Hands(Arc<Inner>);

pub(super) struct Inner {
    clock: Clock,
    said: Mutex<Vec<String>>,
    held: Mutex<BTreeSet<ServerId>>,
    script: Mutex<Script>,
    /// Set if a lease's runner is lost after `before`.
    pub(super) lost: AtomicBool,
    /// Set if the runner ran `after` before it was asked to.
    pub(super) early: AtomicBool,
}

impl Inner {
    pub(super) fn held(&self) -> usize {
        lock(&self.held).len()
    }

    async fn run(&self, hook: &str, job: &HookJob) -> HookReport {
        let (time, ran) = lock(&self.script)(hook);
        {
            let mut held = lock(&self.held);
            match hook {
                "before" if ran == HookOutcome::NotStarted => {}
                "before" => assert!(
                    held.insert(job.server.clone()),
                    "the server is already held"
                ),
                _ if ran == HookOutcome::Done => drop(held.remove(&job.server)),
                _ => {}
            }
        }
        lock(&self.said).push(format!("{hook} {}", job.server));
        self.clock.sleep(time).await;
        HookReport {
            ran,
            reason: format!("{hook} said so"),
            said: String::new(),
            early: hook == "after" && self.early.load(Relaxed),
        }
    }
}

impl Runner for Hands {
    fn begin(&self, job: HookJob) -> BoxedFuture<'_, (HookReport, Option<RunnerLease>)> {
        Box::pin(async move {
            let report = self.0.run("before", &job).await;
            if report.ran == HookOutcome::NotStarted {
                return (report, None);
            }
            let (lease, leased) = RunnerLease::new();
            if self.0.lost.load(Relaxed) {
                return (report, Some(lease));
            }
            let inner = Arc::clone(&self.0);
            tokio::spawn(async move {
                let hook = match leased.released.await {
                    Ok(_) => "after",
                    Err(_) => "after (dropped)",
                };
                let _gone = leased.ended.send(inner.run(hook, &job).await);
            });
            (report, Some(lease))
        })
    }

    fn after(&self, job: HookJob, _why: String) -> BoxedFuture<'_, HookReport> {
        Box::pin(async move { self.0.run("after (again)", &job).await })
    }
}

pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) hands: Arc<Inner>,
    hooks: Hooks,
}

impl Stage {
    pub(super) fn new(servers: impl IntoIterator<Item = u64>) -> Self {
        Self::with(servers, |_| {})
    }

    pub(super) fn with(
        servers: impl IntoIterator<Item = u64>,
        change: impl FnOnce(&mut Hooks),
    ) -> Self {
        let servers: Vec<u64> = servers.into_iter().collect();
        let scene = Scene::new(servers);
        let hands = Arc::new(Inner {
            clock: scene.clock.clone(),
            said: Mutex::default(),
            held: Mutex::default(),
            script: Mutex::new(Box::new(|_| (SECOND, HookOutcome::Done))),
            lost: AtomicBool::new(false),
            early: AtomicBool::new(false),
        });
        let mut hooks = Hooks {
            before: Some(vec!["/bin/freeze".to_owned()]),
            after: Some(vec!["/bin/thaw".to_owned()]),
            timeout: MINUTE,
            go_on: false,
            release: ReleaseWhen::Completed,
            max_hold: HOUR,
        };
        change(&mut hooks);
        let stage = Self {
            scene,
            hands,
            hooks,
        };
        stage.begin();
        stage
    }

    /// Adds hooks to the policies in force, and sets the runner that runs these hooks.
    pub(super) fn begin(&self) {
        let engine = &self.scene.engine;
        engine.run_hooks_by(Arc::new(Hands(Arc::clone(&self.hands))));
        let policies = engine.policies();
        let hooked = policies.values().map(|policy| {
            let mut policy = Policy::clone(policy);
            policy.rotations[0].hooks = Some(Arc::new(self.hooks.clone()));
            Arc::new(policy)
        });
        let hooked = hooked.collect();
        engine.reload(self.scene.rules.clone(), hooked);
    }

    pub(super) fn script(
        &self,
        script: impl FnMut(&str) -> (SignedDuration, HookOutcome) + Send + 'static,
    ) {
        *lock(&self.hands.script) = Box::new(script);
    }

    pub(super) fn said(&self) -> Vec<String> {
        lock(&self.hands.said).clone()
    }

    pub(super) fn held(&self) -> usize {
        self.hands.held()
    }

    pub(super) fn ran(&self, hook: &str) -> usize {
        let said = self.said();
        said.iter().filter(|line| line.starts_with(hook)).count()
    }

    /// Ends the process without a shutdown, and starts another.
    pub(super) async fn crash(&mut self, running: Running) -> Running {
        running.task.abort();
        let _aborted = running.task.await;
        let servers: Vec<u64> = self
            .scene
            .engine
            .policies()
            .keys()
            .map(|id| id.number().unwrap())
            .collect();
        self.scene.restart(servers);
        self.begin();
        self.scene.run()
    }
}
