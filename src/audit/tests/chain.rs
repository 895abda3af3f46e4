//! The format, the chain across months, and the state that a start reads back.

use std::sync::Arc;

use super::*;
use crate::audit::chain::{Hash, TOO_MANY};
use crate::core::order_terms::OrderTerms;
use crate::core::pause::Pause;
use crate::core::server_event::{AlertKind, RecordedAt};
use crate::core::server_history::ServerHistory;

#[test]
fn a_line_has_its_keys_in_order_and_ends_with_the_hash_of_what_precedes_it() {
    let disk = MemoryDisk::default();
    let (mut writer, _) = start(&disk).unwrap();
    let mut entry = event(
        NOVEMBER,
        7,
        ServerEvent::DeleteResult {
            id: SnapshotId::from(3),
            outcome: Outcome::Later,
        },
    );
    entry.extra = Details {
        policy: None,
        status: Some(409),
        error: Some("busy".to_owned()),
        duration_ms: Some(12),
    };
    writer.append(&[entry]).unwrap();
    let text = disk.text(&november());
    let line = text.lines().nth(1).unwrap();
    let expected = r#"{"seq":2,"time":"2026-11-24T03:00:00Z","event":"delete_result","run":"run-1","server":7,"id":3,"outcome":"later","status":409,"error":"busy","duration_ms":12,"prev":""#;
    assert_eq!(&line[..expected.len()], expected);
    let (body, hash) = line.split_at(line.len() - 75);
    assert_eq!(
        hash,
        format!(",\"hash\":\"{}\"}}", Hash::of(body.as_bytes()))
    );
}

#[test]
fn a_restart_rebuilds_the_same_histories_as_applying_the_events_directly() {
    let disk = some_nights();
    let (_, opened) = start(&disk).unwrap();
    let mut expected = ServerHistory::default();
    for entry in night(7) {
        let Event::Server(event) = &entry.event else {
            unreachable!()
        };
        let when = RecordedAt {
            wall: entry.time,
            mono: None,
        };
        expected.apply(event, when, GRACE);
    }
    assert!(expected.open.is_some());
    assert_eq!(opened.histories[&ServerId::from(7)], expected);
    assert_eq!(opened.histories.len(), 2);
    assert_eq!((opened.notices.len(), opened.hold_creates), (0, false));
}

#[test]
fn a_new_month_begins_with_checkpoints_that_hold_the_state_of_all_earlier_records() {
    let disk = some_nights();
    let alert = |about: &str| GlobalEvent::AlertRaised {
        alert: "token_refused".to_owned(),
        about: about.to_owned(),
        text: "401".to_owned().into(),
    };
    let (mut writer, _) = start(&disk).unwrap();
    let stuck = ServerEvent::AlertRaised {
        alert: AlertKind::Stuck,
        about: "weekly-snapshot-2026-11-24".to_owned(),
        text: "in progress for an hour".to_owned().into(),
    };
    let entries = [
        global(NOVEMBER, alert("one")),
        global(NOVEMBER, alert("two")),
        global(
            NOVEMBER,
            GlobalEvent::AlertCleared {
                alert: "token_refused".to_owned(),
                about: "one".to_owned(),
            },
        ),
        event(NOVEMBER, 7, stuck),
    ];
    writer.append(&entries).unwrap();
    let (_, before) = start(&disk).unwrap();
    writer
        .append(&[global(
            DECEMBER,
            GlobalEvent::DaemonStopped {
                reason: "SIGTERM".to_owned(),
            },
        )])
        .unwrap();

    disk.take(&november());
    let (_, after) = start(&disk).unwrap();
    assert_eq!(after.histories, before.histories);
    assert_eq!(after.global_alerts, before.global_alerts);
    assert_eq!(after.global_alerts.len(), 1);
    let since = after
        .global_alerts
        .values()
        .next()
        .and_then(|alert| alert.since);
    assert_eq!(since, Some(at(NOVEMBER)));
    assert!(after.last > since, "the previous process ended later");
    assert_eq!(after.notices, []);
    let verified = check(&disk);
    assert_eq!(verified.problems, Vec::<String>::new());
    assert_eq!(verified.records, 4);
}

