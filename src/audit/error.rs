//! What can go wrong with the trail.

use std::io;
use std::path::Path;

/// What to do where this user may not.
const DENIED: &str = "the trail is for root and the service's user: run this with sudo";

/// Why the trail could not be opened, read or written. One line, and cheap to copy: all
/// who waited for one sync get the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrailError {
    /// The disk refused.
    #[error("{path}: can't {what}: {why}")]
    Disk {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: String,
        /// The system's answer.
        why: String,
        /// Whether it lacks room.
        full: bool,
    },
    /// A line that no crash explains.
    #[error(
        "{file} line {line}: {why}; run `snaprotate audit verify`, then move the file aside to go on without it: pauses, and what was begun, are forgotten with it"
    )]
    Broken {
        /// The file's path.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A sound line that says what this version doesn't know.
    #[error(
        "{file} line {line}: {why}; a newer snaprotate wrote it: install that one again, and leave the file where it is"
    )]
    Newer {
        /// The file's path.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What can't be understood.
        why: String,
    },
    /// The disk takes its time.
    #[error("the disk hasn't answered for {0} s")]
    Hangs(u64),
    /// The file is not as this process left it.
    #[error(
        "{file}: has {found} bytes where {expected} were written; something else writes to it: restart to read it anew"
    )]
    Altered {
        /// The file's path.
        file: String,
        /// Bytes that this process knows of.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// An entry that could not be read back.
    #[error("event {0} can't be recorded: facts belong to a server, alerts of the account to none")]
    Misplaced(String),
    /// It was closed, or its writer is gone.
    #[error("the trail is closed")]
    Closed,
}

impl TrailError {
    /// Whether there would be no error if the disk had room.
    pub fn is_full_disk(&self) -> bool {
        matches!(self, Self::Disk { full: true, .. })
    }

    /// That the folder of the lock and the head is not what it was.
    pub fn state(state_dir: &Path, why: io::Error) -> Self {
        Self::disk("rely on the state folder", state_dir)(why)
    }

    /// Puts what was tried, and where, to the system's answer.
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
