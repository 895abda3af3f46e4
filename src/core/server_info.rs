//! A server as the provider describes it: its power state, names and other id.

use super::snapshot::ServerId;

/// The state of a server, as the provider reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// It is running.
    Active,
    /// It is shut down.
    Stopped,
    /// Any other word, such as `suspended`.
    Other(Box<str>),
    /// The request for the state failed.
    Untold(Box<str>),
    /// The provider does not report the state: it answered with 404 or 405.
    NotOffered,
}

impl PowerState {
    /// Parses the provider's word.
    pub fn of(word: &str) -> Self {
        match word {
            "active" => Self::Active,
            "stopped" => Self::Stopped,
            other => Self::Other(other.into()),
        }
    }
}

/// A server, as the provider describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its state.
    pub state: PowerState,
    /// Its name, if the provider gave one.
    pub name: Option<String>,
    /// Its host name, if that differs from the name.
    pub hostname: Option<String>,
    /// Its other id, if it has two.
    pub other_id: Option<ServerId>,
}

impl From<PowerState> for ServerInfo {
    fn from(state: PowerState) -> Self {
        Self {
            state,
            name: None,
            hostname: None,
            other_id: None,
        }
    }
}
