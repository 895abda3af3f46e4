//! Disks that fill up and fail while the process lives.

use super::*;
use crate::audit::mem::Crash;

#[test]
fn i6_a_full_disk_refuses_every_append_and_heals_by_itself() {
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
fn nothing_is_appended_on_top_of_a_half_line_that_cannot_be_cut_off() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    disk.set().room = Some(40);
    disk.set().no_truncate = true;
    assert!(writer.append(&[blocked(NOVEMBER, "no")]).is_err());
    disk.set().room = None;
    let error = writer.append(&[blocked(NOVEMBER, "no")]).unwrap_err();
    assert!(error.to_string().contains("cut a failed append off"));
    disk.set().no_truncate = false;
    writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
    assert!(check(&disk).is_intact());
    assert!(!disk.text(&november()).contains("\"no\""));
}

#[test]
fn i6_after_a_failed_sync_records_are_written_anew() {
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
fn a_month_that_cannot_begin_leaves_the_old_file_in_force() {
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
fn a_file_that_someone_else_writes_to_is_not_written_any_more() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    let whole = disk.text(&november());
    disk.put(&november(), &format!("{whole}x"));
    let error = writer.append(&[blocked(NOVEMBER, "no")]).unwrap_err();
    assert!(matches!(error, TrailError::Altered { .. }));
    assert!(error.to_string().contains("restart to read it anew"));
}

#[test]
fn a_head_that_cannot_be_written_stops_nothing() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    disk.take(&state().join("head"));
    writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
    // It is made anew as soon as it is missed.
    assert!(
        disk.text(&state().join("head"))
            .starts_with("00000000000000000010 ")
    );
}
