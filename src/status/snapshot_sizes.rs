//! The sizes of all snapshots, for reports. Rotation doesn't need them, so the service asks the
//! provider only when a report is made.
//!
//! `GET /api/v1/sizes` on the control socket returns a list of ids with sizes in MB.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use crate::api::HttpApi;
use crate::core::snapshot::SnapshotId;

/// Longest time for the listing. A report without sizes is better than a late one.
const LIMIT: Duration = Duration::from_secs(10);

/// Returns the route.
pub fn route(api: Arc<HttpApi>) -> Router {
    Router::new()
        .route("/api/v1/sizes", get(answer))
        .with_state(api)
}

async fn answer(State(api): State<Arc<HttpApi>>) -> Json<Vec<(SnapshotId, u64)>> {
    Json(snapshot_sizes(&api).await.into_iter().collect())
}

/// Returns the size of each snapshot in MB; nothing if the provider gives no sizes, or no listing
/// in time.
pub async fn snapshot_sizes(api: &HttpApi) -> BTreeMap<SnapshotId, u64> {
    let listing = tokio::time::timeout(LIMIT, api.browse(None)).await;
    let listing = listing.ok().and_then(Result::ok);
    listing.map_or_else(BTreeMap::new, |listing| listing.sizes)
}
