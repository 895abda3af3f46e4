//! Builds a [`FleetView`] from the engine's present state.

use std::path::Path;

use jiff::Timestamp;

use super::activity::{activity, unlisted};
use super::view::{
    AcknowledgementView, AlertView, FleetView, LastSlot, NextSlot, PauseView, RotationView,
    ServerView, SnapshotView,
};
use crate::api::SnapshotApi;
use crate::audit::StandingAlert;
use crate::core::alert_kind::{RaisedAlert, harm};
use crate::core::decide::Inventory;
use crate::core::health::{Health, NewestCopy, health};
use crate::core::newest_slot_completed::unrecorded_due_slot;
use crate::core::policy::Rotation;
use crate::core::recent_slots::{RecentSlot, SHOWN};
use crate::core::retention_verdict::{RetentionVerdict, verdicts};
use crate::core::rotation_and_snapshot_name::SnapshotName;
use crate::core::schedule::Slot;
use crate::core::server_event::SlotOutcome;
use crate::core::server_history::PendingOp;
use crate::core::slot_record::SlotRecord;
use crate::core::snapshot::{ServerId, Status};
use crate::engine::{AcceptedListing, Engine, ServerStateView};

/// Future slots that are searched for one that isn't settled.
const MOST_SETTLED: usize = 32;

impl FleetView {
    /// Collects the state of the engine's servers. `more` are alerts of the service itself. The
    /// times are those of the service's start and of this view.
    pub fn of<A: SnapshotApi>(
        engine: &Engine<A>,
        more: Vec<StandingAlert>,
        config: &Path,
        (started, time): (Timestamp, Timestamp),
    ) -> Self {
        let wide = more.into_iter().chain(engine.account_alerts());
        let wide = wide.map(|alert| {
            let copy = NewestCopy::Unknown;
            AlertView::new(
                (alert.alert, alert.about),
                None,
                &alert.standing,
                copy,
                time,
            )
        });
        let mut alerts: Vec<_> = wide.collect();
        let mut servers = Vec::new();
        let refused = engine.counters().account_refused;
        for server in engine.policies().keys() {
            engine.with_server_state(server, |known| {
                alerts.extend(standing(known));
                servers.push(view(known, refused));
            });
        }
        let paused = engine.all_paused();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            config: config.display().to_string(),
            started,
            read: None,
            time,
            healthy: alerts.is_empty() && servers.iter().all(|s| s.health == Health::Ok),
            paused: paused.as_ref().map(|pause| pause.since),
            pause: paused.as_deref().map(PauseView::new),
            alerts,
            servers,
            receivers: Vec::new(),
        }
    }
}

fn standing(known: ServerStateView<'_>) -> impl Iterator<Item = AlertView> {
    let alerts = known.history.alerts.iter();
    alerts.map(move |((kind, about), standing)| {
        let key = (kind.word().to_owned(), about.clone());
        let server = Some(known.policy.server.clone());
        let copy = known.history.newest_copy;
        AlertView::new(key, server, standing, copy, known.now.wall)
    })
}

impl AlertView {
    fn new(
        (alert, about): (String, String),
        server: Option<ServerId>,
        standing: &RaisedAlert,
        copy: NewestCopy,
        now: Timestamp,
    ) -> Self {
        let text = standing.text.clone();
        Self {
            server,
            about,
            reason: text.reason(),
            harm: harm(&alert, copy, now),
            alert,
            what: text.what,
            cause: text.cause,
            remedy: text.remedy,
            command: text.command,
            since: standing.since,
            acknowledged: standing
                .acknowledged
                .as_ref()
                .and_then(|terms| terms.in_force(now))
                .map(AcknowledgementView::new),
        }
    }
}

pub(super) fn view(known: ServerStateView<'_>, refused: bool) -> ServerView {
    let ServerStateView {
        policy,
        rules,
        history,
        seen,
        now,
        ..
    } = known;
    let inventory = seen.map(AcceptedListing::inventory);
    let nothing = Inventory::empty(now.mono);
    let due = |rotation: &Rotation| {
        let inventory = inventory.as_ref().unwrap_or(&nothing);
        unrecorded_due_slot(policy, inventory, history, rules, now, rotation)
    };
    let rotations = policy.rotations.iter();
    let due: Vec<_> = rotations.map(due).collect();
    let listing = inventory.clone();
    let snapshots = inventory.map_or_else(Vec::new, |inventory| {
        let verdicts = verdicts(policy, &inventory, history, rules, now);
        let deleted = match &history.open {
            Some(PendingOp::Delete { id, .. }) => Some(id.clone()),
            _ => None,
        };
        let rows = inventory.snapshots.into_iter().zip(verdicts);
        rows.map(|(row, verdict)| SnapshotView {
            id: row.id.clone(),
            status: row.status.word().to_owned(),
            created_at: row.created_at,
            rotation: policy
                .rotation_of(&row.name)
                .filter(|_| verdict.fate != RetentionVerdict::Foreign)
                .map(Into::into),
            verdict: verdict.fate.word().to_owned(),
            protected: verdict.protected,
            expires: verdict.expires,
            reason: match deleted.clone() {
                Some(id) if id == row.id => {
                    "it is being deleted; waiting until listings confirm it".to_owned()
                }
                _ => verdict.reason,
            },
            name: row.name,
        })
        .collect()
    });
    let rotations = policy.rotations.iter().zip(due);
    let rotations: Vec<_> = rotations
        .map(|(r, due)| rotation(known, r, due, &snapshots))
        .collect();
    let current = activity(known, refused, &snapshots, &rotations);
    let unlisted = unlisted(known);
    let listing = listing.as_ref().zip(seen.map(|seen| seen.at));
    let overdue = unlisted.is_some();
    let newest_copy = match history.newest_copy {
        NewestCopy::At(at) => Some(at),
        _ => None,
    };
    let limit = policy.copy_age_limit();
    ServerView {
        id: policy.server.clone(),
        name: policy.called().to_owned(),
        file: policy.file.clone(),
        health: health(policy, listing, overdue, history, rules, now),
        alerts: history.alerts.len(),
        newest_copy,
        fresh_until: newest_copy.and_then(|at| at.checked_add(limit?).ok()),
        activity: current.activity,
        activity_since: current.since,
        activity_until: current.until,
        reason: current.reason,
        pause: history.paused().map(PauseView::new),
        limit: rules.limit,
        listed: seen.map(|seen| seen.at),
        unlisted,
        rotations,
        snapshots,
        upcoming: None,
    }
}

