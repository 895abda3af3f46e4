//! Reads the trail's lines: checks the chain and folds the records into state.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::chain::{ChainLink, Hash};
use super::disk::Disk;
use super::record::{
    GlobalEvent, RecordHeader, ServerCheckpoint, StandingAlert, WitnessedPoint, decode,
};
use crate::core::pause::Pause;
use crate::core::report_period::ReportHistory;
use crate::core::sanitize::printable;
use crate::core::server_event::{RaisedAlert, RecordedAt, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::ServerId;

/// Maximum number of characters of an unreadable event's name that a message repeats.
const EVENT_SHOWN: usize = 40;
/// Maximum number of characters of the reason that a message repeats.
const WHY_SHOWN: usize = 300;

/// Returns the name of the file for the month of a time.
pub(super) fn file_name(time: Timestamp) -> String {
    format!("audit-{}.jsonl", time.strftime("%Y-%m"))
}

/// Returns the trail's files in a folder, oldest first. Empty files are left out: they hold nothing
/// that could be lost, and may be replaced.
pub(super) fn files(disk: &dyn Disk, audit: &Path) -> io::Result<Vec<String>> {
    let ours = |name: &str| {
        name.strip_prefix("audit-")
            .and_then(|rest| rest.strip_suffix(".jsonl"))
            .and_then(|month| month.split_once('-'))
            .is_some_and(|(year, month)| {
                (year.len(), month.len()) == (4, 2)
                    && year
                        .bytes()
                        .chain(month.bytes())
                        .all(|b| b.is_ascii_digit())
            })
    };
    let mut names = disk.list(audit)?;
    names.retain(|name| ours(name));
    names.sort();
    let mut files = Vec::new();
    for name in names {
        let length = disk.len(&audit.join(&name));
        if length.map_err(|why| io::Error::new(why.kind(), format!("{name}: {why}")))? > 0 {
            files.push(name);
        }
    }
    Ok(files)
}

/// Reads line by line, with the position of each line.
pub(super) struct LineReader {
    from: BufReader<Box<dyn Read>>,
    /// The line without its newline.
    pub line: Vec<u8>,
    /// True if the line ended with a newline.
    pub ended: bool,
    /// Number of the line, from 1.
    pub number: u64,
    /// Offset after the line, in bytes.
    pub offset: u64,
}

impl LineReader {
    pub(super) fn new(from: Box<dyn Read>) -> Self {
        Self {
            from: BufReader::with_capacity(1 << 16, from),
            line: Vec::new(),
            ended: false,
            number: 0,
            offset: 0,
        }
    }

    /// Reads the next line; false at the end.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        self.line.clear();
        let bytes = self.from.read_until(b'\n', &mut self.line)?;
        self.ended = self.line.pop_if(|last| *last == b'\n').is_some();
        self.number += 1;
        self.offset += bytes as u64;
        Ok(bytes > 0)
    }
}

/// Checks `seq`, `prev` and `hash` from line to line.
#[derive(Default)]
pub(super) struct ChainChecker {
    pub last: Option<ChainLink>,
}

impl ChainChecker {
    /// Checks one line. If it is valid in itself but does not continue the chain, checking
    /// continues from its own number and hash.
    pub(super) fn follow<'l>(
        &mut self,
        text: &'l [u8],
        ended: bool,
    ) -> Result<(RecordHeader<'l>, ChainLink), String> {
        if !ended {
            return Err("is cut off: it has no newline".to_owned());
        }
        let (front, link) = decode(text).map_err(str::to_owned)?;
        let fits = match self.last {
            Some(last) if link.seq != last.seq + 1 => {
                Err(format!("has seq {} after {}", link.seq, last.seq))
            }
            Some(last) if Hash::parse(&front.prev) != Some(last.hash) => Err(format!(
                "its prev is not the hash of record {}, which was changed or replaced",
                last.seq
            )),
            None if link.seq != 1 && !begins_a_file(&front) => Err(format!(
                "the trail begins with record {}, but no file can begin with that record: the records before it are missing",
                link.seq
            )),
            _ => Ok(()),
        };
        self.last = Some(link);
        fits.map(|()| (front, link))
    }
}

