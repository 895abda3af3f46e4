//! Tests the policies proposed for a server.

use std::collections::BTreeSet;

use jiff::civil::date;

use super::{Proposal, ProposalContext, proposal, stem};
use crate::api::ServerRows;
use crate::core::snapshot::{ServerId, Snapshot, SnapshotId, Status};

fn propose(name: &str, names: &[&str]) -> Proposal {
    let rows = names.iter().zip(1..).map(|(name, id)| Snapshot {
        uuid: None,
        id: SnapshotId::from(id),
        name: (*name).to_owned(),
        status: Status::Completed,
        created_at: None,
    });
    let rows = ServerRows {
        hostname: None,
        uuid: None,
        name: name.to_owned(),
        snapshots: rows.collect(),
        doubt: None,
    };
    let setting = ProposalContext {
        limit: 5,
        now: date(2026, 11, 25).at(12, 0, 0, 0),
    };
    proposal(ServerId::from(7), &rows, &setting, &mut BTreeSet::new())
}

/// Returns the lines that are neither empty nor comments.
fn plain(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[test]
fn a_pattern_that_is_still_in_use_becomes_a_policy_file() {
    let found = propose("web", &["golden", "daily-2026-11-24", "daily-2026-11-25"]);
    assert_eq!(found.file(), "web.toml");
    assert_eq!(
        plain(&found.text),
        [
            "[server]",
            "id = 7",
            "name = \"web\"",
            "[[rotation]]",
            "name = \"daily\"",
            "snapshot_name = \"daily-%Y-%m-%d\"",
            "schedule = \"0 3 * * *\"",
            "timezone = \"UTC\"",
            "keep = 2",
        ]
    );
    for said in ["DELETES the oldest", "snaprotate plan", "#   golden"] {
        assert!(found.text.contains(said), "{}", found.text);
    }
}

#[test]
fn a_stopped_or_unrecognised_pattern_becomes_only_an_example_file() {
    let stopped = propose("web", &["daily-2026-11-01", "daily-2026-11-02"]);
    assert_eq!(stopped.file(), "web.toml.example");
    assert!(stopped.text.contains("the recognised rotation has stopped"));
    let none = propose("web", &["golden", "weekly-snapshot-2025-01-08"]);
    assert_eq!(none.file(), "web.toml.example");
    let lines = plain(&none.text);
    // Without `protect` the rotation would treat it as own and prune it.
    assert!(
        lines.contains(&"protect = [\"weekly-snapshot-2025-01-08\"]"),
        "{lines:?}"
    );
    assert!(none.text.contains("keep = 2 "), "{}", none.text);
}

#[test]
fn a_stopped_pattern_beside_one_still_in_use_stays_foreign() {
    let names = [
        "old-2026-10-01",
        "old-2026-10-02",
        "d-2026-11-24",
        "d-2026-11-25",
    ];
    let found = propose("web", &names);
    let rotations = plain(&found.text);
    let rotations = rotations.iter().filter(|line| **line == "[[rotation]]");
    assert_eq!(rotations.count(), 1);
    assert!(
        found.text.contains("# former_names = [\"old-%Y-%m-%d\"]"),
        "{}",
        found.text
    );
}

#[test]
fn keep_adds_up_to_at_most_the_limit_and_a_keep_below_the_current_number_is_pointed_out() {
    let names = [
        "d-2026-11-22",
        "d-2026-11-23",
        "d-2026-11-24",
        "d-2026-11-25",
        "w-2026-11-08",
        "w-2026-11-15",
        "w-2026-11-22",
    ];
    let found = propose("web", &names);
    let keeps = plain(&found.text);
    let keeps: Vec<_> = keeps
        .iter()
        .filter(|line| line.starts_with("keep"))
        .collect();
    assert_eq!(keeps, [&"keep = 3", &"keep = 2"]);
    assert!(found.text.contains("check it"), "{}", found.text);
}

#[test]
fn a_foreign_name_breaks_out_of_neither_its_comment_nor_its_string() {
    let found = propose("a\"\n[x]\\", &["evil\nkeep = 9", "daily-2026-11-24"]);
    assert!(found.text.contains("#   evil\\nkeep = 9"), "{}", found.text);
    // A name with a line break can't be in a policy.
    assert!(
        !plain(&found.text)
            .iter()
            .any(|line| line.starts_with("name = \"a"))
    );
    let quoted = propose("a \"b\" \\c", &[]);
    let value: toml::Value = toml::from_str(&quoted.text).expect("TOML");
    assert_eq!(value["server"]["name"].as_str(), Some("a \"b\" \\c"));
}

#[test]
fn stems_are_safe_file_names_and_none_is_given_twice() {
    let mut taken = BTreeSet::new();
    let mut of = |name: &str, id| stem(name, &ServerId::from(id), &mut taken);
    assert_eq!(of("web-01.example.org", 1), "web-01.example.org");
    assert_eq!(of("WEB-01.example.org", 2), "WEB-01.example.org-2");
    assert_eq!(of("../../etc/passwd", 3), "etc-passwd");
    assert_eq!(of("", 4), "server-4");
    assert_eq!(of("…", 5), "server-5");
    assert_eq!(of(".hidden", 6), "hidden");
    assert!(of(&"x".repeat(500), 7).len() <= 60);
}
