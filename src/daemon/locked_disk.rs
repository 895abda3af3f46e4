//! The trail's disk, guarded by the lock. Before a file is created, appended to or truncated, the
//! disk checks that this process still holds the lock. Without the lock, no record is written, and
//! so nothing is changed, except that servers that the rotation stopped are started (I6).

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::lock::StateLock;
use crate::audit::{Disk, RealDisk};

/// The real disk, and the lock that is checked before a file is created, appended to or truncated.
pub(super) struct LockedDisk {
    disk: RealDisk,
    lock: Arc<StateLock>,
}

impl LockedDisk {
    pub(super) fn new(lock: Arc<StateLock>) -> Self {
        Self {
            disk: RealDisk::default(),
            lock,
        }
    }
}

impl Disk for LockedDisk {
    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.disk.make_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.disk.len(path)
    }

    fn read(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>> {
        self.disk.read(path, from)
    }

    fn create(&mut self, path: &Path) -> io::Result<()> {
        self.lock.keep()?;
        self.disk.create(path)
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.lock.keep()?;
        self.disk.append(path, bytes)
    }

    fn overwrite(&mut self, path: &Path, from: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.overwrite(path, from, bytes)
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        self.disk.sync(path)
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        self.lock.keep()?;
        self.disk.truncate(path, len)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
}
