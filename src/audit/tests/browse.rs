//! The trail file by file, on a real disk.

use std::fs;

use tempfile::TempDir;

use super::super::{files_since, records, was_begun};
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
fn files_whose_month_lies_before_the_time_are_left_out() {
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
fn a_folder_that_is_not_there_yet_holds_no_files_but_one_that_cannot_be_listed_is_an_error() {
    let folder = folder(&["a-file"]);
    let missing = files_since(&folder.path().join("none"), None);
    assert_eq!(missing, Ok(Vec::new()));
    let error = files_since(&folder.path().join("a-file"), None).unwrap_err();
    assert!(error.to_string().contains("can't list"), "{error}");
}

#[test]
fn the_records_of_one_file_are_handed_out_and_no_other_s() {
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
    assert_eq!(read[0].as_ref().unwrap().server, Some(ServerId(7)));
}

#[test]
fn the_head_tells_whether_anything_was_ever_recorded() {
    let folder = folder(&[]);
    let begun = || was_begun(folder.path()).unwrap();
    assert!(!begun(), "there is none");
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
