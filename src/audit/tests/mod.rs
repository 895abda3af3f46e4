//! Tests of the trail: chain and verification, crashes, failing disks, the real disk.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::chain::Hash;
use super::memory_disk::MemoryDisk;
use super::open::{OpenedTrail, open};
use super::verify::{Verified, verify_on};
use super::writer::Writer;
use super::{Details, Entry, Event, GlobalEvent, TrailError};
use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::snapshot::{ServerId, SnapshotId};

mod chain;
mod crash;
mod disk;
mod faults;
mod file_query;
mod handle;
mod interpretation;
mod reports;
mod witness;

const GRACE: SignedDuration = SignedDuration::from_secs(30);
const NOVEMBER: &str = "2026-11-24T03:00:00Z";
const DECEMBER: &str = "2026-12-01T00:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn audit() -> &'static Path {
    Path::new("/audit")
}

fn state() -> &'static Path {
    Path::new("/state")
}

fn november() -> std::path::PathBuf {
    audit().join("audit-2026-11.jsonl")
}

fn december() -> std::path::PathBuf {
    audit().join("audit-2026-12.jsonl")
}

fn start(disk: &MemoryDisk) -> Result<(Writer, OpenedTrail), TrailError> {
    let now = at(NOVEMBER);
    open(
        Box::new(disk.clone()),
        audit(),
        state(),
        "run-1",
        now,
        GRACE,
    )
}

fn check(disk: &MemoryDisk) -> Verified {
    verify_on(disk, audit(), state()).unwrap()
}

fn event(time: &str, server: u64, event: ServerEvent) -> Entry {
    Entry {
        time: at(time),
        server: Some(ServerId::from(server)),
        event: Event::Server(event),
        extra: Details::default(),
    }
}

fn global(time: &str, event: GlobalEvent) -> Entry {
    Entry {
        time: at(time),
        server: None,
        event: Event::Global(event),
        extra: Details::default(),
    }
}

fn blocked(time: &str, reason: &str) -> Entry {
    let reason = reason.to_owned();
    event(
        time,
        7,
        ServerEvent::Blocked {
            reason,
            contested: None,
        },
    )
}

/// Returns the records of a rotation's slot up to the open create.
fn night(server: u64) -> Vec<Entry> {
    let rotation = || "weekly".to_owned();
    let snapshot = || "weekly-snapshot-2026-11-24".to_owned();
    let reason = || "due; room: 2 of 5".to_owned();
    let facts = [
        ServerEvent::RotationAdded {
            rotation: rotation().into(),
            terms: None,
            shrinks: std::collections::BTreeSet::new(),
        },
        ServerEvent::SlotDue {
            rotation: rotation().into(),
            slot: at(NOVEMBER),
            snapshot: snapshot().into(),
        },
        ServerEvent::CreateIntent {
            rotation: rotation().into(),
            snapshot: snapshot().into(),
            known: [SnapshotId::from(3), SnapshotId::from(4)].into(),
            reason: reason(),
            by: None,
            spare: None,
            expires: None,
        },
        ServerEvent::CreateResult {
            snapshot: snapshot().into(),
            outcome: Outcome::Done,
            id: Some(SnapshotId::from(801)),
            server_name: Some("web \"1\"\n\u{1b}[31m\u{202e}".to_owned()),
            looked_for: false,
            hindrance: None,
            said: None,
        },
    ];
    facts.map(|f| event(NOVEMBER, server, f)).into()
}

/// Returns a trail of two servers, closed properly.
fn some_nights() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&night(7)).unwrap();
    // The other server's id is a string.
    let other = night(8).into_iter().map(|entry| Entry {
        server: Some("6f1c-8".parse().unwrap()),
        ..entry
    });
    writer.append(&other.collect::<Vec<_>>()).unwrap();
    writer.finish();
    disk
}

/// Returns a line with a valid hash, and that hash.
fn line(fields: &str, seq: u64, prev: &str) -> (String, Hash) {
    let body = format!(r#"{{"seq":{seq},"time":"{NOVEMBER}",{fields},"prev":"{prev}""#);
    let hash = Hash::of(body.as_bytes());
    (format!("{body},\"hash\":\"{hash}\"}}\n"), hash)
}

/// Returns a trail whose one file is this line, with a valid position and hash.
fn single(fields: &str, seq: u64) -> MemoryDisk {
    let (line, hash) = line(fields, seq, &Hash::default().to_string());
    let disk = MemoryDisk::default();
    disk.put(&november(), &line);
    disk.put(&state().join("head"), &format!("{seq:020} {hash}\n"));
    disk
}
