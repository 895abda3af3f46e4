//! Hands a server's state over when its policy names it by its other id. Nothing is done under the
//! new id before the state, with its open calls, has moved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::runtime_view::runtimes_by_policy;
use super::turn_outcome::Requeue;
use super::{Engine, PolicySet, ServerRuntime, SharedRuntime, lock};
use crate::alerts::{AlertKey, News};
use crate::api::SnapshotApi;
use crate::audit::{Details, TrailError};
use crate::core::policy::Policy;
use crate::core::policy_id_change::IdChange;
use crate::core::second_server_id::ServerIdentity;
use crate::core::server_event::ServerEvent;
use crate::core::snapshot::ServerId;

impl<A: SnapshotApi> Engine<A> {
    /// Finds the servers that a policy of the new set names by a different id than before. At a
    /// reload, it must be called before the set is in force.
    pub(super) fn expect_id_changes(&self, wanted: &PolicySet) {
        let mut former = BTreeMap::new();
        let runtimes = lock(&self.runtimes);
        for (server, runtime) in runtimes_by_policy(&runtimes, &wanted.policies, false) {
            if let Some(file) = &lock(runtime).history.policy {
                former.insert(file.clone(), (server.clone(), Arc::clone(runtime)));
            }
        }
        drop(runtimes);
        self.keep_claims(&former, wanted);
        // An id change still applies to the same server if its policy file is renamed meanwhile.
        let mut changes = lock(&self.id_changes).clone();
        for (from, id) in changes.clone() {
            if wanted.policies.contains_key(&from) || !wanted.policies.contains_key(&id) {
                changes.remove(&from);
            }
        }
        let policies = wanted.policies.values();
        for policy in policies.filter(|_| !former.is_empty()) {
            let Some((from, runtime)) = former.get(policy.file.as_str()) else {
                continue;
            };
            let change = lock(runtime).history.id_change(from, policy);
            if change.is_some() && !changes.contains_key(from) {
                lock(&self.other_ids).insert(policy.server.clone(), from.clone());
                changes.insert(from.clone(), policy.server.clone());
            }
        }
        *lock(&self.id_changes) = changes;
    }

    /// Preserves a server's claims to snapshots when its policy file changes its id. If the file
    /// now names another server, the first listing of that server withdraws the claims.
    fn keep_claims(
        &self,
        by_trail: &BTreeMap<Box<str>, (ServerId, SharedRuntime)>,
        wanted: &PolicySet,
    ) {
        let in_force = self.wanted().policies;
        let gone = in_force.values();
        let gone = gone.filter(|policy| !wanted.policies.contains_key(&policy.server));
        let gone: BTreeMap<_, _> = gone.map(|policy| (&*policy.file, &policy.server)).collect();
        if gone.is_empty() && by_trail.is_empty() {
            return;
        }
        for policy in wanted.policies.values() {
            let by_trail = by_trail.get(&*policy.file).map(|(former, _)| former);
            for former in gone.get(&*policy.file).copied().into_iter().chain(by_trail) {
                self.owners.copy_claims(former, &policy.server);
            }
        }
    }

    /// Returns the other id by which a policy now names this server. Only for an id that no policy
    /// uses.
    pub(super) fn id_in_force(
        &self,
        server: &ServerId,
        wanted: &PolicySet,
    ) -> Option<(ServerId, IdChange)> {
        let runtime = lock(&self.runtimes).get(server).cloned()?;
        let shown = lock(&runtime).history.other_id().cloned();
        let id = shown.or_else(|| lock(&self.id_changes).get(server).cloned())?;
        let policy = wanted.policies.get(&id)?;
        // If the policy file was renamed after the id changed, its name proves nothing.
        let change = lock(&runtime).history.id_change(server, policy);
        Some((id, change.unwrap_or(IdChange::Assumed)))
    }

    /// Returns the former id under which this server's state is still stored, waiting to be handed
    /// over.
    fn former_id(&self, server: &ServerId, wanted: &PolicySet) -> Option<ServerId> {
        let from = lock(&self.other_ids).get(server).cloned()?;
        let (runtime, past) = {
            let runtimes = lock(&self.runtimes);
            (runtimes.get(server).cloned(), runtimes.get(&from).cloned()?)
        };
        let is_new = runtime.is_none_or(|runtime| lock(&runtime).history.is_new());
        if wanted.policies.contains_key(&from) || !is_new {
            return None;
        }
        let (heir, _) = self.id_in_force(&from, wanted)?;
        let past = lock(&past);
        let stays = past.history.removed && past.history.downtime.is_some();
        (heir == *server && !past.history.is_empty() && !stays).then_some(from)
    }

    /// Returns the id under which the server's state is stored. It is the former id until that id's
    /// loop has handed the state over. Hold [`Engine::renaming`] while the answer is used.
    pub(super) fn id_of_state(&self, server: &ServerId, wanted: &PolicySet) -> ServerId {
        let former = self.former_id(server, wanted);
        former.unwrap_or_else(|| server.clone())
    }

