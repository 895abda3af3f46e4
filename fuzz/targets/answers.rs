//! The answers to a create and to a restore, against what a plain JSON tree says of them.
//!
//! Input: the body; both are read from it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use snaprotate::api::foreign::Reader;
use snaprotate::api::{ErrorKind, NewSnapshot};
use snaprotate::core::snapshot::{ServerId, SnapshotId};
use snaprotate_fuzz::{TOKEN, assert_line};

static READER: LazyLock<Reader> =
    LazyLock::new(|| Reader::new("https://api.example/api/v1", TOKEN).expect("good"));

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
            assert_eq!(tree["id"].as_u64(), Some(created.id.0));
            assert_eq!(tree["name"].as_str(), Some(created.name.as_str()));
            assert!(
                tree["server"]["id"]
                    .as_u64()
                    .is_none_or(|id| id == asked.server.0)
            );
            assert_eq!(
                tree["server"]["name"].as_str(),
                created.server_name.as_deref()
            );
        }
    }
    let restored = READER.restored(body, SnapshotId::from(801));
    if let Some(tree) = &tree {
        let fits = tree["status"].as_str().is_none_or(|word| word == "success")
            && tree["snapshot"]["id"].as_u64().is_none_or(|id| id == 801);
        // Only what is no answer at all, as one with a key twice, is passed over.
        assert!(restored.is_err() || fits, "{tree}");
        assert!(restored.is_ok() || !fits, "{tree}");
    }
    for error in [created.err(), restored.err()].into_iter().flatten() {
        assert_eq!((error.kind, error.status), (ErrorKind::Unknown, Some(200)));
        assert_line(&error.message, 801);
    }
});
