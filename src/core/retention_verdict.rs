//! The verdict on each snapshot of a listing, and its reason. Verdicts use the same rules as the
//! decision.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::decide::{DecisionContext, Inventory};
use super::listing_discrepancies::before;
use super::policy::{Policy, Rules};
use super::retention::{self, OwnSnapshot, SurplusReason};
use super::sanitize::utc;
use super::server_event::ClockReading;
use super::server_history::ServerHistory;
use super::snapshot::{Snapshot, SnapshotId, Status};

/// The verdict on a snapshot: the first in this list that applies, except that `delete` replaces
/// any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RetentionVerdict {
    /// Its name is not own: it takes up room and is never touched (I1).
    Foreign,
    /// The policy or an order protects it (I1).
    Protected,
    /// Its status word is not documented (I11).
    UnknownStatus,
    /// It is in progress and not stuck (I8).
    InProgress,
    /// It has been in progress for too long. It keeps its place unless the policy sets
    /// `delete_stuck`.
    Stuck,
    /// It has ended, but its date is missing, unreadable or impossible (I11).
    OddDate,
    /// It was completed, and is listed as failed (I19).
    Regressed,
    /// It failed: it is deleted after a newer one completes, or when its place is needed.
    Failed,
    /// It is the server's newest own completed snapshot (I2).
    Newest,
    /// It is completed, and an older copy of a slot that has a newer one.
    Copy,
    /// It is completed, and beyond `keep`.
    Surplus,
    /// It is completed, and within `keep`.
    Keep,
    /// A step of a plan deletes it. Only plans give this verdict.
    Delete,
}

impl RetentionVerdict {
    /// Returns the word used by tables, pages and other programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Protected => "protected",
            Self::UnknownStatus => "unknown_status",
            Self::InProgress => "in_progress",
            Self::Stuck => "stuck",
            Self::OddDate => "odd_date",
            Self::Regressed => "regressed",
            Self::Failed => "failed",
            Self::Newest => "newest",
            Self::Copy => "copy",
            Self::Surplus => "surplus",
            Self::Keep => "keep",
            Self::Delete => "delete",
        }
    }
}

/// The verdict on one snapshot, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SnapshotVerdict {
    /// The provider's id of the snapshot.
    pub id: SnapshotId,
    /// Its name as the provider gives it; a foreign name may be any text.
    pub name: String,
    /// The verdict.
    #[serde(rename = "verdict")]
    pub fate: RetentionVerdict,
    /// The reason, in one line.
    pub reason: String,
    /// True if the policy or an order protects it, own or foreign.
    pub protected: bool,
    /// When it expires and is deleted; only of a manual snapshot that was ordered with an expiry.
    pub expires: Option<Timestamp>,
}

