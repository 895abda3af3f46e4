//! Validates all `[[notify]]` tables: unique names, and servers and rotations that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::diagnostics::{Diagnostics, Position};
use super::hints::nearest;
use super::notify::{Receiver, Transport};
use super::program::program;
use super::receiver::{RawReceiver, RawTransport};
use super::receiver_values::ServerReference;
use super::table_reader::Located;
use super::value_types::{NamedZone, SecretFile};
use super::{Environment, api_section, defaults};
use crate::core::policy::Policy;
use crate::core::server_event::alert_words;
use crate::core::snapshot::ServerId;

/// The settings that receivers are checked against.
pub(super) struct ReceiverContext<'a> {
    pub(super) folder: &'a Path,
    pub(super) env: &'a Environment,
    /// The zone of `[defaults]`.
    pub(super) zone: &'a NamedZone,
    pub(super) policies: &'a [Arc<Policy>],
    /// True if every policy was read, so that a name that no policy has is an error.
    pub(super) whole: bool,
}

impl ReceiverContext<'_> {
    /// Validates all receivers and reports their problems.
    pub(super) fn receivers(&self, raw: Vec<RawReceiver>, log: &mut Diagnostics) -> Vec<Receiver> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for name in raw.iter().filter_map(|raw| raw.name.as_ref()) {
            if !taken.insert(name.value.clone()) {
                let message = format!("two receivers are named {:?}", name.value);
                log.error(&name.at, message, "give one of them another name");
            }
        }
        let mut counts = BTreeMap::new();
        let read = raw.into_iter().filter_map(|raw| {
            let (at, name) = (raw.at.clone(), raw.name.clone());
            let mut receiver = self.receiver(raw, &at, log)?;
            receiver.name = name.map_or_else(
                || loop {
                    let word = receiver.way.word();
                    let count = counts.entry(word).or_insert(0u32);
                    *count += 1;
                    let name = match count {
                        1 => word.to_owned(),
                        n => format!("{word}-{n}"),
                    };
                    if !taken.contains(&name) {
                        break name;
                    }
                },
                |name| name.value,
            );
            Some(receiver)
        });
        read.collect()
    }

    fn receiver(&self, raw: RawReceiver, at: &Position, log: &mut Diagnostics) -> Option<Receiver> {
        let on = raw.on.map(|kinds| kinds_of(kinds, at, log));
        let servers = raw.servers.map(|servers| self.servers(servers, at, log));
        let rotations = raw.rotations.map(|names| self.rotations(names, at, log));
        let (folder, env) = (self.folder, self.env);
        let way = match raw.way {
            RawTransport::Nothing => return None,
            RawTransport::Webhook(raw) => Transport::Webhook(raw.validate(folder, env, log)?),
            RawTransport::Slack(raw) => Transport::Slack(raw.validate(folder, env, log)?),
            RawTransport::Ping(raw) => Transport::Ping {
                address: raw.validate(folder, env, log)?,
                rotations,
            },
            RawTransport::Ntfy(raw, file) => {
                let address = raw.validate(folder, env, log);
                let token: Option<SecretFile> = file.and_then(|file| {
                    api_section::secret(("token_file", &file), "access token", folder, env, log)
                });
                Transport::Ntfy {
                    address: address?,
                    token,
                }
            }
            RawTransport::Email(raw) => {
                if raw.to.as_ref().is_some_and(Vec::is_empty) {
                    log.error(at, "to is empty", "write to = [\"admin@example.org\"]");
                }
                Transport::Email(raw.validate(folder, env, log)?)
            }
            RawTransport::Command(argv) => {
                Transport::Command(program("command", argv?, at, "/usr/local/bin/tell", log)?)
            }
        };
        let report = raw.report.validate(self.zone, log);
        let repeat = raw.repeat.map_or(defaults::REPEAT, |found| found.value);
        let timeout = raw.timeout.map_or(defaults::DELIVERY, |found| found.value);
        Some(Receiver {
            name: String::new(),
            way,
            on,
            servers,
            witness: raw.witness.is_some_and(|found| found.value),
            report,
            repeat: repeat.is_positive().then_some(repeat),
            timeout: timeout.unsigned_abs(),
        })
    }

    fn servers(
        &self,
        wanted: Vec<Located<ServerReference>>,
        at: &Position,
        log: &mut Diagnostics,
    ) -> BTreeSet<ServerId> {
        if wanted.is_empty() {
            log.error(
                at,
                "servers is empty",
                "name at least one, or remove the key to include all",
            );
        }
        let mut servers = BTreeSet::new();
        for found in wanted {
            let known = self.policies.iter().find(|policy| match &found.value {
                ServerReference::Id(id) => policy.server == *id,
                ServerReference::Name(name) => {
                    policy.called() == name
                        || policy.file == *name
                        || policy.server.to_string() == *name
                }
            });
            if let Some(policy) = known {
                servers.insert(policy.server.clone());
                continue;
            }
            if !self.whole {
                continue;
            }
            let (said, near) = match &found.value {
                ServerReference::Id(id) => (id.to_string(), None),
                ServerReference::Name(name) => {
                    let names = self
                        .policies
                        .iter()
                        .flat_map(|p| [p.called(), p.file.as_str()]);
                    (format!("{name:?}"), nearest(name, names))
                }
            };
            let remedy = near.map_or_else(
                || "name a server by its id, its name, or its policy file's stem".to_owned(),
                |near| format!("did you mean {near:?}?"),
            );
            log.error(
                &found.at,
                format!("there is no policy for server {said}"),
                remedy,
            );
        }
        servers
    }

    fn rotations(
        &self,
        names: Vec<Located<String>>,
        at: &Position,
        log: &mut Diagnostics,
    ) -> BTreeSet<String> {
        if names.is_empty() {
            log.error(
                at,
                "rotations is empty",
                "name at least one, or remove the key to include all",
            );
        }
        let all = || {
            let rotations = self.policies.iter().flat_map(|policy| &policy.rotations);
            rotations.map(|rotation| rotation.name.as_str())
        };
        for found in &names {
            if self.whole && !all().any(|name| name == found.value) {
                let remedy = nearest(&found.value, all()).map_or_else(
                    || "name a rotation of a policy".to_owned(),
                    |near| format!("did you mean {near:?}?"),
                );
                log.error(
                    &found.at,
                    format!("no policy has a rotation {:?}", found.value),
                    remedy,
                );
            }
        }
        names.into_iter().map(|found| found.value).collect()
    }
}

fn kinds_of(kinds: Vec<Located<String>>, at: &Position, log: &mut Diagnostics) -> BTreeSet<String> {
    if kinds.is_empty() {
        log.error(
            at,
            "on is empty",
            "name at least one kind, or remove the key to include all",
        );
    }
    for found in &kinds {
        if !alert_words().any(|word| word == found.value) {
            let remedy = nearest(&found.value, alert_words()).map_or_else(
                || {
                    format!(
                        "write one of {}",
                        alert_words().collect::<Vec<_>>().join(", ")
                    )
                },
                |near| format!("did you mean {near:?}?"),
            );
            let message = format!("there is no alert of kind {:?}", found.value);
            log.error(&found.at, message, remedy);
        }
    }
    kinds.into_iter().map(|found| found.value).collect()
}