fn rotation(
    known: ServerStateView<'_>,
    rotation: &Rotation,
    due: Option<Slot>,
    snapshots: &[SnapshotView],
) -> RotationView {
    let completed = Status::Completed;
    let held = snapshots
        .iter()
        .filter(|s| s.rotation.as_ref() == Some(&rotation.name) && s.status == completed.word())
        .filter(|s| !s.is_misdated());
    let made = if known.seen.is_some() {
        held.clone().filter_map(SnapshotView::made).max()
    } else {
        let slots = known.history.slots(&rotation.name);
        let settled = slots.filter(|note| note.ending == Some(SlotOutcome::Completed));
        settled.map(|note| note.at).max()
    };
    let now = known.now.wall;
    let noted = known.history.newest(&rotation.name, now);
    let last = match (due, noted) {
        // The slot is recorded only when the server is next looked at.
        (Some(slot), _) => Some(LastSlot {
            snapshot: rotation.pattern.format(slot.local).into(),
            slot: slot.at,
            ending: None,
        }),
        (None, noted) => noted.map(|note| LastSlot {
            snapshot: settled_by(known, rotation, note),
            slot: note.at,
            ending: note.ending.map(|ending| ending_word(ending).to_owned()),
        }),
    };
    RotationView {
        name: rotation.name.clone().into(),
        keep: rotation.keep,
        held: known.seen.map(|_| held.count()),
        completed: made,
        last,
        next: next(known, rotation),
        recent: recent(known, rotation, due),
    }
}

/// Returns the last slots. One that is due is recorded only when the server is next looked at.
fn recent(known: ServerStateView<'_>, rotation: &Rotation, due: Option<Slot>) -> Vec<RecentSlot> {
    let mut slots = known.history.recent_slots(&rotation.name, known.now.wall);
    let due = due.filter(|due| slots.last().is_none_or(|last| last.slot < due.at));
    slots.extend(due.map(|due| RecentSlot {
        slot: due.at,
        ending: None,
        retried: false,
    }));
    slots.drain(..slots.len().saturating_sub(SHOWN));
    slots
}

/// Returns the next slot that isn't settled. After an edit of its time a slot's name may be settled
/// already.
fn next(known: ServerStateView<'_>, rotation: &Rotation) -> Option<NextSlot> {
    let slots = std::iter::successors(rotation.next_slot(known.now.wall), |(_, at)| {
        rotation.next_slot(*at)
    });
    let mut slots = slots.take(MOST_SETTLED).map(|(slot, at)| NextSlot {
        snapshot: rotation.pattern.format(slot.local).into(),
        at,
    });
    slots.find(|next| {
        let note = known.history.slot(&rotation.name, &next.snapshot);
        note.is_none_or(|note| note.ending.is_none())
    })
}

/// Returns the name of a slot's snapshot. If none has the slot's name, one of a former pattern may
/// stand for it.
fn settled_by(known: ServerStateView<'_>, rotation: &Rotation, note: &SlotRecord) -> SnapshotName {
    let rows = known.seen.map_or(&[][..], |seen| &seen.rows);
    let there = |name: &SnapshotName| rows.iter().any(|row| row.name == *name);
    if there(&note.name) {
        return note.name.clone();
    }
    let place = known.policy.place(&note.name);
    let names = place.into_iter().flat_map(|place| {
        let patterns = rotation.slot_patterns();
        patterns.map(move |pattern| pattern.format(place.local).into())
    });
    let former = names.into_iter().find(there);
    former.unwrap_or_else(|| note.name.clone())
}

fn ending_word(ending: SlotOutcome) -> &'static str {
    match ending {
        SlotOutcome::Completed => "completed",
        SlotOutcome::GivenUp => "given_up",
        SlotOutcome::Skipped => "skipped",
        SlotOutcome::Paused => "paused",
    }
}
