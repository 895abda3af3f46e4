//! The few things that the trail asks of a disk, so that tests can make them fail.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::safe_fs::{OpenFolder, find, make_folder};

/// A disk. Nothing is durable before `sync` (contents) or `sync_dir` (names) returned.
pub trait Disk: Send {
    /// Makes a folder, with those above it, if it is missing.
    fn make_dir(&mut self, dir: &Path) -> io::Result<()>;
    /// Names in a folder, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// A file's length in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// A file's bytes from an offset on.
    fn read(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>>;
    /// Makes a file, empty; what it held is gone.
    fn create(&mut self, path: &Path) -> io::Result<()>;
    /// Adds bytes to an existing file; some may have been added when it fails.
    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes over bytes of an existing file, in place, from an offset on.
    fn overwrite(&mut self, path: &Path, from: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's contents durable.
    fn sync(&mut self, path: &Path) -> io::Result<()>;
    /// Cuts a file.
    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()>;
    /// Renames a file, over another if need be.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Makes a folder's names durable.
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()>;
}

/// Others may not read the trail; the group may.
const FILE_MODE: u32 = 0o640;
const DIR_MODE: u32 = 0o750;

/// The real one. Its folders may be another user's: see [`crate::safe_fs`].
#[derive(Debug, Default)]
pub struct RealDisk {
    /// Files that are written to again and again.
    open: BTreeMap<PathBuf, File>,
}

impl RealDisk {
    /// The file behind the path as it is now: a file that was removed or replaced must
    /// not swallow records unseen.
    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        let there = find(path)?;
        let same = |file: &File| {
            file.metadata()
                .is_ok_and(|m| (m.dev(), m.ino()) == (there.dev(), there.ino()))
        };
        if !self.open.get(path).is_some_and(same) {
            let (folder, name) = OpenFolder::of(path)?;
            let file = folder.file(name, OFlags::WRONLY, 0)?;
            self.open.insert(path.to_owned(), file);
        }
        self.open
            .get_mut(path)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for RealDisk {
    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        make_folder(dir, DIR_MODE)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OpenFolder::open(dir)?.names()
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(find(path)?.len())
    }

    fn read(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>> {
        let (folder, name) = OpenFolder::of(path)?;
        let mut file = folder.file(name, OFlags::RDONLY, 0)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Box::new(file))
    }

    fn create(&mut self, path: &Path) -> io::Result<()> {
        self.open.remove(path);
        let (folder, name) = OpenFolder::of(path)?;
        let file = folder.create(name, FILE_MODE)?;
        self.open.insert(path.to_owned(), file);
        Ok(())
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(path)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(bytes)
    }

    fn overwrite(&mut self, path: &Path, from: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(path)?.write_all_at(bytes, from)
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        match self.open.get(path) {
            // The very file that was written to, whatever bears its name by now.
            Some(file) => file.sync_data(),
            None => self.file(path)?.sync_data(),
        }
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        self.file(path)?.set_len(len)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.open.clear();
        let (folder, name) = OpenFolder::of(from)?;
        match to.file_name() {
            Some(new) if from.parent() == to.parent() => folder.rename(name, new),
            _ => Err(io::ErrorKind::CrossesDevices.into()),
        }
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.open.remove(path);
        let (folder, name) = OpenFolder::of(path)?;
        folder.remove(name)
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        OpenFolder::open(dir)?.sync()
    }
}