    /// Returns the policy for the state under this id.
    pub(super) fn policy_of_state<'p>(
        &self,
        server: &ServerId,
        wanted: &'p PolicySet,
    ) -> Option<&'p Arc<Policy>> {
        let policies = &wanted.policies;
        policies.get(server).or_else(|| {
            let (heir, _) = self.id_in_force(server, wanted)?;
            (self.id_of_state(&heir, wanted) == *server).then(|| policies.get(&heir))?
        })
    }

    /// Hands the state over if a policy now names this server by its other id. Called for the new
    /// id, it only wakes the old id's loop, which hands over. Returns `None` if there is nothing to
    /// hand over, else when to look again.
    pub(super) async fn renamed(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        wanted: &PolicySet,
    ) -> Option<Requeue> {
        let poll = wanted.rules.poll_interval;
        if wanted.policies.contains_key(server) {
            let from = self.former_id(server, wanted)?;
            // The old id's own loop hands over, since it may be at work now.
            self.call(from);
            return Some(Requeue::After(poll));
        }
        if self
            .hand_pause_to_twin(server, runtime, wanted)
            .await
            .is_err()
        {
            return Some(Requeue::After(poll));
        }
        let (heir, change) = self.id_in_force(server, wanted)?;
        let assumed = change == IdChange::Assumed;
        {
            let history = &lock(runtime).history;
            // If the ids belonged to two servers, nothing else would start this one.
            if history.is_empty() || (assumed && history.downtime.is_some()) {
                return None;
            }
        }
        let _renaming = self.renaming.lock().await;
        let heirs = self.runtime(&heir);
        if !lock(&heirs).history.is_new() {
            return None;
        }
        let changed = ServerEvent::ServerIdChanged {
            from: server.clone(),
            assumed,
        };
        let written = self
            .record(&heir, &heirs, changed, Details::default())
            .await;
        if written.is_err() {
            return Some(Requeue::After(poll));
        }
        self.call(heir);
        Some(Requeue::Gone)
    }

    /// Pauses the server under the id of its remaining policy, if it was paused under the id of the
    /// removed policy.
    async fn hand_pause_to_twin(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        wanted: &PolicySet,
    ) -> Result<(), TrailError> {
        let twin = lock(&self.other_ids).get(server).cloned();
        let Some(twin) = twin.filter(|twin| wanted.policies.contains_key(twin)) else {
            return Ok(());
        };
        if lock(runtime).history.removed {
            return Ok(());
        }
        self.copy_pause(server, &twin).await
    }

    /// Pauses a server whose other id has become known, if it is paused under that id.
    pub(super) async fn take_pause_of_other_id(
        &self,
        server: &ServerId,
        event: &ServerEvent,
    ) -> Result<(), TrailError> {
        match event {
            ServerEvent::ServerIdentified(ServerIdentity {
                other_id: Some(other),
                ..
            }) => self.copy_pause(other, server).await,
            _ => Ok(()),
        }
    }

    async fn copy_pause(&self, from: &ServerId, to: &ServerId) -> Result<(), TrailError> {
        let pause_of = |server: &ServerId| {
            let runtime = lock(&self.runtimes).get(server).cloned()?;
            lock(&runtime).history.paused.clone()
        };
        let (Some(pause), None) = (pause_of(from), pause_of(to)) else {
            return Ok(());
        };
        let paused = ServerEvent::Paused(pause.order());
        let runtime = self.runtime(to);
        self.record(to, &runtime, paused, Details::default()).await
    }

    /// Returns true if this server's state waits to be handed over. Hooks that hold the server are
    /// handled under the policy that names it now.
    pub(super) fn waits_for_handover(&self, server: &ServerId, wanted: &PolicySet) -> bool {
        let heir = self.id_in_force(server, wanted).map(|(heir, _)| heir);
        heir.is_some_and(|heir| lock(&self.runtime(&heir)).history.is_new())
    }

    /// Keeps the map of second ids up to date, and moves a server's state to its new id.
    pub(super) fn move_state_to_new_id(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        event: &ServerEvent,
    ) {
        match event {
            ServerEvent::ServerIdentified(identity) => {
                if let Some(other) = &identity.other_id {
                    lock(&self.other_ids).insert(other.clone(), server.clone());
                }
            }
            ServerEvent::ServerIdChanged { from, .. } => {
                lock(&self.id_changes).remove(from);
                let mut other_ids = lock(&self.other_ids);
                other_ids.remove(server);
                other_ids.insert(from.clone(), server.clone());
                drop(other_ids);
                let Some(past) = lock(&self.runtimes).remove(from) else {
                    return;
                };
                let past = std::mem::take(&mut *lock(&past));
                self.tap_succession(from, server, &past);
                let mut runtime = lock(runtime);
                let (order, orders) = (runtime.order.take(), runtime.orders);
                let mut history = std::mem::take(&mut runtime.history);
                history.adopt(past.history);
                *runtime = ServerRuntime {
                    history,
                    order: order.or(past.order),
                    orders: orders.max(past.orders),
                    ..past
                };
            }
            _ => {}
        }
    }

    /// Moves the active alerts to the new id.
    fn tap_succession(&self, from: &ServerId, server: &ServerId, past: &ServerRuntime) {
        let Some(tap) = self.tap.get() else { return };
        for key in past.history.alerts.keys() {
            let (kind, about) = key;
            tap.put(News::Unwatched(AlertKey {
                kind: kind.word().to_owned(),
                server: Some(from.clone()),
                about: about.clone(),
            }));
            if let Some(alert) = self.alert(server, &past.history, key) {
                tap.put(News::Raised(alert));
            }
        }
    }
}
