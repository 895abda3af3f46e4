//! The provider's API as the engine uses it, with every fault.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;

use super::call_faults::MutationCourse;
use super::crash::CrashPhase;
use super::provider::World;
use super::rule_breaks::altered_error;
use super::true_state::{TimedChange, error};
use super::world_setup::CALL;
use super::{ids, power_faults};
use crate::api::{
    ApiError, CreatedSnapshot, ErrorKind, Limiter, Listing, NewSnapshot, Permit, PowerAction,
    RateSettings, SnapshotApi,
};
use crate::core::deliberate_breaks::Break;
use crate::core::server_info::ServerInfo;
use crate::core::snapshot::{ServerId, SnapshotId};

/// The connection of one process to the provider.
pub(super) struct FaultyApi {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) limiter: Limiter,
    /// Listings that a deliberately broken client uses twice.
    kept: Mutex<BTreeMap<Option<ServerId>, Listing>>,
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
            kept: Mutex::default(),
        }
    }

    /// Returns the previous listing again if the rule against stale listings is broken.
    fn kept_listing(&self, server: Option<&ServerId>) -> Option<Listing> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&server.cloned())
    }

    fn keep_listing(&self, server: Option<ServerId>, listing: &Listing) {
        if Break::StaleListingReused.on() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(server, listing.clone());
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance();
        world.stop_what_never_ends();
        // A process that died during a disk change sends nothing afterwards either.
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

    /// Kills the process if its planned crash is due in this phase, and then never returns.
    async fn dies(&self, at: CrashPhase) {
        self.world().dies(at);
        self.alive().await;
    }

    async fn wait(&self, time: SignedDuration) {
        let time = Duration::try_from(time).unwrap_or_default();
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
            let answer = answer.map(|answer| answer.map_err(altered_error));
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

impl SnapshotApi for FaultyApi {
    async fn admit(&self) -> Result<Permit, ApiError> {
        self.alive().await;
        let pass = self.limiter.admit().await;
        pass.map_err(|hold| error(ErrorKind::Later, Some(hold.status)))
    }

    async fn list(&self, server: Option<ServerId>) -> Result<Listing, ApiError> {
        self.alive().await;
        if let Some(kept) = self.kept_listing(server.as_ref()) {
            return Ok(kept);
        }
        let pass = self.limiter.admit().await;
        let _pass = pass.map_err(|hold| error(ErrorKind::Later, Some(hold.status)))?;
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
                Some("listing: timeout") => CALL,
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
                Some("listing: timeout") => Some((ErrorKind::Unknown, None)),
                Some("listing: 429") => Some((ErrorKind::Later, Some(429))),
                _ => None,
            };
            match failed {
                Some((kind, status)) => Err(error(kind, status)),
                None => Ok(world.listing(server.as_ref(), kind, requested)),
            }
        };
        if kind == Some("listing: 429") {
            let long = self.world().rng.below(4) == 0;
            let minutes = if long { 30 } else { 1 };
            self.limiter.hold(Duration::from_mins(minutes), 429);
        }
        self.dies(CrashPhase::InListing).await;
        self.wait(time / 2).await;
        self.dies(CrashPhase::AfterListing).await;
        if let Ok(listing) = &answer {
            self.keep_listing(server, listing);
        }
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
