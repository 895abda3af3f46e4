//! The invariants, checked against the provider's truth at each mutation.
//!
//! They are written anew here and in [`super::deletable`], from the rows alone, without the
//! program's own code for names, dates and retention. An invariant must hold for the server's true
//! state at some instant between the one that the justifying listing showed and the mutation
//! (docs/design.md, "Invariants").

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::true_state::TrueSnapshot;
use super::world_setup::JudgedPolicy;
use crate::core::snapshot::Status;

/// The program's tolerance for dates and clocks, as documented.
pub(super) const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Bytes at the trail's end that are searched for settled slots.
pub(super) const SEARCHED: usize = 64 * 1024;

/// A listing that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnsweredListing {
    /// The instant whose rows it showed; before the request if it was stale.
    pub(super) seen: Timestamp,
    pub(super) requested: Timestamp,
    /// True if it was complete, and showed the right server under its right name.
    pub(super) sound: bool,
}

/// A prune-first whose promised snapshot is not there yet.
pub(super) struct OpenPromise {
    pub(super) victim: u64,
    pub(super) known: BTreeSet<u64>,
}

/// The state of the judge.
#[derive(Default)]
pub(super) struct Judge {
    /// The newest listings of each server; a mutation may be based on any of them.
    pub(super) bases: BTreeMap<u64, VecDeque<AnsweredListing>>,
    /// The listings at the start of a server's `before`; the create after it may be based on them.
    pub(super) before: BTreeMap<u64, VecDeque<AnsweredListing>>,
    /// The time at which each server's last mutation was answered in this process.
    pub(super) answered: BTreeMap<u64, Timestamp>,
    pub(super) in_flight: BTreeMap<u64, u64>,
    pub(super) guards: BTreeMap<u64, OpenPromise>,
    /// The wall clock at the last mutation of each server.
    pub(super) last_wall: BTreeMap<u64, Timestamp>,
    /// True if only the trail was lost, not the state folder; each later verification reports that.
    pub(super) loss_said: bool,
    /// True if the seed is not judged any further.
    pub(super) enough: bool,
    /// The violations, as text.
    pub(super) violations: Vec<String>,
    /// Number of checks by invariant.
    pub(super) checked: BTreeMap<&'static str, u64>,
}

impl Judge {
    /// Clears the state of the previous process, with which the calls in flight ended.
    pub(super) fn restarted(&mut self) {
        self.bases.clear();
        self.before.clear();
        self.answered.clear();
        self.in_flight.clear();
    }

    /// Forgets everything that only the lost trail recorded.
    pub(super) fn trail_lost(&mut self, head_stays: bool) {
        self.loss_said = head_stays;
        self.guards.clear();
        self.last_wall.clear();
    }

    /// Records that an operator agreed: the rotation may prune another snapshot.
    pub(super) fn agreed(&mut self, server: u64) {
        self.guards.remove(&server);
    }

    pub(super) fn listed(&mut self, server: u64, basis: AnsweredListing) {
        let newest = self.bases.entry(server).or_default();
        newest.push_back(basis);
        if newest.len() > 2 {
            newest.pop_front();
        }
    }

    /// Records that a create waits for its hook from now on.
    pub(super) fn hooked(&mut self, server: u64) {
        let bases = self.bases.get(&server).cloned().unwrap_or_default();
        self.before.insert(server, bases);
    }

    /// Records that no create waits for a hook any more. Returns the listings at the hook's start.
    pub(super) fn unhooked(&mut self, server: u64) -> VecDeque<AnsweredListing> {
        self.before.remove(&server).unwrap_or_default()
    }

    pub(super) fn answered(&mut self, server: u64, now: Timestamp) {
        self.answered.insert(server, now);
        let flying = self.in_flight.entry(server).or_default();
        *flying = flying.saturating_sub(1);
    }

    /// Ends the promise of a prune-first if a new row fulfils it: a completed snapshot of a
    /// rotation, or any snapshot that no rotation owns.
    pub(super) fn changed(&mut self, server: u64, view: &JudgedPolicy, rows: &[TrueSnapshot]) {
        let Some(guard) = self.guards.get(&server) else {
            return;
        };
        let good = |row: &TrueSnapshot| {
            !guard.known.contains(&row.id)
                && (view.rotation(&row.name).is_none() || row.status == Status::Completed)
        };
        if rows.iter().any(good) {
            self.guards.remove(&server);
        }
    }

    pub(super) fn ask(&mut self, invariant: &'static str) {
        *self.checked.entry(invariant).or_default() += 1;
    }
}
