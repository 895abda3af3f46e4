//! The one writer of the trail: plain synchronous code over a [`Disk`], so that tests can cause
//! every failure.

use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::TrailError;
use super::chain::ChainLink;
use super::disk::Disk;
use super::head::HEAD;
use super::reader::{ChainChecker, FoldedState, LineReader, file_name, scan};
use super::record::{Entry, GlobalEvent, LineWriter};
use super::witness::TrailPosition;

/// State of the file after its last valid record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileTail {
    /// Nothing follows.
    Clean,
    /// Bytes that a failed append may have left; to be cut off.
    Dirty,
    /// Bytes that a crash left; to be set aside under this name, then cut off.
    Torn(String),
}

/// State of the head file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadFile {
    /// There is none that could be overwritten in place.
    None,
    /// It exists; its name may not be durable.
    Unnamed,
    /// It exists, and its name is durable.
    Named,
}

/// Writes records; owns the newest file and the head.
pub(super) struct Writer {
    pub disk: Box<dyn Disk>,
    pub audit: PathBuf,
    pub state: PathBuf,
    pub run: String,
    pub grace: SignedDuration,
    /// Name of the newest file; `None` until the first one begins.
    pub file: Option<String>,
    /// Its length up to the last valid record.
    pub len: u64,
    /// Position of the last valid record.
    pub link: ChainLink,
    pub tail: FileTail,
    pub head: HeadFile,
    /// True if the names in the audit folder are durable.
    pub names_synced: bool,
    /// Offset from which an earlier process wrote records that may not have been synced, and the
    /// record before that offset.
    pub unproven: Option<(u64, Option<ChainLink>)>,
    /// Damage that was found when the trail was opened; recorded before anything else.
    pub notices: Vec<GlobalEvent>,
    /// True if the last write of the head failed.
    pub head_failed: bool,
}

/// Number of bytes that are copied or written at once.
const CHUNK: usize = 1 << 20;