/// Returns a verdict for every snapshot of the inventory, in its order. `history` must have
/// observed this inventory; otherwise no snapshot is reported as stuck.
pub fn verdicts(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Vec<SnapshotVerdict> {
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    let owned = server.owned();
    let spare: BTreeMap<_, _> = retention::surplus_of(policy, &owned)
        .into_iter()
        .map(|(own, why)| (own.snapshot.id.clone(), why))
        .collect();
    let newest = retention::newest_completed(&owned);
    let rows = inventory.snapshots.iter();
    rows.map(|snapshot| {
        let own = owned.iter().find(|own| own.snapshot == snapshot);
        let (fate, reason) = match own {
            None => (RetentionVerdict::Foreign, foreign(history, snapshot)),
            Some(own) if own.protected => (
                RetentionVerdict::Protected,
                protection(policy, history, snapshot),
            ),
            Some(own) => {
                let (fate, reason) =
                    server.fate(own, spare.get(&snapshot.id).copied(), newest.as_ref());
                let stays = spare.get(&snapshot.id);
                let stays = stays.and_then(|why| server.why_kept(own, *why, &owned));
                let late = server.lateness(snapshot, own.place);
                let reason = stays.map_or(reason.clone(), |why| format!("{reason}: {why}"));
                let reason = late.map_or(reason.clone(), |late| format!("{reason}; {late}"));
                (fate, reason)
            }
        };
        SnapshotVerdict {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
            fate,
            reason,
            protected: server.protects(snapshot),
            expires: history.expires(snapshot).filter(|_| own.is_none()),
        }
    })
    .collect()
}

fn foreign(history: &ServerHistory, snapshot: &Snapshot) -> String {
    let reason = if history.stays_foreign(snapshot) {
        "it had a foreign name before: it is never touched"
    } else {
        "its name matches no rotation of the policy: it is never touched"
    };
    match (
        history.ordered_protection(snapshot),
        history.expires(snapshot),
    ) {
        (Some(ordered), _) => format!("{reason}; {}", ordered.reason()),
        (None, Some(at)) => format!("a manual snapshot: it expires at {}", utc(at)),
        (None, None) => reason.to_owned(),
    }
}

fn protection(policy: &Policy, history: &ServerHistory, snapshot: &Snapshot) -> String {
    let by = if policy.protects_id(&snapshot.id) {
        "id"
    } else if policy.protected_names.contains(&snapshot.name) {
        "name"
    } else if history
        .former_ids(snapshot)
        .any(|id| policy.protects_id(id))
    {
        return "protect lists an id that a snapshot of this name had before: it is never pruned, and not counted in keep".to_owned();
    } else if let Some(ordered) = history.ordered_protection(snapshot) {
        return ordered.reason();
    } else {
        return "an operator is about to restore it: it is not pruned meanwhile".to_owned();
    };
    format!("protect lists its {by}: it is never pruned, and not counted in keep")
}

impl DecisionContext<'_> {
    /// Returns the verdict on an own, unprotected snapshot.
    fn fate(
        &self,
        own: &OwnSnapshot<'_>,
        spare: Option<SurplusReason>,
        newest: Option<&SnapshotId>,
    ) -> (RetentionVerdict, String) {
        let rotation = &self.policy.rotations[own.place.rotation];
        let (keep, name) = (rotation.keep, &rotation.name);
        let spared = spare.map(|why| why.reason(rotation));
        match &own.snapshot.status {
            Status::Unknown(word) => (
                RetentionVerdict::UnknownStatus,
                format!("its status {word:?} is not documented: it is kept, and takes up a place"),
            ),
            Status::InProgress if self.stuck(own.snapshot) => {
                (RetentionVerdict::Stuck, self.stuck_reason(own.snapshot))
            }
            Status::InProgress => (
                RetentionVerdict::InProgress,
                "it is being made: nothing else is changed on the server meanwhile".to_owned(),
            ),
            // I11: a date that can't be relied on justifies nothing.
            Status::Completed | Status::Failed if own.dated.is_none() => {
                (RetentionVerdict::OddDate, self.odd_date(own.snapshot))
            }
            Status::Failed if own.regressed => (
                RetentionVerdict::Regressed,
                spared.unwrap_or_else(|| "it was completed, and is now listed as failed: it is kept for at least a week, then deleted when a newer snapshot is completed or its place is needed".to_owned()),
            ),
            Status::Failed => (
                RetentionVerdict::Failed,
                spared.unwrap_or_else(|| format!(
                    "it failed: it is deleted when its place is needed, or when a newer snapshot of {name} is completed"
                )),
            ),
            // I2: the newest own completed snapshot stays.
            Status::Completed if newest == Some(&own.snapshot.id.clone()) => (
                RetentionVerdict::Newest,
                "the newest own completed snapshot of the server stays until a newer one is completed".to_owned(),
            ),
            Status::Completed => (
                match spare {
                    Some(SurplusReason::Copy) => RetentionVerdict::Copy,
                    Some(_) => RetentionVerdict::Surplus,
                    None => RetentionVerdict::Keep,
                },
                spared.unwrap_or_else(|| format!("within keep = {keep} of {name}")),
            ),
        }
    }

    fn odd_date(&self, snapshot: &Snapshot) -> String {
        let what = snapshot.created_at.map_or_else(
            || "it has no readable date".to_owned(),
            |at| format!("its date {} is impossible", utc(at)),
        );
        format!("{what}: {}", self.misdated(snapshot))
    }

    /// Returns what happens to a snapshot whose date is unreliable, in words.
    pub(super) fn misdated(&self, snapshot: &Snapshot) -> &'static str {
        // Once the trail no longer has its create, the date is treated like any other.
        if before(snapshot, self.sent(&snapshot.name)) && !before(snapshot, None) {
            "it is not counted in keep, and is kept while the trail has its create request: delete it, or list it in protect"
        } else {
            "it is kept, and not counted in keep"
        }
    }

    fn stuck_reason(&self, snapshot: &Snapshot) -> String {
        let limit = whole_seconds(self.rules.stuck_after);
        let then = if self.policy.delete_stuck {
            "it is deleted when its place is needed and the service has seen it in progress for that long"
        } else {
            "it keeps its place; check it at the provider"
        };
        match snapshot.created_at {
            Some(at) => format!(
                "in progress since {}, for longer than {limit:#}: {then}",
                utc(at)
            ),
            None => format!("in progress for longer than {limit:#}: {then}"),
        }
    }
}

/// Returns a duration in whole seconds, for display.
pub(super) fn whole_seconds(time: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(time.as_secs())
}

#[cfg(test)]
#[path = "retention_verdict_tests.rs"]
mod tests;
