use jiff::tz::TimeZone;

use super::*;
use crate::core::health::Health;
use crate::status::page::fleet;
use crate::status::page::tests::{asked, at, rows, server_view, snapshot, view};
use crate::status::view::{AlertView, LastSlot, NextSlot};

#[test]
fn servers_are_found_by_words_of_their_name_id_file_state_and_alerts() {
    let mut all = view(vec![
        server_view(7, "Web-1", Health::Ok),
        server_view(8, "web-2", Health::Attention),
        server_view(9, "mail", Health::Ok),
    ]);
    all.alerts.push(AlertView {
        alert: "slot_failed".to_owned(),
        server: Some(ServerId::from(9)),
        about: "daily".to_owned(),
        reason: String::new(),
        what: "given up".to_owned(),
        cause: None,
        harm: None,
        remedy: None,
        command: None,
        since: None,
        acknowledged: None,
    });
    for (query, found) in [
        ("", vec![8, 9, 7]),
        ("q=web", vec![8, 7]),
        ("q=WEB+attention", vec![8]),
        ("q=needs-you", vec![8]),
        ("q=idle", vec![8, 9, 7]),
        ("q=file-9", vec![9]),
        ("q=slot+failed", vec![9]),
        ("q=alert", vec![9]),
        ("q=nothing", vec![]),
        ("q=nothing&x=1&q=file-9", vec![9]),
    ] {
        assert_eq!(rows(&all, query), found, "{query}");
    }
}

#[test]
fn servers_are_sorted_by_any_column_and_numbers_in_names_are_compared_by_value() {
    let mut servers = vec![
        server_view(1, "web-10", Health::Ok),
        server_view(2, "web-9", Health::Attention),
        server_view(3, "db", Health::Unknown),
    ];
    servers[0]
        .snapshots
        .push(snapshot(1, "x", "completed", None));
    servers[2].rotations[0].next = Some(NextSlot {
        snapshot: "n".into(),
        at: at("2026-11-25T07:00:00Z"),
    });
    servers[1].rotations[0].last = Some(LastSlot {
        snapshot: "l".into(),
        slot: at("2026-11-25T04:00:00Z"),
        ending: None,
    });
    let all = view(servers);
    for (sort, order) in [
        ("", [2, 3, 1]),
        ("name", [3, 2, 1]),
        ("-name", [1, 2, 3]),
        ("state", [2, 3, 1]),
        ("-state", [1, 3, 2]),
        ("copy", [3, 2, 1]),
        ("room", [1, 3, 2]),
        ("next", [3, 2, 1]),
        ("last", [2, 3, 1]),
        ("no-such", [2, 3, 1]),
    ] {
        assert_eq!(rows(&all, &format!("sort={sort}")), order, "{sort}");
    }
}

#[test]
fn servers_are_shown_on_pages_of_100_and_a_page_number_too_high_shows_the_last_page() {
    let servers = (1..=450).map(|id| server_view(id, &format!("s-{id}"), Health::Ok));
    let all = view(servers.collect());
    assert_eq!(rows(&all, ""), (1..=100).collect::<Vec<_>>());
    assert_eq!(rows(&all, "page=5"), (401..=450).collect::<Vec<_>>());
    assert_eq!(rows(&all, "page=99").len(), 50);
    assert_eq!(rows(&all, "page=-1").len(), 100);
    let html = fleet(&all, &asked("q=s&sort=-name&page=2"), &TimeZone::UTC);
    assert!(html.contains("450 servers found, 101 to 200 shown"));
    assert!(
        html.contains("href=\"/?q=s&amp;sort=-name&amp;page=3\""),
        "{html}"
    );
}

#[test]
fn each_filter_shows_as_many_rows_as_it_counts_also_within_a_search() {
    let mut servers = vec![
        server_view(1, "working-1", Health::Ok),
        server_view(2, "web-2", Health::Attention),
        server_view(3, "web-3", Health::Unprotected),
        server_view(4, "web-4", Health::Ok),
        server_view(5, "paused-5", Health::Failing),
    ];
    servers[3].activity = Activity::Restoring;
    servers[4].activity = Activity::Paused;
    let all = view(servers);
    for (search, counts) in [("", [3, 1, 1, 5]), ("q=web&", [2, 1, 0, 3])] {
        let html = fleet(&all, &asked(search), &TimeZone::UTC);
        for (filter, count) in Filter::ALL.into_iter().zip(counts) {
            let (word, label) = filter.words();
            let pill = format!("{label} <strong>{count}</strong></a>");
            assert!(html.contains(&pill), "{pill}: {html}");
            let shown = rows(&all, &format!("{search}show={word}"));
            assert_eq!(shown.len(), count, "{search} {word}");
        }
    }
    let html = fleet(
        &all,
        &asked("q=web&show=needs-you&sort=name"),
        &TimeZone::UTC,
    );
    for part in [
        "href=\"/?q=web&amp;show=working&amp;sort=name\"",
        "href=\"/?q=web&amp;show=needs-you&amp;sort=-name\"",
        "<input type=\"hidden\" name=\"show\" value=\"needs-you\">",
        "href=\"/?q=web&amp;show=needs-you&amp;sort=name\" aria-current=\"true\"",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}
