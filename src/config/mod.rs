//! Turns TOML files into validated settings, and lists every problem of every file in one report.
//!
//! Types named `Raw…` hold a table as it is written and stay in this folder. A [`Config`] is
//! returned only if all files are valid: a set is used or refused as a whole. Commands that must
//! work despite errors (the trail's readers, the hook runner) get single parts.

mod api_section;
pub mod defaults;
mod diagnostics;
mod file_source;
mod folders;
mod hints;
mod hooks;
mod http;
mod load;
mod main_file;
pub mod notify;
mod pattern_checks;
mod policy;
mod program;
mod receiver;
mod receiver_report;
mod receiver_values;
mod receivers;
mod rotation;
mod schedule_checks;
mod stop_server;
mod table_reader;
mod time_checks;
mod value_types;
pub mod witness;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

pub use self::diagnostics::{Problem, Problems, Severity};
pub use self::load::{
    folders, hooks_of, is_policy, load, load_draft, load_files, policies, policies_folder,
    policy_files, witness_key,
};
use crate::api::Proxy;
use crate::core::policy::{Policy, Rules};

/// The main file if no other is named.
pub const DEFAULT_FILE: &str = "/etc/snaprotate/snaprotate.toml";

/// A valid set of files.
#[derive(Clone, Debug)]
pub struct Config {
    /// The main file.
    pub file: PathBuf,
    /// Settings of the provider's API.
    pub api: Api,
    /// Rules that hold for every server.
    pub rules: Rules,
    /// Folder of the lock and of the trail's head.
    pub state_dir: PathBuf,
    /// Folder of the trail.
    pub audit_dir: PathBuf,
    /// Where the page and the metrics are served; `None`: nowhere.
    pub http: Option<Http>,
    /// The policies, one for each server.
    pub policies: Vec<Arc<Policy>>,
    /// The receivers of alerts.
    pub receivers: Vec<notify::Receiver>,
    /// Signing of the trail's checkpoints; `None`: none are signed.
    pub witness: Option<witness::Witness>,
    /// Warnings: settings that look unintended.
    pub warnings: Vec<Problem>,
}

/// Where the page and the metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Accepted host names, in lower case, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// The address at which people reach the page, without a trailing slash.
    pub url: Option<String>,
}

/// The folders that the daemon writes to.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Folder of the lock and of the trail's head.
    pub state_dir: PathBuf,
    /// Folder of the trail.
    pub audit_dir: PathBuf,
}

/// Settings of the provider's API.
#[derive(Clone, Debug)]
pub struct Api {
    /// The base address; it ends in a slash, so that paths can be joined to it.
    pub base_url: Url,
    /// File of the token: the systemd credential if there is one, else `token_file`.
    pub token_file: Option<PathBuf>,
    /// True if the token's file is a systemd credential.
    pub token_is_credential: bool,
    /// Longest time for opening a connection.
    pub connect_timeout: Duration,
    /// Longest time for one whole call.
    pub request_timeout: Duration,
    /// Maximum number of requests in flight.
    pub max_in_flight: usize,
    /// Requests per second for the whole account; 0 means no limit.
    pub requests_per_second: f64,
    /// Number of requests that may be sent at once after an idle time.
    pub burst: u32,
    /// The largest response body that is read, in bytes.
    pub max_body: usize,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxy for the provider and for receivers of alerts.
    pub proxy: Proxy,
}

/// How strictly the files of the token and other secrets are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretChecks {
    /// They are needed: each must be valid.
    #[default]
    Needed,
    /// Each must exist and be valid; one that this user may not read only causes a warning.
    There,
    /// They are not needed and not read.
    Unneeded,
}

/// The folders and the hook socket that the environment names, and how secrets are checked.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// How strictly the files of secrets are checked.
    pub secrets: SecretChecks,
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials_directory: Option<PathBuf>,
    /// `$STATE_DIRECTORY`.
    pub state_directory: Option<PathBuf>,
    /// `$LOGS_DIRECTORY`.
    pub logs_directory: Option<PathBuf>,
    /// `$RUNTIME_DIRECTORY`.
    pub runtime_directory: Option<PathBuf>,
    /// `$SNAPROTATE_HOOKS`: the socket of the unit that runs hooks.
    pub hooks: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment. If a variable lists several folders, takes the first.
    pub fn from_process() -> Self {
        let folder = |name: &str| {
            let value = std::env::var_os(name)?;
            std::env::split_paths(&value)
                .next()
                .filter(|path| !path.as_os_str().is_empty())
        };
        Self {
            secrets: SecretChecks::default(),
            credentials_directory: folder("CREDENTIALS_DIRECTORY"),
            state_directory: folder("STATE_DIRECTORY"),
            logs_directory: folder("LOGS_DIRECTORY"),
            runtime_directory: folder("RUNTIME_DIRECTORY"),
            hooks: folder("SNAPROTATE_HOOKS"),
        }
    }
}

#[cfg(test)]
#[path = "cases_tests.rs"]
mod cases;
#[cfg(test)]
#[path = "doubt_tests.rs"]
mod doubts;
#[cfg(test)]
mod fixture;
#[cfg(test)]
#[path = "notify_tests.rs"]
mod notifies;
#[cfg(test)]
#[path = "diagnostics_tests.rs"]
mod reports;
#[cfg(test)]
#[path = "schedule_tests.rs"]
mod schedules;
#[cfg(test)]
#[path = "schema_tests.rs"]
mod schemas;
#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
