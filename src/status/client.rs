//! Who asks the running service over its control socket.

use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::view::FleetView;
use crate::api::over_socket;

/// Longer than the service takes for any answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Absent {
    /// Nobody listens.
    #[error("no service answers at {0}: it isn't running, or uses another $RUNTIME_DIRECTORY")]
    NotRunning(String),
    /// The socket is another user's.
    #[error("{0}: only root and the service's own user may ask; try sudo")]
    Forbidden(String),
    /// It answered, but not with what was asked for.
    #[error("{path}: the service didn't say how things stand: {why}")]
    Failed {
        /// The socket.
        path: String,
        /// What came instead.
        why: String,
    },
}

/// Asks the service at this socket how things stand.
pub async fn ask(socket: &Path) -> Result<FleetView, Absent> {
    let path = || socket.display().to_string();
    let failed = |why: &dyn std::fmt::Display| Absent::Failed {
        path: path(),
        why: why.to_string(),
    };
    let client = over_socket(socket, PATIENCE).map_err(|why| failed(&why))?;
    // No name is looked up: every connection goes to the socket.
    let answer = client.get("http://localhost/api/v1/status").send().await;
    let answer = answer.map_err(|error| match io_kind(&error) {
        Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Absent::NotRunning(path())
        }
        Some(io::ErrorKind::PermissionDenied) => Absent::Forbidden(path()),
        _ => failed(&error),
    })?;
    if answer.status() == reqwest::StatusCode::FORBIDDEN {
        return Err(Absent::Forbidden(path()));
    }
    let answer = answer.error_for_status().map_err(|error| failed(&error))?;
    answer.json().await.map_err(|error| failed(&error))
}

/// What the system said, somewhere down the chain of causes.
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
