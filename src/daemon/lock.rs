//! One writer: who holds `state_dir/lock` may change things.
//!
//! The system lets go of the lock when its process ends, however it ends; the file itself
//! stays, and its text is only there to name the holder.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use rustix::fs::OFlags;

use crate::safe_fs::{Folder, make_folder};

/// The lock; let go of when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{holder} holds {path}: only one may run at a time: stop it first, or give it the order by its own $RUNTIME_DIRECTORY"
    )]
    Held {
        /// The process, as far as it is known.
        holder: String,
        /// The lock file.
        path: String,
    },
    /// The file can't be had at all.
    #[error("{path}: the lock can't be taken: {why}")]
    Disk {
        /// The lock file.
        path: String,
        /// The system's answer.
        why: io::Error,
    },
}

impl Lock {
    /// Takes the lock for this process, or says who has it; never waits for it.
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
        let (folder, name) = Folder::of(path)?;
        let mut file = folder.file(name, OFlags::RDWR | OFlags::CREATE, 0o600)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(why)) => return Err(why),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{} snaprotate {command}", std::process::id())?;
        Ok(Some(Self { _file: file }))
    }
}

/// The process named in the file; what a process that is gone left there is not believed.
fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = Folder::of(path)
        .and_then(|(folder, name)| folder.file(name, OFlags::RDONLY, 0))
        .and_then(|file| file.take(200).read_to_string(&mut text));
    let (pid, name) = text.trim().split_once(' ').unwrap_or_default();
    let lives = pid.parse::<u32>().is_ok() && Path::new("/proc").join(pid).exists();
    if read.is_ok() && lives {
        let name = crate::core::printable::printable(name, 60);
        format!("process {pid} ({name})")
    } else {
        "another process".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_had_once_and_again_after_its_holder_is_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let state = dir.path().join("state");
        let first = Lock::take(&state, "run").expect("free");
        let second = Lock::take(&state, "once").expect_err("held").to_string();
        let me = format!("process {} (snaprotate run) holds", std::process::id());
        assert!(second.starts_with(&me), "{second}");
        drop(first);
        Lock::take(&state, "once").expect("free again");
    }

    #[test]
    fn a_process_that_is_gone_is_not_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        for text in ["999999999 snaprotate run\n", "", "../x y", "nonsense"] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(holder(&path), "another process", "{text:?}");
        }
    }
}
