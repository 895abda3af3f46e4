//! Processes that start, die and start again, and the disturbances around them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::crash::{CrashPoint, PlannedCrash, ProcessProgress};
use super::director_state::{Director, Disturbance, ProcessEnd};
use super::faulty_api::FaultyApi;
use super::hook_faults::{self, SimRunner};
use super::hook_ledger::HookLedger;
use super::ids;
use super::lies::Lies;
use super::provider::World;
use super::rng::Rng;
use super::rule_breaks::{altered_policy, altered_settings};
use super::world_setup::WorldSetup;
use super::{
    SimulationOptions, SimulationReport, audit_dir, final_checks, power_faults, state_dir,
};
use crate::audit::Trail;
use crate::audit::memory_disk::{Crash, MemoryDisk};
use crate::clock::Clock;
use crate::core::policy::{Policy, Rules};
use crate::engine::Engine;

/// Days without faults at the end, after which everything due must be settled.
const QUIET: SignedDuration = SignedDuration::from_hours(48);

/// The pause before the next process starts after a planned death.
const AFTER_DEATH: SignedDuration = SignedDuration::from_secs(10);

pub(super) fn direct(options: SimulationOptions) -> SimulationReport {
    let mut rng = Rng::new(options.seed);
    let mut setting = WorldSetup::draw(&mut rng);
    let holds = options
        .company
        .then(|| hook_faults::draw(&mut setting, options.seed));
    let machines = options
        .company
        .then(|| power_faults::draw(&mut setting, options.seed));
    let start = setting.start;
    let servers = setting.wanted.len();
    let quiet_from = start + SignedDuration::from_hours(24 * options.days);
    let mut world = World::new(setting, rng.clone(), MemoryDisk::default(), options.story);
    world.holds = HookLedger::new(holds.unwrap_or(Rng::new(0)));
    if let Some(machines) = machines {
        world.machines = machines;
    }
    if options.lying {
        world.lies = Some(Lies::draw(
            options.seed,
            servers as u64,
            start,
            options.days,
        ));
    }
    let mut director = Director::new(world, quiet_from, quiet_from + QUIET);
    director.draw(&mut rng, start, servers as u64);
    if options.company {
        director.draw_deeds(options.seed, start, servers as u64);
        director.draw_switches(options.seed, start, servers as u64);
    }
    director.live();
    let world = director.world();
    let hours = director.end.duration_since(start).as_hours() * i64::try_from(servers).unwrap_or(0);
    SimulationReport {
        violations: world.judge.violations.clone(),
        fired: world.fired.clone(),
        checked: world.judge.checked.clone(),
        server_hours: u64::try_from(hours).unwrap_or(0),
        processes: director.lives.len() as u64,
        trail: final_checks::trail_text(&director.disk),
        story: world.story.clone().unwrap_or_default(),
    }
}

impl Director {
    /// Creates a director whose only disturbance is the end. Everything due after `quiet_from` must
    /// be settled by `end`.
    pub(super) fn new(world: World, quiet_from: Timestamp, end: Timestamp) -> Self {
        let mut director = Self {
            disk: world.disk.clone(),
            chosen: vec![Some(0); world.servers.len()],
            world: Arc::new(Mutex::new(world)),
            events: BTreeMap::new(),
            nth: 0,
            crash: Crash::Killed,
            quiet_from,
            end,
            deaths: VecDeque::new(),
            lives: Vec::new(),
        };
        director.plan(end, Disturbance::End);
        director
    }

