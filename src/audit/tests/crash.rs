//! Crashes at every point, and losses that no crash explains.

use super::*;
use crate::audit::memory_disk::Crash;

const CRASHES: [Crash; 4] = [Crash::Killed, Crash::Lost, Crash::Torn, Crash::Holes];

/// Runs the nth process, which records pairs of entries across the end of a month and may die.
/// Returns what was acknowledged.
fn life(disk: &MemoryDisk, nth: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok((mut writer, _)) = start(disk) else {
        return acknowledged;
    };
    for (time, word) in [
        (NOVEMBER, "one"),
        (NOVEMBER, "two"),
        (DECEMBER, "three"),
        (DECEMBER, "four"),
    ] {
        let word = format!("{word} of life {nth}");
        let pair = [blocked(time, &word), blocked(time, "and more of it")];
        if writer.append(&pair).is_ok() {
            acknowledged.push(word);
        }
    }
    writer.finish();
    acknowledged
}

/// Asserts that the next start finds all that was acknowledged, and no damage except a torn tail.
fn survives(disk: &MemoryDisk, acknowledged: &[String], holes: bool, place: &str) {
    let (mut writer, opened) = start(disk).unwrap_or_else(|e| panic!("{place}: {e}"));
    for notice in &opened.notices {
        let torn = matches!(notice, GlobalEvent::TornTail { .. });
        assert!(torn, "{place}: {notice:?}");
    }
    // Nothing relied on a half-written line; only lines after a hole count as a loss.
    assert!(!opened.hold_creates || holes, "{place}");
    writer.append(&[blocked(DECEMBER, "last")]).unwrap();
    let verified = check(disk);
    assert!(verified.is_intact(), "{place}: {:?}", verified.problems);
    assert_eq!(verified.torn, None);
    let text: String = (verified.files.iter())
        .map(|file| disk.text(&audit().join(file)))
        .collect();
    for word in acknowledged {
        let kept = text.contains(&format!("\"reason\":\"{word}\""));
        assert!(kept, "{place}: {word}");
    }
}

/// Runs two processes, each of which crashes after the given number of changes, and checks what is
/// left.
fn two_lives(ends: [(u64, Crash); 2]) {
    let disk = MemoryDisk::default();
    let mut acknowledged = Vec::new();
    for (nth, (left, how)) in ends.into_iter().enumerate() {
        disk.set().changes_left = Some(left);
        acknowledged.extend(life(&disk, nth));
        disk.crash(how);
    }
    let holes = ends.iter().any(|(_, how)| *how == Crash::Holes);
    survives(&disk, &acknowledged, holes, &format!("{ends:?}"));
}

#[test]
fn i6_a_power_loss_soon_after_a_kill_loses_no_acknowledged_record() {
    let counted = MemoryDisk::default();
    life(&counted, 0);
    let changes = counted.set().changes;
    for (first, second) in (0..changes).flat_map(|first| (0..14).map(move |second| (first, second)))
    {
        for how in CRASHES {
            two_lives([(first, Crash::Killed), (second, how)]);
        }
    }
}

#[test]
fn i6_failed_syncs_between_a_kill_and_a_power_loss_lose_no_acknowledged_record() {
    let counted = MemoryDisk::default();
    life(&counted, 0);
    let changes = counted.set().changes;
    for first in 0..changes {
        // In some cases the second process dies early, and the third one finds its state.
        for (second, fails) in [(u64::MAX, 1), (u64::MAX, 2), (2, 1), (3, 1), (4, 1), (5, 2)] {
            for how in CRASHES {
                let disk = MemoryDisk::default();
                let mut acknowledged = Vec::new();
                for (nth, left) in [first, second, u64::MAX].into_iter().enumerate() {
                    disk.set().changes_left = Some(left);
                    acknowledged.extend(life(&disk, nth));
                    disk.crash(if nth == 2 { how } else { Crash::Killed });
                    disk.set().failing_syncs = if nth == 0 { fails } else { 0 };
                }
                let place = format!("{first}, {second}, {fails}, {how:?}");
                survives(&disk, &acknowledged, how == Crash::Holes, &place);
            }
        }
    }
}

