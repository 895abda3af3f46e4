//! A home for the real binary: its configuration, its folders, and the stand-in of its provider.
#![allow(
    dead_code,
    missing_docs,
    reason = "each test file and the benchmark use a part of it"
)]

pub mod disk;
pub mod drf;
pub mod http;
pub mod ids;
pub mod notify;
pub mod receivers;
pub mod signed_note;
pub mod smtp;
pub mod tls;
pub mod wall;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;
use snaprotate::clock::{Clock, Stepper};
use snaprotate::sandbox::{IdShape, Sandbox, SandboxConfig};
use tempfile::TempDir;

pub const TOKEN: &str = "a-token-of-the-tests";

/// Short times, so that a test ends soon; their order is that of real settings.
pub const QUICK: &str = "
poll_interval = \"50ms\"
settle_window = \"1500ms\"
stuck_after = \"4s\"
retry_after = \"100ms\"
shrink_grace = \"0s\"
";

/// The stand-in, with a runtime of its own.
pub struct Provider {
    pub sandbox: Sandbox,
    /// Sets the provider's wall clock.
    pub wall: Stepper,
    runtime: tokio::runtime::Runtime,
}

impl Provider {
    pub fn start(completes_after: SignedDuration, latency: Duration) -> Self {
        Self::showing(ids::shape(), completes_after, latency)
    }

    /// Starts it with ids of this shape, whatever the run's is.
    pub fn showing(ids: IdShape, completes_after: SignedDuration, latency: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (clock, wall) = Clock::stepped(jiff::Timestamp::now());
        let sandbox = runtime
            .block_on(Sandbox::start(SandboxConfig {
                latency,
                completes_after,
                ids,
                ..SandboxConfig::new(clock, TOKEN)
            }))
            .expect("the stand-in starts");
        Self {
            sandbox,
            wall,
            runtime,
        }
    }

    pub fn quick() -> Self {
        Self::start(SignedDuration::from_millis(200), Duration::from_millis(1))
    }

    pub fn names(&self, server: u64) -> Vec<String> {
        let mut rows = self.sandbox.truth(server);
        rows.sort_by_key(|row| row.id);
        rows.into_iter().map(|row| row.name).collect()
    }
}

pub struct Home(pub TempDir);

impl Home {
    /// Creates the home. `api` and `daemon` are further lines of these tables.
    pub fn new(base_url: &str, api: &str, daemon: &str) -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(home.path("policies.d")).expect("a folder");
        home.secret("token", TOKEN);
        let text = format!(
            "[api]\nbase_url = \"{base_url}\"\ntoken_file = \"token\"\nrequests_per_second = 0\nconnect_timeout = \"2s\"\nrequest_timeout = \"2s\"\n{api}\n[daemon]\nstate_dir = \"state\"\n{daemon}\n[audit]\ndir = \"log\"\n[defaults]\ntimezone = \"{}\"\n",
            zone()
        );
        std::fs::write(home.path("snaprotate.toml"), text).expect("written");
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn secret(&self, name: &str, text: &str) {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(name))
            .expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }

    pub fn policy(&self, file: &str, text: &str) {
        let path = self.path("policies.d").join(format!("{file}.toml"));
        std::fs::write(path, ids::policy(text)).expect("written");
    }

    /// Writes a policy with a daily rotation; `more` are further lines of it.
    pub fn daily(&self, id: u64, keep: usize, more: &str) {
        self.policy(
            &format!("server-{id}"),
            &format!("[server]\nid = {id}\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = {keep}\n{more}\n"),
        );
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snaprotate"));
        command
            .arg("--config")
            .arg(self.path("snaprotate.toml"))
            .args(ids::arguments(args))
            .env_remove("NOTIFY_SOCKET")
            .env_remove("JOURNAL_STREAM")
            .env_remove("CREDENTIALS_DIRECTORY")
            .env_remove("STATE_DIRECTORY")
            .env_remove("LOGS_DIRECTORY")
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    pub fn start(&self, args: &[&str]) -> Daemon {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Daemon(command.spawn().expect("it starts"))
    }

    /// Returns the trail's files, one after the other.
    fn trail_text(&self) -> String {
        let Ok(files) = std::fs::read_dir(self.path("log")) else {
            return String::new();
        };
        let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
        paths.sort();
        let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let text: String = paths.iter().map(read).collect();
        ids::numbered(&text)
    }

    /// Returns the number of records so far.
    pub fn records(&self) -> usize {
        self.trail_text().lines().count()
    }

    /// Returns the trail's records so far, without a line that is being written.
    pub fn trail(&self) -> Vec<Value> {
        let text = self.trail_text();
        let records = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        records.collect()
    }

    pub fn events(&self, event: &str) -> Vec<Value> {
        let text = self.trail_text();
        let named = text.lines().filter(|line| line.contains(event));
        let mut records: Vec<Value> = named
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        records.retain(|record| record["event"] == event);
        records
    }
}

/// A process that is killed when the test ends.
pub struct Daemon(pub Child);

impl Daemon {
    pub fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Polls until it is so, for a minute at most. A test has no other way to wait for an event of
/// another process.
pub fn until(what: &str, so: impl FnMut() -> bool) {
    within(Duration::from_mins(1), what, so);
}

/// Polls like [`until`], for at most `limit`.
pub fn within(limit: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !so() {
        assert!(began.elapsed() < limit, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Asserts that the trail of this home is intact.
pub fn verified(home: &Home) {
    let output = home.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

pub fn stdout(output: &Output) -> String {
    ids::numbered(&String::from_utf8_lossy(&output.stdout))
}

pub fn stderr(output: &Output) -> String {
    ids::numbered(&String::from_utf8_lossy(&output.stderr))
}

/// Returns a zone in which it is about noon, so that no test runs across a midnight.
fn zone() -> &'static str {
    static ZONE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    ZONE.get_or_init(|| {
        let utc = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        // The sign of these names is the reverse of the offset.
        match utc.hour() - 12 {
            0 => "UTC".to_owned(),
            behind @ 1.. => format!("Etc/GMT+{behind}"),
            ahead => format!("Etc/GMT{ahead}"),
        }
    })
}

/// Returns the name of the daily slot that was due `back` days ago.
pub fn daily_name(back: i64) -> String {
    let now = jiff::Timestamp::now().in_tz(zone()).expect("a zone");
    let day = now
        .date()
        .saturating_sub(SignedDuration::from_hours(24 * back));
    format!("daily-snapshot-{day}")
}

pub fn days_ago(days: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() - SignedDuration::from_hours(24 * days)
}
