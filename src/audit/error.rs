//! Errors of the trail.

use std::io;
use std::path::Path;

/// Remedy if this user has no permission.
const DENIED: &str = "only root and the service's user may use the trail: run this with sudo";

/// Why the trail could not be opened, read or written. One line, and cheap to clone: all callers
/// that waited for one sync get the same error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrailError {
    /// A disk operation failed.
    #[error("{path}: can't {what}: {why}")]
    Disk {
        /// The operation.
        what: &'static str,
        /// The file or folder.
        path: String,
        /// The system's error.
        why: String,
        /// True if the disk is full or a quota is used up.
        full: bool,
    },
    /// A line that is not a valid record. Opening the trail reports it only if no crash explains
    /// it.
    #[error(
        "{file} line {line}: {why}; run `snaprotate audit verify`, then move the file aside to continue without it: the pauses and unfinished calls that it records are then forgotten"
    )]
    Broken {
        /// The file's path.
        file: String,
        /// Number of the line, from 1.
        line: u64,
        /// The problem.
        why: String,
    },
    /// A valid line that this version can't read.
    #[error(
        "{file} line {line}: {why}; a newer snaprotate wrote it: install that version again, and leave the file in place"
    )]
    Newer {
        /// The file's path.
        file: String,
        /// Number of the line, from 1.
        line: u64,
        /// The part that can't be read.
        why: String,
    },
    /// The disk does not answer; the time is in seconds.
    #[error("the disk hasn't answered for {0} s")]
    Hangs(u64),
    /// The file is not as this process wrote or read it.
    #[error(
        "{file}: has {found} bytes, but {expected} were written; something else writes to the file: stop it, then start the service or run the command again"
    )]
    Altered {
        /// The file's path.
        file: String,
        /// Bytes that this process wrote or read.
        expected: u64,
        /// The file's length, or the length of its part before the first changed line.
        found: u64,
    },
    /// An entry that could not be read back.
    #[error(
        "event {0} can't be recorded: an event of a server must name the server, and an alert of the account must name none"
    )]
    Misplaced(String),
    /// The trail was closed, or its writer ended.
    #[error("the trail is closed")]
    Closed,
}

impl TrailError {
    /// Returns true if the disk is full or a quota is used up.
    pub fn is_full_disk(&self) -> bool {
        matches!(self, Self::Disk { full: true, .. })
    }

    /// Returns the error for a state folder that was removed or replaced. The folder holds the lock
    /// and the head.
    pub fn state(state_dir: &Path, why: io::Error) -> Self {
        Self::disk("rely on the state folder", state_dir)(why)
    }

    /// Adds the operation and the path to the system's error.
    pub(super) fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |why| Self::Disk {
            what,
            path,
            full: matches!(
                why.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            why: match why.kind() {
                io::ErrorKind::PermissionDenied => format!("{why}; {DENIED}"),
                _ => why.to_string(),
            },
        }
    }
}
