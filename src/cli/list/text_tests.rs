//! Tests the text of listings.

use super::*;
use crate::core::snapshot::{ServerId, SnapshotId};

/// 2026-11-25 12:00 UTC.
const NOW: Timestamp = Timestamp::constant(1_795_608_000, 0);

/// Returns a snapshot that is a day and two hours old, protected and in progress.
fn row(id: u64, name: &str, whose: Owner) -> SnapshotRow {
    SnapshotRow {
        id: SnapshotId::from(id),
        name: name.to_owned(),
        status: "in_progress".to_owned(),
        size_mb: Some(1536),
        created_at: Some(NOW - SignedDuration::from_hours(26)),
        whose: Some(whose),
        rotation: Some("nightly".into()),
        protected: true,
        expires: None,
    }
}

fn of(snapshots: Vec<SnapshotRow>) -> ListingView {
    let server = ServerListing {
        id: ServerId::from(12345),
        name: Some("web-server-01".to_owned()),
        policy: Some("web".to_owned()),
        limit: 5,
        doubt: None,
        counts: SnapshotCounts::default(),
        snapshots,
    };
    ListingView {
        time: NOW,
        doubt: None,
        servers: vec![server],
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let all = of(vec![
        row(1, "nightly-snapshot-2026-11-22", Owner::Own),
        row(20_000, &"long-".repeat(40), Owner::Foreign),
    ]);
    for width in [60, 80, 120] {
        let text = listed(&all, &TimeZone::UTC, Some(width));
        let (table, _total) = text.rsplit_once("\n\n").expect("a table");
        for line in table.lines() {
            assert!(
                line.chars().count() <= usize::from(width),
                "{width}: {text}"
            );
        }
    }
}

#[test]
fn a_row_of_a_typical_server_does_not_wrap_at_eighty_columns() {
    let mut row = row(801, "daily-snapshot-2026-11-22", Owner::Own);
    row.status = "completed".to_owned();
    row.protected = false;
    let text = listed(&of(vec![row]), &TimeZone::UTC, Some(80));
    let words: Vec<Vec<_>> = text
        .lines()
        .map(|line| {
            line.split("  ")
                .filter(|cell| !cell.is_empty())
                .map(str::trim)
                .collect()
        })
        .collect();
    assert_eq!(words[0], ["web-server-01 (id 12345), 0/5"]);
    assert_eq!(
        words[1],
        ["id", "name", "status", "size", "created", "whose"]
    );
    let cells = [
        "801",
        "daily-snapshot-2026-11-22",
        "completed",
        "1.5 GB",
        "1 d 2 h ago",
        "own (nightly)",
    ];
    assert_eq!(words[2], cells, "{text}");
}

#[test]
fn a_date_is_shown_as_local_time_with_zone_and_as_relative_time_even_in_the_future() {
    let zone = TimeZone::get("Europe/Malta").expect("a zone");
    let mut later = row(2, "later", Owner::Own);
    later.created_at = Some(NOW + SignedDuration::from_hours(2));
    let mut undated = row(3, "undated", Owner::Own);
    undated.created_at = None;
    let rows = vec![row(1, "golden", Owner::Foreign), later, undated];
    let text = listed(&of(rows), &zone, None);
    for words in [
        "2026-11-24 11:00 CET (1 d 2 h ago)",
        "2026-11-25 15:00 CET (in 2 h)",
        "  ?  ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn listings_have_their_screens() {
    let completed = |id: u64, name: &str, whose| SnapshotRow {
        status: "completed".to_owned(),
        protected: false,
        ..row(id, name, whose)
    };
    let full = || {
        let rows = (1..=5).map(|id| match id {
            1 => row(id, "golden", Owner::Foreign),
            id => completed(
                id,
                &format!("nightly-snapshot-2026-11-{}", 20 + id),
                Owner::Own,
            ),
        });
        of(rows.collect())
    };
    let mut nameless = full();
    nameless.servers[0].policy = None;
    for row in &mut nameless.servers[0].snapshots {
        row.whose = None;
    }
    let mut doubtful = full();
    doubtful.doubt = Some("page 2 has a row that page 1 had too".to_owned());
    doubtful.servers[0].doubt = Some("two rows have the same id".to_owned());
    let mut screens = crate::screen_tests::Screens::default();
    for (state, view) in [
        ("no snapshots", of(Vec::new())),
        ("a full server", full()),
        ("a server without a policy", nameless),
        ("a doubtful listing", doubtful),
    ] {
        screens.add(state, |width| listed(&view, &TimeZone::UTC, Some(width)));
    }
    screens.compare("list.txt");
}
