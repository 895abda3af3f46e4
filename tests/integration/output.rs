//! The output: a write error is reported, a reader that has closed the pipe is not.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stderr, stdout};

const COMMANDS: [&[&str]; 17] = [
    &["--help"],
    &["--version"],
    &["check", "--help"],
    &["list"],
    &["list", "--json"],
    &["plan"],
    &["forecast"],
    &["forecast", "--json"],
    &["check"],
    &["check", "--json"],
    &["schema"],
    &["schema", "plan"],
    &["completions", "bash"],
    &["man"],
    &["audit", "show"],
    &["audit", "verify"],
    &["init", "--dry-run"],
];

fn rotated() -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(7, "server-7");
    let (name, at) = (daily_name(1), days_ago(1));
    provider.sandbox.add_snapshot(7, &name, "completed", at);
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(7, 2, "");
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (provider, home)
}

#[test]
fn output_that_cannot_be_written_gives_a_one_line_error_and_exit_code_1() {
    let (_provider, home) = rotated();
    for args in COMMANDS {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("there");
        let output = home.command(args).stdout(full).output().expect("it runs");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        let why = "snaprotate: the output can't be written: No space left on device";
        assert!(said.starts_with(why), "{args:?}: {said}");
    }
}

#[test]
fn a_reader_that_closed_the_pipe_is_not_an_error() {
    let (_provider, home) = rotated();
    for args in COMMANDS {
        let mut command = home.command(args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(stderr(&output), "", "{args:?}");
    }
}

#[test]
fn json_on_a_terminal_has_no_control_characters_but_json_in_a_pipe_keeps_them() {
    let provider = Provider::quick();
    provider.sandbox.add_server(7, "web");
    let name = "web\u{85}\u{9b}31m\u{7f}";
    let now = jiff::Timestamp::now();
    provider.sandbox.add_snapshot(7, name, "completed", now);
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(7, 3, "");
    let piped = stdout(&home.run(&["list", "--json"]));
    assert!(piped.contains(name), "{piped}");
    let line = format!(
        "{} --config {} list --json",
        env!("CARGO_BIN_EXE_snaprotate"),
        home.path("snaprotate.toml").display()
    );
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &line, "/dev/null"]);
    let shown = stdout(&terminal.stdin(Stdio::null()).output().expect("a terminal"));
    let steers = |c: char| c.is_control() && !"\r\n".contains(c);
    assert!(!shown.contains(steers), "{shown:?}");
    assert!(shown.contains("\\u0085\\u009b31m\\u007f"), "{shown}");
    let read = |text: &str| {
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        json["servers"].clone()
    };
    assert_eq!(read(&shown), read(&piped));
}
