//! One record: its contents, and its line.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::TrailError;
use super::chain::{ChainLink, Hash, TOO_MANY};
use crate::core::order_terms::OrderTerms;
use crate::core::pause::Pause;
use crate::core::report_period::{ReportHistory, ReportInterval};
use crate::core::server_event::{AlertText, RaisedAlert, ServerEvent, ServiceAlertKind};
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::ServerId;

/// Contents of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it happened, by the wall clock.
    pub time: Timestamp,
    /// The server that it concerns: always set for server events, never for alerts of the account.
    pub server: Option<ServerId>,
    /// The event.
    pub event: Event,
    /// Details from the policy or the provider's answer.
    pub extra: Details,
}

/// Fields of a record besides its event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Stem of the policy's file. Set in every intent and every pause of a server, and when a
    /// rotation is added or changed or a policy is renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error, in the provider's or the system's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Duration of the call, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// An event of one server, or a global one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// An event of one server; decisions follow from it.
    Server(ServerEvent),
    /// An event of the process, the configuration, the account or the trail itself.
    Global(GlobalEvent),
}

/// Events that do not belong to one server's history.
#[expect(
    missing_docs,
    reason = "the fields have the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum GlobalEvent {
    /// The process started.
    DaemonStarted {
        version: String,
        pid: u32,
        command: String,
    },
    /// The process ends.
    DaemonStopped { reason: String },
    /// A configuration came into force; `deletes` lists what the change will delete or make
    /// foreign.
    ConfigLoaded {
        policies: usize,
        warnings: Vec<String>,
        deletes: Vec<String>,
    },
    /// A configuration was refused; the previous one stays in force.
    ConfigRefused { problems: Vec<String> },
    /// The provider's answers differ from their learned shape.
    ProviderChanged { changes: Vec<String> },
    /// An alert of the account or the host was raised.
    AlertRaised {
        alert: String,
        about: String,
        #[serde(flatten)]
        text: AlertText,
    },
    /// The alert was cleared.
    AlertCleared { alert: String, about: String },
    /// Every server was paused, including those whose policies are added later, or the end or the
    /// note of that pause was changed.
    Paused(OrderTerms),
    /// The global pause ended by itself, at the time that its operator had given.
    PauseEnded { until: Timestamp },
    /// The global pause ended; servers that were paused individually stay paused.
    Resumed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A crash left a damaged tail, which was set aside in `file`. `whole` is true if the tail
    /// contains at least one line ending: it is more than one half-written line.
    TornTail {
        file: String,
        bytes: u64,
        whole: bool,
    },
    /// The files end with record `last`, but the head names record `head`, which they lack or hold
    /// with another hash.
    TailCut {
        last: u64,
        head: u64,
        head_hash: String,
    },
    /// All files are missing; the head names record `head` (0 if it can't be read).
    TrailLost { head: u64 },
    /// The head is missing or can't be read, so it is unknown whether `last` was the last record.
    HeadLost { last: u64 },
    /// A checkpoint of the trail up to `record` was signed with `key` and passed on to `to`. For a
    /// receiver it was only queued.
    Witnessed {
        record: u64,
        key: String,
        to: Vec<String>,
    },
    /// The reports of a receiver begin: the first one is due at the next instant of its schedule.
    ReportPlanned {
        receiver: String,
        interval: ReportInterval,
    },
    /// The report on a period was made and queued for a receiver, so the period needs no other one.
    /// `missed` counts earlier reports that were due and not made. `size_mb` is the size of all
    /// copies.
    ReportMade {
        receiver: String,
        interval: ReportInterval,
        from: Timestamp,
        until: Timestamp,
        missed: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size_mb: Option<u64>,
    },
    /// The first record of a file; one for each server follows.
    Checkpoint {
        alerts: Vec<StandingAlert>,
        /// When a loss of records was last noticed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<Timestamp>,
        /// The pause of every server; `None` if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paused: Option<Pause>,
        /// The last reports of each receiver, by its name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        reports: BTreeMap<String, ReportHistory>,
    },
}