/// Returns true for a record that a file begins with; a server's checkpoint comes after it.
fn begins_a_file(front: &RecordHeader<'_>) -> bool {
    front.event == "checkpoint" && front.server.is_none()
}

/// State folded from the newest file.
#[derive(Default)]
pub(super) struct FoldedState {
    pub histories: BTreeMap<ServerId, ServerHistory>,
    pub alerts: BTreeMap<(String, String), RaisedAlert>,
    /// When a loss of records was last noticed.
    pub lost: Option<Timestamp>,
    /// The pause of every server.
    pub paused: Option<Pause>,
    /// Hash of the head that was last recorded as ahead of the records.
    pub noted_head: Option<Hash>,
    /// When the last signed checkpoint was recorded, and the last record that it covers.
    pub sealed: Option<(Timestamp, u64)>,
    /// The last reports of each receiver.
    pub reports: BTreeMap<String, ReportHistory>,
    /// When the last record was written.
    pub newest: Option<Timestamp>,
}

impl FoldedState {
    /// Folds one record in. A record that this version can't read is an error and is never skipped.
    pub(super) fn fold(
        &mut self,
        front: &RecordHeader<'_>,
        line: &[u8],
        grace: SignedDuration,
    ) -> Result<(), String> {
        let unknown = |why: serde_json::Error| {
            let event = printable(&front.event, EVENT_SHOWN);
            let why = printable(&why.to_string(), WHY_SHOWN);
            format!("event {event} can't be read ({why})")
        };
        self.newest = Some(front.time);
        let Some(server) = front.server.clone() else {
            let event = serde_json::from_slice(line).map_err(unknown)?;
            if let GlobalEvent::Witnessed { record, .. } = event {
                self.sealed = Some((front.time, WitnessedPoint::covers(record, front.seq)));
            }
            self.global(front.time, event);
            return Ok(());
        };
        if front.event == "checkpoint" {
            let kept: ServerCheckpoint<ServerHistory> =
                serde_json::from_slice(line).map_err(unknown)?;
            self.histories.insert(server, kept.history);
            return Ok(());
        }
        match serde_json::from_slice::<ServerEvent>(line) {
            Ok(event) => {
                let at = RecordedAt {
                    wall: front.time,
                    mono: None,
                };
                let past = match &event {
                    ServerEvent::ServerIdChanged { from, .. } => self.histories.remove(from),
                    _ => None,
                };
                let history = self.histories.entry(server).or_default();
                if let Some(past) = past {
                    history.adopt(past);
                }
                history.apply(&event, at, grace);
                history.note_policy(front.policy.as_deref());
                Ok(())
            }
            // Alerts of a server are server events; other global events may name a server for the
            // reader.
            Err(why) if front.event.starts_with("alert_") => Err(unknown(why)),
            Err(why) => match serde_json::from_slice::<GlobalEvent>(line) {
                Ok(_) => Ok(()),
                Err(_) => Err(unknown(why)),
            },
        }
    }

    fn global(&mut self, time: Timestamp, event: GlobalEvent) {
        if event.is_loss() {
            self.lost = Some(time);
        }
        match event {
            GlobalEvent::AlertRaised { alert, about, text } => {
                let key = (alert, about);
                let standing = RaisedAlert::raised(&text, time, self.alerts.get(&key));
                self.alerts.insert(key, standing);
            }
            GlobalEvent::AlertCleared { alert, about } => {
                self.alerts.remove(&(alert, about));
            }
            GlobalEvent::TailCut { head_hash, .. } => self.noted_head = Hash::parse(&head_hash),
            GlobalEvent::Paused(order) => {
                self.paused = Some(Pause::ordered(&order, time, self.paused.as_ref()));
            }
            GlobalEvent::PauseEnded { until } => {
                let ended = self.paused.take_if(|pause| pause.until == Some(until));
                if let Some(pause) = ended {
                    for history in self.histories.values_mut() {
                        history.end_pause(pause.since, until.min(time));
                    }
                }
            }
            GlobalEvent::Resumed { .. } => {
                let paused = self.paused.take();
                for history in self.histories.values_mut() {
                    history.resume(paused.as_ref().map(|pause| pause.since), time);
                }
            }
            GlobalEvent::ReportPlanned { receiver, .. } => {
                self.reports.entry(receiver).or_default().note(time);
            }
            GlobalEvent::ReportMade {
                receiver,
                until,
                size_mb,
                ..
            } => {
                let history = self.reports.entry(receiver).or_default();
                history.note(until);
                history.size_mb = size_mb.or(history.size_mb);
            }
            GlobalEvent::Checkpoint {
                alerts,
                lost,
                paused,
                reports,
            } => {
                (self.lost, self.paused) = (lost, paused);
                self.reports = reports;
                for one in alerts {
                    self.alerts.insert((one.alert, one.about), one.standing);
                }
            }
            _ => {}
        }
    }

