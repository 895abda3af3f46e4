//! Hooks: the rotations that have them, and a runner that fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;

use super::hook_ledger::HeldServer;
use super::ids;
use super::provider::World;
use super::rng::Rng;
use super::world_setup::WorldSetup;
use crate::core::policy::{Hooks, Policy, ReleaseWhen};
use crate::core::server_event::HookOutcome;
use crate::hooks::{BoxedFuture, HookJob, HookReport, Runner, RunnerHandle, RunnerLease};

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// The time limit of one run.
const LIMIT: SignedDuration = SignedDuration::from_mins(1);

/// Gives some rotations hooks.
pub(super) fn draw(setting: &mut WorldSetup, seed: u64) -> Rng {
    let mut rng = Rng::new(seed ^ 0x0068_6f6f_6b73);
    for (policy, view) in setting.wanted.iter_mut().flatten() {
        let mut hooked = Policy::clone(policy);
        for (rotation, view) in hooked.rotations.iter_mut().zip(&mut view.rotations) {
            if !rng.chance(300) {
                continue;
            }
            view.hooked = true;
            let argv = |hook: &str| Some(vec![hook.to_owned()]);
            rotation.hooks = Some(Arc::new(Hooks {
                before: argv("before"),
                after: argv("after"),
                timeout: LIMIT,
                go_on: rng.chance(300),
                release: if rng.chance(300) {
                    ReleaseWhen::Accepted
                } else {
                    ReleaseWhen::Completed
                },
                max_hold: SignedDuration::from_mins(rng.pick(&[5, 20, 60])),
            }));
        }
        *policy = Arc::new(hooked);
    }
    rng
}

impl World {
    /// Returns the duration and the outcome of one run. `bad` lists the faults with their odds in a
    /// thousand.
    fn run(&mut self, bad: &[(u64, &'static str, HookOutcome)]) -> (SignedDuration, HookOutcome) {
        if self.quiet {
            return (SECOND, HookOutcome::Done);
        }
        let time = self.holds.rng.time(SECOND, 30 * SECOND);
        let mut drawn = self.holds.rng.below(1000);
        for (share, kind, ran) in bad {
            if drawn < *share {
                self.fire(kind);
                let hangs = kind.ends_with("hangs");
                return (if hangs { LIMIT } else { time }, *ran);
            }
            drawn -= share;
        }
        (time, HookOutcome::Done)
    }

    fn before(&mut self, job: &HookJob) -> (SignedDuration, HookOutcome) {
        let server = ids::number(&job.server);
        let bad = [
            (40, "hook: before can't be started", HookOutcome::NotStarted),
            (100, "hook: before fails", HookOutcome::Failed),
            (30, "hook: before hangs", HookOutcome::Failed),
        ];
        let (time, ran) = self.run(&bad);
        self.judge
            .checked
            .entry("hooks")
            .and_modify(|n| *n += 1)
            .or_insert(1);
        self.holds.excused.remove(&server);
        self.judge.hooked(server);
        if ran == HookOutcome::NotStarted {
            if self.hooks(job).any(|hooks| hooks.go_on) {
                let excused = &mut self.holds.excused;
                excused.insert(server, job.snapshot.clone().into());
            } else {
                self.judge.unhooked(server);
            }
        } else {
            if self.holds.held.contains_key(&server) {
                self.violated(server, "hooks: before on a server that is held already");
            }
            let held = HeldServer {
                snapshot: job.snapshot.clone().into(),
                since: self.now(),
                leased: true,
            };
            self.holds.held.insert(server, held);
        }
        self.tell(|| format!("before   server {}: {ran:?} for {}", server, job.snapshot));
        (time, ran)
    }

    fn after(&mut self, server: u64) -> (SignedDuration, HookOutcome) {
        let bad = [
            (120, "hook: after fails", HookOutcome::Failed),
            (30, "hook: after hangs", HookOutcome::Failed),
        ];
        let (time, ran) = self.run(&bad);
        self.tell(|| format!("after    server {server}: {ran:?}"));
        self.judge.unhooked(server);
        if let Some(held) = self.holds.held.get_mut(&server) {
            held.leased = false;
        }
        if ran == HookOutcome::Done {
            self.holds.held.remove(&server);
        }
        (time, ran)
    }

    /// Returns the hooks of each policy that the server may have: a reload may come between a
    /// decision and its `before`.
    fn hooks(&self, job: &HookJob) -> impl Iterator<Item = &Hooks> {
        let index = usize::try_from(ids::number(&job.server) - 1).unwrap_or(0);
        let wanted = self.setting.wanted.get(index).into_iter().flatten();
        let rotations = wanted.flat_map(|(policy, _)| &policy.rotations);
        let named = rotations.filter(|rotation| rotation.name == job.rotation);
        named.filter_map(|rotation| rotation.hooks.as_deref())
    }
}

/// A runner of hooks in the simulated world.
#[derive(Clone)]
pub(super) struct SimRunner(pub(super) Arc<Mutex<World>>);

impl SimRunner {
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance();
        world
    }

    async fn takes(&self, time: SignedDuration) {
        let time = std::time::Duration::try_from(time).unwrap_or_default();
        tokio::time::sleep(time).await;
    }

    /// Holds the server until the lease is released or dropped, or until `max_hold` has elapsed,
    /// and then runs `after`.
    async fn hold(self, job: HookJob, leased: RunnerHandle) {
        let longest = self
            .world()
            .hooks(&job)
            .next()
            .map_or(LIMIT, |hooks| hooks.max_hold);
        let RunnerHandle { released, ended } = leased;
        let mut early = true;
        tokio::select! {
            biased;
            why = released => early = why.is_err(),
            () = self.takes(longest) => {}
        }
        let (time, ran) = self.world().after(ids::number(&job.server));
        self.takes(time).await;
        let _gone = ended.send(report(ran, early));
    }
}

fn report(ran: HookOutcome, early: bool) -> HookReport {
    HookReport {
        ran,
        reason: format!("{ran:?}"),
        said: String::new(),
        early,
    }
}

impl Runner for SimRunner {
    fn begin(&self, job: HookJob) -> BoxedFuture<'_, (HookReport, Option<RunnerLease>)> {
        Box::pin(async move {
            let (time, ran) = self.world().before(&job);
            self.takes(time).await;
            if ran == HookOutcome::NotStarted {
                return (report(ran, false), None);
            }
            let (lease, leased) = RunnerLease::new();
            tokio::spawn(self.clone().hold(job, leased));
            (report(ran, false), Some(lease))
        })
    }

    fn after(&self, job: HookJob, _why: String) -> BoxedFuture<'_, HookReport> {
        Box::pin(async move {
            let (time, ran) = self.world().after(ids::number(&job.server));
            self.takes(time).await;
            report(ran, false)
        })
    }
}
