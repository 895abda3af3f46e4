//! `audit`: reads the trail, and checks that it is whole.
//!
//! `show` picks records and prints them: `filter` says which, `time` reads what was typed as
//! a time, `snapshot_names` remembers what earlier records say of a snapshot, `record_line` is a record for
//! people, `not_found` tells a slip from a night without records. `verify` checks the chain, and
//! holds it against checkpoints (`witness`), which are signed by a key that `keygen` makes.

mod filter;
mod keygen;
mod not_found;
mod record_line;
mod show;
mod snapshot_names;
mod time;
mod verify;
mod witness;

use std::path::Path;

#[cfg(test)]
pub(super) use self::filter::EVENTS;
use super::{Cli, Exit, help_text};
use crate::config::Folders;
use crate::daemon::CommandError;

/// What to do with the trail.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the records of the audit trail; it may run beside the daemon
    #[command(after_long_help = help_text::AUDIT_SHOW)]
    Show(show::Args),
    /// Check the chain of the audit trail; it may run beside the daemon
    #[command(after_long_help = help_text::AUDIT_VERIFY)]
    Verify(verify::Args),
    /// Make a key that signs checkpoints of the audit trail
    #[command(after_long_help = help_text::AUDIT_KEYGEN)]
    Keygen(keygen::Args),
}

/// Reads or checks it.
pub fn run(cli: &Cli, command: &Command) -> Result<Exit, CommandError> {
    match command {
        Command::Show(args) => show::run(cli, args),
        Command::Verify(args) => verify::run(cli, args),
        Command::Keygen(args) => keygen::run(args),
    }
}

fn no_trail(folder: &Path) -> String {
    format!("no trail yet in {}", folder.display())
}

fn lost(folders: &Folders) -> String {
    format!(
        "no trail in {}, though the head in {} says that there was one",
        folders.audit_dir.display(),
        folders.state_dir.display()
    )
}
