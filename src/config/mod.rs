//! TOML into validated settings, with every problem of every file at once.
//!
//! `reader` takes tables apart key by key, `values` knows the kinds of value, `main_file`,
//! `policy` and `rotation` turn what is written into what is meant, `names`, `timing` and
//! `slots` look at patterns and schedules, `access` at address and token, `http` at where the
//! page is, `receiver` and `receivers` at who is told of alerts (`notify`), `source` at files; `report` says what is
//! wrong. What is written (`Raw…`) stays in here: only [`Config`] leaves the room, and
//! only when all files are good, so that a set is used or refused as a whole.

mod access;
pub mod defaults;
mod hooks;
mod http;
mod main_file;
mod names;
pub mod notify;
mod policy;
mod program;
mod reader;
mod receiver;
mod receiver_values;
mod receivers;
mod remedy;
mod report;
mod rotation;
mod slots;
mod source;
mod timing;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use self::main_file::RawMain;
use self::report::{At, Log};
pub use self::report::{Problem, Problems, Severity};
use crate::core::policy::{Hooks, Policy, Rules};

/// The main file, where none is named.
pub const DEFAULT_FILE: &str = "/etc/snaprotate/snaprotate.toml";

/// What to do where the main file can't be read.
const NO_MAIN_FILE: &str = "let snaprotate init write it, create it (config/snaprotate.toml is a commented example), or name another by --config FILE";

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
    /// The largest answer that is read, in bytes.
    pub max_body: usize,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// How far the files of token and passwords are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
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
pub struct Env {
    /// How far the files of secrets are looked at.
    pub secrets: Secrets,
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

impl Env {
    /// As this process was given them; of several folders the first.
    pub fn from_process() -> Self {
        let folder = |name: &str| {
            let value = std::env::var_os(name)?;
            std::env::split_paths(&value)
                .next()
                .filter(|path| !path.as_os_str().is_empty())
        };
        Self {
            secrets: Secrets::default(),
            credentials_directory: folder("CREDENTIALS_DIRECTORY"),
            state_directory: folder("STATE_DIRECTORY"),
            logs_directory: folder("LOGS_DIRECTORY"),
            runtime_directory: folder("RUNTIME_DIRECTORY"),
            hooks: folder("SNAPROTATE_HOOKS"),
        }
    }
}

/// Reads the main file and all policies; errors are all that is wrong, warnings with them.
pub fn load(file: &Path, env: &Env) -> Result<Config, Problems> {
    load_with(file, None, env)
}

/// As [`load`], but with this one policy file in place of the policies folder: a draft that
/// is not in force, under the limit and the defaults of the main file.
pub fn load_draft(file: &Path, policy: &Path, env: &Env) -> Result<Config, Problems> {
    load_with(file, Some(&[policy.to_owned()]), env)
}

/// As [`load`], but with these policy files in place of the policies folder; there may be none.
pub fn load_files(file: &Path, policies: &[PathBuf], env: &Env) -> Result<Config, Problems> {
    load_with(file, Some(policies), env)
}

/// Where the main file has its policies, as far as it can be read.
pub fn policies_folder(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut unsaid = Log::default();
    let Some(source) = source::read(file, NO_MAIN_FILE, &mut unsaid) else {
        return folder.join(defaults::POLICIES);
    };
    let (table, _) = source::parse_what_can_be(&source, &mut unsaid);
    RawMain::read(table, &source, &mut unsaid).policies(folder)
}

/// The policy files of a folder, by name; none where there is no such folder.
pub fn policy_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !folder.try_exists()? {
        return Ok(Vec::new());
    }
    source::policies(folder, &mut Log::default()).map_err(std::io::Error::other)
}

/// Whether a file is a policy rather than a main file, by the tables in it.
pub fn is_policy(file: &Path) -> Result<bool, Problems> {
    let mut log = Log::default();
    let source = source::read(
        file,
        "name a policy file, or a main file with policies",
        &mut log,
    );
    let Some(source) = source else {
        return Err(Problems(log.0));
    };
    let (table, _) = source::parse_what_can_be(&source, &mut log);
    Ok(["server", "rotation"]
        .iter()
        .any(|key| table.contains_key(*key)))
}

/// The hooks of one rotation with the server's number and what it is called, from its policy's
/// file alone, whatever is wrong elsewhere.
pub fn hooks_of(
    file: &Path,
    policy: &str,
    rotation: &str,
) -> Result<(Arc<Hooks>, u64, String), String> {
    let mut log = Log::default();
    let folder = file.parent().unwrap_or(Path::new(""));
    let source = source::read(file, NO_MAIN_FILE, &mut log);
    let main = source.map(|source| {
        let (table, _) = source::parse_what_can_be(&source, &mut log);
        RawMain::read(table, &source, &mut log)
    });
    let main = main.unwrap_or_default();
    let policies = main.policies(folder);
    // A stem, and nothing that leads elsewhere.
    let files =
        policy_files(&policies).map_err(|error| format!("{}: {error}", policies.display()))?;
    let path = files
        .iter()
        .find(|path| path.file_stem() == Some(policy.as_ref()));
    let path = path.ok_or(format!("{} has no policy {policy}", policies.display()))?;
    let mut log = Log::default();
    let found = policy::hooks(path, rotation, &main.defaults, &mut log);
    found.ok_or_else(|| {
        let why = log.0.into_iter().find(|p| p.severity == Severity::Error);
        why.map_or_else(
            || format!("{}: {rotation} has no hooks", path.display()),
            |problem| problem.to_string(),
        )
    })
}

