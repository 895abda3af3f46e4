//! One writer: only the process that holds `state_dir/lock` may change anything.
//!
//! The kernel releases the lock when the process ends, however it ends. The file stays; its text
//! only names the holder.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::safe_fs::{OpenFolder, find, make_folder};

/// The lock; released on drop.
#[derive(Debug)]
pub struct StateLock {
    path: PathBuf,
    command: String,
    file: Mutex<File>,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error(
        "{holder} holds {path}, and only one process may run at a time: stop that process first, or, to send it an order, use the same $RUNTIME_DIRECTORY as that process"
    )]
    Held {
        /// The process, as far as it is known.
        holder: String,
        /// The lock file.
        path: String,
    },
    /// The file can't be opened, locked or written.
    #[error("{path}: the lock can't be taken: {why}{}", if is_full(why) { "; free some disk space" } else { "" })]
    Disk {
        /// The lock file.
        path: String,
        /// The system's error.
        why: io::Error,
    },
}

impl LockError {
    /// Returns true if the cause is a full disk.
    pub fn is_full_disk(&self) -> bool {
        matches!(self, Self::Disk { why, .. } if is_full(why))
    }
}

fn is_full(why: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(why.kind(), StorageFull | QuotaExceeded)
}

impl StateLock {
    /// Takes the lock for this process, or fails and names the holder. Never waits.
    pub fn take(state_dir: &Path, command: &str) -> Result<Self, LockError> {
        let path = state_dir.join("lock");
        match Self::try_take(state_dir, &path, command) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(LockError::Held {
                holder: holder(&path),
                path: path.display().to_string(),
            }),
            Err(why) => Err(LockError::Disk {
                path: path.display().to_string(),
                why,
            }),
        }
    }

    fn try_take(state_dir: &Path, path: &Path, command: &str) -> io::Result<Option<Self>> {
        make_folder(state_dir, 0o700)?;
        let Some(file) = locked(path, command)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: path.to_owned(),
            command: command.to_owned(),
            file: Mutex::new(file),
        }))
    }

    /// Checks that the locked file is still the one that others would lock. If the folder was
    /// removed and restored, the file in it is locked instead; that fails if another process holds
    /// it.
    pub fn keep(&self) -> io::Result<()> {
        let gone = |why: io::Error| {
            io::Error::new(
                why.kind(),
                format!(
                    "{}: the lock is lost, and another process may make changes: {why}; restore the state folder",
                    self.path.display()
                ),
            )
        };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |found: &Metadata| {
            file.metadata()
                .is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
        };
        if find(&self.path).is_ok_and(|found| same(&found)) {
            return Ok(());
        }
        match locked(&self.path, &self.command) {
            Ok(Some(new)) => *file = new,
            Ok(None) => return Err(gone(io::Error::other(holder(&self.path) + " holds it now"))),
            Err(why) => return Err(gone(why)),
        }
        Ok(())
    }
}

/// Returns true if a process holds the lock of this state folder, as far as this user can see.
pub fn is_held(state_dir: &Path) -> bool {
    let opened = OpenFolder::of(&state_dir.join("lock"))
        .and_then(|(folder, name)| folder.file(name, OFlags::RDONLY, 0));
    opened.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Opens and locks the file, and writes this process's id and command into it. Returns `None` if
/// another process holds the lock.
fn locked(path: &Path, command: &str) -> io::Result<Option<File>> {
    let (folder, name) = OpenFolder::of(path)?;
    let mut file = folder.file(name, OFlags::RDWR | OFlags::CREATE, 0o600)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(why)) => return Err(why),
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{} snaprotate {command}", std::process::id())?;
    Ok(Some(file))
}

/// Describes the process that the file names, or returns "another process" if that process no
/// longer exists.
fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = OpenFolder::of(path)
        .and_then(|(folder, name)| folder.file(name, OFlags::RDONLY, 0))
        .and_then(|file| file.take(200).read_to_string(&mut text));
    let (pid, name) = text.trim().split_once(' ').unwrap_or_default();
    let lives = pid.parse::<u32>().is_ok() && Path::new("/proc").join(pid).exists();
    if read.is_ok() && lives {
        let name = crate::core::sanitize::printable(name, 60);
        format!("process {pid} ({name})")
    } else {
        "another process".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_can_be_taken_only_once_and_again_after_its_holder_releases_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let state = dir.path().join("state");
        let first = StateLock::take(&state, "run").expect("free");
        let second = StateLock::take(&state, "once")
            .expect_err("held")
            .to_string();
        let me = format!("process {} (snaprotate run) holds", std::process::id());
        assert!(second.starts_with(&me), "{second}");
        drop(first);
        StateLock::take(&state, "once").expect("free again");
    }

    #[test]
    fn a_lock_is_lost_while_its_folder_is_missing_or_another_process_holds_the_restored_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let (state, away) = (dir.path().join("state"), dir.path().join("away"));
        let lock = StateLock::take(&state, "run").expect("free");
        lock.keep().expect("kept");
        std::fs::rename(&state, &away).expect("moved");
        let gone = lock.keep().expect_err("gone").to_string();
        assert!(gone.contains("restore the state folder"), "{gone}");
        assert!(!state.exists(), "the folder is not created again");
        let other = StateLock::take(&state, "once").expect("taken by another command");
        let held = lock.keep().expect_err("held").to_string();
        assert!(held.contains("(snaprotate once) holds it now"), "{held}");
        drop(other);
        lock.keep().expect("taken again");
        StateLock::take(&state, "once").expect_err("held again");
    }

    #[test]
    fn a_holder_that_no_longer_exists_is_not_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        for text in ["999999999 snaprotate run\n", "", "../x y", "nonsense"] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(holder(&path), "another process", "{text:?}");
        }
    }
}
