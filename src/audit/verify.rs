//! Verifies the trail's chain and iterates over its records.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::TrailError;
use super::chain::{ChainLink, Hash};
use super::disk::{Disk, RealDisk};
use super::head::HeadState;
use super::reader::{ChainChecker, LineReader, files, is_torn};
use super::record::{GlobalEvent, RecordHeader, decode};
use crate::core::sanitize::{NAME_SHOWN, printable, utc};
use crate::core::snapshot::ServerId;

/// The hashes of the wanted records, and the range of records that the trail holds.
#[derive(Debug, Default)]
pub(in crate::audit) struct Seen {
    pub(in crate::audit) hashes: BTreeMap<u64, Hash>,
    /// The record before the first one, whose hash is the first one's `prev`.
    pub(in crate::audit) before: Option<u64>,
    /// The last record; 0 if there is none.
    pub(in crate::audit) last: u64,
}

/// Result of a check of the whole trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Number of valid records.
    pub records: u64,
    /// The files' names, oldest first.
    pub files: Vec<String>,
    /// Time of the first record.
    pub first: Option<Timestamp>,
    /// Time of the last record.
    pub last: Option<Timestamp>,
    /// Problems, with file and line where they concern a line.
    pub problems: Vec<String>,
    /// The damaged tail that a crash left, or the line that is being written right now. It is not a
    /// problem, since nothing relied on it.
    pub torn: Option<String>,
    /// Tails that were set aside earlier, and heads that were lost. They are not problems.
    pub notices: Vec<String>,
}

