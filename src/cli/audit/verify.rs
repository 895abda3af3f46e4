//! `audit verify`: checks that the trail is complete and unchanged.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::witness::{self, ReportedComparison, WitnessReport};
use super::{lost, no_trail};
use crate::audit::{Verified, verify, was_begun};
use crate::cli::{Cli, Exit, say};
use crate::config::{self, Environment, Folders};
use crate::core::sanitize::{counted, utc};
use crate::daemon::CommandError;

/// The options of `audit verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Compare the trail with the signed checkpoints in these files (- means standard input); other
    /// contents are ignored
    #[arg(long, value_name = "FILE", num_args = 1..)]
    witness: Vec<PathBuf>,
    /// The public key that verifies the signatures, or a file that holds it; may be given more
    /// than once [default: the public half of the key of [audit.witness]]
    #[arg(long, value_name = "KEY", requires = "witness")]
    key: Vec<String>,
}

/// Returns `Good` if the trail is intact and no checkpoint was refused; a torn last line is not
/// damage. Needs neither token nor policies, since people run it when something is wrong.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let folders = config::folders(&cli.config, &Environment::from_process())?;
    let (found, witnessed) = if args.witness.is_empty() {
        (check(&folders)?, None)
    } else {
        let keys = witness::keys(&args.key, &cli.config)?;
        let (found, witnessed) = witness::verify(&folders, &args.witness, &keys)?;
        (found, Some(witnessed))
    };
    if args.json {
        say(&json!(VerifyReport::of(&found, witnessed.as_ref())).to_string())?;
    } else if found.files.is_empty() && found.is_intact() {
        say(&no_trail(&folders.audit_dir))?;
    } else {
        say(&as_text(&folders.audit_dir, &found, witnessed.as_ref()))?;
    }
    let compared = witnessed.is_none_or(|witnessed| witnessed.is_whole());
    Ok(if found.is_intact() && compared {
        Exit::Good
    } else {
        Exit::Bad
    })
}

/// Checks the trail. Before the first run a missing trail is correct; once something was recorded,
/// a missing folder is a loss.
fn check(folders: &Folders) -> Result<Verified, CommandError> {
    if folders.audit_dir.exists() {
        return Ok(verify(&folders.audit_dir, &folders.state_dir)?);
    }
    let mut found = Verified::default();
    if was_begun(&folders.state_dir)? {
        found.problems.push(lost(folders));
    }
    Ok(found)
}

/// The output of `--json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct VerifyReport<'a> {
    /// True if there is no problem.
    intact: bool,
    /// Number of valid records.
    records: u64,
    /// The files' names, oldest first.
    files: &'a [String],
    /// Time of the first record; `null` if there is none.
    first: Option<Timestamp>,
    /// Time of the last record; `null` if there is none.
    last: Option<Timestamp>,
    /// The problems, with file and line where they concern a line.
    problems: &'a [String],
    /// An incomplete last line, which a crash left or which is being written right now; it is not
    /// a problem. `null` if there is none.
    torn: Option<&'a str>,
    /// Notes that are not problems: tails that were set aside earlier, heads that were lost, and
    /// checkpoints that can't be compared.
    notices: &'a [String],
    /// The comparison with the checkpoints of `--witness`; `null` if none were given.
    witness: Option<ReportedComparison<'a>>,
}

impl<'a> VerifyReport<'a> {
    fn of(found: &'a Verified, witnessed: Option<&'a WitnessReport>) -> Self {
        Self {
            intact: found.is_intact(),
            records: found.records,
            files: &found.files,
            first: found.first,
            last: found.last,
            problems: &found.problems,
            torn: found.torn.as_deref(),
            notices: &found.notices,
            witness: witnessed.map(WitnessReport::reported),
        }
    }
}

fn as_text(folder: &Path, found: &Verified, witnessed: Option<&WitnessReport>) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(found.problems.iter().map(|line| format!("broken: {line}")));
    let torn = found.torn.iter();
    lines.extend(torn.map(|line| {
        format!("incomplete record, torn by a crash or still being written; no action has followed from it: {line}")
    }));
    lines.extend(found.notices.iter().map(|line| format!("note: {line}")));
    lines.extend(
        witnessed
            .iter()
            .flat_map(|witnessed| witnessed.not_compared()),
    );
    let chained = found.problems.is_empty();
    lines.extend(witnessed.map(|witnessed| witnessed.line(chained)));
    let verdict = if found.is_intact() {
        "intact"
    } else {
        "broken"
    };
    let span = match (found.first, found.last) {
        (Some(first), Some(last)) => format!(", {} to {}", utc(first), utc(last)),
        _ => String::new(),
    };
    lines.push(format!(
        "{verdict}: {} in {} of {}{span}",
        counted(
            usize::try_from(found.records).unwrap_or(usize::MAX),
            "record"
        ),
        counted(found.files.len(), "file"),
        folder.display()
    ));
    lines.join("\n")
}
