//! Runs each server's loop when it is due. A server at rest is an entry in a queue, not a task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::order_execution::WakeRequests;
use super::turn_outcome::Requeue;
use super::{Engine, lock};
use crate::api::SnapshotApi;
use crate::core::decide::CLOCK_TOLERANCE;
use crate::core::policy::Policy;
use crate::core::snapshot::ServerId;

/// Longest sleep between two checks of the queues, so that a missed wake-up does no harm.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_secs(10);

/// Resting servers, sorted by the time at which they are due, and servers at work.
#[derive(Default)]
struct WorkQueue {
    by_wall: BTreeSet<(Timestamp, ServerId)>,
    by_mono: BTreeSet<(SignedDuration, ServerId)>,
    tasks: JoinSet<(ServerId, Requeue)>,
    at_work: BTreeMap<Id, ServerId>,
    /// Servers to run once more, because they were at work when new policies or a wake request
    /// arrived.
    again: BTreeSet<ServerId>,
}

impl<A: SnapshotApi> Engine<A> {
    /// Runs until `stop`, then waits for the requests in flight, starts the servers that the
    /// rotation stopped, and releases held ones.
    pub async fn run(self: &Arc<Self>, stop: CancellationToken) {
        self.turn(stop, false).await;
    }

    /// Settles what is due and ends. Returns true if the newest due slot of every rotation has a
    /// completed snapshot and no alert is active.
    pub async fn once(self: &Arc<Self>, stop: CancellationToken) -> bool {
        self.turn(stop, true).await;
        let wanted = self.wanted();
        let (event, _) = self.global_alerts();
        event.is_empty()
            && wanted
                .policies
                .keys()
                .all(|id| lock(&self.runtime(id)).settled)
    }

