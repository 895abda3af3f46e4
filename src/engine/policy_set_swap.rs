//! Swaps in a new policy set. No mutation except an owed start begins between recording the set and
//! activating it, so every other intent after the set's record belongs to the new set (I1).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::turn_outcome::ShuttingDown;
use super::{Engine, enqueue_news, lock, wanted};
use crate::api::SnapshotApi;
use crate::core::policy::{Policy, Rotation, Rules};
use crate::core::snapshot::ServerId;

/// Blocks mutations, except owed starts, while it exists: a new policy set is being recorded, and
/// later intents must belong to that set.
pub struct PolicySwap<'e>(&'e watch::Sender<bool>);

impl Drop for PolicySwap<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// Blocks mutations, except owed starts, until the returned guard is dropped.
    pub fn begin_policy_swap(&self) -> PolicySwap<'_> {
        self.reloading.send_replace(true);
        PolicySwap(&self.reloading)
    }

    /// Waits while a new policy set is being recorded. Code that follows without an await uses the
    /// policies in force.
    pub(super) async fn wait_for_policy_swap(&self) -> Result<(), ShuttingDown> {
        let mut reloading = self.reloading.subscribe();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(ShuttingDown),
            // The sender lives in `self`, so the channel doesn't close.
            _open = reloading.wait_for(|reloading| !reloading) => Ok(()),
        }
    }

    /// Puts new policies into force. Every decision from then on uses them.
    pub fn reload(&self, rules: Rules, policies: Vec<Arc<Policy>>) {
        let new = wanted(rules, policies);
        let old = self.wanted().policies;
        self.judge_until_now(&old);
        let gone = old
            .values()
            .filter(|p| !new.policies.contains_key(&p.server));
        lock(&self.former)
            .extend(gone.map(|policy| (policy.server.clone(), enqueue_news::place(policy))));
        self.expect_id_changes(&new);
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = new;
        self.account.look_again();
        self.wake();
    }

    /// Records in memory that a server which rests between slots has been watched until now.
    /// Earlier slots of a new schedule do not count.
    fn judge_until_now(&self, policies: &BTreeMap<ServerId, Arc<Policy>>) {
        let now = self.clock.now().wall;
        let runtimes = lock(&self.runtimes);
        for (server, policy) in policies {
            let Some(runtime) = runtimes.get(server) else {
                continue;
            };
            let mut runtime = lock(runtime);
            let judged = runtime.history.judged;
            // A slot that has just become due is still to be judged.
            let is_due = |rotation: &Rotation| {
                let slot = rotation.newest_due(now);
                slot.is_some_and(|slot| Some(slot.at) > judged)
            };
            if runtime.watching && !policy.rotations.iter().any(is_due) {
                runtime.history.judged = Some(now);
            }
        }
    }
}
