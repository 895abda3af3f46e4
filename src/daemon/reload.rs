//! Puts a new set of files into force as a whole, or refuses it.
//!
//! The files are read outside the main loop: 10,000 files take a while, and the watchdog must be
//! fed. They are put into force in the main loop.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use tokio::task::JoinError;

use super::read_only_plan;
use super::startup::{REFUSED, Service, config_loaded_event, refusal_cleared_event};
use crate::api::SnapshotApi as _;
use crate::audit::GlobalEvent;
use crate::config::{self, Config, Environment, Problem, Severity};
use crate::core::policy::{Policy, Rotation};
use crate::core::server_event::AlertText;

/// Result of reading the files: the configuration, what it will delete (a line each) and when the
/// reading began; or the problems.
pub(super) struct ReadConfig(Result<(Config, Vec<String>, Timestamp), ConfigProblems>);

/// Errors and warnings of the files, a line each.
#[derive(Default)]
struct ConfigProblems {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl ConfigProblems {
    fn of(problems: Vec<Problem>) -> Self {
        let mut wrong = Self::default();
        for problem in problems {
            match problem.severity {
                Severity::Error => wrong.errors.push(problem.to_string()),
                Severity::Warning => wrong.warnings.push(problem.to_string()),
            }
        }
        wrong
    }

