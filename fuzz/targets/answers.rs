//! Compares the reading of answers to a create and a restore with a plain JSON tree.
//!
//! Input: the body, which is read as both answers.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use snaprotate::api::fuzz_entry::AnswerReader;
use snaprotate::api::{ErrorKind, NewSnapshot};
use snaprotate::core::snapshot::{ServerId, SnapshotId};
use snaprotate_fuzz::{TOKEN, assert_line, id_of};

static READER: LazyLock<AnswerReader> =
    LazyLock::new(|| AnswerReader::new("https://api.example/api/v1", TOKEN).expect("good"));

fuzz_target!(|body: &[u8]| {
    let asked = NewSnapshot {
        server: ServerId::from(12345),
        name: "weekly-snapshot-2026-11-22".to_owned(),
        description: None,
    };
    let tree: Option<Value> = serde_json::from_slice(body).ok();
    let created = READER.created(body, &asked);
    if let Ok(created) = &created {
        if let Some(tree) = &tree {
            assert_eq!(id_of(tree), Some(created.id.clone()));
            assert_eq!(tree["name"].as_str(), Some(created.name.as_str()));
            let server = &tree["server"];
            let uuid = server["uuid"].as_str().and_then(|uuid| uuid.parse().ok());
            let either = [id_of(server), uuid];
            let mut either = either.into_iter().flatten().peekable();
            let told = either.peek().is_some();
            assert!(!told || either.any(|id: ServerId| id == asked.server));
            let name = server["name"].as_str().or(server["hostname"].as_str());
            assert_eq!(name, created.server_name.as_deref());
        }
    }
    let restored = READER.restored(body, &SnapshotId::from(801));
    if let Some(tree) = &tree {
        let fits = tree["status"].as_str().is_none_or(|word| word == "success")
            && is_801(&tree["snapshot"]);
        // An answer that can't be read, as one with a key twice, is skipped.
        assert!(restored.is_err() || fits, "{tree}");
        assert!(restored.is_ok() || !fits, "{tree}");
    }
    for error in [created.err(), restored.err()].into_iter().flatten() {
        assert_eq!((error.kind, error.status), (ErrorKind::Unknown, Some(200)));
        assert_line(&error.message, 801);
    }
});

/// Returns true if the snapshot has this id, or none that can be read.
fn is_801(snapshot: &Value) -> bool {
    let uuid = snapshot["uuid"].as_str().and_then(|uuid| uuid.parse().ok());
    let Some(id) = id_of::<SnapshotId>(snapshot) else {
        return true;
    };
    [Some(id), uuid].contains(&Some(SnapshotId::from(801)))
}
