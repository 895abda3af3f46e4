//! `init`: from the provider's snapshots to files that the real `check` and `plan` accept.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{self, Home, Provider, days_ago, stderr, stdout};
use jiff::{SignedDuration, Timestamp};

/// A provider, a home that has a token, and a folder for temporary files.
pub(super) struct Desk {
    pub(super) provider: Provider,
    pub(super) home: Home,
}

impl Desk {
    /// web-01 rotates daily and has a foreign snapshot; db-01 does not rotate.
    pub(super) fn new() -> Self {
        let provider = Provider::quick();
        provider.sandbox.add_server(1, "web-01");
        for back in 1..4 {
            let name = format!("daily_{}", day(back).replace('-', ""));
            provider
                .sandbox
                .add_snapshot(1, &name, "completed", at(back, 3));
        }
        provider
            .sandbox
            .add_snapshot(1, "golden", "completed", days_ago(99));
        provider.sandbox.add_server(2, "db/01");
        provider
            .sandbox
            .add_snapshot(2, "by-hand", "completed", days_ago(7));
        let home = Home::new(&provider.sandbox.base_url(), "", "");
        std::fs::create_dir(home.path("tmp")).expect("a folder");
        Self { provider, home }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.home.path("new/etc")
    }

    /// Runs `init` into a folder that does not exist yet.
    pub(super) fn init(&self, more: &[&str]) -> Output {
        let (dir, token) = (self.dir(), self.home.path("token"));
        let url = self.provider.sandbox.base_url();
        let args = [
            "init",
            "--dir",
            dir.to_str().expect("text"),
            "--token-file",
            token.to_str().expect("text"),
            "--base-url",
            &url,
        ];
        self.run(&[&args[..], more].concat())
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        let mut command = self.home.command(args);
        let output = command.env("TMPDIR", self.home.path("tmp")).output();
        let output = output.expect("it runs");
        assert_eq!(listed(&self.home.path("tmp")), [""; 0], "{args:?}");
        output
    }

    /// Asserts that only GETs were sent, and returns their number.
    pub(super) fn gets(&self) -> usize {
        let log = self.provider.sandbox.log();
        assert!(log.iter().all(|request| request.method == "GET"), "{log:?}");
        log.len()
    }
}

/// Returns the date in UTC `back` days ago.
fn day(back: i64) -> String {
    let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let day = now
        .date()
        .saturating_sub(SignedDuration::from_hours(24 * back));
    day.to_string()
}

/// Returns a full hour of that day.
fn at(back: i64, hour: i8) -> Timestamp {
    let text = format!("{}T{hour:02}:00:00Z", day(back));
    text.parse().expect("a time")
}

