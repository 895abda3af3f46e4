//! `[[notify]]` as it is written, into what is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;

use jiff::SignedDuration;
use lettre::Address as MailAddress;
use toml::de::DeValue;

use super::notify::{Address, Mail, Receiver, SecretFile, Tls, Way, address};
use super::reader::{Fault, Found, Section, Value, nearest};
use super::report::{At, Log};
use super::{Env, access, defaults};
use crate::alerts::KINDS;
use crate::core::policy::Policy;
use crate::core::snapshot::ServerId;

/// The title of each table.
pub(super) const TITLE: &str = "[[notify]]";

const TYPES: [&str; 6] = ["webhook", "ping", "ntfy", "slack", "email", "command"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Webhook,
    Ping,
    Ntfy,
    Slack,
    Email,
    Command,
}

impl Value for Type {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str =
        "\"webhook\", \"ping\", \"ntfy\", \"slack\", \"email\" or \"command\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, Fault>> {
        Some(match value.as_str()? {
            "webhook" => Ok(Self::Webhook),
            "ping" => Ok(Self::Ping),
            "ntfy" => Ok(Self::Ntfy),
            "slack" => Ok(Self::Slack),
            "email" => Ok(Self::Email),
            "command" => Ok(Self::Command),
            other => Err(Fault {
                message: format!("{other:?} is not known"),
                remedy: match nearest(other, TYPES.into_iter()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("write {}", Self::EXAMPLE),
                },
            }),
        })
    }
}

impl Value for Tls {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"starttls\", \"tls\" or \"none\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, Fault>> {
        Some(match value.as_str()? {
            "starttls" => Ok(Self::Starttls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            other => Err(Fault {
                message: format!("{other:?} is not known"),
                remedy: format!("write {}", Self::EXAMPLE),
            }),
        })
    }
}

/// A server as people name it.
#[derive(Clone, Debug)]
enum Named {
    Id(u64),
    Name(String),
}

impl Value for Named {
    const WANTED: &'static str = "names (strings) or ids (whole numbers)";
    const EXAMPLE: &'static str = "\"web-server-01\" or 12345";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, Fault>> {
        if value.is_str() {
            return Some(String::read(value)?.map(Self::Name));
        }
        Some(u64::read(value)?.map(Self::Id))
    }
}

/// One table as it is written.
#[derive(Debug)]
pub(super) struct RawReceiver {
    at: At,
    name: Option<Found<String>>,
    on: Option<Vec<Found<String>>>,
    servers: Option<Vec<Found<Named>>>,
    rotations: Option<Vec<Found<String>>>,
    repeat: Option<Found<SignedDuration>>,
    timeout: Option<Found<SignedDuration>>,
    way: RawWay,
}

#[derive(Debug)]
enum RawWay {
    /// Its type can't be made out.
    Nothing,
    Webhook(RawAddress),
    Ping(RawAddress),
    Ntfy(RawAddress, Option<Found<PathBuf>>),
    Slack(RawAddress),
    Email(Box<RawMail>),
    Command(Option<Vec<Found<String>>>),
}

#[derive(Debug)]
struct RawAddress {
    url: Option<Found<String>>,
    file: Option<Found<PathBuf>>,
}

#[derive(Debug)]
struct RawMail {
    server: Option<Found<String>>,
    port: Option<Found<u64>>,
    tls: Option<Found<Tls>>,
    from: Option<Found<String>>,
    to: Option<Vec<Found<String>>>,
    username: Option<Found<String>>,
    password_file: Option<Found<PathBuf>>,
}

impl RawReceiver {
    pub(super) fn read(mut section: Section<'_>, log: &mut Log) -> Self {
        section.require("type", "\"webhook\"", log);
        let kind = section.take::<Type>("type", log);
        let mut raw = Self {
            at: section.at().clone(),
            name: section.take("name", log),
            on: None,
            servers: section.take_list("servers", log),
            rotations: None,
            repeat: None,
            timeout: section.take_if("timeout", log, sound_timeout, WRONG_TIMEOUT),
            way: RawWay::Nothing,
        };
        let Some(kind) = kind else {
            // Which of the other keys are right, nobody can say.
            return raw;
        };
        if kind.value == Type::Ping {
            raw.rotations = section.take_list("rotations", log);
        } else {
            raw.on = section.take_list("on", log);
            raw.repeat = section.take_if("repeat", log, sound_repeat, WRONG_REPEAT);
        }
        raw.way = match kind.value {
            Type::Webhook => RawWay::Webhook(RawAddress::read(&mut section, log)),
            Type::Ping => RawWay::Ping(RawAddress::read(&mut section, log)),
            Type::Ntfy => {
                let address = RawAddress::read(&mut section, log);
                RawWay::Ntfy(address, section.take("token_file", log))
            }
            Type::Slack => RawWay::Slack(RawAddress::read(&mut section, log)),
            Type::Email => RawWay::Email(Box::new(RawMail::read(&mut section, log))),
            Type::Command => {
                section.require("command", "[\"/usr/local/bin/tell\"]", log);
                RawWay::Command(section.take_list("command", log))
            }
        };
        section.finish(log);
        raw
    }
}

