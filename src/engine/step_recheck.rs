//! Decides again right before a call is sent, since the wait for a permit may have been long.

use std::sync::Mutex;

use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::core::decide::{Inventory, Step, decide, decide_in_hold};
use crate::core::policy::Policy;

impl<A: SnapshotApi> Engine<A> {
    /// Returns the step as decided now, if the decision under the policy in force is still the same
    /// and neither a pause nor a protection is being recorded.
    pub(super) fn still_wanted(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        inventory: &Inventory,
        step: Step,
        held: bool,
    ) -> Option<Step> {
        let wanted = self.wanted();
        let in_force = wanted.policies.get(&policy.server)?;
        let runtime = lock(runtime);
        let ordered = runtime.pausing || runtime.protecting || lock(&self.all_paused).asked;
        if ordered || !same_hooks(policy, in_force, &step) {
            return None;
        }
        if held && runtime.held.as_ref().is_some_and(|held| held.is_over()) {
            return None;
        }
        let decide = if held { decide_in_hold } else { decide };
        let now = self.clock.now();
        let decided = decide(in_force, inventory, &runtime.history, &wanted.rules, now);
        let same = decided.clone().without_reason() == step.without_reason();
        same.then_some(decided)
    }
}

/// Returns true if the hooks around the create have not changed.
fn same_hooks(policy: &Policy, in_force: &Policy, step: &Step) -> bool {
    let (Step::Create { rotation, .. } | Step::Stop { rotation, .. }) = step else {
        return true;
    };
    let hooks = |policy: &Policy| policy.rotation(rotation)?.hooks.clone();
    hooks(policy) == hooks(in_force)
}
