//! The types of the values in `[[notify]]`.

use crate::core::snapshot::ServerId;
use toml::de::DeValue;

use super::hints::nearest;
use super::notify::Tls;
use super::table_reader::{FromToml, ValueError};

const TYPES: [&str; 6] = ["webhook", "ping", "ntfy", "slack", "email", "command"];

/// The value of `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiverType {
    Webhook,
    Ping,
    Ntfy,
    Slack,
    Email,
    Command,
}

impl FromToml for ReceiverType {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str =
        "\"webhook\", \"ping\", \"ntfy\", \"slack\", \"email\" or \"command\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        Some(match value.as_str()? {
            "webhook" => Ok(Self::Webhook),
            "ping" => Ok(Self::Ping),
            "ntfy" => Ok(Self::Ntfy),
            "slack" => Ok(Self::Slack),
            "email" => Ok(Self::Email),
            "command" => Ok(Self::Command),
            other => Err(ValueError {
                message: format!("unknown value {other:?}"),
                remedy: match nearest(other, TYPES.into_iter()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("write {}", Self::EXAMPLE),
                },
            }),
        })
    }
}

impl FromToml for Tls {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"starttls\", \"tls\" or \"none\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        Some(match value.as_str()? {
            "starttls" => Ok(Self::Starttls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            other => Err(ValueError {
                message: format!("unknown value {other:?}"),
                remedy: format!("write {}", Self::EXAMPLE),
            }),
        })
    }
}

/// A server by its id, its name or its policy file's stem. `Name` has any of the three.
#[derive(Clone, Debug)]
pub(super) enum ServerReference {
    Id(ServerId),
    Name(String),
}

impl FromToml for ServerReference {
    const WANTED: &'static str = "names or ids, in strings, or ids as whole numbers";
    const EXAMPLE: &'static str = "\"web-server-01\" or 12345";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        if value.is_str() {
            return Some(String::read(value)?.map(Self::Name));
        }
        Some(u64::read(value)?.map(|id| Self::Id(id.into())))
    }
}