    async fn turn(self: &Arc<Self>, stop: CancellationToken, once: bool) {
        let mut observer = tokio::spawn(Arc::clone(self).observe());
        let mut fleet = WorkQueue::default();
        let mut wanted = self.wanted().policies;
        for (server, runtime) in lock(&self.runtimes).iter() {
            if !lock(runtime).history.is_forgettable() {
                fleet.by_mono.insert((SignedDuration::MIN, server.clone()));
            }
        }
        for server in wanted.keys() {
            fleet.by_mono.insert((SignedDuration::MIN, server.clone()));
        }
        if !wanted.is_empty() {
            let pause = self.wanted().rules.poll_interval / 2;
            tracing::info!(
                "first listing: a second one, {pause:#} later, must agree before anything is changed"
            );
        }
        let mut offset = self.offset();
        loop {
            let now = self.wanted().policies;
            if !Arc::ptr_eq(&now, &wanted) {
                fleet.reload(&wanted, &now);
                wanted = now;
            }
            let moved = self.offset();
            if offset - moved > CLOCK_TOLERANCE {
                // The clock was set back, so servers that rest until a wall-clock time are checked
                // now.
                fleet.wake_all();
            }
            offset = moved;
            if !once {
                self.look_after_trail();
            }
            fleet.call(std::mem::take(&mut *lock(&self.called)), &wanted);
            self.start_due(&mut fleet);
            self.working.store(fleet.at_work.len(), Ordering::Relaxed);
            let idle = fleet.at_work.is_empty();
            if idle && once && fleet.by_mono.is_empty() {
                break;
            }
            let sleep = self.sleep(&fleet);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                broken = &mut observer => {
                    // Without this task, no server is listed. The engine ends, and the service
                    // manager restarts the service.
                    tracing::error!(?broken, "the listing task ended unexpectedly");
                    break;
                }
                Some(ended) = fleet.tasks.join_next_with_id(), if !idle => {
                    self.ended(&mut fleet, ended, once);
                }
                () = self.wake.notified() => {
                    self.progress.fetch_add(1, Ordering::Relaxed);
                }
                () = self.clock.sleep(sleep) => {
                    self.progress.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.stop.cancel();
        while fleet.tasks.join_next().await.is_some() {}
        self.start_all().await;
        self.release_all().await;
        // Dropping a waiting order answers its caller.
        for runtime in lock(&self.runtimes).values() {
            lock(runtime).order = None;
        }
        observer.abort();
    }

    fn start_due(self: &Arc<Self>, fleet: &mut WorkQueue) {
        let now = self.clock.now();
        // Create all runtime states before the tasks: the states stay, and tasks between them would
        // leave holes in the heap.
        let mut due = Vec::new();
        while let Some(server) = fleet.pop_due(now.wall, now.mono) {
            due.push((server.clone(), self.runtime(&server)));
        }
        for (server, runtime) in due {
            let engine = Arc::clone(self);
            let of = server.clone();
            let task = async move { (of.clone(), engine.settle(&of, &runtime).await) };
            let handle = fleet.tasks.spawn(task);
            fleet.at_work.insert(handle.id(), server);
        }
    }

    fn ended(
        &self,
        fleet: &mut WorkQueue,
        ended: Result<(Id, (ServerId, Requeue)), JoinError>,
        once: bool,
    ) {
        let now = self.clock.now();
        self.progress.fetch_add(1, Ordering::Relaxed);
        let (id, rest) = match ended {
            Ok((id, (_, rest))) => (id, rest),
            // I16: a panic in one server's loop affects that server only.
            Err(error) => {
                tracing::error!(%error, "a server's task failed; it is retried later");
                let pause = self.wanted().rules.retry_after;
                (error.id(), Requeue::Blocked(pause))
            }
        };
        let Some(server) = fleet.at_work.remove(&id) else {
            return;
        };
        if fleet.again.remove(&server) {
            fleet.by_mono.insert((SignedDuration::MIN, server));
            return;
        }
        match rest {
            Requeue::Until(_) | Requeue::Blocked(_) | Requeue::Gone if once => {}
            Requeue::Until(Some(at)) => {
                fleet.by_wall.insert((at, server));
            }
            // The runtime state stays, so that open calls and settled slots are not lost if the
            // policy returns.
            Requeue::Until(None) | Requeue::Gone => {}
            Requeue::After(pause) | Requeue::Blocked(pause) => {
                fleet.by_mono.insert((now.mono + pause, server));
            }
        }
    }

    /// Returns the wall clock's offset from the monotonic clock.
    fn offset(&self) -> SignedDuration {
        let now = self.clock.now();
        now.wall.duration_since(Timestamp::UNIX_EPOCH) - now.mono
    }

    fn sleep(&self, fleet: &WorkQueue) -> SignedDuration {
        let now = self.clock.now();
        let wall = fleet
            .by_wall
            .first()
            .map(|(at, _)| at.duration_since(now.wall));
        let mono = fleet.by_mono.first().map(|(at, _)| *at - now.mono);
        let longest = *self.longest_sleep.get().unwrap_or(&LONGEST_SLEEP);
        let wakes = wall.into_iter().chain(mono).chain([longest]);
        wakes.min().unwrap_or(longest)
    }
}

impl WorkQueue {
    fn pop_due(&mut self, wall: Timestamp, mono: SignedDuration) -> Option<ServerId> {
        if self.by_mono.first().is_some_and(|(at, _)| *at <= mono) {
            return self.by_mono.pop_first().map(|(_, server)| server);
        }
        if self.by_wall.first().is_some_and(|(at, _)| *at <= wall) {
            return self.by_wall.pop_first().map(|(_, server)| server);
        }
        None
    }

    fn wake_all(&mut self) {
        let resting = std::mem::take(&mut self.by_wall).into_iter();
        self.by_mono
            .extend(resting.map(|(_, server)| (SignedDuration::MIN, server)));
    }

    /// Makes the servers of a wake request due now. No server is run by two loops at once.
    fn call(&mut self, called: WakeRequests, wanted: &BTreeMap<ServerId, Arc<Policy>>) {
        let mut servers = called.servers;
        if called.all {
            servers.extend(wanted.keys().cloned());
        }
        if servers.is_empty() {
            return;
        }
        self.by_wall.retain(|(_, server)| !servers.contains(server));
        self.by_mono.retain(|(_, server)| !servers.contains(server));
        self.look_now(servers);
    }

    /// Makes servers that are in no queue due now. A server whose loop is running gets another
    /// turn.
    fn look_now(&mut self, servers: impl IntoIterator<Item = ServerId>) {
        let at_work: BTreeSet<_> = self.at_work.values().cloned().collect();
        for server in servers {
            if at_work.contains(&server) {
                self.again.insert(server);
            } else {
                self.by_mono.insert((SignedDuration::MIN, server));
            }
        }
    }

    /// Makes every server due under the new policies, including servers whose policy was removed.
    fn reload(
        &mut self,
        old: &BTreeMap<ServerId, Arc<Policy>>,
        new: &BTreeMap<ServerId, Arc<Policy>>,
    ) {
        let by_wall = std::mem::take(&mut self.by_wall).into_iter();
        let by_mono = std::mem::take(&mut self.by_mono).into_iter();
        // A server whose policy was removed earlier may still lack the record of that.
        let waiting = by_wall.map(|(_, id)| id).chain(by_mono.map(|(_, id)| id));
        let all = old.keys().chain(new.keys()).cloned().chain(waiting);
        self.look_now(all);
    }
}
