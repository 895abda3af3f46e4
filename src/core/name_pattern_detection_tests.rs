//! Names of snapshots that rotate, and of snapshots that do not.

use jiff::Timestamp;

use super::{DetectedPattern, TimeSource, recognise};
use crate::core::schedule::Schedule;
use crate::core::snapshot::{Snapshot, SnapshotId, Status};

/// Returns completed snapshots with these names, in this order. The first ones have the creation
/// dates in `made`, the others have none.
pub(super) fn rows(names: &[&str], made: &[&str]) -> Vec<Snapshot> {
    let times = made.iter().map(Some).chain(std::iter::repeat(None));
    let rows = names.iter().zip(times).zip(1..);
    rows.map(|((name, made), id)| Snapshot {
        uuid: None,
        id: SnapshotId::from(id),
        name: (*name).to_owned(),
        status: Status::Completed,
        created_at: made.map(|made| made.parse::<Timestamp>().expect("a time")),
    })
    .collect()
}

pub(super) fn found(names: &[&str]) -> Vec<DetectedPattern> {
    recognise(&rows(names, &[]))
}

pub(super) fn said(found: &[DetectedPattern]) -> Vec<String> {
    let said = found.iter().map(|one| {
        let DetectedPattern {
            rotation,
            pattern,
            schedule,
            keep,
            ..
        } = one;
        format!("{rotation} {pattern} [{schedule}] keep {keep}")
    });
    said.collect()
}

#[test]
fn usual_forms_are_recognised_with_schedule_and_keep() {
    let cases: [(&[&str], &str); 17] = [
        (
            &["weekly-snapshot-2026-11-15", "weekly-snapshot-2026-11-22"],
            "weekly weekly-snapshot-%Y-%m-%d [0 3 * * Sun] keep 2",
        ),
        (
            &["backup_20261121", "backup_20261122", "backup_20261123"],
            "daily backup_%Y%m%d [0 3 * * *] keep 3",
        ),
        (
            &["daily-2026-11-22-0300", "daily-2026-11-23-0300"],
            "daily daily-%Y-%m-%d-%H%M [0 3 * * *] keep 2",
        ),
        // One slot was missed.
        (
            &[
                "nightly-2026-11-19",
                "nightly-2026-11-20",
                "nightly-2026-11-22",
            ],
            "nightly nightly-%Y-%m-%d [0 3 * * *] keep 3",
        ),
        // A script that began a few minutes later each time.
        (
            &[
                "db_20261122_041702",
                "db_20261123_041931",
                "db_20261124_042259",
            ],
            "daily db_%Y%m%d_%H%M%S [15 4 * * *] keep 3",
        ),
        (
            &["20261122T0530Z", "20261123T0530Z"],
            "daily %Y%m%dT%H%MZ [30 5 * * *] keep 2",
        ),
        (
            &["2026-11-22_web-01", "2026-11-23_web-01"],
            "daily %Y-%m-%d_web-01 [0 3 * * *] keep 2",
        ),
        (
            &["web-01-2026-11-22", "web-01-2026-11-23"],
            "daily web-01-%Y-%m-%d [0 3 * * *] keep 2",
        ),
        (
            &[
                "h-2026-11-22-2205",
                "h-2026-11-22-2305",
                "h-2026-11-23-0005",
            ],
            "hourly h-%Y-%m-%d-%H%M [5 * * * *] keep 3",
        ),
        (
            &["s-20261122-00", "s-20261122-06", "s-20261122-12"],
            "hourly s-%Y%m%d-%H [0 */6 * * *] keep 3",
        ),
        (
            &["s-202611220310", "s-202611221510"],
            "hourly s-%Y%m%d%H%M [10 3-23/12 * * *] keep 2",
        ),
        (
            &[
                "monthly-2026-09-01",
                "monthly-2026-10-01",
                "monthly-2026-11-01",
            ],
            "monthly monthly-%Y-%m-%d [0 3 1 * *] keep 3",
        ),
        // Four weeks apart and on the same day of the month: the word decides.
        (
            &["weekly-2026-02-01", "weekly-2026-03-01"],
            "weekly weekly-%Y-%m-%d [0 3 * * Sun] keep 2",
        ),
        (
            &["full-2026-02-01", "full-2026-03-01"],
            "monthly full-%Y-%m-%d [0 3 1 * *] keep 2",
        ),
        (
            &["monthly_2026_10", "monthly_2026_11"],
            "monthly monthly_%Y_%m [0 3 1 * *] keep 2",
        ),
        (
            &["annual-2024-12-31", "annual-2025-12-31"],
            "annual annual-%Y-%m-%d [0 3 31 12 *] keep 2",
        ),
        (
            &["Weekly-2026-11-08", "Weekly-2026-11-22"],
            "weekly Weekly-%Y-%m-%d [0 3 * * Sun] keep 2",
        ),
    ];
    for (names, wanted) in cases {
        assert_eq!(said(&found(names)), [wanted], "{names:?}");
    }
}

