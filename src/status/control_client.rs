//! The client of the control socket.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use super::control_requests::{
    AckRequest, OrderRequest, PauseRequest, ProtectRequest, RetryRequest, ServerQuery,
    UnprotectRequest,
};
use super::view::FleetView;
use crate::api::over_socket;
use crate::core::plan::NextChanges;
use crate::core::snapshot::{ServerId, SnapshotId};
use crate::engine::{AckResult, OrderOutcome, PauseResult, ProtectionResult, RetryResult};

/// Longer than the service takes for any answer, except to an order.
const PATIENCE: Duration = Duration::from_secs(15);

/// Longer than an order's wait and its call can take together.
const ORDER_PATIENCE: Duration = Duration::from_mins(30);

/// The reason for a missing answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// No process listens on the socket.
    #[error(
        "no service answers at {0}: it is not running (systemctl start snaprotate starts it; systemctl status snaprotate shows why it ended), or it uses another $RUNTIME_DIRECTORY"
    )]
    NotRunning(String),
    /// The socket belongs to another user.
    #[error("{0}: only root and the service's own user have access; use sudo")]
    Forbidden(String),
    /// The service has no such server.
    #[error("{0}")]
    NoServer(String),
    /// The service refused the request; holds its reason.
    #[error("{0}")]
    Refused(String),
    /// The service's answer can't be used.
    #[error("{path}: the request to the service failed: {why}")]
    Failed {
        /// The socket's path.
        path: String,
        /// The reason.
        why: String,
    },
}

/// Requests the state of the service at this socket.
pub async fn ask(socket: &Path) -> Result<FleetView, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.get("http://localhost/api/v1/status")
    })
    .await
}

/// Requests the next changes on a server.
pub async fn ask_upcoming(
    socket: &Path,
    server: &ServerId,
) -> Result<Option<NextChanges>, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.get(format!(
            "http://localhost/api/v1/upcoming/{}",
            server.component()
        ))
    })
    .await
}

/// Requests the sizes of all snapshots in MB; there are none if the provider gives none.
pub async fn ask_sizes(socket: &Path) -> Result<Vec<(SnapshotId, u64)>, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.get("http://localhost/api/v1/sizes")
    })
    .await
}

/// Pauses a server, or all.
pub async fn pause(socket: &Path, request: &PauseRequest) -> Result<PauseResult, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.post("http://localhost/api/v1/pause").json(request)
    })
    .await
}

/// Resumes a server, or all.
pub async fn resume(socket: &Path, which: &ServerQuery) -> Result<PauseResult, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.post("http://localhost/api/v1/resume").json(which)
    })
    .await
}

/// Opens slots of a server again.
pub async fn retry(socket: &Path, request: &RetryRequest) -> Result<RetryResult, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.post("http://localhost/api/v1/retry").json(request)
    })
    .await
}

/// Acknowledges alerts of a server.
pub async fn acknowledge(socket: &Path, request: &AckRequest) -> Result<AckResult, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.post("http://localhost/api/v1/ack").json(request)
    })
    .await
}

/// Protects a snapshot.
pub async fn protect(
    socket: &Path,
    request: &ProtectRequest,
) -> Result<ProtectionResult, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client.post("http://localhost/api/v1/protect").json(request)
    })
    .await
}

/// Ends the protection of a snapshot by order.
pub async fn unprotect(
    socket: &Path,
    request: &UnprotectRequest,
) -> Result<ProtectionResult, NoAnswer> {
    asked(socket, PATIENCE, |client| {
        client
            .post("http://localhost/api/v1/unprotect")
            .json(request)
    })
    .await
}

/// Sends an order, and returns its outcome.
pub async fn order(socket: &Path, ordered: &OrderRequest) -> Result<OrderOutcome, NoAnswer> {
    asked(socket, ORDER_PATIENCE, |client| {
        client.post("http://localhost/api/v1/orders").json(ordered)
    })
    .await
}

/// Sends a request to the socket. The host in the address is not resolved.
async fn asked<T: DeserializeOwned>(
    socket: &Path,
    patience: Duration,
    request: impl FnOnce(&Client) -> RequestBuilder,
) -> Result<T, NoAnswer> {
    let path = || socket.display().to_string();
    let failed = |why: &dyn std::fmt::Display| NoAnswer::Failed {
        path: path(),
        why: why.to_string(),
    };
    let client = over_socket(socket, patience).map_err(|why| failed(&why))?;
    let answer = request(&client).send().await;
    let answer = answer.map_err(|error| match io_kind(&error) {
        Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            NoAnswer::NotRunning(path())
        }
        Some(io::ErrorKind::PermissionDenied) => NoAnswer::Forbidden(path()),
        _ => failed(&error),
    })?;
    match answer.status() {
        StatusCode::FORBIDDEN => return Err(NoAnswer::Forbidden(path())),
        status @ (StatusCode::NOT_FOUND | StatusCode::CONFLICT) => {
            let why = answer.text().await.map_err(|error| failed(&error))?;
            return Err(if status == StatusCode::NOT_FOUND {
                NoAnswer::NoServer(why)
            } else {
                NoAnswer::Refused(why)
            });
        }
        _ => {}
    }
    let answer = answer.error_for_status().map_err(|error| failed(&error))?;
    answer.json().await.map_err(|error| failed(&error))
}

/// Returns the system's error at the end of the chain of causes.
fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}
