//! Hands a server's state over when its policy names it by its other id. Nothing is done under the
//! new id before the state, with its open calls, has moved.

use std::sync::Mutex;

use super::requeue::Requeue;
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
        seat: &Mutex<ServerRuntime>,
        wanted: &PolicySet,
    ) -> Option<Requeue> {
        let poll = wanted.rules.poll_interval;
        if wanted.policies.contains_key(server) {
            let from = lock(&self.other_ids).get(server).cloned()?;
            if wanted.policies.contains_key(&from) || !lock(seat).history.is_new() {
                return None;
            }
            // The old id's own loop hands over, since it may be at work now.
            lock(&self.called).servers.insert(from);
            self.wake();
            return Some(Requeue::After(poll));
        }
        let heir = lock(seat).history.other_id().cloned()?;
        if !wanted.policies.contains_key(&heir) || lock(seat).history.is_new() {
            return None;
        }
        let heirs = self.seat(&heir);
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
    pub(super) fn succeed(
        &self,
        server: &ServerId,
        seat: &Mutex<ServerRuntime>,
        fact: &ServerEvent,
    ) {
        match fact {
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
                let Some(past) = lock(&self.seats).remove(from) else {
                    return;
                };
                let past = std::mem::take(&mut *lock(&past));
                self.tap_succession(from, server, &past);
                let mut seat = lock(seat);
                let (order, orders) = (seat.order.take(), seat.orders);
                let mut history = std::mem::take(&mut seat.history);
                history.succeed(past.history);
                *seat = ServerRuntime {
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
