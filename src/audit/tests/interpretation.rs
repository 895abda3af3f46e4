//! Tests of how contents are classified (as a record, a file of the trail, a torn tail or a loss),
//! and of the results of verification.

use std::collections::BTreeMap;

use super::*;
use crate::audit::chain::{Hash, TOO_MANY};

/// Returns the trail of [`some_nights`] with `more` appended.
fn and_then(more: &str) -> MemoryDisk {
    let disk = some_nights();
    let text = disk.text(&november());
    disk.put(&november(), &(text + more));
    disk
}

fn broken(disk: &MemoryDisk) -> String {
    start(disk).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn only_64_lowercase_hex_digits_are_a_hash() {
    let zeros = "0".repeat(64);
    assert_eq!(Hash::parse(&zeros), Some(Hash::default()));
    let text = "0123456789abcdef".repeat(4);
    assert_eq!(Hash::parse(&text).unwrap().to_string(), text);
    for not in [
        String::new(),
        "0".repeat(62),
        "0".repeat(63),
        "0".repeat(65),
        text.to_uppercase(),
        zeros.replace("00", "+f"),
        zeros.replace('0', "g"),
    ] {
        assert_eq!(Hash::parse(&not), None, "{not}");
    }
}

#[test]
fn only_month_files_with_contents_are_files_of_the_trail() {
    let disk = some_nights();
    for name in [
        "audit-20x6-12.jsonl",
        "audit-2026-1x.jsonl",
        "audit-2026-012.jsonl",
        "audit-02026-12.jsonl",
        "audit-2026-12.jsonl.torn-1",
        "audit-2026-12",
    ] {
        disk.put(&audit().join(name), "not the trail's\n");
    }
    // An empty file has nothing to lose.
    disk.put(&december(), "");
    let found = check(&disk);
    assert_eq!(found.files, ["audit-2026-11.jsonl"]);
    assert_eq!((found.problems.len(), found.torn), (0, None));
    let (mut writer, opened) = start(&disk).unwrap();
    assert_eq!(opened.notices, []);
    writer.append(&[blocked(DECEMBER, "begun anew")]).unwrap();
    assert!(check(&disk).is_intact());
    assert!(disk.text(&december()).contains("begun anew"));
}

#[test]
fn a_month_file_that_is_a_copy_of_another_breaks_the_chain() {
    let disk = some_nights();
    disk.put(&december(), &disk.text(&november()));
    let found = check(&disk);
    let problem = "audit-2026-12.jsonl line 1: has seq 1 after 9; no crash would leave the records";
    assert!(found.problems[0].starts_with(problem), "{found:?}");
}

#[test]
fn a_damaged_line_followed_by_valid_records_breaks_the_chain_even_if_the_head_is_old() {
    let disk = some_nights();
    let head = disk.text(&state().join("head"));
    let (mut writer, _) = start(&disk).unwrap();
    for time in [
        "2026-11-24T04:00:00Z",
        "2026-11-24T05:00:00Z",
        "2026-11-24T06:00:00Z",
    ] {
        writer.append(&[blocked(time, "full")]).unwrap();
    }
    writer.finish();
    disk.put(&state().join("head"), &head);
    assert!(check(&disk).is_intact());
    let text = disk.text(&november());
    disk.put(&november(), &text.replacen("T04:00", "T04:01", 1));
    let found = check(&disk);
    assert!(
        found.problems[0].contains("no crash would leave the records"),
        "{found:?}"
    );
}

#[test]
fn i6_a_torn_tail_with_whole_lines_counts_as_a_possible_loss_of_records() {
    let spoilt = "a hole\n{\"seq\":11,";
    let disk = and_then(spoilt);
    let found = check(&disk);
    assert!(found.is_intact(), "{found:?}");
    let torn = found.torn.unwrap();
    assert!(torn.contains("line 10: is too short"), "{torn}");
    let (_, opened) = start(&disk).unwrap();
    let notice = GlobalEvent::TornTail {
        file: "audit-2026-11.jsonl.torn-1".to_owned(),
        bytes: spoilt.len() as u64,
        whole: true,
    };
    assert_eq!(opened.notices, [notice]);
    assert_eq!(opened.hold_since, Some(at(NOVEMBER)));
}

#[test]
fn i6_a_change_up_to_the_heads_record_is_never_taken_for_a_torn_tail() {
    let text = some_nights().text(&november());
    let (before, last) = text.split_at(text.trim_end().rfind('\n').unwrap() + 1);
    let changed = format!("{before}{}", last.replace("801", "802"));
    for (what, text, line) in [
        ("the last record", changed.clone(), 9),
        (
            "the last record, then half a line",
            format!("{changed}{{\"seq\":10,"),
            9,
        ),
        (
            "an earlier record, then half a line",
            format!("{}{{\"seq\":10,", text.replacen("801", "802", 1)),
            5,
        ),
    ] {
        let disk = some_nights();
        disk.put(&november(), &text);
        let found = check(&disk);
        assert_eq!(found.torn, None, "{what}");
        let told = format!("audit-2026-11.jsonl line {line}: was changed");
        assert!(found.problems[0].starts_with(&told), "{what}: {found:?}");
        let error = broken(&disk);
        assert!(error.contains(&told), "{what}: {error}");
    }
}

#[test]
fn a_skipped_record_number_is_detected_even_if_the_hashes_fit() {
    let disk = some_nights();
    let text = disk.text(&november());
    let end = text.trim_end().strip_suffix("\"}").unwrap();
    let prev = &end[end.len() - 64..];
    let fields = r#""event":"paused","server":7"#;
    let (line, hash) = line(fields, 11, prev);
    disk.put(&november(), &format!("{text}{line}"));
    disk.put(&state().join("head"), &format!("{:020} {hash}\n", 11));
    let told = "audit-2026-11.jsonl line 10: has seq 11 after 9";
    assert_eq!(check(&disk).problems[0], told);
    assert!(broken(&disk).contains("has seq 11 after 9"));
}

#[test]
fn a_head_that_differs_from_the_record_before_the_newest_file_is_noticed() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(DECEMBER, "later")]).unwrap();
    // Only the `prev` of the file's first record is left to compare with.
    disk.take(&november());
    let head = format!("{:020} {}\n", 9, Hash::of(b"another"));
    disk.put(&state().join("head"), &head);
    let problems = check(&disk).problems;
    assert!(
        problems[0].starts_with("record 9 is not the one that was written"),
        "{problems:?}"
    );
    let (_, opened) = start(&disk).unwrap();
    assert!(opened.hold_creates);
    assert!(
        matches!(
            opened.notices[..],
            [GlobalEvent::TailCut {
                last: 13,
                head: 9,
                ..
            }]
        ),
        "{:?}",
        opened.notices
    );
}

