//! Processes that begin, die and begin again, and what happens around them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::api::SimApi;
use super::death::{Death, Doom, Doomed, Life, Point};
use super::provider::World;
use super::rng::Rng;
use super::setting::Setting;
use super::{Options, Report, audit_dir, end, state_dir};
use crate::audit::Trail;
use crate::audit::mem::{Crash, MemDisk};
use crate::clock::{Clock, Stepper};
use crate::core::policy::{Policy, Rules};
use crate::engine::Engine;

/// Days without faults at the end, after which everything due must be settled.
const QUIET: SignedDuration = SignedDuration::from_hours(48);

/// Something that happens around the process.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Killed, or the power fails; it begins again after the pause.
    Crash(Crash, SignedDuration),
    /// Dies in one of the next mutations or changes of the disk.
    Doomed(Death),
    /// Stopped and started in good order.
    Restart(SignedDuration),
    /// The disk holds this much more, for a while.
    DiskFull(usize),
    DiskFree,
    SyncsFail(u32),
    /// The wall clock is set.
    Step(SignedDuration),
    /// The host sleeps.
    Sleep(SignedDuration),
    /// Another policy for this server, or none for a while.
    Reload(u64, Option<usize>),
    TokenRefused,
    TokenTaken,
    /// Stopped; somebody removes the trail and the state folder; started.
    TrailLost,
    PersonAdds(u64),
    PersonTakes(u64),
    /// A person makes a snapshot with the next slot's name.
    PersonForestalls(u64),
    /// A server has another name for a while.
    Renamed(u64),
    NamedBack(u64),
    Quiet,
    End,
}

/// How a process ends.
enum Ending {
    Crash(Crash, SignedDuration),
    Restart(SignedDuration),
    TrailLost,
    Over,
}

pub(super) struct Director {
    world: Arc<Mutex<World>>,
    pub(super) disk: MemDisk,
    events: BTreeMap<(Timestamp, u64), Event>,
    nth: u64,
    /// Which policy of each server is in force.
    chosen: Vec<Option<usize>>,
    /// How the disk is found after the death that was announced.
    crash: Crash,
    quiet_from: Timestamp,
    end: Timestamp,
    /// The deaths of the next processes, one each.
    pub(super) deaths: VecDeque<Death>,
    /// The processes that lived.
    pub(super) lives: Vec<Life>,
}

pub(super) fn direct(options: Options) -> Report {
    let mut rng = Rng::new(options.seed);
    let setting = Setting::draw(&mut rng);
    let start = setting.start;
    let servers = setting.wanted.len();
    let quiet_from = start + SignedDuration::from_hours(24 * options.days);
    let world = World::new(setting, rng.clone(), MemDisk::default(), options.story);
    let mut director = Director::new(world, quiet_from, quiet_from + QUIET);
    director.draw(&mut rng, start, servers as u64);
    director.live();
    let world = director.world();
    let hours = director.end.duration_since(start).as_hours() * i64::try_from(servers).unwrap_or(0);
    Report {
        violations: world.judge.violations.clone(),
        fired: world.fired.clone(),
        checked: world.judge.checked.clone(),
        server_hours: u64::try_from(hours).unwrap_or(0),
        processes: director.lives.len() as u64,
        trail: end::trail_text(&director.disk),
        story: world.story.clone().unwrap_or_default(),
    }
}