#[test]
fn i6_no_crash_anywhere_loses_an_acknowledged_record_or_raises_a_false_alarm() {
    let counted = MemoryDisk::default();
    assert_eq!(life(&counted, 0).len(), 4);
    let changes = counted.set().changes;
    assert!(changes > 20);
    // In some cases the second process dies early, while it repairs what a crash left.
    for (first, second) in (0..changes).flat_map(|f| [(f, u64::MAX), (f, 1), (f, 3), (f, 5)]) {
        for how in CRASHES {
            two_lives([(first, how), (second, how)]);
        }
    }
}

#[test]
fn a_torn_tail_is_set_aside_and_recorded() {
    let disk = some_nights();
    let whole = disk.text(&november());
    disk.put(&november(), &format!("{whole}{{\"seq\":10,\"ti"));
    let verified = check(&disk);
    assert!(verified.is_intact());
    assert!(verified.torn.unwrap().contains("line 10"));

    let (mut writer, opened) = start(&disk).unwrap();
    let file = "audit-2026-11.jsonl.torn-1".to_owned();
    let notice = GlobalEvent::TornTail {
        file: file.clone(),
        bytes: 13,
        whole: false,
    };
    assert_eq!(opened.notices, [notice]);
    assert!(!opened.hold_creates);
    assert_eq!(disk.text(&audit().join(file)), "{\"seq\":10,\"ti");
    assert_eq!(disk.text(&november()), whole);
    writer.append(&[blocked(NOVEMBER, "on")]).unwrap();
    assert!(disk.text(&november()).contains("\"event\":\"torn_tail\""));
    let verified = check(&disk);
    assert!(verified.is_intact());
    assert_eq!((verified.torn, verified.notices.len()), (None, 1));
    assert_eq!(start(&disk).unwrap().1.notices, []);
}

#[test]
fn with_a_torn_tail_on_a_full_disk_appends_fail_until_there_is_space() {
    let disk = some_nights();
    let whole = disk.text(&november());
    disk.put(&november(), &format!("{whole}{{\"seq\":10,\"ti"));
    disk.set().room = Some(3);
    let (mut writer, opened) = start(&disk).unwrap();
    assert_eq!(opened.notices.len(), 1);
    assert!(writer.append(&[blocked(NOVEMBER, "no")]).is_err());
    disk.set().room = None;
    writer.append(&[blocked(NOVEMBER, "yes")]).unwrap();
    assert!(check(&disk).is_intact());
}

#[test]
fn a_cut_tail_is_noticed_holds_creates_and_is_recorded_once() {
    for cut in [1, 300] {
        let disk = some_nights();
        let whole = disk.text(&november());
        disk.put(&november(), &whole[..whole.len() - cut]);
        assert!(check(&disk).problems[0].contains("the tail is cut"));

        let (mut writer, opened) = start(&disk).unwrap();
        assert!(opened.hold_creates);
        let cut = |w: &GlobalEvent| matches!(w, GlobalEvent::TailCut { head: 9, .. });
        assert!(opened.notices.iter().any(cut), "{:?}", opened.notices);
        // Killed before anything was recorded: the cut is found again.
        let (_, again) = start(&disk).unwrap();
        assert!(again.hold_creates);
        // Killed before the head was moved: the cut is recorded already, and the hold applies.
        let head = disk.text(&state().join("head"));
        writer.append(&[blocked(NOVEMBER, "on")]).unwrap();
        disk.put(&state().join("head"), &head);
        let (_, again) = start(&disk).unwrap();
        assert_eq!(again.notices, []);
        assert_eq!(again.hold_since, Some(at(NOVEMBER)));
        // Verification still shows the gap.
        assert!(!check(&disk).is_intact());
    }
}

