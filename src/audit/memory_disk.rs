//! A disk in memory for tests and simulation. Like a real one, it can fill up or fail, and it loses
//! unsynced data in a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::disk::Disk;

/// A disk in memory; clones share it.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<DiskState>>);

/// The effect of a crash on unsynced data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All of it stays: the process was killed.
    Killed,
    /// All of it is lost: power failed.
    Lost,
    /// Half of the appended bytes stay; unsynced names are lost.
    Torn,
    /// The appended bytes keep their length, but their first half is zeros.
    Holes,
}

/// Faults to inject, counters, and the contents.
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
#[derive(Default)]
pub struct DiskState {
    /// Bytes that still fit; `None`: unlimited.
    pub room: Option<usize>,
    /// Number of further syncs that fail. As on Linux, each drops what it should have written.
    pub failing_syncs: u32,
    /// True: syncs report success and write nothing.
    pub no_sync: bool,
    /// True: truncations fail.
    pub no_truncate: bool,
    /// True: overwrites fail.
    pub no_overwrite: bool,
    /// Number of further changes that succeed. The one after that kills the process and fails, as
    /// do all later ones.
    pub changes_left: Option<u64>,
    /// True after the process died.
    pub dead: bool,
    /// Notified when the process dies.
    pub died: Option<Arc<Notify>>,
    /// Changes so far.
    pub changes: u64,
    /// Value of `changes` when the disk was last too full for an append, or a sync last failed.
    pub failed: Option<u64>,
    /// Syncs of files so far.
    pub syncs: u64,
    dirs: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    files: Vec<FileContents>,
}

#[derive(Clone, Default)]
struct FileContents {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Offset from which `now` may differ from `durable`.
    same: usize,
    /// Range that the kernel considers written after a failed sync, but that is not on the disk.
    dropped: Option<Range<usize>>,
}

impl FileContents {
    fn durable(bytes: Vec<u8>) -> Self {
        Self {
            same: bytes.len(),
            now: bytes.clone(),
            durable: bytes,
            dropped: None,
        }
    }
}

