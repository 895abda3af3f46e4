//! `once`: settles what is due and exits, for timers and other schedulers.

use super::{Cli, Exit, block_on};
use crate::daemon::{self, CommandError};

/// Returns `Good` if a completed snapshot settles the newest due slot of every rotation and no
/// alert is active.
pub fn run(cli: &Cli) -> Result<Exit, CommandError> {
    block_on(async {
        let signals = daemon::listen()?;
        let settled = daemon::once(cli.load()?, signals).await?;
        Ok(if settled { Exit::Good } else { Exit::Bad })
    })
}
