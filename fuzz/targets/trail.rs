//! Opens and checks arbitrary bytes as a trail, and a valid trail that was changed.
//!
//! Input: a byte that selects the case, then its data.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};
use snaprotate::audit::memory_disk::MemoryDisk;
use snaprotate::audit::{
    Details, Entry, Event, GlobalEvent, OpenedTrail, Trail, TrailError, Verified, verify_on,
};
use snaprotate::core::server_event::{AlertKind, Outcome, ServerEvent};
use snaprotate::core::snapshot::{ServerId, SnapshotId};
use snaprotate_fuzz::assert_line;

const NOVEMBER: &str = "/audit/audit-2026-11.jsonl";
const DECEMBER: &str = "/audit/audit-2026-12.jsonl";
const HEAD: &str = "/state/head";

/// A trail of two months that was closed properly.
static SOUND: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let disk = MemoryDisk::default();
    record(&disk, &night("2026-11-24T03:00:00Z")).expect("recorded");
    record(&disk, &night("2026-12-01T03:00:00Z")).expect("recorded");
    [NOVEMBER, DECEMBER, HEAD].map(|path| disk.text(Path::new(path)).into_bytes())
});

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    match first % 4 {
        0 => foreign(rest),
        1 => chained(rest),
        2 => changed(rest, true),
        _ => changed(rest, false),
    }
});

/// Any bytes: two files and the head, separated by 0xff.
fn foreign(bytes: &[u8]) {
    let disk = MemoryDisk::default();
    for (path, part) in [NOVEMBER, DECEMBER, HEAD]
        .iter()
        .zip(bytes.split(|byte| *byte == 0xff))
    {
        disk.put_bytes(Path::new(path), part);
    }
    goes_on(&disk);
}

/// Lines with correct numbers and hashes and any other content. The first byte selects the first
/// number.
fn chained(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else {
        return;
    };
    let mut seq = [1, 0, 7, u64::MAX - 1, u64::MAX][usize::from(*first) % 5];
    let mut prev = "0".repeat(64);
    let (mut file, mut head) = (Vec::new(), String::new());
    for line in text.split(|byte| *byte == b'\n').take(16) {
        let mut body = format!("{{\"seq\":{seq},").into_bytes();
        body.extend(line);
        body.extend(format!(",\"prev\":\"{prev}\"").bytes());
        let hash: String = Sha256::digest(&body)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        file.extend(body);
        file.extend(format!(",\"hash\":\"{hash}\"}}\n").bytes());
        head = format!("{seq:020} {hash}\n");
        prev = hash;
        seq = seq.wrapping_add(1);
    }
    let disk = MemoryDisk::default();
    disk.put_bytes(Path::new(NOVEMBER), &file);
    disk.put(Path::new(HEAD), &head);
    goes_on(&disk);
}

/// Checks that any trail is reported in lines. A trail that opens accepts new records, and has the
/// same content after a new month began.
fn goes_on(disk: &MemoryDisk) {
    let before = check(disk);
    let opened = match open(disk) {
        Ok((_, opened)) => opened,
        Err(error) => return assert_line(&error.to_string(), 4_000),
    };
    if record(disk, &night("2027-01-01T03:00:00Z")).is_err() {
        return;
    }
    let after = check(disk);
    assert!(after.records > before.records);
    if before.is_intact() && before.torn.is_none() && opened.notices.is_empty() {
        assert!(after.is_intact(), "{:?}", after.problems);
    }
    let again = open(disk).expect("what was written can be read").1;
    for (server, history) in &opened.histories {
        assert!(*server == SERVER || again.histories.get(server) == Some(history));
    }
    assert_eq!(again.global_alerts.len(), opened.global_alerts.len() + 1);
}

