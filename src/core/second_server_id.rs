//! The part of a server's identity that the policy does not state: its other id, and which of its
//! names the policy uses.

use serde::{Deserialize, Serialize};

use super::snapshot::ServerId;

/// The provider's field that holds the server's name as the policy gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameField {
    /// `name`.
    Name,
    /// `hostname`.
    Hostname,
}

/// A server's other id, and the field that holds the policy's name for it, if the provider gives
/// two ids or two names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerIdentity {
    /// The id that the policy doesn't use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_id: Option<ServerId>,
    /// The field that holds the policy's name for the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_by: Option<NameField>,
}
