//! Holds: a rotation's `before`, its create, and its `after`, whatever comes between.
//!
//! `before` is begun only when nothing but the create itself is left to be done. From then
//! on every way out leads to `release`, which needs neither the provider nor the trail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::server::Stopped;
use super::{Engine, Seat, lock};
use crate::api::SnapshotApi;
use crate::audit::Extra;
use crate::core::decide::{Inventory, Step, release};
use crate::core::fact::{Fact, Hook, Ran};
use crate::core::history::Open;
use crate::core::hold::command;
use crate::core::policy::{Hooks, Policy, Rotation};
use crate::core::snapshot::ServerId;
use crate::hooks::{Job, Lease, Report};

/// Servers that may be on the way from `before` to an answered create at once: more would
/// only stand still in the queue for the provider.
pub(super) const MOST_AT_ONCE: usize = 8;

/// How long the end of the service waits for servers to be released.
const LAST_RELEASES: Duration = Duration::from_secs(20);

/// What a seat has of a hold.
#[derive(Default)]
pub(super) struct Holding {
    /// Whoever drops it releases the server.
    lease: Option<Lease>,
    /// `after` ran, and that is still to be recorded.
    unrecorded: Option<Fact>,
}

impl<A: SnapshotApi> Engine<A> {
    /// Runs `before`, creates, and leaves the release to the next decision.
    pub(super) async fn act_in_hold(
        &self,
        policy: &Policy,
        seat: &Mutex<Seat>,
        inventory: &Inventory,
        step: Step,
        (rotation, hooks): (&Rotation, &Hooks),
    ) -> Result<(), Stopped> {
        let Step::Create { name, .. } = &step else {
            return Ok(());
        };
        let Some(runner) = self.runner.get() else {
            tracing::error!(policy = policy.file, "nobody is there to run its hooks");
            return self.rest(self.wanted().rules.retry_after).await;
        };
        let place = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Stopped),
            place = self.holds.acquire() => place,
        };
        if self.account.leave(self.clock.now().mono).is_none() {
            drop(place);
            return self.rest(self.wanted().rules.retry_after).await;
        }
        if !self.still(policy, seat, inventory, &step, false) {
            return Ok(());
        }
        let job = job(policy, &rotation.name, name);
        let begun = Fact::HookStarted {
            hook: Hook::Before,
            rotation: rotation.name.clone(),
            snapshot: name.clone(),
            command: command(hooks, Hook::Before).to_vec(),
        };
        if !self.noted(policy.server, seat, begun).await {
            drop(place);
            return self.rest(self.wanted().rules.poll_interval).await;
        }
        let (report, lease) = tokio::select! {
            biased;
            // What was begun is released by its runner, and again by the next start.
            () = self.stop.cancelled() => return Err(Stopped),
            begun = runner.begin(job) => begun,
        };
        lock(seat).held.get_or_insert_default().lease = lease;
        let go_on = report.ran != Ran::Done && hooks.go_on;
        let good = report.ran == Ran::Done || (go_on && report.ran == Ran::Failed);
        let ended = Fact::HookFinished {
            hook: Hook::Before,
            rotation: rotation.name.clone(),
            snapshot: name.clone(),
            ran: report.ran,
            go_on: go_on && good,
            early: false,
            later: false,
            reason: report.reason,
        };
        if !self.noted(policy.server, seat, ended).await || !good {
            return Ok(());
        }
        let rules = self.wanted().rules;
        let patience = Some(rules.request_timeout);
        self.perform(policy, seat, inventory, step, patience).await
    }

    /// Runs `after` where it is due; `false`: what came of it can't be recorded.
    pub(super) async fn release_if_due(&self, policy: &Policy, seat: &Mutex<Seat>) -> bool {
        let rules = self.wanted().rules;
        loop {
            let due = {
                let seat = lock(seat);
                release(policy, &seat.history, &rules, self.clock.now())
            };
            let Some(Step::After { early, reason, .. }) = due else {
                return true;
            };
            if !self
                .release(Some(policy), policy.server, seat, early, reason)
                .await
            {
                return false;
            }
        }
    }

    /// Runs the `after` that is owed; `false`: what came of it can't be recorded.
    pub(super) async fn release(
        &self,
        policy: Option<&Policy>,
        server: ServerId,
        seat: &Mutex<Seat>,
        early: bool,
        why: String,
    ) -> bool {
        let (lease, unrecorded, hold) = {
            let mut seat = lock(seat);
            let Some(hold) = seat.history.hold.as_deref().cloned() else {
                return true;
            };
            let mut held = seat.held.take().unwrap_or_default();
            (held.lease.take(), held.unrecorded.take(), hold)
        };
        let fact = match unrecorded {
            Some(fact) => fact,
            None => {
                let rotations = policy.map(|policy| policy.rotations.iter());
                let hooks = rotations.and_then(|mut rotations| {
                    let rotation = rotations.find(|r| r.name == hold.rotation)?;
                    rotation.hooks.as_deref()
                });
                let argv = hooks.map_or(&[][..], |hooks| command(hooks, Hook::After));
                let begun = Fact::HookStarted {
                    hook: Hook::After,
                    rotation: hold.rotation.clone(),
                    snapshot: hold.snapshot.clone(),
                    command: argv.to_vec(),
                };
                // It doesn't depend on the trail.
                self.noted(server, seat, begun).await;
                let report = match (lease, policy, self.runner.get()) {
                    (Some(lease), ..) => lease.release(why.clone()).await,
                    (None, Some(policy), Some(runner)) => {
                        let job = job(policy, &hold.rotation, &hold.snapshot);
                        runner.after(job, why.clone()).await
                    }
                    (None, None, _) => Report::bad(Ran::Failed, "its policy is gone"),
                    (None, _, None) => Report::bad(Ran::Failed, "nobody is there to run it"),
                };
                let paused = lock(seat).history.paused().is_some();
                Fact::HookFinished {
                    hook: Hook::After,
                    rotation: hold.rotation,
                    snapshot: hold.snapshot.clone(),
                    ran: report.ran,
                    go_on: false,
                    early: early || (report.early && self.making(seat, &hold.snapshot)),
                    later: !(hold.created || hold.faulty || paused || self.stop.is_cancelled()),
                    reason: reason(&why, report),
                }
            }
        };
        let noted = self.noted(server, seat, fact.clone()).await;
        if !noted {
            lock(seat).held.get_or_insert_default().unrecorded = Some(fact);
        }
        noted
    }

    /// At the end of the service no server is left held.
    pub(super) async fn release_all(&self) {
        let policies = self.wanted().policies;
        let held: Vec<_> = {
            let seats = lock(&self.seats);
            let held = seats
                .iter()
                .filter(|(_, seat)| lock(seat).history.hold.is_some());
            held.map(|(server, seat)| (*server, Arc::clone(seat)))
                .collect()
        };
        let releases = held.iter().map(|(server, seat)| {
            let policy = policies.get(server).map(Arc::as_ref);
            async move {
                let hold = lock(seat).history.hold.as_deref().cloned();
                let early = hold.is_some_and(|hold| self.making(seat, &hold.snapshot));
                let why = "the service is stopping".to_owned();
                self.release(policy, *server, seat, early, why).await;
            }
        });
        let all = futures_util::future::join_all(releases);
        if tokio::time::timeout(LAST_RELEASES, all).await.is_err() {
            tracing::error!("not every server could be released; the next start goes on");
        }
    }

    /// Whether the snapshot is still being made, as far as is known.
    fn making(&self, seat: &Mutex<Seat>, snapshot: &str) -> bool {
        let seat = lock(seat);
        matches!(&seat.history.open, Some(Open::Create { name, .. }) if name == snapshot)
    }

    async fn noted(&self, server: ServerId, seat: &Mutex<Seat>, fact: Fact) -> bool {
        let written = self.record(server, seat, fact, Extra::default());
        written.await.is_ok()
    }
}

fn reason(why: &str, report: Report) -> String {
    match report.ran {
        Ran::Done if report.early => report.reason,
        Ran::Done => why.to_owned(),
        Ran::Failed | Ran::NotStarted => report.reason,
    }
}

fn job(policy: &Policy, rotation: &str, snapshot: &str) -> Job {
    Job {
        policy: policy.file.clone(),
        rotation: rotation.to_owned(),
        snapshot: snapshot.to_owned(),
        server: policy.server.0,
        server_name: policy.called().to_owned(),
    }
}
