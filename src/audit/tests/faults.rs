//! Disks that fill up or fail while the process runs.

use super::*;
use crate::audit::memory_disk::Crash;

#[test]
fn i6_appends_fail_while_the_disk_is_full_and_succeed_once_there_is_room() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    let whole = disk.text(&november());
    disk.set().room = Some(40);
    for _ in 0..3 {
        let error = writer.append(&[blocked(NOVEMBER, "no")]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/audit/audit-2026-11.jsonl: can't append")
        );
        assert_eq!(disk.text(&november()), whole);
    }
    disk.set().room = None;
    writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
    assert!(check(&disk).is_intact());
    assert_eq!(check(&disk).records, 10);
}

#[test]
fn nothing_is_appended_after_a_partial_line_that_cannot_be_cut_off() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    disk.set().room = Some(40);
    disk.set().no_truncate = true;
    assert!(writer.append(&[blocked(NOVEMBER, "no")]).is_err());
    disk.set().room = None;
    let error = writer.append(&[blocked(NOVEMBER, "no")]).unwrap_err();
    assert!(error.to_string().contains("cut off a failed append"));
    disk.set().no_truncate = false;
    writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
    assert!(check(&disk).is_intact());
    assert!(!disk.text(&november()).contains("\"no\""));
}

#[test]
fn i6_records_are_rewritten_after_a_failed_sync() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    disk.set().failing_syncs = 1;
    let entry = blocked(NOVEMBER, "precious");
    assert!(writer.append(std::slice::from_ref(&entry)).is_err());
    writer.append(&[entry]).unwrap();
    disk.crash(Crash::Lost);
    assert!(disk.text(&november()).contains("precious"));
    let (_, opened) = start(&disk).unwrap();
    assert_eq!(opened.notices, []);
    assert!(check(&disk).is_intact());
}

#[test]
fn i6_records_that_a_killed_process_left_unsynced_are_synced_before_anything_is_appended() {
    // The failed sync is reported to a process that continues, or to one that ends because of it.
    for restarts in [false, true] {
        let disk = some_nights();
        let (mut writer, _) = start(&disk).unwrap();
        disk.set().changes_left = Some(1);
        let unsynced = blocked(NOVEMBER, "written, not synced");
        assert!(writer.append(&[unsynced]).is_err());
        disk.crash(Crash::Killed);
        disk.set().failing_syncs = 1;
        let (mut writer, _) = start(&disk).unwrap();
        assert_eq!(disk.set().failing_syncs, 0);
        if restarts {
            (writer, _) = start(&disk).unwrap();
        }
        writer.append(&[blocked(DECEMBER, "on")]).unwrap();
        disk.crash(Crash::Lost);
        let found = check(&disk);
        assert!(found.is_intact(), "{restarts}: {:?}", found.problems);
        assert_eq!(found.files.len(), 2);
        assert!(disk.text(&november()).contains("written, not synced"));
    }
}

#[test]
fn records_up_to_the_head_are_on_the_disk_and_are_not_rewritten() {
    let disk = some_nights();
    let (head, text) = (state().join("head"), disk.text(&november()));
    disk.set().no_overwrite = true;
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(NOVEMBER, "on")]).unwrap();
    assert!(disk.text(&november()).starts_with(&text));
    // Only the head could not be overwritten.
    assert!(disk.text(&head).starts_with(&format!("{:020} ", 9)));
}

