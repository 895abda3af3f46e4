//! Compares the reading of a listing's pages with a plain JSON tree.
//!
//! Input: a byte (odd: one server was requested), then the pages, separated by 0xff.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use snaprotate::api::fuzz_entry::AnswerReader;
use snaprotate::api::{ErrorKind, Listing};
use snaprotate::core::snapshot::{ServerId, SnapshotId, Status};
use snaprotate_fuzz::{TOKEN, assert_line, id_of};

const ASKED: ServerId = ServerId::integer(12345);
static READER: LazyLock<AnswerReader> =
    LazyLock::new(|| AnswerReader::new("https://api.example/api/v1", TOKEN).expect("good"));

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let filter = (first & 1 == 1).then_some(ASKED);
    let pages: Vec<&[u8]> = rest.split(|byte| *byte == 0xff).take(8).collect();
    let (listing, followed) = READER.listing(filter.clone(), &pages);
    for url in &followed {
        // I13: the token is sent to no other host.
        assert_eq!(url.origin().ascii_serialization(), "https://api.example");
        assert!(url.path().starts_with("/api/v1/"), "{url}");
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "{url}"
        );
    }
    let listing = match listing {
        Ok(listing) => listing,
        Err(error) => {
            assert_eq!((error.kind, error.status), (ErrorKind::Unknown, Some(200)));
            return assert_line(&error.message, 801);
        }
    };
    let doubts = listing.servers.values().map(|rows| &rows.doubt);
    for doubt in doubts.chain([&listing.doubt]).flatten() {
        assert_line(doubt, 500);
    }
    if listing.doubt.is_none() {
        let read = followed.len() + 1;
        believed(
            &listing,
            filter.as_ref(),
            pages.get(..read).expect("an empty page ends a listing"),
        );
    }
});

/// Checks that a listing without doubt is complete (I11).
fn believed(listing: &Listing, filter: Option<&ServerId>, pages: &[&[u8]]) {
    let trees: Result<Vec<Value>, _> = pages
        .iter()
        .map(|page| serde_json::from_slice(page))
        .collect();
    // Fields that are skipped may hold what a tree can't, such as half a surrogate pair.
    let Ok(trees) = trees else { return };
    assert!(trees.iter().all(Value::is_object), "{trees:?}");
    let rows: Vec<&Value> = trees
        .iter()
        .filter_map(|tree| tree["results"].as_array())
        .flatten()
        .collect();
    for tree in &trees {
        // A listing with a cursor has no count.
        let count = tree["count"].as_u64();
        assert!(count == Some(rows.len() as u64) || tree["count"].is_null());
    }
    assert!(
        trees
            .last()
            .is_none_or(|tree| matches!(&tree["next"], Value::Null | Value::String(_)))
    );
    let mut ids = BTreeSet::new();
    let mut told = listing
        .servers
        .values()
        .map(|rows| rows.snapshots.len())
        .sum::<usize>();
    for row in rows {
        let server: ServerId = id_of(&row["server"]).expect("a row names its server");
        let known = listing.rows(&server).expect("a server with a row");
        let asked = filter.and_then(|asked| listing.rows(asked));
        assert!(filter.is_none() || asked == Some(known));
        let id = id_of::<SnapshotId>(row);
        if let Some(id) = id.clone() {
            assert!(ids.insert(id.clone()), "{id} twice");
        }
        if known.doubt.is_some() {
            continue;
        }
        let server = &row["server"];
        let name = server["name"].as_str().or(server["hostname"].as_str());
        assert_eq!(name, Some(known.name.as_str()));
        let snapshot = known
            .snapshots
            .iter()
            .find(|one| Some(&one.id) == id.as_ref());
        let snapshot = snapshot.expect("a row is a snapshot");
        assert_eq!(row["name"].as_str(), Some(snapshot.name.as_str()));
        assert_eq!(
            row["status"].as_str().map(Status::parse).as_ref(),
            Some(&snapshot.status)
        );
        let made = row["created_at"]
            .as_str()
            .and_then(|text| text.parse().ok());
        assert_eq!(made, snapshot.created_at);
        told -= 1;
    }
    let doubted = listing.servers.values().filter(|rows| rows.doubt.is_some());
    let doubted: usize = doubted.map(|rows| rows.snapshots.len()).sum();
    assert_eq!(told, doubted, "a snapshot that no row holds");
}
