//! `list` and `check --online` compare the provider's snapshots with the policies.

use crate::support::{self, Home, Provider, daily_name, days_ago, stderr, stdout};
use jiff::SignedDuration;
use serde_json::Value;
use snaprotate::sandbox::faults::{CallKind, Fault, ListingFault};

/// Returns a provider with server 12345, and a home with a daily rotation for it.
pub(super) fn live(keep: usize, more: &str) -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", "");
    home.policy(
        "server-12345",
        &format!("[server]\nid = 12345\nname = \"web\"\n{more}\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = {keep}\n"),
    );
    (provider, home)
}

/// Runs the command with `--json`; returns the exit code and the value.
pub(super) fn json(home: &Home, args: &[&str]) -> (Option<i32>, Value) {
    let output = home.run(&[args, &["--json"]].concat());
    let value = serde_json::from_str(&stdout(&output));
    let value = value.unwrap_or_else(|why| panic!("{args:?}: {why}: {}", stderr(&output)));
    (output.status.code(), value)
}

/// Returns the findings of `check --online`, each as its severity and kind.
fn found(home: &Home) -> (Option<i32>, Vec<String>) {
    let (code, report) = json(home, &["check", "--online"]);
    let found = report["online"]["problems"]
        .as_array()
        .expect("a list")
        .clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = found
        .iter()
        .map(|one| format!("{} {}", text(&one["severity"]), text(&one["problem"])));
    (code, found.collect())
}

