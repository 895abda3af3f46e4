//! The provider as the engine meets it: its calls, with every fault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::crash::{CrashPhase, LostEffect};
use super::ids;
use super::judge::AnsweredListing;
use super::power_faults;
use super::provider::{TimedChange, TrueSnapshot, World, error};
use super::world_setup::{CALL, SETTLE};
use crate::api::{
    ApiError, CreatedSnapshot, ErrorKind, Limiter, Listing, NewSnapshot, Permit, PowerAction,
    RateSettings, ServerRows, SnapshotApi,
};
use crate::core::downtime::ServerInfo;
use crate::core::snapshot::{ServerId, SnapshotId};

/// The most that a listing lags behind.
const STALE: SignedDuration = SignedDuration::from_mins(4);

/// The part of the settle window within which a late effect happens.
const LATEST: SignedDuration = SignedDuration::from_secs(SETTLE.as_secs() * 9 / 10);

/// The connection of one process to the provider.
pub(super) struct FaultyApi {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) limiter: Limiter,
}

/// The course of one mutation.
struct MutationCourse {
    call: u64,
    /// Time until the answer, or until the program stops waiting for one.
    takes: SignedDuration,
    /// `None`: the true answer.
    error: Option<ApiError>,
}

impl FaultyApi {
    pub(super) fn new(world: &Arc<Mutex<World>>) -> Self {
        Self {
            world: Arc::clone(world),
            limiter: Limiter::new(RateSettings {
                max_in_flight: 8,
                per_second: 0.0,
                burst: 1,
            }),
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance();
        world.stop_what_never_ends();
        // A process that died in a change of the disk sends nothing afterwards either.
        let struck = world.disk.set().dead;
        world.dead |= struck;
        world
    }

    /// Waits forever if the process is dead.
    async fn alive(&self) {
        let dead = self.world().dead;
        if dead {
            std::future::pending::<()>().await;
        }
    }

    /// Dies here if that is the planned crash.
    async fn dies(&self, at: CrashPhase) {
        self.world().dies(at);
        self.alive().await;
    }

    async fn wait(&self, time: SignedDuration) {
        let time = std::time::Duration::try_from(time).unwrap_or_default();
        tokio::time::sleep(time).await;
        self.alive().await;
    }

    async fn mutate(
        &self,
        course: Option<MutationCourse>,
        server: u64,
    ) -> Result<CreatedSnapshot, ApiError> {
        let Some(course) = course else {
            return std::future::pending().await;
        };
        self.wait(course.takes).await;
        let (answer, dies) = {
            let mut world = self.world();
            let dies = world.dies(CrashPhase::AfterCall);
            let now = world.now();
            world.judge.answered(server, now);
            let answer = world.answers.remove(&course.call);
            let answer = course.error.map_or(answer, |error| Some(Err(error)));
            let answer = answer.unwrap_or_else(|| Err(error(ErrorKind::Unknown, Some(500))));
            world.tell(|| format!("answer   server {server}: {answer:?}"));
            (answer, dies)
        };
        if dies {
            std::future::pending::<()>().await;
        }
        answer
    }
}

impl World {
    fn weather(
        &mut self,
        which: fn(&World) -> &super::world_setup::FaultRates,
    ) -> Option<&'static str> {
        if self.quiet {
            return None;
        }
        let drawn = self.rng.below(1000);
        let kind = which(self).strikes(drawn)?;
        self.fire(kind);
        Some(kind)
    }

    /// Returns the course of a mutation whose effect is `due`; `None` if the process dies.
    fn course(
        &mut self,
        kind: Option<&'static str>,
        due: impl FnOnce(u64) -> TimedChange,
    ) -> Option<MutationCourse> {
        self.life.mutations += 1;
        if self.dies(CrashPhase::BeforeCall) {
            return None;
        }
        let call = self.call();
        let (least, most) = (
            SignedDuration::from_millis(20),
            SignedDuration::from_secs(3),
        );
        let before = self.rng.time(least, most);
        let after = self.rng.time(least, most);
        let mut takes = before + after;
        let fated = self.effect();
        let drawn = kind
            .and_then(|kind| kind.split_once(": "))
            .map(|(_, what)| what);
        let what = fated.map_or(drawn, LostEffect::fault);
        let mut effect = Some(before);
        let failed = match what {
            _ if self.token_refused => Some((ErrorKind::Account, Some(401), false)),
            None => None,
            Some("400") => Some((ErrorKind::Refused, Some(400), false)),
            Some("403") => Some((ErrorKind::Refused, Some(403), false)),
            Some("409") => Some((ErrorKind::Later, Some(409), false)),
            Some("connection refused") => Some((ErrorKind::Later, None, false)),
            Some(what) => {
                let status = what.starts_with("500").then_some(500);
                if status.is_none() {
                    takes = CALL;
                }
                if what.ends_with("late") {
                    let shows_after = self.setting.lag;
                    let lag = fated.map(|effect| effect.lag(shows_after));
                    let lag = lag.unwrap_or_else(|| self.rng.time(SignedDuration::ZERO, LATEST));
                    effect = Some(takes + lag);
                }
                Some((ErrorKind::Unknown, status, !what.ends_with("not done")))
            }
        };
        if let Some((_, _, false)) = failed {
            effect = None;
        }
        if let Some(after) = effect {
            let due = due(call);
            self.schedule(after, due);
        }
        if self.dies(CrashPhase::InCall) {
            return None;
        }
        Some(MutationCourse {
            call,
            takes,
            error: failed.map(|(kind, status, _)| error(kind, status)),
        })
    }