/// An active alert of the account or the host.
#[expect(
    missing_docs,
    reason = "the fields have the names that the trail gives them"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingAlert {
    pub alert: String,
    pub about: String,
    #[serde(flatten)]
    pub standing: RaisedAlert,
}

impl GlobalEvent {
    /// Returns true if records may be missing: a create that is not recorded may then be open.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::TailCut { .. } | Self::TrailLost { .. } | Self::HeadLost { .. } => true,
            Self::TornTail { whole, .. } => *whole,
            _ => false,
        }
    }

    /// Returns the event that raises this alert.
    pub fn raised(kind: ServiceAlertKind, text: AlertText) -> Self {
        let (alert, about) = kind.key();
        Self::AlertRaised { alert, about, text }
    }

    /// Returns the event that clears this alert.
    pub fn cleared(kind: ServiceAlertKind) -> Self {
        let (alert, about) = kind.key();
        Self::AlertCleared { alert, about }
    }
}

impl Entry {
    /// Returns an entry that concerns no single server, without details.
    pub fn global(time: Timestamp, event: GlobalEvent) -> Self {
        Self {
            time,
            server: None,
            event: Event::Global(event),
            extra: Details::default(),
        }
    }

    /// Refuses an entry that could not be read back: it would keep later starts from opening the
    /// trail.
    pub(super) fn placed(&self) -> Result<(), TrailError> {
        let alert = matches!(
            self.event,
            Event::Global(GlobalEvent::AlertRaised { .. } | GlobalEvent::AlertCleared { .. })
        );
        let right = match (&self.event, self.server.clone()) {
            (Event::Server(_), server) => server.is_some(),
            (Event::Global(GlobalEvent::Checkpoint { .. }), _) => false,
            (Event::Global(_), server) => server.is_none() || !alert,
        };
        if right {
            return Ok(());
        }
        let (word, _) = split(&json(&self.event));
        Err(TrailError::Misplaced(word))
    }
}

/// The fields that do not depend on the event. Some lines lack some of them.
#[derive(Deserialize)]
pub(super) struct RecordHeader<'a> {
    pub seq: u64,
    pub time: Timestamp,
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    #[serde(borrow, default)]
    pub run: Cow<'a, str>,
    pub server: Option<ServerId>,
    #[serde(borrow, default)]
    pub policy: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub prev: Cow<'a, str>,
}

/// The state of one server, in the checkpoint at a file's beginning.
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

    pub(super) fn global(&mut self, time: Timestamp, event: &GlobalEvent) {
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

/// Decodes a line without its newline into its header and its position in the chain.
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
        return Err("was changed: its hash does not match");
    }
    let seq = front.seq;
    if !(1..TOO_MANY).contains(&seq) {
        return Err("has an invalid seq");
    }
    Ok((front, ChainLink { seq, hash }))
}

/// Splits `{"event":"word","a":1}` into `word` and `,"a":1`.
fn split(json: &str) -> (String, String) {
    let rest = json.strip_prefix("{\"event\":\"").unwrap_or(json);
    let (word, fields) = rest.split_once('"').unwrap_or((rest, "}"));
    let fields = fields.strip_suffix('}').unwrap_or(fields);
    (word.to_owned(), fields.to_owned())
}

/// Converts to JSON. It can't fail, since these types have string keys and finite numbers only.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data becomes JSON")
}

/// A checkpoint that was signed and passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessedPoint {
    /// When this was recorded.
    pub at: Timestamp,
    /// The last record that needs no further checkpoint.
    pub covers: u64,
    /// Name of the file that records it.
    pub file: String,
}

impl WitnessedPoint {
    /// Returns the last record that a checkpoint of `record` covers. `own` is the number of the
    /// checkpoint's own record, which is covered too if it directly follows `record`.
    pub fn covers(record: u64, own: u64) -> u64 {
        let next = own.checked_sub(1) == Some(record);
        if next { own } else { record }
    }
}
