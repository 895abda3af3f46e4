use serde_json::{Value, json};

use super::*;

pub(super) fn row(id: u64, server: u64) -> Value {
    json!({
        "id": id, "server": {"id": server, "name": format!("web-{server}")},
        "name": format!("weekly-snapshot-{id}"), "status": "completed", "size_mb": 5120,
        "created_at": "2025-01-15T18:30:00Z", "description": "x",
    })
}

pub(super) fn with(mut row: Value, key: &str, value: Value) -> Value {
    row[key] = value;
    row
}

pub(super) fn without(mut row: Value, key: &str) -> Value {
    row.as_object_mut().unwrap().remove(key);
    row
}

pub(super) fn gather(filter: Option<u64>, pages: &[Value]) -> Listing {
    let mut gathering = ListingBuilder::new(filter.map(ServerId::from));
    for page in pages {
        gathering.page(page.to_string().as_bytes()).unwrap();
    }
    gathering.finish()
}

/// Builds a listing of one page with these rows and the right count.
pub(super) fn listing(filter: Option<u64>, rows: &[Value]) -> Listing {
    gather(filter, &[json!({"count": rows.len(), "results": rows})])
}

/// Returns a listing of one page without rows.
pub(super) fn on_one_page() -> Listing {
    Listing {
        pages: 1,
        ..Listing::default()
    }
}

pub(super) fn last(rows: u64, count: u64) -> PageEnd {
    PageEnd {
        next: None,
        rows,
        count: Some(count),
    }
}

pub(super) fn doubt(listing: &Listing) -> &str {
    listing.doubt.as_deref().unwrap_or_default()
}

#[test]
fn the_documented_listing_is_read_in_full() {
    let body =
        br#"{"count": 1, "results": [{"id": 801, "server": {"id": 12345, "name": "web-server-01"},
        "name": "pre-migration-snapshot", "status": "completed", "size_mb": 5120,
        "created_at": "2025-01-15T18:30:00Z", "description": "Before major migration"}]}"#;
    let mut gathering = ListingBuilder::new(None);
    assert_eq!(gathering.page(body), Ok(last(1, 1)));
    let listing = gathering.finish();
    assert_eq!((&listing.doubt, listing.shifted), (&None, false));
    let rows = &listing.servers[&ServerId::from(12345)];
    assert_eq!((rows.name.as_str(), &rows.doubt), ("web-server-01", &None));
    assert_eq!(
        rows.snapshots,
        [Snapshot {
            id: SnapshotId::from(801),
            uuid: None,
            name: "pre-migration-snapshot".into(),
            status: Status::Completed,
            created_at: Some("2025-01-15T18:30:00Z".parse().unwrap()),
        }]
    );
}

#[test]
fn an_empty_listing_is_accepted_and_has_no_servers() {
    let listing = listing(Some(1), &[]);
    assert_eq!(listing, on_one_page());
}

#[test]
fn i11_a_listing_whose_count_is_missing_unreadable_or_wrong_is_in_doubt() {
    for count in [
        json!(1),
        json!(3),
        json!(null),
        json!("2"),
        json!(-2),
        json!(2.0),
    ] {
        let listing = gather(
            None,
            &[json!({"count": count, "results": [row(1, 1), row(2, 1)]})],
        );
        assert!(listing.doubt.is_some(), "{count}");
        assert!(!listing.shifted, "one page can't shift");
    }
    assert!(gather(None, &[json!({"results": []})]).doubt.is_some());
}

#[test]
fn i11_a_listing_that_holds_an_id_twice_is_in_doubt() {
    for filter in [None, Some(1)] {
        let listing = listing(filter, &[row(1, 1), row(1, 1)]);
        assert_eq!(doubt(&listing), "the listing holds snapshot 1 twice");
        // The servers of an account-wide listing are then listed one by one.
        assert_eq!(listing.shifted, filter.is_none());
    }
}

#[test]
fn i11_rows_of_another_server_put_a_filtered_listing_in_doubt_and_are_left_out() {
    let listing = listing(Some(1), &[row(1, 1), row(2, 2)]);
    assert!(doubt(&listing).contains("server 2") && doubt(&listing).contains("server 1"));
    assert_eq!(
        listing.servers.keys().collect::<Vec<_>>(),
        [&ServerId::from(1)]
    );
}