    /// Locks the world without applying due changes: between two processes there is no simulated
    /// clock.
    fn the_world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance();
        world
    }

    /// Runs one process after another.
    pub(super) fn live(&mut self) {
        loop {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            let Ok(runtime) = runtime else {
                self.world().violated(0, "no runtime");
                return;
            };
            let (ending, now) = runtime.block_on(async {
                self.world().begin();
                let before = self.disk.set().changes;
                let ending = self.process(before).await;
                (ending, self.world().now())
            });
            // Drops every task at the point where it waits.
            drop(runtime);
            let power_lost = matches!(&ending, ProcessEnd::Crash(how, _) if *how != Crash::Killed);
            self.the_world().holds.process_ended(power_lost);
            let pause = match ending {
                ProcessEnd::Over => return,
                ProcessEnd::Crash(how, pause) => {
                    self.disk.crash(how);
                    pause
                }
                ProcessEnd::Restart(pause) => pause,
                ProcessEnd::TrailLost => {
                    let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
                    // Without the trail and the state folder, the next start is a first start,
                    // which has no record of a call that is still in flight. The state folder
                    // therefore stays if there is such a call.
                    let mut servers = world.servers.keys();
                    let head_stays = servers.any(|server| world.pending(*server).next().is_some());
                    let state = (!head_stays).then(state_dir);
                    for dir in [Some(audit_dir()), state].into_iter().flatten() {
                        for file in self.disk.names(dir) {
                            self.disk.take(&file);
                        }
                    }
                    world.judge.trail_lost(head_stays);
                    if let Some(lies) = &mut world.lies {
                        lies.trail_lost();
                    }
                    world.holds.forgotten();
                    world.machines.forgotten();
                    world.wishes.forgotten();
                    SignedDuration::from_secs(30)
                }
            };
            self.disk.revive();
            // The quiet days must begin with a running process.
            let pause = pause
                .min(self.quiet_from.duration_since(now))
                .max(SignedDuration::ZERO);
            let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
            world.end(now, pause);
        }
    }

    pub(super) fn rules(&self) -> Rules {
        altered_settings(self.world().setting.rules.clone())
    }

    pub(super) fn policies(&self) -> Vec<Arc<Policy>> {
        let mut world = self.world();
        world.in_force.clear();
        let mut policies = Vec::new();
        for (index, chosen) in self.chosen.iter().enumerate() {
            let Some(chosen) = chosen else { continue };
            let (policy, view) = world.setting.wanted[index][*chosen].clone();
            let number = index as u64 + 1;
            ids::put_in_force(number, &policy.server);
            world.in_force.insert(number, view);
            policies.push(altered_policy(policy));
        }
        policies
    }

    async fn process(&mut self, before: u64) -> ProcessEnd {
        if let Some(death) = self.deaths.pop_front() {
            self.doom(death);
        }
        let (clock, stepper) = Clock::stepped(self.world().wall());
        let run = format!("run-{}", self.lives.len() + 1);
        let grace = self.rules().request_timeout;
        let opened = Trail::open_inline(
            Box::new(self.disk.clone()),
            audit_dir(),
            state_dir(),
            &run,
            clock.now().wall,
            grace,
        );
        let (trail, opened) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let what = format!("the trail can't be opened again: {error}");
                self.world().violated(0, &what);
                return ProcessEnd::Over;
            }
        };
        let opening = self.disk.set().changes - before;
        self.world().tell(|| format!("process  {run} begins"));
        let api = Arc::new(FaultyApi::new(&self.world));
        let engine = Engine::new(
            api,
            trail.clone(),
            clock,
            opened,
            self.rules(),
            self.policies(),
        );
        engine.run_hooks_by(Arc::new(SimRunner(Arc::clone(&self.world))));
        engine.look_rarely(SignedDuration::from_mins(10));
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            async move { engine.run(stop).await }
        });
        let died = Arc::clone(&self.world().died);
        let mut ending = loop {
            let Some((at, nth)) = self.events.keys().next().copied() else {
                break ProcessEnd::Over;
            };
            let left = at.duration_since(self.world().now());
            let left = Duration::try_from(left).unwrap_or_default();
            tokio::select! {
                biased;
                () = self.death(&died) => {
                    if self.world().judge.enough {
                        return ProcessEnd::Over;
                    }
                    break ProcessEnd::Crash(self.crash, AFTER_DEATH);
                }
                () = tokio::time::sleep(left) => {}
            }
            let Some(event) = self.events.remove(&(at, nth)) else {
                continue;
            };
            if let Some(ending) = self.perform(event, &engine, &stepper) {
                break ending;
            }
        };
        let life = ProcessProgress {
            changes: self.disk.set().changes - before,
            opening,
            ..self.world().life
        };
        self.lives.push(life);
        if !matches!(ending, ProcessEnd::Crash(..)) {
            stop.cancel();
            // The process may still die during the call that it waits for.
            tokio::select! {
                biased;
                () = self.death(&died) => ending = ProcessEnd::Crash(self.crash, AFTER_DEATH),
                end = running => {
                    if end.is_err() {
                        self.world().violated(0, "the engine panicked");
                    }
                    trail.close().await;
                }
            }
        }
        if matches!(ending, ProcessEnd::Over) {
            final_checks::judge(&mut self.world(), &self.disk, self.quiet_from, &self.chosen);
        }
        ending
    }

    /// Waits until the process dies.
    async fn death(&self, died: &Notify) {
        died.notified().await;
        // A late notification about the previous process is not the death of this one.
        while !self.disk.set().dead {
            died.notified().await;
        }
        if !self.world().judge.enough {
            self.world().tell(|| "process  dies".to_owned());
            self.world().fire("crash: between intent and outcome");
        }
    }

    /// Plans the death of the current process.
    pub(super) fn doom(&mut self, death: PlannedCrash) {
        self.crash = death.crash;
        match death.point {
            CrashPoint::Change(nth) => self.disk.set().changes_left = Some(nth),
            CrashPoint::Call(doomed) => self.world().doom = Some(doomed),
        }
    }
}
