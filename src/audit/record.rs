//! One record: what it says, and its line.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TrailError;
use super::chain::{ChainLink, Hash, TOO_MANY};
use crate::core::event::{RaisedAlert, ServerEvent};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::ServerId;

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened, by the wall clock.
    pub time: Timestamp,
    /// The server that it concerns; facts have one, the account's alerts have none.
    pub server: Option<ServerId>,
    /// What happened.
    pub event: Event,
    /// What the policy or the provider's answer adds.
    pub extra: Details,
}

/// What a record may say besides its event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The policy in force, by its file's stem: of every intent, and of what comes under care.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error, in the provider's or the system's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long the call took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// What happened: on a server, or to the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// On a server; decisions follow from it.
    Fact(ServerEvent),
    /// To the process, the configuration, the account or the trail itself.
    Wide(GlobalEvent),
}

/// What can happen beyond one server's facts.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum GlobalEvent {
    /// The process began.
    DaemonStarted {
        version: String,
        pid: u32,
        command: String,
    },
    /// The process ends.
    DaemonStopped { reason: String },
    /// A configuration is in force; `deletes` says what the change will delete.
    ConfigLoaded {
        policies: usize,
        warnings: Vec<String>,
        deletes: Vec<String>,
    },
    /// A configuration was refused; the one before stays.
    ConfigRefused { problems: Vec<String> },
    /// The provider answers otherwise than was learnt of it.
    ProviderChanged { changes: Vec<String> },
    /// An alert that concerns the account or the host stands from now on.
    AlertRaised {
        alert: String,
        about: String,
        reason: String,
    },
    /// It no longer stands.
    AlertCleared { alert: String, about: String },
    /// Every server was paused, those whose policies come later too.
    Paused {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// That pause ended; a server that is paused by itself stays so.
    Resumed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A crash left a spoilt tail, which was set aside in `file`. `whole` when lines
    /// ended within it: more than one half-written line.
    TornTail {
        file: String,
        bytes: u64,
        whole: bool,
    },
    /// The records after `last` are gone, though the head names `head`.
    TailCut {
        last: u64,
        head: u64,
        head_hash: String,
    },
    /// All files are gone; the head names `head` (0: it can't be read).
    TrailLost { head: u64 },
    /// The head is gone or can't be read, so nothing tells whether `last` is the last.
    HeadLost { last: u64 },
    /// A checkpoint of the trail up to `record` was signed by `key`, and given to these.
    Witnessed {
        record: u64,
        key: String,
        to: Vec<String>,
    },
    /// The first record of a file; one for each server follows.
    Checkpoint {
        alerts: Vec<StandingAlert>,
        /// When a loss of records was last noticed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<Timestamp>,
        /// Since when every server is paused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paused: Option<Timestamp>,
    },
}

/// An alert of the whole account or host that stands.
#[expect(
    missing_docs,
    reason = "the fields bear the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingAlert {
    pub alert: String,
    pub about: String,
    #[serde(flatten)]
    pub standing: RaisedAlert,
}

impl GlobalEvent {
    /// Whether records may be missing, so that a create may be open which none tells of.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::TailCut { .. } | Self::TrailLost { .. } | Self::HeadLost { .. } => true,
            Self::TornTail { whole, .. } => *whole,
            _ => false,
        }
    }

    /// This alert stands from now on.
    pub fn raised(alert: &str, about: &str, reason: String) -> Self {
        let (alert, about) = (alert.to_owned(), about.to_owned());
        Self::AlertRaised {
            alert,
            about,
            reason,
        }
    }

    /// It no longer stands.
    pub fn cleared(alert: &str, about: &str) -> Self {
        let (alert, about) = (alert.to_owned(), about.to_owned());
        Self::AlertCleared { alert, about }
    }
}

impl Entry {
    /// Of no single server, and with nothing beside it.
    pub fn wide(time: Timestamp, wide: GlobalEvent) -> Self {
        Self {
            time,
            server: None,
            event: Event::Wide(wide),
            extra: Details::default(),
        }
    }

