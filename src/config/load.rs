//! Loads the files into a set of settings that is used or refused as a whole.

use crate::core::snapshot::ServerId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostics::{Diagnostics, Position, Problems, Severity};
use super::main_file::RawMain;
use super::{
    Config, DEFAULT_FILE, Environment, Folders, defaults, file_source, main_file, policy,
    receivers, schedule_checks, witness,
};
use crate::core::policy::{Hooks, Policy};

/// Remedy for a main file that can't be read.
const NO_MAIN_FILE: &str = "create it with snaprotate init or by hand (config/snaprotate.toml is a commented example), or name another with --config FILE";

/// Loads the main file and all policies. The error holds every problem, warnings included.
pub fn load(file: &Path, env: &Environment) -> Result<Config, Problems> {
    load_with(file, None, env)
}

/// Like [`load`], with one policy file in place of the policies folder: a draft that is not in
/// force, checked with the limit and the defaults of the main file.
pub fn load_draft(file: &Path, policy: &Path, env: &Environment) -> Result<Config, Problems> {
    load_with(file, Some(&[policy.to_owned()]), env)
}

/// Like [`load`], with these policy files in place of the policies folder; there may be none.
pub fn load_files(
    file: &Path,
    policies: &[PathBuf],
    env: &Environment,
) -> Result<Config, Problems> {
    load_with(file, Some(policies), env)
}

/// Returns the policies folder that the main file names; the default folder if the file names none
/// or can't be read.
pub fn policies_folder(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut unsaid = Diagnostics::default();
    let Some(source) = file_source::read(file, NO_MAIN_FILE, &mut unsaid) else {
        return folder.join(defaults::POLICIES);
    };
    let (table, _) = file_source::parse_what_can_be(&source, &mut unsaid);
    RawMain::read(table, &source, &mut unsaid).policies(folder)
}

/// Returns the policy files of a folder, sorted by name; none if the folder does not exist.
pub fn policy_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !folder.try_exists()? {
        return Ok(Vec::new());
    }
    file_source::policies(folder, &mut Diagnostics::default()).map_err(std::io::Error::other)
}

/// Returns true if a file is a policy and not a main file, judged by its tables.
pub fn is_policy(file: &Path) -> Result<bool, Problems> {
    let mut log = Diagnostics::default();
    let source = file_source::read(
        file,
        "name a policy file, or a main file with policies",
        &mut log,
    );
    let Some(source) = source else {
        return Err(Problems(log.0));
    };
    let (table, _) = file_source::parse_what_can_be(&source, &mut log);
    Ok(["server", "rotation"]
        .iter()
        .any(|key| table.contains_key(*key)))
}

/// Returns the hooks of one rotation, the server's id and its name. Besides the main file, reads
/// only that policy's file, so that errors elsewhere don't keep a hook from running.
pub fn hooks_of(
    file: &Path,
    policy: &str,
    rotation: &str,
) -> Result<(Arc<Hooks>, ServerId, String), String> {
    let mut log = Diagnostics::default();
    let folder = file.parent().unwrap_or(Path::new(""));
    let source = file_source::read(file, NO_MAIN_FILE, &mut log);
    let main = source.map(|source| {
        let (table, _) = file_source::parse_what_can_be(&source, &mut log);
        RawMain::read(table, &source, &mut log)
    });
    let main = main.unwrap_or_default();
    let policies = main.policies(folder);
    // `policy` must be the stem of a listed file, so that it can't lead out of the folder.
    let files =
        policy_files(&policies).map_err(|error| format!("{}: {error}", policies.display()))?;
    let path = files
        .iter()
        .find(|path| path.file_stem() == Some(policy.as_ref()));
    let path = path.ok_or(format!("{} has no policy {policy}", policies.display()))?;
    let mut log = Diagnostics::default();
    let found = policy::hooks(path, rotation, &main.defaults, &mut log);
    found.ok_or_else(|| {
        let why = log.0.into_iter().find(|p| p.severity == Severity::Error);
        why.map_or_else(
            || format!("{}: {rotation} has no hooks", path.display()),
            |problem| problem.to_string(),
        )
    })
}

fn load_with(
    file: &Path,
    given: Option<&[PathBuf]>,
    env: &Environment,
) -> Result<Config, Problems> {
    let mut log = Diagnostics::default();
    let read = read(file, given, env, false, &mut log);
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
            witness: settings.witness,
            warnings: problems,
        }),
        _ => Err(Problems(problems)),
    }
}

/// Returns the policies as far as they can be read, despite errors in them or elsewhere, and
/// without permission to read the token. Commands that read the trail take the servers' names from
/// them, which matters most for a server whose policy has an error.
pub fn policies(file: &Path, env: &Environment) -> Vec<Arc<Policy>> {
    let mut unsaid = Diagnostics::default();
    read(file, None, env, true, &mut unsaid).map_or_else(Vec::new, |(_, policies)| policies)
}

