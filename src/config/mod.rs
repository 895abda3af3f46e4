//! TOML into validated settings, with every problem of every file at once.
//!
//! `load` reads the files and puts a set together, or what one command needs of it;
//! `table_reader` takes tables apart key by key, `value_types` knows the kinds of value, `main_file`,
//! `policy` and `rotation` turn what is written into what is meant, `pattern_checks`, `time_checks` and
//! `schedule_checks` look at patterns and schedules, `api_section` at address and token, `http` at where the
//! page is, `receiver` and `receivers` at who is told of alerts (`notify`), `witness` at the trail's
//! checkpoints, `file_source` at files; `diagnostics` says what is
//! wrong. What is written (`Raw…`) stays in here: only [`Config`] leaves the room, and
//! only when all files are good, so that a set is used or refused as a whole.

mod api_section;
pub mod defaults;
mod diagnostics;
mod file_source;
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

/// The main file, where none is named.
pub const DEFAULT_FILE: &str = "/etc/snaprotate/snaprotate.toml";

/// A set of files that was found good.
#[derive(Clone, Debug)]
pub struct Config {
    /// The main file.
    pub file: PathBuf,
    /// How the provider is reached.
    pub api: Api,
    /// What holds for every server.
    pub rules: Rules,
    /// Where the lock and the trail's head lie.
    pub state_dir: PathBuf,
    /// Where the trail lies.
    pub audit_dir: PathBuf,
    /// Where the page and the metrics are served; `None`: nowhere.
    pub http: Option<Http>,
    /// The policies, by server.
    pub policies: Vec<Arc<Policy>>,
    /// Who is told of alerts.
    pub receivers: Vec<notify::Receiver>,
    /// Checkpoints of the trail; `None`: none are signed.
    pub witness: Option<witness::Witness>,
    /// What looks unintended.
    pub warnings: Vec<Problem>,
}

/// Where the page and the metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The one address that is listened on.
    pub listen: SocketAddr,
    /// Names that it is asked by, in lower case, besides addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// Where the daemon writes.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Where the lock and the trail's head lie.
    pub state_dir: PathBuf,
    /// Where the trail lies.
    pub audit_dir: PathBuf,
}

/// How the provider is reached.
#[derive(Clone, Debug)]
pub struct Api {
    /// The address; it ends in a slash, so that paths can be joined to it.
    pub base_url: Url,
    /// The file of the token: the credential where there is one, else `token_file`.
    pub token_file: Option<PathBuf>,
    /// Whether it is systemd's credential.
    pub token_is_credential: bool,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long one whole call may take.
    pub request_timeout: Duration,
    /// Requests in flight at once.
    pub max_in_flight: usize,
    /// Requests a second over the whole account; 0 is no limit.
    pub requests_per_second: f64,
    /// Requests that may begin at once after a rest.
    pub burst: u32,
    /// The largest answer that is read, in bytes.
    pub max_body: usize,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy on the way to it, and to receivers of alerts.
    pub proxy: Proxy,
}

/// How far the files of token and passwords are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretChecks {
    /// They are needed: each must be good.
    #[default]
    Needed,
    /// Each must be there; that this user may not read it is only warned of.
    There,
    /// Nothing depends on them.
    Unneeded,
}

/// The folders that systemd gives to a service, and what is wanted of the secrets.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// How far the files of secrets are looked at.
    pub secrets: SecretChecks,
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials_directory: Option<PathBuf>,
    /// `$STATE_DIRECTORY`.
    pub state_directory: Option<PathBuf>,
    /// `$LOGS_DIRECTORY`.
    pub logs_directory: Option<PathBuf>,
    /// `$RUNTIME_DIRECTORY`.
    pub runtime_directory: Option<PathBuf>,
    /// The socket behind which hooks are run in a unit of their own: `$SNAPROTATE_HOOKS`.
    pub hooks: Option<PathBuf>,
}

impl Environment {
    /// As this process was given them; of several folders the first.
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
