//! The present state that a report shows, from the service's view and the policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::attention::needs_somebody;
use super::view::{Activity, AlertView, FleetView, ServerView, SnapshotView};
use crate::core::alert_tally::Fault;
use crate::core::policy::Policy;
use crate::core::report::PresentState;
use crate::core::server_report::{NextSnapshot, PresentCopy, PresentServer, SeenServer};
use crate::core::snapshot::{ServerId, SnapshotId};

/// Returns the present state; `view` is `None` if no service runs.
pub fn present_state<'p>(
    policies: impl Iterator<Item = &'p Arc<Policy>>,
    view: Option<&FleetView>,
    sizes: BTreeMap<SnapshotId, u64>,
) -> PresentState {
    let mut alerts: BTreeMap<Option<&ServerId>, Vec<Fault>> = BTreeMap::new();
    for alert in view.iter().flat_map(|view| &view.alerts) {
        let of_server = alerts.entry(alert.server.as_ref()).or_default();
        of_server.push(fault(alert));
    }
    let seen: BTreeMap<_, _> = view
        .iter()
        .flat_map(|view| &view.servers)
        .map(|server| (&server.id, server))
        .collect();
    let servers = policies.map(|policy| PresentServer {
        id: policy.server.clone(),
        name: policy.called().to_owned(),
        file: policy.file.clone(),
        copy_age_limit: policy.copy_age_limit(),
        seen: seen.get(&policy.server).map(|server| SeenServer {
            health: server.health,
            needs_somebody: needs_somebody(server),
            copies: server.listed.map(|_| copies(server)),
            alerts: alerts.remove(&Some(&server.id)).unwrap_or_default(),
            next: next(server),
        }),
    });
    PresentState {
        servers: servers.collect(),
        service_alerts: alerts.remove(&None).unwrap_or_default(),
        sizes,
    }
}

/// Returns the largest age at which a copy of any server still counts as fresh. A report needs no
/// older records.
pub fn longest_copy_age_limit<'p>(
    policies: impl Iterator<Item = &'p Arc<Policy>>,
) -> SignedDuration {
    let limits = policies.filter_map(|policy| policy.copy_age_limit());
    limits.max().unwrap_or_default()
}

fn fault(alert: &AlertView) -> Fault {
    Fault {
        alert: alert.alert.clone(),
        about: alert.about.clone(),
        since: alert.since,
        mended: None,
    }
}

fn copies(server: &ServerView) -> Vec<PresentCopy> {
    let completed = server.snapshots.iter().filter(|s| s.status == "completed");
    let copy = |snapshot: &SnapshotView| {
        Some(PresentCopy {
            id: snapshot.id.clone(),
            made: snapshot.made()?,
            own: snapshot.rotation.is_some(),
        })
    };
    completed.filter_map(copy).collect()
}

/// Returns the next snapshot; `None` for a paused server.
fn next(server: &ServerView) -> Option<NextSnapshot> {
    let next = server.next_slot()?;
    (server.activity != Activity::Paused).then(|| NextSnapshot {
        snapshot: next.snapshot.clone(),
        at: next.at,
    })
}
