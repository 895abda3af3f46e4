//! What is created and deleted next on one server: asked for it alone, since the answer lives
//! through its next slot.
//!
//! `GET /api/v1/upcoming/ID` on the control socket is an [`Upcoming`], or `null`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use crate::api::SnapshotApi;
use crate::core::plan::{Upcoming, plan};
use crate::core::snapshot::ServerId;
use crate::engine::Engine;

/// The route by which it is asked for.
pub fn route<A: SnapshotApi>(engine: Arc<Engine<A>>) -> Router {
    Router::new()
        .route("/api/v1/upcoming/{id}", get(answer::<A>))
        .with_state(engine)
}

async fn answer<A: SnapshotApi>(
    State(engine): State<Arc<Engine<A>>>,
    Path(server): Path<u64>,
) -> Result<Json<Option<Upcoming>>, StatusCode> {
    // The loop that rotates has only one thread.
    let done = tokio::task::spawn_blocking(move || upcoming(&engine, ServerId(server)));
    let upcoming = done.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(upcoming))
}

/// By the last listing that could be relied on; nothing where nothing may be done.
pub(super) fn upcoming<A: SnapshotApi>(engine: &Engine<A>, server: ServerId) -> Option<Upcoming> {
    // Lived through on copies: the engine waits for nobody who looks.
    let (policy, rules, history, seen, now) = engine.known(server, |known| {
        let (policy, rules) = (known.policy.clone(), known.rules.clone());
        let seen = known.seen.cloned();
        (policy, rules, known.history.clone(), seen, known.now)
    })?;
    if history.blocked.is_some() {
        return None;
    }
    let seen = seen?;
    plan(&policy, &seen.inventory(), &history, &rules, now).upcoming(now.wall)
}
