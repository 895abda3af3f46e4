//! Steps of a turn that don't need a listing, and come before it.

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;

use super::turn_outcome::{FAILURES, Requeue};
use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::Details;
use crate::core::policy::{Policy, Rules};
use crate::core::server_event::ServerEvent;
use crate::core::server_history::ServerHistory;
use crate::core::server_info::PowerState;
use crate::core::snapshot::ServerId;

/// The inputs of a turn whose next step depends on a listing.
pub(super) struct ListingWanted {
    pub(super) rules: Arc<Rules>,
    pub(super) policy: Arc<Policy>,
    /// The server's state, if it was requested because a start is due.
    pub(super) state: Option<PowerState>,
    /// True if the server is paused, and nothing is open, owed or ordered.
    pub(super) idle: bool,
}

impl<A: SnapshotApi> Engine<A> {
    /// Releases and starts the server if that is due, and records edits of its policy. Returns when
    /// to look again if no listing is needed.
    pub(super) async fn prepared(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
    ) -> Result<ListingWanted, Requeue> {
        let wanted = self.wanted();
        if let Some(rest) = Box::pin(self.renamed(server, runtime, &wanted)).await {
            return Err(rest);
        }
        let rules = Arc::clone(&wanted.rules);
        let in_force = wanted.policies.get(server).map(Arc::as_ref);
        let waits = in_force.is_none() && self.waits_for_handover(server, &wanted);
        if !waits
            && lock(runtime).history.hold.is_some()
            && !self.released(server, runtime, in_force).await
        {
            let last = rules.count_all && lock(runtime).unwritten >= FAILURES;
            return Err(if last {
                Requeue::Blocked(rules.retry_after)
            } else {
                Requeue::After(rules.poll_interval)
            });
        }
        let state = if lock(runtime).history.downtime.is_some() {
            Box::pin(self.send_owed_start(server, runtime, in_force)).await?
        } else {
            None
        };
        // `once` must end even if the trail can't be written.
        if rules.count_all && lock(runtime).unwritten >= FAILURES {
            return Err(Requeue::Blocked(rules.retry_after));
        }
        let Some(policy) = wanted.policies.get(server).map(Arc::clone) else {
            Self::turn_down(runtime, || "its policy was removed".to_owned());
            // A server that never had a policy gets no removal record.
            let nothing = |history: &ServerHistory| {
                history.is_policy_removed() || (history.is_new() && history.alerts.is_empty())
            };
            if nothing(&lock(runtime).history) {
                return Err(Requeue::Gone);
            }
            if waits {
                return Err(Requeue::After(SignedDuration::ZERO));
            }
            let held = lock(runtime).history.orphaned_hold(server);
            if let Some((key, text)) = held {
                let stands = lock(runtime).history.alerts.get(&key).cloned();
                if stands.is_none_or(|stands| stands.text != text) {
                    let (alert, about) = key;
                    let raised = ServerEvent::AlertRaised { alert, about, text };
                    let record = self.record(server, runtime, raised, Details::default());
                    let _retried = Box::pin(record).await;
                }
                return Err(if rules.count_all {
                    Requeue::Blocked(rules.retry_after)
                } else {
                    Requeue::After(rules.retry_after)
                });
            }
            let gone = ServerEvent::ServerRemoved;
            let record = self.record(server, runtime, gone, Details::default());
            let written = Box::pin(record).await;
            return Err(written.map_or(Requeue::After(rules.poll_interval), |()| Requeue::Gone));
        };
        let former = lock(runtime)
            .history
            .renamed_policy(&policy.file)
            .map(str::to_owned);
        if let Some(former) = former {
            let renamed = ServerEvent::PolicyRenamed { former };
            let record = self.record(server, runtime, renamed, Details::default());
            if Box::pin(record).await.is_err() {
                return Err(Requeue::After(rules.poll_interval));
            }
        }
        if Box::pin(self.end_pause_of_all()).await.is_err() {
            return Err(Requeue::After(rules.poll_interval));
        }
        let idle = lock(runtime).idle_in_pause(self.clock.now().wall);
        // A paused server is still listed once, so that status can show its snapshots.
        if idle {
            let now = self.clock.now();
            let mut runtime = lock(runtime);
            // The newest copy may become too old during the pause.
            let check = runtime.next_health_check(&policy, &rules, now);
            let rests = check.is_none_or(|at| at > now.wall);
            let check = check.into_iter().chain(runtime.history.next_pause_end());
            let check = check.min();
            if rules.count_all || (runtime.seen.is_some() && rests) {
                // No newer listing is requested, so an old failure must not be shown.
                runtime.unlisted = None;
                return Err(Requeue::Until(check));
            }
        }
        Ok(ListingWanted {
            rules,
            policy,
            state,
            idle,
        })
    }

    /// Releases the server if that is due. Returns false if the result can't be recorded.
    async fn released(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        policy: Option<&Policy>,
    ) -> bool {
        let release = async {
            let Some(policy) = policy else {
                // Without the policy, only the hold's runner can still run `after`, so it is tried
                // once.
                if lock(runtime).history.orphaned_hold(server).is_some() {
                    return true;
                }
                let why = "its policy was removed".to_owned();
                return self.release(None, server, runtime, true, why).await;
            };
            // A held server must not wait until the trail can record the end of its snapshot.
            let unwritten = {
                let runtime = lock(runtime);
                runtime.is_end_unwritten() && runtime.history.downtime.is_none()
            };
            if unwritten {
                let why =
                    "its snapshot is completed or failed, although the trail can't record that"
                        .to_owned();
                return self
                    .release(Some(policy), server, runtime, false, why)
                    .await;
            }
            self.release_if_due(policy, runtime).await
        };
        Box::pin(release).await
    }
}
