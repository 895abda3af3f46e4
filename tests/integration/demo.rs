//! The demo, as a newcomer runs it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::http::{address, ask};
use crate::support::{Daemon, Home, stderr, stdout, until};

#[test]
fn the_demo_rotates_real_snapshots_and_ends_with_a_verified_trail() {
    let output = Command::new(env!("CARGO_BIN_EXE_snaprotate"))
        .args(["demo", "--for", "8s"])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let seen = |server: &str, what: &str| {
        text.lines()
            .any(|line| line.contains(server) && line.contains(what))
    };
    assert!(seen("fresh-01", " completed "), "{text}");
    assert!(
        seen("full-01", "the server is full, and a slot of daily is due"),
        "{text}"
    );
    assert!(seen("shared-01", "beyond keep = 2 of daily"), "{text}");
    assert!(seen("foreign-01", "ALERT"), "{text}");
    assert!(seen("failing-01", " failed "), "{text}");
    assert!(text.contains("trail verified"), "{text}");
    let legend: Vec<_> = text
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(legend.len(), 6, "{text}");
    assert!(
        legend[0].contains("fresh-01    holds nothing; keep = 3: "),
        "{text}"
    );
    assert!(text.contains("\nTry next:\n"), "{text}");
    let hours = |event: &str| -> std::collections::BTreeSet<&str> {
        let lines = text.lines().filter(|line| line.contains(event));
        lines.filter_map(|line| line.get(11..13)).collect()
    };
    assert!(
        hours(" create ").len() >= 4,
        "the creates are spread over the day: {text}"
    );
    assert!(!text.contains('\u{1b}'), "no colours without a terminal");
    let kept = text.lines();
    let kept = kept.filter(|line| line.contains("by-hand-") && !line.contains("ALERT"));
    assert_eq!(kept.count(), 5, "foreign snapshots are kept: {text}");
}

#[test]
fn a_user_s_own_policy_rotates_against_the_served_stand_in() {
    let mut served = Command::new(env!("CARGO_BIN_EXE_snaprotate"))
        .args(["demo", "--serve", "127.0.0.1:0", "--servers", "1"])
        .args(["--server", "12345=web-server-01"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    // The output at the start is a valid main file; the line with `list` is its last.
    let mut main = String::new();
    let mut lines = BufReader::new(served.stdout.take().expect("a pipe")).lines();
    while !main.contains(" list\n") {
        main += &lines.next().expect("a line").expect("text");
        main.push('\n');
    }
    let served = Daemon(served);
    assert!(
        main.contains("printf demo | install -m 0600 /dev/stdin token"),
        "{main}"
    );

    let home = Home::new("http://127.0.0.1:1", "", "");
    std::fs::write(
        home.path("snaprotate.toml"),
        main.replace("[daemon]", "[daemon]\npoll_interval = \"200ms\""),
    )
    .expect("written");
    home.secret("token", "demo");
    home.policy(
        "web-server-01",
        "server = { id = 12345, name = \"web-server-01\" }\n[[rotation]]\nname = \"hourly\"\nschedule = \"0 * * * *\"\nkeep = 2\nsnapshot_name = \"{name}-%Y-%m-%d-%H\"\n",
    );
    let once = home.run(&["once"]);
    assert_eq!(once.status.code(), Some(0), "{}", stderr(&once));
    let listed = stdout(&home.run(&["list", "web-server-01"]));
    assert!(
        listed.contains("hourly-") && listed.contains("completed"),
        "{listed}"
    );
    let checked = home.run(&["check", "--online"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stdout(&checked));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn the_stand_in_is_served_on_loopback_only() {
    for (address, why) in [
        ("0.0.0.0:9181", "use a loopback address"),
        ("192.0.2.1:9181", "use a loopback address"),
        ("9181", "such as 127.0.0.1:9181"),
    ] {
        let refused = Command::new(env!("CARGO_BIN_EXE_snaprotate"))
            .args(["demo", "--serve", address])
            .output()
            .expect("it runs");
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
}

#[test]
fn the_demo_serves_its_status_page() {
    let address = address();
    let demo = Command::new(env!("CARGO_BIN_EXE_snaprotate"))
        .args(["demo", "--keep-running", "--listen", &address.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let _demo = Daemon(demo);
    until("the page shows the servers", || {
        let host = address.to_string();
        let answer = ask(address, "GET", "/", &host);
        answer.is_some_and(|answer| answer.body.contains("foreign-01"))
    });
}

#[test]
fn the_demo_ends_with_an_error_if_the_address_of_its_page_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = Command::new(env!("CARGO_BIN_EXE_snaprotate"))
        .args(["demo", "--listen", &address])
        .output()
        .expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    let why = format!("the demo: the status page can't be served on {address}: ");
    assert!(stderr(&refused).contains(&why), "{}", stderr(&refused));
}
