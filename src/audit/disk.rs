//! The disk operations of the trail, as a trait, so that tests can make them fail.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::safe_fs::{OpenFolder, find, make_folder};

/// A disk. Nothing is durable until `sync` (contents) or `sync_dir` (names) has returned.
pub trait Disk: Send {
    /// Creates a folder and its parents if they are missing.
    fn make_dir(&mut self, dir: &Path) -> io::Result<()>;
    /// Returns the names in a folder, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Returns a file's length in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// Returns a reader for a file's contents, starting at an offset.
    fn read(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>>;
    /// Creates an empty file, replacing an existing one.
    fn create(&mut self, path: &Path) -> io::Result<()>;
    /// Appends bytes to an existing file. After an error, some of them may have been appended.
    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Overwrites bytes of an existing file in place, starting at an offset.
    fn overwrite(&mut self, path: &Path, from: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's contents durable.
    fn sync(&mut self, path: &Path) -> io::Result<()>;
    /// Truncates a file to a length in bytes.
    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()>;
    /// Renames a file, replacing an existing one.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()>;
}

/// Mode of new files: the group may read the trail, but others may not.
const FILE_MODE: u32 = 0o640;
const DIR_MODE: u32 = 0o750;

/// The real disk. Its folders may belong to another user: see [`crate::safe_fs`].
#[derive(Debug, Default)]
pub struct RealDisk {
    /// Files that are kept open because they are written often.
    open: BTreeMap<PathBuf, File>,
}

impl RealDisk {
    /// Returns the file that the path names now. A file that was removed or replaced must not
    /// receive records unnoticed.
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
            // Syncs the file that was written, even if its path now names another one.
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
