//! `[audit.witness]`: the interval, key and destinations of the trail's signed checkpoints.
//!
//! A key that is missing or can't be used causes a warning, not an error: rotation must not depend
//! on the witness. The service raises an alert for it. Only a key pasted in place of its path is an
//! error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;

use super::diagnostics::{Diagnostics, Position};
use super::notify::Receiver;
use super::table_reader::{Located, TableReader};
use super::{Environment, api_section, defaults};

/// Validated settings of `[audit.witness]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Time from one checkpoint to the next.
    pub interval: Duration,
    /// File of the signer key: the systemd credential if there is one, else `key_file`.
    pub key_file: Option<PathBuf>,
    /// Trail that a checkpoint names as its origin; `None`: the key's name.
    pub origin: Option<String>,
    /// File that checkpoints are appended to.
    pub file: Option<PathBuf>,
    /// True if checkpoints go to the log.
    pub journal: bool,
}

/// The table as it is written.
#[derive(Debug)]
pub(super) struct RawWitness {
    at: Position,
    interval: Option<Located<SignedDuration>>,
    key_file: Option<Located<PathBuf>>,
    origin: Option<Located<String>>,
    file: Option<Located<PathBuf>>,
    journal: Option<Located<bool>>,
}

impl RawWitness {
    pub(super) fn read(mut section: TableReader<'_>, log: &mut Diagnostics) -> Self {
        let raw = Self {
            at: section.at().clone(),
            interval: section.take_if(
                "interval",
                log,
                |time: &SignedDuration| *time >= defaults::SHORTEST_WITNESS,
                (
                    "must be a second or more",
                    "write a duration such as \"1d\"",
                ),
            ),
            key_file: section.take("key_file", log),
            origin: section.take_if(
                "origin",
                log,
                |origin: &String| is_origin(origin),
                (
                    "holds characters that are not allowed, or more than 200 characters",
                    "write only letters, digits and . - _ /, such as \"snaprotate/admin-01\"",
                ),
            ),
            file: section.take("file", log),
            journal: section.take("journal", log),
        };
        section.finish(log);
        raw
    }

    /// Returns the key's file, if there is a credential or `key_file` is set.
    pub(super) fn key(&self, folder: &Path, env: &Environment) -> Option<PathBuf> {
        let written = self.key_file.as_ref();
        api_section::given(defaults::WITNESS_CREDENTIAL, written, folder, env).0
    }

    /// Validates the table; `folders` are those of the trail and of its head.
    pub(super) fn validate(
        self,
        folder: &Path,
        folders: [&Path; 2],
        env: &Environment,
        log: &mut Diagnostics,
    ) -> Witness {
        let key_file = api_section::witness_key(self.key_file.as_ref(), &self.at, folder, env, log);
        let file = self.file.map(|file| {
            let path = folder.join(&file.value);
            if folders.iter().any(|folder| path.starts_with(folder)) {
                let message = format!(
                    "file {} is next to the trail: whoever can rewrite one can rewrite the other",
                    path.display()
                );
                let remedy = "name a file on another mount that this host can only append to";
                log.warn(&file.at, message, remedy);
            }
            path
        });
        let interval = self.interval.map_or(defaults::WITNESS, |found| found.value);
        Witness {
            interval: interval.unsigned_abs(),
            key_file,
            origin: self.origin.map(|origin| origin.value),
            file,
            journal: self.journal.is_none_or(|journal| journal.value),
        }
    }
}

/// Reports checkpoints that are signed but have no destination, and a receiver with
/// `witness = true` when none are signed.
pub(super) fn fits(
    witness: Option<(&Witness, &Position)>,
    receivers: &[Receiver],
    asked: Option<&Position>,
    log: &mut Diagnostics,
) {
    let takes = receivers.iter().any(|receiver| receiver.witness);
    match (witness, asked) {
        (Some((witness, at)), None) if !witness.journal && witness.file.is_none() && !takes => {
            log.error(
                at,
                "[audit.witness] signs checkpoints, but sends them nowhere",
                "write file = \"…\", journal = true, or witness = true below a [[notify]]",
            );
        }
        (None, Some(at)) => log.error(
            at,
            "witness = true, but no checkpoints are signed",
            "add a table [audit.witness] with key_file = \"witness-key\", or remove witness",
        ),
        _ => {}
    }
}

impl RawWitness {
    /// Returns the position of the table's header.
    pub(super) fn at(&self) -> &Position {
        &self.at
    }
}

/// Returns true if every kind of receiver accepts the text as an origin.
fn is_origin(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    text.len() <= 200 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::super::cases::{case, prove};
    use super::super::fixture::{ConfigFolder, MAIN};

    #[test]
    fn each_fault_in_the_witness_table_is_reported_with_position_and_remedy() {
        // One case per line, so that the list reads as a table.
        #[rustfmt::skip]
        let cases = [
            case("[audit.witness]\nkey_file = \"witness-key\"\ninterval = \"0s\"", "5:12: error", "interval must be a second or more", "\"1d\""),
            case("[audit.witness]\nkey_file = \"witness-key\"\norigin = \"two words\"", "5:10: error", "origin holds characters that are not allowed", "snaprotate/admin-01"),
            case("[audit.witness]\nkey_file = \"witness-key\"\njournal = \"yes\"", "5:11: error", "journal must be true or false, not a string", ""),
            case("[audit.witness]\nkey_file = \"witness-key\"\njournal = false", "3:1: error", "checkpoints, but sends them nowhere", "witness = true"),
            case("[audit.witness]\nkey_file = \"witness-key\"\ninterva = \"1h\"", "5:1: error", "unknown key \"interva\" in [audit.witness]", "did you mean interval?"),
            case("[audit.witness]\nkey_file = \"absent\"", "4:12: warning", "the witness key file", "readable by the service's user"),
            case("[audit.witness]\nkey_file = \"token\"", "4:12: warning", "holds no signer key", "snaprotate audit keygen"),
            case("[audit.witness]\nkey_file = \"PRIVATE+KEY+a+0+A\"", "4:12: error", "key_file does not name a file", "not the key"),
            case("[audit.witness]", "3:1: warning", "there is no key to sign checkpoints with", "snaprotate audit keygen"),
            case("[audit]\ndir = \"log\"\n[audit.witness]\nkey_file = \"witness-key\"\nfile = \"log/notes\"", "7:8: warning", "is next to the trail", "another mount"),
            case("[[notify]]\ntype = \"command\"\ncommand = [\"/bin/true\"]\nwitness = true", "6:11: error", "no checkpoints are signed", "[audit.witness]"),
            case("[[notify]]\ntype = \"ping\"\nurl = \"https://a.example\"\nwitness = true", "6:1: error", "unknown key \"witness\"", ""),
        ];
        prove("snaprotate.toml", MAIN, &cases);
    }

    #[test]
    fn an_empty_witness_table_means_a_daily_interval_and_the_log_as_the_destination() {
        let folder =
            ConfigFolder::new().with("snaprotate.toml", format!("{MAIN}[audit.witness]\n"));
        let witness = folder.good().witness.expect("a witness");
        assert_eq!(witness.interval.as_secs(), 86_400);
        assert!(witness.journal && witness.file.is_none() && witness.key_file.is_none());
        assert!(ConfigFolder::new().good().witness.is_none());
    }
}
