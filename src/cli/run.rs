//! `run`: the daemon.

use super::{Cli, Exit, block_on};
use crate::daemon::{self, Refusal};

/// Runs until a signal ends it.
pub fn run(cli: &Cli) -> Result<Exit, Refusal> {
    let config = cli.load()?;
    block_on(daemon::serve(config)).map(|()| Exit::Good)
}