const WRONG_TIMEOUT: (&str, &str) = (
    "must be more than nothing, and a minute at most",
    "write a duration such as \"10s\"",
);
const WRONG_REPEAT: (&str, &str) = (
    "must be an hour or more",
    "write a duration such as \"24h\", or \"0s\" for never",
);

fn sound_timeout(time: &SignedDuration) -> bool {
    time.is_positive() && *time <= SignedDuration::from_mins(1)
}

fn sound_repeat(time: &SignedDuration) -> bool {
    time.is_zero() || *time >= SignedDuration::from_hours(1)
}

impl RawAddress {
    fn read(section: &mut Section<'_>, log: &mut Log) -> Self {
        if !section.has("url_file") {
            section.require("url", "\"https://…\", or url_file = \"FILE\"", log);
        }
        Self {
            url: section.take("url", log),
            file: section.take("url_file", log),
        }
    }

    fn validate(self, folder: &Path, env: &Env, log: &mut Log) -> Option<Address> {
        let remedy =
            "write an https:// address (http:// is for 127.0.0.1, [::1] and localhost alone)";
        match (self.url, self.file) {
            (Some(url), Some(_)) => {
                log.error(&url.at, "url and url_file both say where", "keep one of the two");
                None
            }
            (Some(url), None) => match address(&url.value) {
                Ok(address) => Some(Address::Written(address)),
                Err(why) => {
                    log.error(&url.at, format!("url {why}"), remedy);
                    None
                }
            },
            (None, Some(file)) => {
                let secret = access::secret(("url_file", &file), "address", folder, env, log)?;
                let text = std::fs::read_to_string(&secret.0).unwrap_or_default();
                if let Err(why) = address(text.trim()) {
                    let shown = secret.0.display();
                    log.error(&file.at, format!("what {shown} holds {why}"), remedy);
                    return None;
                }
                Some(Address::File(secret))
            }
            (None, None) => None,
        }
    }
}

impl RawMail {
    fn read(section: &mut Section<'_>, log: &mut Log) -> Self {
        section.require("server", "\"mail.example.org\"", log);
        section.require("from", "\"snaprotate@example.org\"", log);
        section.require("to", "[\"admin@example.org\"]", log);
        Self {
            server: section.take("server", log),
            port: section.take_if(
                "port",
                log,
                |port| (1..=65_535).contains(port),
                ("is no port", "write a whole number from 1 to 65535"),
            ),
            tls: section.take("tls", log),
            from: section.take("from", log),
            to: section.take_list("to", log),
            username: section.take("username", log),
            password_file: section.take("password_file", log),
        }
    }

    fn validate(self, folder: &Path, env: &Env, log: &mut Log) -> Option<Mail> {
        let tls = self.tls.as_ref().map_or(Tls::Starttls, |tls| tls.value);
        let local = self.server.as_ref().map(|s| access::is_loopback(&s.value));
        if let Some(at) = self.tls.as_ref().map(|found| &found.at)
            && tls == Tls::None
            && local == Some(false)
        {
            log.error(
                at,
                "tls = \"none\" would send alerts unencrypted",
                "write \"starttls\" or \"tls\" (\"none\" is for 127.0.0.1, ::1 and localhost alone)",
            );
        }
        let sound = |found: Found<String>, log: &mut Log| {
            if MailAddress::from_str(&found.value).is_ok() {
                return Some(found.value);
            }
            let message = format!("{:?} is not a mail address", found.value);
            log.error(&found.at, message, "write it like admin@example.org, without a name");
            None
        };
        let from = self.from.and_then(|from| sound(from, log));
        let to: Option<Vec<_>> = self.to.map(|to| {
            let to = to.into_iter();
            to.filter_map(|one| sound(one, log)).collect()
        });
        let login = match (self.username, self.password_file) {
            (None, None) => None,
            (Some(user), Some(file)) => {
                let found = ("password_file", &file);
                let password = access::secret(found, "password", folder, env, log)?;
                Some((user.value, password))
            }
            (Some(user), None) => {
                let remedy = "write password_file = \"FILE\", or take username out";
                log.error(&user.at, "username has no password_file", remedy);
                None
            }
            (None, Some(file)) => {
                let remedy = "write username = \"…\", or take password_file out";
                log.error(&file.at, "password_file has no username", remedy);
                None
            }
        };
        let port = self.port.and_then(|port| u16::try_from(port.value).ok());
        Some(Mail {
            server: self.server?.value,
            port: port.unwrap_or(tls.usual_port()),
            tls,
            from: from?,
            to: to?,
            login,
        })
    }
}

/// What receivers are checked against.
pub(super) struct Ground<'a> {
    pub(super) folder: &'a Path,
    pub(super) env: &'a Env,
    pub(super) policies: &'a [Arc<Policy>],
    /// Whether every policy could be read, so that a name that none has is a wrong one.
    pub(super) whole: bool,
}

