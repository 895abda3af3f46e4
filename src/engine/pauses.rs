//! Pauses and resumes. Once a pause is requested, no mutation begins except an operator's order
//! and the owed start of a stopped server. The answer names the mutations that began before. A
//! server's decision ends its own pause at the given time; the first loop that runs after it ends
//! the pause of all servers.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::{Details, GlobalEvent, TrailError};
use crate::core::operator_order;
use crate::core::order_terms::OrderTerms;
use crate::core::pause::Pause;
use crate::core::policy::Rules;
use crate::core::server_event::{ClockReading, ServerEvent};
use crate::core::snapshot::{ServerId, SnapshotId};

/// State after a pause or a resume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseResult {
    /// When the pause began; `None` if there is none.
    pub since: Option<Timestamp>,
    /// When it ends by itself; `None` if only a resume ends it.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Mutations that began before the pause and are followed until they end.
    pub begun: Vec<OpenMutation>,
    /// Names of the servers that keep a pause of their own.
    pub paused: Vec<String>,
    /// True if there was nothing to resume, and nothing was recorded.
    #[serde(default)]
    pub nothing: bool,
    /// In words: the conditions other than a pause that the resume ended and, if there is one, the
    /// contested snapshot that it did not give up.
    #[serde(default)]
    pub ended: Vec<String>,
}

/// A mutation that began before a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenMutation {
    /// The server's name.
    pub server: String,
    /// A short description of the mutation.
    pub what: String,
}

/// Why a pause could not begin or end.
#[derive(Debug, thiserror::Error)]
pub enum PauseError {
    /// The change can't be recorded, so it would not survive a restart.
    #[error("the request can't be recorded, so nothing has changed: {0}")]
    Trail(#[from] TrailError),
    /// Every server is paused.
    #[error("every server is paused: resume all of them first with snaprotate resume")]
    AllPaused,
    /// Nothing would end: a snapshot is given up only once the server's own listing lacks it.
    #[error(
        "the snapshot with id {id}, which another server's listing shows, is not given up: the last listing of server {server} shows it too, or there has been no listing yet; resume again once the service reports that the listing of this server lacks it"
    )]
    KeepsSnapshot {
        /// The snapshot.
        id: SnapshotId,
        /// The server that was to be resumed; it keeps the snapshot.
        server: ServerId,
    },
}

/// The pause of all servers.
#[derive(Default)]
pub(super) struct GlobalPause {
    pub(super) pause: Option<Arc<Pause>>,
    /// Set while the pause is being recorded. The pause already applies.
    pub(super) asked: bool,
}

impl<A: SnapshotApi> Engine<A> {
    /// Pauses one server, or all, or changes the end or the note of such a pause. From then on, even
    /// after a restart, no mutation begins except an operator's order and the owed start of a
    /// stopped server.
    pub async fn pause(
        &self,
        server: Option<ServerId>,
        order: OrderTerms,
    ) -> Result<PauseResult, PauseError> {
        let order = order.printable();
        let Some(server) = server else {
            self.pause_all(order).await?;
            return Ok(self.held(None));
        };
        let _renaming = self.renaming.lock().await;
        let server = self.id_of_state(&server, &self.wanted());
        let runtime = self.runtime(&server);
        let is_met = |pause: &Pause| pause.meets(&order);
        if !lock(&runtime).history.paused.as_deref().is_some_and(is_met) {
            lock(&runtime).pausing = true;
            let event = ServerEvent::Paused(order);
            let written = self
                .record(&server, &runtime, event, Details::default())
                .await;
            lock(&runtime).pausing = false;
            written?;
            // It must rest until the end of the pause, and not until its next slot.
            self.call(server.clone());
        }
        Ok(self.held(Some(&server)))
    }

