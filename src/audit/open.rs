//! Opens the trail: reads the newest file and determines the damage that a crash or a loss caused.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::TrailError;
use super::chain::ChainLink;
use super::disk::Disk;
use super::head::HeadState;
use super::reader::{BadLine, FileScan, FoldedState, files, is_torn, scan};
use super::record::{GlobalEvent, WitnessedPoint};
use super::writer::{FileTail, HeadFile, Writer};
use crate::core::pause::Pause;
use crate::core::report_period::ReportHistory;
use crate::core::server_event::RaisedAlert;
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::ServerId;

/// State of the trail when it was opened.
#[derive(Debug, Default)]
pub struct OpenedTrail {
    /// The history of each server.
    pub histories: BTreeMap<ServerId, ServerHistory>,
    /// The pause of every server; `None` if there is none.
    pub paused: Option<Arc<Pause>>,
    /// Active alerts of the account or the host, by alert and subject, with reason and start.
    pub global_alerts: BTreeMap<(String, String), RaisedAlert>,
    /// Damage that was found. The first append records it, before its own entries.
    pub notices: Vec<GlobalEvent>,
    /// True if this start found that records may have been lost. Nothing is then created for one
    /// settle window.
    pub hold_creates: bool,
    /// When a loss was last found, by this process or by an earlier one whose window may still be
    /// running. Nothing is created until a settle window after this time.
    pub hold_since: Option<Timestamp>,
    /// True if nothing was ever recorded: there are no files, and the head is missing or names no
    /// record.
    pub begins: bool,
    /// The last reports of each receiver, by its name.
    pub reports: BTreeMap<String, ReportHistory>,
    /// The last signed checkpoint that the newest file records.
    pub sealed: Option<WitnessedPoint>,
    /// Time of the last record; the previous process was alive until then.
    pub last: Option<Timestamp>,
}

/// Opens the trail without writing a record, so that it also opens on a full disk.
pub(super) fn open(
    mut disk: Box<dyn Disk>,
    audit: &Path,
    state: &Path,
    run: &str,
    now: Timestamp,
    grace: SignedDuration,
) -> Result<(Writer, OpenedTrail), TrailError> {
    for dir in [audit, state] {
        (disk.make_dir(dir)).map_err(TrailError::disk("create the folder", dir))?;
    }
    let head = HeadState::read(&*disk, state)?;
    let newest = files(&*disk, audit)
        .map_err(TrailError::disk("list", audit))?
        .pop();
    let mut writer = Writer {
        disk,
        audit: audit.to_owned(),
        state: state.to_owned(),
        run: run.to_owned(),
        grace,
        file: None,
        len: 0,
        // Lost records keep their numbers, so that a file that is found again still fits.
        link: head.link().unwrap_or_default(),
        tail: FileTail::Clean,
        head: match head {
            HeadState::Is(_) => HeadFile::Unnamed,
            HeadState::Missing | HeadState::Unreadable => HeadFile::None,
        },
        // After a crash the newest file's name may not be durable yet; it is synced again.
        names_synced: false,
        unproven: None,
        notices: Vec::new(),
        head_failed: false,
    };
    let mut said = FoldedState::default();
    let begins = newest.is_none()
        && matches!(
            head,
            HeadState::Missing | HeadState::Is(ChainLink { seq: 0, .. })
        );
    match newest {
        Some(name) => read_newest(&mut writer, &mut said, &head, name)?,
        None => match &head {
            // Nothing was ever recorded: this is the first start, or earlier ones were killed.
            HeadState::Missing | HeadState::Is(ChainLink { seq: 0, .. }) => {}
            head => {
                let head = head.link().map_or(0, |link| link.seq);
                writer.notices.push(GlobalEvent::TrailLost { head });
            }
        },
    }
    let hold_creates = writer.notices.iter().any(GlobalEvent::is_loss);
    let paused = said.paused.map(Arc::new);
    for history in said.histories.values_mut() {
        history.all_paused.clone_from(&paused);
    }
    let opened = OpenedTrail {
        histories: said.histories,
        paused,
        global_alerts: said.alerts,
        notices: writer.notices.clone(),
        hold_creates,
        hold_since: if hold_creates { Some(now) } else { said.lost },
        begins,
        reports: said.reports,
        sealed: said.sealed.map(|(at, covers)| WitnessedPoint {
            at,
            covers,
            file: writer.file.clone().unwrap_or_default(),
        }),
        last: said.newest,
    };
    // A repair that fails now, for example on a full disk, is tried again before the first append.
    if writer.file.is_some() {
        let _ = writer.mend();
    }
    Ok((writer, opened))
}

