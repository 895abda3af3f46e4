//! The reports that the trail records, over restarts and months.

use super::*;
use crate::core::report_period::{ReportHistory, ReportInterval};

fn planned() -> GlobalEvent {
    GlobalEvent::ReportPlanned {
        receiver: "ops".to_owned(),
        interval: ReportInterval::Weekly,
    }
}

fn made(until: &str, size_mb: Option<u64>) -> GlobalEvent {
    GlobalEvent::ReportMade {
        receiver: "ops".to_owned(),
        interval: ReportInterval::Weekly,
        from: at("2026-11-16T06:00:00Z"),
        until: at(until),
        missed: 0,
        size_mb,
    }
}

#[test]
fn a_start_finds_the_reports_of_each_receiver_also_if_only_the_next_month_s_file_is_left() {
    let disk = MemoryDisk::default();
    let (mut writer, opened) = start(&disk).unwrap();
    assert!(opened.reports.is_empty());
    let until = "2026-11-23T06:00:00Z";
    let entries = [planned(), made(until, Some(5120)), made(until, None)];
    let entries = entries.map(|event| global(NOVEMBER, event));
    writer.append(&entries).unwrap();
    let mut history = ReportHistory::default();
    history.note(at(NOVEMBER));
    history.note(at(until));
    history.note(at(until));
    // A report without sizes keeps the last known size.
    history.size_mb = Some(5120);
    let wanted = [("ops".to_owned(), history)].into();
    let (_, before) = start(&disk).unwrap();
    assert_eq!(before.reports, wanted);

    let reason = "SIGTERM".to_owned();
    let stopped = global(DECEMBER, GlobalEvent::DaemonStopped { reason });
    writer.append(&[stopped]).unwrap();
    disk.take(&november());
    let (_, after) = start(&disk).unwrap();
    assert_eq!(after.reports, wanted);
}
