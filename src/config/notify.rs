//! `[[notify]]` as it is meant: who is told of alerts, of which, and how.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;

use super::api_section::is_loopback;
use crate::core::snapshot::ServerId;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// What it is called; no two are called the same.
    pub name: String,
    /// How it is reached.
    pub way: Transport,
    /// The kinds of alert that it hears of; `None`: all.
    pub on: Option<BTreeSet<String>>,
    /// The servers that it hears of, and then of nothing else; `None`: all, and the
    /// account's and the service's own alerts too.
    pub servers: Option<BTreeSet<ServerId>>,
    /// Set: it gets the signed checkpoints of the trail.
    pub witness: bool,
    /// After how long it is told again of what still stands; `None`: never.
    pub repeat: Option<SignedDuration>,
    /// How long one delivery may take, from beginning to end.
    pub timeout: Duration,
}

/// How a receiver is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// JSON by POST.
    Webhook(Address),
    /// A ping for each turn of a slot, in the way of healthchecks.io.
    Ping {
        /// Where to.
        address: Address,
        /// The rotations that it is pinged for; `None`: all.
        rotations: Option<BTreeSet<String>>,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The topic's address.
        address: Address,
        /// What admits us.
        token: Option<SecretFile>,
    },
    /// A webhook that takes what Slack's take.
    Slack(Address),
    /// A message by SMTP.
    Email(Mail),
    /// A program: its path, then its arguments.
    Command(Vec<String>),
}

impl Transport {
    /// The word of `type`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Ping { .. } => "ping",
            Self::Ntfy { .. } => "ntfy",
            Self::Slack(_) => "slack",
            Self::Email(_) => "email",
            Self::Command(_) => "command",
        }
    }
}

/// A file with a secret in it, which is read when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile(pub PathBuf);

/// A web address. It may be all that it takes to write there, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// As it stands in the configuration.
    Written(Url),
    /// In a file of its own.
    File(SecretFile),
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(_) => f.write_str("Written([address])"),
            Self::File(file) => f.debug_tuple("File").field(file).finish(),
        }
    }
}

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The SMTP server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is guarded.
    pub tls: Tls,
    /// The sender's address.
    pub from: String,
    /// The receivers' addresses.
    pub to: Vec<String>,
    /// User name, and the file of the password.
    pub login: Option<(String, SecretFile)>,
}

/// How a connection to an SMTP server is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// By STARTTLS, which the server must offer.
    Starttls,
    /// From the first byte on.
    Tls,
    /// Not at all; on loopback alone.
    None,
}

impl Tls {
    pub(super) fn usual_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// A web address to which alerts may be sent; an error says why not, without repeating it.
pub fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" | "http" if host.is_empty() => Err("is not a web address"),
        "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
            Err("must not hold a user or a password")
        }
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err("would send alerts unencrypted"),
        _ => Err("is not a web address"),
    }
}
