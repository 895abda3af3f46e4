//! `audit verify`: is the trail whole?

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Cli, Exit, say};
use crate::audit::{Verified, verify};
use crate::config::{self, Env};
use crate::daemon::Refusal;

/// What to do with the trail.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check the chain of the audit trail; it may run beside the daemon
    Verify {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Good when it is intact; a torn last line alone is. It needs neither token nor policies,
/// since the trail is looked into when something is wrong.
pub fn run(cli: &Cli, command: &Command) -> Result<Exit, Refusal> {
    let Command::Verify { json } = command;
    let folders = config::folders(&cli.config, &Env::from_process())?;
    let found = verify(&folders.audit_dir, &folders.state_dir)?;
    if *json {
        say(&as_json(&found).to_string());
    } else {
        say(&as_text(&folders.audit_dir, &found));
    }
    Ok(if found.is_intact() {
        Exit::Good
    } else {
        Exit::Bad
    })
}

fn as_json(found: &Verified) -> serde_json::Value {
    json!({
        "intact": found.is_intact(),
        "records": found.records,
        "files": found.files,
        "first": found.first,
        "last": found.last,
        "problems": found.problems,
        "torn": found.torn,
        "notices": found.notices,
    })
}

fn as_text(folder: &Path, found: &Verified) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(found.problems.iter().map(|line| format!("broken: {line}")));
    let torn = found.torn.iter();
    lines.extend(torn.map(|line| format!("torn by a crash, nothing is lost: {line}")));
    lines.extend(found.notices.iter().map(|line| format!("note: {line}")));
    let verdict = if found.is_intact() {
        "intact"
    } else {
        "broken"
    };
    let span = match (found.first, found.last) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    let folder = PathBuf::from(folder);
    lines.push(format!(
        "{verdict}: {} records in {} files of {}{span}",
        found.records,
        found.files.len(),
        folder.display()
    ));
    lines.join("\n")
}
