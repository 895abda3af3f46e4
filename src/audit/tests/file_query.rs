//! Queries of the trail file by file, on a real disk.

use std::fs;

use tempfile::TempDir;

use super::super::{files_since, ids_of, records, tail, was_begun};
use super::*;

fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::write(folder.path().join(name), "x\n").unwrap();
    }
    folder
}

fn names(folder: &TempDir, since: Option<&str>) -> Vec<String> {
    let files = files_since(folder.path(), since.map(at)).unwrap();
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.into_iter().map(name).collect()
}

#[test]
fn files_of_months_before_the_requested_time_are_left_out() {
    let (october, november) = ("audit-2026-10.jsonl", "audit-2026-11.jsonl");
    let folder = folder(&[november, october, "audit-2026-11.jsonl.torn-1", "notes"]);
    assert_eq!(names(&folder, None), [october, november]);
    assert_eq!(
        names(&folder, Some("2026-10-31T23:59:59Z")),
        [october, november]
    );
    assert_eq!(names(&folder, Some("2026-11-01T00:00:00Z")), [november]);
    assert_eq!(names(&folder, Some("2026-12-01T00:00:00Z")), [""; 0]);
}

#[test]
fn a_missing_folder_holds_no_files_but_a_folder_that_cannot_be_listed_is_an_error() {
    let folder = folder(&["a-file"]);
    let missing = files_since(&folder.path().join("none"), None);
    assert_eq!(missing, Ok(Vec::new()));
    let error = files_since(&folder.path().join("a-file"), None).unwrap_err();
    assert!(error.to_string().contains("can't list"), "{error}");
}

#[test]
fn only_the_records_of_the_given_file_are_returned() {
    let folder = folder(&[]);
    let line = |seq: u64| {
        format!(
            "{{\"seq\":{seq},\"time\":\"{NOVEMBER}\",\"event\":\"paused\",\"server\":7,\"prev\":\"\"}}\n"
        )
    };
    let file = folder.path().join("audit-2026-11.jsonl");
    fs::write(&file, line(1) + "no record\n" + &line(2) + "{\"seq\":3").unwrap();
    fs::write(folder.path().join("audit-2026-12.jsonl"), line(4)).unwrap();
    let read: Vec<_> = records(file).collect();
    let seqs: Vec<_> = read
        .iter()
        .map(|r| r.as_ref().ok().map(|r| r.seq))
        .collect();
    assert_eq!(seqs, [Some(1), None, Some(2)]);
    assert_eq!(read[0].as_ref().unwrap().server, Some(ServerId::from(7)));
}

#[test]
fn the_head_shows_whether_anything_was_ever_recorded() {
    let folder = folder(&[]);
    let begun = || was_begun(folder.path()).unwrap();
    assert!(!begun(), "there is no head yet");
    let hash = "0".repeat(64);
    for (head, so) in [
        (format!("{:020} {hash}\n", 0), false),
        (format!("{:020} {hash}\n", 1), true),
        ("unreadable".to_owned(), true),
    ] {
        fs::write(folder.path().join("head"), &head).unwrap();
        assert_eq!(begun(), so, "{head}");
    }
}

#[test]
fn the_tail_holds_the_newest_records_of_one_server_from_the_end_of_the_newest_file() {
    let folder = folder(&[]);
    let line = |seq: u64, server: u64, event: &str| {
        format!(
            "{{\"seq\":{seq},\"time\":\"{NOVEMBER}\",\"event\":\"{event}\",\"server\":{server},\"prev\":\"\"}}\n"
        )
    };
    let seqs = |most, bytes| -> Vec<u64> {
        let found = tail(folder.path(), &[ServerId::from(7)].into(), most, bytes).unwrap();
        found.iter().map(|record| record.seq).collect()
    };
    assert_eq!(seqs(9, 9999), [0; 0], "the folder holds no files yet");
    let file = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    file("audit-2026-10.jsonl", line(1, 7, "paused"));
    let lines = [
        line(2, 7, "checkpoint"),
        line(3, 7, "paused"),
        line(4, 8, "paused"),
        "no record\n".to_owned(),
        line(5, 7, "resumed"),
        line(6, 7, "paused"),
    ];
    let last = lines[5].len() as u64;
    file("audit-2026-11.jsonl", lines.concat() + "{\"seq\":7");
    assert_eq!(seqs(9, 9999), [3, 5, 6]);
    assert_eq!(seqs(2, 9999), [5, 6]);
    // The first line is skipped if reading does not begin at the start of the file, even if the
    // whole line is read. The unfinished last line is skipped too.
    assert_eq!(seqs(9, last + 8 + 1), [6]);
    assert_eq!(seqs(9, last + 8), [0; 0]);
}

#[test]
fn a_server_is_found_under_every_id_that_it_ever_had() {
    let line =
        |fields: &str| format!("{{\"seq\":1,\"time\":\"{NOVEMBER}\",{fields},\"prev\":\"\"}}\n");
    let lines = [
        line("\"event\":\"server_id_changed\",\"server\":\"b\",\"from\":7"),
        line("\"event\":\"server_identified\",\"server\":\"c\",\"other_id\":\"b\""),
        line("\"event\":\"server_id_changed\",\"server\":\"x\",\"from\":8"),
    ];
    let file = folder(&[]).keep().join("audit-2026-11.jsonl");
    fs::write(&file, lines.concat()).unwrap();
    let ids = |server: &str| {
        let found = ids_of(&server.parse().unwrap(), std::slice::from_ref(&file)).unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ids("c"), ["7", "b", "c"]);
    assert_eq!(ids("7"), ["7", "b", "c"]);
    assert_eq!(ids("9"), ["9"]);
}
