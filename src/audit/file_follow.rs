//! Reads the records that the service appends, across the change of month.

use std::io;
use std::path::{Path, PathBuf};

use super::TrailError;
use super::disk::{Disk, RealDisk};
use super::file_query::files_since;
use super::reader::LineReader;
use super::verify::{Record, record};

/// Bytes before the end of the newest file at which a reader begins that wants recent records only.
const RECENT: u64 = 1 << 18;

/// A position in the trail, behind the last record that was read.
#[derive(Debug)]
pub struct TrailFollower {
    folder: PathBuf,
    /// The file; `None` before the first one exists.
    file: Option<PathBuf>,
    /// Offset of the next line, in bytes.
    offset: u64,
}

impl TrailFollower {
    /// Begins with the first of these files, or if there is none, with the first that appears.
    pub fn from_start(folder: &Path, files: &[PathBuf]) -> Self {
        Self {
            folder: folder.to_owned(),
            file: files.first().cloned(),
            offset: 0,
        }
    }

    /// Begins with the newest records. How many these are depends on their length.
    pub fn from_recent(folder: &Path, files: &[PathBuf]) -> Result<Self, TrailError> {
        let Some(newest) = files.last() else {
            return Ok(Self::from_start(folder, &[]));
        };
        let offset = recent(newest).map_err(TrailError::disk("read", newest))?;
        Ok(Self {
            folder: folder.to_owned(),
            file: Some(newest.clone()),
            offset,
        })
    }

    /// Returns the records that were appended since the last call. A line that is not a record
    /// yields an error and is skipped.
    pub fn appended(&mut self) -> Result<Vec<Result<Record, TrailError>>, TrailError> {
        let mut found = Vec::new();
        loop {
            // A file is complete once a newer one exists, so the files are listed first.
            let files = files_since(&self.folder, None)?;
            let next = files
                .into_iter()
                .find(|file| Some(file) > self.file.as_ref());
            if let Some(file) = self.file.clone() {
                self.read(&file, &mut found)
                    .map_err(TrailError::disk("read", &file))?;
            }
            if next.is_none() {
                return Ok(found);
            }
            self.file = next;
            self.offset = 0;
        }
    }

    fn read(&mut self, file: &Path, found: &mut Vec<Result<Record, TrailError>>) -> io::Result<()> {
        let disk = RealDisk::default();
        // The writer cuts off what a failed append left.
        self.offset = self.offset.min(disk.len(file)?);
        let mut lines = LineReader::new(disk.read(file, self.offset)?);
        let begin = self.offset;
        // A line without a newline is being written.
        while lines.advance()? && lines.ended {
            self.offset = begin + lines.offset;
            found.push(record(&lines.line).ok_or_else(|| TrailError::Broken {
                file: file.display().to_string(),
                line: lines.number,
                why: "is not a record".to_owned(),
            }));
        }
        Ok(())
    }
}

/// Returns the offset of the first line that lies within the last `RECENT` bytes.
fn recent(file: &Path) -> io::Result<u64> {
    let disk = RealDisk::default();
    let length = disk.len(file)?;
    if length <= RECENT {
        return Ok(0);
    }
    let from = length - RECENT;
    let mut lines = LineReader::new(disk.read(file, from)?);
    lines.advance()?;
    Ok(from + lines.offset)
}