impl Verified {
    /// Returns true if no problem was found.
    pub fn is_intact(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Maximum number of problems that are listed.
const TOLD: usize = 100;

/// Checks the chain from the oldest existing file to the head. It only reads, so it can run while
/// the daemon does.
pub fn verify(audit_dir: &Path, state_dir: &Path) -> Result<Verified, TrailError> {
    verify_on(&RealDisk::default(), audit_dir, state_dir)
}

/// Like [`verify`], on another disk.
pub fn verify_on(disk: &dyn Disk, audit: &Path, state: &Path) -> Result<Verified, TrailError> {
    let (found, _) = verify_seeing(disk, audit, state, &BTreeSet::new())?;
    Ok(found)
}

/// Like [`verify_on`], and also returns the hashes of the `wanted` records.
pub(super) fn verify_seeing(
    disk: &dyn Disk,
    audit: &Path,
    state: &Path,
    wanted: &BTreeSet<u64>,
) -> Result<(Verified, Seen), TrailError> {
    let mut seen = Seen::default();
    // The head is read first: a daemon that writes meanwhile only adds records after it.
    let head = HeadState::read(disk, state)?;
    let names = files(disk, audit).map_err(TrailError::disk("list", audit))?;
    let mut found = Verified {
        files: names.clone(),
        ..Verified::default()
    };
    let mut chain = ChainChecker::default();
    let (mut last, mut at_head, mut before) = (None, None, None);
    for (index, name) in names.iter().enumerate() {
        let newest = index + 1 == names.len();
        let path = audit.join(name);
        let file = disk.read(&path, 0);
        let mut lines = LineReader::new(file.map_err(TrailError::disk("read", &path))?);
        let mut suspects: Vec<String> = Vec::new();
        let (mut whole, mut spoilt) = (false, None);
        let mut stray = StrayRecords::default();
        while lines.advance().map_err(TrailError::disk("read", &path))? {
            let begins = chain.last.is_none();
            let next = chain.last.map_or(1, |link: ChainLink| link.seq + 1);
            let number = lines.number;
            whole |= spoilt.is_some() && lines.ended;
            let followed = chain.follow(&lines.line, lines.ended);
            // The hash is also kept for a record that is valid in itself, but in the wrong place.
            if let Some(link) = chain.last.filter(|link| wanted.contains(&link.seq)) {
                seen.hashes.entry(link.seq).or_insert(link.hash);
            }
            match followed {
                Ok((front, link)) => {
                    if spoilt.is_some() {
                        stray.add(&lines.line);
                    }
                    if begins {
                        before = Hash::parse(&front.prev).map(|hash| ChainLink {
                            seq: link.seq - 1,
                            hash,
                        });
                    }
                    if head.link().is_some_and(|head| head.seq == link.seq) {
                        at_head = Some(link);
                    }
                    found.records += 1;
                    found.first.get_or_insert(front.time);
                    found.last = Some(front.time);
                    last = Some(link);
                    losses(&mut found, name, number, &front, &lines.line);
                }
                // Either a torn tail or a change in the middle; the lines that follow decide.
                Err(why) => {
                    whole |= lines.ended;
                    spoilt.get_or_insert(next);
                    stray.add(&lines.line);
                    suspects.push(format!("{name} line {number}: {why}"));
                    suspects.truncate(TOLD);
                }
            }
        }
        let torn = newest && spoilt.is_some_and(|seq| is_torn(seq, whole, head.link()));
        if torn && stray.is_no_crash(spoilt.unwrap_or_default()) {
            found.problems.extend(suspects.into_iter().next().map(|first| {
                format!("{first}; no crash would leave the records that follow it: a line was changed or a file was copied, and the head is older")
            }));
        } else if torn {
            found.torn = suspects.into_iter().next();
        } else {
            found.problems.extend(suspects);
        }
    }
    if let Some(before) = before {
        seen.before = Some(before.seq);
        seen.hashes.insert(before.seq, before.hash);
    }
    seen.last = last.map_or(0, |link| link.seq);
    check_head(&mut found, &head, last, at_head.or(before));
    found.problems.truncate(TOLD);
    Ok((found, seen))
}

/// Valid records from the first line on that does not continue the chain.
#[derive(Default)]
struct StrayRecords {
    seq: Option<u64>,
    times: Option<(Timestamp, Timestamp)>,
}

impl StrayRecords {
    /// Longest time between two records that one sync covers.
    const ONE_SYNC: SignedDuration = SignedDuration::from_mins(5);

    fn add(&mut self, line: &[u8]) {
        let Ok((header, ChainLink { seq, .. })) = decode(line) else {
            return;
        };
        self.seq = Some(self.seq.map_or(seq, |first| first.min(seq)));
        let (first, last) = self.times.unwrap_or((header.time, header.time));
        self.times = Some((first.min(header.time), last.max(header.time)));
    }

    /// Returns true if no crash could leave these records in place of record `next` and those after
    /// it: one is older, or they were written over a longer time than one sync covers.
    fn is_no_crash(&self, next: u64) -> bool {
        let long =
            |(first, last): (Timestamp, Timestamp)| last.duration_since(first) > Self::ONE_SYNC;
        self.seq.is_some_and(|seq| seq < next) || self.times.is_some_and(long)
    }
}

/// Compares the end of the chain with the last record that was known to be durable.
fn check_head(
    found: &mut Verified,
    head: &HeadState,
    last: Option<ChainLink>,
    named: Option<ChainLink>,
) {
    let last = last.unwrap_or_default().seq;
    match head {
        HeadState::Is(head) if head.seq > last => found.problems.push(format!(
            "the tail is cut: record {} was written last, but the files end with record {last}",
            head.seq
        )),
        HeadState::Is(head) => {
            if let Some(named) = named
                && named.seq == head.seq
                && named.hash != head.hash
            {
                found.problems.push(format!(
                    "record {} is not the one that was written: the trail was replaced from that record on, or from an earlier one",
                    head.seq
                ));
            }
        }
        HeadState::Missing if last == 0 => {}
        HeadState::Missing | HeadState::Unreadable => found.notices.push(
            "the state folder's head is missing or unreadable, so a cut tail would go unnoticed"
                .to_owned(),
        ),
    }
}

/// Adds the losses that the trail itself records.
fn losses(found: &mut Verified, file: &str, line: u64, front: &RecordHeader<'_>, bytes: &[u8]) {
    if front.server.is_some() || !(front.event.ends_with("_lost") || front.event.contains("tail")) {
        return;
    }
    let time = utc(front.time);
    match serde_json::from_slice(bytes) {
        Ok(GlobalEvent::TailCut { last, head, .. }) if head <= last => found.problems.push(format!(
            "{file} line {line}: record {head} was not the one that was last written: the trail was replaced or rewritten, as noticed at {time}"
        )),
        Ok(GlobalEvent::TailCut { last, head, .. }) => found.problems.push(format!(
            "{file} line {line}: the records after {last}, up to at least {head}, are missing, as noticed at {time}"
        )),
        Ok(GlobalEvent::TrailLost { .. }) => found.problems.push(format!(
            "{file} line {line}: all earlier records are missing, as noticed at {time}"
        )),
        Ok(GlobalEvent::HeadLost { .. }) => found.notices.push(format!(
            "{file} line {line}: the state folder's head was missing, as noticed at {time}"
        )),
        Ok(GlobalEvent::TornTail { file: aside, bytes, .. }) => found.notices.push(format!(
            "{file} line {line}: {bytes} bytes left by a crash were set aside in {} at {time}",
            printable(&aside, NAME_SHOWN)
        )),
        _ => {}
    }
}

/// A record as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// The process that wrote it.
    pub run: String,
    /// The server that it concerns.
    pub server: Option<ServerId>,
    /// Name of the event.
    pub event: String,
    /// The whole line.
    pub json: String,
}

/// Iterates over records, oldest first. A line that is not a record yields an error and is skipped.
/// The chain is not checked: [`verify`] does that.
pub(super) struct Records {
    pub(super) files: VecDeque<PathBuf>,
    pub(super) now: Option<(PathBuf, LineReader)>,
}

impl Iterator for Records {
    type Item = Result<Record, TrailError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((path, lines)) = &mut self.now else {
                let path = self.files.pop_front()?;
                match RealDisk::default().read(&path, 0) {
                    Ok(file) => self.now = Some((path, LineReader::new(file))),
                    Err(why) => return Some(Err(TrailError::disk("read", &path)(why))),
                }
                continue;
            };
            match lines.advance() {
                // A line without a newline is being written, or a crash left it.
                Ok(true) if lines.ended => {
                    let broken = || TrailError::Broken {
                        file: path.display().to_string(),
                        line: lines.number,
                        why: "is not a record".to_owned(),
                    };
                    return Some(record(&lines.line).ok_or_else(broken));
                }
                Ok(_) => self.now = None,
                Err(why) => {
                    let error = TrailError::disk("read", path)(why);
                    self.now = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

pub(super) fn record(line: &[u8]) -> Option<Record> {
    let json = std::str::from_utf8(line).ok()?;
    let front: RecordHeader<'_> = serde_json::from_str(json).ok()?;
    Some(Record {
        seq: front.seq,
        time: front.time,
        run: front.run.into_owned(),
        server: front.server,
        event: front.event.into_owned(),
        json: json.to_owned(),
    })
}
