//! How the stand-in shows its ids: as the documentation's pages do, or as the provider's own client
//! expects them.
//!
//! The truth has numbers; a UUID is one of these in another dress, so that tests can tell.

use serde_json::{Map, Value, json};

/// In which shape ids are shown and taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdShape {
    /// `id`, an integer.
    #[default]
    Integers,
    /// `uuid`, a text, and `hostname` for a server's name.
    Uuids,
    /// Both; either is taken.
    Both,
}

/// Whose id it is: no UUID is of both kinds.
#[derive(Clone, Copy)]
pub(super) enum IdKind {
    Server,
    Snapshot,
}

impl IdKind {
    const fn group(self) -> &'static str {
        match self {
            Self::Server => "5e57e500-0000-4000-8000-",
            Self::Snapshot => "5a950000-0000-4000-8000-",
        }
    }

    pub fn uuid(self, id: u64) -> String {
        format!("{}{id:012x}", self.group())
    }
}

/// The UUID of the server that has this number.
pub fn server_uuid(id: u64) -> String {
    IdKind::Server.uuid(id)
}

/// The UUID of the snapshot that has this number.
pub fn snapshot_uuid(id: u64) -> String {
    IdKind::Snapshot.uuid(id)
}

impl IdShape {
    /// The number behind an id as it is written in a path or a query.
    pub(super) fn parse(self, kind: IdKind, text: &str) -> Option<u64> {
        let uuid = || u64::from_str_radix(text.strip_prefix(kind.group())?, 16).ok();
        match self {
            Self::Integers => text.parse().ok(),
            Self::Uuids => uuid(),
            Self::Both => text.parse().ok().or_else(uuid),
        }
    }

    /// The number behind an id in a body.
    pub(super) fn read(self, kind: IdKind, value: &Value) -> Option<u64> {
        match value {
            Value::Number(number) if self != Self::Uuids => number.as_u64(),
            Value::String(text) if self != Self::Integers => self.parse(kind, text),
            _ => None,
        }
    }

    /// Shows an id, first in its object.
    pub(super) fn show(self, kind: IdKind, id: u64) -> Map<String, Value> {
        let mut shown = Map::new();
        if self != Self::Uuids {
            shown.insert("id".to_owned(), json!(id));
        }
        if self != Self::Integers {
            shown.insert("uuid".to_owned(), json!(kind.uuid(id)));
        }
        shown
    }

    /// Shows a server with its name.
    pub(super) fn server(self, id: u64, name: &str) -> Map<String, Value> {
        let mut shown = self.show(IdKind::Server, id);
        if self != Self::Uuids {
            shown.insert("name".to_owned(), json!(name));
        }
        if self != Self::Integers {
            shown.insert("hostname".to_owned(), json!(name));
        }
        shown
    }
}