#[test]
fn i11_an_unreadable_row_puts_only_the_server_that_it_names_in_doubt() {
    let good = row(1, 1);
    for bad in [
        without(row(2, 2), "id"),
        with(row(2, 2), "id", json!("")),
        with(row(2, 2), "id", json!("2 3")),
        with(row(2, 2), "id", json!(-2)),
        with(row(2, 2), "id", json!(2.5)),
        without(row(2, 2), "name"),
        with(row(2, 2), "name", json!(7)),
        with(row(2, 2), "status", json!(null)),
        with(row(2, 2), "status", json!(["completed"])),
        with(row(2, 2), "server", json!({"id": 2})),
        with(row(2, 2), "server", json!({"id": 2, "name": null})),
    ] {
        let listing = listing(None, &[good.clone(), bad.clone()]);
        assert_eq!(listing.doubt, None, "{bad}");
        assert_eq!(listing.servers[&ServerId::from(1)].doubt, None, "{bad}");
        assert!(listing.servers[&ServerId::from(2)].doubt.is_some(), "{bad}");
    }
}

#[test]
fn i11_an_unreadable_row_that_names_no_server_puts_the_whole_listing_in_doubt() {
    for bad in [
        without(row(2, 2), "server"),
        with(row(2, 2), "server", json!(null)),
        with(row(2, 2), "server", json!(2)),
        with(row(2, 2), "server", json!([2])),
        with(row(2, 2), "server", json!({"id": "2 3", "name": "web-2"})),
        with(row(2, 2), "server", json!({"id": -2, "name": "web-2"})),
        json!(null),
        json!(7),
        json!("row"),
        json!([]),
        json!({}),
        json!(true),
    ] {
        let listing = listing(None, &[row(1, 1), bad.clone()]);
        assert!(listing.doubt.is_some(), "{bad}");
        assert_eq!(listing.servers.len(), 1, "{bad}");
    }
}

#[test]
fn a_date_that_is_missing_or_unreadable_leaves_the_row_valid() {
    for date in [
        json!(null),
        json!(""),
        json!("yesterday"),
        json!(17),
        json!({}),
        json!("2025-01-15T18:30:00"),
        json!("2025-02-30T18:30:00Z"),
    ] {
        let listing = listing(None, &[with(row(1, 1), "created_at", date.clone())]);
        let rows = &listing.servers[&ServerId::from(1)];
        assert_eq!((&listing.doubt, &rows.doubt), (&None, &None), "{date}");
        assert_eq!(rows.snapshots[0].created_at, None, "{date}");
    }
    let listing = listing(None, &[without(row(1, 1), "created_at")]);
    assert_eq!(
        listing.servers[&ServerId::from(1)].snapshots[0].created_at,
        None
    );
}

#[test]
fn i11_a_server_with_two_names_is_in_doubt_and_the_reason_is_printable() {
    let other = with(
        row(2, 1),
        "server",
        json!({"id": 1, "name": "web\u{1b}[2J"}),
    );
    let listing = listing(None, &[row(1, 1), other, row(3, 3)]);
    let rows = &listing.servers[&ServerId::from(1)];
    assert_eq!(
        rows.doubt.as_deref(),
        Some("the server has two names: \"web-1\" and \"web\\u{1b}[2J\"")
    );
    assert_eq!(rows.name, "web-1");
    assert_eq!(listing.servers[&ServerId::from(3)].doubt, None);
}

#[test]
fn fields_that_are_not_needed_may_hold_anything() {
    let odd = with(
        row(1, 1),
        "size_mb",
        json!({"a": [1, {"b": null}], "id": 9}),
    );
    let odd = with(odd, "description", json!([[], -1.5e300, false]));
    let listing = listing(None, &[with(odd, "new_field", json!(true))]);
    assert_eq!(listing.servers[&ServerId::from(1)].snapshots.len(), 1);
    assert_eq!(
        (&listing.doubt, &listing.servers[&ServerId::from(1)].doubt),
        (&None, &None)
    );
}

#[test]
fn snapshot_names_with_escaped_characters_are_kept_unchanged() {
    let name = "a\"\n\\ü\u{202e}";
    let listing = listing(None, &[with(row(1, 1), "name", json!(name))]);
    assert_eq!(listing.servers[&ServerId::from(1)].snapshots[0].name, name);
}

#[test]
fn pages_that_agree_form_one_listing() {
    let listing = gather(
        None,
        &[
            json!({"count": 3, "next": "/p2", "results": [row(1, 1), row(2, 2)]}),
            json!({"count": 3, "next": null, "results": [row(3, 1)]}),
        ],
    );
    assert_eq!((&listing.doubt, listing.shifted), (&None, false));
    assert_eq!(listing.servers[&ServerId::from(1)].snapshots.len(), 2);
}