    /// Refuses what a later start could not read: it would lock everyone out.
    pub(super) fn placed(&self) -> Result<(), TrailError> {
        let alert = matches!(
            self.event,
            Event::Wide(GlobalEvent::AlertRaised { .. } | GlobalEvent::AlertCleared { .. })
        );
        let right = match (&self.event, self.server.clone()) {
            (Event::Fact(_), server) => server.is_some(),
            (Event::Wide(GlobalEvent::Checkpoint { .. }), _) => false,
            (Event::Wide(_), server) => server.is_none() || !alert,
        };
        if right {
            return Ok(());
        }
        let (word, _) = split(&json(&self.event));
        Err(TrailError::Misplaced(word))
    }
}

/// What every line has.
#[derive(Deserialize)]
pub(super) struct RecordHeader<'a> {
    pub seq: u64,
    pub time: Timestamp,
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    #[serde(borrow, default)]
    pub run: Cow<'a, str>,
    pub server: Option<ServerId>,
    #[serde(borrow)]
    pub prev: Cow<'a, str>,
}

/// The state of one server, as a file's beginning has it.
#[derive(Serialize, Deserialize)]
pub(super) struct ServerCheckpoint<H> {
    pub history: H,
}

/// Writes lines, each chained to the one before.
pub(super) struct LineWriter<'a> {
    pub run: &'a str,
    pub link: ChainLink,
    pub bytes: Vec<u8>,
}

impl LineWriter<'_> {
    pub(super) fn entry(&mut self, entry: &Entry) {
        let (word, fields) = split(&json(&entry.event));
        let extra = json(&entry.extra);
        let extra = &extra[1..extra.len() - 1];
        let comma = if extra.is_empty() { "" } else { "," };
        self.line(
            entry.time,
            &word,
            entry.server.clone(),
            &format!("{fields}{comma}{extra}"),
        );
    }

    pub(super) fn history(&mut self, time: Timestamp, server: ServerId, history: &ServerHistory) {
        let kept = json(&ServerCheckpoint { history });
        let fields = format!(",{}", &kept[1..kept.len() - 1]);
        self.line(time, "checkpoint", Some(server), &fields);
    }

    pub(super) fn wide(&mut self, time: Timestamp, event: &GlobalEvent) {
        let (word, fields) = split(&json(event));
        self.line(time, &word, None, &fields);
    }

    fn line(&mut self, time: Timestamp, word: &str, server: Option<ServerId>, fields: &str) {
        let seq = self.link.seq + 1;
        let run = json(&self.run);
        let server = server.map_or(String::new(), |id| format!(",\"server\":{}", json(&id)));
        let prev = self.link.hash;
        let body = format!(
            "{{\"seq\":{seq},\"time\":\"{time}\",\"event\":\"{word}\",\"run\":{run}{server}{fields},\"prev\":\"{prev}\""
        );
        let hash = Hash::of(body.as_bytes());
        self.bytes.extend_from_slice(body.as_bytes());
        self.bytes
            .extend_from_slice(format!("{BEFORE_HASH}{hash}\"}}\n").as_bytes());
        self.link = ChainLink { seq, hash };
    }
}

const BEFORE_HASH: &str = ",\"hash\":\"";

/// A line without its newline into what every line has, and its place in the chain.
pub(super) fn decode(text: &[u8]) -> Result<(RecordHeader<'_>, ChainLink), &'static str> {
    let ends = text.len().checked_sub(BEFORE_HASH.len() + 64 + 2);
    let (body, end) = text.split_at(ends.ok_or("is too short for a record")?);
    let hash = std::str::from_utf8(end)
        .ok()
        .and_then(|end| end.strip_prefix(BEFORE_HASH)?.strip_suffix("\"}"))
        .and_then(Hash::parse)
        .ok_or("does not end with a hash")?;
    let front: RecordHeader = serde_json::from_slice(text).map_err(|_| "is not a record")?;
    if Hash::of(body) != hash {
        return Err("was changed: its hash does not fit");
    }
    let seq = front.seq;
    if !(1..TOO_MANY).contains(&seq) {
        return Err("has a seq that no record has");
    }
    Ok((front, ChainLink { seq, hash }))
}

/// `{"event":"word","a":1}` into `word` and `,"a":1`.
fn split(json: &str) -> (String, String) {
    let rest = json.strip_prefix("{\"event\":\"").unwrap_or(json);
    let (word, fields) = rest.split_once('"').unwrap_or((rest, "}"));
    let fields = fields.strip_suffix('}').unwrap_or(fields);
    (word.to_owned(), fields.to_owned())
}

/// Our own types have string keys and finite numbers only, so this can't fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data becomes JSON")
}