fn load_with(file: &Path, given: Option<&[PathBuf]>, env: &Env) -> Result<Config, Problems> {
    let mut log = Log::default();
    let read = read(file, given, env, &mut log);
    let mut problems = log.0;
    problems.sort_by_key(|p| (p.file != file, p.file.clone(), p.line, p.column));
    let refused = problems.iter().any(|p| p.severity == Severity::Error);
    match read {
        Some((Some(settings), policies)) if !refused => Ok(Config {
            file: file.to_owned(),
            api: settings.api,
            rules: settings.rules,
            state_dir: settings.state_dir,
            audit_dir: settings.audit_dir,
            http: settings.http,
            policies,
            receivers: settings.receivers,
            warnings: problems,
        }),
        _ => Err(Problems(problems)),
    }
}

/// The policies as far as they can be made out, whatever else is wrong: whoever reads the
/// trail wants its servers by name, also without the right to read the token.
pub fn policies(file: &Path, env: &Env) -> Vec<Arc<Policy>> {
    let mut unsaid = Log::default();
    read(file, None, env, &mut unsaid).map_or_else(Vec::new, |(_, policies)| policies)
}

/// Reads only where the daemon writes: the trail must be readable when the token, a policy
/// or the main file itself is gone. What isn't written is as systemd gives it, or as usual.
pub fn folders(file: &Path, env: &Env) -> Result<Folders, Problems> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let missing =
        std::fs::metadata(file).is_err_and(|why| why.kind() == std::io::ErrorKind::NotFound);
    // One that was asked for by name and isn't there may be a slip, and its trail another one,
    // unless the service manager says where that is.
    let sure = file == Path::new(DEFAULT_FILE) || env.logs_directory.is_some();
    if missing && sure {
        return Ok(main_file::folders(None, None, folder, env));
    }
    let mut log = Log::default();
    let source = source::read(file, NO_MAIN_FILE, &mut log);
    // Where the syntax is broken, one of the two keys may be what is lost.
    let found = source.as_ref().and_then(|source| {
        let table = source::parse(source, &mut log)?;
        Some(main_file::read_folders(
            table, source, folder, env, &mut log,
        ))
    });
    match found {
        Some(folders) if log.0.is_empty() => Ok(folders),
        _ => Err(Problems(log.0)),
    }
}

type Read = (Option<main_file::Settings>, Vec<Arc<Policy>>);

fn read(file: &Path, given: Option<&[PathBuf]>, env: &Env, log: &mut Log) -> Option<Read> {
    let source = source::read(file, NO_MAIN_FILE, log)?;
    let (table, whole) = source::parse_what_can_be(&source, log);
    // In a file that is no TOML a missing key may be a lost one: only the syntax is said,
    // and the policies are read by what could be made out.
    let mut unsaid = Log::default();
    let main_log = if whole { &mut *log } else { &mut unsaid };
    let mut raw = RawMain::read(table, &source, main_log);
    let folder = file.parent().unwrap_or(Path::new(""));
    let policies = raw.policies(folder);
    let at = raw.policies.as_ref().map_or_else(
        || At {
            source: Arc::clone(&source),
            span: 0..0,
        },
        |found| found.at.clone(),
    );
    let found = match given {
        Some(files) => Ok(files.to_owned()),
        None => source::policies(&policies, main_log),
    };
    let files = match found {
        Ok(files) => files,
        Err(why) => {
            let message = format!(
                "the policies folder {} can't be read: {why}",
                policies.display()
            );
            let usual = "make the folder, or name another by policies = \"…\" below [daemon]";
            let denied = source::is_denied(&why);
            let remedy = if denied { source::DENIED } else { usual };
            main_log.error(&at, message, remedy);
            Vec::new()
        }
    };
    if files.is_empty() && given.is_none() && policies.is_dir() {
        let message = format!(
            "the policies folder {} holds no file *.toml",
            policies.display()
        );
        main_log.error(
            &at,
            message,
            "let snaprotate init write first ones, or write one such as web-server-01.toml into it",
        );
    }
    let options = raw.defaults.clone();
    let limit = raw.limit();
    let raw_receivers = std::mem::take(&mut raw.receivers);
    let mut settings = raw.validate(folder, env, main_log);

    let mut reading = policy::Reading {
        limit,
        defaults: &options,
        schedules: slots::Schedules::default(),
        servers: BTreeMap::new(),
    };
    let mut policies: Vec<Arc<Policy>> = files
        .iter()
        .filter_map(|path| reading.policy(path, log).map(Arc::new))
        .collect();
    policies.sort_by_key(|policy| policy.server);
    let ground = receivers::Ground {
        folder,
        env,
        policies: &policies,
        // What was given stands beside policies that are not read.
        whole: given.is_none() && policies.len() == files.len(),
    };
    let main_log = if whole { log } else { &mut unsaid };
    let receivers = ground.receivers(raw_receivers, main_log);
    if let Some(settings) = &mut settings {
        settings.receivers = receivers;
    }
    Some((settings, policies))
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
#[path = "report_tests.rs"]
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
