//! `check`: is the configuration good?

use super::{Cli, Exit, say};
use crate::daemon::Refusal;

/// Says all that is wrong, or how many policies are good.
pub fn run(cli: &Cli) -> Result<Exit, Refusal> {
    let config = cli.load()?;
    for warning in &config.warnings {
        say(&warning.to_string());
    }
    let policies = match config.policies.len() {
        1 => "1 policy".to_owned(),
        n => format!("{n} policies"),
    };
    let warnings = match config.warnings.len() {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        n => format!(", {n} warnings"),
    };
    say(&format!("{policies}, no problems{warnings}"));
    Ok(Exit::Good)
}
