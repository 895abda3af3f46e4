//! A seat: all that is known of one server between two looks.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::hook_leases::HeldLease;
use super::listing_confirmation::ListingConfirmation;
use super::operator_orders::PendingOrder;
use super::runtime_view::{AcceptedListing, ListingFailure};
use crate::core::decide::Inventory;
use crate::core::downtime::PowerState;
use crate::core::event::ServerEvent;
use crate::core::policy::Policy;
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{Snapshot, Status};

/// All that is known of one server between two looks.
#[derive(Default)]
pub(super) struct ServerRuntime {
    pub(super) history: ServerHistory,
    /// The rows of the last listing that was gone by; for those who look on.
    pub(super) seen: Option<AcceptedListing>,
    /// The listings so far, and which of them are believed.
    pub(super) listed: ListingConfirmation,
    /// Listings in a row that couldn't be had.
    pub(super) failures: u32,
    /// The last ones of these in a row while the account's could be had.
    pub(super) own_failures: u32,
    /// Since when a listing is asked for, in whole seconds of the clock that doesn't step.
    pub(super) asked: Option<u32>,
    /// Why the last listing couldn't be had; for those who look on.
    pub(super) unlisted: Option<Box<ListingFailure>>,
    /// Records in a row that couldn't be written.
    pub(super) unwritten: u32,
    /// Set where `once` may call this server good.
    pub(super) settled: bool,
    /// Set by the first listing: it showed own snapshots.
    pub(super) found_own: Option<bool>,
    /// The hold of its hooks, if it is held.
    pub(super) held: Option<Box<HeldLease>>,
    /// The server's state, by the last answer.
    pub(super) state: Option<Box<PowerState>>,
    /// Its place among the servers that stand still until their create is answered.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// A pause is being recorded, and heeded already.
    pub(super) pausing: bool,
    /// An intent is being recorded.
    pub(super) intending: bool,
    /// Orders so far, and the one that waits.
    pub(super) orders: u64,
    pub(super) order: Option<Box<PendingOrder>>,
    /// A listing that a deliberate break uses twice.
    #[cfg(feature = "proof")]
    pub(super) reused: Option<Box<Inventory>>,
}

pub(super) type SharedRuntime = Arc<Mutex<ServerRuntime>>;

impl ServerRuntime {
    /// Returns true if this listing is gone by; what fails to be had in between says nothing.
    pub(super) fn believes(&mut self, inventory: &Inventory) -> bool {
        (self.failures, self.own_failures) = (0, 0);
        self.unlisted = None;
        #[cfg(feature = "proof")]
        if inventory.doubt.is_none() && crate::core::breaks::Break::StaleListingReused.on() {
            self.reused = Some(Box::new(inventory.clone()));
        }
        let Self {
            listed, history, ..
        } = self;
        let completed = history.completed.iter().map(|(id, _)| id.clone());
        listed.expect(completed.filter(|id| !history.deletes(id)));
        listed.believes(inventory)
    }

    /// A completed own snapshot that somebody else took since the last listing, or while no
    /// process looked, to be recorded.
    pub(super) fn taken(&mut self, policy: &Policy) -> Option<ServerEvent> {
        while let Some(id) = self.listed.vanished() {
            let mut rows = self.seen.iter().flat_map(|seen| seen.rows.iter());
            let own = |row: &&Snapshot| {
                row.id == id && row.status == Status::Completed && policy.place(&row.name).is_some()
            };
            let seen = rows.find(own).map(|row| row.name.as_str());
            let name = seen.or_else(|| self.history.called(&id));
            if let Some(name) = name.filter(|_| !self.history.deletes(&id)) {
                let took = if self.history.paid_for(&id) {
                    "a delete of ours was sent for it before"
                } else {
                    "no delete of ours took it"
                };
                return Some(ServerEvent::SnapshotGone {
                    snapshot: name.to_owned(),
                    id,
                    reason: format!("no listing shows it any more, and {took}"),
                });
            }
        }
        None
    }

    /// Paused, and nothing that was begun before is left to be watched, nor ordered.
    pub(super) fn idle_in_pause(&self) -> bool {
        let history = &self.history;
        history.paused().is_some()
            && history.open.is_none()
            && history.hold.is_none()
            && history.downtime.is_none()
            && self.order.is_none()
    }

    /// Keeps what is shown, where it differs from what was.
    pub(super) fn show(&mut self, inventory: &Inventory, at: Timestamp) {
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
