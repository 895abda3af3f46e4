//! A folder of configuration files for tests; valid until a test changes a file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use super::{Config, Environment, Problems, load};
use crate::audit::witness::SignerKey;

/// A main file with nothing but the token's path.
pub(super) const MAIN: &str = "[api]\ntoken_file = \"token\"\n";

/// A valid policy.
pub(super) const POLICY: &str =
    "[server]\nid = 7\n\n[[rotation]]\nname = \"weekly\"\nschedule = \"0 3 * * Sun\"\nkeep = 3\n";

pub(super) struct ConfigFolder(pub(super) TempDir);

impl ConfigFolder {
    pub(super) fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(folder.path("policies.d")).expect("a folder");
        let (_, key) = SignerKey::generate("snaprotate/test").expect("a key");
        folder
            .with("snaprotate.toml", MAIN)
            .with("policies.d/web.toml", POLICY)
            .with("token", "s3cr3t\n")
            .mode("token", 0o600)
            .with("witness-key", key.expose_secret())
            .mode("witness-key", 0o600)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), text).expect("written");
        self
    }

    pub(super) fn without(self, name: &str) -> Self {
        fs::remove_file(self.path(name)).expect("removed");
        self
    }

    pub(super) fn mode(self, name: &str, mode: u32) -> Self {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("mode set");
        self
    }

    pub(super) fn load(&self) -> Result<Config, Problems> {
        load(&self.path("snaprotate.toml"), &Environment::default())
    }

    pub(super) fn good(&self) -> Config {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    pub(super) fn problems(&self) -> Problems {
        match self.load() {
            Ok(config) => Problems(config.warnings),
            Err(problems) => problems,
        }
    }

    /// Loads the files, and formats each problem as
    /// `FILE:LINE:COLUMN: severity: message; remedy`.
    pub(super) fn said(&self) -> Vec<String> {
        let prefix = format!("{}/", self.0.path().display());
        let lines = self.problems().to_string();
        lines
            .lines()
            .map(|line| line.replace(&prefix, ""))
            .collect()
    }
}
