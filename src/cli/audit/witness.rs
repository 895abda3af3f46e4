//! Reads the input of `audit verify --witness`: checkpoints from files, and the keys to verify
//! them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::api::secret;
use crate::audit::Verified;
use crate::audit::witness::{
    Checkpoint, ComparedCheckpoint, Comparison, SignerKey, Verdict, VerifierKey, find,
    verify_witnessed,
};
use crate::cli::printable_path;
use crate::config::{self, Environment, Folders};
use crate::core::sanitize::{counted, utc};
use crate::daemon::CommandError;

/// Largest file read, in bytes. A year of daily checkpoints takes 100 KB.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The file name that means standard input.
const STDIN: &str = "-";

/// The comparison, and the notes that could not be compared.
pub(super) struct WitnessReport {
    compared: Comparison,
    refused: Vec<String>,
}

/// The comparison of the trail with checkpoints, in JSON.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ReportedComparison<'a> {
    /// The last record that is as it was signed; `null` if there is none.
    agrees_to: Option<u64>,
    /// The first record that differs from the one that was signed; `null` if there is none.
    differs_from: Option<u64>,
    /// Each valid checkpoint once, by record.
    checkpoints: &'a [ComparedCheckpoint],
    /// Notes without a valid signature by a known key, each with file and line, and files without
    /// a note.
    refused: &'a [String],
}

/// Returns the keys of `--key`, or else the public half of the signing key.
pub(super) fn keys(given: &[String], config: &Path) -> Result<Vec<VerifierKey>, CommandError> {
    if given.is_empty() {
        return own_key(config).map(|key| vec![key]).map_err(|why| {
            CommandError::Settings(format!(
                "{why}; give the public key that audit keygen printed, or a file that holds it, with --key"
            ))
        });
    }
    let keys = given.iter().map(|given| {
        VerifierKey::parse(given).or_else(|why| {
            let path = Path::new(given);
            let shown = printable_path(path);
            if given.contains("PRIVATE") {
                return Err("--key: give the public key, not the private one".to_owned());
            }
            let text = std::fs::read_to_string(path)
                .map_err(|error| {
                    format!("--key {shown} {why} (NAME+ID+KEY, as audit keygen prints it), and can't be read as a file: {error}")
                })?;
            VerifierKey::parse(&text).map_err(|why| format!("--key {shown}: the file's content {why}"))
        })
    });
    keys.collect::<Result<_, _>>()
        .map_err(CommandError::Settings)
}

fn own_key(config: &Path) -> Result<VerifierKey, String> {
    let env = Environment::from_process();
    let path =
        config::witness_key(config, &env).ok_or("[audit.witness] has no key to verify with")?;
    let text = secret(&path, env.credentials_directory.as_deref(), "witness key")?;
    let key = SignerKey::parse(&text).map_err(|why| format!("{} {why}", path.display()))?;
    Ok(key.verifier().clone())
}

/// Checks the trail and compares it with all checkpoints in these files. A difference counts as a
/// problem of the trail.
pub(super) fn verify(
    folders: &Folders,
    files: &[PathBuf],
    keys: &[VerifierKey],
) -> Result<(Verified, WitnessReport), CommandError> {
    let mut checkpoints: Vec<(Checkpoint, VerifierKey)> = Vec::new();
    let mut refused = Vec::new();
    for file in files {
        let shown = printable_path(file);
        let text = read(file)
            .map_err(|why| CommandError::System(format!("{shown}: can't be read: {why}")))?;
        let found = find(&text, keys);
        if found.is_empty() {
            refused.push(format!("{shown}: holds no checkpoint"));
        }
        for one in found {
            match one.checkpoint {
                Ok(checkpoint) => checkpoints.push(checkpoint),
                Err(why) => refused.push(format!("{shown} line {}: the note {why}", one.line)),
            }
        }
    }
    let (audit, state) = (&folders.audit_dir, &folders.state_dir);
    let (mut found, compared) = verify_witnessed(audit, state, &checkpoints)?;
    // Without a valid checkpoint there is nothing to compare.
    if !checkpoints.is_empty() {
        found.problems.extend(compared.problems.iter().cloned());
    }
    found.notices.extend(compared.notices.iter().cloned());
    Ok((found, WitnessReport { compared, refused }))
}

fn read(file: &Path) -> io::Result<String> {
    let from: Box<dyn Read> = if file == Path::new(STDIN) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file)?)
    };
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(
            "it is too large for a file of checkpoints",
        ));
    }
    // A note may be surrounded by bytes that are not text.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl WitnessReport {
    /// Returns true if no note was refused and every file holds a note.
    pub(super) fn is_whole(&self) -> bool {
        self.refused.is_empty()
    }

    /// Returns a line for each note or file that could not be compared, with the reason.
    pub(super) fn not_compared(&self) -> impl Iterator<Item = String> {
        self.refused
            .iter()
            .map(|why| format!("not compared: {why}"))
    }

    /// Returns the comparison for `--json`.
    pub(super) fn reported(&self) -> ReportedComparison<'_> {
        ReportedComparison {
            agrees_to: self.compared.agrees_to,
            differs_from: self.compared.differs_from,
            checkpoints: &self.compared.rows,
            refused: &self.refused,
        }
    }

    /// Returns a line for people: the last record that the witness confirms.
    pub(super) fn line(&self, intact: bool) -> String {
        let rows = &self.compared.rows;
        let agree = rows.iter().filter(|row| row.verdict == Verdict::Agrees);
        let Some(last) = agree.clone().next_back() else {
            return "witness: no checkpoint agrees with the trail".to_owned();
        };
        let when = last
            .time
            .map_or(String::new(), |time| format!(", signed {}", utc(time)));
        format!(
            "witness: agrees up to record {}{when}{}; the trail ends with record {}; {} of {} {}, the last of them signed by {}",
            last.record,
            if intact {
                ""
            } else {
                ", except for what is broken above"
            },
            self.compared.last,
            agree.count(),
            counted(rows.len(), "checkpoint"),
            if rows.len() == 1 { "agrees" } else { "agree" },
            last.key,
        )
    }
}