    /// Returns the rows that a listing shows now. `kind` is the fault that was drawn for it.
    fn listing(
        &mut self,
        server: Option<&ServerId>,
        kind: Option<&'static str>,
        requested: Timestamp,
    ) -> Listing {
        let now = self.now();
        let stale = kind == Some("listing: stale");
        let seen = if stale {
            now - self.rng.time(SignedDuration::ZERO, STALE)
        } else {
            now - self.setting.lag
        };
        self.tell(|| match &server {
            Some(server) => format!("listing  server {server}"),
            None => "listing  account".to_owned(),
        });
        let mut listing = Listing {
            shifted: server.is_none() && kind == Some("listing: pages shift"),
            ..Listing::default()
        };
        let ids: Vec<u64> = match server {
            Some(server) => vec![ids::number(&server)],
            None => self.servers.keys().copied().collect(),
        };
        let unlucky = self.rng.pick(&ids);
        for id in ids {
            let mut rows = self.rows_at(id, seen).to_vec();
            // Only a listing of one server may lack a row. An account-wide one reaches the servers
            // that requested it, and they can't be determined here.
            let lacks = server.is_some()
                && kind == Some("listing: a row lacks")
                && !self.servers[&id].lacked;
            if lacks {
                // Hides a row that was shown before; in the first listing, one that is older than
                // the process. The program can't notice that a listing hides a row that no earlier
                // one showed.
                let shown = &self.servers[&id].shown;
                let began = self.process_began();
                let first = |row: &TrueSnapshot| shown.is_empty() && row.made < began;
                let old = |row: &&TrueSnapshot| shown.contains(&row.id) || first(row);
                let old: Vec<u64> = rows.iter().filter(old).map(|row| row.id).collect();
                if !old.is_empty() {
                    let gone = self.rng.pick(&old);
                    rows.retain(|row| row.id != gone);
                }
            }
            let doubt = match kind {
                Some("listing: unreadable row") if id == unlucky => {
                    rows.pop();
                    Some("a row can't be read".to_owned())
                }
                Some("listing: another server's rows") if server.is_some() => {
                    Some("rows of another server".to_owned())
                }
                Some("listing: count differs") => {
                    rows.pop();
                    listing.doubt = Some("count differs from the rows".to_owned());
                    None
                }
                _ => None,
            };
            let found = self.servers.get_mut(&id);
            let name = found.map_or_else(String::new, |found| {
                if server.is_some() {
                    found.lacked = lacks;
                }
                if doubt.is_none() && listing.doubt.is_none() && server.is_some() {
                    found.shown.extend(rows.iter().map(|row| row.id));
                }
                found.name.clone()
            });
            let right = name == format!("server-{id}") || rows.is_empty();
            let sound = doubt.is_none() && listing.doubt.is_none() && right;
            let basis = AnsweredListing {
                seen,
                requested,
                sound,
            };
            self.judge.listed(id, basis);
            if !rows.is_empty() || doubt.is_some() {
                let snapshots = self.shows(id, &rows);
                let rows = ServerRows {
                    hostname: None,
                    uuid: None,
                    name,
                    snapshots,
                    doubt,
                };
                listing.servers.insert(ids::server(id), rows);
            }
        }
        listing
    }
}

impl SnapshotApi for FaultyApi {
    async fn admit(&self) -> Permit {
        self.alive().await;
        self.limiter.admit().await
    }

