//! The types of the files' values, each with the remedy for a wrong value.

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use toml::de::{DeInteger, DeValue};

use super::defaults;
use super::hints::nearest;
use super::table_reader::{FromToml, ValueError};
use crate::api::Proxy;
use crate::core::id::InvalidId;
use crate::core::policy::WhenFull;
use crate::core::snapshot::{ServerId, SnapshotId};

/// An entry of `protect`.
#[derive(Clone, Debug)]
pub(super) enum ProtectEntry {
    Name(String),
    Id(SnapshotId),
}

/// A number of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteSize(pub(super) usize);

/// A time zone, and its name as written.
#[derive(Clone, Debug)]
pub(super) struct NamedZone {
    pub(super) name: String,
    pub(super) zone: TimeZone,
}

fn fault(message: String, remedy: impl Into<String>) -> ValueError {
    ValueError {
        message,
        remedy: remedy.into(),
    }
}

/// A file that holds a secret; it is read when the secret is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile(pub PathBuf);

impl FromToml for String {
    const WANTED: &'static str = "a string";
    const EXAMPLE: &'static str = "\"text\", in double quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let text = value.as_str()?;
        Some(if text.trim().is_empty() {
            Err(fault(
                "it is empty".to_owned(),
                "write some text, or remove the key",
            ))
        } else if text.chars().any(char::is_control) {
            let message = format!("{text:?} holds a control character");
            Err(fault(
                message,
                "write it in one line of printable characters",
            ))
        } else {
            Ok(text.to_owned())
        })
    }
}

impl FromToml for PathBuf {
    const WANTED: &'static str = "a path in a string";
    const EXAMPLE: &'static str = "\"/etc/snaprotate/name\", in double quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        Some(String::read(value)?.map(Self::from))
    }
}

impl FromToml for Proxy {
    const WANTED: &'static str = "the address of a proxy in a string";
    const EXAMPLE: &'static str = "\"http://proxy.example.org:3128\", or \"env\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let parsed = Self::parse(value.as_str()?);
        Some(parsed.map_err(|message| {
            ValueError {
                message,
                remedy:
                    "write \"http://proxy.example.org:3128\", or \"env\" for the proxy that HTTPS_PROXY names"
                        .to_owned(),
            }
        }))
    }
}

impl FromToml for bool {
    const WANTED: &'static str = "true or false";
    const EXAMPLE: &'static str = "true or false, without quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        value.as_bool().map(Ok)
    }
}

fn whole(integer: &DeInteger<'_>) -> Option<u64> {
    // The provider's ids and all counts fit into TOML's integers (64 bits, signed).
    let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    u64::try_from(number).ok()
}

impl FromToml for u64 {
    const WANTED: &'static str = "a whole number";
    const EXAMPLE: &'static str = "a whole number such as 3, without quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let integer = value.as_integer()?;
        Some(whole(integer).ok_or_else(|| {
            let message = format!("{integer} is negative or too large");
            fault(message, "write a whole number such as 3")
        }))
    }
}

impl FromToml for ServerId {
    const WANTED: &'static str = "a whole number, or the provider's id in a string";
    const EXAMPLE: &'static str = "12345, or \"6f1c2b1e-58a4-4c1f-9d53-2f3a7b1c0d4e\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let Some(text) = value.as_str() else {
            return Some(u64::read(value)?.map(Self::from));
        };
        let bad = |why: InvalidId| fault(why.to_string(), "write the provider's id of the server");
        Some(text.parse().map_err(bad))
    }
}

impl FromToml for usize {
    const WANTED: &'static str = <u64 as FromToml>::WANTED;
    const EXAMPLE: &'static str = <u64 as FromToml>::EXAMPLE;

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        narrowed(value)
    }
}

impl FromToml for u32 {
    const WANTED: &'static str = <u64 as FromToml>::WANTED;
    const EXAMPLE: &'static str = <u64 as FromToml>::EXAMPLE;

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        narrowed(value)
    }
}

