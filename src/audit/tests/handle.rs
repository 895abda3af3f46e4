//! The handle, on the real disk and on one that counts syncs.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;
use crate::audit::{Record, Trail, files_since, records, verify};

#[tokio::test]
async fn records_are_written_to_real_files_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("log/trail"), dir.path().join("state"));
    let now = at(NOVEMBER);
    let (trail, opened) = Trail::open(&logs, &state, "a", now, GRACE).unwrap();
    assert!(opened.histories.is_empty());
    trail.append(night(7)).await.unwrap();
    let second = trail.clone();
    trail.close().await;
    assert_eq!(second.append(night(7)).await, Err(TrailError::Closed));

    let (trail, opened) = Trail::open(&logs, &state, "b", now, GRACE).unwrap();
    assert_eq!((opened.histories.len(), opened.notices.len()), (1, 0));
    trail.append(vec![blocked(DECEMBER, "full")]).await.unwrap();
    trail.close().await;

    let verified = verify(&logs, &state).unwrap();
    assert_eq!((verified.problems.len(), verified.records), (0, 8));
    let files = files_since(&logs, None).unwrap();
    assert_eq!(records(files[1].clone()).count(), 3);
    let records = files.into_iter().flat_map(records);
    let records: Vec<Record> = records.collect::<Result<_, _>>().unwrap();
    assert_eq!(records.len(), 8);
    assert_eq!(
        (records[7].event.as_str(), records[7].run.as_str()),
        ("blocked", "b")
    );
    assert_eq!(records[7].server, Some(ServerId::from(7)));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = logs.join("audit-2026-12.jsonl");
    assert_eq!(mode(&file) & !0o640, 0);
    assert_eq!(mode(&logs) & !0o750, 0);
}

#[tokio::test]
async fn appends_fail_after_the_trail_is_removed_while_the_writer_has_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("log"), dir.path().join("state"));
    let (trail, _) = Trail::open(&logs, &state, "a", at(NOVEMBER), GRACE).unwrap();
    trail.append(night(7)).await.unwrap();
    std::fs::remove_file(logs.join("audit-2026-11.jsonl")).unwrap();
    assert!(trail.append(night(7)).await.is_err());
    trail.close().await;
    let (_, opened) = Trail::open(&logs, &state, "a", at(NOVEMBER), GRACE).unwrap();
    assert_eq!(opened.notices, [GlobalEvent::TrailLost { head: 5 }]);
}

#[tokio::test]
async fn one_sync_serves_all_waiting_appends() {
    let disk = MemoryDisk::default();
    let boxed = Box::new(disk.clone());
    let (trail, _) = Trail::open_on(boxed, audit(), state(), "a", at(NOVEMBER), GRACE).unwrap();
    trail.append(night(1)).await.unwrap();
    let before = disk.set().syncs;
    let appends = (0..500).map(|server| trail.append(night(server)));
    let mut all = Box::pin(join_all(appends));
    // While the disk is locked the writer can finish no group, and all appends wait.
    let held = disk.set();
    assert!((&mut all).now_or_never().is_none());
    drop(held);
    assert!(all.await.iter().all(Result::is_ok));
    let syncs = disk.set().syncs - before;
    assert!(syncs < 100, "{syncs} syncs for 500 appends");
    assert_eq!(trail.written(), 501 * 4);
    trail.close().await;
    let verified = check(&disk);
    assert_eq!(
        (verified.problems.len(), verified.records),
        (0, 1 + 501 * 4)
    );
}

#[tokio::test]
async fn a_disk_that_does_not_answer_is_reported_while_the_append_waits() {
    let disk = MemoryDisk::default();
    let boxed = Box::new(disk.clone());
    let (trail, _) = Trail::open_on(boxed, audit(), state(), "a", at(NOVEMBER), GRACE).unwrap();
    assert_eq!(trail.hangs_for(), Duration::ZERO);
    let mut append = Box::pin(trail.append(night(1)));
    let held = disk.set();
    assert!((&mut append).now_or_never().is_none());
    while trail.hangs_for() == Duration::ZERO {
        std::thread::yield_now();
    }
    drop(held);
    append.await.unwrap();
    assert_eq!(trail.hangs_for(), Duration::ZERO);
    trail.close().await;
}

#[tokio::test]
async fn records_of_two_months_in_one_group_go_to_the_later_months_file() {
    let disk = MemoryDisk::default();
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&night(1)).unwrap();
    let midnight = [
        blocked("2026-11-30T23:59:59Z", "full"),
        blocked(DECEMBER, "full"),
    ];
    writer.append(&midnight).unwrap();
    let november = disk.text(&november());
    assert_eq!(november.lines().count(), 1 + night(1).len());
    assert_eq!(
        disk.text(&december())
            .matches("\"blocked\",\"run\"")
            .count(),
        2
    );
    assert!(check(&disk).is_intact());
}

#[tokio::test]
async fn a_refused_entry_does_not_affect_other_appends() {
    let disk = MemoryDisk::default();
    let boxed = Box::new(disk.clone());
    let (trail, _) = Trail::open_inline(boxed, audit(), state(), "a", at(NOVEMBER), GRACE).unwrap();
    let mut homeless = night(1);
    homeless[0].server = None;
    assert!(trail.append(homeless).await.is_err());
    trail.append(night(2)).await.unwrap();
    assert!(check(&disk).is_intact());
    let second = trail.clone();
    trail.close().await;
    assert_eq!(second.append(night(2)).await, Err(TrailError::Closed));
}

#[tokio::test]
async fn readers_skip_the_half_line_that_is_being_written_and_report_other_bad_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("log"), dir.path().join("state"));
    let (trail, _) = Trail::open(&logs, &state, "a", at(NOVEMBER), GRACE).unwrap();
    trail.append(night(7)).await.unwrap();
    trail.close().await;
    let file = logs.join("audit-2026-11.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}spoilt\n{{\"seq\":6,")).unwrap();
    let records: Vec<_> = records(file).collect();
    assert_eq!(records.len(), 5 + 1);
    assert!(records[..5].iter().all(Result::is_ok));
    let broken = records[5].as_ref().unwrap_err().to_string();
    assert!(broken.contains("audit-2026-11.jsonl line 6: is not a record"));
}
