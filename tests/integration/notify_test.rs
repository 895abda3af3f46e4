//! `notify test`: a message without an alert, to every kind of receiver.

use std::process::Command;

use crate::support::notify::Service;
use crate::support::receivers::{Answer, Hook, full, receiver, trust, webhook};
use crate::support::smtp::{Manner, Smtp};
use crate::support::tls::{Certificate, TlsServer};
use crate::support::{stderr, stdout, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A secret that must not appear in any output or log.
const SECRET: &str = "s3cr3t-part-of-an-address";

#[test]
fn a_test_message_reaches_each_kind_of_receiver_while_the_service_runs() {
    let (_provider, home, _) = full();
    let (hook, smtp) = (Hook::start(), Smtp::start(Manner::default()));
    let of = |path: &str| hook.url(path);
    webhook(&home, "hook", &of("/hook"));
    receiver(
        &home,
        &format!("type = \"ping\"\nurl = \"{}\"", of("/ping")),
    );
    home.secret("ntfy-token", SECRET);
    receiver(
        &home,
        &format!(
            "type = \"ntfy\"\nurl = \"{}\"\ntoken_file = \"ntfy-token\"",
            of("/ntfy")
        ),
    );
    receiver(
        &home,
        &format!("type = \"slack\"\nurl = \"{}\"", of("/slack")),
    );
    home.secret("password", "pass word");
    receiver(
        &home,
        &format!(
            "type = \"email\"\nserver = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"s@example.org\"\nto = [\"a@example.org\", \"b@example.org\"]\nusername = \"user\"\npassword_file = \"password\"",
            smtp.address.port()
        ),
    );
    let (heard, env) = (home.path("heard"), home.path("env"));
    receiver(
        &home,
        &format!(
            "type = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"cat > {}; env > {}; echo said\"]",
            heard.display(),
            env.display()
        ),
    );
    let _service = Service::start(&home);
    let mut command = home.command(&["notify", "test"]);
    let output = command
        .env("CREDENTIALS_DIRECTORY", home.path("none"))
        .output();
    let output = output.expect("it runs");
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
    assert_eq!(
        said,
        "hook (webhook): ok\nping (ping): ok\nntfy (ntfy): ok\nslack (slack): ok\nemail (email): ok\ncommand (command): ok\n"
    );
    let came = hook.came();
    let tested = |path: &str| {
        came.iter()
            .find(|c| c.path == path && (c.body.contains("Test of") || c.body.contains("test")))
    };
    let sent = |path: &str| tested(path).unwrap_or_else(|| panic!("{path} in {came:?}"));
    let (event, host) = (sent("/hook").json(), gethostname());
    assert_eq!(
        (&event["event"], &event["host"]),
        (&"test".into(), &host.into())
    );
    sent("/ping/log");
    let slack = sent("/slack").json();
    assert!(
        slack["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("Test of "))
    );
    let ntfy = came
        .iter()
        .find(|c| c.path == "/ntfy" && c.header("priority") == Some("low"));
    let ntfy = ntfy.expect("a message");
    assert!(
        ntfy.header("title")
            .is_some_and(|title| title.starts_with("Test of "))
    );
    assert_eq!(
        ntfy.header("authorization"),
        Some(format!("Bearer {SECRET}").as_str())
    );
    let letters = smtp.letters();
    let letter = letters
        .iter()
        .find(|letter| letter.data.contains("Subject: Test of"));
    let letter = letter.expect("a letter");
    let plain = STANDARD.encode("\0user\0pass word");
    for line in [
        format!("AUTH PLAIN {plain}"),
        "RCPT TO:<b@example.org>".to_owned(),
        "MAIL FROM:<s@example.org>".to_owned(),
    ] {
        assert!(
            letter.envelope.iter().any(|l| l.starts_with(&line)),
            "{line}: {letter:?}"
        );
    }
    let body = letter
        .data
        .split_once("\r\n\r\n")
        .expect("a body")
        .1
        .replace("\r\n", "");
    let body = STANDARD.decode(body).expect("base64");
    assert!(
        body.starts_with(b"This is a test: alerts reach this receiver. Nothing is wrong.\r\n"),
        "{body:?}"
    );
    let heard: Value = serde_json::from_slice(&std::fs::read(heard).expect("heard")).expect("JSON");
    assert_eq!(heard["event"], "test");
    let env = std::fs::read_to_string(env).expect("written");
    assert!(
        env.contains("PATH=") && !env.contains("CREDENTIALS"),
        "{env}"
    );
    assert!(!env.contains("RUNTIME_DIRECTORY"), "{env}");
    let log = std::fs::read_to_string(home.path("stderr")).expect("a log");
    assert!(!log.contains(SECRET) && !log.contains("pass word"), "{log}");
}

fn gethostname() -> String {
    let output = Command::new("uname")
        .arg("-n")
        .output()
        .expect("uname runs");
    stdout(&output).trim().to_owned()
}

#[test]
fn notify_test_names_each_receiver_that_failed_and_why_without_its_address() {
    let (_provider, home, _) = full();
    let (good, hook) = (
        Hook::start(),
        Hook::answering(Answer::Status("404 Not Found", String::new())),
    );
    let away = Hook::answering(Answer::Status(
        "302 Found",
        format!("Location: {}\r\n", good.url("/away")),
    ));
    webhook(&home, "good", &good.url("/good"));
    webhook(&home, "missing", &hook.url(&format!("/{SECRET}")));
    webhook(&home, "moved", &away.url(&format!("/{SECRET}")));
    webhook(&home, "down", &format!("http://127.0.0.1:9/{SECRET}"));
    receiver(
        &home,
        "type = \"email\"\nserver = \"127.0.0.1\"\nport = 9\ntls = \"none\"\nfrom = \"s@example.org\"\nto = [\"a@example.org\"]",
    );
    receiver(
        &home,
        "type = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"echo broken >&2; exit 3\"]",
    );
    let output = home.run(&["notify", "test"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output) + &stderr(&output);
    let lines: Vec<_> = said.lines().collect();
    for (line, begin, end) in [
        (0, "good (webhook): ok", ""),
        (
            1,
            "missing (webhook): failed: the receiver answered 404",
            "",
        ),
        (2, "moved (webhook): failed: the receiver answered 302", ""),
        (3, "down (webhook): failed: ", "refused"),
        (4, "email (email): failed: ", "refused"),
        (
            5,
            "command (command): failed: /bin/sh ended with exit status: 3",
            ": broken",
        ),
    ] {
        assert!(
            lines[line].starts_with(begin) && lines[line].contains(end),
            "{begin}: {said}"
        );
    }
    assert!(!said.contains(SECRET), "{said}");
    assert_eq!(good.came().len(), 1, "no redirect is followed");

    let one = home.run(&["notify", "test", "--receiver", "good"]);
    assert_eq!(
        (one.status.code(), stdout(&one)),
        (Some(0), "good (webhook): ok\n".to_owned())
    );
    let none = home.run(&["notify", "test", "--receiver", "god"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        stderr(&none).contains("the receivers are good, missing, moved, down, email, command"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn notify_test_without_receivers_is_a_configuration_error() {
    let (_provider, home, _) = full();
    let output = home.run(&["notify", "test"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("write a [[notify]]"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_command_that_times_out_is_killed_with_its_child_processes() {
    let (_provider, home, _) = full();
    let pid = home.path("pid");
    receiver(
        &home,
        &format!(
            "type = \"command\"\ntimeout = \"1s\"\ncommand = [\"/bin/sh\", \"-c\", \"sleep 600 & echo $! > {}; wait\"]",
            pid.display()
        ),
    );
    let output = home.run(&["notify", "test"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        "command (command): failed: timed out after 1s\n"
    );
    let pid = std::fs::read_to_string(pid).expect("begun");
    let stat = format!("/proc/{}/stat", pid.trim());
    until("the child of the command has ended", || {
        std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn a_server_whose_certificate_ca_file_does_not_trust_gets_neither_address_nor_password() {
    for (certificate, trusted) in [(Certificate::Fits, true), (Certificate::SelfSigned, false)] {
        let (web, mail) = (TlsServer::start(certificate), TlsServer::start(certificate));
        let (_provider, home, _) = full();
        trust(&home, web.trusted());
        let url = web.base_url().replace("/api/v1", &format!("/{SECRET}"));
        webhook(&home, "web", &url);
        let port = mail
            .base_url()
            .rsplit(':')
            .next()
            .expect("a port")
            .replace("/api/v1", "");
        home.secret("password", SECRET);
        receiver(
            &home,
            &format!(
                "type = \"email\"\nserver = \"localhost\"\nport = {port}\ntls = \"tls\"\nfrom = \"s@example.org\"\nto = [\"a@example.org\"]\nusername = \"user\"\npassword_file = \"password\"\ntimeout = \"3s\""
            ),
        );
        let output = home.run(&["notify", "test"]);
        let said = stdout(&output);
        // Neither server answers, so both fail; only the trusted one receives a request.
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(web.received() > 0, trusted, "{said}");
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(!lines[0].contains("certificate"), trusted, "{said}");
        // The other server's certificate is not the trusted one.
        assert!(lines[1].contains("certificate"), "{said}");
        assert_eq!(mail.received(), 0, "{said}");
        trust(&home, mail.trusted());
        let said = stdout(&home.run(&["notify", "test", "--receiver", "email"]));
        assert_eq!(!said.contains("certificate"), trusted, "{said}");
    }
}