#[test]
fn i11_pages_that_shift_are_noticed() {
    let first = json!({"count": 3, "results": [row(1, 1), row(2, 1)]});
    for second in [
        json!({"count": 2, "results": [row(3, 1)]}),
        json!({"count": 3, "results": [row(2, 1)]}),
        json!({"count": 3, "results": [row(3, 1), row(4, 1)]}),
        json!({"count": 3, "results": []}),
    ] {
        let listing = gather(None, &[first.clone(), second.clone()]);
        assert!(listing.shifted && listing.doubt.is_some(), "{second}");
    }
}

#[test]
fn i11_an_invalid_next_link_or_an_empty_page_with_a_next_link_puts_the_listing_in_doubt() {
    for next in [json!(2), json!({}), json!(false)] {
        let listing = gather(
            None,
            &[json!({"count": 1, "next": next, "results": [row(1, 1)]})],
        );
        assert!(listing.doubt.is_some(), "{next}");
    }
    let endless = gather(None, &[json!({"count": 0, "next": "/p2", "results": []})]);
    assert!(doubt(&endless).contains("empty page"));
}

#[test]
fn a_body_that_is_not_a_listing_is_an_error_and_adds_nothing_to_the_listing() {
    let mut gathering = ListingBuilder::new(None);
    for body in [
        &b""[..],
        b"<html>busy</html>",
        b"[]",
        b"null",
        b"{}",
        br#"{"count":0}"#,
        br#"{"count":0,"results":null}"#,
        br#"{"count":0,"results":{}}"#,
        br#"{"count":1,"results":[{"id":1"#,
        br#"{"count":0,"results":[]} {}"#,
        b"{\"count\":0,\"results\":[\"\xff\"]}",
    ] {
        assert!(
            gathering.page(body).is_err(),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    assert!(gathering.page(br#"{"count":0,"results":[]}"#).is_ok());
    assert_eq!(gathering.finish(), on_one_page());
}

#[test]
fn i11_a_json_array_in_place_of_a_page_object_is_refused() {
    for body in ["[0, null, []]", " \n[0, null, []]"] {
        let mut gathering = ListingBuilder::new(None);
        assert!(gathering.page(body.as_bytes()).is_err(), "{body}");
    }
    let body = b" \n{\"count\": 0, \"results\": []}";
    assert_eq!(ListingBuilder::new(None).page(body), Ok(last(0, 0)));
}

#[test]
fn fifty_thousand_rows_are_read() {
    let rows: Vec<Value> = (1..=50_000).map(|id| row(id, id / 5)).collect();
    let listing = listing(None, &rows);
    assert_eq!(listing.doubt, None);
    let read: usize = listing
        .servers
        .values()
        .map(|rows| rows.snapshots.len())
        .sum();
    assert_eq!(read, 50_000);
}

/// Builds a listing of two rows, the second of which is this text.
fn beside_a_good_row(bad: &str) -> Listing {
    let mut gathering = ListingBuilder::new(None);
    let page = format!("{{\"count\": 2, \"results\": [{}, {bad}]}}", row(1, 1));
    gathering.page(page.as_bytes()).unwrap();
    gathering.finish()
}

#[test]
fn i11_a_row_with_a_duplicate_key_puts_its_server_in_doubt() {
    let text = row(2, 2).to_string();
    for more in [
        "\"status\": \"completed\"",
        "\"st\\u0061tus\": \"failed\"",
        "\"created_at\": \"2020-01-01T00:00:00Z\"",
        "\"id\": 3",
        "\"name\": \"other\"",
        "\"description\": null",
    ] {
        let listing = beside_a_good_row(&text.replacen('{', &format!("{{{more},"), 1));
        assert!(listing.doubt.is_none(), "{more}");
        let two = &listing.servers[&ServerId::from(2)];
        assert_eq!(
            two.doubt.as_deref(),
            Some("a row has a duplicate key"),
            "{more}"
        );
        assert!(two.snapshots.is_empty(), "{more}");
        assert!(
            listing.servers[&ServerId::from(1)].doubt.is_none(),
            "{more}"
        );
    }
}

#[test]
fn i11_a_row_that_may_belong_to_either_of_two_servers_puts_the_listing_in_doubt() {
    let text = row(2, 2).to_string();
    let server = text.replacen('{', "{\"server\": {\"id\": 1, \"name\": \"web-1\"},", 1);
    let within = text.replace("\"server\":{", "\"server\":{\"id\":1,");
    assert_ne!(within, text);
    for bad in [server, within] {
        let doubt = beside_a_good_row(&bad).doubt.expect("doubt");
        assert!(doubt.contains("and its server is unknown"), "{doubt}");
    }
}