#[test]
fn a_tail_that_was_replaced_is_noticed() {
    let disk = some_nights();
    let other = MemoryDisk::default();
    let (mut writer, _) = start(&other).unwrap();
    for n in 0..20 {
        writer.append(&[blocked(NOVEMBER, &n.to_string())]).unwrap();
    }
    disk.put(&november(), &other.text(&november()));
    assert!(check(&disk).problems[0].contains("record 9 is not the one that was written"));
    let (mut writer, opened) = start(&disk).unwrap();
    assert!(opened.hold_creates);
    // None of it is known to be on the disk, so all of it is written again before it is used.
    writer.append(&[blocked(NOVEMBER, "on")]).unwrap();
    assert!(disk.text(&november()).ends_with('\n'));
    assert!(disk.text(&november()).contains("tail_cut"));
}

#[test]
fn a_lost_trail_is_noticed_and_record_numbers_continue_after_the_head() {
    let disk = some_nights();
    let old = disk.take(&november());
    let lost = GlobalEvent::TrailLost { head: 9 };
    let (mut writer, opened) = start(&disk).unwrap();
    assert_eq!(opened.notices, [lost]);
    assert!(opened.hold_creates);
    writer.append(&[blocked(DECEMBER, "on")]).unwrap();
    let (_, again) = start(&disk).unwrap();
    assert_eq!(
        (again.notices.len(), again.hold_since),
        (0, Some(at(DECEMBER)))
    );
    assert!(check(&disk).problems[0].contains("all earlier records are missing"));
    // The old file, found again, fits before the new one.
    disk.put(&november(), &old);
    assert_eq!(check(&disk).problems.len(), 1);
}

#[test]
fn i6_no_crash_hides_that_the_trail_was_lost() {
    for (left, spoilt_head) in (0..14).flat_map(|left| [(left, false), (left, true)]) {
        for how in CRASHES {
            let disk = some_nights();
            disk.take(&november());
            if spoilt_head {
                disk.put(&state().join("head"), "");
            }
            disk.set().changes_left = Some(left);
            if let Ok((mut writer, _)) = start(&disk) {
                let _ = writer.append(&[blocked(NOVEMBER, "on")]);
            }
            disk.crash(how);
            let opened = start(&disk);
            // Without a head a hole can't be distinguished from a change.
            let shut = spoilt_head && how == Crash::Holes && opened.is_err();
            let place = format!("{how:?} after {left} changes, head spoilt: {spoilt_head}");
            assert!(shut || opened.unwrap().1.hold_since.is_some(), "{place}");
        }
    }
}

#[test]
fn a_lost_or_unreadable_head_is_noticed() {
    for unreadable in [false, true] {
        let disk = some_nights();
        disk.take(&state().join("head"));
        if unreadable {
            disk.put(&state().join("head"), &"x".repeat(200));
        }
        let (mut writer, opened) = start(&disk).unwrap();
        assert_eq!(opened.notices, [GlobalEvent::HeadLost { last: 9 }]);
        assert!(opened.hold_creates);
        writer.append(&[blocked(NOVEMBER, "on")]).unwrap();
        let (_, again) = start(&disk).unwrap();
        assert_eq!((again.notices.len(), again.hold_creates), (0, false));
        assert_eq!(check(&disk).notices.len(), 1);
    }
}

#[test]
fn a_head_that_lags_raises_no_alarm() {
    let disk = some_nights();
    let old = disk.text(&state().join("head"));
    let (mut writer, _) = start(&disk).unwrap();
    writer.append(&[blocked(NOVEMBER, "on")]).unwrap();
    writer.append(&[blocked(DECEMBER, "and on")]).unwrap();
    disk.put(&state().join("head"), &old);
    let (_, opened) = start(&disk).unwrap();
    assert_eq!((opened.notices.len(), opened.hold_creates), (0, false));
    assert!(check(&disk).is_intact());
}

#[test]
fn a_first_start_reports_no_damage_and_does_not_hold_creates() {
    let (_, opened) = start(&MemoryDisk::default()).unwrap();
    assert_eq!((opened.notices.len(), opened.hold_creates), (0, false));
    assert_eq!(opened.hold_since, None);
}