/// Returns the names in a folder, sorted.
pub(super) fn listed(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries
        .map(|one| name(one).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub(super) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

#[test]
fn init_writes_files_that_check_and_plan_accept_and_changes_nothing_at_the_provider() {
    let desk = Desk::new();
    let output = desk.init(&[]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(desk.gets(), 1);
    let dir = desk.dir();
    assert_eq!(listed(&dir), ["policies.d", "snaprotate.toml"]);
    assert_eq!(
        listed(&dir.join("policies.d")),
        ["db-01.toml.example", "web-01.toml"]
    );
    for file in ["snaprotate.toml", "policies.d/web-01.toml"] {
        let mode = std::fs::metadata(dir.join(file))
            .expect("a file")
            .permissions()
            .mode();
        // The service's dynamic user must be able to read them.
        assert_eq!(mode & 0o777, 0o644, "{file}");
    }
    let web = support::ids::numbered(&read(&dir.join("policies.d/web-01.toml")));
    for line in [
        "id = 1",
        "name = \"web-01\"",
        "snapshot_name = \"daily_%Y%m%d\"",
        "schedule = \"0 3 * * *\"",
        "keep = 3",
    ] {
        assert!(web.lines().any(|other| other == line), "{line}: {web}");
    }
    assert!(
        web.contains("# The snapshots were made at this time, in UTC."),
        "{web}"
    );
    assert!(!web.contains(support::TOKEN) && !said.contains(support::TOKEN));
    for words in [
        "The account lists 5 snapshots on 2 servers",
        "wrote ",
        "new/etc/snaprotate.toml: the main file\n    token_file is ",
        ": keep it there\n",
        "web-01.toml: daily [0 3 * * *] keep 3",
        "db-01.toml.example: no rotation was recognised; not read until it is renamed",
        "Nothing was changed at the provider. Next:\n  mv ",
        "snaprotate check --online --config ",
        "snaprotate plan --config ",
        "snaprotate run --config ",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }

    // The written files are valid, and the rotation's existing snapshots stay.
    let main = dir.join("snaprotate.toml");
    let run =
        |args: &[&str]| desk.run(&[args, &["--config", main.to_str().expect("text")]].concat());
    let check = run(&["check", "--online"]);
    assert_eq!(
        check.status.code(),
        Some(0),
        "{}{}",
        stdout(&check),
        stderr(&check)
    );
    assert!(
        stdout(&check).contains("\nfiles: 1 policy, no problems\n"),
        "{}",
        stdout(&check)
    );
    let plan = run(&["plan", "--json"]);
    assert_eq!(plan.status.code(), Some(0), "{}", stderr(&plan));
    let plan: serde_json::Value = serde_json::from_str(&stdout(&plan)).expect("JSON");
    let steps = plan["servers"][0]["steps"]
        .as_array()
        .expect("steps")
        .clone();
    assert!(
        steps
            .iter()
            .all(|step| step["do"] != "delete" || steps[0]["do"] == "create"),
        "{plan:#}"
    );
    let verdicts = plan["servers"][0]["snapshots"]
        .as_array()
        .expect("rows")
        .iter();
    let foreign = verdicts.filter(|row| row["verdict"] == "foreign").count();
    assert_eq!(foreign, 1, "{plan:#}");
    // The example is a valid policy too, once it is renamed.
    let example = dir.join("policies.d/db-01.toml.example");
    std::fs::rename(&example, dir.join("policies.d/db-01.toml")).expect("renamed");
    assert_eq!(run(&["check"]).status.code(), Some(0));
}

#[test]
fn files_and_folders_are_readable_by_the_service_whatever_the_umask() {
    let desk = Desk::new();
    let url = desk.provider.sandbox.base_url();
    let output = std::process::Command::new("sh")
        .args(["-c", "umask 077; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_snaprotate"))
        .args(["init", "--base-url", &url, "--token-file"])
        .arg(desk.home.path("token"))
        .arg("--dir")
        .arg(desk.dir())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (path, wanted) in [
        ("", 0o755),
        ("policies.d", 0o755),
        ("snaprotate.toml", 0o644),
        ("policies.d/web-01.toml", 0o644),
    ] {
        let found = std::fs::metadata(desk.dir().join(path)).expect("there");
        assert_eq!(found.permissions().mode() & 0o777, wanted, "{path}");
    }
}

#[test]
fn init_suggests_a_reload_if_the_service_is_already_running() {
    let desk = Desk::new();
    desk.home.daily(1, 2, "");
    let daemon = desk.home.start(&["run"]);
    support::until("the service answers", || {
        desk.run(&["status"]).status.code() == Some(0)
    });
    let output = desk.run(&["init"]);
    let said = stdout(&output);
    assert!(
        said.contains(&format!("kill -HUP {}\n", daemon.0.id())),
        "{said}"
    );
    assert!(!said.contains("snaprotate run"), "{said}");
}

#[test]
fn a_dry_run_prints_the_files_and_writes_none() {
    let desk = Desk::new();
    let output = desk.init(&["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!desk.home.path("new").exists());
    let printed = stdout(&output);
    assert!(printed.contains("would write"), "{printed}");
    assert_eq!(desk.init(&[]).status.code(), Some(0));
    for file in [
        "snaprotate.toml",
        "policies.d/web-01.toml",
        "policies.d/db-01.toml.example",
    ] {
        let path = desk.dir().join(file);
        let part = format!(
            "# ---- {} ----\n{}",
            path.display(),
            support::ids::numbered(&read(&path))
        );
        assert!(printed.contains(&part), "{file}: {printed}");
    }
}

#[test]
fn an_existing_main_file_is_used_and_kept_and_existing_policies_stay() {
    let desk = Desk::new();
    let main = read(&desk.home.path("snaprotate.toml"));
    desk.home.daily(1, 2, "");
    let output = desk.run(&["init"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("server 1 web-01: has a policy, which stays"),
        "{}",
        stdout(&output)
    );
    assert_eq!(read(&desk.home.path("snaprotate.toml")), main);
    let policies = desk.home.path("policies.d");
    assert_eq!(listed(&policies), ["db-01.toml.example", "server-1.toml"]);
    // Files that end in `.example` are skipped without a warning.
    let check = desk.run(&["check"]);
    let said = stdout(&check);
    assert!(
        said.contains("server-1.toml:1:1: warning: no server.name"),
        "{said}"
    );
    assert!(
        said.ends_with("1 policy, no problems, 1 warning\n"),
        "{said}"
    );
}

#[test]
fn an_account_without_snapshots_gets_a_main_file_and_an_example() {
    let provider = Provider::quick();
    let home = Home::new(&provider.sandbox.base_url(), "", "");
    std::fs::create_dir(home.path("tmp")).expect("a folder");
    let desk = Desk { provider, home };
    let output = desk.init(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        listed(&desk.dir().join("policies.d")),
        ["web-server-01.toml.example"]
    );
    assert!(
        stdout(&output).contains("a server without snapshots is not listed"),
        "{}",
        stdout(&output)
    );
}