#[test]
fn check_online_succeeds_if_everything_matches_and_plain_check_sends_no_request() {
    let (provider, home) = live(2, "protect = [\"golden\"]");
    provider
        .sandbox
        .add_snapshot(12345, "golden", "completed", days_ago(30));
    provider
        .sandbox
        .add_snapshot(12345, &daily_name(0), "completed", days_ago(0));
    assert_eq!(home.run(&["check"]).status.code(), Some(0));
    assert_eq!(provider.sandbox.log().len(), 0);
    let output = home.run(&["check", "--online"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert_eq!(
        stdout(&output),
        "files: 1 policy, no problems\nonline: the token works (sandbox of admin@example.org; permits snapshots:*, servers:*); servers with snapshots: 1 of 1; no problems\n"
    );
    let methods: Vec<_> = provider
        .sandbox
        .log()
        .into_iter()
        .map(|one| one.method)
        .collect();
    assert_eq!(methods, ["GET"; 3]);
}

#[test]
fn check_online_reports_a_missing_permission_a_server_without_a_policy_and_a_missing_server() {
    let (provider, home) = live(2, "");
    let sandbox = &provider.sandbox;
    assert_eq!(found(&home), (Some(0), vec![]));
    sandbox.set_permissions(&["servers:*", "snapshots:read"]);
    sandbox.add_server(9, "other");
    home.policy("gone", "[server]\nid = 77\nname = \"other\"\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n");
    let (code, problems) = found(&home);
    assert_eq!(code, Some(1));
    assert_eq!(
        problems,
        [
            "error permission_missing",
            "error no_such_server",
            "warning no_policy"
        ]
    );
    let text = stdout(&home.run(&["check", "--online"]));
    for line in [
        "account: error: the token has no permission to create or delete snapshots, which rotation requires: it permits servers:*, snapshots:read; at the provider, give the token snapshots:create and snapshots:delete, or snapshots:*",
        "other (id 77): error: the account has no such server; write id = 9, which is the id of the server with this name",
        "account: warning: 1 server has no policy: other (id 9); snaprotate init proposes policies",
    ] {
        let quoted = text.replace("\"9\"", "9");
        assert!(quoted.contains(line), "{line}: {text}");
    }
    let listed = stdout(&home.run(&["list", "--servers"]));
    assert!(
        listed.contains("2 servers, 1 of them without a policy"),
        "{listed}"
    );
}

#[test]
fn a_server_without_snapshots_cannot_be_verified_yet_which_is_only_a_note() {
    let (provider, home) = live(2, "");
    for call in [CallKind::Servers, CallKind::Server, CallKind::Account] {
        let fault = Fault::status(call, 404).body(r#"{"detail": "Not found."}"#);
        provider.sandbox.order(fault.forever());
    }
    let notes = ["note unseen", "note not_offered", "note not_offered"];
    assert_eq!(found(&home), (Some(0), notes.map(str::to_owned).to_vec()));
    let output = home.run(&["list", "--servers"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("this provider does not offer GET /servers/"),
        "{}",
        stderr(&output)
    );
    let text = stdout(&home.run(&["check", "--online"]));
    assert!(text.contains("web (id 12345): note: the provider lists no snapshot of this server, so whether it exists and is named \"web\" is still unknown"), "{text}");
    let said = stderr(&home.run(&["plan"]));
    assert!(
        said.contains("no snapshot of server 12345 is listed, so whether the server exists"),
        "{said}"
    );
    // A server with this name and another id is probably the intended one.
    provider.sandbox.add_server(12354, "web");
    provider
        .sandbox
        .add_snapshot(12354, "golden", "completed", days_ago(1));
    let (code, problems) = found(&home);
    assert_eq!((code, &*problems[0]), (Some(0), "warning other_server"));
    let text = stdout(&home.run(&["check", "--online"]));
    assert!(text.contains("write id = 12354"), "{text}");
}

#[test]
fn a_policy_without_a_server_name_causes_a_warning_unless_its_file_is_named_after_the_server() {
    let (provider, home) = live(2, "");
    provider
        .sandbox
        .add_snapshot(12345, "golden", "completed", days_ago(9));
    let rotation = "[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 2\n";
    let by_id = format!("[server]\nid = 12345\n{rotation}");
    std::fs::remove_file(home.path("policies.d/server-12345.toml")).expect("removed");
    home.policy("blog", &by_id);
    assert_eq!(found(&home), (Some(0), vec!["warning unnamed".to_owned()]));
    let said = stderr(&home.run(&["plan"]));
    assert!(
        said.contains("blog.toml has no server.name, and the provider's name for 12345 is \"web\""),
        "{said}"
    );
    let text = stdout(&home.run(&["check", "--online"]));
    assert!(
        text.contains("write name = \"web\" if that is the intended server"),
        "{text}"
    );
    std::fs::rename(
        home.path("policies.d/blog.toml"),
        home.path("policies.d/web.toml"),
    )
    .expect("moved");
    assert_eq!(found(&home), (Some(0), vec![]));
}

#[test]
fn a_different_server_name_a_lack_of_room_and_ineffective_protect_entries_are_problems() {
    let (provider, home) = live(3, "protect = [\"goldne\", 4711, \"golden\"]");
    provider.sandbox.rename_server(12345, "web-02");
    for name in ["golden", "by-hand-1", "by-hand-2"] {
        provider
            .sandbox
            .add_snapshot(12345, name, "completed", days_ago(9));
    }
    provider.sandbox.add_server(9, "other");
    provider
        .sandbox
        .add_snapshot(9, "goldne", "completed", days_ago(1));
    let (code, problems) = found(&home);
    assert_eq!(code, Some(1));
    assert_eq!(
        problems,
        [
            "error protected_missing",
            "error protected_missing",
            "error wrong_name",
            "error no_room",
            "warning no_policy"
        ]
    );
    let output = home.run(&["check", "--online"]);
    let text = stdout(&output);
    for words in [
        "protect lists \"goldne\", which is on server 9, not on this one",
        "4711, which does not exist",
        "the provider's name for it is \"web-02\"",
        "keep adds up to 3, but foreign or protected snapshots take up 3 of the 5 places",
        "lower keep to at most 2 in total",
        "4 problems",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn an_earlier_id_of_a_snapshot_still_protects_it() {
    let provider = Provider::quick();
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", "settle_window = \"2s\"");
    home.policy(
        "server-12345",
        "[server]\nid = 12345\nname = \"web\"\nprotect = [801]\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 2\n",
    );
    let name = daily_name(1);
    let put = || {
        let sandbox = &provider.sandbox;
        sandbox.add_snapshot(12345, &name, "completed", days_ago(1))
    };
    assert_eq!(put(), 801);
    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    provider.sandbox.remove_snapshot(801);
    assert!(put() > 801);
    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    let plan = stdout(&home.run(&["plan"]));
    assert!(
        plan.contains("an id that a snapshot of this name had before"),
        "{plan}"
    );
    assert_eq!(found(&home), (Some(0), vec![]));
}

#[test]
fn a_single_place_beside_foreign_snapshots_is_a_problem_since_it_allows_no_replacement() {
    let (provider, home) = live(1, "");
    for name in ["one", "two", "three", "four"] {
        provider
            .sandbox
            .add_snapshot(12345, name, "completed", days_ago(9));
    }
    let (code, problems) = found(&home);
    assert_eq!(
        (code, problems),
        (Some(1), vec!["error no_room".to_owned()])
    );
    let text = stdout(&home.run(&["check", "--online"]));
    assert!(
        text.contains("delete snapshots that nobody needs"),
        "{text}"
    );
}

#[test]
fn check_online_warns_of_a_tight_fit_copies_future_names_and_an_earlier_pattern() {
    let (provider, home) = live(3, "");
    let today = daily_name(0);
    for (name, age) in [
        (today.as_str(), 0),
        (today.as_str(), 1),
        (&daily_name(-3), 0),
        ("backup-2026-11-01", 24),
        ("backup-2026-11-02", 23),
    ] {
        provider
            .sandbox
            .add_snapshot(12345, name, "completed", days_ago(age));
    }
    let (code, problems) = found(&home);
    assert_eq!(code, Some(0), "{problems:?}");
    assert_eq!(
        problems,
        [
            "warning tight",
            "warning copies",
            "warning name_ahead",
            "warning unmanaged_pattern"
        ]
    );
    let text = stdout(&home.run(&["check", "--online"]));
    assert!(
        text.contains("former_names = [\"backup-%Y-%m-%d\"]"),
        "{text}"
    );
}

#[test]
fn check_online_ends_with_1_for_a_rejected_token_an_unreadable_api_and_a_doubtful_listing() {
    let (provider, home) = live(2, "protect = [\"golden\"]");
    provider
        .sandbox
        .add_snapshot(12345, "x", "completed", days_ago(1));
    provider
        .sandbox
        .order(Fault::listing(ListingFault::Count(1)));
    // The doubtful listing may lack rows, so missing ones are not reported.
    assert_eq!(found(&home), (Some(1), vec!["error doubtful".to_owned()]));
    provider.sandbox.order(Fault::status(CallKind::List, 404));
    assert_eq!(
        found(&home),
        (Some(1), vec!["error api_unreadable".to_owned()])
    );
    provider.sandbox.set_token("another");
    let (code, report) = json(&home, &["check", "--online"]);
    assert_eq!((code, &report["good"]), (Some(1), &false.into()));
    assert_eq!(report["online"]["problems"][0]["problem"], "token_refused");
    assert_eq!(report["online"]["reached"], false);
    let text = stdout(&home.run(&["check", "--online"]));
    assert!(text.contains("account: error: "), "{text}");
    assert!(text.contains("holds the whole token"), "{text}");
}

#[test]
fn problems_in_the_files_prevent_the_online_check_and_end_with_2_in_json_too() {
    let (provider, home) = live(2, "");
    home.policy("broken", "[server]\nid = 7\nnmae = \"x\"\n");
    let (code, report) = json(&home, &["check", "--online"]);
    assert_eq!((code, &report["good"]), (Some(2), &false.into()));
    let problems = report["problems"].as_array().expect("a list");
    let unknown = problems
        .iter()
        .find(|one| one["line"] == 3)
        .expect("the key");
    assert!(
        unknown["remedy"]
            .as_str()
            .is_some_and(|text| text.contains("name"))
    );
    assert_eq!(
        (&report["online"], provider.sandbox.log().len()),
        (&Value::Null, 0)
    );
}

#[test]
fn the_name_of_todays_slot_is_no_future_name_even_if_the_creation_date_is_in_the_future() {
    // In the home's zone it is noon, so today's name is never in the future there.
    let (provider, home) = live(3, "");
    let later = jiff::Timestamp::now() + SignedDuration::from_hours(1);
    provider
        .sandbox
        .add_snapshot(12345, &daily_name(0), "completed", later);
    assert_eq!(found(&home), (Some(0), Vec::new()));
}

#[test]
fn every_command_that_reads_the_account_gives_the_remedy_for_a_rejected_token_or_wrong_base_url() {
    let (provider, home) = live(2, "");
    provider.sandbox.set_token("another");
    let says = |remedy: &str, address: &str| {
        for args in [
            &["list"][..],
            &["plan"],
            &["create", "12345", "x"],
            &["delete", "12345", "x", "--yes"],
            &["restore", "12345", "x", "--yes"],
        ] {
            let output = home.run(args);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
            let found = said.contains(remedy) && said.contains(address);
            assert!(found, "{args:?}: {said}");
        }
    };
    let token = home.path("token");
    says(
        "holds the whole token, or make a new token at the provider and write it to that file",
        &token.display().to_string(),
    );
    provider.sandbox.set_token(support::TOKEN);
    let file = home.path("snaprotate.toml");
    let right = provider.sandbox.base_url();
    let wrong = right.replace("/api/v1", "/api/v7");
    assert_ne!(right, wrong);
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, text.replace(&right, &wrong)).expect("written");
    says("correct base_url", &wrong);
}
