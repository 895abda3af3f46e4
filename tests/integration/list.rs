//! `list`: the provider's snapshots, and whose each is.

use super::online::{json, live};
use crate::support::{self, daily_name, days_ago, stderr, stdout};
use serde_json::Value;
use snaprotate::sandbox::IdShape;
use snaprotate::sandbox::faults::{Fault, ListingFault};

#[test]
fn list_shows_whose_each_snapshot_is_and_sends_one_get() {
    let (provider, home) = live(2, "protect = [\"golden\"]");
    let today = daily_name(0);
    provider
        .sandbox
        .add_snapshot(12345, &today, "completed", days_ago(0));
    provider
        .sandbox
        .add_snapshot(12345, "golden", "completed", days_ago(30));
    provider
        .sandbox
        .add_snapshot(12345, "by-hand", "in_progress", days_ago(40));
    provider.sandbox.add_server(9, "other");
    provider
        .sandbox
        .add_snapshot(9, &today, "completed", days_ago(1));
    let (code, listed) = json(&home, &["list"]);
    assert_eq!(code, Some(0));
    let methods: Vec<_> = provider
        .sandbox
        .log()
        .into_iter()
        .map(|one| one.method)
        .collect();
    assert_eq!(methods, ["GET"]);

    let servers = listed["servers"].as_array().expect("a list");
    assert_eq!(servers.len(), 2);
    let (other, web) = (&servers[0], &servers[1]);
    assert_eq!((&other["id"], &other["policy"]), (&9.into(), &Value::Null));
    assert_eq!(other["snapshots"][0]["whose"], Value::Null);
    assert_eq!(
        (&web["name"], &web["policy"]),
        (&"web".into(), &"server-12345".into())
    );
    let counts = &web["counts"];
    assert_eq!(counts["total"], 3);
    assert_eq!(
        (&counts["own"], &counts["foreign"], &counts["protected"]),
        (&1.into(), &2.into(), &1.into())
    );
    let rows = web["snapshots"].as_array().expect("rows");
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).expect("a row");
    let own = row(&today);
    assert_eq!(
        (&own["whose"], &own["rotation"]),
        (&"own".into(), &"daily".into())
    );
    assert_eq!(
        (&own["size_mb"], &own["protected"]),
        (&5120.into(), &false.into())
    );
    assert_eq!(row("golden")["protected"], true);
    assert_eq!(row("by-hand")["size_mb"], Value::Null);

    let text = stdout(&home.run(&["list"]));
    for words in [
        "3/5",
        "5 GB",
        "own (daily)",
        "foreign, protected",
        "no policy",
        "(30 d ago)",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let total =
        "4 snapshots on 2 servers: 1 own, 2 foreign (1 protected in all); 1 server has no policy";
    assert!(text.trim_end().ends_with(total), "{text}");
}

#[test]
fn list_accepts_a_server_by_name_file_or_id_and_without_a_policy_by_name_or_id() {
    let (provider, home) = live(2, "");
    provider
        .sandbox
        .add_snapshot(12345, "golden", "completed", days_ago(1));
    provider.sandbox.add_server(9, "other");
    provider
        .sandbox
        .add_snapshot(9, "lone", "completed", days_ago(1));
    for (server, id, name) in [
        ("web", 12345, "golden"),
        ("server-12345", 12345, "golden"),
        ("12345", 12345, "golden"),
        ("9", 9, "lone"),
        ("other", 9, "lone"),
    ] {
        let (code, listed) = json(&home, &["list", server]);
        assert_eq!(code, Some(0), "{server}");
        let servers = listed["servers"].as_array().expect("a list");
        assert_eq!(
            (servers.len(), &servers[0]["id"]),
            (1, &id.into()),
            "{server}"
        );
        assert_eq!(servers[0]["snapshots"][0]["name"], name, "{server}");
    }
    let log = provider.sandbox.log();
    let asked: Vec<_> = log.iter().rev().map(|one| one.path.as_str()).collect();
    // A text may be a name or an id.
    let by_id = match support::ids::shape() {
        IdShape::Uuids => "/api/v1/snapshots/?page_size=100",
        _ => "/api/v1/snapshots/?server_id=9&page_size=100",
    };
    assert_eq!(asked[..2], ["/api/v1/snapshots/?page_size=100", by_id]);
    provider.sandbox.add_server(10, "other");
    provider
        .sandbox
        .add_snapshot(10, "lone", "completed", days_ago(1));
    let two = home.run(&["list", "other"]);
    assert_eq!(two.status.code(), Some(2));
    assert!(
        stderr(&two).contains("the id of one, 9 or 10"),
        "{}",
        stderr(&two)
    );
    if support::ids::shape() == IdShape::Uuids {
        return;
    }
    let output = home.run(&["list", "77"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).contains("no snapshots"),
        "{}",
        stdout(&output)
    );
    let said = stderr(&output);
    assert!(
        said.contains("whether the server exists is unknown"),
        "{said}"
    );
    assert_eq!(stderr(&home.run(&["list", "9"])), "");
    for unknown in ["wep", "0", "-1x"] {
        let output = home.run(&["list", "--", unknown]);
        assert_eq!(output.status.code(), Some(2), "{unknown}");
        assert!(
            stderr(&output).contains("no policy for server"),
            "{}",
            stderr(&output)
        );
    }
    assert!(stderr(&home.run(&["list", "wep"])).contains("similar: web"));
}

#[test]
fn list_exits_with_1_if_the_api_cannot_be_read_and_warns_of_an_unreliable_listing() {
    let (provider, home) = live(2, "");
    provider
        .sandbox
        .add_snapshot(12345, "golden", "completed", days_ago(1));
    let doubt = Fault::listing(ListingFault::Count(1));
    provider.sandbox.order(doubt);
    let output = home.run(&["list"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).starts_with("This listing can't be relied on: "),
        "{}",
        stdout(&output)
    );
    provider.sandbox.set_token("another");
    let output = home.run(&["list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("401"), "{}", stderr(&output));
    assert!(!stderr(&output).contains(support::TOKEN));
    std::fs::write(home.path("snaprotate.toml"), "[api]\nx = 1\n").expect("written");
    assert_eq!(home.run(&["list"]).status.code(), Some(2));
}

#[test]
fn list_escapes_control_characters_in_a_foreign_name() {
    let (provider, home) = live(2, "");
    provider
        .sandbox
        .add_snapshot(12345, "evil\u{1b}[2J\nname", "completed", days_ago(1));
    let text = stdout(&home.run(&["list"]));
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(text.contains("evil"), "{text}");
}

#[test]
fn without_any_policy_list_shows_the_account_and_plan_suggests_init() {
    let (provider, home) = live(2, "");
    let at = days_ago(1);
    provider
        .sandbox
        .add_snapshot(12345, "golden", "completed", at);
    let policies = std::fs::read_dir(home.path("policies.d")).expect("a folder");
    for policy in policies {
        std::fs::remove_file(policy.expect("a file").path()).expect("removed");
    }
    for args in [&["list"][..], &["list", "--server", "12345"]] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains("golden") && text.contains("12345"), "{text}");
        assert!(stderr(&output).contains("there is no policy in"));
    }
    let output = home.run(&["plan"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("create policies with snaprotate init"),
        "{said}"
    );
    std::fs::remove_dir(home.path("policies.d")).expect("removed");
    assert_eq!(home.run(&["list"]).status.code(), Some(0));
}
