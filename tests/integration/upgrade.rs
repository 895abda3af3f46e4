//! A trail of the previous version, whose ids were whole numbers only, opens, verifies and
//! continues (`tests/upgrade/`, written by that version's `once`, `pause` and `resume`).

use std::path::Path;

use crate::support::{Home, Provider, QUICK, stderr, stdout, verified};
use jiff::SignedDuration;
use serde_json::Value;
use snaprotate::sandbox::IdShape;
use snaprotate::sandbox::stored_snapshot::StoredSnapshot;

const SERVER: u64 = 12345;

/// The snapshot that the trail records.
const KNOWN: (u64, &str) = (818, "daily-snapshot-2026-11-29");

#[test]
fn a_trail_of_the_previous_version_opens_verifies_and_continues() {
    let latency = std::time::Duration::from_millis(1);
    let provider = Provider::showing(IdShape::Integers, SignedDuration::from_millis(200), latency);
    provider.sandbox.add_server(SERVER, "web");
    provider.sandbox.put(StoredSnapshot {
        id: KNOWN.0,
        server: SERVER,
        name: KNOWN.1.to_owned(),
        status: "completed".to_owned(),
        size_mb: Some(5120),
        created_at: "2026-11-29T05:37:05Z".parse().expect("a time"),
        description: String::new(),
    });
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let policy = format!(
        "[server]\nid = {SERVER}\nname = \"web\"\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 2\n"
    );
    std::fs::write(home.path("policies.d/web.toml"), policy).expect("written");
    let before = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade");
    for (folder, file) in [("log", "audit-2026-11.jsonl"), ("state", "head")] {
        std::fs::create_dir_all(home.path(folder)).expect("made");
        let to = home.path(&format!("{folder}/{file}"));
        std::fs::copy(before.join(file), to).expect("copied");
    }
    verified(&home);
    let records = home.records();
    let shown = home.run(&["audit", "show", "--server", "web", "--json"]);
    let shown = stdout(&shown);
    let first = shown.lines().next().expect("a record");
    let first: Value = serde_json::from_str(first).expect("JSON");
    assert_eq!(first["server"], SERVER);

    // A slot that the trail records as settled does not run again, whatever day it is.
    for _ in 0..2 {
        let once = home.run(&["once"]);
        assert_eq!(once.status.code(), Some(0), "{}", stderr(&once));
    }
    assert!(home.records() > records);
    let made = provider.sandbox.created(SERVER);
    assert!(
        !made.contains(&KNOWN.1.to_owned()) && made.len() <= 1,
        "{made:?}"
    );
    assert!(
        provider
            .sandbox
            .truth(SERVER)
            .iter()
            .any(|row| row.id == KNOWN.0)
    );
    assert!(home.events("alert_raised").is_empty());
    assert!(home.events("create_mismatch").is_empty());
    verified(&home);
}
