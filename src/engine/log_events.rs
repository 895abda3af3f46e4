//! Mirrors trail records to tracing, so that the journal alone shows what happened.

use tracing::{info, warn};

use crate::audit::{Details, GlobalEvent, RecordFields};
use crate::core::policy::Policy;
use crate::core::server_event::{HookOutcome, Outcome, ServerEvent};
use crate::core::snapshot::ServerId;
use crate::logged;

/// Logs one server's event, with the trail's field names. `server_name` is set if the server has a
/// policy.
pub(super) fn log_server_event(
    server: &ServerId,
    policy: Option<&Policy>,
    event: &ServerEvent,
    extra: &Details,
) {
    let called = policy.map(Policy::called);
    let file = policy.filter(|_| event.is_by_policy());
    let file = file.map(|policy| policy.file.as_str());
    let fields = RecordFields::of_event(event);
    let listed = |all: Vec<String>| (!all.is_empty()).then(|| all.join(", "));
    let shrinks = fields.shrinks.iter().map(ToString::to_string);
    let bad = matches!(
        event,
        ServerEvent::Blocked { .. }
            | ServerEvent::AlertRaised { .. }
            | ServerEvent::SlotGivenUp { .. }
            | ServerEvent::SlotSkipped { paused: false, .. }
            | ServerEvent::SnapshotFailed { .. }
            | ServerEvent::SnapshotStuck { .. }
            | ServerEvent::SnapshotGone { .. }
            | ServerEvent::SnapshotRegressed { .. }
            | ServerEvent::SnapshotRenamed { .. }
            | ServerEvent::SurplusFound { .. }
            | ServerEvent::CreateMismatch { .. }
            | ServerEvent::CreateResult {
                outcome: Outcome::Failed | Outcome::NoServer | Outcome::Unknown | Outcome::Later,
                ..
            }
            | ServerEvent::DeleteResult {
                outcome: Outcome::Failed | Outcome::NoServer | Outcome::Unknown | Outcome::Later,
                ..
            }
            | ServerEvent::RestoreIntent { .. }
            | ServerEvent::RestoreResult { .. }
            | ServerEvent::HookFinished {
                outcome: HookOutcome::Failed | HookOutcome::NotStarted,
                ..
            }
            | ServerEvent::HookFinished { early: true, .. }
    );
    macro_rules! tell {
        ($level:ident) => {
            $level!(
                server = logged::id(server),
                server_name = called,
                policy = file,
                rotation = fields.rotation,
                snapshot = fields.snapshot,
                id = fields.id.as_ref().map(logged::snapshot_id),
                snapshots = listed(fields.snapshots),
                shrinks = listed(shrinks.collect()),
                alert = fields.alert,
                about = fields.about,
                outcome = fields.outcome,
                hook = fields.hook,
                reason = fields.reason,
                by = fields.by,
                until = fields.until,
                note = fields.note,
                status = extra.status,
                error = extra.error,
                duration_ms = extra.duration_ms,
                "{}",
                fields.event
            )
        };
    }
    if bad { tell!(warn) } else { tell!(info) }
}

/// Logs an event that concerns no single server.
pub(super) fn log_global_event(event: &GlobalEvent) {
    let value = serde_json::to_value(event).unwrap_or_default();
    let word = value
        .get("event")
        .and_then(|v| v.as_str())
        .unwrap_or("event");
    // Alerts and pauses get named fields, as they do elsewhere. The other events are logged as the
    // trail's JSON.
    match event {
        GlobalEvent::AlertRaised { alert, about, text } => {
            warn!(alert, about, reason = text.reason(), "{word}");
        }
        GlobalEvent::AlertCleared { alert, about } => info!(alert, about, "{word}"),
        GlobalEvent::Paused(order) => {
            let until = order.until.map(|until| until.to_string());
            info!(
                by = order.by,
                until,
                note = order.note,
                "{word}: every server"
            );
        }
        GlobalEvent::Resumed { by } => info!(by, "{word}: every server"),
        GlobalEvent::PauseEnded { .. } => info!("{word}: every server"),
        _ => warn!(detail = %value, "{word}"),
    }
}
