//! The shapes of the stand-in's ids: as in the provider's documentation, or as its own client
//! expects them.
//!
//! Internally, ids are numbers. A UUID encodes such a number, so that tests can compare ids of
//! different shapes.

use serde_json::{Map, Value, json};

use super::Sandbox;

/// The shape in which ids are shown and accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdShape {
    /// `id`, an integer.
    #[default]
    Integers,
    /// `uuid`, a string, and `hostname` for a server's name.
    Uuids,
    /// Both are shown; either is accepted.
    Both,
}

/// The kind of object that an id names; no UUID is valid for both kinds.
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

/// Returns the UUID of the server with this number.
pub fn server_uuid(id: u64) -> String {
    IdKind::Server.uuid(id)
}

/// Returns the UUID of the snapshot with this number.
pub fn snapshot_uuid(id: u64) -> String {
    IdKind::Snapshot.uuid(id)
}

impl IdShape {
    /// Returns the number of an id in a path or a query.
    pub(super) fn parse(self, kind: IdKind, text: &str) -> Option<u64> {
        let uuid = || u64::from_str_radix(text.strip_prefix(kind.group())?, 16).ok();
        match self {
            Self::Integers => text.parse().ok(),
            Self::Uuids => uuid(),
            Self::Both => text.parse().ok().or_else(uuid),
        }
    }

    /// Returns the number of an id in a body.
    pub(super) fn read(self, kind: IdKind, value: &Value) -> Option<u64> {
        match value {
            Value::Number(number) if self != Self::Uuids => number.as_u64(),
            Value::String(text) if self != Self::Integers => self.parse(kind, text),
            _ => None,
        }
    }

    /// Returns an object with the id only.
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

    /// Returns an object with a server's id and name.
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

impl Sandbox {
    /// Shows and accepts ids in another shape from now on.
    pub fn show_ids(&self, ids: IdShape) {
        self.shared.change(|state, now| {
            state.config.ids = ids;
            state.rows.ids = ids;
            let servers = state.servers.values();
            let servers: Vec<_> = servers.map(|s| (s.id, s.name.clone())).collect();
            for (id, name) in servers {
                state.rows.rename(id, &name, now);
            }
        });
    }
}
