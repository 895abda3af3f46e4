//! The facts that a start reports for the witness, and the last durable record that the handle
//! reports.

use super::*;
use crate::audit::Trail;

fn witnessed(time: &str, record: u64) -> Entry {
    let (key, to) = ("k+00000000".to_owned(), vec!["journal".to_owned()]);
    global(time, GlobalEvent::Witnessed { record, key, to })
}

#[test]
fn a_start_reports_whether_anything_was_ever_recorded() {
    let disk = MemoryDisk::default();
    let (mut writer, opened) = start(&disk).unwrap();
    assert!(opened.begins);
    // Killed after the head was created, before the first record.
    writer.mend().unwrap();
    let (mut writer, opened) = start(&disk).unwrap();
    assert!(opened.begins);
    writer.append(&night(7)).unwrap();
    assert!(!start(&disk).unwrap().1.begins);
    // A head without files, or files without a readable head, mean that something was lost.
    disk.take(&november());
    let (_, opened) = start(&disk).unwrap();
    assert_eq!((opened.begins, opened.notices.len()), (false, 1));
    let disk = some_nights();
    disk.put(&state().join("head"), "nonsense");
    assert!(!start(&disk).unwrap().1.begins);
}

#[test]
fn a_start_finds_how_far_the_last_checkpoint_of_this_month_reaches() {
    let disk = some_nights();
    let (mut writer, opened) = start(&disk).unwrap();
    assert_eq!(opened.sealed, None);
    let last = writer.mark().unwrap().seq;
    writer.append(&[witnessed(NOVEMBER, last)]).unwrap();
    let sealed = |disk: &MemoryDisk| {
        let sealed = start(disk).unwrap().1.sealed?;
        Some((sealed.at, sealed.covers, sealed.file))
    };
    let november = "audit-2026-11.jsonl".to_owned();
    let wanted = Some((at(NOVEMBER), last + 1, november));
    assert_eq!(sealed(&disk), wanted);
    // Another record lies between the two.
    writer
        .append(&[blocked(NOVEMBER, "full"), witnessed(NOVEMBER, last + 1)])
        .unwrap();
    assert_eq!(sealed(&disk), wanted);
    writer.append(&[blocked(DECEMBER, "full")]).unwrap();
    assert_eq!(sealed(&disk), None);
}

#[tokio::test]
async fn the_handle_reports_the_last_durable_record() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("log"), dir.path().join("state"));
    let (trail, opened) = Trail::open(&logs, &state, "a", at(NOVEMBER), GRACE).unwrap();
    assert!(opened.begins);
    assert_eq!(trail.last(), None);
    trail.append(night(7)).await.unwrap();
    let last = trail.last().expect("a record");
    assert_eq!((last.seq, last.file.as_str()), (5, "audit-2026-11.jsonl"));
    std::fs::remove_file(logs.join("audit-2026-11.jsonl")).unwrap();
    assert!(trail.append(night(7)).await.is_err());
    assert_eq!(trail.last(), Some(last));
}
