//! Hooks with the real binary, as children of the service and behind a socket.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{self, Home, Provider, QUICK, daily_name, stdout, until, verified};
use jiff::SignedDuration;
use serde_json::Value;

pub(super) struct Place {
    pub(super) provider: Provider,
    pub(super) home: Home,
}

/// Returns a server whose daily slot is due. Its hooks write down their input, then run `more`.
pub(super) fn place(completes_after: SignedDuration, more: &str, hooks: &str) -> Place {
    let provider = Provider::start(completes_after, Duration::from_millis(1));
    provider.sandbox.add_server(12345, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let script = home.path("hook");
    let text = format!(
        "#!/bin/sh\nread context\necho \"$1 $SNAPROTATE_HOOK $SNAPROTATE_SERVER_NAME $SNAPROTATE_SNAPSHOT $context\" >> {}\n{more}\n",
        home.path("said").display()
    );
    std::fs::write(&script, text).expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("mode set");
    let script = script.display();
    home.policy(
        "web",
        &format!(
            "[server]\nid = 12345\nname = \"web\"\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\nattempts = 1\n[rotation.hooks]\nbefore = [\"{script}\", \"one word\"]\nafter = [\"{script}\", \"other\"]\n{hooks}\n"
        ),
    );
    Place { provider, home }
}

impl Place {
    /// Returns each line that a hook wrote: its kind and its input.
    fn said(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.home.path("said")).unwrap_or_default();
        let lines = text.lines().map(|line| {
            let (words, context) = line.split_once(" {").expect("words, then the context");
            (words.to_owned(), format!("{{{context}"))
        });
        lines.collect()
    }

    pub(super) fn hooks(&self) -> Vec<String> {
        let said = self.said().into_iter();
        said.map(|(words, _)| words.split(' ').rev().nth(2).expect("a word").to_owned())
            .collect()
    }
}

pub(super) fn finished(home: &Home, hook: &str) -> Vec<Value> {
    let mut all = home.events("hook_finished");
    all.retain(|record| record["hook"] == hook);
    all
}

#[test]
fn hooks_receive_their_context_and_run_before_and_after_the_snapshot() {
    let place = place(SignedDuration::from_millis(300), "", "");
    let once = place.home.run(&["once"]);
    assert_eq!(once.status.code(), Some(0), "{}", support::stderr(&once));
    let name = daily_name(0);
    let said = place.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0].0, format!("one word before web {name}"));
    assert_eq!(said[1].0, format!("other after web {name}"));
    let context: Value = serde_json::from_str(&support::ids::numbered(&said[1].1)).expect("JSON");
    assert_eq!(context["server"], 12345);
    assert_eq!(context["rotation"], "daily");
    assert_eq!(context["snapshot"], name.as_str());
    assert_eq!(context["reason"], format!("{name} is completed"));
    let completed = &place.home.events("snapshot_completed")[0];
    let after = &finished(&place.home, "after")[0];
    assert!(completed["seq"].as_u64() < after["seq"].as_u64());
    assert_eq!(place.provider.names(12345), [name]);
    let shown = place
        .home
        .run(&["audit", "show", "--raw", "--server", "web"]);
    assert!(
        stdout(&shown).contains("hook_started"),
        "{}",
        stdout(&shown)
    );
    verified(&place.home);
}

#[test]
fn the_output_of_a_successful_hook_is_recorded_in_the_trail_with_the_reason() {
    let place = place(
        SignedDuration::from_millis(100),
        "echo flushed 7 tables",
        "",
    );
    let once = place.home.run(&["once"]);
    assert_eq!(once.status.code(), Some(0), "{}", support::stderr(&once));
    let before = finished(&place.home, "before")[0]["reason"].to_string();
    assert!(before.contains("succeeded: flushed 7 tables"), "{before}");
    let after = &finished(&place.home, "after")[0]["reason"];
    let said = format!(
        "{} is completed; hook output: flushed 7 tables",
        daily_name(0)
    );
    assert_eq!(*after, said);
}

