//! Routes of the control socket that change something: pause, resume, and operators' orders. Bodies
//! are JSON; a refusal is a line of text.
//!
//! - `POST /api/v1/pause`, `/api/v1/resume`: a [`ServerQuery`]; answered by a `PauseResult`.
//! - `POST /api/v1/retry`: a [`RetryRequest`]; answered by a `RetryResult`.
//! - `POST /api/v1/orders`: an [`OrderRequest`]; answered by an `OrderOutcome`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};

use super::control_socket::User;
use super::server_lookup::{find, unknown};
use crate::api::SnapshotApi;
use crate::core::operator_order::Order;
use crate::core::policy::Policy;
use crate::core::snapshot::ServerId;
use crate::engine::{Engine, OrderOutcome, PauseError, PauseResult, RetryError, RetryResult};

/// A server, by id, name or policy file; `None` for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerQuery {
    /// The server.
    pub server: Option<String>,
    /// As in [`OrderRequest`]. `None` if the configuration can't be read, since a pause must be
    /// possible even then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
}

/// A retry of one server's newest slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// The server, by id, name or policy file.
    pub server: String,
    /// The rotation; `None` for all of the server's.
    pub rotation: Option<String>,
    /// As in [`ServerQuery`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
}

/// An order for one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The server.
    pub server: ServerId,
    /// The state folder of the operator's configuration. The service refuses an order that was
    /// meant for another service.
    pub state_dir: PathBuf,
    /// The order.
    pub order: Order,
}

type RouteError = (StatusCode, String);

impl From<PauseError> for RouteError {
    fn from(why: PauseError) -> Self {
        (StatusCode::CONFLICT, why.to_string())
    }
}

impl From<RetryError> for RouteError {
    fn from(why: RetryError) -> Self {
        let status = match why {
            RetryError::Trail(_) => StatusCode::CONFLICT,
            RetryError::NoPolicy | RetryError::NoRotation { .. } => StatusCode::NOT_FOUND,
        };
        (status, why.to_string())
    }
}

struct ControlState<A> {
    engine: Arc<Engine<A>>,
    state_dir: PathBuf,
}

/// Returns the routes for this engine.
pub fn routes<A: SnapshotApi>(engine: Arc<Engine<A>>, state_dir: PathBuf) -> Router {
    Router::new()
        .route("/api/v1/pause", post(pause::<A>))
        .route("/api/v1/resume", post(resume::<A>))
        .route("/api/v1/retry", post(retry::<A>))
        .route("/api/v1/orders", post(order::<A>))
        .with_state(Arc::new(ControlState { engine, state_dir }))
}

async fn pause<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(which): Json<ServerQuery>,
) -> Result<Json<PauseResult>, RouteError> {
    asked
        .held(&which, |engine, server| async move {
            engine.pause(server, &user.to_string()).await
        })
        .await
}

async fn resume<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(which): Json<ServerQuery>,
) -> Result<Json<PauseResult>, RouteError> {
    asked
        .held(&which, |engine, server| async move {
            engine.resume(server, &user.to_string()).await
        })
        .await
}

async fn retry<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(request): Json<RetryRequest>,
) -> Result<Json<RetryResult>, RouteError> {
    let which = ServerQuery {
        server: Some(request.server),
        state_dir: request.state_dir,
    };
    asked
        .held(&which, |engine, server| async move {
            let server = server.ok_or(RetryError::NoPolicy)?;
            let rotation = request.rotation.as_deref();
            engine.retry(&server, rotation, &user.to_string()).await
        })
        .await
}

/// Carries out an order. It is withdrawn if the client leaves before it begins.
async fn order<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(ordered): Json<OrderRequest>,
) -> Result<Json<OrderOutcome>, RouteError> {
    asked.meant(&ordered.state_dir)?;
    let OrderRequest { server, order, .. } = ordered;
    Ok(Json(
        asked.engine.order(server, order, user.to_string()).await,
    ))
}

impl<A: SnapshotApi> ControlState<A> {
    /// Does the work for the server, or for all, and finishes even if the client leaves.
    async fn held<F, T, E>(
        &self,
        which: &ServerQuery,
        work: impl FnOnce(Arc<Engine<A>>, Option<ServerId>) -> F,
    ) -> Result<Json<T>, RouteError>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Into<RouteError> + Send + 'static,
    {
        if let Some(state_dir) = &which.state_dir {
            self.meant(state_dir)?;
        }
        let server = self.one(which)?;
        match tokio::spawn(work(Arc::clone(&self.engine), server)).await {
            Ok(Ok(held)) => Ok(Json(held)),
            Ok(Err(why)) => Err(why.into()),
            Err(broken) => Err((StatusCode::INTERNAL_SERVER_ERROR, broken.to_string())),
        }
    }

    /// Returns an error unless the given state folder is this service's.
    fn meant(&self, state_dir: &Path) -> Result<(), RouteError> {
        let found = |folder: &Path| std::fs::canonicalize(folder).ok();
        if state_dir == self.state_dir
            || found(state_dir).is_some_and(|other| found(&self.state_dir) == Some(other))
        {
            return Ok(());
        }
        let why = format!(
            "the running service keeps its state in {}, but this configuration names {}: pass the service's configuration with --config",
            self.state_dir.display(),
            state_dir.display()
        );
        Err((StatusCode::CONFLICT, why))
    }

    fn one(&self, which: &ServerQuery) -> Result<Option<ServerId>, RouteError> {
        let Some(server) = &which.server else {
            return Ok(None);
        };
        let policies: Vec<Arc<Policy>> = self.engine.policies().values().cloned().collect();
        let found = find(&policies, server).map_err(|why| (StatusCode::NOT_FOUND, why))?;
        let id = match found {
            Some(policy) => policy.server.clone(),
            None => server
                .parse()
                .ok()
                .filter(|id| self.engine.is_resumable(id))
                .ok_or_else(|| (StatusCode::NOT_FOUND, unknown(&policies, server)))?,
        };
        Ok(Some(id))
    }
}