impl Writer {
    /// Records all entries, or none. If it returns without error they are durable (I6).
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), TrailError> {
        let (Some(first), Some(latest)) = (entries.first(), entries.iter().map(|e| e.time).max())
        else {
            return Ok(());
        };
        self.mend()?;
        // No record may be from a later month than its file.
        let month = file_name(latest);
        match self.file.clone() {
            None => self.begin(&month, latest, &FoldedState::default())?,
            // Never an earlier month: after the clock was set back, the newest file stays in use.
            Some(file) if file < month => {
                let state = self.reread(&file)?;
                self.begin(&month, latest, &state)?;
            }
            Some(_) => {}
        }

        let mut lines = LineWriter {
            run: &self.run,
            link: self.link,
            bytes: Vec::new(),
        };
        for notice in &self.notices {
            lines.global(first.time, notice);
        }
        for entry in entries {
            lines.entry(entry);
        }
        let (link, bytes) = (lines.link, lines.bytes);
        let path = self.path();
        let done = (self.disk.append(&path, &bytes))
            .map_err(TrailError::disk("append", &path))
            .and_then(|()| self.sync(&path));
        if let Err(error) = done {
            // A second sync might succeed without having written anything. What this append left is
            // therefore cut off, at once if possible, and the caller has to append it again.
            self.tail = FileTail::Dirty;
            let _ = self.mend();
            return Err(error);
        }
        self.len += bytes.len() as u64;
        self.link = link;
        self.notices.clear();
        self.move_head();
        Ok(())
    }

    /// Returns the position of the last valid record, if there is a file.
    pub(super) fn mark(&self) -> Option<TrailPosition> {
        let ChainLink { seq, hash } = self.link;
        let file = self.file.clone()?;
        Some(TrailPosition { seq, file, hash })
    }

    /// Makes the head durable too, so that after a power loss the next start has fewer records to
    /// write again.
    pub(super) fn finish(&mut self) {
        if self.head != HeadFile::None {
            let _ = self.disk.sync(&self.state.join(HEAD));
        }
    }

    /// Repairs the files so that the next record can follow the last valid one.
    pub(super) fn mend(&mut self) -> Result<(), TrailError> {
        // After a kill the head's name may not be durable, and a power loss would remove it.
        // Without a head a torn tail can't be distinguished from a changed record.
        if self.head == HeadFile::Unnamed {
            (self.disk.sync_dir(&self.state)).map_err(TrailError::disk("sync", &self.state))?;
            self.head = HeadFile::Named;
        }
        if self.file.is_none() {
            // The head is created before the first file, since files without a head mean that the
            // head was lost. If records were lost, it is created only after that is recorded.
            if self.head == HeadFile::None && self.notices.is_empty() {
                self.create_head()
                    .map_err(TrailError::disk("write", &self.state.join(HEAD)))?;
            }
            return Ok(());
        }
        let path = self.path();
        if !self.names_synced {
            // The next records rely on those that a killed process wrote last. If an earlier sync
            // failed, the next one makes them durable only if they are written again.
            if let Some((from, after)) = self.unproven {
                self.write_again(&path, from, after)?;
            }
            self.sync(&path)?;
            self.unproven = None;
            self.sync_names()?;
        }
        if let FileTail::Torn(aside) = &self.tail {
            let aside = self.audit.join(aside);
            set_aside(&mut *self.disk, &path, self.len, &aside)
                .map_err(TrailError::disk("set the torn tail aside", &aside))?;
            self.sync_names()?;
            self.tail = FileTail::Dirty;
        }
        if self.tail == FileTail::Dirty {
            (self.disk.truncate(&path, self.len))
                .map_err(TrailError::disk("cut off a failed append", &path))?;
            self.sync(&path)?;
            self.tail = FileTail::Clean;
        }
        let found = (self.disk.len(&path)).map_err(TrailError::disk("find", &path))?;
        if found != self.len {
            return Err(TrailError::Altered {
                file: path.display().to_string(),
                expected: self.len,
                found,
            });
        }
        Ok(())
    }

    /// Overwrites the records after an offset with themselves, so that the next sync writes them:
    /// after a failed sync the kernel may treat them as already written.
    fn write_again(
        &mut self,
        path: &Path,
        from: u64,
        after: Option<ChainLink>,
    ) -> Result<(), TrailError> {
        let rest = (self.disk.read(path, from)).map_err(TrailError::disk("read", path))?;
        let mut lines = LineReader::new(rest);
        let mut chain = ChainChecker { last: after };
        let mut bytes = Vec::new();
        let (mut at, mut sound) = (from, from);
        while sound < self.len {
            let more = lines.advance().map_err(TrailError::disk("read", path))?;
            if !more || chain.follow(&lines.line, lines.ended).is_err() {
                // The disk no longer returns what it returned when the file was opened.
                return Err(TrailError::Altered {
                    file: path.display().to_string(),
                    expected: self.len,
                    found: sound,
                });
            }
            sound = from + lines.offset;
            bytes.append(&mut lines.line);
            bytes.push(b'\n');
            if bytes.len() >= CHUNK || sound >= self.len {
                (self.disk.overwrite(path, at, &bytes))
                    .map_err(TrailError::disk("write the last records again", path))?;
                at = sound;
                bytes.clear();
            }
        }
        Ok(())
    }

    /// Folds the newest file again. Once a month this is cheaper than a permanent second copy of
    /// every history.
    fn reread(&mut self, file: &str) -> Result<FoldedState, TrailError> {
        let path = self.audit.join(file);
        let mut state = FoldedState::default();
        let scan = scan(&*self.disk, &path, None, self.grace, &mut state)
            .map_err(TrailError::disk("read", &path))?;
        match scan.bad {
            Some(bad) => Err(TrailError::Broken {
                file: path.display().to_string(),
                line: bad.line,
                why: bad.why,
            }),
            None => Ok(state),
        }
    }

    /// Begins a file with checkpoints. The file appears whole or not at all.
    fn begin(
        &mut self,
        name: &str,
        time: Timestamp,
        state: &FoldedState,
    ) -> Result<(), TrailError> {
        let path = self.audit.join(name);
        let temporary = self.audit.join(format!("{name}.tmp"));
        let mut lines = LineWriter {
            run: &self.run,
            link: self.link,
            bytes: Vec::new(),
        };
        lines.global(time, &state.checkpoint());
        let notices = &self.notices;
        let mut len = 0;
        let disk = &mut *self.disk;
        let mut file_of_month = || -> io::Result<()> {
            disk.create(&temporary)?;
            for (server, history) in &state.histories {
                lines.history(time, server.clone(), history);
                if lines.bytes.len() >= CHUNK {
                    len += lines.bytes.len() as u64;
                    disk.append(&temporary, &lines.bytes)?;
                    lines.bytes.clear();
                }
            }
            // The notices are part of the new file: if they were appended later, a crash in between
            // would hide the loss.
            for notice in notices {
                lines.global(time, notice);
            }
            len += lines.bytes.len() as u64;
            disk.append(&temporary, &lines.bytes)?;
            disk.sync(&temporary)?;
            disk.rename(&temporary, &path)
        };
        let built = file_of_month();
        let link = lines.link;
        if let Err(why) = built {
            // Frees the space; if that fails, the next attempt overwrites the file.
            let _ = self.disk.remove(&temporary);
            return Err(TrailError::disk("begin the file", &path)(why));
        }
        // From now on every reader treats the new file as the newest one, so the writer must too.
        self.file = Some(name.to_owned());
        (self.len, self.link, self.tail) = (len, link, FileTail::Clean);
        self.notices.clear();
        self.names_synced = false;
        self.sync_names()
    }

    fn sync_names(&mut self) -> Result<(), TrailError> {
        (self.disk.sync_dir(&self.audit)).map_err(TrailError::disk("sync", &self.audit))?;
        self.names_synced = true;
        Ok(())
    }

    fn sync(&mut self, path: &Path) -> Result<(), TrailError> {
        self.disk.sync(path).map_err(TrailError::disk("sync", path))
    }

    /// Moves the head to the last durable record. A head that lags raises no false alarm, so a
    /// failure is only logged.
    fn move_head(&mut self) {
        let path = self.state.join(HEAD);
        let contents = self.link.head();
        let moved = if self.head == HeadFile::None {
            self.create_head()
        } else {
            match self.disk.overwrite(&path, 0, contents.as_bytes()) {
                Err(why) if why.kind() == io::ErrorKind::NotFound => self.create_head(),
                other => other,
            }
        };
        if let Err(why) = &moved
            && !self.head_failed
        {
            tracing::warn!(
                "{}: can't be written: {why}; until it can, a cut tail of the trail may go unnoticed",
                path.display()
            );
        }
        self.head_failed = moved.is_err();
    }

    fn create_head(&mut self) -> io::Result<()> {
        let temporary = self.state.join("head.tmp");
        let contents = self.link.head();
        self.disk.create(&temporary)?;
        self.disk.append(&temporary, contents.as_bytes())?;
        self.disk.sync(&temporary)?;
        self.disk.rename(&temporary, &self.state.join(HEAD))?;
        self.disk.sync_dir(&self.state)?;
        self.head = HeadFile::Named;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.audit.join(self.file.as_deref().unwrap_or_default())
    }
}

/// Copies the bytes from offset `from` on into a separate file.
fn set_aside(disk: &mut dyn Disk, path: &Path, from: u64, aside: &Path) -> io::Result<()> {
    let mut rest = disk.read(path, from)?;
    disk.create(aside)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let bytes = rest.read(&mut chunk)?;
        if bytes == 0 {
            return disk.sync(aside);
        }
        disk.append(aside, &chunk[..bytes])?;
    }
}
