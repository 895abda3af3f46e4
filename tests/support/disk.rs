//! A small disk for a folder, in a mount namespace that ends with it.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A tmpfs that only commands run through it see; unmounted on drop.
pub struct SmallDisk {
    /// Holds the namespace.
    holder: Child,
    folder: PathBuf,
    root: bool,
}

impl SmallDisk {
    /// Mounts a tmpfs over the folder. Returns `None`, after a line that says so, where mounting
    /// isn't allowed; in CI it must be.
    pub fn over(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder");
        for (root, namespaces) in [(true, "-m"), (false, "-rm")] {
            let mut holder = Command::new("unshare")
                .arg(namespaces)
                .args(["sh", "-c"])
                .arg("mount -t tmpfs -o size=256k,mode=0750 none \"$0\" && echo mounted && exec sleep 600")
                .arg(folder)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("unshare runs");
            let mut said = String::new();
            let out = holder.stdout.take().expect("a pipe");
            let _end = BufReader::new(out).read_line(&mut said);
            if said == "mounted\n" {
                let folder = folder.to_owned();
                return Some(Self {
                    holder,
                    folder,
                    root,
                });
            }
            let _ended = holder.kill();
            let _reaped = holder.wait();
        }
        assert!(
            std::env::var_os("CI").is_none(),
            "no disk can be mounted here"
        );
        // Written to stderr directly: the harness hides the output of a passing test.
        let _told = writeln!(io::stderr(), "SKIPPED: no disk can be mounted here");
        None
    }

    /// Returns the command, changed to run where it sees the disk.
    pub fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args(["-t", &self.holder.id().to_string(), "-m"]);
        if !self.root {
            inside.args(["-U", "--preserve-credentials"]);
        }
        inside.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(key, value),
                None => inside.env_remove(key),
            };
        }
        inside
    }

    /// Returns the folder as the disk's own processes see it.
    pub fn folder(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.folder.strip_prefix("/").expect("a whole path"))
    }

    /// Fills the disk to the last byte.
    pub fn fill(&self) {
        let mut file = std::fs::File::create(self.folder().join("filler")).expect("a file");
        for block in [4096, 1] {
            let full = loop {
                if let Err(error) = file.write_all(&vec![0; block]) {
                    break error;
                }
            };
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        }
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.folder().join("filler")).expect("a filler");
    }

    /// Remounts it `ro` or `rw`. It changes only the mount: an unprivileged user can't change the
    /// filesystem.
    pub fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,bind,{how}")])
            .arg(&self.folder);
        let mounted = self.inside(&mount).status().expect("mount runs");
        assert!(mounted.success(), "remount {how}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ended = self.holder.kill();
        let _reaped = self.holder.wait();
    }
}
