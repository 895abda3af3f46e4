//! Rows and answers with two ids, and listings without a count.

use super::tests::*;
use super::*;
use serde_json::{Value, json};

/// Returns a row in the form that the provider's own client reads.
fn uuid_row(id: &str, server: &str) -> Value {
    let server = json!({"uuid": server, "hostname": "web.example.org"});
    without(
        with(with(row(1, 1), "uuid", json!(id)), "server", server),
        "id",
    )
}

#[test]
fn a_row_without_an_id_is_identified_by_its_uuid_and_its_server_is_named_by_its_host_name() {
    let listing = listing(None, &[uuid_row("5A-1", "6F-1"), uuid_row("5A-2", "6F-1")]);
    assert_eq!(listing.doubt, None);
    let rows = listing.rows(&id("6F-1")).expect("rows");
    assert_eq!(
        (&*rows.name, &rows.hostname, &rows.doubt),
        ("web.example.org", &None, &None)
    );
    let ids: Vec<_> = rows
        .snapshots
        .iter()
        .map(|row| row.id.to_string())
        .collect();
    assert_eq!(ids, ["5A-1", "5A-2"]);
}

#[test]
fn a_server_with_an_id_and_a_uuid_is_found_by_either_and_its_snapshot_keeps_both() {
    let server = json!({"id": 7, "uuid": "6f", "name": "web", "hostname": "web.example.org"});
    let both = with(with(row(801, 7), "uuid", json!("5a")), "server", server);
    for filter in [None, Some("7"), Some("6f")] {
        let mut gathering = ListingBuilder::new(filter.map(id));
        // A row may have only the UUID, before or after a row that has both ids.
        let rows = [uuid_row("5b", "6f"), both.clone(), uuid_row("5c", "6f")];
        let rows = rows.map(|row| {
            let mut server = row["server"].clone();
            server["name"] = json!("web");
            with(row, "server", server)
        });
        let page = json!({"count": 3, "results": rows}).to_string();
        gathering.page(page.as_bytes()).unwrap();
        let listing = gathering.finish();
        assert_eq!(listing.doubt, None, "{filter:?}");
        assert_eq!(listing.servers.len(), 1);
        assert_eq!(listing.rows(&id("7")), listing.rows(&id("6f")));
        let rows = listing.rows(&id("7")).expect("rows");
        assert_eq!((&rows.doubt, &*rows.name), (&None, "web"));
        assert_eq!(rows.snapshots.len(), 3);
        assert_eq!(rows.snapshots[1].uuid, Some("5a".parse().unwrap()));
    }
}

#[test]
fn i11_ids_that_contradict_each_other_put_the_listing_or_the_server_in_doubt() {
    let of = |snapshot: u64, server: Value| with(row(snapshot, 7), "server", server);
    let one = json!({"id": 7, "uuid": "6f", "name": "web"});
    let shared = listing(
        None,
        &[
            of(1, one.clone()),
            of(2, json!({"id": 8, "uuid": "6f", "name": "web"})),
        ],
    );
    assert_eq!(doubt(&shared), "two servers have the same UUID");
    let two = listing(
        None,
        &[
            of(1, one),
            of(2, json!({"id": 7, "uuid": "70", "name": "web"})),
        ],
    );
    let rows = two.rows(&id("7")).expect("rows");
    assert_eq!(rows.doubt.as_deref(), Some("the server has two UUIDs"));
    let twice = [
        with(row(1, 7), "uuid", json!("5a")),
        with(row(2, 7), "uuid", json!("5a")),
    ];
    assert_eq!(
        doubt(&listing(None, &twice)),
        "the listing holds snapshot 5a twice"
    );
}

#[test]
fn a_listing_without_a_count_is_complete_if_the_next_of_its_last_page_is_null() {
    let page = |next: Value, id| json!({"next": next, "previous": null, "results": [row(id, 1)]});
    let whole = gather(None, &[page(json!("?cursor=b"), 1), page(Value::Null, 2)]);
    assert_eq!(whole.doubt, None);
    let twice = gather(None, &[page(json!("?cursor=b"), 1), page(Value::Null, 1)]);
    assert!(twice.shifted && twice.doubt.is_some());
    let neither = gather(None, &[json!({"results": [row(1, 1)]})]);
    assert_eq!(
        doubt(&neither),
        "the listing does not say how many rows it has"
    );
    let late = [
        page(json!("?cursor=b"), 1),
        json!({"count": 2, "next": null, "results": [row(2, 1)]}),
    ];
    assert!(doubt(&gather(None, &late)).contains("disagree"));
}

#[test]
fn the_answer_to_a_create_matches_either_id_of_its_server() {
    let mut asked = NewSnapshot {
        server: id("7"),
        name: "n".into(),
        description: None,
    };
    let body = json!({"id": 9, "uuid": "5a", "server": {"id": 7, "uuid": "6f", "hostname": "w"}, "name": "n"});
    for server in ["7", "6f"] {
        asked.server = id(server);
        let made = created(body.to_string().as_bytes(), &asked).unwrap();
        assert_eq!(
            (made.id.to_string(), made.uuid),
            ("9".to_owned(), Some("5a".parse().unwrap()))
        );
        assert_eq!(
            (made.server_name.as_deref(), made.hostname),
            (Some("w"), None)
        );
    }
    asked.server = id("8");
    assert!(created(body.to_string().as_bytes(), &asked).is_err());
}

fn id(text: &str) -> ServerId {
    text.parse().unwrap()
}
