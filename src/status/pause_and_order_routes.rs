//! Routes of the control socket that change something: pause, resume, and operators' orders. Bodies
//! are JSON; a refusal is a line of text.
//!
//! - `POST /api/v1/pause`: a [`PauseRequest`], and `/api/v1/resume`: a [`ServerQuery`]; answered by
//!   a `PauseResult`.
//! - `POST /api/v1/retry`: a [`RetryRequest`]; answered by a `RetryResult`.
//! - `POST /api/v1/ack`: an [`AckRequest`]; answered by an `AckResult`.
//! - `POST /api/v1/protect`: a [`ProtectRequest`], and `/api/v1/unprotect`: an
//!   [`UnprotectRequest`]; answered by a `ProtectionResult`.
//! - `POST /api/v1/orders`: an [`OrderRequest`]; answered by an `OrderOutcome`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Json, Router};

use super::control_requests::{
    AckRequest, OrderRequest, PauseRequest, ProtectRequest, RetryRequest, ServerQuery,
    UnprotectRequest,
};
use super::control_socket::User;
use super::server_lookup::{find, unknown};
use crate::api::SnapshotApi;
use crate::core::order_terms::OrderTerms;
use crate::core::ordered_protection::OrderedProtection;
use crate::core::policy::Policy;
use crate::core::snapshot::ServerId;
use crate::engine::{
    AckError, AckResult, Engine, OrderOutcome, PauseError, PauseResult, ProtectionError,
    ProtectionResult, RetryError, RetryResult,
};

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

impl From<AckError> for RouteError {
    fn from(why: AckError) -> Self {
        let status = match why {
            AckError::Trail(_) | AckError::NotActive { .. } | AckError::Nothing => {
                StatusCode::CONFLICT
            }
            AckError::NoPolicy | AckError::Unknown { .. } => StatusCode::NOT_FOUND,
        };
        (status, why.to_string())
    }
}

impl From<ProtectionError> for RouteError {
    fn from(why: ProtectionError) -> Self {
        let status = match why {
            ProtectionError::NoPolicy
            | ProtectionError::Ambiguous { .. }
            | ProtectionError::NotProtected { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
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
        .route("/api/v1/ack", post(acknowledge::<A>))
        .route("/api/v1/protect", post(protect::<A>))
        .route("/api/v1/unprotect", post(unprotect::<A>))
        .route("/api/v1/orders", post(order::<A>))
        .with_state(Arc::new(ControlState { engine, state_dir }))
}

async fn pause<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(request): Json<PauseRequest>,
) -> Result<Json<PauseResult>, RouteError> {
    let PauseRequest {
        server,
        state_dir,
        until,
        note,
    } = request;
    let order = OrderTerms {
        by: Some(user.to_string()),
        until,
        note,
    };
    let which = ServerQuery { server, state_dir };
    asked
        .held(&which, |engine, server| async move {
            engine.pause(server, order).await
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
    let RetryRequest {
        server,
        rotation,
        state_dir,
    } = request;
    asked
        .held_one((server, state_dir), |engine, server| async move {
            let rotation = rotation.as_deref();
            engine.retry(&server, rotation, &user.to_string()).await
        })
        .await
}

async fn acknowledge<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(request): Json<AckRequest>,
) -> Result<Json<AckResult>, RouteError> {
    let AckRequest {
        server,
        alert,
        until,
        note,
        state_dir,
    } = request;
    let terms = OrderTerms {
        by: Some(user.to_string()),
        until,
        note,
    };
    asked
        .held_one((server, state_dir), |engine, server| async move {
            engine.acknowledge(&server, alert.as_deref(), terms).await
        })
        .await
}

async fn protect<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(request): Json<ProtectRequest>,
) -> Result<Json<ProtectionResult>, RouteError> {
    let ProtectRequest {
        server,
        state_dir,
        protection,
    } = request;
    let by = Some(user.to_string());
    let protection = OrderedProtection { by, ..protection };
    // The server is identified by its id, as in an order.
    asked.meant(&state_dir)?;
    let engine = Arc::clone(&asked.engine);
    finished(async move { engine.protect(&server, protection).await }).await
}

async fn unprotect<A: SnapshotApi>(
    State(asked): State<Arc<ControlState<A>>>,
    Extension(user): Extension<User>,
    Json(request): Json<UnprotectRequest>,
) -> Result<Json<ProtectionResult>, RouteError> {
    let UnprotectRequest {
        server,
        snapshot,
        state_dir,
    } = request;
    asked
        .held_one((server, state_dir), |engine, server| async move {
            engine
                .unprotect(&server, &snapshot, &user.to_string())
                .await
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
    /// Does the work for the server, or for all.
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
        let server = which.server.as_deref();
        let server = server.map(|server| self.one(server)).transpose()?;
        finished(work(Arc::clone(&self.engine), server)).await
    }

    /// Does the work for one server.
    async fn held_one<F, T, E>(
        &self,
        (server, state_dir): (String, Option<PathBuf>),
        work: impl FnOnce(Arc<Engine<A>>, ServerId) -> F,
    ) -> Result<Json<T>, RouteError>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Into<RouteError> + Send + 'static,
    {
        if let Some(state_dir) = &state_dir {
            self.meant(state_dir)?;
        }
        let server = self.one(&server)?;
        finished(work(Arc::clone(&self.engine), server)).await
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

    fn one(&self, server: &str) -> Result<ServerId, RouteError> {
        let policies: Vec<Arc<Policy>> = self.engine.policies().values().cloned().collect();
        let found = find(&policies, server).map_err(|why| (StatusCode::NOT_FOUND, why))?;
        match found {
            Some(policy) => Ok(policy.server.clone()),
            None => server
                .parse()
                .ok()
                .filter(|id| self.engine.is_resumable(id))
                .ok_or_else(|| (StatusCode::NOT_FOUND, unknown(&policies, server))),
        }
    }
}

/// Finishes the work even if the client leaves.
async fn finished<T, E>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<Json<T>, RouteError>
where
    T: Send + 'static,
    E: Into<RouteError> + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(Ok(held)) => Ok(Json(held)),
        Ok(Err(why)) => Err(why.into()),
        Err(broken) => Err((StatusCode::INTERNAL_SERVER_ERROR, broken.to_string())),
    }
}
