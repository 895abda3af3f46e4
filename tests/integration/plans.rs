//! `plan`: what a run would do, and its exit codes.

use super::processes::{home, live};
use crate::support::{daily_name, days_ago, stderr, stdout};

#[test]
fn i14_plan_sends_only_get_requests_and_shows_what_a_run_then_does() {
    let (provider, home) = live();
    for back in (1..=3).rev() {
        let name = daily_name(back);
        let at = days_ago(back);
        provider.sandbox.add_snapshot(12345, &name, "completed", at);
    }
    let output = home.run(&["plan", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = provider.sandbox.log();
    assert!(!asked.is_empty() && asked.iter().all(|request| request.method == "GET"));
    assert!(!home.path("log").exists() && !home.path("state").exists());
    let plans: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let steps = plans["servers"][0]["steps"].as_array().expect("steps");
    let step = |step: &serde_json::Value| {
        let word = step["do"].as_str()?;
        (word != "wait").then(|| format!("{word} {}", step["name"].as_str().unwrap_or_default()))
    };
    let planned: Vec<_> = steps.iter().filter_map(step).collect();
    assert_eq!(
        planned,
        [
            format!("create {}", daily_name(0)),
            format!("delete {}", daily_name(3))
        ]
    );

    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    let intent = |event: &serde_json::Value| {
        let word = event["event"].as_str()?.strip_suffix("_intent")?;
        Some(format!("{word} {}", event["snapshot"].as_str()?))
    };
    let done: Vec<_> = home.trail().iter().filter_map(intent).collect();
    assert_eq!(done, planned);

    let rest = stdout(&home.run(&["plan"]));
    assert!(rest.contains("nothing to do until"), "{rest}");
}

#[test]
fn plan_finds_a_server_by_id_or_file_name_and_an_unknown_server_is_a_usage_error() {
    let (provider, home) = live();
    provider.sandbox.add_server(7, "db");
    home.daily(7, 2, "");
    for server in ["7", "server-7"] {
        let text = stdout(&home.run(&["plan", "--server", server]));
        assert!(
            text.contains("(id 7)") && !text.contains("(id 12345)"),
            "{text}"
        );
    }
    let output = home.run(&["plan", "--server", "mail"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("mail"), "{}", stderr(&output));
}

#[test]
fn i1_plan_blocks_a_server_that_shows_a_snapshot_of_another_one() {
    let (provider, home) = live();
    provider.sandbox.add_server(7, "db");
    home.daily(7, 2, "");
    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    let mut moved = provider.sandbox.truth(12345).remove(0);
    moved.server = 7;
    provider.sandbox.put(moved);
    let output = home.run(&["plan"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    for reason in [
        "which is a snapshot of server 12345",
        "it lacks the snapshot",
    ] {
        assert!(text.contains(reason), "{text}");
    }
    let one = home.run(&["plan", "server-7"]);
    assert_eq!(one.status.code(), Some(1), "{}", stdout(&one));
}

#[test]
fn plan_ends_with_exit_code_1_when_the_api_cannot_be_reached() {
    let output = home().run(&["plan"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}
