//! The protocol between the service and the runner: one JSON object per line.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};

use super::{HookJob, HookReport};
use crate::core::server_event::HookKind;

/// Longest line, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Longest wait for the first line.
pub(super) const FIRST: Duration = Duration::from_secs(10);

/// The service's request to a new runner.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunRequest {
    /// The hook's job.
    pub(super) job: HookJob,
    /// `Some`: run only `after`, for this reason, since the lease of the hold was lost.
    pub(super) after: Option<String>,
}

/// Announces that `before` is about to run: from here on the server may be held.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BeforeStarted {
    pub(super) begun: bool,
}

/// Asks the runner to release the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReleaseRequest {
    pub(super) why: String,
}

/// Result of a hook. It names the hook, since the result of `before` may be received late.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HookResult {
    #[serde(default = "after")]
    pub(super) hook: HookKind,
    #[serde(flatten)]
    pub(super) report: HookReport,
}

/// Returns the hook of a report that names none.
fn after() -> HookKind {
    HookKind::After
}

/// Sends a line.
pub(super) async fn say(
    to: &mut (impl AsyncWrite + Unpin),
    what: &impl Serialize,
) -> Result<(), String> {
    let mut line = serde_json::to_vec(what).map_err(|error| error.to_string())?;
    line.push(b'\n');
    let sent = async {
        to.write_all(&line).await?;
        to.flush().await
    };
    sent.await.map_err(|error| error.to_string())
}

/// Receives a line; `None` if the connection is closed before the line ends, or if the line is
/// longer than [`LONGEST`].
pub(super) async fn hear<T: DeserializeOwned>(
    from: &mut (impl AsyncBufRead + Unpin),
) -> Result<Option<T>, String> {
    let mut line = Vec::new();
    let read = from.take(LONGEST).read_until(b'\n', &mut line).await;
    read.map_err(|error| error.to_string())?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    let heard = serde_json::from_slice(&line);
    heard
        .map(Some)
        .map_err(|error| format!("invalid message: {error}"))
}
