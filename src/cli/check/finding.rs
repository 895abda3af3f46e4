//! A mismatch between a policy and the account, as `check --online` reports it.

use serde::Serialize;

use crate::core::sanitize::printable;
use crate::core::snapshot::ServerId;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum FindingSeverity {
    /// Something is not known yet, or is worth knowing.
    Note,
    /// Something is probably unintended.
    Warning,
    /// Something must be corrected, or the account can't be checked.
    Error,
}

/// The kind of a finding, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum FindingKind {
    /// The provider rejects the token.
    TokenRefused,
    /// The API can't be read.
    ApiUnreadable,
    /// The listing, a server's part of it, or the list of servers is doubtful.
    Doubtful,
    /// No snapshot of the server is listed.
    Unseen,
    /// Another server has the policy's name for this one.
    OtherServer,
    /// The provider's name for the server differs from the policy's.
    WrongName,
    /// The policy has no `server.name`.
    Unnamed,
    /// A snapshot in `protect` is not listed.
    ProtectedMissing,
    /// Other snapshots leave no room for the rotations.
    NoRoom,
    /// Other snapshots leave little room for the rotations.
    Tight,
    /// A slot has several snapshots.
    Copies,
    /// A snapshot bears the name of a future slot.
    NameAhead,
    /// Snapshots look like those of a rotation that the policy does not have.
    UnmanagedPattern,
    /// Two policies name the same server.
    SameServer,
    /// The token lacks a permission.
    PermissionMissing,
    /// The provider does not offer a call.
    NotOffered,
    /// The token may not use a call.
    NotPermitted,
    /// The account has no such server.
    NoSuchServer,
    /// A server of the account has no policy.
    NoPolicy,
    /// The provider's answers have a new form.
    ProviderChanged,
    /// The server's state is unknown.
    StateUnknown,
}

/// One mismatch between a policy and the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Finding {
    /// Its severity.
    pub(super) severity: FindingSeverity,
    /// Its kind, for programs.
    pub(super) problem: FindingKind,
    /// The server; `null` if the finding is about the whole account.
    pub(super) server: Option<ServerId>,
    /// The policy's name for the server.
    pub(super) name: Option<String>,
    /// The snapshot, pattern or name that the finding is about.
    pub(super) about: Option<String>,
    /// The problem, in words.
    pub(super) message: String,
    /// The remedy, in words.
    pub(super) remedy: String,
}

impl FindingSeverity {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Formats the finding as one line, like a problem of a file.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |text: &str| printable(text, 600);
        match (&self.name, self.server.clone()) {
            (Some(name), Some(server)) => write!(f, "{} (id {server}): ", printable(name, 80))?,
            _ => f.write_str("account: ")?,
        }
        let (message, remedy) = (shown(&self.message), shown(&self.remedy));
        write!(f, "{}: {message}; {remedy}", self.severity.word())
    }
}
