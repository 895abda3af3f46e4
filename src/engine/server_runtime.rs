//! The in-memory state of one server.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::OwnedSemaphorePermit;

use super::listing_acceptance::ListingConfirmation;
use super::pending_order::PendingOrder;
use crate::core::decide::Inventory;
use crate::core::health;
use crate::core::policy::{Policy, Rules};
use crate::core::server_event::{ClockReading, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{Snapshot, Status};
use crate::hooks::RunnerLease;

/// Rows of the last accepted listing.
#[derive(Clone, Debug)]
pub struct AcceptedListing {
    /// The server's snapshots.
    pub rows: Box<[Snapshot]>,
    /// When the listing was accepted.
    pub at: Timestamp,
    /// When it was requested, on the monotonic clock.
    pub requested: SignedDuration,
}

impl AcceptedListing {
    /// Returns the rows as an inventory for a decision.
    pub fn inventory(&self) -> Inventory {
        Inventory {
            snapshots: self.rows.to_vec(),
            ..Inventory::empty(self.requested)
        }
    }
}

/// Why the last listing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingFailure {
    /// The error.
    pub why: Box<str>,
    /// When it is retried, on the monotonic clock.
    pub again: SignedDuration,
}

/// The part of a hold that lives in memory.
#[derive(Default)]
pub(super) struct HoldRuntime {
    /// Dropping it releases the server.
    pub(super) lease: Option<RunnerLease>,
    /// The result of `after`, if it ran and could not be recorded yet.
    pub(super) unrecorded: Option<ServerEvent>,
}

impl HoldRuntime {
    /// Returns true if the runner has already released the server, or is gone.
    pub(super) fn is_over(&self) -> bool {
        self.lease.as_ref().is_some_and(RunnerLease::is_over)
    }
}

/// The in-memory state of one server.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a state of its own, and they combine"
)]
pub(super) struct ServerRuntime {
    pub(super) history: ServerHistory,
    /// Rows of the last accepted listing, for status.
    pub(super) seen: Option<AcceptedListing>,
    /// Confirmation state of the listings.
    pub(super) listed: ListingConfirmation,
    /// Consecutive failed listings.
    pub(super) failures: u32,
    /// Consecutive failures while account-wide listings succeeded.
    pub(super) own_failures: u32,
    /// When the current request for a listing began, in whole seconds of the monotonic clock.
    pub(super) asked: Option<u32>,
    /// Why the last listing failed, for status.
    pub(super) unlisted: Option<Box<ListingFailure>>,
    /// Consecutive records that could not be written.
    pub(super) unwritten: u32,
    /// Set if `once` may count this server as a success.
    pub(super) settled: bool,
    /// Set at the first decision of this process if the trail is new. True if its listing showed
    /// own snapshots, and the trail contained no create for the server.
    pub(super) found_own: Option<bool>,
    /// The hold, if the server is held.
    pub(super) held: Option<Box<HoldRuntime>>,
    /// The permit of a stopped server, until its downtime ends.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// Set while a pause is being recorded. The pause already applies.
    pub(super) pausing: bool,
    /// Set while the protection of a snapshot is being recorded. Nothing is deleted meanwhile.
    pub(super) protecting: bool,
    /// Set while an intent is being recorded.
    pub(super) intending: bool,
    /// True if the last decision judged the slots that were due.
    pub(super) watching: bool,
    /// Number of orders so far.
    pub(super) orders: u64,
    /// The order that waits.
    pub(super) order: Option<Box<PendingOrder>>,
}

pub(super) type SharedRuntime = Arc<Mutex<ServerRuntime>>;

impl ServerRuntime {
    /// Returns true if this listing is accepted, and resets the failure counters.
    pub(super) fn believes(&mut self, inventory: &Inventory) -> bool {
        (self.failures, self.own_failures) = (0, 0);
        self.unlisted = None;
        let Self {
            listed, history, ..
        } = self;
        let completed = history.completed.iter().map(|(id, _)| id.clone());
        listed.expect(completed.filter(|id| !history.has_open_delete_of(id)));
        listed.believes(inventory)
    }

    /// Returns true if the snapshot of a held or stopped server is completed or failed according to
    /// the last listing or the trail, and the trail can't be written now.
    pub(super) fn is_end_unwritten(&self) -> bool {
        let rows = self.seen.as_ref().map(|seen| &seen.rows[..]);
        let open = self.history.open.as_ref();
        let row = open.and_then(|open| open.made_in(rows.unwrap_or_default()));
        let has_ended = |row: &Snapshot| matches!(row.status, Status::Completed | Status::Failed);
        let downtime = self.history.downtime.as_deref();
        // The record of the end may be the last one that was written.
        let is_recorded = open.is_none() && downtime.is_some_and(|downtime| downtime.created);
        self.unwritten > 0 && (is_recorded || row.is_some_and(has_ended))
    }

    /// Returns the event for a completed own snapshot that has disappeared since the last listing,
    /// or while no process was running, and has no open delete.
    pub(super) fn deleted_by_others(&mut self, policy: &Policy) -> Option<ServerEvent> {
        while let Some(id) = self.listed.vanished() {
            let mut rows = self.seen.iter().flat_map(|seen| seen.rows.iter());
            let own = |row: &&Snapshot| {
                row.id == id && row.status == Status::Completed && policy.place(&row.name).is_some()
            };
            let seen = rows.find(own).map(|row| row.name.as_str());
            let name = seen.or_else(|| self.history.completed_snapshot_name(&id));
            if let Some(name) = name.filter(|_| !self.history.has_open_delete_of(&id)) {
                let took = if self.history.was_deletion_sent(&id) {
                    "the service sent a delete request for it earlier"
                } else {
                    "the service did not delete it"
                };
                return Some(ServerEvent::SnapshotGone {
                    snapshot: name.into(),
                    id,
                    reason: format!("it is no longer listed, and {took}"),
                });
            }
        }
        None
    }

    /// Returns true if the server is paused, no end of a pause is due, and nothing is open, owed or
    /// ordered.
    pub(super) fn idle_in_pause(&self, now: Timestamp) -> bool {
        let history = &self.history;
        history.paused().is_some()
            && history.pause_over(now).is_none()
            && history.open.is_none()
            && history.hold.is_none()
            && history.downtime.is_none()
            && self.order.is_none()
    }

    /// Returns when the server must be listed because its newest copy becomes too old. The time is
    /// in the past if the listing is due; `None` if none is needed.
    pub(super) fn next_health_check(
        &self,
        policy: &Policy,
        rules: &Rules,
        now: ClockReading,
    ) -> Option<Timestamp> {
        let inventory = self.seen.as_ref()?.inventory();
        health::next_health_check(policy, &inventory, &self.history, rules, now)
    }

    /// Stores a listing for status. Equal rows are kept instead of copied.
    pub(super) fn store_for_status(&mut self, inventory: &Inventory, at: Timestamp) {
        let rows = match self.seen.take() {
            Some(seen) if *seen.rows == *inventory.snapshots => seen.rows,
            _ => inventory.snapshots.clone().into_boxed_slice(),
        };
        self.seen = Some(AcceptedListing {
            rows,
            at,
            requested: inventory.requested,
        });
    }
}
