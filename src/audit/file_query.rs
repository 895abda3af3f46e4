//! Reads the trail file by file, for people who look for something in it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::TrailError;
use super::disk::{Disk, RealDisk};
use super::open::HeadState;
use super::reader::{LineReader, file_name, files};
use super::verify::{Record, Records, record};
use crate::core::snapshot::ServerId;

/// The trail's files, oldest first, without those that hold nothing from `since` on. A
/// folder that is not there yet holds none.
///
/// No record is of a later month than its file's name; one of an earlier month may be,
/// where the clock was set back. So files can be left out at this end alone.
pub fn files_since(audit: &Path, since: Option<Timestamp>) -> Result<Vec<PathBuf>, TrailError> {
    let disk = RealDisk::default();
    let names = match disk.list(audit) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => files(&disk, audit),
    };
    let mut names = names.map_err(TrailError::disk("list", audit))?;
    if let Some(since) = since {
        let first = file_name(since);
        names.retain(|name| *name >= first);
    }
    Ok(names.iter().map(|name| audit.join(name)).collect())
}

/// The records of one file, oldest first; a line that is no record gives an error and is
/// passed over. Holds one line at a time.
pub fn records(file: PathBuf) -> impl Iterator<Item = Result<Record, TrailError>> {
    Records {
        files: [file].into(),
        now: None,
    }
}

/// The last `most` records of one server in the last `bytes` of the newest file, oldest
/// first, without the state that a file begins with: a look, not a search.
pub fn tail(
    audit: &Path,
    server: &ServerId,
    most: usize,
    bytes: u64,
) -> Result<Vec<Record>, TrailError> {
    let Some(file) = files_since(audit, None)?.pop() else {
        return Ok(Vec::new());
    };
    let disk = RealDisk::default();
    let length = disk.len(&file).map_err(TrailError::disk("read", &file))?;
    let from = length.saturating_sub(bytes);
    let opened = disk.read(&file, from);
    let mut lines = LineReader::new(opened.map_err(TrailError::disk("read", &file))?);
    let mut found = VecDeque::new();
    // A line that was begun before, or has no end yet, is no record.
    let mut whole = from == 0;
    while lines.advance().map_err(TrailError::disk("read", &file))? {
        if !std::mem::replace(&mut whole, true) || !lines.ended {
            continue;
        }
        let taken = record(&lines.line).filter(|record| {
            record.server.as_ref() == Some(server) && record.event != "checkpoint"
        });
        if let Some(taken) = taken {
            found.push_back(taken);
            if found.len() > most {
                found.pop_front();
            }
        }
    }
    Ok(found.into())
}

/// Whether the state folder says that something was ever recorded.
pub fn was_begun(state: &Path) -> Result<bool, TrailError> {
    let head = HeadState::read(&RealDisk::default(), state)?;
    Ok(match head {
        HeadState::Missing => false,
        HeadState::Unreadable => true,
        HeadState::Is(link) => link.seq > 0,
    })
}
