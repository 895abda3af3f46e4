//! A wall clock of the real binary that a test sets, by libfaketime.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Daemon, Home};

/// A wall clock that the test sets; the monotonic clock stays true.
pub struct Wall {
    library: PathBuf,
    file: PathBuf,
}

impl Wall {
    /// Prints a line and returns `None` if the library isn't installed; in CI this is a failure.
    pub fn new(home: &Home) -> Option<Self> {
        let of = |folder: &str| Path::new(folder).join("faketime/libfaketimeMT.so.1");
        let folders = [
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/usr/lib64",
            "/usr/lib",
            "/usr/local/lib",
        ];
        let Some(library) = folders.map(of).into_iter().find(|path| path.exists()) else {
            let ci = std::env::var_os("CI").is_some();
            assert!(!ci, "libfaketime is missing: apt-get install libfaketime");
            let said = "SKIPPED: libfaketime is missing: apt-get install libfaketime";
            let _told = writeln!(std::io::stderr(), "{said}");
            return None;
        };
        let file = home.path("wall");
        let wall = Self { library, file };
        wall.set("+0");
        Some(wall)
    }

    /// Sets the offset from the true time: `+10d`, `-2d`.
    pub fn set(&self, offset: &str) {
        // Renamed into place, so that a half-written file is never read.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).expect("written");
        std::fs::rename(new, &self.file).expect("renamed");
    }

    pub fn rules(&self, mut command: Command) -> Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        command
    }

    pub fn start(&self, home: &Home) -> Daemon {
        let mut command = self.rules(home.command(&["run"]));
        command
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(home.path("stderr")).expect("a file"));
        Daemon(command.spawn().expect("it starts"))
    }
}
