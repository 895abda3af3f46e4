//! Events that a process can't influence: drawn beforehand, performed at their times.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::crash::{CallCrash, CrashPhase, CrashPoint, PlannedCrash};
use super::director_state::{Director, Disturbance, ProcessEnd};
use super::faulty_api::FaultyApi;
use super::ids;
use super::rng::Rng;
use super::true_state::TrueSnapshot;
use super::world_setup::ONLY_ID;
use crate::audit::memory_disk::Crash;
use crate::clock::Stepper;
use crate::engine::Engine;

impl Director {
    pub(super) fn plan(&mut self, at: Timestamp, event: Disturbance) {
        self.nth += 1;
        self.events.insert((at, self.nth), event);
    }

    /// Draws the disturbances and their times.
    pub(super) fn draw(&mut self, rng: &mut Rng, start: Timestamp, servers: u64) {
        let (minute, hour) = (SignedDuration::from_mins(1), SignedDuration::from_hours(1));
        let span = self.quiet_from.duration_since(start);
        let wild = rng.below(4);
        for _ in 0..rng.below(12 * wild + 1) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let how = rng.pick(&[Crash::Killed, Crash::Lost, Crash::Torn, Crash::Holes]);
            let point = rng.pick(&[
                CrashPhase::BeforeCall,
                CrashPhase::InCall,
                CrashPhase::AfterCall,
            ]);
            let pause = rng.time(SignedDuration::from_secs(1), 5 * minute);
            let event = match rng.below(5) {
                0 => Disturbance::Crash(how, pause),
                1 => Disturbance::Crash(how, rng.time(minute, 60 * hour)),
                2 => Disturbance::Doomed(PlannedCrash {
                    point: CrashPoint::Change(rng.below(20)),
                    crash: how,
                }),
                _ => Disturbance::Doomed(PlannedCrash {
                    point: CrashPoint::Call(CallCrash {
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
                0 => Disturbance::Restart(rng.time(SignedDuration::from_secs(1), 30 * hour)),
                1 | 2 => {
                    let full = usize::try_from(rng.below(2000)).unwrap_or(0);
                    self.plan(at + time, Disturbance::DiskFree);
                    Disturbance::DiskFull(full)
                }
                3 => Disturbance::SyncsFail(u32::try_from(1 + rng.below(4)).unwrap_or(1)),
                4 => {
                    self.plan(at + time, Disturbance::TokenTaken);
                    Disturbance::TokenRefused
                }
                5 if rng.chance(300) => {
                    self.plan(at + time, Disturbance::Reload(server, Some(0)));
                    Disturbance::Reload(server, None)
                }
                5 => Disturbance::Reload(server, Some(usize::try_from(rng.below(2)).unwrap_or(0))),
                6 => {
                    self.plan(at + time, Disturbance::NamedBack(server));
                    Disturbance::Renamed(server)
                }
                _ if rng.chance(200) => Disturbance::TrailLost,
                _ => Disturbance::Sleep(rng.time(minute, 80 * hour)),
            };
            self.plan(at, event);
        }
        // Only in some seeds: a wrong clock blocks everything for a long time.
        for _ in 0..rng.below(8).saturating_sub(3) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let by = match rng.below(4) {
                0 => rng.time(-8 * minute, 8 * minute),
                1 => rng.time(-30 * hour, SignedDuration::ZERO),
                2 => rng.time(SignedDuration::ZERO, 30 * hour),
                _ => rng.time(-2 * hour, 2 * hour),
            };
            self.plan(at, Disturbance::Step(by));
        }
        for _ in 0..rng.below(servers * 8) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let server = 1 + rng.below(servers);
            let event = match rng.below(5) {
                0..2 => Disturbance::PersonAdds(server),
                2..4 => Disturbance::PersonTakes(server),
                _ => Disturbance::PersonForestalls(server),
            };
            self.plan(at, event);
        }
        if ids::are_edited() {
            for server in 1..=servers {
                let at = start + rng.time(SignedDuration::ZERO, span);
                self.plan_id_edit(server, at, rng.time(SignedDuration::ZERO, 5 * minute));
            }
        }
        self.plan(self.quiet_from, Disturbance::Quiet);
    }

    /// Plans an edit that changes only the server's id, this long after a slot, when its create may
    /// be open.
    fn plan_id_edit(&mut self, server: u64, at: Timestamp, after: SignedDuration) {
        let index = usize::try_from(server - 1).unwrap_or(0);
        let due = {
            let world = self.world();
            let (policy, _) = &world.setting.wanted[index][0];
            policy
                .rotations
                .first()
                .and_then(|rotation| rotation.next_due(at))
        };
        if let Some(due) = due.filter(|due| *due + after < self.quiet_from) {
            self.plan(due + after, Disturbance::Reload(server, Some(ONLY_ID)));
        }
    }

    pub(super) fn perform(
        &mut self,
        event: Disturbance,
        engine: &Arc<Engine<FaultyApi>>,
        stepper: &Stepper,
    ) -> Option<ProcessEnd> {
        self.world().tell(|| format!("event    {event:?}"));
        match event {
            Disturbance::Crash(how, pause) => {
                self.world().fire("crash: at any time");
                return Some(ProcessEnd::Crash(how, pause));
            }
            Disturbance::Doomed(death) => self.doom(death),
            Disturbance::Restart(pause) => {
                self.world().fire("orderly restart");
                return Some(ProcessEnd::Restart(pause));
            }
            Disturbance::DiskFull(room) => {
                self.world().fire("disk: full");
                self.disk.set().room = Some(room);
            }
            Disturbance::DiskFree => self.disk.set().room = None,
            Disturbance::SyncsFail(times) => {
                self.world().fire("disk: failing syncs");
                self.disk.set().failing_syncs = times;
            }
            Disturbance::Step(by) => {
                self.world().fire("clock: set");
                self.world().ahead += by;
                self.world().wishes.clock_set();
                stepper.step(by);
                engine.wake();
            }
            Disturbance::Sleep(time) => {
                let left = self.quiet_from.duration_since(self.world().now());
                let time = time.min(left);
                self.world().fire("clock: host slept");
                self.world().sleep(time);
                stepper.step(time);
                engine.wake();
            }
            Disturbance::Reload(server, chosen) => {
                self.world().fire("reload");
                let index = usize::try_from(server - 1).unwrap_or(0);
                self.chosen[index] = chosen;
                engine.reload(self.rules(), self.policies());
            }
            Disturbance::TokenRefused => {
                self.world().fire("account: 401");
                self.world().token_refused = true;
            }
            Disturbance::TokenTaken => self.world().token_refused = false,
            Disturbance::TrailLost => {
                self.world().fire("disk: trail lost");
                return Some(ProcessEnd::TrailLost);
            }
            Disturbance::PersonAdds(server) => {
                let mut world = self.world();
                let name = format!("by-hand-{}", world.rng.below(1_000_000));
                if world.by_hand(server, &name) {
                    world.fire("person: adds");
                }
            }
            Disturbance::PersonTakes(server) => {
                let mut world = self.world();
                if world.take_by_hand(server) {
                    world.fire("person: deletes");
                }
            }
            Disturbance::Redated(server) => self.redate(server),
            Disturbance::PersonForestalls(server) => self.forestall(server),
            Disturbance::Renamed(server) => self.rename(server, "another-server".to_owned()),
            Disturbance::NamedBack(server) => self.rename(server, format!("server-{server}")),
            Disturbance::PersonSwitches(server, stop) => self.world().switch_by_hand(server, stop),
            Disturbance::Operator(deed) => self.operate(deed, engine),
            Disturbance::Quiet => self.quiet(engine, stepper),
            Disturbance::End => return Some(ProcessEnd::Over),
        }
        None
    }

    fn redate(&self, server: u64) {
        let mut world = self.world();
        let manual = |row: &TrueSnapshot| row.name.starts_with("order-");
        if !world.servers[&server].rows.iter().any(manual) {
            return;
        }
        world.fire("manual snapshots: other dates");
        let now = world.now();
        world.change(now, server, |rows| {
            for row in rows.iter_mut().filter(|row| manual(row)) {
                row.shown = row.shown.map(|at| at - SignedDuration::from_mins(7));
            }
        });
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

    /// Ends all faults.
    fn quiet(&mut self, engine: &Arc<Engine<FaultyApi>>, stepper: &Stepper) {
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
        self.events
            .retain(|_, event| matches!(event, Disturbance::End));
        engine.reload(self.rules(), self.policies());
        self.resume_all(engine);
    }
}
