//! Makes one change in this process while no service runs: takes the lock, opens the trail, makes
//! the change and ends. A service that starts meanwhile finds the lock taken.

use std::sync::Arc;

use super::CommandError;
use super::startup::prepare;
use crate::api::HttpApi;
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::Engine;

/// Runs `work` with an engine over the trail, then shuts the engine down. The lock and the trail
/// name `command`.
pub async fn run_exclusive<T>(
    config: Config,
    command: &str,
    work: impl AsyncFnOnce(Arc<Engine<HttpApi>>) -> T,
) -> Result<T, CommandError> {
    let service = prepare(config, command, Clock::system()).await?;
    let done = work(Arc::clone(&service.engine)).await;
    service.end("the command is done").await;
    Ok(done)
}