    fn errors(errors: Vec<String>) -> Self {
        Self {
            errors,
            ..Self::default()
        }
    }
}

impl ReadConfig {
    /// Returns the result for a reader that panicked.
    pub(super) fn broken(error: &JoinError) -> Self {
        let why = format!("the files can't be read: {error}");
        Self(Err(ConfigProblems::errors(vec![why])))
    }
}

/// Reads the files anew, and lists what they will delete that the files in force would not.
pub(super) fn read(service: &Service) -> impl Future<Output = ReadConfig> + use<> {
    let old = service.config.clone();
    let (api, clock) = (Arc::clone(&service.api), service.clock.clone());
    async move {
        let began = clock.now().wall;
        let file = old.file.clone();
        let reading =
            tokio::task::spawn_blocking(move || config::load(&file, &Environment::from_process()));
        let new = match reading.await {
            Ok(Ok(config)) => config,
            Ok(Err(config::Problems(problems))) => {
                return ReadConfig(Err(ConfigProblems::of(problems)));
            }
            Err(error) => return ReadConfig::broken(&error),
        };
        let mut said = removed(&old, &new);
        let changes = read_only_plan::changes(&api, &clock, &old, &new);
        // An API that does not answer must not keep a new set, which may protect more, from being
        // used.
        match tokio::time::timeout(old.api.request_timeout, changes).await {
            Ok(Ok(changes)) => said.extend(changes),
            Ok(Err(why)) => said.push(untold(&why)),
            Err(_) => said.push(untold("the API did not answer in time")),
        }
        ReadConfig(Ok((new, said, began)))
    }
}

fn untold(why: &str) -> String {
    format!(
        "can't determine which snapshots the new configuration would delete or leave behind: {why}"
    )
}

/// Puts the set into force as a whole. `alert` is true if the last set was refused. Returns the
/// alert's text if this one is refused.
pub(super) async fn apply(
    service: &mut Service,
    read: ReadConfig,
    alert: bool,
) -> Result<(), AlertText> {
    let fitting = |(new, said, began)| Ok((fitting(&service.config, new)?, said, began));
    let (mut new, said, began) = match read.0.and_then(fitting) {
        Ok(found) => found,
        Err(wrong) => return Err(refuse(service, wrong).await),
    };
    let mut events = vec![config_loaded_event(&new, said.clone())];
    if alert {
        events.push(refusal_cleared_event());
    }
    let engine = Arc::clone(&service.engine);
    let _quiet = engine.begin_policy_swap();
    // The trail must record what the change does before the change takes effect. If that can't be
    // recorded, the old set stays.
    if let Err(error) = service.record(events).await {
        let text = AlertText::new("the changed configuration can't be recorded in the trail");
        return Err(text
            .cause(Some(&error.to_string()))
            .remedy("reload again later"));
    }
    for warning in &new.warnings {
        tracing::warn!("{warning}");
    }
    for line in said {
        tracing::warn!("{line}");
    }
    if let Err(error) = service.api.renew() {
        tracing::warn!(%error, "the token can't be read again; the previous one stays in use");
    }
    // The client keeps the limits that it was built with, and the rules must agree with them.
    new.rules.request_timeout = service.config.rules.request_timeout;
    new.api = service.config.api.clone();
    engine.reload(new.rules.clone(), new.policies.clone());
    *service.read.lock().unwrap_or_else(PoisonError::into_inner) = began;
    tracing::info!(policies = new.policies.len(), "config_loaded");
    if alert {
        service.tell(&refusal_cleared_event());
    }
    let receivers = service.config.receivers != new.receivers;
    service.config = new;
    service.witness.reload(&service.config);
    if receivers {
        service.renotify();
    }
    // A report is queued for a receiver that exists already.
    service.reports.reload(&service.config);
    Ok(())
}

/// Returns the alert's text for a refused configuration.
fn config_refused(problem: &str) -> AlertText {
    AlertText::new(problem).then_run("to see all problems, run", "snaprotate check")
}

async fn refuse(service: &Service, wrong: ConfigProblems) -> AlertText {
    let ConfigProblems { errors, warnings } = wrong;
    // The alert names the first error.
    let first = errors.first().cloned().unwrap_or_default();
    let reason = match errors.len() {
        0 | 1 => first,
        n => format!("{first} (and {} more)", n - 1),
    };
    for problem in &errors {
        tracing::error!("{problem}");
    }
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let problems = [errors, warnings].concat();
    let text = config_refused(&reason);
    let raised = GlobalEvent::raised(REFUSED, text.clone());
    service.tell(&raised);
    let events = vec![GlobalEvent::ConfigRefused { problems }, raised];
    if let Err(error) = service.record(events).await {
        tracing::error!(%error, "the refused configuration can't be recorded in the trail");
    }
    text
}

/// Refuses a set that changes the address, token file, certificate file, proxy or a folder: half of
/// it would be in force until a restart. Changed limits of `[api]` are accepted and take effect at
/// the next start.
fn fitting(old: &Config, new: Config) -> Result<Config, ConfigProblems> {
    let changed = [
        ("api.base_url", old.api.base_url != new.api.base_url),
        ("api.token_file", old.api.token_file != new.api.token_file),
        ("api.ca_file", old.api.ca_file != new.api.ca_file),
        ("api.proxy", old.api.proxy != new.api.proxy),
        ("daemon.state_dir", old.state_dir != new.state_dir),
        ("audit.dir", old.audit_dir != new.audit_dir),
    ];
    let problems: Vec<_> = changed
        .iter()
        .filter(|(_, changed)| *changed)
        .map(|(key, _)| {
            let file = new.file.display();
            format!("{file}: {key} can't change while the service runs; restart the service")
        })
        .collect();
    if !problems.is_empty() {
        return Err(ConfigProblems::errors(problems));
    }
    let (a, b) = (&old.api, &new.api);
    let limits = |api: &config::Api| {
        (
            (api.connect_timeout, api.request_timeout),
            (api.max_in_flight, api.max_body),
            (api.requests_per_second.to_bits(), api.burst),
        )
    };
    if limits(a) != limits(b) {
        tracing::warn!("the changed limits in [api] require a restart");
    }
    Ok(new)
}

/// Lists the policies and rotations that the change removes, each `keep` that it lowers, and each
/// id that it replaces, one line each.
fn removed(old: &Config, new: &Config) -> Vec<String> {
    let rotations = |config: &Config| -> BTreeMap<_, _> {
        let policies = config.policies.iter();
        policies
            .map(|policy| (policy.server.clone(), Arc::clone(policy)))
            .collect()
    };
    let (old, new) = (rotations(old), rotations(new));
    let mut lines = Vec::new();
    for (server, policy) in &old {
        let file = &policy.file;
        let of_file = || new.values().find(|now| now.file == *file);
        let now = match new.get(server).ok_or_else(of_file) {
            Ok(now) => now,
            Err(Some(now)) if !now.server.is_same_kind(server) => {
                let id = &now.server;
                lines.push(format!("{file}: server.id is {id} instead of {server}"));
                now
            }
            Err(_) => {
                lines.push(format!(
                    "{file}: the policy of server {server} was removed; its snapshots stay"
                ));
                continue;
            }
        };
        for rotation in &policy.rotations {
            match now.rotations.iter().find(|r| r.name == rotation.name) {
                None => lines.push(gone(file, rotation, now)),
                Some(now) if now.keep < rotation.keep => lines.push(format!(
                    "{file}: rotation {} keeps {} instead of {}",
                    rotation.name, now.keep, rotation.keep
                )),
                Some(_) => {}
            }
        }
    }
    lines
}

/// Describes what happens to the snapshots of a removed rotation.
fn gone(file: &str, rotation: &Rotation, now: &Policy) -> String {
    let name = &rotation.name;
    let pattern = rotation.pattern.to_string();
    let mut others = now.rotations.iter();
    let heir = others.find(|other| other.patterns().any(|own| own.to_string() == pattern));
    match heir {
        Some(heir) => format!(
            "{file}: rotation {name} was removed, and {} takes over its snapshots, which have the same names",
            heir.name
        ),
        None => format!(
            "{file}: rotation {name} was removed; its snapshots stay as foreign ones: add its name pattern to the former_names of the rotation that takes them over, or delete them by hand"
        ),
    }
}