impl Ground<'_> {
    /// All receivers; what is wrong is said.
    pub(super) fn receivers(&self, raw: Vec<RawReceiver>, log: &mut Log) -> Vec<Receiver> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for name in raw.iter().filter_map(|raw| raw.name.as_ref()) {
            if !taken.insert(name.value.clone()) {
                let message = format!("two receivers are called {:?}", name.value);
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

    fn receiver(&self, raw: RawReceiver, at: &At, log: &mut Log) -> Option<Receiver> {
        let on = raw.on.map(|kinds| kinds_of(kinds, at, log));
        let servers = raw.servers.map(|servers| self.servers(servers, at, log));
        let rotations = raw.rotations.map(|names| self.rotations(names, at, log));
        let (folder, env) = (self.folder, self.env);
        let way = match raw.way {
            RawWay::Nothing => return None,
            RawWay::Webhook(raw) => Way::Webhook(raw.validate(folder, env, log)?),
            RawWay::Slack(raw) => Way::Slack(raw.validate(folder, env, log)?),
            RawWay::Ping(raw) => Way::Ping {
                address: raw.validate(folder, env, log)?,
                rotations,
            },
            RawWay::Ntfy(raw, file) => {
                let address = raw.validate(folder, env, log);
                let token: Option<SecretFile> = file.and_then(|file| {
                    access::secret(("token_file", &file), "access token", folder, env, log)
                });
                Way::Ntfy {
                    address: address?,
                    token,
                }
            }
            RawWay::Email(raw) => {
                if raw.to.as_ref().is_some_and(Vec::is_empty) {
                    log.error(at, "to names nobody", "write to = [\"admin@example.org\"]");
                }
                Way::Email(raw.validate(folder, env, log)?)
            }
            RawWay::Command(argv) => Way::Command(command(argv?, at, log)?),
        };
        let repeat = raw.repeat.map_or(defaults::REPEAT, |found| found.value);
        let timeout = raw.timeout.map_or(defaults::DELIVERY, |found| found.value);
        Some(Receiver {
            name: String::new(),
            way,
            on,
            servers,
            repeat: repeat.is_positive().then_some(repeat),
            timeout: timeout.unsigned_abs(),
        })
    }

    fn servers(&self, named: Vec<Found<Named>>, at: &At, log: &mut Log) -> BTreeSet<ServerId> {
        if named.is_empty() {
            log.error(at, "servers is empty", "name some, or take it out for all");
        }
        let mut servers = BTreeSet::new();
        for found in named {
            let known = self.policies.iter().find(|policy| match &found.value {
                Named::Id(id) => policy.server.0 == *id,
                Named::Name(name) => policy.called() == name || policy.file == *name,
            });
            if let Some(policy) = known {
                servers.insert(policy.server);
                continue;
            }
            if !self.whole {
                continue;
            }
            let (said, near) = match &found.value {
                Named::Id(id) => (id.to_string(), None),
                Named::Name(name) => {
                    let names = self.policies.iter().flat_map(|p| [p.called(), p.file.as_str()]);
                    (format!("{name:?}"), nearest(name, names))
                }
            };
            let remedy = near.map_or_else(
                || "name a server by its id, its name, or its policy file's stem".to_owned(),
                |near| format!("did you mean {near:?}?"),
            );
            log.error(&found.at, format!("no policy is for a server {said}"), remedy);
        }
        servers
    }

    fn rotations(&self, names: Vec<Found<String>>, at: &At, log: &mut Log) -> BTreeSet<String> {
        if names.is_empty() {
            log.error(at, "rotations is empty", "name some, or take it out for all");
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

fn kinds_of(kinds: Vec<Found<String>>, at: &At, log: &mut Log) -> BTreeSet<String> {
    if kinds.is_empty() {
        log.error(at, "on is empty", "name some kinds, or take it out for all");
    }
    for found in &kinds {
        if !KINDS.contains(&found.value.as_str()) {
            let remedy = nearest(&found.value, KINDS.into_iter()).map_or_else(
                || format!("write one of {}", KINDS.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            let message = format!("there is no alert {:?}", found.value);
            log.error(&found.at, message, remedy);
        }
    }
    kinds.into_iter().map(|found| found.value).collect()
}

fn command(argv: Vec<Found<String>>, at: &At, log: &mut Log) -> Option<Vec<String>> {
    let Some(program) = argv.first() else {
        log.error(at, "command is empty", "write command = [\"/usr/local/bin/tell\"]");
        return None;
    };
    let path = Path::new(&program.value);
    if !path.is_absolute() {
        let message = format!("command {:?} is not a whole path", program.value);
        log.error(
            &program.at,
            message,
            "write the program's path from / on; no shell looks for it",
        );
        return None;
    }
    if !path.is_file() {
        let message = format!("command {} is not there", path.display());
        log.error(&program.at, message, "name a program that is");
        return None;
    }
    Some(argv.into_iter().map(|found| found.value).collect())
}
