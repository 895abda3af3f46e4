//! The kinds of alerts, and an active alert.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert_text::AlertText;
use super::newest_copy::NewestCopy;
use super::order_terms::OrderTerms;
use super::sanitize::span;

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

            /// Returns the kind with this word.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|kind| kind.word() == word)
            }
        }
    };
}

alert_kinds! {
    /// The kind of an alert about one server.
    AlertKind, 16,
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
    /// The server has no completed snapshot to go back to; about the server.
    NoCopy = "no_copy",
    /// The newest completed snapshot is too old, or its age is unknown; about the server.
    Stale = "stale",
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

impl AlertKind {
    /// Returns true if an alert of this kind is always about a rotation. One about a date may be.
    pub const fn is_about_rotation(self) -> bool {
        match self {
            Self::SlotFailed
            | Self::Overdue
            | Self::SlotWaiting
            | Self::Shrink
            | Self::HookFailed
            | Self::ServerStopped
            | Self::ServerRan => true,
            Self::Blocked
            | Self::Stuck
            | Self::UnknownStatus
            | Self::Copies
            | Self::Regressed
            | Self::RestoreUnknown
            | Self::OddDate
            | Self::NoCopy
            | Self::Stale => false,
        }
    }

    /// Returns the headline for people, after the server's name.
    pub const fn headline(self) -> &'static str {
        match self {
            Self::SlotFailed => "a scheduled snapshot was not made",
            Self::Overdue => "scheduled snapshots keep failing",
            Self::SlotWaiting => "a scheduled snapshot is waiting",
            Self::Blocked => "blocked",
            Self::Stuck => "a snapshot takes too long",
            Self::UnknownStatus => "a snapshot has an unknown status",
            Self::Copies => "two snapshots of one name",
            Self::Regressed => "a completed snapshot is now failed",
            Self::Shrink => "snapshots will be deleted",
            Self::RestoreUnknown => "the outcome of a restore is unknown",
            Self::OddDate => "a snapshot has an unreliable date",
            Self::HookFailed => "a hook failed",
            Self::ServerStopped => "the server is down",
            Self::ServerRan => "a snapshot of a running server",
            Self::NoCopy => "no snapshot to go back to",
            Self::Stale => "the newest snapshot is too old",
        }
    }

    /// Returns the headline after the alert was cleared.
    pub const fn over(self) -> &'static str {
        match self {
            Self::SlotFailed | Self::Overdue => "scheduled snapshots are made again",
            Self::SlotWaiting => "no longer waiting",
            Self::Blocked => "no longer blocked",
            Self::Stuck => "no snapshot takes too long any more",
            Self::UnknownStatus => "no snapshot has an unknown status any more",
            Self::Copies => "one snapshot of the name is left",
            Self::Regressed => "no completed snapshot is listed as failed",
            Self::Shrink => "no deletion is announced any more",
            Self::RestoreUnknown => "the restore is settled",
            Self::OddDate => "no snapshot has an unreliable date any more",
            Self::HookFailed => "the hooks succeeded",
            Self::ServerStopped => "the server is running again",
            Self::ServerRan => "a snapshot of the stopped server was made",
            Self::NoCopy => "there is a snapshot to go back to",
            Self::Stale => "the newest snapshot is fresh again",
        }
    }
}

impl ServiceAlertKind {
    /// Returns the headline for people.
    pub const fn headline(self) -> &'static str {
        match self {
            Self::AccountRefused => "All rotation stopped: API token rejected",
            Self::ApiUnreachable => "All rotation stopped: no listing succeeds",
            Self::ConfigRefused => "Changed configuration refused",
            Self::ProviderChanged => "The provider's answers have changed",
            Self::TrailBegins => "The audit trail is new",
            Self::TrailLost => "Records of the audit trail are missing",
            Self::TrailUnwritable => "All rotation stopped: audit trail not writable",
            Self::WitnessFailed => "No checkpoint of the audit trail stored",
        }
    }

    /// Returns the headline after the alert was cleared.
    pub const fn over(self) -> &'static str {
        match self {
            Self::AccountRefused => "API token accepted, rotation continues",
            Self::ApiUnreachable => "Listings succeed, rotation continues",
            Self::ConfigRefused => "Configuration accepted",
            Self::ProviderChanged => "The provider's answers are as expected",
            Self::TrailBegins => "Rotation continues with the new audit trail",
            Self::TrailLost => "The audit trail is intact",
            Self::TrailUnwritable => "Audit trail writable, rotation continues",
            Self::WitnessFailed => "A checkpoint of the audit trail was stored",
        }
    }

    /// Returns true if nothing is changed on any server while the alert is active.
    pub const fn stops_rotation(self) -> bool {
        matches!(
            self,
            Self::AccountRefused | Self::ApiUnreachable | Self::TrailUnwritable
        )
    }

    /// Returns the harm that the alert's cause does.
    pub const fn harm(self) -> &'static str {
        match self {
            Self::AccountRefused | Self::ApiUnreachable | Self::TrailUnwritable => {
                "nothing is created or deleted on any server"
            }
            Self::ConfigRefused => "the previous configuration stays in force",
            Self::ProviderChanged => "rotation may stop",
            Self::TrailBegins | Self::TrailLost => "nothing is created for a while",
            Self::WitnessFailed => "none for rotation; the trail has no new witness",
        }
    }
}

/// Returns the headlines of the kind with this word, while it is active and after it was cleared.
pub fn headlines(word: &str) -> Option<(&'static str, &'static str)> {
    let of_server = AlertKind::of_word(word).map(|kind| (kind.headline(), kind.over()));
    of_server.or_else(|| {
        let kind = ServiceAlertKind::of_word(word)?;
        Some((kind.headline(), kind.over()))
    })
}

/// Returns the harm of an alert: that of its kind for an alert of the service, and the newest copy
/// of the server for another.
pub fn harm(word: &str, copy: NewestCopy, now: Timestamp) -> Option<String> {
    if let Some(kind) = ServiceAlertKind::of_word(word) {
        return Some(kind.harm().to_owned());
    }
    let newest = match copy {
        NewestCopy::Unknown => None,
        NewestCopy::None => Some("no copy to go back to".to_owned()),
        NewestCopy::Undated => Some("newest copy: age unknown".to_owned()),
        NewestCopy::At(at) => {
            let age = span(now.duration_since(at));
            Some(format!("newest copy: {age} old"))
        }
    };
    if word == AlertKind::ServerStopped.word() {
        let newest = newest.map_or_else(String::new, |newest| format!("; {newest}"));
        return Some(format!("the server is down{newest}"));
    }
    newest
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

/// An alert with the kind and the subject by which the trail identifies it.
pub type KeyedAlert = ((AlertKind, String), AlertText);

/// An active alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedAlert {
    /// Its text, as last recorded.
    #[serde(flatten)]
    pub text: AlertText,
    /// When it became active; `None` if an older trail lacks the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The operator who has acknowledged it, if one has. Receivers then get no repeats of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Box<OrderTerms>>,
}

impl RaisedAlert {
    /// Returns the alert after it was raised with this text. An alert that was active already keeps
    /// its first time and its acknowledgement.
    pub fn raised(text: &AlertText, at: Timestamp, before: Option<&Self>) -> Self {
        Self {
            text: text.clone(),
            since: before.map_or(Some(at), |standing| standing.since),
            acknowledged: before.and_then(|standing| standing.acknowledged.clone()),
        }
    }
}