#[test]
fn a_pause_of_all_servers_lasts_into_the_next_month_and_each_history_records_its_end() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    writer
        .append(&[global(NOVEMBER, GlobalEvent::Paused(OrderTerms::default()))])
        .unwrap();
    writer.append(&[blocked(DECEMBER, "one")]).unwrap();
    disk.take(&november());
    let (mut writer, opened) = start(&disk).unwrap();
    let paused = Some(Arc::new(Pause::since(at(NOVEMBER))));
    assert_eq!(opened.paused, paused);
    for history in opened.histories.values() {
        assert_eq!(history.all_paused, paused);
    }
    writer
        .append(&[global(DECEMBER, GlobalEvent::Resumed { by: None })])
        .unwrap();
    let (_, opened) = start(&disk).unwrap();
    assert_eq!(opened.paused, None);
    let servers: Vec<_> = opened.histories.into_values().collect();
    assert_eq!(servers.len(), 2);
    for history in servers {
        assert_eq!(history.all_paused, None);
        let pause = history.last_pause.expect("it was paused");
        assert_eq!((pause.from, pause.until), (at(NOVEMBER), at(DECEMBER)));
    }
}

#[test]
fn the_chain_continues_across_months() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(DECEMBER, "later")]).unwrap();
    let verified = check(&disk);
    assert!(verified.is_intact(), "{:?}", verified.problems);
    assert_eq!(
        verified.files,
        ["audit-2026-11.jsonl", "audit-2026-12.jsonl"]
    );
    assert_eq!(verified.records, 9 + 4);
    assert_eq!(
        (verified.first, verified.last),
        (Some(at(NOVEMBER)), Some(at(DECEMBER)))
    );

    // Without the last line of the older file, only the newer one shows the loss.
    let text = disk.text(&november());
    let cut = text.trim_end().rfind('\n').unwrap() + 1;
    disk.put(&november(), &text[..cut]);
    assert_eq!(check(&disk).problems.len(), 1);
}

#[test]
fn records_stay_in_the_newest_file_when_the_clock_goes_back_a_month() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(DECEMBER, "one")]).unwrap();
    writer.append(&[blocked(NOVEMBER, "two")]).unwrap();
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(NOVEMBER, "three")]).unwrap();
    assert_eq!(disk.text(&november()).lines().count(), 9);
    assert_eq!(disk.text(&december()).lines().count(), 3 + 3);
    assert!(check(&disk).is_intact());
}

#[test]
fn a_changed_dropped_or_moved_line_is_detected_and_the_trail_does_not_open() {
    let disk = some_nights();
    let text = disk.text(&november());
    let lines: Vec<&str> = text.lines().collect();
    let changed = lines[4].replace("801", "802");
    let mut change = lines.clone();
    change[4] = &changed;
    let mut drop = lines.clone();
    drop.remove(4);
    let mut swap = lines.clone();
    swap.swap(4, 5);
    for (edited, line) in [(change, 5), (drop, 5), (swap, 5)] {
        disk.put(&november(), &format!("{}\n", edited.join("\n")));
        let verified = check(&disk);
        assert!(verified.problems[0].contains(&format!("audit-2026-11.jsonl line {line}:")));
        assert_eq!(verified.torn, None);
        let Err(error) = start(&disk).map(|_| ()) else {
            panic!("opened with a broken line")
        };
        let error = error.to_string();
        assert!(
            error.contains("/audit/audit-2026-11.jsonl line 5: "),
            "{error}"
        );
        assert!(error.contains("snaprotate audit verify"), "{error}");
    }
    // After the file is moved aside as the message says, the trail opens and reports the loss.
    disk.take(&november());
    let (_, opened) = start(&disk).unwrap();
    assert_eq!(opened.notices, [GlobalEvent::TrailLost { head: 9 }]);
}

