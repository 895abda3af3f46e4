//! Validated `[[notify]]` tables: the receivers, the alerts that each gets, and their transport.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;

pub use super::value_types::SecretFile;
use crate::api::is_loopback;
use crate::core::report_period::ReportSchedule;
use crate::core::snapshot::ServerId;

/// A receiver of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Unique name of the receiver.
    pub name: String,
    /// How it is reached.
    pub way: Transport,
    /// The kinds of alert that it gets; `None`: all.
    pub on: Option<BTreeSet<String>>,
    /// The servers whose alerts it gets, and no others; `None`: all servers, and the alerts of the
    /// account and the service.
    pub servers: Option<BTreeSet<ServerId>>,
    /// True if it gets the signed checkpoints of the trail.
    pub witness: bool,
    /// When its reports are due; `None`: it gets none.
    pub report: Option<ReportSchedule>,
    /// Interval between reminders while an alert is active; `None`: no reminders.
    pub repeat: Option<SignedDuration>,
    /// Longest time for one whole delivery.
    pub timeout: Duration,
}

/// How a receiver is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// JSON by POST.
    Webhook(Address),
    /// A ping for each change of a slot, in the form that healthchecks.io accepts.
    Ping {
        /// The address to ping.
        address: Address,
        /// The rotations that it is pinged for; `None`: all.
        rotations: Option<BTreeSet<String>>,
    },
    /// An ntfy topic.
    Ntfy {
        /// The topic's address.
        address: Address,
        /// File of the access token.
        token: Option<SecretFile>,
    },
    /// A webhook that accepts Slack messages.
    Slack(Address),
    /// Mail by SMTP.
    Email(Mail),
    /// A program: its path, then its arguments.
    Command(Vec<String>),
}

impl Transport {
    /// Returns the value of `type`.
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

/// A web address. It may be all that is needed to post there, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// The address as written in the configuration.
    Written(Url),
    /// The file that holds the address.
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
    /// Host name of the SMTP server.
    pub server: String,
    /// Port of the SMTP server.
    pub port: u16,
    /// Encryption of the connection.
    pub tls: Tls,
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// User name, and the file of the password.
    pub login: Option<(String, SecretFile)>,
}

/// Encryption of a connection to an SMTP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// STARTTLS, which the server must offer.
    Starttls,
    /// Implicit TLS: encrypted from the first byte.
    Tls,
    /// None; for loopback addresses only.
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

/// Parses a web address that alerts may be sent to. The error gives the reason without repeating
/// the address.
pub fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" | "http" if host.is_empty() => Err("is not a web address"),
        "https" | "http" if !url.username().is_empty() || url.password().is_some() => {
            Err("must not contain a user name or a password")
        }
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err("would send alerts unencrypted"),
        _ => Err("is not a web address"),
    }
}
