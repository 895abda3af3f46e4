//! `plan`: what would be done now, and why (I14: only GETs).

use super::{Cli, Exit};
use crate::daemon::Refusal;

/// What to plan.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this server: its id, its name, or its policy file's stem
    #[arg(long, value_name = "SERVER")]
    pub server: Option<String>,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints the steps to rest, and each snapshot's fate.
pub fn run(_cli: &Cli, _args: &Args) -> Result<Exit, Refusal> {
    Err(Refusal::System("not there yet".to_owned()))
}
