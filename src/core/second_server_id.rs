//! The part of a server's identity that the policy does not state: its other id, and which of its
//! names the policy uses.

use serde::{Deserialize, Serialize};

use super::snapshot::ServerId;

/// The field of the server's name that the policy uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameField {
    /// `name`.
    Name,
    /// `hostname`.
    Hostname,
}

/// A server's other id and the compared name, if the provider gives two of either.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerIdentity {
    /// The id that the policy doesn't use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_id: Option<ServerId>,
    /// The field whose name the policy uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_by: Option<NameField>,
}
