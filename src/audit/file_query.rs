//! Reads the trail file by file, for commands that search it.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::TrailError;
use super::disk::{Disk, RealDisk};
use super::head::HeadState;
use super::reader::{LineReader, file_name, files};
use super::verify::{Record, Records, record};
use crate::core::snapshot::ServerId;

/// A record's event ends within this many bytes of the start of its line.
const EVENT_WITHIN: usize = 128;

/// Returns the trail's files, oldest first, without the files of months before `since`. A folder
/// that does not exist holds none.
///
/// No record is from a later month than its file's name states. A record from an earlier month is
/// possible after the clock was set back, so only older files can be left out.
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

/// Returns the records of one file, oldest first. A line that is not a record yields an error and
/// is skipped. Holds one line in memory at a time.
pub fn records(file: PathBuf) -> impl Iterator<Item = Result<Record, TrailError>> {
    Records {
        files: [file].into(),
        now: None,
    }
}

/// Returns the records in about the last `bytes` bytes of these files, oldest first, and true if
/// that is all of them. Errors number the lines from the first one that was read.
pub fn newest_records(
    files: &[PathBuf],
    bytes: u64,
) -> Result<
    (
        impl Iterator<Item = Result<Record, TrailError>> + use<>,
        bool,
    ),
    TrailError,
> {
    let disk = RealDisk::default();
    let mut room = bytes;
    for (nth, file) in files.iter().enumerate().rev() {
        let length = disk.len(file).map_err(TrailError::disk("read", file))?;
        if length <= room {
            room -= length;
            continue;
        }
        let opened = disk.read(file, length - room);
        let mut lines = LineReader::new(opened.map_err(TrailError::disk("read", file))?);
        // The beginning of the first line may be missing.
        lines.advance().map_err(TrailError::disk("read", file))?;
        let newer = files[nth + 1..].iter().cloned().collect();
        let now = Some((file.clone(), lines));
        return Ok((Records { files: newer, now }, false));
    }
    let files = files.iter().cloned().collect();
    Ok((Records { files, now: None }, true))
}

/// Returns every id under which the trail records this server, including the given one: an earlier
/// policy may have named the server by its other id.
pub fn ids_of(server: &ServerId, files: &[PathBuf]) -> Result<BTreeSet<ServerId>, TrailError> {
    let disk = RealDisk::default();
    let mut pairs = Vec::new();
    for file in files {
        let opened = disk.read(file, 0).map_err(TrailError::disk("read", file))?;
        let mut lines = LineReader::new(opened);
        while lines.advance().map_err(TrailError::disk("read", file))? {
            pairs.extend(pair(&lines.line));
        }
    }
    let mut ids = BTreeSet::from([server.clone()]);
    loop {
        let before = ids.len();
        for (one, other) in &pairs {
            if ids.contains(one) || ids.contains(other) {
                ids.extend([one.clone(), other.clone()]);
            }
        }
        if ids.len() == before {
            return Ok(ids);
        }
    }
}

/// Returns the two ids of a server if the line pairs them; nearly all lines don't.
fn pair(line: &[u8]) -> Option<(ServerId, ServerId)> {
    #[derive(Deserialize)]
    struct TwoIds {
        server: ServerId,
        #[serde(alias = "other_id")]
        from: ServerId,
    }
    let starts = [
        &b"\"event\":\"server_identified\""[..],
        b"\"event\":\"server_id_changed\"",
    ];
    // Only the beginning of the line is searched: some lines are long.
    let head = &line[..line.len().min(EVENT_WITHIN)];
    let named = |start: &[u8]| head.windows(start.len()).any(|part| part == start);
    if !starts.into_iter().any(named) {
        return None;
    }
    let ids: TwoIds = serde_json::from_slice(line).ok()?;
    Some((ids.server, ids.from))
}

/// Returns the newest records of a server, at most `most` and oldest first, from the last `bytes`
/// bytes of the newest file. Checkpoint records are left out. Older records are not searched for.
pub fn tail(
    audit: &Path,
    servers: &BTreeSet<ServerId>,
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
    // Skips the first line unless the file was read from its start: its beginning may be missing.
    // Also skips a line without a newline, which is not finished.
    let mut whole = from == 0;
    while lines.advance().map_err(TrailError::disk("read", &file))? {
        if !std::mem::replace(&mut whole, true) || !lines.ended {
            continue;
        }
        let taken = record(&lines.line).filter(|record| {
            let server = record.server.as_ref();
            server.is_some_and(|server| servers.contains(server)) && record.event != "checkpoint"
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

/// Returns true if the head shows that anything was ever recorded, or can't be read.
pub fn was_begun(state: &Path) -> Result<bool, TrailError> {
    let head = HeadState::read(&RealDisk::default(), state)?;
    Ok(match head {
        HeadState::Missing => false,
        HeadState::Unreadable => true,
        HeadState::Is(link) => link.seq > 0,
    })
}
