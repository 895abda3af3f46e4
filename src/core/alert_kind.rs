//! The kinds of alerts, and an active alert.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Defines kinds of alerts, each with the word that the trail, logs and other programs use.
macro_rules! alert_kinds {
    ($(#[$about:meta])* $name:ident, $count:literal, $($(#[$doc:meta])* $kind:ident = $word:literal,)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $kind,)*
        }

        impl $name {
            /// All kinds.
            pub const ALL: [Self; $count] = [$(Self::$kind),*];

            /// Returns the word used by the trail, logs and other programs.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }
        }
    };
}

alert_kinds! {
    /// The kind of an alert about one server.
    AlertKind, 14,
    /// A slot was given up or skipped; about the rotation. Active until a later slot is settled.
    SlotFailed = "slot_failed",
    /// Several slots in a row ended without a snapshot; about the rotation. Active until a later
    /// slot is settled.
    Overdue = "overdue",
    /// A slot has waited for a while on refusals that don't count as attempts; about the rotation.
    SlotWaiting = "slot_waiting",
    /// Nothing may be changed on the server; about the server.
    Blocked = "blocked",
    /// A snapshot has been in progress for too long; about its name.
    Stuck = "stuck",
    /// A snapshot has a status word that is not documented; about its name.
    UnknownStatus = "unknown_status",
    /// The provider holds two snapshots of one slot (I9); about the name.
    Copies = "copies",
    /// A snapshot that was completed is listed as failed (I19); about its name.
    Regressed = "regressed",
    /// More snapshots are to be deleted than new ones have replaced (I19); about the rotation.
    Shrink = "shrink",
    /// A restore has an unknown outcome; about the snapshot's id. Active until the next restore, or
    /// until `resume`.
    RestoreUnknown = "restore_unknown",
    /// A completed snapshot has no reliable date, so it is kept (I11); about its name. About a
    /// rotation if its dates and the slots in its names disagree (I19).
    OddDate = "odd_date",
    /// A hook failed, or the server was released before its snapshot had ended; about the rotation.
    /// Active until the rotation's hooks succeed once.
    HookFailed = "hook_failed",
    /// A server that a rotation stopped was not seen active again within `max_stopped`; about the
    /// rotation.
    ServerStopped = "server_stopped",
    /// A server that a rotation stopped was active while its snapshot was made; about the rotation.
    /// Active until the rotation's next snapshot.
    ServerRan = "server_ran",
}

alert_kinds! {
    /// The kind of an alert about the account, the host or the trail.
    ServiceAlertKind, 8,
    /// The provider rejects the token.
    AccountRefused = "account_refused",
    /// The provider can't be reached.
    ApiUnreachable = "api_unreachable",
    /// The configuration on disk is refused, and an older one is in force.
    ConfigRefused = "config_refused",
    /// The shape of the provider's answers has changed.
    ProviderChanged = "provider_changed",
    /// The trail is new although own snapshots exist, and nothing is created on their servers for a
    /// while.
    TrailBegins = "trail_begins",
    /// Records of the trail are missing.
    TrailLost = "trail_lost",
    /// The trail can't be written.
    TrailUnwritable = "trail_unwritable",
    /// A checkpoint of the trail could not be delivered.
    WitnessFailed = "witness_failed",
}

impl ServiceAlertKind {
    /// Returns the alert's subject.
    pub const fn about(self) -> &'static str {
        match self {
            Self::AccountRefused | Self::ApiUnreachable => "account",
            Self::ConfigRefused => "configuration",
            Self::ProviderChanged => "provider",
            Self::TrailBegins | Self::TrailLost | Self::TrailUnwritable => "trail",
            Self::WitnessFailed => "witness",
        }
    }

    /// Returns the word and the subject, by which the trail identifies the alert.
    pub fn key(self) -> (String, String) {
        (self.word().to_owned(), self.about().to_owned())
    }
}

/// Returns the words of all kinds, in alphabetical order.
pub fn alert_words() -> impl Iterator<Item = &'static str> {
    let service = ServiceAlertKind::ALL.into_iter();
    let words = service.map(ServiceAlertKind::word);
    let words = AlertKind::ALL.into_iter().map(AlertKind::word).chain(words);
    let mut words: Vec<_> = words.collect();
    words.sort_unstable();
    words.into_iter()
}

/// An active alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedAlert {
    /// The reason, as last recorded.
    pub reason: String,
    /// When it became active; `None` if an older trail lacks the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl RaisedAlert {
    /// Returns the alert after it was raised for this reason. An alert that was active already
    /// keeps its first time.
    pub fn raised(reason: &str, at: Timestamp, before: Option<&Self>) -> Self {
        Self {
            reason: reason.to_owned(),
            since: before.map_or(Some(at), |standing| standing.since),
        }
    }
}
