//! `run`: the daemon.

use super::{Cli, Exit, block_on};
use crate::daemon::{self, Refusal};

/// Runs until a signal ends it.
pub fn run(cli: &Cli) -> Result<Exit, Refusal> {
    block_on(async {
        let signals = daemon::listen()?;
        daemon::serve(cli.load()?, signals).await?;
        Ok(Exit::Good)
    })
}