/// Reads only the folders that the daemon writes to: the trail must be readable even if the token,
/// a policy or the main file is missing. A folder that the file doesn't set comes from systemd,
/// else it is the default.
pub fn folders(file: &Path, env: &Environment) -> Result<Folders, Problems> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let missing =
        std::fs::metadata(file).is_err_and(|why| why.kind() == std::io::ErrorKind::NotFound);
    // If a named main file doesn't exist, its name may be mistyped, and the intended file may set
    // another trail. If systemd names the trail's folder, that folder is the intended one.
    let sure = file == Path::new(DEFAULT_FILE) || env.logs_directory.is_some();
    if missing && sure {
        return Ok(super::folders::folders(None, None, folder, env));
    }
    let mut log = Diagnostics::default();
    let source = file_source::read(file, NO_MAIN_FILE, &mut log);
    // A syntax error may hide one of the two keys.
    let found = source.as_ref().and_then(|source| {
        let table = file_source::parse(source, &mut log)?;
        Some(super::folders::read_folders(
            table, source, folder, env, &mut log,
        ))
    });
    match found {
        Some(folders) if log.0.is_empty() => Ok(folders),
        _ => Err(Problems(log.0)),
    }
}

/// Returns the file of the witness's signer key, if it can be determined: the systemd credential if
/// there is one, else `key_file`.
pub fn witness_key(file: &Path, env: &Environment) -> Option<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut unsaid = Diagnostics::default();
    let raw = file_source::read(file, NO_MAIN_FILE, &mut unsaid).and_then(|source| {
        let (table, _) = file_source::parse_what_can_be(&source, &mut unsaid);
        RawMain::read(table, &source, &mut unsaid).witness
    });
    raw?.key(folder, env)
}

type LoadResult = (Option<main_file::Settings>, Vec<Arc<Policy>>);

fn read(
    file: &Path,
    given: Option<&[PathBuf]>,
    env: &Environment,
    lenient: bool,
    log: &mut Diagnostics,
) -> Option<LoadResult> {
    let source = file_source::read(file, NO_MAIN_FILE, log)?;
    let (table, whole) = file_source::parse_what_can_be(&source, log);
    // After a syntax error, a missing key may be in the part that could not be parsed, so only the
    // syntax error is reported. The policies are read with the part of the main file that could be
    // parsed.
    let mut unsaid = Diagnostics::default();
    let main_log = if whole { &mut *log } else { &mut unsaid };
    let mut raw = RawMain::read(table, &source, main_log);
    let folder = file.parent().unwrap_or(Path::new(""));
    let policies = raw.policies(folder);
    let at = raw.policies.as_ref().map_or_else(
        || Position {
            source: Arc::clone(&source),
            span: 0..0,
        },
        |found| found.at.clone(),
    );
    let found = match given {
        Some(files) => Ok(files.to_owned()),
        None => file_source::policies(&policies, main_log),
    };
    let files = match found {
        Ok(files) => files,
        Err(error) => {
            let message = format!(
                "the policies folder {} can't be read: {error}",
                policies.display()
            );
            let usual = "create the folder, or name another with policies = \"…\" below [daemon]";
            main_log.error(&at, message, error.remedy(usual));
            Vec::new()
        }
    };
    if files.is_empty() && given.is_none() && policies.is_dir() {
        let message = format!(
            "the policies folder {} holds no *.toml file",
            policies.display()
        );
        main_log.error(
            &at,
            message,
            "create policies with snaprotate init, or create one by hand, such as web-server-01.toml",
        );
    }
    let options = raw.defaults.clone();
    let limit = raw.limit();
    let raw_receivers = std::mem::take(&mut raw.receivers);
    let witness_at = raw.witness.as_ref().map(|raw| raw.at().clone());
    let mut settings = raw.validate(folder, env, main_log);

    let mut reading = policy::PolicyContext {
        lenient,
        limit,
        defaults: &options,
        schedules: schedule_checks::Schedules::default(),
        servers: BTreeMap::new(),
    };
    let mut policies: Vec<Arc<Policy>> = files
        .iter()
        .filter_map(|path| reading.policy(path, log).map(Arc::new))
        .collect();
    policies.sort_by_key(|policy| policy.server.clone());
    let ground = receivers::ReceiverContext {
        folder,
        env,
        zone: &options.zone(),
        policies: &policies,
        // If the caller gave the policies, there may be others that are not read.
        whole: given.is_none() && policies.len() == files.len(),
    };
    let main_log = if whole { log } else { &mut unsaid };
    let asked = raw_receivers.iter().find_map(|raw| {
        let witness = raw.witness.as_ref().filter(|found| found.value)?;
        Some(witness.at.clone())
    });
    let receivers = ground.receivers(raw_receivers, main_log);
    if let Some(settings) = &mut settings {
        let meant = settings.witness.as_ref().zip(witness_at.as_ref());
        witness::fits(meant, &receivers, asked.as_ref(), main_log);
        settings.receivers = receivers;
    }
    Some((settings, policies))
}
