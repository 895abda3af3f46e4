//! Errors for a user who may not read the files of the service.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Home, QUICK, stderr, stdout};

/// A user who owns nothing.
const NOBODY: u32 = 65534;

const SUDO: &str = "run this with sudo";

/// Returns a configuration beside a program that everybody may run.
fn home() -> Home {
    let home = Home::new("http://127.0.0.1:9/api/v1", "", QUICK);
    home.daily(7, 2, "");
    mode(home.0.path(), 0o755);
    // Copied by another process: a file that this one has open for writing can't be run.
    let mut copy = Command::new("cp");
    copy.arg(env!("CARGO_BIN_EXE_snaprotate"))
        .arg(home.0.path());
    assert!(copy.status().expect("it runs").success());
    mode(&home.path("snaprotate"), 0o755);
    home
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode set");
}

/// Runs the command as another user if the test runs as root, who may read everything.
fn run(home: &Home, args: &[&str]) -> Output {
    let mut command = Command::new(home.path("snaprotate"));
    if std::fs::metadata("/proc/self").expect("metadata").uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let config = home.path("snaprotate.toml");
    command.arg("--config").arg(config).args(args);
    command.current_dir("/").output().expect("it runs")
}

#[test]
fn a_token_that_the_user_may_not_read_affects_only_commands_that_need_it() {
    let home = home();
    mode(&home.path("token"), 0o000);
    let check = run(&home, &["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let said = stdout(&check);
    assert!(said.contains("1 policy, no problems"), "{said}");
    assert!(said.contains(SUDO), "{said}");
    let forecast = run(&home, &["forecast"]);
    assert_eq!(forecast.status.code(), Some(0), "{}", stderr(&forecast));
    for args in [&["check", "--online"][..], &["plan"], &["list"]] {
        let output = run(&home, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(said.contains("token can't be read"), "{args:?}: {said}");
        assert!(said.contains(SUDO), "{args:?}: {said}");
    }
    std::fs::remove_file(home.path("token")).expect("removed");
    let check = run(&home, &["check"]);
    assert_eq!(check.status.code(), Some(2), "the token must exist");
    assert!(stderr(&check).contains("write the token into it"));
}

#[test]
fn files_and_folders_that_the_user_may_not_read_are_named_with_a_remedy() {
    let home = home();
    std::fs::create_dir(home.path("log")).expect("a folder");
    mode(&home.path("log"), 0o000);
    for args in [["audit", "show"], ["audit", "verify"]] {
        let output = run(&home, &args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = stderr(&output);
        assert!(said.contains("log") && said.contains(SUDO), "{said}");
    }
    let says = |file: &str| {
        let output = run(&home, &["forecast"]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        let said = stderr(&output);
        assert!(said.contains(file) && said.contains(SUDO), "{said}");
    };
    let policy = home.path("policies.d/server-7.toml");
    mode(&policy, 0o000);
    says("server-7.toml");
    mode(&policy, 0o644);
    let policies = home.path("policies.d");
    mode(&policies, 0o000);
    says("policies.d");
    mode(&policies, 0o755);
    mode(&home.path("snaprotate.toml"), 0o000);
    says("snaprotate.toml");
    // Restored so that the folders can be removed.
    mode(&home.path("log"), 0o755);
}
