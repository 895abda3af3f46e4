//! The servers that are truly held by hooks.

use super::rng::Rng;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The servers that hooks hold, and the random stream from which hook faults are drawn.
pub(super) struct HookLedger {
    pub(super) rng: Rng,
    pub(super) held: BTreeMap<u64, HeldServer>,
    /// Servers whose `before` couldn't be started but whose policy allows the create anyway, with
    /// the snapshot's name.
    pub(super) excused: BTreeMap<u64, String>,
}

/// A server that a hook holds.
pub(super) struct HeldServer {
    pub(super) snapshot: String,
    pub(super) since: Timestamp,
    /// True if a live runner releases it by itself.
    pub(super) leased: bool,
}

impl HookLedger {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            rng,
            held: BTreeMap::new(),
            excused: BTreeMap::new(),
        }
    }

    /// Records the end of the process: live runners release their servers, unless the power failed.
    pub(super) fn process_ended(&mut self, power_lost: bool) {
        self.held.retain(|_, held| {
            let stays = power_lost || !held.leased;
            held.leased = false;
            stays
        });
    }

    /// Releases every server, as people do after the trail that recorded the holds is lost.
    pub(super) fn forgotten(&mut self) {
        self.held.clear();
    }

    /// Releases a server that no runner holds, as an operator does by hand before `resume`.
    pub(super) fn by_hand(&mut self, server: u64) {
        if self.held.get(&server).is_some_and(|held| !held.leased) {
            self.held.remove(&server);
        }
    }

    /// Returns the held servers, each with the start of its hold.
    pub(super) fn held(&self) -> Vec<(u64, Timestamp)> {
        let held = self.held.iter();
        held.map(|(server, held)| (*server, held.since)).collect()
    }

    pub(super) fn holds(&self, server: u64, snapshot: &str) -> bool {
        let held = self.held.get(&server);
        held.is_some_and(|held| held.snapshot == snapshot)
            || self
                .excused
                .get(&server)
                .is_some_and(|name| name == snapshot)
    }
}