    async fn pause_all(&self, order: OrderTerms) -> Result<(), TrailError> {
        let in_force = self.all_paused();
        if in_force.is_some_and(|pause| pause.meets(&order)) {
            return Ok(());
        }
        lock(&self.all_paused).asked = true;
        let _renaming = self.renaming.lock().await;
        let event = GlobalEvent::Paused(order.clone());
        let written = self.record_global_event_at(event).await;
        lock(&self.all_paused).asked = false;
        let pause = Pause::ordered(&order, written?, self.all_paused().as_deref());
        let pause = Some(Arc::new(pause));
        lock(&self.all_paused).pause.clone_from(&pause);
        self.each_seat(|_, runtime| runtime.history.all_paused.clone_from(&pause));
        // They must rest until the end of the pause, and not until their next slots.
        self.call_all();
        Ok(())
    }

    /// Ends the pause of all servers if its time has come.
    pub(super) async fn end_pause_of_all(&self) -> Result<(), TrailError> {
        let now = self.clock.now().wall;
        let over = || self.all_paused().and_then(|pause| pause.over(now));
        if over().is_none() {
            return Ok(());
        }
        let _renaming = self.renaming.lock().await;
        // Another server's loop may have ended it meanwhile, or an operator changed its end.
        let Some(until) = over() else {
            return Ok(());
        };
        let event = GlobalEvent::PauseEnded { until };
        let at = self.record_global_event_at(event).await?;
        lock(&self.all_paused).pause = None;
        self.each_seat(|_, runtime| runtime.history.end_pause_of_all(until, at));
        self.call_all();
        Ok(())
    }

    /// Ends the pause of one server, or of all, and the conditions that [`PauseResult::ended`]
    /// lists.
    pub async fn resume(
        &self,
        server: Option<ServerId>,
        by: &str,
    ) -> Result<PauseResult, PauseError> {
        let by = Some(by.to_owned());
        if server.is_some() && self.all_paused().is_some() {
            return Err(PauseError::AllPaused);
        }
        let _renaming = self.renaming.lock().await;
        let server = server.map(|server| self.id_of_state(&server, &self.wanted()));
        let gave_up = server.as_ref().map_or_else(Vec::new, |server| {
            let has_policy = self.policy_of_state(server, &self.wanted()).is_some();
            let runtime = self.runtime(server);
            let runtime = lock(&runtime);
            let listed = runtime.seen.as_ref().map(|seen| &seen.rows[..]);
            self.owners.shown_elsewhere(server, listed, has_policy)
        });
        let kept = server.as_ref().filter(|_| gave_up.is_empty());
        let kept = kept.and_then(|server| {
            let (id, server) = (self.owners.claimed_one(server)?, server.clone());
            Some(PauseError::KeepsSnapshot { id, server })
        });
        let (now, rules) = (self.clock.now(), self.wanted().rules);
        let (paused, ended) = self.to_resume(server.as_ref(), &rules, now, &gave_up);
        let nothing = !paused && ended.is_empty();
        if nothing {
            self.wake_blocked(server.as_ref());
            if let Some(kept) = kept {
                return Err(kept);
            }
            return Ok(PauseResult {
                nothing,
                ..self.held(server.as_ref())
            });
        }
        if let Some(server) = &server {
            let runtime = self.runtime(server);
            // Uses the same time as the text of `ended`.
            let restore = lock(&runtime).history.restoring(&rules, now);
            let event = ServerEvent::Resumed {
                by,
                ended: ended.clone(),
                ended_restore: restore.is_some(),
                gave_up: gave_up.clone(),
            };
            self.record(server, &runtime, event, Details::default())
                .await?;
            if gave_up.is_empty() {
                lock(&self.called).servers.insert(server.clone());
            } else {
                self.wake_blocked(Some(server));
            }
        } else {
            let now = self
                .record_global_event_at(GlobalEvent::Resumed { by })
                .await?;
            lock(&self.all_paused).pause = None;
            self.each_seat(|_, runtime| {
                let paused = runtime.history.all_paused.take();
                let from = paused.map(|pause| pause.since);
                runtime.history.resume(from, now);
            });
            lock(&self.called).all = true;
        }
        self.wake();
        let held = self.held(server.as_ref());
        let kept = kept.map(|kept| kept.to_string());
        let ended = ended.into_iter().chain(kept).collect();
        Ok(PauseResult { ended, ..held })
    }