impl Director {
    /// Nothing happens but the end; what is due after `quiet_from` must be settled by then.
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
        director.plan(end, Event::End);
        director
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance();
        world
    }

    fn plan(&mut self, at: Timestamp, event: Event) {
        self.nth += 1;
        self.events.insert((at, self.nth), event);
    }

    /// Draws what will happen, and when.
    fn draw(&mut self, rng: &mut Rng, start: Timestamp, servers: u64) {
        let (minute, hour) = (SignedDuration::from_mins(1), SignedDuration::from_hours(1));
        let span = self.quiet_from.duration_since(start);
        let wild = rng.below(4);
        for _ in 0..rng.below(12 * wild + 1) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let how = rng.pick(&[Crash::Killed, Crash::Lost, Crash::Torn, Crash::Holes]);
            let point = rng.pick(&[Doom::BeforeCall, Doom::InCall, Doom::AfterCall]);
            let pause = rng.time(SignedDuration::from_secs(1), 5 * minute);
            let event = match rng.below(5) {
                0 => Event::Crash(how, pause),
                1 => Event::Crash(how, rng.time(minute, 60 * hour)),
                2 => Event::Doomed(Death {
                    point: Point::Change(rng.below(20)),
                    crash: how,
                }),
                _ => Event::Doomed(Death {
                    point: Point::Call(Doomed {
                        nth: 1 + rng.below(3),
                        at: point,
                        effect: None,
                    }),
                    crash: how,
                }),
            };
            self.plan(at, event);
        }
        for _ in 0..rng.below(10) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let server = 1 + rng.below(servers);
            let time = rng.time(minute, 10 * hour);
            let event = match rng.below(8) {
                0 => Event::Restart(rng.time(SignedDuration::from_secs(1), 30 * hour)),
                1 | 2 => {
                    let full = usize::try_from(rng.below(2000)).unwrap_or(0);
                    self.plan(at + time, Event::DiskFree);
                    Event::DiskFull(full)
                }
                3 => Event::SyncsFail(u32::try_from(1 + rng.below(4)).unwrap_or(1)),
                4 => {
                    self.plan(at + time, Event::TokenTaken);
                    Event::TokenRefused
                }
                5 if rng.chance(300) => {
                    self.plan(at + time, Event::Reload(server, Some(0)));
                    Event::Reload(server, None)
                }
                5 => Event::Reload(server, Some(usize::try_from(rng.below(2)).unwrap_or(0))),
                6 => {
                    self.plan(at + time, Event::NamedBack(server));
                    Event::Renamed(server)
                }
                _ if rng.chance(200) => Event::TrailLost,
                _ => Event::Sleep(rng.time(minute, 80 * hour)),
            };
            self.plan(at, event);
        }
        // In some seeds only: an odd clock blocks everything for long.
        for _ in 0..rng.below(8).saturating_sub(3) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let by = match rng.below(4) {
                0 => rng.time(-8 * minute, 8 * minute),
                1 => rng.time(-30 * hour, SignedDuration::ZERO),
                2 => rng.time(SignedDuration::ZERO, 30 * hour),
                _ => rng.time(-2 * hour, 2 * hour),
            };
            self.plan(at, Event::Step(by));
        }
        for _ in 0..rng.below(servers * 8) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let server = 1 + rng.below(servers);
            let event = match rng.below(5) {
                0..2 => Event::PersonAdds(server),
                2..4 => Event::PersonTakes(server),
                _ => Event::PersonForestalls(server),
            };
            self.plan(at, event);
        }
        self.plan(self.quiet_from, Event::Quiet);
    }

    /// One process after the other.
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
            // Every task is dropped where it waits.
            drop(runtime);
            let pause = match ending {
                Ending::Over => return,
                Ending::Crash(how, pause) => {
                    self.disk.crash(how);
                    pause
                }
                Ending::Restart(pause) => pause,
                Ending::TrailLost => {
                    for dir in [audit_dir(), state_dir()] {
                        for file in self.disk.names(dir) {
                            self.disk.take(&file);
                        }
                    }
                    let mut world = self.world();
                    world.judge.trail_lost();
                    SignedDuration::from_secs(30)
                }
            };
            self.disk.revive();
            // The quiet days find a process.
            let pause = pause
                .min(self.quiet_from.duration_since(now))
                .max(SignedDuration::ZERO);
            let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
            world.end(now, pause);
        }
    }

    fn rules(&self) -> Rules {
        self.world().setting.rules.clone()
    }

    fn policies(&self) -> Vec<Arc<Policy>> {
        let mut world = self.world();
        world.in_force.clear();
        let mut policies = Vec::new();
        for (index, chosen) in self.chosen.iter().enumerate() {
            let Some(chosen) = chosen else { continue };
            let (policy, view) = world.setting.wanted[index][*chosen].clone();
            world.in_force.insert(index as u64 + 1, view);
            policies.push(policy);
        }
        policies
    }

    async fn process(&mut self, before: u64) -> Ending {
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
                return Ending::Over;
            }
        };
        let opening = self.disk.set().changes - before;
        self.world().tell(|| format!("process  {run} begins"));
        let api = Arc::new(SimApi::new(&self.world));
        let engine = Engine::new(
            api,
            trail.clone(),
            clock,
            opened,
            self.rules(),
            self.policies(),
        );
        engine.look_rarely(SignedDuration::from_mins(10));
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (engine, stop) = (Arc::clone(&engine), stop.clone());
            async move { engine.run(stop).await }
        });
        let died = Arc::clone(&self.world().died);
        let ending = loop {
            let Some((at, nth)) = self.events.keys().next().copied() else {
                break Ending::Over;
            };
            let left = at.duration_since(self.world().now());
            let left = Duration::try_from(left).unwrap_or_default();
            tokio::select! {
                biased;
                () = died.notified() => {
                    // What one process is told late is not the death of the next.
                    if !self.disk.set().dead {
                        continue;
                    }
                    if self.world().judge.enough {
                        return Ending::Over;
                    }
                    let pause = SignedDuration::from_secs(10);
                    self.world().tell(|| "process  dies".to_owned());
                    self.world().fire("crash: between intent and outcome");
                    break Ending::Crash(self.crash, pause);
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
        let life = Life {
            changes: self.disk.set().changes - before,
            opening,
            ..self.world().life
        };
        self.lives.push(life);
        if !matches!(ending, Ending::Crash(..)) {
            stop.cancel();
            if running.await.is_err() {
                self.world().violated(0, "the engine broke");
            }
            trail.close().await;
        }
        if matches!(ending, Ending::Over) {
            end::judge(&mut self.world(), &self.disk, self.quiet_from, &self.chosen);
        }
        ending
    }

    /// This will be the death of the process.
    fn doom(&mut self, death: Death) {
        self.crash = death.crash;
        match death.point {
            Point::Change(nth) => self.disk.set().changes_left = Some(nth),
            Point::Call(doomed) => self.world().doom = Some(doomed),
        }
    }

    fn perform(
        &mut self,
        event: Event,
        engine: &Arc<Engine<SimApi>>,
        stepper: &Stepper,
    ) -> Option<Ending> {
        self.world().tell(|| format!("event    {event:?}"));
        match event {
            Event::Crash(how, pause) => {
                self.world().fire("crash: at any time");
                return Some(Ending::Crash(how, pause));
            }
            Event::Doomed(death) => self.doom(death),
            Event::Restart(pause) => {
                self.world().fire("restart in good order");
                return Some(Ending::Restart(pause));
            }
            Event::DiskFull(room) => {
                self.world().fire("disk: full");
                self.disk.set().room = Some(room);
            }
            Event::DiskFree => self.disk.set().room = None,
            Event::SyncsFail(times) => {
                self.world().fire("disk: failing syncs");
                self.disk.set().failing_syncs = times;
            }
            Event::Step(by) => {
                self.world().fire("clock: set");
                self.world().ahead += by;
                stepper.step(by);
                engine.wake();
            }
            Event::Sleep(time) => {
                let left = self.quiet_from.duration_since(self.world().now());
                let time = time.min(left);
                self.world().fire("clock: host slept");
                self.world().sleep(time);
                stepper.step(time);
                engine.wake();
            }
            Event::Reload(server, chosen) => {
                self.world().fire("reload");
                let index = usize::try_from(server - 1).unwrap_or(0);
                self.chosen[index] = chosen;
                engine.reload(self.rules(), self.policies());
            }
            Event::TokenRefused => {
                self.world().fire("account: 401");
                self.world().token_refused = true;
            }
            Event::TokenTaken => self.world().token_refused = false,
            Event::TrailLost => {
                self.world().fire("disk: trail lost");
                return Some(Ending::TrailLost);
            }
            Event::PersonAdds(server) => {
                let mut world = self.world();
                let name = format!("by-hand-{}", world.rng.below(1_000_000));
                if world.by_hand(server, &name) {
                    world.fire("person: adds");
                }
            }
            Event::PersonTakes(server) => {
                let mut world = self.world();
                if world.take_by_hand(server) {
                    world.fire("person: deletes");
                }
            }
            Event::PersonForestalls(server) => self.forestall(server),
            Event::Renamed(server) => self.rename(server, "another-server".to_owned()),
            Event::NamedBack(server) => self.rename(server, format!("server-{server}")),
            Event::Quiet => self.quiet(engine, stepper),
            Event::End => return Some(Ending::Over),
        }
        None
    }

    fn forestall(&self, server: u64) {
        let index = usize::try_from(server - 1).unwrap_or(0);
        let mut world = self.world();
        let now = world.now();
        let rotation = &world.setting.wanted[index][0].0.rotations[0];
        let Some(slot) = rotation.schedule.next(now) else {
            return;
        };
        let name = rotation.pattern.format(slot.local);
        if world.by_hand(server, &name) {
            world.fire("person: makes the next slot's");
        }
    }

    fn rename(&self, server: u64, name: String) {
        let mut world = self.world();
        world.fire("server: renamed");
        if let Some(server) = world.servers.get_mut(&server) {
            server.name = name;
        }
    }

    /// From here on nothing goes wrong.
    fn quiet(&mut self, engine: &Arc<Engine<SimApi>>, stepper: &Stepper) {
        let ahead = {
            let mut world = self.world();
            world.quiet = true;
            world.token_refused = false;
            world.doom = None;
            for (id, server) in &mut world.servers {
                server.name = format!("server-{id}");
            }
            std::mem::take(&mut world.ahead)
        };
        stepper.step(-ahead);
        {
            let mut disk = self.disk.set();
            disk.room = None;
            disk.failing_syncs = 0;
            disk.changes_left = None;
        }
        for chosen in &mut self.chosen {
            *chosen = chosen.or(Some(0));
        }
        self.events.retain(|_, event| matches!(event, Event::End));
        engine.reload(self.rules(), self.policies());
    }
}