#[test]
fn the_hook_runner_uses_the_log_level_of_the_service_and_names_the_server() {
    for (level, lines) in [("info", 1), ("warn", 0)] {
        let place = place(SignedDuration::from_millis(100), "", "");
        let once = place.home.run(&["once", "--log", level]);
        let told = support::stderr(&once);
        let of_runner = told.lines().filter(|line| line.contains("after succeeded"));
        let of_runner: Vec<_> = of_runner.collect();
        assert_eq!(of_runner.len(), lines, "{told}");
        for line in of_runner {
            assert!(line.contains("server=12345 server_name=\"web\""), "{line}");
        }
        assert!(!told.contains("Done"), "{told}");
        let mut quiet = told.lines().filter(|line| !line.contains("warning: "));
        assert_eq!(quiet.next().is_some(), level == "info", "{told}");
    }
}

#[test]
fn a_failed_before_hook_prevents_the_snapshot_and_its_output_is_recorded() {
    let more = "[ $SNAPROTATE_HOOK = after ] || { echo no such volume; exit 3; }";
    let place = place(SignedDuration::from_millis(100), more, "");
    let once = place.home.run(&["once"]);
    assert_eq!(once.status.code(), Some(1));
    assert_eq!(place.hooks(), ["before", "after"]);
    assert!(place.provider.names(12345).is_empty());
    let reason = finished(&place.home, "before")[0]["reason"].to_string();
    assert!(
        reason.contains("ended with exit status: 3: no such volume"),
        "{reason}"
    );
    let alerts = place.home.events("alert_raised");
    assert!(
        alerts.iter().any(|alert| alert["alert"] == "hook_failed"),
        "{alerts:?}"
    );
}

#[test]
fn a_hook_that_hangs_or_writes_endlessly_is_ended_at_its_timeout() {
    for more in [
        "sleep 600",
        "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxx; done",
    ] {
        let more = format!("[ $SNAPROTATE_HOOK = after ] || {{ {more}; }}");
        let place = place(SignedDuration::from_millis(100), &more, "timeout = \"1s\"");
        assert_eq!(place.home.run(&["once"]).status.code(), Some(1));
        assert_eq!(place.hooks(), ["before", "after"]);
        let reason = finished(&place.home, "before")[0]["reason"].to_string();
        assert!(reason.contains("did not end within 1s"), "{reason}");
        assert!(reason.len() < 2000, "{reason}");
    }
}

#[test]
fn with_on_failure_continue_a_failed_before_hook_does_not_prevent_the_snapshot() {
    let place = place(
        SignedDuration::from_millis(100),
        "exit 1",
        "on_failure = \"continue\"",
    );
    let mut daemon = place.home.start(&["run"]);
    until("the snapshot is made", || {
        place.provider.names(12345) == [daily_name(0)]
    });
    until("after is tried", || {
        !finished(&place.home, "after").is_empty()
    });
    let _ended = daemon.0.kill();
}

/// Does what systemd does for a socket with `Accept=yes`: starts a process for each connection.
fn activate(home: &Home) -> PathBuf {
    let path = home.path("hooks.sock");
    let listener = UnixListener::bind(&path).expect("bound");
    let config = home.path("snaprotate.toml");
    let locks = home.0.path().to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut runner = Command::new(env!("CARGO_BIN_EXE_snaprotate"));
            runner.arg("hook-runner").arg("--config").arg(&config);
            runner.env("RUNTIME_DIRECTORY", &locks);
            let stream = std::os::fd::OwnedFd::from(stream.expect("a connection"));
            let mut runner = runner
                .stdin(Stdio::from(stream))
                .spawn()
                .expect("it starts");
            std::thread::spawn(move || runner.wait());
        }
    });
    path
}