#[test]
fn names_without_a_clear_pattern_are_not_recognised() {
    let cases: [&[&str]; 18] = [
        &[],
        &["golden", "before-migration"],
        // A single date, even if two snapshots have it.
        &["daily-2026-11-22"],
        &["daily-2026-11-22", "daily-2026-11-22"],
        &["monthly-2026-11", "monthly-2026-11"],
        // Dates that do not exist, and dates before the year 2000.
        &["daily-2026-02-30", "daily-2026-02-31"],
        &["build-20269901", "build-20269902"],
        &["port-19990101", "port-19990102"],
        // Counters beside the date, and names that formatting does not reproduce.
        &["a-2026-11-22-1", "a-2026-11-23-2"],
        &["a-12026-11-22", "a-12026-11-23"],
        &["a-2026-11-22-99", "a-2026-11-23-99"],
        &["a-2026-1-22", "a-2026-1-23"],
        // Made by hand now and then.
        &[
            "update-2026-11-03",
            "update-2026-11-04",
            "update-2026-11-19",
        ],
        &["a-2026-11-10", "a-2026-11-20"],
        &["a-2026-11-22-0300", "a-2026-11-22-0430"],
        // Words and dates that disagree.
        &["weekly-2026-11-22", "weekly-2026-11-23"],
        &["hourly-2026-11-22", "hourly-2026-11-23"],
        // Names that the provider does not accept.
        &["a b-2026-11-22", "a b-2026-11-23"],
    ];
    for names in cases {
        assert_eq!(said(&found(names)), [""; 0], "{names:?}");
    }
}

#[test]
fn several_patterns_of_one_server_get_distinct_rotation_names_shortest_interval_first() {
    let names = [
        "weekly-2026-11-15",
        "weekly-2026-11-22",
        "db-daily-2026-11-24",
        "web-daily-2026-11-24",
        "db-daily-2026-11-25",
        "web-daily-2026-11-25",
        "golden",
    ];
    assert_eq!(
        said(&found(&names)),
        [
            "daily db-daily-%Y-%m-%d [0 3 * * *] keep 2",
            "daily-2 web-daily-%Y-%m-%d [0 3 * * *] keep 2",
            "weekly weekly-%Y-%m-%d [0 3 * * Sun] keep 2",
        ]
    );
}

#[test]
fn each_name_is_reproduced_by_its_pattern_and_each_exact_time_is_a_slot() {
    let sets: [&[&str]; 4] = [
        &["d-2026-11-22-0300", "d-2026-11-23-0300"],
        &[
            "h-2026-11-22-2205",
            "h-2026-11-22-2305",
            "h-2026-11-23-0005",
        ],
        &["s-202611220310", "s-202611221510"],
        &["w_20261115_233000", "w_20261122_233000"],
    ];
    for names in sets {
        let [one] = <[DetectedPattern; 1]>::try_from(found(names)).expect("one pattern");
        let schedule = Schedule::new(&one.schedule, jiff::tz::TimeZone::UTC).expect("a schedule");
        for name in names {
            let at = one.pattern.parse(name).expect("its own name");
            assert_eq!(one.pattern.format(at), *name);
            let instant = at.to_zoned(jiff::tz::TimeZone::UTC).expect("a time");
            let slot = schedule.previous(instant.timestamp()).expect("a slot");
            assert_eq!(slot.local, at, "{name} [{}]", one.schedule);
        }
    }
}

#[test]
fn the_time_of_day_comes_from_the_names_or_the_creation_dates_or_is_a_guess() {
    let clue = |names: &[&str], made: &[&str]| {
        let [one] = <[DetectedPattern; 1]>::try_from(recognise(&rows(names, made))).expect("one");
        (one.schedule, one.time)
    };
    let days = ["a-2026-11-22", "a-2026-11-23"];
    let made = ["2026-11-22T04:32:10Z", "2026-11-23T04:36:00Z"];
    assert_eq!(
        clue(&days, &made),
        ("30 4 * * *".to_owned(), TimeSource::Made)
    );
    // The local day differs from the UTC day, or one was made later by hand: the time is a guess.
    for made in [
        ["2026-11-21T23:02:00Z", "2026-11-22T23:02:00Z"],
        ["2026-11-22T04:32:10Z", "2026-11-23T15:00:00Z"],
    ] {
        assert_eq!(
            clue(&days, &made),
            ("0 3 * * *".to_owned(), TimeSource::Guess)
        );
    }
    assert_eq!(
        clue(&days, &made[..1]),
        ("0 3 * * *".to_owned(), TimeSource::Guess)
    );
    let times = ["a-2026-11-22-0300", "a-2026-11-23-0300"];
    for (made, ahead) in [
        (["2026-11-22T03:00:20Z", "2026-11-23T03:02:00Z"], Some(0)),
        (["2026-11-22T02:00:20Z", "2026-11-23T02:02:00Z"], Some(60)),
        (["2026-11-22T08:00:20Z", "2026-11-23T08:02:00Z"], Some(-300)),
        (["2026-11-22T02:00:20Z", "2026-11-23T03:02:00Z"], None),
    ] {
        let wanted = ("0 3 * * *".to_owned(), TimeSource::Names(ahead));
        assert_eq!(clue(&times, &made), wanted);
    }
}

#[test]
fn keep_counts_distinct_dates_and_ignores_failed_snapshots() {
    let mut rows = rows(
        &[
            "d-2026-11-20",
            "d-2026-11-21",
            "d-2026-11-22",
            "d-2026-11-22",
        ],
        &[],
    );
    rows[0].status = Status::Failed;
    let [one] = <[DetectedPattern; 1]>::try_from(recognise(&rows)).expect("one");
    assert_eq!((one.keep, one.held), (2, 4));
    for row in &mut rows {
        row.status = Status::Failed;
    }
    assert_eq!(recognise(&rows)[0].keep, 1);
    for row in &mut rows {
        row.status = Status::InProgress;
    }
    assert_eq!(recognise(&rows)[0].keep, 3);
}