#[test]
fn records_after_the_head_are_rewritten_in_one_batch_and_only_if_they_are_unchanged() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    let many: Vec<Entry> = (0..50).map(|n| blocked(NOVEMBER, &n.to_string())).collect();
    let head = disk.text(&state().join("head"));
    writer.append(&many).unwrap();
    disk.put(&state().join("head"), &head);
    let before = disk.set().changes;
    let (mut writer, _) = start(&disk).unwrap();
    let changes = disk.set().changes - before;
    assert!(changes < 10, "{changes} changes for 50 records");
    writer.append(&[blocked(NOVEMBER, "on")]).unwrap();
    assert!(check(&disk).is_intact());

    // The changed line has the same length: only its hash reveals the change.
    disk.put(&state().join("head"), &head);
    disk.set().failing_syncs = 1;
    let (mut writer, _) = start(&disk).unwrap();
    let other = disk.text(&november()).replace("\"on\"", "\"no\"");
    disk.put(&november(), &other);
    let error = writer.append(&[blocked(NOVEMBER, "more")]).unwrap_err();
    assert!(matches!(error, TrailError::Altered { .. }), "{error}");
}

#[test]
fn records_that_changed_after_they_were_read_are_not_rewritten() {
    let disk = some_nights();
    let whole = disk.text(&november());
    let head = disk.text(&state().join("head"));
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(NOVEMBER, "forgotten")]).unwrap();
    disk.put(&state().join("head"), &head);
    disk.set().failing_syncs = 1;
    let (mut writer, _) = start(&disk).unwrap();
    // The cache drops what the failed sync did not write.
    let forgotten = disk.text(&november()).len() - whole.len();
    let zeros = "\0".repeat(forgotten);
    disk.put(&november(), &format!("{whole}{zeros}"));
    let error = writer.append(&[blocked(NOVEMBER, "no")]).unwrap_err();
    assert!(matches!(error, TrailError::Altered { .. }), "{error}");
    let (mut writer, opened) = start(&disk).unwrap();
    assert!(matches!(opened.notices[..], [GlobalEvent::TornTail { .. }]));
    writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
    assert!(check(&disk).is_intact());
}

#[test]
fn a_month_whose_file_cannot_be_written_leaves_the_old_file_in_use() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    disk.set().room = Some(600);
    assert!(writer.append(&[blocked(DECEMBER, "no")]).is_err());
    let (_, opened) = start(&disk).unwrap();
    assert_eq!((opened.histories.len(), opened.notices.len()), (2, 0));
    disk.set().room = None;
    writer.append(&[blocked(DECEMBER, "yes")]).unwrap();
    assert_eq!(check(&disk).files.len(), 2);
    assert!(check(&disk).is_intact());
}

#[test]
fn a_trail_file_that_somebody_else_changed_is_no_longer_written() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    let whole = disk.text(&november());
    disk.put(&november(), &format!("{whole}x"));
    let error = writer.append(&[blocked(NOVEMBER, "no")]).unwrap_err();
    assert!(matches!(error, TrailError::Altered { .. }));
    assert!(
        error
            .to_string()
            .contains("start the service or run the command again")
    );
}

#[test]
fn a_deleted_head_is_recreated_by_the_next_append() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    disk.take(&state().join("head"));
    writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
    assert!(
        disk.text(&state().join("head"))
            .starts_with("00000000000000000010 ")
    );
}

#[test]
fn an_unwritable_head_lags_behind_stops_no_append_and_is_logged_once() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let told = || {
        let text = std::fs::read_to_string(log.path()).unwrap();
        text.matches("/state/head: can't be written").count()
    };
    let to_log = tracing_subscriber::fmt()
        .with_writer(std::sync::Arc::new(log.reopen().unwrap()))
        .finish();
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    let head = || disk.text(&state().join("head"));
    let before = head();
    tracing::subscriber::with_default(to_log, || {
        // Nothing is logged while the head can be written. Each run of failures is logged once.
        for (fails, tells) in [
            (false, 0),
            (true, 1),
            (true, 1),
            (true, 1),
            (false, 1),
            (true, 2),
        ] {
            disk.set().no_overwrite = fails;
            let old = head();
            writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
            assert_eq!(head() == old, fails);
            assert_eq!(told(), tells);
        }
    });
    assert_ne!(head(), before);
    assert!(check(&disk).is_intact());
    assert_eq!(start(&disk).unwrap().1.notices, []);
}
