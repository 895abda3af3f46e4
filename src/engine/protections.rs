//! Snapshots that an operator protects by order. From the order on, no delete of them begins (I1).

use serde::{Deserialize, Serialize};

use super::{Engine, ServerRuntime, lock};
use crate::api::SnapshotApi;
use crate::audit::{Details, TrailError};
use crate::core::ordered_protection::{MOST_ORDERED, OrderedProtection};
use crate::core::policy::Policy;
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::server_event::ServerEvent;
use crate::core::snapshot::{ServerId, SnapshotId};

/// The outcome of an order about a snapshot's protection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionResult {
    /// The snapshot's name.
    pub snapshot: String,
    /// Its id.
    pub id: SnapshotId,
    /// True if it was protected by order already; nothing was recorded.
    pub already: bool,
    /// The policy's file, without .toml, if the policy protects the snapshot too.
    pub policy: Option<String>,
}

/// Why a protection could not begin or end.
#[derive(Debug, thiserror::Error)]
pub enum ProtectionError {
    /// The order can't be recorded.
    #[error("the order can't be recorded, so nothing has changed: {0}")]
    Trail(#[from] TrailError),
    /// The server has no policy.
    #[error("the server has no policy, so nothing is deleted on it")]
    NoPolicy,
    /// The delete was sent before the order.
    #[error("{0} can't be protected: its delete was sent before this order")]
    BeingDeleted(String),
    /// A mutation is being sent, perhaps the delete of the snapshot.
    #[error("a change is being sent to the server: try again")]
    Busy,
    /// Too many are protected already.
    #[error(
        "orders protect {MOST_ORDERED} snapshots of the server already: run snaprotate unprotect for those that are no longer needed"
    )]
    TooMany,
    /// Only the policy protects it.
    #[error(
        "protect in {file}.toml lists {named}: remove it there, then run systemctl reload snaprotate"
    )]
    ByPolicy {
        /// The policy's file, without .toml.
        file: String,
        /// The snapshot, as named.
        named: String,
    },
    /// Several protected snapshots have the name.
    #[error("orders protect more than one snapshot {named}: give the id of one, {ids}")]
    Ambiguous {
        /// The snapshot, as named.
        named: String,
        /// Their ids.
        ids: String,
    },
    /// It is not protected.
    #[error("no order protects {named}; protected by order: {known}")]
    NotProtected {
        /// The snapshot, as named.
        named: String,
        /// The snapshots that orders protect.
        known: String,
    },
}

impl<A: SnapshotApi> Engine<A> {
    /// Protects a snapshot that a listing showed to the operator.
    pub async fn protect(
        &self,
        server: &ServerId,
        protection: OrderedProtection,
    ) -> Result<ProtectionResult, ProtectionError> {
        let _renaming = self.renaming.lock().await;
        let wanted = self.wanted();
        let server = self.id_of_state(server, &wanted);
        let policy = self.policy_of_state(&server, &wanted);
        let policy = policy.ok_or(ProtectionError::NoPolicy)?;
        let snapshot = printable(&protection.snapshot, NAME_SHOWN);
        let listed = policy.protects_any(protection.ids(), &protection.snapshot);
        let mut result = ProtectionResult {
            snapshot: snapshot.clone(),
            id: protection.id.clone(),
            already: false,
            policy: listed.then(|| policy.file.clone()),
        };
        let runtime = self.runtime(&server);
        {
            let mut runtime = lock(&runtime);
            let history = &runtime.history;
            if history.has_open_delete_of(&protection.id) {
                return Err(ProtectionError::BeingDeleted(snapshot));
            }
            if history.is_protected_by_order(&protection.id) {
                result.already = true;
                return Ok(result);
            }
            if history.is_full_of_protections() {
                return Err(ProtectionError::TooMany);
            }
            if runtime.intending {
                return Err(ProtectionError::Busy);
            }
            runtime.protecting = true;
        }
        let protection = OrderedProtection {
            snapshot: snapshot.into(),
            ..protection
        };
        let event = ServerEvent::SnapshotProtected(protection);
        let written = self
            .record(&server, &runtime, event, Details::default())
            .await;
        lock(&runtime).protecting = false;
        written?;
        self.call(server);
        Ok(result)
    }

    /// Ends the protection of a snapshot by order. It is named by its name or an id.
    pub async fn unprotect(
        &self,
        server: &ServerId,
        named: &str,
        by: &str,
    ) -> Result<ProtectionResult, ProtectionError> {
        let _renaming = self.renaming.lock().await;
        let wanted = self.wanted();
        let server = self.id_of_state(server, &wanted);
        let policy = self.policy_of_state(&server, &wanted);
        let policy = policy.ok_or(ProtectionError::NoPolicy)?;
        let runtime = self.runtime(&server);
        let (ended, listed) = {
            let runtime = lock(&runtime);
            (
                ordered(&runtime, policy, named)?,
                is_listed(&runtime, policy, named),
            )
        };
        let result = ProtectionResult {
            snapshot: ended.snapshot.clone().into(),
            id: ended.id.clone(),
            already: false,
            policy: listed.then(|| policy.file.clone()),
        };
        let by = Some(by.to_owned());
        let event = ServerEvent::SnapshotUnprotected(OrderedProtection { by, ..ended });
        self.record(&server, &runtime, event, Details::default())
            .await?;
        self.call(server);
        Ok(result)
    }
}

/// Returns the protection by order of the named snapshot.
fn ordered(
    runtime: &ServerRuntime,
    policy: &Policy,
    named: &str,
) -> Result<OrderedProtection, ProtectionError> {
    let all = &runtime.history.ordered_protections;
    if let Ok(id) = named.parse()
        && let Some(found) = all.iter().find(|ordered| ordered.has_id(&id))
    {
        return Ok(found.clone());
    }
    let shown = printable(named, NAME_SHOWN);
    let of_name: Vec<_> = all.iter().filter(|o| *o.snapshot == *shown).collect();
    let ids = of_name.iter().map(|ordered| ordered.id.to_string());
    match of_name.as_slice() {
        [one] => Ok((*one).clone()),
        [] if is_listed(runtime, policy, named) => Err(ProtectionError::ByPolicy {
            file: policy.file.clone(),
            named: shown,
        }),
        [] => {
            let known = all.iter().map(|o| format!("{} (id {})", o.snapshot, o.id));
            let known: Vec<_> = known.collect();
            Err(ProtectionError::NotProtected {
                named: shown,
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            })
        }
        _ => Err(ProtectionError::Ambiguous {
            named: shown,
            ids: ids.collect::<Vec<_>>().join(" or "),
        }),
    }
}

/// Returns true if the policy protects the named snapshot, perhaps by its id if it is named by its
/// name.
fn is_listed(runtime: &ServerRuntime, policy: &Policy, named: &str) -> bool {
    let id: Option<SnapshotId> = named.parse().ok();
    let rows = runtime.seen.iter().flat_map(|seen| seen.rows.iter());
    let mut of_name = rows.filter(|row| row.name == named || row.id.to_string() == named);
    policy.protects_any(id.iter(), named) || of_name.any(|row| policy.protects(row))
}
