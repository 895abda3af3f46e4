//! The bodies of requests to the control socket that change something.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::operator_order::Order;
use crate::core::ordered_protection::OrderedProtection;
use crate::core::snapshot::ServerId;

/// A server, by id, name or policy file; `None` for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerQuery {
    /// The server.
    pub server: Option<String>,
    /// As in [`OrderRequest`]. `None` if the configuration can't be read, since a pause must be
    /// possible even then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
}

/// A pause of one server, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// The server, by id, name or policy file; `None` for all.
    pub server: Option<String>,
    /// As in [`ServerQuery`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// When the pause ends by itself; `None` if only a `resume` ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A retry of one server's newest slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// The server, by id, name or policy file.
    pub server: String,
    /// The rotation; `None` for all of the server's.
    pub rotation: Option<String>,
    /// As in [`ServerQuery`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
}

/// The acknowledgement of a server's alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckRequest {
    /// The server, by id, name or policy file.
    pub server: String,
    /// The kind of the alerts; `None` for all that are active.
    pub alert: Option<String>,
    /// When the acknowledgement ends; `None` if only the end of the alert ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// As in [`ServerQuery`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
}

/// The protection of a snapshot that a listing showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectRequest {
    /// The server.
    pub server: ServerId,
    /// As in [`OrderRequest`].
    pub state_dir: PathBuf,
    /// The snapshot. The service adds the operator.
    pub protection: OrderedProtection,
}

/// The end of a snapshot's protection by order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnprotectRequest {
    /// The server, by id, name or policy file.
    pub server: String,
    /// The snapshot, by name or id.
    pub snapshot: String,
    /// As in [`ServerQuery`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
}

/// An order for one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The server.
    pub server: ServerId,
    /// The state folder of the operator's configuration. The service refuses an order that was
    /// meant for another service.
    pub state_dir: PathBuf,
    /// The order.
    pub order: Order,
}
