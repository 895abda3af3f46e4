//! `completions`: prints a shell's completion script.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit, print};
use crate::daemon::CommandError;

/// The options of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "snaprotate", &mut script);
    print(&script)?;
    Ok(Exit::Good)
}
