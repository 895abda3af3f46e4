//! Orders and pauses of operators, drawn from a random stream of their own, and the check that
//! nothing is restored without an order.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::director_state::{Director, Disturbance};
use super::faulty_api::FaultyApi;
use super::ids;
use super::operator_wishes::OperatorAction;
use super::provider::World;
use super::rng::Rng;
use crate::core::operator_order::Order;
use crate::core::order_terms::OrderTerms;
use crate::core::ordered_protection::OrderedProtection;
use crate::core::snapshot::Status;
use crate::engine::Engine;

impl Director {
    /// Draws the operators' actions and their times.
    pub(super) fn draw_deeds(&mut self, seed: u64, start: Timestamp, servers: u64) {
        let mut rng = Rng::new(seed ^ 0x6f72_6465_7273);
        let minute = SignedDuration::from_mins(1);
        let span = self.quiet_from.duration_since(start);
        // Only in every other seed, since a pause keeps much else from happening.
        for _ in 0..rng.below(2) * rng.below(servers * 6) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let server = 1 + rng.below(servers);
            let deed = match rng.below(8) {
                0 | 1 => {
                    let one = (!rng.chance(200)).then_some(server);
                    let until = at + rng.time(minute, 20 * 60 * minute);
                    // Some pauses end by themselves, unless the clock is set.
                    let ends = until.as_second() % 3 == 0;
                    if !ends {
                        self.plan(until, Disturbance::Operator(OperatorAction::Resume(one)));
                    }
                    OperatorAction::Pause(one, ends.then_some(until))
                }
                2 | 3 => {
                    // Half of them expire, after up to three days. Most of these get another date
                    // before, and must stay.
                    let seconds = at.as_second();
                    let kept = 60 * minute * i32::try_from(1 + seconds % 72).unwrap_or(1);
                    if seconds % 3 != 0 {
                        self.plan(at + kept / 2, Disturbance::Redated(server));
                    }
                    OperatorAction::Create(server, (seconds % 2 == 0).then_some(kept))
                }
                4..7 => OperatorAction::Delete(server),
                _ => OperatorAction::Restore(server),
            };
            self.plan(at, Disturbance::Operator(deed));
        }
        self.world().wishes.rng = Some(rng);
        // A stream of its own, so that the other orders of a seed stay as they are.
        let mut rng = Rng::new(seed ^ 0x7072_6f74_6563);
        for _ in 0..rng.below(2) * rng.below(servers * 3) {
            let at = start + rng.time(SignedDuration::ZERO, span);
            let server = 1 + rng.below(servers);
            let until = at + rng.time(minute, 96 * 60 * minute);
            let deed = if rng.chance(250) {
                OperatorAction::Acknowledge(server)
            } else {
                OperatorAction::Protect(server, until)
            };
            self.plan(at, Disturbance::Operator(deed));
        }
    }

    pub(super) fn operate(&mut self, deed: OperatorAction, engine: &Arc<Engine<FaultyApi>>) {
        match deed {
            OperatorAction::Pause(server, until) => self.pause(server, until, engine),
            OperatorAction::Resume(server) => self.resume([server].into(), engine),
            OperatorAction::Create(server, kept) => {
                let wall = self.world().wall();
                let expires = kept.map(|kept| wall + kept);
                let name = {
                    let wishes = &mut self.world().wishes;
                    wishes.orders += 1;
                    let name = format!("order-{}", wishes.orders);
                    wishes.creates.insert(name.clone());
                    let expiring = expires.map(|at| (name.clone(), at));
                    wishes.expiring.extend(expiring);
                    name
                };
                self.world().fire("operator: creates");
                let order = Order::Create {
                    snapshot: name.into(),
                    spare: None,
                    description: None,
                    expires,
                };
                give(server, order, engine);
            }
            OperatorAction::Delete(server) => {
                let Some((id, snapshot)) = self.pick(server, |_| true) else {
                    return;
                };
                self.world().fire("operator: deletes");
                self.world().wishes.deletes.insert(id);
                let id = ids::snapshot(id);
                give(
                    server,
                    Order::Delete {
                        snapshot: snapshot.into(),
                        id,
                    },
                    engine,
                );
            }
            OperatorAction::Protect(server, until) => {
                self.protect(server, engine);
                let ends = Disturbance::Operator(OperatorAction::Unprotect(server));
                self.plan(until, ends);
            }
            OperatorAction::Unprotect(server) => self.unprotect(server, engine),
            OperatorAction::Acknowledge(server) => self.acknowledge(server, engine),
            OperatorAction::Restore(server) => {
                let done = |status: &Status| *status == Status::Completed;
                let Some((id, snapshot)) = self.pick(server, done) else {
                    return;
                };
                self.world().fire("operator: restores");
                self.world().wishes.restores.insert(id);
                let id = ids::snapshot(id);
                give(
                    server,
                    Order::Restore {
                        snapshot: snapshot.into(),
                        id,
                    },
                    engine,
                );
            }
        }
    }

    /// Protects one of the server's snapshots.
    fn protect(&self, server: u64, engine: &Arc<Engine<FaultyApi>>) {
        let Some((id, snapshot)) = self.pick(server, |_| true) else {
            return;
        };
        self.world().fire("operator: protects");
        let protection = OrderedProtection {
            snapshot: snapshot.into(),
            id: ids::snapshot(id),
            other_id: None,
            by: Some("root".to_owned()),
        };
        let engine = Arc::clone(engine);
        tokio::spawn(async move { engine.protect(&ids::server(server), protection).await });
    }

    /// Ends the protections of all snapshots that the server holds.
    fn unprotect(&self, server: u64, engine: &Arc<Engine<FaultyApi>>) {
        let rows = self.world().servers[&server].rows.clone();
        let engine = Arc::clone(engine);
        tokio::spawn(async move {
            for row in rows {
                let id = ids::snapshot(row.id).to_string();
                let _none = engine.unprotect(&ids::server(server), &id, "root").await;
            }
        });
    }

    fn acknowledge(&self, server: u64, engine: &Arc<Engine<FaultyApi>>) {
        self.world().fire("operator: acknowledges");
        let engine = Arc::clone(engine);
        tokio::spawn(async move {
            let terms = OrderTerms::by("root");
            engine.acknowledge(&ids::server(server), None, terms).await
        });
    }

    /// Ends all pauses.
    pub(super) fn resume_all(&self, engine: &Arc<Engine<FaultyApi>>) {
        if self.world().wishes.rng.is_none() {
            return;
        }
        self.resume(BTreeSet::new(), engine);
    }

    fn pause(
        &self,
        server: Option<u64>,
        until: Option<Timestamp>,
        engine: &Arc<Engine<FaultyApi>>,
    ) {
        self.world().fire("operator: pauses");
        let by = Some("root".to_owned());
        let note = until.map(|_| "for a while".to_owned());
        let order = OrderTerms { by, until, note };
        let (engine, world) = (Arc::clone(engine), Arc::clone(&self.world));
        let turn = Arc::clone(&self.world().wishes.turn);
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            if let Ok(mut world) = world.lock() {
                world.wishes.asked.insert(server);
            }
            let paused = engine.pause(server.map(ids::server), order).await;
            // A mutation that began before the pause may still be on its way.
            if paused.is_ok_and(|held| held.begun.is_empty())
                && let Ok(mut world) = world.lock()
                && !world.disk.set().dead
            {
                world.wishes.paused.insert(server, until);
            }
        });
    }

    /// Ends these pauses or, if none is named, all that were requested by then. They end one after
    /// the other, since no single server can be resumed while all are paused.
    fn resume(&self, mut which: BTreeSet<Option<u64>>, engine: &Arc<Engine<FaultyApi>>) {
        let (engine, world) = (Arc::clone(engine), Arc::clone(&self.world));
        let turn = Arc::clone(&self.world().wishes.turn);
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            if which.is_empty()
                && let Ok(world) = world.lock()
            {
                which.clone_from(&world.wishes.asked);
            }
            for server in which {
                if let Ok(mut world) = world.lock() {
                    world.resumed(server);
                }
                // It stays paused if all servers are, if the resume can't be recorded, or if the
                // process dies first.
                let resumed = engine.resume(server.map(ids::server), "root").await;
                if resumed.is_ok()
                    && let Ok(mut world) = world.lock()
                    && !world.disk.set().dead
                {
                    world.wishes.asked.remove(&server);
                }
                // A slot that passed in the pause may be wanted after all.
                if let Some(server) = server.filter(|server| server % 2 == 0) {
                    if let Ok(mut world) = world.lock() {
                        world.fire("operator: retries");
                    }
                    let _unrecorded = engine.retry(&ids::server(server), None, "root").await;
                }
            }
        });
    }

    /// Draws one of the server's snapshots.
    fn pick(&self, server: u64, wanted: impl Fn(&Status) -> bool) -> Option<(u64, String)> {
        let mut world = self.world();
        let rows = world.servers.get(&server)?.rows.iter();
        let rows: Vec<_> = rows
            .filter(|row| wanted(&row.status))
            .map(|row| (row.id, row.name.clone()))
            .collect();
        let index = world.wishes.draw(rows.len() as u64);
        rows.into_iter().nth(index)
    }
}

fn give(server: u64, order: Order, engine: &Arc<Engine<FaultyApi>>) {
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        let by = "root".to_owned();
        engine.order(ids::server(server), order, by).await
    });
}

impl World {
    /// Allows changes to the server again, and trusts the clock again.
    fn resumed(&mut self, server: Option<u64>) {
        self.wishes.paused.remove(&server);
        match server {
            Some(server) => {
                self.judge.last_wall.remove(&server);
                self.judge.agreed(server);
                self.holds.by_hand(server);
            }
            None => self.judge.last_wall.clear(),
        }
    }

    /// Judges a restore that is being sent. Returns its server.
    pub(super) fn judge_restore(&mut self, id: u64) -> u64 {
        *self.judge.checked.entry("I12").or_default() += 1;
        let found = self.servers.iter().find(|(_, found)| {
            let past = found.past.iter().flat_map(|(_, rows)| rows);
            found.rows.iter().chain(past).any(|row| row.id == id)
        });
        let server = found.map_or(0, |(server, _)| *server);
        if !self.wishes.takes_restore(id) {
            self.violated(
                server,
                "I12: a restore that nobody asked for, or a second one",
            );
        }
        server
    }
}
