//! Requests a server's listing until it is accepted, and handles listings that fail.

use std::sync::Mutex;

use super::server_runtime::ListingFailure;
use super::turn_outcome::{FAILURES, Requeue, ShuttingDown};
use super::{Engine, ServerRuntime, lock};
use crate::api::{ApiError, ErrorKind, SnapshotApi};
use crate::core::decide::Inventory;
use crate::core::policy::{Policy, Rules};
use crate::core::snapshot::{ServerId, Snapshot};
use crate::logged;

use jiff::SignedDuration;

/// Maximum number of listings that are requested until one is accepted.
const MOST_ASKED: u32 = 4;

impl<A: SnapshotApi> Engine<A> {
    /// Blocks this server with an alert of its own, since the account's listings succeed.
    pub(super) async fn block_after_failed_listing(
        &self,
        policy: &Policy,
        runtime: &Mutex<ServerRuntime>,
        rules: &Rules,
        error: &ApiError,
    ) {
        let nothing = Inventory {
            doubt: Some(format!("the request failed: {error}")),
            ..Inventory::empty(self.clock.now().mono)
        };
        self.decided(policy, runtime, &nothing, rules).await;
    }

    /// Returns an accepted listing, or one that is in doubt. The first one of a process, and one
    /// that contradicts the last, must be confirmed by the next one. If consecutive listings
    /// disagree too often, the last one is returned in doubt. Fails with `None` if the service is
    /// stopping.
    pub(super) async fn confirmed_inventory(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
    ) -> Result<Inventory, Option<ApiError>> {
        for _ in 1..MOST_ASKED {
            let inventory = self.request_inventory(server, runtime).await?;
            if lock(runtime).believes(&inventory) {
                self.owners.accept(server, &inventory);
                return Ok(inventory);
            }
            // Without the pause, the same stale copy at the provider could answer both requests.
            let pause = self.wanted().rules.poll_interval / 2;
            self.rest(pause).await.map_err(|ShuttingDown| None)?;
        }
        let mut inventory = self.request_inventory(server, runtime).await?;
        if !lock(runtime).believes(&inventory) {
            inventory.doubt = Some("consecutive listings disagree".to_owned());
        }
        Ok(inventory)
    }

    pub(super) async fn request_inventory(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
    ) -> Result<Inventory, Option<ApiError>> {
        lock(runtime).asked = u32::try_from(self.clock.now().mono.as_secs()).ok();
        let answer = tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(None),
            answer = self.observer.ask(server) => answer.map_err(Some),
        };
        let mut runtime = lock(runtime);
        runtime.asked = None;
        answer.map(|mut inventory| {
            runtime.history.name_as_known(&mut inventory.snapshots);
            let policies = self.wanted().policies;
            inventory.doubt_second_policy(|id| policies.contains_key(id));
            let has_policy = |id: &ServerId| policies.contains_key(id);
            let seen = runtime.seen.as_ref();
            let is_new = |row: &Snapshot| {
                let lacked = seen.is_some_and(|seen| seen.rows.iter().all(|s| s.id != row.id));
                lacked && !runtime.history.expects(&row.name)
            };
            let sound = inventory.doubt.is_none();
            self.owners
                .doubt_contested(server, &mut inventory, has_policy, is_new);
            if sound && inventory.doubt.is_some() {
                let rows = inventory.snapshots.iter().map(|row| &row.id);
                let unclaimed = rows.filter(|id| !self.owners.is_of_another(server, id));
                runtime.listed.know(unclaimed);
            }
            inventory
        })
    }
}

/// Counts a failed listing and returns a pause that doubles with each failure, up to `retry_after`.
/// `once` gives up after [`FAILURES`].
pub(super) fn no_listing(
    policy: &Policy,
    runtime: &Mutex<ServerRuntime>,
    rules: &Rules,
    error: &ApiError,
    (down, now): (bool, SignedDuration),
) -> Requeue {
    let mut runtime = lock(runtime);
    runtime.failures += 1;
    runtime.own_failures = if down { 0 } else { runtime.own_failures + 1 };
    tracing::warn!(server = logged::id(&policy.server), policy = policy.file, %error, "the listing failed");
    let pause = rules
        .poll_interval
        .saturating_mul(1 << runtime.failures.min(16))
        .min(rules.retry_after);
    // A rejected token already has an account alert.
    runtime.unlisted = (error.kind != ErrorKind::Account).then(|| {
        Box::new(ListingFailure {
            why: error.message.as_str().into(),
            again: now + pause,
        })
    });
    if rules.count_all && runtime.failures >= FAILURES {
        return Requeue::Blocked(pause);
    }
    Requeue::After(pause)
}