impl DiskState {
    fn change(&mut self) -> io::Result<()> {
        self.changes += 1;
        match &mut self.changes_left {
            Some(0) => {
                self.dead = true;
                if let Some(died) = &self.died {
                    died.notify_one();
                }
                Err(ErrorKind::Other.into())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut FileContents> {
        let file = *self.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(&mut self.files[file])
    }
}

impl MemoryDisk {
    /// Locks the state, to inject faults or read counters.
    pub fn set(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock().unwrap()
    }

    /// Simulates the death of the process or the machine; the next process finds what is left.
    pub fn crash(&self, how: Crash) {
        self.revive();
        let mut inner = self.set();
        if how == Crash::Killed {
            return;
        }
        inner.names = inner.durable_names.clone();
        for file in &mut inner.files {
            let synced = file.durable.len();
            let mut left = file.durable.clone();
            if let Some(added) = file.now.get(synced..)
                && file.now.starts_with(&file.durable)
            {
                let half = added.len() / 2;
                match how {
                    Crash::Torn => left.extend(&added[..half]),
                    Crash::Holes => {
                        left.resize(synced + half, 0);
                        left.extend(&added[half..]);
                    }
                    Crash::Killed | Crash::Lost => {}
                }
            }
            *file = FileContents::durable(left);
        }
    }

    /// Makes every change fail from now on.
    pub fn kill(&self) {
        let mut inner = self.set();
        (inner.changes_left, inner.dead) = (Some(0), true);
    }

    /// Simulates the start of another process, for which changes succeed again.
    pub fn revive(&self) {
        let mut inner = self.set();
        (inner.changes_left, inner.dead) = (None, false);
    }

    /// Returns a file's contents.
    pub fn text(&self, path: &Path) -> String {
        String::from_utf8_lossy(&self.set().file(path).unwrap().now).into_owned()
    }

    /// Returns at most `most` durable bytes from the end of the newest `.jsonl` file whose name
    /// begins with `prefix`.
    pub fn durable_tail(&self, dir: &Path, prefix: &str, most: usize) -> Vec<u8> {
        let inner = self.set();
        let ours = |path: &&PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            path.parent() == Some(dir)
                && path.extension().is_some_and(|end| end == "jsonl")
                && name.is_some_and(|name| name.starts_with(prefix))
        };
        let newest = inner.durable_names.keys().rfind(ours);
        let bytes = newest.map(|path| inner.files[inner.durable_names[path]].durable.as_slice());
        let bytes = bytes.unwrap_or_default();
        bytes[bytes.len().saturating_sub(most)..].to_vec()
    }

    /// Returns the paths of all files in a folder, sorted.
    pub fn names(&self, dir: &Path) -> Vec<PathBuf> {
        let inner = self.set();
        let here = inner.names.keys().filter(|p| p.parent() == Some(dir));
        here.cloned().collect()
    }

    /// Stores contents durably, as another process might.
    pub fn put(&self, path: &Path, text: &str) {
        self.put_bytes(path, text.as_bytes());
    }

    /// Like [`Self::put`], for arbitrary bytes.
    pub fn put_bytes(&self, path: &Path, bytes: &[u8]) {
        let mut inner = self.set();
        inner.files.push(FileContents::durable(bytes.to_vec()));
        let file = inner.files.len() - 1;
        inner.names.insert(path.to_owned(), file);
        inner.durable_names.insert(path.to_owned(), file);
    }

    /// Removes a file durably, as another process might; returns its contents.
    pub fn take(&self, path: &Path) -> String {
        let text = self.text(path);
        let mut inner = self.set();
        inner.names.remove(path);
        inner.durable_names.remove(path);
        text
    }
}

impl Disk for MemoryDisk {
    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.set().dirs.insert(dir.to_owned());
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let inner = self.set();
        let there = inner.names.keys().filter(|p| p.parent() == Some(dir));
        Ok(there
            .filter_map(|p| Some(p.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(self.set().file(path)?.now.len() as u64)
    }

    fn read(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>> {
        let bytes = self.set().file(path)?.now.clone();
        let mut bytes = Cursor::new(bytes);
        bytes.set_position(from);
        Ok(Box::new(bytes))
    }

    fn create(&mut self, path: &Path) -> io::Result<()> {
        let mut inner = self.set();
        inner.change()?;
        inner.files.push(FileContents::default());
        let file = inner.files.len() - 1;
        inner.names.insert(path.to_owned(), file);
        Ok(())
    }

    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.set();
        // Death in the middle of a write leaves half of it.
        let dying = inner.changes_left == Some(0);
        let alive = inner.change();
        let fits = match inner.room {
            _ if dying => bytes.len() / 2,
            Some(room) => bytes.len().min(room),
            None => bytes.len(),
        };
        inner.room = inner.room.map(|room| room - fits.min(room));
        inner.file(path)?.now.extend(&bytes[..fits]);
        alive?;
        if fits < bytes.len() {
            inner.failed = Some(inner.changes);
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn overwrite(&mut self, path: &Path, from: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.set();
        inner.change()?;
        if inner.no_overwrite {
            return Err(ErrorKind::StorageFull.into());
        }
        let file = inner.file(path)?;
        let from = usize::try_from(from).unwrap();
        let end = from + bytes.len();
        file.same = file.same.min(from);
        let len = file.now.len().max(end);
        file.now.resize(len, 0);
        file.now[from..end].copy_from_slice(bytes);
        // An overwritten part is dirty again: the next sync writes it.
        file.dropped = file.dropped.take().and_then(|mut gone| {
            if from <= gone.start {
                gone.start = gone.start.max(end);
            } else {
                gone.end = gone.end.min(from);
            }
            (!gone.is_empty()).then_some(gone)
        });
        Ok(())
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        let mut inner = self.set();
        inner.change()?;
        inner.syncs += 1;
        if inner.no_sync {
            return Ok(());
        }
        let fails = inner.failing_syncs > 0;
        inner.failing_syncs = inner.failing_syncs.saturating_sub(1);
        if fails {
            inner.failed = Some(inner.changes);
        }
        let file = inner.file(path)?;
        if fails {
            let start = file.durable.len().min(file.now.len());
            file.dropped = Some(start..file.now.len());
            return Err(ErrorKind::Other.into());
        }
        // Copies only from `same` on: a trail is synced very often.
        file.durable.truncate(file.same);
        file.durable.extend_from_slice(&file.now[file.same..]);
        file.same = file.now.len();
        if let Some(dropped) = file.dropped.clone() {
            // Bytes that were cut off meanwhile are no longer dropped.
            let end = dropped.end.min(file.durable.len());
            let start = dropped.start.min(end);
            file.durable[start..end].fill(0);
            file.same = file.same.min(start);
        }
        Ok(())
    }

    fn truncate(&mut self, path: &Path, len: u64) -> io::Result<()> {
        let mut inner = self.set();
        inner.change()?;
        if inner.no_truncate {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        let file = inner.file(path)?;
        let len = usize::try_from(len).unwrap();
        file.now.truncate(len);
        file.same = file.same.min(len);
        if file.dropped.as_ref().is_some_and(|gone| gone.start >= len) {
            file.dropped = None;
        }
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.set();
        inner.change()?;
        let file = inner.names.remove(from).ok_or(ErrorKind::NotFound)?;
        inner.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let mut inner = self.set();
        inner.change()?;
        inner.names.remove(path);
        Ok(())
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let mut inner = self.set();
        inner.change()?;
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        inner.durable_names.retain(|path, _| !inside(path));
        let here: Vec<_> = (inner.names.iter())
            .filter(|(path, _)| inside(path))
            .map(|(path, file)| (path.clone(), *file))
            .collect();
        inner.durable_names.extend(here);
        Ok(())
    }
}
