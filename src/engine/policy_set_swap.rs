//! Swaps in a new policy set. No mutation starts between recording the set and activating it, so
//! every record after it is by the new set (I1).

use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::turn_outcome::ShuttingDown;
use super::{Engine, lock, notification_queue, wanted};
use crate::api::SnapshotApi;
use crate::core::policy::{Policy, Rules};

/// Blocks mutations while it exists: a new policy set is being recorded, and every record after it
/// must be by that set.
pub struct PolicySwap<'e>(&'e watch::Sender<bool>);

impl Drop for PolicySwap<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// Blocks mutations until the new policies are in force, or until the guard is dropped.
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

    /// Puts new policies in force; every decision from now on uses them.
    pub fn reload(&self, rules: Rules, policies: Vec<Arc<Policy>>) {
        let new = wanted(rules, policies);
        let old = self.wanted().policies;
        let gone = old
            .values()
            .filter(|p| !new.policies.contains_key(&p.server));
        lock(&self.former)
            .extend(gone.map(|policy| (policy.server.clone(), notification_queue::place(policy))));
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = new;
        self.account.look_again();
        self.wake();
    }
}