    /// Returns the global state, for the first record of a file.
    pub(super) fn checkpoint(&self) -> GlobalEvent {
        let standing =
            |((alert, about), standing): (&(String, String), &RaisedAlert)| StandingAlert {
                alert: alert.clone(),
                about: about.clone(),
                standing: standing.clone(),
            };
        GlobalEvent::Checkpoint {
            alerts: self.alerts.iter().map(standing).collect(),
            lost: self.lost,
            paused: self.paused.clone(),
            reports: self.reports.clone(),
        }
    }
}

/// Result of reading a file.
#[derive(Default)]
pub(super) struct FileScan {
    /// Position of the first line, and the hash that it names as its predecessor's.
    pub first: Option<(ChainLink, Option<Hash>)>,
    /// Position of the last valid line.
    pub last: Option<ChainLink>,
    /// Bytes up to the end of the last valid line.
    pub len: u64,
    /// Hash of the record that the head names, and the offset after it, if it is in this file.
    pub at_head: Option<(Hash, u64)>,
    /// The first invalid line.
    pub bad: Option<BadLine>,
}

/// An invalid line, and what follows it.
pub(super) struct BadLine {
    pub line: u64,
    pub why: String,
    /// Bytes from its start to the end of the file.
    pub bytes: u64,
    /// True if it or a line after it ends with a newline.
    pub whole: bool,
    /// True if it is valid in itself and in its place, but holds something that this version can't
    /// read.
    pub foreign: bool,
}

/// Reads a file to its end or its first invalid line, and folds its records.
pub(super) fn scan(
    disk: &dyn Disk,
    path: &Path,
    head: Option<ChainLink>,
    grace: SignedDuration,
    state: &mut FoldedState,
) -> io::Result<FileScan> {
    let mut lines = LineReader::new(disk.read(path, 0)?);
    let mut chain = ChainChecker::default();
    let mut scan = FileScan::default();
    while lines.advance()? {
        let before = chain.last;
        let checked = chain.follow(&lines.line, lines.ended);
        let folded = match checked {
            Ok((front, link)) => {
                if before.is_none() {
                    scan.first = Some((link, Hash::parse(&front.prev)));
                }
                if head.is_some_and(|head| head.seq == link.seq) {
                    scan.at_head = Some((link.hash, lines.offset));
                }
                state
                    .fold(&front, &lines.line, grace)
                    .map(|()| link)
                    .map_err(|why| (why, true))
            }
            Err(why) => Err((why, false)),
        };
        match folded {
            Ok(link) => {
                scan.last = Some(link);
                scan.len = lines.offset;
            }
            Err((why, foreign)) => {
                let (line, mut whole) = (lines.number, lines.ended);
                while lines.advance()? {
                    whole |= lines.ended;
                }
                let bytes = lines.offset - scan.len;
                scan.bad = Some(BadLine {
                    line,
                    why,
                    bytes,
                    whole,
                    foreign,
                });
                break;
            }
        }
    }
    Ok(scan)
}

/// Returns true if a crash explains an invalid line in place of record `seq`: half a line at the
/// very end, or anything after the last record that the head proves durable.
pub(super) fn is_torn(seq: u64, whole: bool, head: Option<ChainLink>) -> bool {
    !whole || head.is_some_and(|head| seq > head.seq)
}
