//! The orders and pauses that operators have requested, as the judge tracks them.

use super::rng::Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An action of an operator.
#[derive(Clone, Copy, Debug)]
pub(super) enum OperatorAction {
    /// Pauses one server, or all.
    Pause(Option<u64>),
    /// Resumes one server, or all.
    Resume(Option<u64>),
    Create(u64),
    Delete(u64),
    Restore(u64),
}

/// The orders that are not carried out yet, and the pauses that are certainly in force.
#[derive(Default)]
pub(super) struct OperatorWishes {
    pub(super) rng: Option<Rng>,
    pub(super) creates: BTreeSet<String>,
    pub(super) deletes: BTreeSet<u64>,
    pub(super) restores: BTreeSet<u64>,
    pub(super) paused: BTreeSet<Option<u64>>,
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

    /// Returns true if only orders may change the server.
    pub(super) fn paused(&self, server: u64) -> bool {
        self.paused.contains(&None) || self.paused.contains(&Some(server))
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
