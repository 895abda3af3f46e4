//! The real binary in a folder of its own, and what it tells its service manager.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Longer than anything here takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A configuration with its folders.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// One policy, `web.toml`, against the API at this address.
    pub fn new(base_url: &str) -> Self {
        let home = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(home.path("policies.d")).expect("a folder");
        home.write("api-token", "secret-token-of-the-test\n");
        let secret = fs::Permissions::from_mode(0o600);
        fs::set_permissions(home.path("api-token"), secret).expect("permissions");
        home.write(
            "snaprotate.toml",
            &format!(
                "[api]\nbase_url = \"{base_url}\"\ntoken_file = \"api-token\"\nrequests_per_second = 0\n\
                 [daemon]\nstate_dir = \"state\"\npoll_interval = \"200ms\"\nretry_after = \"200ms\"\n\
                 [audit]\ndir = \"audit\"\n"
            ),
        );
        home.policy("web", 12345, 3);
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    /// A policy of one daily rotation.
    pub fn policy(&self, file: &str, server: u64, keep: usize) {
        let text = format!(
            "[server]\nid = {server}\n\n[[rotation]]\nname = \"daily\"\nschedule = \"0 3 * * *\"\nkeep = {keep}\n"
        );
        self.write(&format!("policies.d/{file}.toml"), &text);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snaprotate"));
        command.env_clear();
        command.arg("--config").arg(self.path("snaprotate.toml"));
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    /// The events of the trail, in order.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let mut files: Vec<_> = fs::read_dir(self.path("audit"))
            .expect("a trail")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        let texts = files.iter().map(|file| fs::read_to_string(file));
        let lines: Vec<String> = texts
            .flat_map(|text| {
                text.expect("text")
                    .lines()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        lines
            .iter()
            .map(|line| serde_json::from_str(line).expect("a record"))
            .collect()
    }

    /// The words of those events.
    pub fn words(&self) -> Vec<String> {
        let word = |event: &serde_json::Value| event["event"].as_str().expect("a word").to_owned();
        self.events().iter().map(word).collect()
    }

    /// Starts the daemon, and returns when it is ready.
    pub fn start(&self) -> Daemon {
        let daemon = self.start_with(&[]);
        daemon.hears("READY=1");
        daemon
    }

    /// Starts the daemon with more in its environment.
    pub fn start_with(&self, env: &[(&str, &str)]) -> Daemon {
        let socket = self.path("notify");
        let _none = fs::remove_file(&socket);
        let notify = UnixDatagram::bind(&socket).expect("a socket");
        notify.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let child = self
            .command(&["run"])
            .env("NOTIFY_SOCKET", &socket)
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("log")).expect("a file"))
            .spawn()
            .expect("it starts");
        Daemon { child, notify }
    }
}

/// A daemon that runs; killed when dropped.
pub struct Daemon {
    child: Child,
    notify: UnixDatagram,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a message to the service manager that says this, and returns it.
    pub fn hears(&self, what: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.notify.recv(&mut buffer).unwrap_or_else(|error| {
                panic!("{what} was not said: {error}");
            });
            let message = String::from_utf8_lossy(&buffer[..length]);
            if message.contains(what) {
                return message.into_owned();
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success());
    }

    /// Waits for its end; the exit code.
    pub fn ends(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _code = self.child.wait();
    }
}

/// What a command wrote to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command wrote to stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
