//! Traps for root that the owner of the state and audit folders can place there: links, hard links,
//! pipes. Nothing outside is read, written, created or given away.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use crate::support::{Home, Provider, QUICK, daily_name, stderr, stdout, verified};

/// The user that the service runs as.
const SERVICE: u32 = 65534;
const SERVER: u64 = 12345;
const SECRET: &str = "root:secret:20000\n";

/// Every command that works in the folders.
const COMMANDS: [&[&str]; 8] = [
    &["once"],
    &["pause"],
    &["resume"],
    &["create", "12345", "by-hand"],
    &["delete", "12345", "by-hand", "--yes"],
    &["plan"],
    &["audit", "verify"],
    &["audit", "show"],
];

struct Scene {
    _provider: Provider,
    home: Home,
}

impl Scene {
    /// Returns folders of the service's user, or `None` if this process does not run as root.
    fn new() -> Option<Self> {
        let provider = Provider::quick();
        provider.sandbox.add_server(SERVER, "web");
        let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
        home.daily(SERVER, 3, "");
        for folder in ["state", "log"] {
            let folder = home.path(folder);
            fs::create_dir(&folder).expect("a folder");
            if chown(&folder, Some(SERVICE), Some(SERVICE)).is_err() {
                let _told = writeln!(std::io::stderr(), "SKIPPED: only root can give files away");
                return None;
            }
        }
        home.secret("secret", SECRET);
        fs::create_dir(home.path("outside")).expect("a folder");
        Some(Self {
            _provider: provider,
            home,
        })
    }

    /// Asserts that root's own files are unchanged.
    fn unharmed(&self, when: &str) {
        let secret = self.home.path("secret");
        let of = fs::metadata(&secret).expect("there");
        let text = fs::read_to_string(&secret).expect("readable");
        assert_eq!(text, SECRET, "{when}");
        assert_eq!(of.permissions().mode() & 0o7777, 0o600, "{when}");
        assert_eq!((of.uid(), of.gid()), (0, 0), "{when}");
        let outside = fs::read_dir(self.home.path("outside")).expect("listed");
        assert_eq!(outside.count(), 0, "{when}");
    }

    /// Runs every command, and returns their output.
    fn commands(&self, what: &str) -> String {
        let mut said = String::new();
        for command in COMMANDS {
            let output = self.home.run(command);
            self.unharmed(&format!("{what}, {command:?}"));
            said += &stderr(&output);
            said += &stdout(&output);
            assert!(!said.contains("root:secret"), "{what}: {said}");
        }
        said
    }
}

fn month() -> String {
    let now = jiff::Timestamp::now();
    format!("log/audit-{}.jsonl", now.strftime("%Y-%m"))
}

fn file_of(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Returns the files at which a command refuses a link, and the temporary ones that it replaces.
fn places() -> ([String; 3], [String; 2]) {
    let month = month();
    let temporary = format!("{month}.tmp");
    (
        ["state/lock".to_owned(), "state/head".to_owned(), month],
        ["state/head.tmp".to_owned(), temporary],
    )
}

#[test]
fn no_command_run_by_root_follows_a_link_in_the_folders_of_the_service() {
    let (refused, replaced) = places();
    for name in refused.iter().chain(&replaced) {
        for target in ["secret", "outside/new"] {
            let Some(scene) = Scene::new() else { return };
            symlink(scene.home.path(target), scene.home.path(name)).expect("linked");
            let what = format!("{name} -> {target}");
            let said = scene.commands(&what);
            let told = said.contains(file_of(name)) && said.contains("is a symbolic link");
            assert_eq!(told, refused.contains(name), "{what}: {said}");
            if replaced.contains(name) {
                verified(&scene.home);
                let names = scene.home.events("slot_settled");
                assert_eq!(names[0]["snapshot"], daily_name(0), "{what}");
            }
        }
    }
}

#[test]
fn a_command_that_finds_a_link_ends_with_1_and_says_what_to_do() {
    for name in places().0 {
        let Some(scene) = Scene::new() else { return };
        symlink(scene.home.path("secret"), scene.home.path(&name)).expect("linked");
        for command in ["once", "pause"] {
            let output = scene.home.run(&[command]);
            assert_eq!(output.status.code(), Some(1), "{name}, {command}");
            let said = stderr(&output);
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(
                said.contains(file_of(&name)) && said.contains("remove it"),
                "{said}"
            );
        }
    }
}

#[test]
fn a_hard_link_and_a_pipe_are_refused_too() {
    let (refused, replaced) = places();
    for name in refused.iter().chain(&replaced) {
        let Some(scene) = Scene::new() else { return };
        let place = scene.home.path(name);
        fs::hard_link(scene.home.path("secret"), &place).expect("linked");
        let said = scene.commands(&format!("{name}, a hard link"));
        let told = said.contains(file_of(name)) && said.contains("a second name");
        assert_eq!(told, refused.contains(name), "{name}: {said}");
        let _replaced = fs::remove_file(&place);

        let made = std::process::Command::new("mkfifo").arg(&place).status();
        assert!(made.expect("it runs").success());
        let said = scene.commands(&format!("{name}, a pipe"));
        let told = said.contains(file_of(name)) && said.contains("not a regular file");
        assert_eq!(told, refused.contains(name), "{name}: {said}");
    }
}

#[test]
fn repairing_a_torn_trail_and_a_lost_head_follows_no_link() {
    let Some(scene) = Scene::new() else { return };
    let home = &scene.home;
    assert_eq!(home.run(&["once"]).status.code(), Some(0));
    let trail = home.path(&month());
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&trail)
        .expect("a trail");
    file.write_all(b"{\"seq\":").expect("written");
    drop(file);
    let aside = PathBuf::from(format!("{}.torn-1", trail.display()));
    symlink(home.path("outside/new"), &aside).expect("linked");
    fs::remove_file(home.path("state/head")).expect("a head");
    symlink(home.path("secret"), home.path("state/head.tmp")).expect("linked");
    home.run(&["once"]);
    scene.unharmed("repaired");
    assert!(fs::symlink_metadata(&aside).expect("there").is_symlink());
    for file in ["state/head", "state/lock", &format!("{}.torn-2", month())] {
        let of = fs::symlink_metadata(home.path(file)).expect(file);
        assert!(of.is_file() && of.uid() == SERVICE, "{file}");
    }
}

#[test]
fn root_does_not_follow_a_folder_that_is_a_link_owned_by_the_services_user() {
    let Some(scene) = Scene::new() else { return };
    let home = &scene.home;
    fs::remove_dir(home.path("log")).expect("empty");
    symlink(home.path("outside"), home.path("log")).expect("linked");
    std::os::unix::fs::lchown(home.path("log"), Some(SERVICE), Some(SERVICE)).expect("given");
    let said = scene.commands("log, a link to a folder");
    assert!(said.contains("is a symbolic link of user 65534"), "{said}");
}