#[test]
fn a_missing_or_unreadable_head_is_reported_once_there_are_records() {
    assert_eq!(check(&MemoryDisk::default()).notices, Vec::<String>::new());
    let disk = some_nights();
    disk.take(&state().join("head"));
    let told = "the state folder's head is missing or unreadable";
    let found = check(&disk);
    assert!(found.is_intact() && found.notices[0].contains(told));
    disk.put(&state().join("head"), "");
    let found = check(&disk);
    assert!(found.is_intact() && found.notices[0].contains(told));
}

#[test]
fn losses_that_the_trail_records_are_reported_as_problems_or_notices() {
    let zeros = Hash::default();
    let losses = [
        (
            format!(r#""event":"tail_cut","run":"r","last":3,"head":5,"head_hash":"{zeros}""#),
            Some("records after 3, up to at least 5, are missing"),
            None,
        ),
        (
            r#""event":"trail_lost","head":5"#.to_owned(),
            Some("all earlier records are missing"),
            None,
        ),
        (
            r#""event":"head_lost","last":3"#.to_owned(),
            None,
            Some("the state folder's head was missing"),
        ),
        (
            r#""event":"torn_tail","file":"aside","bytes":3,"whole":false"#.to_owned(),
            None,
            Some("3 bytes left by a crash were set aside in aside"),
        ),
    ];
    for (fields, problem, notice) in losses {
        let found = check(&single(&fields, 1));
        for (told, expected) in [(&found.problems, problem), (&found.notices, notice)] {
            assert_eq!(told.len(), usize::from(expected.is_some()), "{found:?}");
            let told = told.iter().zip(expected);
            for (told, expected) in told {
                assert!(told.starts_with("audit-2026-11.jsonl line 1: "), "{told}");
                assert!(told.contains(expected), "{told}");
            }
        }
        // An event that names a server says nothing about the trail.
        let found = check(&single(&format!("{fields},\"server\":7"), 1));
        assert_eq!(found.problems.len() + found.notices.len(), 0, "{found:?}");
    }
}

#[test]
fn global_events_may_name_a_server_but_alerts_that_name_one_must_be_known() {
    let stopped = GlobalEvent::DaemonStopped {
        reason: "of that server's".to_owned(),
    };
    let entry = Entry {
        server: Some(ServerId::from(7)),
        ..global(NOVEMBER, stopped)
    };
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    let (_, before) = start(&disk).unwrap();
    writer.append(&[entry]).unwrap();
    let (_, after) = start(&disk).unwrap();
    assert_eq!(after.histories, before.histories);

    // An alert with a server must not be read as one of the account.
    for word in ["alert_raised", "alert_cleared"] {
        let fields = format!(
            r#""event":"{word}","server":7,"alert":"of a newer version","about":"x","reason":"y""#
        );
        let error = broken(&single(&fields, 1));
        assert!(error.contains("can't be read"), "{error}");
    }
}

#[test]
fn only_entries_that_can_be_read_back_are_recorded() {
    let alert = || GlobalEvent::AlertCleared {
        alert: "token_refused".to_owned(),
        about: "one".to_owned(),
    };
    let stopped = || GlobalEvent::DaemonStopped {
        reason: "SIGTERM".to_owned(),
    };
    let checkpoint = || GlobalEvent::Checkpoint {
        alerts: Vec::new(),
        lost: None,
        paused: None,
        reports: BTreeMap::new(),
    };
    let event = || blocked(NOVEMBER, "x").event;
    for (event, with_server, without) in [
        (event(), true, false),
        (Event::Global(alert()), false, true),
        (Event::Global(stopped()), true, true),
        (Event::Global(checkpoint()), false, false),
    ] {
        for (server, right) in [(Some(ServerId::from(7)), with_server), (None, without)] {
            let entry = Entry {
                server: server.clone(),
                event: event.clone(),
                ..blocked(NOVEMBER, "x")
            };
            let placed = entry.placed();
            assert_eq!(placed.is_ok(), right, "{server:?} {event:?}");
            if let Err(refused) = placed {
                assert!(matches!(refused, TrailError::Misplaced(_)));
            }
        }
    }
    assert_eq!(
        Entry {
            server: None,
            ..blocked(NOVEMBER, "by nobody")
        }
        .placed(),
        Err(TrailError::Misplaced("blocked".to_owned()))
    );
}

#[test]
fn a_head_with_a_number_that_no_record_can_have_is_unreadable() {
    for seq in [TOO_MANY, u64::MAX] {
        let disk = MemoryDisk::default();
        let head = format!("{seq:020} {}\n", Hash::default());
        disk.put(&state().join("head"), &head);
        // The records' numbers don't continue from this head.
        let (mut writer, opened) = start(&disk).unwrap();
        assert_eq!(opened.notices, [GlobalEvent::TrailLost { head: 0 }]);
        writer.append(&[blocked(NOVEMBER, "again")]).unwrap();
    }
}
