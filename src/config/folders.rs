//! The folders of the state and of the trail: from the file, else from systemd, else the default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::diagnostics::{Diagnostics, Source};
use super::table_reader::{Located, TableReader};
use super::{Environment, Folders, defaults};

/// Title of the table `[audit.witness]` in messages.
pub(super) const WITNESS: &str = "[audit.witness]";

/// Reads the folders that the daemon writes to. Reports only errors in their two keys and unknown
/// keys of `[audit]`; errors in other tables don't matter.
pub(super) fn read_folders<'s>(
    table: DeTable<'s>,
    source: &'s Arc<Source>,
    folder: &Path,
    env: &Environment,
    log: &mut Diagnostics,
) -> Folders {
    let mut root = TableReader::root(source, table);
    let state_dir = root
        .take_table("daemon", "[daemon]", log)
        .and_then(|mut section| section.take("state_dir", log));
    let mut audit_dir = None;
    if let Some(mut section) = root.take_table("audit", "[audit]", log) {
        audit_dir = section.take("dir", log);
        let witness = section.take_table("witness", WITNESS, log);
        drop(witness);
        // A misspelt `dir` must not lead to another trail.
        section.finish(log);
    }
    folders(state_dir, audit_dir, folder, env)
}

/// Returns the folders: from the file, else from systemd, else the defaults.
pub(super) fn folders(
    state_dir: Option<Located<PathBuf>>,
    audit_dir: Option<Located<PathBuf>>,
    folder: &Path,
    env: &Environment,
) -> Folders {
    let place =
        |written: Option<Located<PathBuf>>, given: &Option<PathBuf>, usual: &str| match written {
            Some(written) => folder.join(written.value),
            None => given.clone().unwrap_or_else(|| PathBuf::from(usual)),
        };
    Folders {
        state_dir: place(state_dir, &env.state_directory, defaults::STATE_DIR),
        audit_dir: place(audit_dir, &env.logs_directory, defaults::AUDIT_DIR),
    }
}
