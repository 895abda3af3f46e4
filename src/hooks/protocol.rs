//! What is said between the service and the runner: one JSON object a line.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite};

use super::{HookJob, HookReport};
use crate::core::event::HookKind;

/// The longest line.
const LONGEST: u64 = 64 * 1024;

/// How long the first line may take.
pub(super) const FIRST: Duration = Duration::from_secs(10);

/// What the runner is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunRequest {
    /// For what the server is held.
    pub(super) job: HookJob,
    /// `Some`: `before` ran long ago, only `after` is to be run, and why.
    pub(super) after: Option<String>,
}

/// That `before` is about to be run: from here on the server may be held.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BeforeStarted {
    pub(super) begun: bool,
}

/// That the server is to be released.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReleaseRequest {
    pub(super) why: String,
}

/// What came of a hook, and of which: one of `before` may be heard late.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HookResult {
    #[serde(default = "after")]
    pub(super) hook: HookKind,
    #[serde(flatten)]
    pub(super) report: HookReport,
}

/// Of which hook a report is that doesn't say so.
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

/// Takes a line; `None`: the other side is gone.
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
        .map_err(|error| format!("not understood: {error}"))
}
