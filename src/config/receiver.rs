//! One `[[notify]]` table as it is written: reads and checks the keys of its type.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use jiff::SignedDuration;
use lettre::Address as MailAddress;

use super::diagnostics::{Diagnostics, Position};
use super::notify::{Address, Mail, Tls, address};
use super::receiver_report::RawReport;
use super::receiver_values::{ReceiverType, ServerReference};
use super::table_reader::{Located, TableReader};
use super::{Environment, api_section};

/// The table's title in messages.
pub(super) const TITLE: &str = "[[notify]]";

/// One table as it is written.
#[derive(Debug)]
pub(super) struct RawReceiver {
    pub(super) at: Position,
    pub(super) name: Option<Located<String>>,
    pub(super) on: Option<Vec<Located<String>>>,
    pub(super) servers: Option<Vec<Located<ServerReference>>>,
    pub(super) rotations: Option<Vec<Located<String>>>,
    pub(super) witness: Option<Located<bool>>,
    pub(super) report: RawReport,
    pub(super) repeat: Option<Located<SignedDuration>>,
    pub(super) timeout: Option<Located<SignedDuration>>,
    pub(super) way: RawTransport,
}

/// The keys of the receiver's type, as they are written.
#[derive(Debug)]
pub(super) enum RawTransport {
    /// The type can't be determined.
    Nothing,
    Webhook(RawAddress),
    Ping(RawAddress),
    Ntfy(RawAddress, Option<Located<PathBuf>>),
    Slack(RawAddress),
    Email(Box<RawMail>),
    Command(Option<Vec<Located<String>>>),
}

#[derive(Debug)]
pub(super) struct RawAddress {
    url: Option<Located<String>>,
    file: Option<Located<PathBuf>>,
}

#[derive(Debug)]
pub(super) struct RawMail {
    server: Option<Located<String>>,
    port: Option<Located<u64>>,
    tls: Option<Located<Tls>>,
    from: Option<Located<String>>,
    pub(super) to: Option<Vec<Located<String>>>,
    username: Option<Located<String>>,
    password_file: Option<Located<PathBuf>>,
}

impl RawReceiver {
    pub(super) fn read(mut section: TableReader<'_>, log: &mut Diagnostics) -> Self {
        section.require("type", "\"webhook\"");
        let kind = section.take::<ReceiverType>("type", log);
        let mut raw = Self {
            at: section.at().clone(),
            name: section.take("name", log),
            on: None,
            servers: section.take_list("servers", log),
            rotations: None,
            witness: None,
            report: RawReport::default(),
            repeat: None,
            timeout: section.take_if("timeout", log, sound_timeout, WRONG_TIMEOUT),
            way: RawTransport::Nothing,
        };
        let Some(kind) = kind else {
            // Without a type the other keys can't be checked.
            section.lacks(log);
            return raw;
        };
        if kind.value == ReceiverType::Ping {
            raw.rotations = section.take_list("rotations", log);
        } else {
            raw.on = section.take_list("on", log);
            raw.witness = section.take("witness", log);
            raw.report = RawReport::read(&mut section, log);
            raw.repeat = section.take_if("repeat", log, sound_repeat, WRONG_REPEAT);
        }
        raw.way = match kind.value {
            ReceiverType::Webhook => RawTransport::Webhook(RawAddress::read(&mut section, log)),
            ReceiverType::Ping => RawTransport::Ping(RawAddress::read(&mut section, log)),
            ReceiverType::Ntfy => {
                let address = RawAddress::read(&mut section, log);
                RawTransport::Ntfy(address, section.take("token_file", log))
            }
            ReceiverType::Slack => RawTransport::Slack(RawAddress::read(&mut section, log)),
            ReceiverType::Email => RawTransport::Email(Box::new(RawMail::read(&mut section, log))),
            ReceiverType::Command => {
                section.require("command", "[\"/usr/local/bin/tell\"]");
                RawTransport::Command(section.take_list("command", log))
            }
        };
        section.finish(log);
        raw
    }
}

const WRONG_TIMEOUT: (&str, &str) = (
    "must be longer than 0s, and at most a minute",
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
    fn read(section: &mut TableReader<'_>, log: &mut Diagnostics) -> Self {
        if !section.has("url_file") {
            section.require("url", "\"https://…\", or url_file = \"FILE\"");
        }
        Self {
            url: section.take("url", log),
            file: section.take("url_file", log),
        }
    }

    pub(super) fn validate(
        self,
        folder: &Path,
        env: &Environment,
        log: &mut Diagnostics,
    ) -> Option<Address> {
        let remedy =
            "write an https:// address (http:// is only for 127.0.0.1, [::1] and localhost)";
        match (self.url, self.file) {
            (Some(url), Some(_)) => {
                log.error(
                    &url.at,
                    "url and url_file both give the address",
                    "keep one of the two",
                );
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
                let secret = api_section::secret(("url_file", &file), "address", folder, env, log)?;
                // `secret` reports a file that can't be read, where that matters.
                let Ok(text) = std::fs::read_to_string(&secret.0) else {
                    return Some(Address::File(secret));
                };
                if let Err(why) = address(text.trim()) {
                    let shown = secret.0.display();
                    log.error(&file.at, format!("the address in {shown} {why}"), remedy);
                    return None;
                }
                Some(Address::File(secret))
            }
            (None, None) => None,
        }
    }
}

impl RawMail {
    fn read(section: &mut TableReader<'_>, log: &mut Diagnostics) -> Self {
        section.require("server", "\"mail.example.org\"");
        section.require("from", "\"snaprotate@example.org\"");
        section.require("to", "[\"admin@example.org\"]");
        Self {
            server: section.take("server", log),
            port: section.take_if(
                "port",
                log,
                |port| (1..=65_535).contains(port),
                (
                    "is not a port number",
                    "write a whole number from 1 to 65535",
                ),
            ),
            tls: section.take("tls", log),
            from: section.take("from", log),
            to: section.take_list("to", log),
            username: section.take("username", log),
            password_file: section.take("password_file", log),
        }
    }

    pub(super) fn validate(
        self,
        folder: &Path,
        env: &Environment,
        log: &mut Diagnostics,
    ) -> Option<Mail> {
        let tls = self.tls.as_ref().map_or(Tls::Starttls, |tls| tls.value);
        let local = self
            .server
            .as_ref()
            .map(|s| crate::api::is_loopback(&s.value));
        if let Some(at) = self.tls.as_ref().map(|found| &found.at)
            && tls == Tls::None
            && local == Some(false)
        {
            log.error(
                at,
                "tls = \"none\" would send alerts unencrypted",
                "write \"starttls\" or \"tls\" (\"none\" is only for 127.0.0.1, ::1 and localhost)",
            );
        }
        let sound = |found: Located<String>, log: &mut Diagnostics| {
            if MailAddress::from_str(&found.value).is_ok() {
                return Some(found.value);
            }
            let message = format!("{:?} is not an email address", found.value);
            log.error(
                &found.at,
                message,
                "write it like admin@example.org, without a name",
            );
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
                let password = api_section::secret(found, "password", folder, env, log)?;
                Some((user.value, password))
            }
            (Some(user), None) => {
                let remedy = "write password_file = \"FILE\", or remove username";
                log.error(&user.at, "username has no password_file", remedy);
                None
            }
            (None, Some(file)) => {
                let remedy = "write username = \"…\", or remove password_file";
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
