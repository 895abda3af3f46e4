//! `run`: runs the daemon.

use super::{Cli, Exit, block_on};
use crate::daemon::{self, CommandError};

/// Runs until a signal stops the daemon.
pub fn run(cli: &Cli) -> Result<Exit, CommandError> {
    block_on(async {
        let signals = daemon::listen()?;
        daemon::serve(cli.load()?, signals).await?;
        Ok(Exit::Good)
    })
}