    async fn list(&self, server: Option<ServerId>) -> Result<Listing, ApiError> {
        self.alive().await;
        let _pass = self.limiter.admit().await;
        self.dies(CrashPhase::BeforeListing).await;
        let (kind, requested, time) = {
            let mut world = self.world();
            world.life.listings += 1;
            let kind = world.weather(|world| &world.setting.listing);
            let (least, most) = (
                SignedDuration::from_millis(20),
                SignedDuration::from_secs(2),
            );
            let time = match kind {
                Some("listing: time-out") => CALL,
                Some("listing: very slow") => world.rng.time(most, CALL),
                _ => world.rng.time(least, most),
            };
            (kind, world.now(), time)
        };
        self.wait(time / 2).await;
        // The rows are those of an instant between request and answer.
        let answer = {
            let mut world = self.world();
            let failed = match kind {
                _ if world.token_refused => Some((ErrorKind::Account, Some(401))),
                Some("listing: connection refused") => Some((ErrorKind::Later, None)),
                Some("listing: 500") => Some((ErrorKind::Unknown, Some(500))),
                Some("listing: time-out") => Some((ErrorKind::Unknown, None)),
                Some("listing: 429") => Some((ErrorKind::Later, Some(429))),
                _ => None,
            };
            match failed {
                Some((kind, status)) => Err(error(kind, status)),
                None => Ok(world.listing(server.as_ref(), kind, requested)),
            }
        };
        if kind == Some("listing: 429") {
            self.limiter.hold(std::time::Duration::from_mins(1));
        }
        self.dies(CrashPhase::InListing).await;
        self.wait(time / 2).await;
        self.dies(CrashPhase::AfterListing).await;
        answer
    }

    async fn create(
        &self,
        _pass: Permit,
        create: &NewSnapshot,
    ) -> Result<CreatedSnapshot, ApiError> {
        self.alive().await;
        let server = ids::number(&create.server);
        let course = {
            let mut world = self.world();
            world.tell(|| format!("request  server {server}: create {}", create.name));
            world.judge_create(server, &create.name);
            let kind = world.weather(|world| &world.setting.create);
            let fate = world.weather(|world| &world.setting.fate);
            world.course(kind, |call| TimedChange::Create {
                call,
                server,
                name: create.name.clone(),
                fate,
            })
        };
        self.mutate(course, server).await
    }

    async fn delete(&self, _pass: Permit, id: SnapshotId) -> Result<(), ApiError> {
        self.alive().await;
        let (server, course) = {
            let mut world = self.world();
            world.tell(|| format!("request  delete {id}"));
            let server = world.judge_delete(ids::number(&id)).unwrap_or(0);
            let kind = world.weather(|world| &world.setting.delete);
            let course = world.course(kind, |call| TimedChange::Delete {
                call,
                server,
                id: ids::number(&id),
            });
            (server, course)
        };
        self.mutate(course, server).await.map(|_| ())
    }

    async fn restore(&self, _pass: Permit, id: SnapshotId) -> Result<(), ApiError> {
        self.alive().await;
        let (server, course) = {
            let mut world = self.world();
            world.tell(|| format!("request  restore {id}"));
            let server = world.judge_restore(ids::number(&id));
            let kind = world.weather(|world| &world.setting.delete);
            let course = world.course(kind, |call| TimedChange::Restore { call, server });
            (server, course)
        };
        self.mutate(course, server).await.map(|_| ())
    }

    async fn admit_owed(&self) -> Permit {
        self.alive().await;
        self.limiter.admit_owed().await
    }

    async fn state(&self, _pass: Permit, server: &ServerId) -> ServerInfo {
        self.alive().await;
        self.dies(CrashPhase::BeforeListing).await;
        let time = {
            let mut world = self.world();
            world.life.listings += 1;
            let (least, most) = (
                SignedDuration::from_millis(20),
                SignedDuration::from_secs(2),
            );
            world.machines.time(least, most)
        };
        self.wait(time / 2).await;
        let state = self.world().state(ids::number(server));
        self.dies(CrashPhase::InListing).await;
        self.wait(time / 2).await;
        self.dies(CrashPhase::AfterListing).await;
        state.into()
    }

    async fn power(
        &self,
        _pass: Permit,
        server: &ServerId,
        action: PowerAction,
    ) -> Result<(), ApiError> {
        self.alive().await;
        let server = ids::number(server);
        let course = {
            let mut world = self.world();
            world.tell(|| format!("request  server {server}: {action:?}"));
            world.judge_power(server, action);
            let kind = world.power_fault();
            let odd = kind.filter(|kind| power_faults::ODD.contains(kind));
            let failed = kind.filter(|_| odd.is_none());
            world.course(failed, |call| TimedChange::Power {
                call,
                server,
                action,
                kind: odd,
            })
        };
        self.mutate(course, server).await.map(|_| ())
    }

    fn renew(&self) -> Result<(), String> {
        Ok(())
    }
}
