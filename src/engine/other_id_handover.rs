//! Hands a server's state over when its policy names it by its other id. Nothing is done under the
//! new id before the state, with its open calls, has moved.

use std::sync::Mutex;

use super::turn_outcome::Requeue;
use super::{Engine, PolicySet, ServerRuntime, lock};
use crate::alerts::{AlertKey, News};
use crate::api::SnapshotApi;
use crate::audit::Details;
use crate::core::event::ServerEvent;
use crate::core::snapshot::ServerId;

impl<A: SnapshotApi> Engine<A> {
    /// Hands the state over if a policy now names this server by its other id. Called for the new
    /// id, it wakes the old id's loop and waits for it. Returns `None` if there is nothing to hand
    /// over, else when to look again.
    pub(super) async fn renamed(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        wanted: &PolicySet,
    ) -> Option<Requeue> {
        let poll = wanted.rules.poll_interval;
        if wanted.policies.contains_key(server) {
            let from = lock(&self.other_ids).get(server).cloned()?;
            if wanted.policies.contains_key(&from) || !lock(runtime).history.is_new() {
                return None;
            }
            // The old id's own loop hands over, since it may be at work now.
            lock(&self.called).servers.insert(from);
            self.wake();
            return Some(Requeue::After(poll));
        }
        let heir = lock(runtime).history.other_id().cloned()?;
        if !wanted.policies.contains_key(&heir) || lock(runtime).history.is_new() {
            return None;
        }
        let heirs = self.runtime(&heir);
        if !lock(&heirs).history.is_new() {
            return None;
        }
        let changed = ServerEvent::ServerIdChanged {
            from: server.clone(),
        };
        let written = self
            .record(&heir, &heirs, changed, Details::default())
            .await;
        if written.is_err() {
            return Some(Requeue::After(poll));
        }
        lock(&self.called).servers.insert(heir);
        self.wake();
        Some(Requeue::Gone)
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
            ServerEvent::ServerIdChanged { from } => {
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

    /// Moves the standing alerts to the new id.
    fn tap_succession(&self, from: &ServerId, server: &ServerId, past: &ServerRuntime) {
        let Some(tap) = self.tap.get() else { return };
        for ((kind, about), standing) in &past.history.alerts {
            tap.put(News::Unwatched(AlertKey {
                kind: kind.word().to_owned(),
                server: Some(from.clone()),
                about: about.clone(),
            }));
            tap.put(News::Raised(self.alert(server, *kind, about, standing)));
        }
    }
}