fn read_newest(
    writer: &mut Writer,
    said: &mut FoldedState,
    head: &HeadState,
    name: String,
) -> Result<(), TrailError> {
    let path = writer.audit.join(&name);
    let scan = scan(&*writer.disk, &path, head.link(), writer.grace, said)
        .map_err(TrailError::disk("read", &path))?;
    let broken = |bad: &BadLine| {
        let (file, line, why) = (path.display().to_string(), bad.line, bad.why.clone());
        if bad.foreign {
            TrailError::Newer { file, line, why }
        } else {
            TrailError::Broken { file, line, why }
        }
    };
    let Some(last) = scan.last else {
        // Files appear whole, so a crash never leaves one without a valid first line.
        return Err(scan.bad.as_ref().map_or_else(
            || TrailError::disk("read", &path)(io::ErrorKind::UnexpectedEof.into()),
            broken,
        ));
    };
    if let Some(bad) = &scan.bad {
        if bad.foreign || !is_torn(last.seq + 1, bad.whole, head.link()) {
            return Err(broken(bad));
        }
        let file = free_name(&*writer.disk, &writer.audit, &name)
            .map_err(TrailError::disk("list", &writer.audit))?;
        writer.tail = FileTail::Torn(file.clone());
        writer.notices.push(GlobalEvent::TornTail {
            file,
            bytes: bad.bytes,
            whole: bad.whole,
        });
    }
    match head.link() {
        None => writer
            .notices
            .push(GlobalEvent::HeadLost { last: last.seq }),
        Some(head) if !leads_to(head, &scan, last) => {
            // The loss is recorded only once, even if the process was killed after recording it and
            // before the head moved.
            if said.noted_head != Some(head.hash) {
                writer.notices.push(GlobalEvent::TailCut {
                    last: last.seq,
                    head: head.seq,
                    head_hash: head.hash.to_string(),
                });
            }
        }
        Some(_) => {}
    }
    writer.unproven = match (head.link(), scan.at_head) {
        (Some(head), Some((hash, end))) if hash == head.hash => {
            (end < scan.len).then_some((end, Some(head)))
        }
        _ => Some((0, None)),
    };
    writer.file = Some(name);
    writer.len = scan.len;
    writer.link = last;
    Ok(())
}

/// Returns true if the record that the head names exists. A record before the newest file, except
/// the last one before it, can't be checked; a head that names it is accepted.
pub(super) fn leads_to(head: ChainLink, scan: &FileScan, last: ChainLink) -> bool {
    match (scan.first, scan.at_head) {
        _ if head.seq > last.seq => false,
        (_, Some((hash, _))) => hash == head.hash,
        (Some((first, prev)), None) if head.seq + 1 == first.seq => prev == Some(head.hash),
        _ => true,
    }
}

/// Returns an unused file name for the torn tail.
fn free_name(disk: &dyn Disk, audit: &Path, file: &str) -> io::Result<String> {
    let prefix = format!("{file}.torn-");
    let names = disk.list(audit)?;
    let number = |name: &String| name.strip_prefix(&prefix)?.parse::<u64>().ok();
    let taken = names.iter().filter_map(number).max().unwrap_or(0);
    Ok(format!("{prefix}{}", taken + 1))
}
