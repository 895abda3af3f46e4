//! The orders and pauses that operators have requested, as the judge tracks them.

use super::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

/// An action of an operator.
#[derive(Clone, Copy, Debug)]
pub(super) enum OperatorAction {
    /// Pauses one server, or all; until this time, if one is given.
    Pause(Option<u64>, Option<Timestamp>),
    /// Resumes one server, or all.
    Resume(Option<u64>),
    /// Creates a snapshot on the server, perhaps one that expires.
    Create(u64, Option<SignedDuration>),
    Delete(u64),
    Restore(u64),
    /// Protects a snapshot of the server until the time.
    Protect(u64, Timestamp),
    /// Ends the protections of the server's snapshots.
    Unprotect(u64),
    /// Acknowledges the server's alerts.
    Acknowledge(u64),
}

/// The orders that are not carried out yet, and the pauses that are certainly in force.
#[derive(Default)]
pub(super) struct OperatorWishes {
    pub(super) rng: Option<Rng>,
    pub(super) creates: BTreeSet<String>,
    /// The names of the ordered snapshots that expire, and when.
    pub(super) expiring: BTreeMap<String, Timestamp>,
    pub(super) deletes: BTreeSet<u64>,
    pub(super) restores: BTreeSet<u64>,
    /// Each has the time at which it ends by itself, if it does.
    pub(super) paused: BTreeMap<Option<u64>, Option<Timestamp>>,
    /// Pauses that were requested and whose end is not recorded.
    pub(super) asked: BTreeSet<Option<u64>>,
    pub(super) orders: u64,
    /// Serializes pauses and resumes, as if one person did them all.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl OperatorWishes {
    /// Forgets the pauses: the trail that recorded them is lost.
    pub(super) fn forgotten(&mut self) {
        self.paused.clear();
    }

    /// Forgets the pauses that end by themselves: a clock that was ahead may have ended them.
    pub(super) fn clock_set(&mut self) {
        self.paused.retain(|_, until| until.is_none());
    }

    /// Returns true if only orders may change the server while the host's clock shows this time.
    pub(super) fn paused(&self, server: u64, wall: Timestamp) -> bool {
        let pauses = [self.paused.get(&None), self.paused.get(&Some(server))];
        let mut pauses = pauses.into_iter().flatten();
        pauses.any(|until| until.is_none_or(|until| wall < until))
    }

    /// Takes the order for a create that is being sent. Returns `None` if the name is not an
    /// operator's, and false if the order was carried out before.
    pub(super) fn takes_create(&mut self, name: &str) -> Option<bool> {
        name.starts_with("order-")
            .then(|| self.creates.remove(name))
    }

    /// Takes the order for a delete. Returns true if there is one.
    pub(super) fn takes_delete(&mut self, id: u64) -> bool {
        self.deletes.remove(&id)
    }

    pub(super) fn takes_restore(&mut self, id: u64) -> bool {
        self.restores.remove(&id)
    }

    pub(super) fn draw(&mut self, end: u64) -> usize {
        let drawn = self.rng.as_mut().map_or(0, |rng| rng.below(end));
        usize::try_from(drawn).unwrap_or(0)
    }
}
