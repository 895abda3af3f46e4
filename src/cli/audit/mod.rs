//! `audit`: reads the trail and verifies its chain.
//!
//! `show` selects records and prints them: `filter` selects, `time` parses times, `snapshot_names`
//! maps ids to the names in earlier records, `action_fold` joins the records of an action,
//! `action_text`, `action_csv` and `record_line` format an action or a record, `record_texts` and
//! `record_output` print them, and `not_found` reports a server, rotation or snapshot that doesn't
//! exist. `verify` checks the chain
//! and compares it with checkpoints (`witness`). `keygen` makes the key that signs checkpoints.

mod action_csv;
mod action_fold;
mod action_text;
#[cfg(test)]
mod audit_screen_tests;
mod filter;
mod keygen;
mod not_found;
mod record_line;
mod record_output;
mod record_texts;
mod show;
mod snapshot_names;
pub(super) mod time;
mod verify;
mod witness;

use std::path::Path;

#[cfg(test)]
pub(super) use self::filter::EVENTS;
pub(super) use self::time::range as time_range;
use super::{Cli, Exit, help_text};
use crate::audit::{files_since, was_begun};
use crate::config::Folders;
use crate::daemon::CommandError;

/// Subcommands of `audit`.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show what was done, an action a line, even while the service runs
    #[command(after_long_help = help_text::AUDIT_SHOW)]
    Show(show::Args),
    /// Check the chain of the audit trail, even while the service runs
    #[command(after_long_help = help_text::AUDIT_VERIFY)]
    Verify(verify::Args),
    /// Make a key that signs checkpoints of the audit trail
    #[command(after_long_help = help_text::AUDIT_KEYGEN)]
    Keygen(keygen::Args),
}

/// Runs the subcommand.
pub fn run(cli: &Cli, command: &Command) -> Result<Exit, CommandError> {
    match command {
        Command::Show(args) => show::run(cli, args),
        Command::Verify(args) => verify::run(cli, args),
        Command::Keygen(args) => keygen::run(args),
    }
}

/// Returns a note for a folder without a trail.
pub(super) fn no_trail(folder: &Path) -> String {
    format!("no trail yet in {}", folder.display())
}

/// Returns true if nothing was ever recorded. Returns an error if the trail is missing although
/// there was one.
pub(super) fn is_unbegun(folders: &Folders) -> Result<bool, CommandError> {
    if !files_since(&folders.audit_dir, None)?.is_empty() {
        return Ok(false);
    }
    if was_begun(&folders.state_dir)? {
        return Err(CommandError::System(lost(folders)));
    }
    Ok(true)
}

/// Returns the error for a trail that is missing although there was one.
fn lost(folders: &Folders) -> String {
    format!(
        "no trail in {}, but the head in {} shows that there was one",
        folders.audit_dir.display(),
        folders.state_dir.display()
    )
}

/// Returns the schema of `audit verify --json`.
#[cfg(test)]
pub(super) fn verify_schema() -> String {
    super::output_schema::derived::<verify::VerifyReport<'_>>("audit verify")
}
