//! A disk in memory for tests and simulation, with what disks do: fill up, fail, and
//! forget at a crash what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::disk::Disk;

/// The disk; copies are the same one.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<DiskState>>);

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All of it stays: the process was killed.
    Killed,
    /// All of it is gone: power was lost.
    Lost,
    /// Half of what was appended stays, and names stay or go as they were synced.
    Torn,
    /// What was appended has its length, but its first half is zeros.
    Holes,
}

/// The knobs and the contents.
#[derive(Default)]
pub struct DiskState {
    /// Bytes that still fit; `None` for no end.
    pub room: Option<usize>,
    /// So many syncs fail, and drop what they should have written, as Linux does.
    pub failing_syncs: u32,
    /// Truncations fail while this is set.
    pub no_truncate: bool,
    /// Overwrites fail while this is set.
    pub no_overwrite: bool,
    /// After so many changes the process is dead: nothing more gets through.
    pub changes_left: Option<u64>,
    /// Whether that has happened.
    pub dead: bool,
    /// Told when that has happened.
    pub died: Option<Arc<Notify>>,
    /// Changes so far.
    pub changes: u64,
    /// How many there had been when something couldn't be written last.
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
    /// From here on `now` may differ from `durable`.
    same: usize,
    /// Counted as written by the kernel after a failed sync, but on no disk.
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
    /// The knobs.
    pub fn set(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock().unwrap()
    }

    /// The process or the machine dies; what is left is what the next one finds.
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

    /// Nothing gets through from here on.
    pub fn kill(&self) {
        let mut inner = self.set();
        (inner.changes_left, inner.dead) = (Some(0), true);
    }

    /// Another process begins, to whom nothing has happened yet.
    pub fn revive(&self) {
        let mut inner = self.set();
        (inner.changes_left, inner.dead) = (None, false);
    }

    /// A file's contents.
    pub fn text(&self, path: &Path) -> String {
        String::from_utf8_lossy(&self.set().file(path).unwrap().now).into_owned()
    }

    /// What is durable of the newest file whose name begins so, from an offset on.
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

    /// The names of all files of a folder, in order.
    pub fn names(&self, dir: &Path) -> Vec<PathBuf> {
        let inner = self.set();
        let here = inner.names.keys().filter(|p| p.parent() == Some(dir));
        here.cloned().collect()
    }

    /// Puts contents there, durably, as someone else might.
    pub fn put(&self, path: &Path, text: &str) {
        self.put_bytes(path, text.as_bytes());
    }

    /// The same, whatever the bytes are.
    pub fn put_bytes(&self, path: &Path, bytes: &[u8]) {
        let mut inner = self.set();
        inner.files.push(FileContents::durable(bytes.to_vec()));
        let file = inner.files.len() - 1;
        inner.names.insert(path.to_owned(), file);
        inner.durable_names.insert(path.to_owned(), file);
    }

    /// Takes a file away, durably, as someone else might.
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
        // Dying in the middle of a write leaves half of it.
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
        // The kernel has this part to write once more.
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
        // Only what was added, where nothing else was: a trail is synced very often.
        file.durable.truncate(file.same);
        file.durable.extend_from_slice(&file.now[file.same..]);
        file.same = file.now.len();
        if let Some(dropped) = file.dropped.clone() {
            // What was cut off meanwhile is dropped no more.
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
