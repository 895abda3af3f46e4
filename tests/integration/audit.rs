//! `audit show` with the real binary: what was done, when and why.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use crate::support::{self, Home, Provider, QUICK, daily_name, days_ago, stderr, stdout};

const SERVER: u64 = 7;

/// Returns a server with three old snapshots and `keep` = 1, rotated once.
pub(super) fn rotated() -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web");
    for back in 1..=3 {
        let (name, at) = (daily_name(back), days_ago(back));
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 1, "");
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(provider.names(SERVER), [daily_name(0)]);
    (provider, home)
}

/// Returns a home without a trail, whose API address nobody listens on.
pub(super) fn fresh() -> Home {
    let home = Home::new("http://127.0.0.1:9/api/v1", "", QUICK);
    home.daily(SERVER, 1, "");
    home
}

pub(super) fn show(home: &Home, args: &[&str]) -> Output {
    home.command(&[&["audit", "show"], args].concat())
        .env("TZ", "UTC")
        .output()
        .expect("it runs")
}

/// Returns the lines of records, without the line that names the zone.
pub(super) fn lines(home: &Home, args: &[&str]) -> Vec<String> {
    let output = show(home, &[&["--raw"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Times are in UTC."));
    assert_eq!(stderr(&output), "");
    lines.map(str::to_owned).collect()
}

pub(super) fn file(home: &Home) -> PathBuf {
    let mut files = fs::read_dir(home.path("log")).expect("a trail");
    files.next().expect("a file").expect("an entry").path()
}

pub(super) fn record(seq: u64, time: &str, rest: &str) -> String {
    format!(r#"{{"seq":{seq},"time":"{time}","event":{rest},"prev":"","hash":""}}"#)
}

#[test]
fn the_records_of_a_snapshot_show_why_and_under_which_policy_it_was_deleted() {
    let (_provider, home) = rotated();
    let name = daily_name(2);
    let story = lines(&home, &["--snapshot", &name]);
    let words = |line: &String| line.split_whitespace().nth(3).map(str::to_owned);
    let events: Vec<_> = story.iter().filter_map(words).collect();
    assert_eq!(
        events,
        [
            "snapshot_found",
            "delete_intent",
            "delete_result",
            "delete_confirmed"
        ]
    );
    assert!(story.iter().all(|line| line.contains(&name)), "{story:?}");
    let intent = &story[1];
    for word in [
        "server-7",
        "beyond keep = 1 of daily",
        "rotation daily, policy server-7.toml",
    ] {
        assert!(intent.contains(word), "{word}: {intent}");
    }
    assert!(story[2].contains("done; HTTP 204"), "{}", story[2]);
    // The first record of the new snapshot has no id, but a search by the id finds it too.
    let id = home.events("snapshot_completed")[0]["id"].to_string();
    let by_id = lines(&home, &["--snapshot", &id]);
    assert_eq!(by_id, lines(&home, &["--snapshot", &daily_name(0)]));
    assert!(
        by_id.iter().any(|line| line.contains("create_intent")),
        "{by_id:?}"
    );
}

#[test]
fn records_are_selected_by_event_rotation_time_and_number() {
    let (_provider, home) = rotated();
    let all = lines(&home, &[]);
    assert!(all.iter().any(|line| line.contains("daemon_started")));
    assert!(
        !all.iter().any(|line| line.contains("checkpoint")),
        "checkpoints are internal"
    );
    let deletes = lines(
        &home,
        &["--event", "delete_intent", "--event", "delete_result"],
    );
    assert_eq!(deletes.len(), 6, "{deletes:?}");
    assert_eq!(lines(&home, &["--last", "2"]), all[all.len() - 2..]);
    assert_eq!(lines(&home, &["--since", "1h"]), all);
    assert!(lines(&home, &["--rotation", "daily"]).len() > 3);
    assert_eq!(lines(&home, &["--event", "checkpoint"]).len(), 1);
    let output = show(&home, &["--until", "1h"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("no record matches"));
    let failed = lines(&home, &["--failed"]);
    assert!(
        failed.len() == 1 && failed[0].contains("trail_begins"),
        "{failed:?}"
    );
}

#[test]
fn an_alert_that_repeats_the_previous_record_is_omitted_from_the_text_but_not_from_json() {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web");
    for nth in 0..5 {
        let name = format!("by-hand-{nth}");
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", days_ago(nth));
    }
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 1, "");
    assert_eq!(home.run(&["once"]).status.code(), Some(1));
    let reason = "nothing on it may be deleted";
    let failed = lines(&home, &["--failed"]);
    let told = failed.iter().filter(|line| line.contains(reason));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "{failed:?}");
    assert!(told[0].contains("  blocked  "), "{failed:?}");
    assert_eq!(lines(&home, &["--event", "alert"]).len(), 1);
    let json = stdout(&show(&home, &["--json", "--failed"]));
    let records = json.lines().filter(|line| line.contains(reason));
    assert_eq!(records.count(), 2, "{json}");
}

#[test]
fn json_is_the_trail_byte_for_byte() {
    let (_provider, home) = rotated();
    let trail = fs::read_to_string(file(&home)).expect("a trail");
    let trail = support::ids::numbered(&trail);
    assert_eq!(stdout(&show(&home, &["--json"])), trail);
    let last = trail.lines().last().expect("a record").to_owned() + "\n";
    assert_eq!(stdout(&show(&home, &["--json", "--last", "1"])), last);
}

#[test]
fn a_server_is_found_by_file_name_and_id_even_after_its_policy_was_removed() {
    let (_provider, home) = rotated();
    let by_id = lines(&home, &["--server", "7"]);
    assert_eq!(by_id, lines(&home, &["--server", "server-7"]));
    assert!(!by_id.iter().any(|line| line.contains("daemon_started")));
    home.policy("mail", "[server]\nid = 8\nname = \"mail-01\"\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n");
    fs::remove_file(home.path("policies.d/server-7.toml")).expect("removed");
    let gone = lines(&home, &["--server", "7"]);
    assert_eq!(gone.len(), by_id.len());
    let intent = gone
        .iter()
        .find(|line| line.contains("delete_intent"))
        .expect("a delete intent");
    assert!(intent.contains("  server-7 (7)  delete_intent"), "{intent}");
    let output = show(&home, &["--raw", "server-7"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output).lines().skip(1).collect::<Vec<_>>(), gone);
    let said = "there is no readable policy for server-7: the records below are those of server 7, which last had";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    // A delete still names its rotation and policy, though the policy was removed.
    let deleted = ["--rotation", "daily", "--event", "delete"];
    let deleted = lines(&home, &[&["7"], &deleted[..]].concat());
    assert_eq!(deleted.len(), 9, "{deleted:?}");
    let why = "beyond keep = 1 of daily; rotation daily, policy server-7.toml";
    assert!(deleted[0].contains(why), "{deleted:?}");
    home.policy(
        "web-01",
        "[server]\nid = 7\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n",
    );
    let output = show(&home, &["--raw", "server-7"]);
    assert_eq!(stdout(&output).lines().count(), gone.len() + 1);
    let said = "server 7 was formerly called server-7, and is now called web-01";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    let output = show(&home, &["server-77"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("by its id, its name"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn server_names_are_shown_even_if_the_token_is_missing_and_a_policy_is_invalid() {
    let (_provider, home) = rotated();
    let before = lines(&home, &[]);
    fs::remove_file(home.path("token")).expect("removed");
    home.policy("mail", "[server]\nid = \n");
    assert_eq!(lines(&home, &[]), before);
}

#[test]
fn the_trail_of_a_server_whose_policy_is_invalid_is_found_by_name_file_and_id() {
    let (_provider, home) = rotated();
    let rotation = "[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = ";
    let policy = |more: &str| {
        let server = "[server]\nid = 7\nname = \"shared-01\"\n";
        home.policy("web", &format!("{server}{rotation}{more}\n"));
    };
    fs::remove_file(home.path("policies.d/server-7.toml")).expect("removed");
    policy("1");
    let before = lines(&home, &["shared-01"]);
    assert!(before.iter().all(|line| line.contains("shared-01")));
    for spoilt in ["x", "\"1\"", "0", "1\nkep = 1", "1\n[server"] {
        policy(spoilt);
        assert_eq!(home.run(&["check"]).status.code(), Some(2), "{spoilt}");
        for called in ["shared-01", "web", "7"] {
            let shown = lines(&home, &[called]);
            assert_eq!(shown.len(), before.len(), "{spoilt} {called}");
            assert!(shown.iter().all(|line| line.contains("shared-01")));
        }
    }
}

#[test]
fn a_server_or_rotation_in_neither_a_policy_nor_the_trail_is_an_error_not_an_empty_result() {
    let (_provider, home) = rotated();
    let ends = |args: &[&str], code: i32, why: &str| {
        let output = show(&home, args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
    };
    let unknown =
        "neither a policy nor the trail has a rotation dialy; the known rotations are: daily";
    ends(&["--rotation", "dialy"], 2, unknown);
    ends(&["999"], 2, "no policy for");
    ends(
        &["999", "--rotation", "daily"],
        2,
        "no policy for server 999",
    );
    ends(
        &["7", "--rotation", "dialy"],
        2,
        "a rotation dialy of 7; the known",
    );
    ends(
        &["--until", "2020-01-01", "--rotation", "daily"],
        0,
        "no record matches",
    );
    let slip = "the trail has no snapshot daily-snapshot-2; similar: daily-snapshot-2";
    ends(&["--snapshot", "daily-snapshot-2"], 0, slip);
    ends(&["--snapshot", "xyz"], 0, "the trail has no snapshot xyz\n");
    for made in [daily_name(0), "801".to_owned()] {
        let early = ["--until", "2020-01-01", "--snapshot", &made];
        ends(&early, 0, "no record matches");
    }
    // A rotation that only the trail names is accepted.
    home.policy(
        "server-8",
        "[server]\nid = 8\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n",
    );
    fs::rename(home.path("policies.d/server-7.toml"), home.path("gone")).expect("moved");
    let early = ["--until", "2020-01-01"];
    ends(&[&["7"], &early[..]].concat(), 0, "no record matches");
    ends(
        &[&["7", "--rotation", "daily"], &early[..]].concat(),
        0,
        "no record matches",
    );
    // A server that only a policy names is accepted too.
    ends(&["8"], 0, "no record matches");
    ends(&["8", "--rotation", "weekly"], 2, "a rotation weekly of 8");
}

#[test]
fn an_invalid_argument_is_refused_with_a_hint() {
    let home = fresh();
    for (args, said) in [
        (&["--event", "deleted"][..], "delete"),
        (&["--since", "soon"], "yesterday"),
        (&["--since", "1h", "--until", "2h"], "swap them"),
        (&["--server", "nobody"], "nobody"),
    ] {
        let output = show(&home, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn the_failed_filter_shows_only_failures_and_control_characters_are_escaped() {
    let home = fresh();
    fs::create_dir(home.path("log")).expect("a folder");
    let good = record(
        1,
        "2026-01-31T03:00:00Z",
        &support::ids::record(r#""create_result","server":7,"snapshot":"own-1","outcome":"done""#),
    );
    let bad = record(
        2,
        "2026-01-31T03:00:01Z",
        &support::ids::record(
            r#""create_result","server":7,"snapshot":"own-2","outcome":"unknown","status":503,"error":"\u001b[2J\u202eno""#,
        ),
    );
    early(&home, "2026-01", &[&good, &bad]);
    let failed = lines(&home, &["--failed"]);
    assert_eq!(
        failed,
        [
            r"2026-01-31 03:00:01  server-7  create_result       own-2: unknown; HTTP 503; \u{1b}[2J\u{202e}no"
        ]
    );
}

/// Writes a file of an earlier month, whose chain is not checked.
pub(super) fn early(home: &Home, month: &str, lines: &[&str]) {
    let path = home.path("log").join(format!("audit-{month}.jsonl"));
    fs::write(path, lines.join("\n") + "\n").expect("written");
}