/// Reads a whole number that must fit into a smaller type.
fn narrowed<T: TryFrom<u64>>(value: &DeValue<'_>) -> Option<Result<T, ValueError>> {
    let read = u64::read(value)?;
    Some(read.and_then(|number| {
        T::try_from(number)
            .map_err(|_| fault(format!("{number} is too large"), "write a smaller number"))
    }))
}

impl FromToml for f64 {
    const WANTED: &'static str = "a number";
    const EXAMPLE: &'static str = "a number such as 5 or 0.5, without quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let number: Self = match value {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok()?,
            DeValue::Float(float) => float.as_str().parse().ok()?,
            _ => return None,
        };
        Some(if number.is_finite() {
            Ok(number)
        } else {
            Err(fault(
                format!("{number} is not a rate"),
                "write a number such as 5, or 0 for no limit",
            ))
        })
    }
}

/// Splits text into a number and its unit; `None` unless it begins with a number.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

impl FromToml for SignedDuration {
    const WANTED: &'static str = "a duration in a string";
    const EXAMPLE: &'static str = "\"90s\", \"10m\", \"24h\" or \"7d\", in double quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let text = value.as_str()?;
        let parsed = split_unit(text).and_then(|(number, unit)| {
            let unit = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            let millis = i64::try_from(number.checked_mul(unit)?).ok()?;
            Some(Self::from_millis(millis))
        });
        Some(match parsed {
            Some(duration) if duration <= defaults::LONGEST => Ok(duration),
            Some(_) => Err(fault(
                format!("{text:?} is longer than ten years"),
                "write a shorter one, such as \"7d\"",
            )),
            None => Err(fault(
                format!("{text:?} is not a duration"),
                "write a whole number and one unit: \"200ms\", \"90s\", \"10m\", \"24h\" or \"7d\"",
            )),
        })
    }
}

impl FromToml for ByteSize {
    const WANTED: &'static str = "a size in a string";
    const EXAMPLE: &'static str = "\"64MiB\", in double quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let text = value.as_str()?;
        let parsed = split_unit(text).and_then(|(number, unit)| {
            let unit: u64 = match unit {
                "B" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                _ => return None,
            };
            usize::try_from(number.checked_mul(unit)?).ok()
        });
        Some(parsed.map(Self).ok_or_else(|| {
            let message = format!("{text:?} is not a size");
            fault(
                message,
                "write a whole number and B, KiB, MiB or GiB, such as \"64MiB\"",
            )
        }))
    }
}

impl FromToml for WhenFull {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"prune-first\" or \"skip\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        Some(match value.as_str()? {
            "prune-first" => Ok(Self::PruneFirst),
            "skip" => Ok(Self::Skip),
            other => Err(fault(
                format!("unknown value {other:?}"),
                "write \"prune-first\" or \"skip\"",
            )),
        })
    }
}

impl FromToml for ProtectEntry {
    const WANTED: &'static str = "names or ids, in strings, or ids as whole numbers";
    const EXAMPLE: &'static str = "\"weekly-snapshot-2025-01-08\" or 801";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        if value.is_str() {
            return Some(String::read(value)?.map(Self::Name));
        }
        Some(u64::read(value)?.map(|id| Self::Id(SnapshotId::from(id))))
    }
}

impl FromToml for NamedZone {
    const WANTED: &'static str = "the name of a time zone in a string";
    const EXAMPLE: &'static str = "\"Europe/Malta\", in double quotes";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let name = value.as_str()?;
        if let Ok(zone) = TimeZone::get(name) {
            let name = name.to_owned();
            return Some(Ok(Self { name, zone }));
        }
        let all: Vec<String> = jiff::tz::db().available().map(|n| n.to_string()).collect();
        let remedy = match nearest(name, all.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "write an IANA name such as \"Europe/Malta\" or \"UTC\"".to_owned(),
        };
        let message = format!("there is no time zone {name:?}");
        Some(Err(fault(message, remedy)))
    }
}
