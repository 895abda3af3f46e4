//! The provider's identifiers: opaque, an integer or a string.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest identifier, in characters.
const LONGEST: usize = 64;

/// An identifier. Integers sort first, by value. A string that is an integer without leading
/// zeros becomes that integer, and a UUID is stored in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Id {
    Number(u64),
    Text(Arc<str>),
}

/// The error for a string that is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a whole number, or 1 to {LONGEST} printable characters without spaces")]
pub struct InvalidId;

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if digits
            && let Ok(number) = text.parse::<u64>()
            && number.to_string() == text
        {
            return Ok(Self::Number(number));
        }
        let fits =
            |c: char| !c.is_whitespace() && !c.is_control() && c != char::REPLACEMENT_CHARACTER;
        let length = text.chars().count();
        // A path component of dots alone would lead to another folder or resource.
        let dots = text.chars().all(|c| c == '.');
        if (1..=LONGEST).contains(&length) && text.chars().all(fits) && !dots {
            let text = if is_uuid(text) {
                text.to_ascii_lowercase().into()
            } else {
                text.into()
            };
            Ok(Self::Text(text))
        } else {
            Err(InvalidId)
        }
    }
}

/// Returns true if the text has the form of a UUID, in upper or lower case.
fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a whole number or a string")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                Ok(Id::Number(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Defines one kind of identifier as a type of its own.
macro_rules! kind {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Id);

        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": ["integer", "string"], "minimum": 0 })
            }

            fn inline_schema() -> bool {
                true
            }
        }

        impl $name {
            /// Returns an identifier that is an integer.
            pub const fn integer(number: u64) -> Self {
                Self(Id::Number(number))
            }

            /// Returns the identifier as a TOML value: an integer or a quoted string.
            pub fn quoted(&self) -> String {
                match &self.0 {
                    Id::Number(number) => number.to_string(),
                    Id::Text(text) => format!("{text:?}"),
                }
            }

            /// Returns the value if the identifier is an integer.
            pub fn number(&self) -> Option<u64> {
                match self.0 {
                    Id::Number(number) => Some(number),
                    Id::Text(_) => None,
                }
            }

            /// Returns true if both are integers or neither is.
            pub fn is_same_kind(&self, other: &Self) -> bool {
                self.number().is_some() == other.number().is_some()
            }

            /// Returns the identifier encoded as a component of a path or a file name.
            pub fn component(&self) -> String {
                let mut component = String::new();
                for byte in self.0.to_string().bytes() {
                    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
                        component.push(byte.into());
                    } else {
                        let _ = write!(component, "%{byte:02X}");
                    }
                }
                component
            }

            /// Returns the identifier if it is a string.
            pub fn text(&self) -> Option<&str> {
                match &self.0 {
                    Id::Number(_) => None,
                    Id::Text(text) => Some(text),
                }
            }
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                Self::integer(number)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

kind!(
    /// The provider's identifier of a server.
    ServerId
);
kind!(
    /// The provider's identifier of a snapshot.
    SnapshotId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_takes_16_bytes_and_integers_sort_first_by_value() {
        assert_eq!(size_of::<SnapshotId>(), 16);
        let ids = ["2", "10", "007", "6f1c", "x"];
        let mut sorted: Vec<ServerId> = ids.iter().rev().map(|id| id.parse().unwrap()).collect();
        sorted.sort();
        let shown: Vec<_> = sorted.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ids);
    }

    #[test]
    fn an_integer_stays_a_json_number_and_a_string_that_is_an_integer_becomes_one() {
        for (json, back) in [("7", "7"), (r#""7""#, "7"), (r#""07""#, r#""07""#)] {
            let id: SnapshotId = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), back);
        }
        for bad in ["-1", "1.5", "null", r#""""#, r#""a b""#, r#""a\u0007""#] {
            assert!(serde_json::from_str::<SnapshotId>(bad).is_err(), "{bad}");
        }
        let upper: ServerId = "6F1C2A00-0B1C-4D2E-8F3A-0123456789AB".parse().unwrap();
        assert_eq!(upper.to_string(), "6f1c2a00-0b1c-4d2e-8f3a-0123456789ab");
        assert_eq!("6F1C-A".parse::<ServerId>().unwrap().to_string(), "6F1C-A");
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(long.parse::<ServerId>(), Err(InvalidId));
    }

    #[test]
    fn an_id_encoded_as_a_path_component_cannot_lead_elsewhere() {
        for (id, component) in [
            ("7", "7"),
            ("6f1c-a.b_c", "6f1c-a.b_c"),
            ("../x?y", "..%2Fx%3Fy"),
        ] {
            let id: ServerId = id.parse().unwrap();
            assert_eq!(id.component(), component);
        }
        assert_eq!("..".parse::<SnapshotId>(), Err(InvalidId));
    }

    #[test]
    fn an_id_survives_a_round_trip_as_a_json_object_key() {
        let map = std::collections::BTreeMap::from([(ServerId::from(7), 1)]);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(json, r#"{"7":1}"#);
        assert_eq!(
            serde_json::from_str::<std::collections::BTreeMap<_, _>>(&json).unwrap(),
            map
        );
    }
}