#[test]
fn a_changed_line_with_a_recomputed_hash_breaks_the_chain_at_the_next_line() {
    let disk = some_nights();
    let text = disk.text(&november());
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let body = lines[4][..lines[4].len() - 75].replace("801", "802");
    lines[4] = format!("{body},\"hash\":\"{}\"}}", Hash::of(body.as_bytes()));
    disk.put(&november(), &format!("{}\n", lines.join("\n")));
    assert!(check(&disk).problems[0].contains("line 6: its prev is not the hash of record 5"));
    assert!(start(&disk).is_err());
}

#[test]
fn a_trail_with_an_event_of_a_newer_version_does_not_open() {
    let disk = some_nights();
    let text = disk.text(&november());
    let last = text.lines().last().unwrap();
    let body = last[..last.len() - 75].replace("create_result", "create_undone");
    let line = format!("{body},\"hash\":\"{}\"}}", Hash::of(body.as_bytes()));
    disk.put(&november(), &text.replace(last, &line));
    // Without a readable head no record is known to be durable. The trail still does not open.
    disk.put(&state().join("head"), "");
    let error = start(&disk).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("create_undone can't be read"), "{error}");
}

#[test]
fn a_missing_first_line_is_detected_even_if_older_files_are_archived() {
    let disk = some_nights();
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(DECEMBER, "later")]).unwrap();
    disk.take(&november());
    assert!(check(&disk).is_intact());
    let text = disk.text(&december());
    let (_, rest) = text.split_once('\n').unwrap();
    disk.put(&december(), rest);
    let problems = check(&disk).problems;
    assert!(
        problems[0].contains("the records before it are missing"),
        "{problems:?}"
    );
    assert!(start(&disk).is_err());
}

#[test]
fn an_impossible_record_number_is_rejected() {
    for seq in [0, TOO_MANY, u64::MAX] {
        let disk = single(r#""event":"checkpoint","alerts":[]"#, seq);
        let found = check(&disk);
        let mut told = found.problems.iter().chain(&found.torn);
        assert!(
            told.any(|line| line.ends_with("has an invalid seq")),
            "{found:?}"
        );
        assert!(start(&disk).is_err());
    }
}

#[test]
fn text_from_a_forged_record_is_sanitized_and_reported_on_one_line() {
    let disk = single(r#""event":"\u001b[31m\nred""#, 1);
    let error = start(&disk).map(|_| ()).unwrap_err().to_string();
    assert!(!error.contains(char::is_control), "{error:?}");
    let aside = "x\u{202e}".repeat(500);
    let fields = format!(r#""event":"torn_tail","file":"{aside}","bytes":3,"whole":false"#);
    let found = check(&single(&fields, 1));
    assert!(found.is_intact(), "{found:?}");
    assert!(!found.notices[0].contains('\u{202e}'), "{found:?}");
    assert!(found.notices[0].len() < 500, "{found:?}");
}

#[test]
fn the_checkpoints_of_thousands_of_servers_are_written_in_a_few_pieces_and_read_back() {
    let disk = MemoryDisk::default();
    let (mut writer, _) = start(&disk).unwrap();
    let all: Vec<Entry> = (1..=3_000).flat_map(night).collect();
    writer.append(&all).unwrap();
    let before = disk.set().changes;
    writer.append(&[blocked(DECEMBER, "one")]).unwrap();
    let changes = disk.set().changes - before;
    assert!(changes < 20, "{changes} changes to begin a file");
    assert_eq!(disk.text(&december()).lines().count(), 1 + 3_000 + 1);
    assert!(
        disk.text(&december()).len() > 1 << 20,
        "more than one piece"
    );
    writer.append(&[blocked(DECEMBER, "two")]).unwrap();
    let (_, opened) = start(&disk).unwrap();
    assert_eq!(opened.histories.len(), 3_000);
}
