//! `audit show` a line an action: on a terminal, followed, and as CSV.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::audit::{early, file, fresh, record, rotated, show};
use crate::support::{Daemon, Home, daily_name, ids, stderr, stdout};

/// Returns the actions that the command prints, without the line that names the zone.
fn actions(home: &Home, args: &[&str]) -> Vec<String> {
    let output = show(home, args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("Times are in UTC."));
    lines.map(str::to_owned).collect()
}

/// Returns a home whose trail has 250 pauses.
fn long() -> Home {
    let home = fresh();
    fs::create_dir(home.path("log")).expect("a folder");
    let pause = |seq| {
        let rest = format!(r#""paused","server":{seq}"#);
        record(seq, "2026-01-31T03:00:00Z", &rest)
    };
    let records: Vec<_> = (1..=250).map(pause).collect();
    let records: Vec<_> = records.iter().map(String::as_str).collect();
    early(&home, "2026-01", &records);
    home
}

/// Returns what a terminal of 30 rows and 80 columns shows; `None` if there is no `script`.
fn on_terminal(home: &Home, more: &str, pager: &str) -> Option<String> {
    let command = format!(
        "stty rows 30 cols 80; {} --config {} audit show {more}",
        env!("CARGO_BIN_EXE_snaprotate"),
        home.path("snaprotate.toml").display()
    );
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("NO_COLOR", "1")
        .env("PAGER", pager)
        .env_remove("SUDO_UID")
        .stdin(Stdio::null())
        .output();
    if let Ok(output) = output {
        return Some(stdout(&output));
    }
    let missing = "script is missing: apt-get install bsdutils";
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    let _told = writeln!(std::io::stderr(), "SKIPPED: {missing}");
    None
}

#[test]
fn a_create_and_a_delete_are_one_line_each_with_their_result_and_reason() {
    let (_provider, home) = rotated();
    let all = actions(&home, &[]);
    let of = |word: &'static str| all.iter().filter(move |line| line.contains(word));
    let creates: Vec<_> = of("✓ create ").collect();
    assert_eq!(creates.len(), 1, "{all:?}");
    for words in [
        daily_name(0).as_str(),
        ": completed",
        "; a slot of daily is due, and there is room; rotation daily, policy server-7.toml",
    ] {
        assert!(creates[0].contains(words), "{words}: {creates:?}");
    }
    assert_eq!(of("✓ delete ").count(), 3, "{all:?}");
    assert!(of("✓ delete ").all(|line| line.contains("beyond keep = 1 of daily")));
    let snake = |line: &&String| line.contains("_intent") || line.contains("_result");
    assert_eq!(all.iter().filter(snake).count(), 0, "{all:?}");
    let story = actions(&home, &["--snapshot", &daily_name(2)]);
    assert_eq!(story.len(), 2, "found, and deleted: {story:?}");
    // An action is selected by any of its records.
    for event in ["delete", "delete_intent", "delete_confirmed"] {
        assert_eq!(actions(&home, &["--event", event]).len(), 3, "{event}");
    }
    assert_eq!(actions(&home, &["--last", "2"]), all[all.len() - 2..]);
}

#[test]
fn an_intent_without_an_outcome_is_shown_as_still_open() {
    let home = fresh();
    fs::create_dir(home.path("log")).expect("a folder");
    let intent = ids::record(
        r#""create_intent","server":7,"rotation":"daily","snapshot":"d-1","known":[],"reason":"a slot is due""#,
    );
    early(
        &home,
        "2026-01",
        &[&record(1, "2026-01-31T03:00:00Z", &intent)],
    );
    let shown = actions(&home, &[]);
    assert_eq!(shown.len(), 1);
    assert!(
        shown[0].contains("↻ create    d-1: still open: no answer is recorded; a slot is due"),
        "{shown:?}"
    );
}

#[test]
fn csv_has_a_row_for_each_action_with_the_same_number_of_fields() {
    let (_provider, home) = rotated();
    let text = stdout(&show(&home, &["--csv"]));
    assert!(text.ends_with("\r\n"), "{text}");
    let rows: Vec<_> = text.split_terminator("\r\n").collect();
    assert!(rows[0].starts_with("begun,last_record,server_id,policy,action,state,"));
    assert_eq!(rows.len() - 1, actions(&home, &[]).len());
    let fields = |row: &str| {
        let outside = row.split('"').step_by(2);
        outside.map(|part| part.matches(',').count()).sum::<usize>() + 1
    };
    assert!(
        rows.iter().all(|row| fields(row) == fields(rows[0])),
        "{text}"
    );
    let created = rows.iter().find(|row| row.contains(",create,"));
    let created = created.expect("a create");
    assert!(
        created.contains(&format!(",create,done,{},", daily_name(0))),
        "{created}"
    );
    assert!(
        created.contains("\"a slot of daily is due, and there is room\""),
        "{created}"
    );
}

#[test]
fn a_terminal_shows_as_many_actions_as_fit_and_how_to_show_more() {
    let home = long();
    let Some(text) = on_terminal(&home, "", "false") else {
        return;
    };
    let shown = |text: &str| {
        text.lines()
            .filter(|line| line.contains("  paused"))
            .count()
    };
    assert_eq!(shown(&text), 26, "{text}");
    assert!(text.lines().count() < 30, "it fits the screen: {text}");
    let last = text.lines().last().expect("a line");
    assert_eq!(
        last,
        "only the newest 26 actions: --all, --last N or --since TIME shows more"
    );
    assert!(
        text.contains("✓ done  ✕ failed or refused  ! alert  ↻ still open"),
        "{text}"
    );
    assert_eq!(stdout(&show(&home, &[])).lines().count(), 251);
}

#[test]
fn only_output_that_is_longer_than_the_screen_goes_to_the_pager() {
    let home = long();
    let counted = "sed 's/^/paged: /'";
    let Some(short) = on_terminal(&home, "--last 5", counted) else {
        return;
    };
    assert!(!short.contains("paged: "), "{short}");
    for more in ["--all", "--since 2026-01-01", "--last 250", "--raw --all"] {
        let text = on_terminal(&home, more, counted).expect("a terminal");
        let paged = text.lines().filter(|line| line.starts_with("paged: 2026-"));
        assert_eq!(paged.count(), 250, "{more}: {text}");
        assert!(!text.contains("shows more"), "{more}");
    }
    let without = on_terminal(&home, "--all --no-pager", counted).expect("a terminal");
    assert!(!without.contains("paged: "), "{without}");
    assert!(without.contains("2026-01-31 03:00:00"));
    // A pager that can't be started or ends at once is no error.
    let none = on_terminal(&home, "--all", "exit 3").expect("a terminal");
    assert!(!none.contains("snaprotate: "), "{none}");
}

#[test]
fn follow_shows_what_is_appended_even_in_the_next_month() {
    let (_provider, home) = rotated();
    let mut command = home.command(&["audit", "show", "--follow"]);
    let mut child = command
        .env("TZ", "UTC")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let follower = Daemon(child);
    let mut until = |words: &str| {
        let mut lines = lines.by_ref().map(|line| line.expect("text"));
        lines.find(|line| line.contains(words)).expect("the line")
    };
    until("✓ create ");
    until("process ended");
    let trail = file(&home);
    append(&trail, &intent("now-1"));
    let line = until("now-1");
    assert!(line.contains("↻ create    now-1: still open"), "{line}");
    let name = "audit-2099-01.jsonl";
    append(&trail.with_file_name(name), "");
    let answered = ids::record(
        r#""create_result","server":7,"snapshot":"now-1","outcome":"failed","said":"no""#,
    );
    append(
        &trail.with_file_name(name),
        &record(2, "2099-01-01T03:00:01Z", &answered),
    );
    let line = until("now-1");
    assert!(
        line.contains("✕ create    now-1: refused: \"no\""),
        "{line}"
    );
    drop(follower);
}

fn intent(snapshot: &str) -> String {
    let fields = format!(
        r#""create_intent","server":7,"rotation":"daily","snapshot":"{snapshot}","known":[],"reason":"a slot is due""#
    );
    record(1, "2099-01-01T03:00:00Z", &ids::record(&fields))
}

/// Appends a line to a file of the trail.
fn append(path: &Path, line: &str) {
    let mut trail = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .expect("a file");
    let end = if line.is_empty() { "" } else { "\n" };
    write!(trail, "{line}{end}").expect("written");
}