#[test]
fn with_a_hook_socket_hooks_are_run_only_by_its_listener() {
    let place = place(SignedDuration::from_millis(300), "", "");
    let socket = place.home.path("hooks.sock");
    let once = || {
        let mut command = place.home.command(&["once"]);
        command.env("SNAPROTATE_HOOKS", &socket);
        command.output().expect("it runs")
    };
    // Nothing listens on the socket, and hooks are not run in any other way.
    assert_eq!(once().status.code(), Some(1));
    assert_eq!(place.said(), []);
    let reason = finished(&place.home, "before")[0]["reason"].to_string();
    assert!(
        reason.contains("systemctl enable --now snaprotate-hook.socket"),
        "{reason}"
    );
    assert!(place.provider.names(12345).is_empty());
    assert_eq!(activate(&place.home), socket);
    std::fs::remove_dir_all(place.home.path("state")).expect("removed");
    std::fs::remove_dir_all(place.home.path("log")).expect("removed");
    let good = once();
    assert_eq!(good.status.code(), Some(0), "{}", support::stderr(&good));
    assert_eq!(place.hooks(), ["before", "after"]);
    assert_eq!(place.provider.names(12345), [daily_name(0)]);
}

#[test]
fn a_hook_runner_that_is_started_by_hand_fails_and_says_why() {
    let place = place(SignedDuration::from_millis(300), "", "");
    let output = place.home.run(&["hook-runner"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(support::stderr(&output).contains("started by the service, not by hand"));
}

#[test]
fn check_names_a_hook_that_cannot_be_run_and_its_key() {
    let place = place(SignedDuration::from_millis(300), "", "");
    let home = &place.home;
    let (file, folder) = (home.path("thaw"), home.path("policies.d"));
    std::fs::write(&file, "#!/bin/sh\n").expect("written");
    let (file, folder) = (file.display(), folder.display());
    home.daily(
        12345,
        3,
        &format!("[rotation.hooks]\nbefore = [\"{folder}\"]\nafter = [\"{file}\"]"),
    );
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = support::stderr(&output);
    for words in [
        "server-12345.toml".to_owned(),
        format!("before {folder} is a folder"),
        format!("after {file} is not executable"),
        format!("chmod +x {file}"),
    ] {
        assert!(said.contains(&words), "{words} in {said}");
    }
}

#[test]
fn a_second_runner_of_a_server_does_nothing_while_the_first_one_holds_it() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixStream;

    let place = place(SignedDuration::from_millis(300), "", "");
    let socket = activate(&place.home);
    let ask = |after: Option<&str>| {
        let mut stream = UnixStream::connect(&socket).expect("connected");
        let job = serde_json::json!({"policy": "web", "rotation": "daily", "snapshot": "x", "server": 12345});
        let request = serde_json::json!({"job": job, "after": after});
        writeln!(stream, "{request}").expect("sent");
        let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
        (stream, lines.map(|line| line.expect("a line")))
    };
    let (first, mut told) = ask(None);
    assert_eq!(told.next().expect("begun"), "{\"begun\":true}");
    assert!(told.next().expect("told").contains("\"before\""));
    let (_second, mut refused) = ask(None);
    let why = refused.next().expect("an answer");
    let why = support::ids::numbered(&why);
    assert!(why.contains("another runner holds server 12345"), "{why}");
    let (_third, mut released) = ask(Some("it was lost"));
    assert!(released.next().expect("told").contains("not_started"));
    assert_eq!(place.hooks(), ["before"]);
    // A client that disconnects releases the server, and the next hold is accepted.
    first.shutdown(std::net::Shutdown::Write).expect("gone");
    assert!(told.next().expect("told").contains("\"after\""));
    let (_fourth, mut released) = ask(Some("it was lost"));
    assert!(released.next().expect("told").contains("done"));
    assert_eq!(place.hooks(), ["before", "after", "after"]);
    assert_eq!(ask(None).1.next().expect("begun"), "{\"begun\":true}");
}
