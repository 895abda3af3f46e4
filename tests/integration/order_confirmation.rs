//! Deletes and restores are confirmed by the server's name, or by `--yes`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::orders::{Place, ends, quick};
use crate::support::{days_ago, stdout};

#[test]
fn without_a_terminal_nothing_is_deleted_or_restored_unless_yes_is_given() {
    let place = quick();
    for command in ["delete", "restore"] {
        let output = place.home.run(&[command, "web", "by-hand"]);
        ends(&output, 1, "run this command on a terminal, or give --yes");
    }
    assert_eq!(place.provider.names(12345).len(), 2);
    assert_eq!(place.provider.sandbox.counts().restore, 0);
}

/// Runs `delete SERVER by-hand` on a terminal, types the text, and returns the output.
fn typed(place: &Place, server: &str, text: &str) -> String {
    let config = place.home.path("snaprotate.toml");
    let line = format!(
        "{} --config {} delete {server} by-hand",
        env!("CARGO_BIN_EXE_snaprotate"),
        config.display()
    );
    let mut terminal = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("RUNTIME_DIRECTORY", place.home.path("run"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a terminal");
    let mut input = terminal.stdin.take().expect("its input");
    input.write_all(text.as_bytes()).expect("typed");
    let output = terminal.wait_with_output().expect("it ends");
    drop(input);
    stdout(&output)
}

#[test]
fn on_a_terminal_only_the_exact_server_name_confirms() {
    for (text, done) in [
        ("webb\n", false),
        ("\n", false),
        ("y\n", false),
        ("web\n", true),
    ] {
        let place = quick();
        let said = typed(&place, "web", text);
        assert!(said.contains("Type the server's name, web"), "{said}");
        assert_eq!(said.contains("nothing was done"), !done, "{said}");
        let left = place.provider.names(12345).len();
        assert_eq!(left, if done { 1 } else { 2 }, "{text:?}");
    }
}

#[test]
fn an_order_that_the_listing_rules_out_is_refused_before_anybody_is_asked() {
    let place = quick();
    let made = days_ago(1);
    let sandbox = &place.provider.sandbox;
    sandbox.add_snapshot(12345, "half-done", "in_progress", made);
    place.home.policy(
        "web",
        "[server]\nid = 12345\nname = \"web\"\nprotect = [\"by-hand\"]\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n",
    );
    let refused = place.home.run(&["restore", "web", "half-done"]);
    ends(&refused, 1, "only a completed snapshot can be restored");
    let said = typed(&place, "web", "web\n");
    assert!(said.contains("is protected"), "{said}");
    assert!(!said.contains("Type the server's name"), "{said}");
    assert_eq!(place.provider.names(12345).len(), 3);
}

#[test]
fn without_a_server_name_in_the_policy_the_providers_name_confirms() {
    let place = quick();
    let policies = place.home.path("policies.d");
    std::fs::remove_file(policies.join("web.toml")).expect("removed");
    place.home.policy(
        "db",
        "[server]\nid = 12345\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n",
    );
    let said = typed(&place, "db", "db\n");
    assert!(said.contains("Type the server's name, web"), "{said}");
    assert!(said.contains("nothing was done"), "{said}");
    assert_eq!(place.provider.names(12345).len(), 2);
}

#[test]
fn a_blank_server_name_at_the_provider_does_not_confirm_by_enter() {
    let place = quick();
    place.provider.sandbox.rename_server(12345, " ");
    let policies = place.home.path("policies.d");
    std::fs::remove_file(policies.join("web.toml")).expect("removed");
    place.home.policy(
        "db",
        "[server]\nid = 12345\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n",
    );
    let said = typed(&place, "db", "\n");
    assert!(said.contains("Type the server's name, db"), "{said}");
    assert!(said.contains("nothing was done"), "{said}");
    assert_eq!(place.provider.names(12345).len(), 2);
}
