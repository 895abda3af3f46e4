//! What the service does when it is asked to over its socket: pause, resume, and the
//! provider's calls for an operator. The bodies are JSON; a refusal is a line of text.
//!
//! - `POST /api/v1/pause`, `/api/v1/resume`: a [`Which`]; answered by a `Held`.
//! - `POST /api/v1/orders`: an [`Ordered`]; answered by an `Answer`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};

use super::control::User;
use super::server_lookup::{find, unknown};
use crate::api::SnapshotApi;
use crate::core::operator_order::Order;
use crate::core::policy::Policy;
use crate::core::snapshot::ServerId;
use crate::engine::{Answer, Engine, Held, Unheld};

/// One server, by id, name or policy file; `None`: every one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The server.
    pub server: Option<String>,
    /// As in [`Ordered`], but `None` where the configuration can't be read: a pause must be
    /// had even then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
}

/// An order for one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    /// The server.
    pub server: ServerId,
    /// The state folder that the operator's configuration names: an order is never carried
    /// out by the service of another.
    pub state_dir: PathBuf,
    /// What is to be done.
    pub order: Order,
}

type Refused = (StatusCode, String);

struct Asked<A> {
    engine: Arc<Engine<A>>,
    state_dir: PathBuf,
}

/// The routes of what can be asked of this engine.
pub fn routes<A: SnapshotApi>(engine: Arc<Engine<A>>, state_dir: PathBuf) -> Router {
    Router::new()
        .route("/api/v1/pause", post(pause::<A>))
        .route("/api/v1/resume", post(resume::<A>))
        .route("/api/v1/orders", post(order::<A>))
        .with_state(Arc::new(Asked { engine, state_dir }))
}

async fn pause<A: SnapshotApi>(
    State(asked): State<Arc<Asked<A>>>,
    Extension(user): Extension<User>,
    Json(which): Json<Which>,
) -> Result<Json<Held>, Refused> {
    asked
        .held(&which, |engine, server| async move {
            engine.pause(server, &user.to_string()).await
        })
        .await
}

async fn resume<A: SnapshotApi>(
    State(asked): State<Arc<Asked<A>>>,
    Extension(user): Extension<User>,
    Json(which): Json<Which>,
) -> Result<Json<Held>, Refused> {
    asked
        .held(&which, |engine, server| async move {
            engine.resume(server, &user.to_string()).await
        })
        .await
}

/// Taken back when the client goes away before it is begun.
async fn order<A: SnapshotApi>(
    State(asked): State<Arc<Asked<A>>>,
    Extension(user): Extension<User>,
    Json(ordered): Json<Ordered>,
) -> Result<Json<Answer>, Refused> {
    asked.meant(&ordered.state_dir)?;
    let Ordered { server, order, .. } = ordered;
    Ok(Json(
        asked.engine.order(server, order, user.to_string()).await,
    ))
}

impl<A: SnapshotApi> Asked<A> {
    /// Pauses or resumes, to its end, whether or not the client waits for it.
    async fn held<F>(
        &self,
        which: &Which,
        work: impl FnOnce(Arc<Engine<A>>, Option<ServerId>) -> F,
    ) -> Result<Json<Held>, Refused>
    where
        F: Future<Output = Result<Held, Unheld>> + Send + 'static,
    {
        if let Some(state_dir) = &which.state_dir {
            self.meant(state_dir)?;
        }
        let server = self.one(which)?;
        match tokio::spawn(work(Arc::clone(&self.engine), server)).await {
            Ok(Ok(held)) => Ok(Json(held)),
            Ok(Err(why)) => Err((StatusCode::CONFLICT, why.to_string())),
            Err(broken) => Err((StatusCode::INTERNAL_SERVER_ERROR, broken.to_string())),
        }
    }

    /// Whether it is this service that is meant, by whose configuration the state is there.
    fn meant(&self, state_dir: &Path) -> Result<(), Refused> {
        let found = |folder: &Path| std::fs::canonicalize(folder).ok();
        if state_dir == self.state_dir
            || found(state_dir).is_some_and(|other| found(&self.state_dir) == Some(other))
        {
            return Ok(());
        }
        let why = format!(
            "the running service keeps its state in {}, this configuration in {}: name the service's own with --config",
            self.state_dir.display(),
            state_dir.display()
        );
        Err((StatusCode::CONFLICT, why))
    }

    fn one(&self, which: &Which) -> Result<Option<ServerId>, Refused> {
        let Some(server) = &which.server else {
            return Ok(None);
        };
        let policies: Vec<Arc<Policy>> = self.engine.policies().values().cloned().collect();
        let found = find(&policies, server).map_err(|why| (StatusCode::NOT_FOUND, why))?;
        let found = found.ok_or_else(|| (StatusCode::NOT_FOUND, unknown(&policies, server)))?;
        Ok(Some(found.server.clone()))
    }
}
