//! Requests listings of a server until one is accepted, and handles listings that fail.

use std::future::pending;
use std::sync::Mutex;

use super::before_listing::ListingWanted;
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

    /// Returns an accepted listing or one that is in doubt, or else when to look again.
    pub(super) async fn listed(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        wanted: &ListingWanted,
    ) -> Result<Inventory, Requeue> {
        let failed = match self.listed_in_time(server, runtime, wanted).await {
            None => return Err(Requeue::After(SignedDuration::ZERO)),
            Some(Ok(inventory)) => return Ok(inventory),
            Some(Err(None)) => return Err(Requeue::Until(None)),
            Some(Err(Some(error))) => error,
        };
        Err(Box::pin(self.unlisted(runtime, wanted, failed)).await)
    }

    /// Returns the outcome of the listing. A server that is down must not wait for it: if its start
    /// comes due first, returns `None`.
    async fn listed_in_time(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
        ListingWanted { rules, policy, .. }: &ListingWanted,
    ) -> Option<Result<Inventory, Option<ApiError>>> {
        let now = self.clock.now();
        let patience = (lock(runtime).history).time_for_listing(Some(policy), rules, now);
        let impatient = async {
            match patience {
                Some(patience) => Box::pin(self.clock.sleep(patience)).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            looked = self.confirmed_inventory(server, runtime) => Some(looked),
            () = impatient => None,
        }
    }

    /// Notes that the listing failed, and returns when to look again.
    async fn unlisted(
        &self,
        runtime: &Mutex<ServerRuntime>,
        ListingWanted {
            rules,
            policy,
            idle,
            ..
        }: &ListingWanted,
        error: ApiError,
    ) -> Requeue {
        Self::turn_down(runtime, || {
            format!("its snapshots can't be listed: {error}")
        });
        let down = self.account.down();
        let now = self.clock.now().mono;
        let rest = no_listing(policy, runtime, rules, &error, (down, now));
        if !idle && lock(runtime).own_failures >= FAILURES {
            self.block_after_failed_listing(policy, runtime, rules, &error)
                .await;
        }
        // A server that is down is checked again soon, whatever the error.
        let down = lock(runtime).history.downtime.is_some();
        if down {
            Requeue::After(rules.poll_interval)
        } else {
            rest
        }
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
            if let Some(inventory) = self.believed(server, runtime).await? {
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

    /// Returns the inventory if it is accepted. A future of its own, so that the discarded inventory
    /// takes no space in the future that waits for the next one.
    async fn believed(
        &self,
        server: &ServerId,
        runtime: &Mutex<ServerRuntime>,
    ) -> Result<Option<Inventory>, Option<ApiError>> {
        let inventory = self.request_inventory(server, runtime).await?;
        if !lock(runtime).believes(&inventory) {
            return Ok(None);
        }
        self.owners.accept(server, &inventory);
        Ok(Some(inventory))
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
/// `once` gives up after [`FAILURES`] failures.
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
