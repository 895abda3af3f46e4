//! New policies in force, and nothing begun between that they are recorded and that they are:
//! what the trail tells after them is by them (I1).

use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::server_loop::ShuttingDown;
use super::{Engine, alert_events, lock, wanted};
use crate::api::SnapshotApi;
use crate::core::policy::{Policy, Rules};

/// While it lives nothing is begun: a new set of policies is being recorded, and what is
/// recorded after it must be by it.
pub struct PolicySwap<'e>(&'e watch::Sender<bool>);

impl Drop for PolicySwap<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl<A: SnapshotApi> Engine<A> {
    /// New policies are about to be recorded: nothing is begun until they are in force.
    pub fn reloading(&self) -> PolicySwap<'_> {
        self.reloading.send_replace(true);
        PolicySwap(&self.reloading)
    }

    /// Returns at once, but while new policies are being recorded; what follows without an
    /// await goes by those in force.
    pub(super) async fn reloaded(&self) -> Result<(), ShuttingDown> {
        let mut reloading = self.reloading.subscribe();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(ShuttingDown),
            // Its sender is ours, so it doesn't close.
            _open = reloading.wait_for(|reloading| !reloading) => Ok(()),
        }
    }

    /// Puts new policies in force: every next decision uses them.
    pub fn reload(&self, rules: Rules, policies: Vec<Arc<Policy>>) {
        let new = wanted(rules, policies);
        let old = self.wanted().policies;
        let gone = old
            .values()
            .filter(|p| !new.policies.contains_key(&p.server));
        lock(&self.former)
            .extend(gone.map(|policy| (policy.server.clone(), alert_events::place(policy))));
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = new;
        self.account.look_again();
        self.wake();
    }
}
