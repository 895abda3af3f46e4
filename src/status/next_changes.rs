//! Computes the next changes on one server: creates, deletes, stops and starts. The status of all
//! servers doesn't include them, since they require a simulation of the server through its next
//! slot.
//!
//! `GET /api/v1/upcoming/ID` on the control socket returns a [`NextChanges`], or `null`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use crate::api::SnapshotApi;
use crate::core::dry_run::plan;
use crate::core::plan::NextChanges;
use crate::core::policy::{Policy, Rules};
use crate::core::server_event::ClockReading;
use crate::core::server_history::{PendingOp, ServerHistory};
use crate::core::snapshot::ServerId;
use crate::engine::{AcceptedListing, Engine};

/// Returns the route.
pub fn route<A: SnapshotApi>(engine: Arc<Engine<A>>) -> Router {
    Router::new()
        .route("/api/v1/upcoming/{id}", get(answer::<A>))
        .with_state(engine)
}

async fn answer<A: SnapshotApi>(
    State(engine): State<Arc<Engine<A>>>,
    Path(server): Path<String>,
) -> Result<Json<Option<NextChanges>>, StatusCode> {
    let server: ServerId = server.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    // The rotation loop has only one thread, which must not be blocked.
    let done = tokio::task::spawn_blocking(move || upcoming(&engine, &server));
    let upcoming = done.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(upcoming))
}

/// Returns the next changes, based on the last accepted listing; `None` if there are none, if there
/// is no such listing, or while the server is blocked.
pub(super) fn upcoming<A: SnapshotApi>(
    engine: &Engine<A>,
    server: &ServerId,
) -> Option<NextChanges> {
    // Simulates on copies, so that the engine waits for no reader.
    let (policy, rules, history, seen, now) = engine.with_server_state(server, |known| {
        let (policy, rules) = (known.policy.clone(), known.rules.clone());
        let seen = known.seen.cloned();
        (policy, rules, known.history.clone(), seen, known.now)
    })?;
    next(&policy, &rules, &history, &seen?, now)
}

fn next(
    policy: &Policy,
    rules: &Rules,
    history: &ServerHistory,
    seen: &AcceptedListing,
    now: ClockReading,
) -> Option<NextChanges> {
    if history.blocked.is_some() {
        return None;
    }
    let mut inventory = seen.inventory();
    // An open delete is treated as done, since the simulation would wait for it forever.
    if let Some(PendingOp::Delete { id, .. }) = &history.open {
        inventory.snapshots.retain(|row| row.id != *id);
    }
    plan(policy, &inventory, history, rules, now).upcoming()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::core::snapshot::{Snapshot, SnapshotId, Status};
    use crate::core::test_provider;

    #[test]
    fn an_open_delete_does_not_delay_the_next_changes() {
        let policy =
            test_provider::policy(1, vec![test_provider::rotation("daily", "0 3 * * *", 2)]);
        let at = |text: &str| text.parse().expect("a time");
        let now = ClockReading {
            wall: at("2026-11-26T02:59:00Z"),
            mono: SignedDuration::from_secs(200),
        };
        let row = |id, name: &str| Snapshot {
            uuid: None,
            id: SnapshotId::from(id),
            name: name.to_owned(),
            status: Status::Completed,
            created_at: Some(at("2026-11-25T03:00:00Z")),
        };
        let newest = policy.rotations[0].newest_due(now.wall).expect("a slot");
        let name = policy.rotations[0].pattern.format(newest.local);
        let seen = AcceptedListing {
            rows: [row(1, &name), row(2, "by-hand")].into(),
            at: now.wall,
            requested: now.mono,
        };
        let mut history = ServerHistory::default();
        history.open = Some(PendingOp::Delete {
            id: SnapshotId::from(2),
            since: now.into(),
            ordered: true,
        });
        let next = next(&policy, &test_provider::rules(), &history, &seen, now);
        assert_eq!(next.expect("a slot").at, at("2026-11-26T03:00:00Z"));
    }
}
