//! The account's snapshots combined with the policies: the output of `list --json`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::api::{Listing, ServerRows};
use crate::config::Config;
use crate::core::policy::Policy;
use crate::core::rotation_and_snapshot_name::RotationName;
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId};

/// The account's snapshots as the provider listed them.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ListingView {
    /// When the provider was asked.
    pub(super) time: Timestamp,
    /// Why the whole listing is doubtful.
    pub(super) doubt: Option<String>,
    /// The servers, by id.
    pub(super) servers: Vec<ServerListing>,
}

/// One server and its snapshots.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ServerListing {
    /// The provider's id of the server.
    pub(super) id: ServerId,
    /// The provider's name for the server, else the policy's, else the stem of the policy's file.
    pub(super) name: Option<String>,
    /// The stem of the policy's file; `null` if the server has no policy.
    pub(super) policy: Option<String>,
    /// Number of snapshots that the server may hold.
    pub(super) limit: usize,
    /// Why the server's rows are doubtful.
    pub(super) doubt: Option<String>,
    /// Number of snapshots of each kind.
    pub(super) counts: SnapshotCounts,
    /// The snapshots, in the order of the listing.
    pub(super) snapshots: Vec<SnapshotRow>,
}

impl ServerListing {
    /// Returns true if nothing shows that the server exists.
    pub(super) fn is_unseen(&self) -> bool {
        self.policy.is_none() && self.snapshots.is_empty() && self.doubt.is_none()
    }
}

/// Number of snapshots of each kind.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SnapshotCounts {
    /// All snapshots.
    pub(super) total: usize,
    /// Snapshots of the policy's rotations.
    pub(super) own: usize,
    /// Snapshots of a server with a policy that belong to none of its rotations.
    pub(super) foreign: usize,
    /// Snapshots that the policy or an order protects, own or foreign.
    pub(super) protected: usize,
}

/// The owner of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum Owner {
    /// A rotation's pattern gives the name.
    Own,
    /// No rotation's pattern gives the name.
    Foreign,
}

/// One snapshot.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SnapshotRow {
    /// The provider's id of the snapshot.
    pub(super) id: SnapshotId,
    /// Its name.
    pub(super) name: String,
    /// The provider's status word.
    pub(super) status: String,
    /// Its size in megabytes, as the provider gives it.
    pub(super) size_mb: Option<u64>,
    /// When it was created, as the provider gives it.
    pub(super) created_at: Option<Timestamp>,
    /// Its owner; `null` if the server has no policy.
    pub(super) whose: Option<Owner>,
    /// The rotation that it belongs to.
    pub(super) rotation: Option<RotationName>,
    /// True if the policy or an order protects it.
    pub(super) protected: bool,
    /// When it expires and is deleted; only of a manual snapshot that was ordered with an expiry.
    pub(super) expires: Option<Timestamp>,
}

/// The history of each server, from the trail.
type Histories = BTreeMap<ServerId, ServerHistory>;

/// Combines the servers of the listing with those of the policies and of the trail. If `asked` is
/// given, returns only that server.
pub(super) fn view(
    config: &Config,
    listing: &Listing,
    histories: &Histories,
    asked: Option<&ServerId>,
    time: Timestamp,
) -> ListingView {
    let with_policy = config.policies.iter().map(|policy| policy.server.clone());
    let listed = listing.servers.keys().cloned();
    let mut ids: BTreeSet<_> = with_policy.chain(listed).chain(asked.cloned()).collect();
    ids.retain(|id| asked.is_none_or(|asked| asked == id));
    let none = ServerRows::default();
    let servers = ids.into_iter().map(|id| {
        let policy = config.policies.iter().find(|policy| policy.server == id);
        let rows = listing.servers.get(&id).unwrap_or(&none);
        let history = histories.get(&id);
        let policy = policy.map(|policy| (policy.as_ref(), history));
        server(config, listing, id, policy, rows)
    });
    ListingView {
        time,
        doubt: listing.doubt.clone(),
        servers: servers.collect(),
    }
}

fn server(
    config: &Config,
    listing: &Listing,
    id: ServerId,
    terms: Option<(&Policy, Option<&ServerHistory>)>,
    rows: &ServerRows,
) -> ServerListing {
    let policy = terms.map(|(policy, _)| policy);
    let snapshots = rows.snapshots.iter();
    let snapshots: Vec<_> = snapshots
        .map(|snapshot| {
            let size = listing.sizes.get(&snapshot.id).copied();
            row(terms, snapshot, size)
        })
        .collect();
    let mut counts = SnapshotCounts::default();
    for row in &snapshots {
        counts.total += 1;
        counts.own += usize::from(row.whose == Some(Owner::Own));
        counts.foreign += usize::from(row.whose == Some(Owner::Foreign));
        counts.protected += usize::from(row.protected);
    }
    let given = Some(rows.name.clone()).filter(|name| !name.is_empty());
    ServerListing {
        id,
        name: given.or_else(|| policy.map(|policy| policy.called().to_owned())),
        policy: policy.map(|policy| policy.file.clone()),
        limit: config.rules.limit,
        doubt: rows.doubt.clone(),
        counts,
        snapshots,
    }
}

fn row(
    terms: Option<(&Policy, Option<&ServerHistory>)>,
    snapshot: &Snapshot,
    size_mb: Option<u64>,
) -> SnapshotRow {
    let policy = terms.map(|(policy, _)| policy);
    let history = terms.and_then(|(_, history)| history);
    let ordered = history.is_some_and(|history| history.ordered_protection(snapshot).is_some());
    let place = policy.and_then(|policy| Some((policy, policy.place(&snapshot.name)?)));
    let rotation = place.map(|(policy, place)| policy.rotations[place.rotation].name.clone());
    let whose = match (policy, &rotation) {
        (None, _) => None,
        (Some(_), Some(_)) => Some(Owner::Own),
        (Some(_), None) => Some(Owner::Foreign),
    };
    let expires = history.filter(|_| rotation.is_none());
    let expires = expires.and_then(|history| history.expires(snapshot));
    SnapshotRow {
        id: snapshot.id.clone(),
        name: snapshot.name.clone(),
        status: snapshot.status.word().to_owned(),
        size_mb,
        created_at: snapshot.created_at,
        whose,
        rotation,
        expires,
        protected: ordered || policy.is_some_and(|policy| policy.protects(snapshot)),
    }
}