    /// Wakes the server and every blocked one: another server may be blocked because it shows a
    /// snapshot of this one.
    fn wake_blocked(&self, server: Option<&ServerId>) {
        let mut woken = Vec::new();
        self.each_seat(|id, runtime| {
            if runtime.history.blocked.is_some() {
                woken.push(id.clone());
            }
        });
        woken.extend(server.cloned());
        lock(&self.called).servers.extend(woken);
        self.wake();
    }

    /// Returns true if the server is held or stopped, or if another server's listing shows one of
    /// its snapshots. Such a server can be resumed even without a policy.
    pub fn is_resumable(&self, server: &ServerId) -> bool {
        let runtime = lock(&self.runtimes).get(server).cloned();
        runtime.is_some_and(|runtime| lock(&runtime).history.owes_release())
            || self.owners.claimed_one(server).is_some()
    }

    /// Returns true if there is a pause to end, and lists what else would end with it.
    fn to_resume(
        &self,
        server: Option<&ServerId>,
        rules: &Rules,
        now: ClockReading,
        gave_up: &[SnapshotId],
    ) -> (bool, Vec<String>) {
        let all = lock(&self.all_paused);
        let mut paused = server.is_none() && (all.pause.is_some() || all.asked);
        drop(all);
        let mut ended = Vec::new();
        self.each_seat(|id, runtime| {
            if server.is_none_or(|one| one == id) {
                // A pause that is being recorded counts too.
                paused |= server.is_some() && (runtime.history.paused.is_some() || runtime.pausing);
                let history = &runtime.history;
                ended.extend(match server {
                    Some(_) => history.ended_by_resume(rules, now, gave_up),
                    None => history.ended_by_resume_of_all(now, Some(id)),
                });
            }
        });
        ended.sort();
        ended.dedup();
        (paused, ended)
    }

    /// Returns the pause of all servers, if they are paused.
    pub fn all_paused(&self) -> Option<Arc<Pause>> {
        lock(&self.all_paused).pause.clone()
    }

    fn held(&self, server: Option<&ServerId>) -> PauseResult {
        let all = self.all_paused();
        let mut held = PauseResult {
            since: all.as_ref().map(|pause| pause.since),
            until: all.and_then(|pause| pause.until),
            begun: Vec::new(),
            paused: Vec::new(),
            nothing: false,
            ended: Vec::new(),
        };
        let wanted = self.wanted();
        for id in server.map_or_else(|| self.ids(), |server| vec![server.clone()]) {
            let Some(policy) = self.policy_of_state(&id, &wanted) else {
                continue;
            };
            let runtime = self.runtime(&id);
            let runtime = lock(&runtime);
            let called = || policy.called().to_owned();
            if server.is_some() {
                let pause = runtime.history.paused();
                held.since = pause.map(|pause| pause.since);
                held.until = pause.and_then(|pause| pause.until);
            } else if runtime.history.paused.is_some() {
                held.paused.push(called());
            }
            held.begun.extend(begun(&runtime).map(|what| OpenMutation {
                server: called(),
                what,
            }));
        }
        held
    }

    fn ids(&self) -> Vec<ServerId> {
        lock(&self.runtimes).keys().cloned().collect()
    }

    fn each_seat(&self, mut look: impl FnMut(&ServerId, &mut ServerRuntime)) {
        for (server, runtime) in lock(&self.runtimes).iter() {
            look(server, &mut lock(runtime));
        }
    }
}

/// Describes what is open on a server and what holds it.
fn begun(runtime: &ServerRuntime) -> Option<String> {
    let rows = runtime.seen.as_ref().map_or(&[][..], |seen| &seen.rows);
    let open = runtime
        .history
        .open
        .as_ref()
        .map(|open| operator_order::describe_open_call(open, rows));
    let sending = || "a change is being sent".to_owned();
    let open = open.or_else(|| runtime.intending.then(sending));
    let hold = runtime
        .history
        .hold
        .as_deref()
        .map(operator_order::describe_hook_hold);
    let down = runtime
        .history
        .downtime
        .as_deref()
        .map(operator_order::describe_downtime);
    let all: Vec<_> = open.into_iter().chain(hold).chain(down).collect();
    (!all.is_empty()).then(|| all.join("; "))
}