/// Checks that a valid trail is never reported as intact after a change.
///
/// Input: a byte for the file (and whether older ones were archived), then changes: two bytes for
/// the place, one for the kind of change, and one for the length or the other byte.
fn changed(bytes: &[u8], flips: bool) {
    let Some((which, changes)) = bytes.split_first() else {
        return;
    };
    let mut files = SOUND.clone();
    let (which, archived) = (usize::from(which % 2), which & 2 == 2);
    let file = &mut files[if archived { 1 } else { which }];
    let sound = file.clone();
    for change in changes.chunks_exact(4).take(4) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % file.len();
        if flips {
            file[at] ^= change[3];
            continue;
        }
        let end = (at + usize::from(change[3]) * 2).min(file.len());
        match change[2] % 4 {
            0 => drop(file.drain(at..end)),
            1 => drop(file.splice(at..at, file[at..end].to_vec())),
            2 => file[at..end].reverse(),
            // Whole lines that this part touches.
            _ => {
                let begin = file[..at]
                    .iter()
                    .rposition(|b| *b == b'\n')
                    .map_or(0, |at| at + 1);
                let line = file[begin..].iter().position(|b| *b == b'\n').unwrap_or(0) + 1;
                drop(file.drain(begin..(begin + line).min(file.len())));
            }
        }
        if file.is_empty() {
            // An empty file holds nothing, so it equals an archived one.
            return;
        }
    }
    if *file == sound {
        return;
    }
    let disk = MemoryDisk::default();
    if !archived {
        disk.put_bytes(Path::new(NOVEMBER), &files[0]);
    }
    disk.put_bytes(Path::new(DECEMBER), &files[1]);
    disk.put_bytes(Path::new(HEAD), &files[2]);
    let found = check(&disk);
    // Bytes after the head's last record are what a crash leaves. They are reported as torn.
    let newest = archived || which == 1;
    let longer = newest && files[1].starts_with(&sound);
    assert!(
        !found.is_intact() || longer && found.torn.is_some(),
        "{found:?}"
    );
    if let Err(error) = open(&disk) {
        assert_line(&error.to_string(), 4_000);
    }
}

fn check(disk: &MemoryDisk) -> Verified {
    let found = verify_on(disk, Path::new("/audit"), Path::new("/state")).expect("it can be read");
    let told = found
        .problems
        .iter()
        .chain(&found.notices)
        .chain(&found.torn);
    told.for_each(|line| assert_line(line, 4_000));
    found
}

fn open(disk: &MemoryDisk) -> Result<(Trail, OpenedTrail), TrailError> {
    let now = "2026-12-01T04:00:00Z".parse().expect("a time");
    let (audit, state) = (PathBuf::from("/audit"), PathBuf::from("/state"));
    let disk = Box::new(disk.clone());
    Trail::open_inline(
        disk,
        &audit,
        &state,
        "run",
        now,
        SignedDuration::from_secs(30),
    )
}

fn record(disk: &MemoryDisk, entries: &[Entry]) -> Result<(), TrailError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (trail, _) = open(disk)?;
    runtime.block_on(async {
        trail.append(entries.to_vec()).await?;
        trail.close().await;
        Ok(())
    })
}

const SERVER: ServerId = ServerId::integer(7);

fn night(time: &str) -> Vec<Entry> {
    let time: Timestamp = time.parse().expect("a time");
    let word = |text: &str| text.to_owned();
    let facts = [
        ServerEvent::RotationAdded {
            rotation: word("daily").into(),
            terms: None,
            shrinks: [SnapshotId::from(3)].into(),
        },
        ServerEvent::CreateIntent {
            rotation: "daily".into(),
            snapshot: "daily-snapshot".into(),
            known: [SnapshotId::from(3)].into(),
            reason: word("due"),
            by: None,
            spare: None,
            expires: None,
        },
        ServerEvent::CreateResult {
            snapshot: "daily-snapshot".into(),
            outcome: Outcome::Done,
            id: Some(SnapshotId::from(801)),
            server_name: Some(word("web")),
            looked_for: false,
            hindrance: None,
            said: None,
        },
        ServerEvent::AlertRaised {
            alert: AlertKind::Stuck,
            about: word("daily-snapshot"),
            text: word("slow").into(),
        },
    ];
    let alert = GlobalEvent::AlertRaised {
        alert: word("token_refused"),
        about: word("of the fuzzing"),
        text: word("401").into(),
    };
    let facts = facts.map(|fact| (Some(SERVER), Event::Server(fact)));
    let all = facts.into_iter().chain([(None, Event::Global(alert))]);
    let entry = |(server, event)| Entry {
        time,
        server,
        event,
        extra: Details::default(),
    };
    all.map(entry).collect()
}
