//! `audit show` over damaged, missing and older files.

use std::fs;

use super::audit::{early, file, fresh, lines, record, rotated, show};
use crate::support::{stderr, stdout, verified};

#[test]
fn before_the_first_run_a_missing_trail_is_reported_and_is_no_error() {
    let home = fresh();
    let said = format!("no trail yet in {}\n", home.path("log").display());
    for made in [false, true] {
        let output = show(&home, &[]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            (stdout(&output), stderr(&output)),
            (String::new(), said.clone())
        );
        let output = home.run(&["audit", "verify"]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(stdout(&output), said);
        if !made {
            // An installer creates the folders before the first run.
            fs::create_dir(home.path("log")).expect("a folder");
            fs::create_dir(home.path("state")).expect("a folder");
        }
    }
}

#[test]
fn a_missing_trail_is_reported_as_broken_if_the_head_shows_that_there_was_one() {
    let (_provider, home) = rotated();
    verified(&home);
    let output = home.run(&["audit", "verify"]);
    assert!(
        stdout(&output).contains(" in 1 file of "),
        "{}",
        stdout(&output)
    );
    fs::remove_file(file(&home)).expect("removed");
    for gone in ["the files", "the folder"] {
        let output = home.run(&["audit", "verify"]);
        assert_eq!(output.status.code(), Some(1), "{gone}");
        assert!(
            stdout(&output).starts_with("broken: "),
            "{}",
            stdout(&output)
        );
        let output = show(&home, &[]);
        assert_eq!(output.status.code(), Some(1), "{gone}");
        assert!(
            stderr(&output).contains("shows that there was one"),
            "{}",
            stderr(&output)
        );
        if gone == "the files" {
            fs::remove_dir(home.path("log")).expect("removed");
        }
    }
}

#[test]
fn a_half_written_last_line_is_skipped() {
    let (_provider, home) = rotated();
    let before = lines(&home, &[]);
    let path = file(&home);
    let text = fs::read_to_string(&path).expect("a trail");
    fs::write(&path, text + r#"{"seq":99,"time":"2026-"#).expect("written");
    assert_eq!(lines(&home, &[]), before);
}

#[test]
fn a_line_that_is_not_a_record_is_reported_and_the_others_are_shown() {
    let (_provider, home) = rotated();
    let before = lines(&home, &[]);
    let path = file(&home);
    let text = fs::read_to_string(&path).expect("a trail");
    fs::write(&path, format!("\u{1b}[2J\n{text}")).expect("written");
    let output = show(&home, &["--raw"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output).lines().count(), before.len() + 1);
    let said = stderr(&output);
    assert!(
        said.contains(" line 1: ") && said.contains("audit verify"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[test]
fn files_of_months_before_since_are_not_read() {
    let (_provider, home) = rotated();
    early(&home, "2020-01", &["no record at all"]);
    assert_eq!(
        show(&home, &[]).status.code(),
        Some(1),
        "a file that may hold matching records is read"
    );
    assert_eq!(
        show(&home, &["--since", "2020-01-31"]).status.code(),
        Some(1)
    );
    assert!(!lines(&home, &["--since", "2020-02-01"]).is_empty());
}

#[test]
fn the_newest_records_are_found_across_months_and_names_from_earlier_months_are_used() {
    let home = fresh();
    fs::create_dir(home.path("log")).expect("a folder");
    let due = record(
        1,
        "2026-01-31T03:00:00Z",
        r#""slot_due","server":7,"rotation":"daily","snapshot":"own-1""#,
    );
    let made = record(
        2,
        "2026-01-31T03:09:00Z",
        r#""snapshot_completed","server":7,"snapshot":"own-1","id":801"#,
    );
    early(&home, "2026-01", &[&due, &made]);
    let checkpoint = record(
        3,
        "2026-02-01T03:00:00Z",
        r#""checkpoint","server":7,"history":{"rotations":[{"name":"daily","slots":[{"name":"own-1"}]}]}"#,
    );
    let delete = record(
        4,
        "2026-02-01T03:00:00Z",
        r#""delete_intent","server":7,"snapshot":"own-1","id":801,"reason":"it is beyond keep""#,
    );
    early(&home, "2026-02", &[&checkpoint, &delete]);
    let newest = lines(&home, &["--last", "2"]);
    assert_eq!(newest.len(), 2);
    assert!(newest[0].contains("snapshot_completed"), "{newest:?}");
    assert!(
        newest[1].contains("it is beyond keep; rotation daily"),
        "{newest:?}"
    );
    let of_rotation = lines(&home, &["--rotation", "daily", "--since", "2026-02-01"]);
    assert_eq!(of_rotation, newest[1..]);
}
