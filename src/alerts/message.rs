//! The messages: JSON for programs, a subject and text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Alert, SignedCheckpoint};
use crate::core::sanitize::{printable, utc};
use crate::core::server_event::AlertKind;

/// Maximum number of alerts that a text lists.
const LINES: usize = 20;
/// Maximum number of servers that a subject names.
const NAMED: usize = 3;
/// Maximum number of alerts that a JSON message lists.
const ROWS: usize = 100;
/// Maximum number of characters of a name and of a reason in texts.
const NAME: usize = 60;
const REASON: usize = 300;

/// The change of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertChange {
    /// It was raised.
    Raised,
    /// It is still active, after the repeat interval or for another reason.
    Repeated,
    /// It is no longer active.
    Recovered,
    /// No change: a test of the receiver.
    Test,
    /// No change: a checkpoint of the trail for the receiver to keep.
    Witnessed,
}

impl AlertChange {
    /// Returns the word that names the change in JSON messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Repeated => "repeated",
            Self::Recovered => "recovered",
            Self::Test => "test",
            Self::Witnessed => "witnessed",
        }
    }

    fn cry(self) -> &'static str {
        match self {
            Self::Raised => "ALERT",
            Self::Repeated => "STILL",
            Self::Recovered => "RECOVERED",
            Self::Test => "TEST",
            Self::Witnessed => "WITNESS",
        }
    }
}

/// One message: the same change of one or more alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The change.
    pub event: AlertChange,
    /// Time of the message.
    pub time: Timestamp,
    /// The host that sends it.
    pub host: String,
    /// The alerts; empty in a test.
    pub alerts: Vec<Alert>,
    /// A checkpoint of the trail, in place of alerts.
    pub signed: Option<SignedCheckpoint>,
}

impl Message {
    /// Returns the subject, one line for people.
    pub fn subject(&self) -> String {
        let what = match self.alerts.as_slice() {
            [] if let Some(signed) = &self.signed => {
                format!("of the audit trail, record {}", signed.record)
            }
            [] => "of snaprotate's alerts".to_owned(),
            [alert] => format!("{} {}", called(alert), kind(alert)),
            alerts => {
                let of_server = |alert: &&Alert| alert.server.is_some();
                let (servers, service): (Vec<_>, Vec<_>) = alerts.iter().partition(of_server);
                let parts = [
                    format!("{}{}", counts(&servers), places(&servers)),
                    counts(&service),
                ];
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                format!("{} alerts: {}", alerts.len(), parts.join("; "))
            }
        };
        let host = printable(&self.host, NAME);
        format!("{} {what} (snaprotate on {host})", self.event.cry())
    }

    /// Returns true if the message needs immediate attention: a server that should be running is
    /// down.
    pub fn is_urgent(&self) -> bool {
        let down = AlertKind::ServerStopped.word();
        self.event == AlertChange::Raised && self.alerts.iter().any(|alert| alert.kind == down)
    }

    /// Returns the text for people: a line per alert, and the number of alerts that are left out.
    pub fn text(&self) -> String {
        if let Some(SignedCheckpoint { note, .. }) = &self.signed {
            return format!(
                "Keep this message. snaprotate audit verify --witness FILE compares the trail with the\ncheckpoint below; FILE is any file that contains it.\n\n{note}"
            );
        }
        if self.alerts.is_empty() {
            return "This is a test: alerts reach this receiver. Nothing is wrong.\n".to_owned();
        }
        let mut text = String::new();
        for alert in self.alerts.iter().take(LINES) {
            let since = utc(alert.since);
            let reason = printable(&alert.reason, REASON);
            let name = called(alert);
            let _ = writeln!(text, "{name} {} since {since}: {reason}", kind(alert));
        }
        let more = self.alerts.len().saturating_sub(LINES);
        if more > 0 {
            let _ = writeln!(text, "and {more} more: see snaprotate status");
        }
        text
    }

    /// Returns the subject, with the reason if there is only one alert; programs show it to people.
    fn summary(&self) -> String {
        match self.alerts.as_slice() {
            [alert] => format!("{}: {}", self.subject(), printable(&alert.reason, REASON)),
            _ => self.subject(),
        }
    }

    /// Returns the message for programs: `event`, `time`, `host`, `text`, `count`, and `alerts`
    /// with the first hundred. The fields of a single alert are at the top level too.
    pub fn json(&self) -> Value {
        let rows: Vec<_> = self.alerts.iter().take(ROWS).map(row).collect();
        let mut json = json!({
            "event": self.event.word(),
            "time": self.time,
            "host": self.host,
            "text": self.summary(),
            "count": self.alerts.len(),
        });
        if let ([alert], Some(top)) = (rows.as_slice(), json.as_object_mut())
            && let Some(fields) = alert.as_object()
        {
            top.extend(fields.clone());
        }
        json["alerts"] = Value::Array(rows);
        if let Some(SignedCheckpoint {
            record,
            origin,
            note,
        }) = &self.signed
        {
            json["record"] = json!(record);
            json["origin"] = json!(origin);
            json["checkpoint"] = json!(note);
        }
        json
    }
}

fn row(alert: &Alert) -> Value {
    let server = alert.server.as_ref();
    json!({
        "alert": alert.kind,
        "server": server.map(|place| place.id.clone()),
        "server_name": server.map(|place| &place.name),
        "policy": server.map(|place| &place.policy),
        "about": alert.about,
        "reason": alert.reason,
        "since": alert.since,
    })
}

fn kind(alert: &Alert) -> String {
    alert.kind.replace('_', " ")
}

fn called(alert: &Alert) -> String {
    let name = alert
        .server
        .as_ref()
        .map_or(&alert.about, |place| &place.name);
    printable(name, NAME)
}

/// Returns how many alerts of each kind there are.
fn counts(alerts: &[&Alert]) -> String {
    let mut kinds = BTreeMap::<_, u32>::new();
    for alert in alerts {
        *kinds.entry(kind(alert)).or_default() += 1;
    }
    let kinds = kinds.iter().map(|(kind, n)| format!("{n} {kind}"));
    kinds.collect::<Vec<_>>().join(", ")
}

/// Returns the names of the first few servers that the alerts concern.
fn places(alerts: &[&Alert]) -> String {
    let mut seen = BTreeSet::new();
    let places = alerts.iter().filter(|alert| {
        let place = alert.server.as_ref();
        place.is_some_and(|place| seen.insert(place.id.clone()))
    });
    let names: Vec<_> = places.collect();
    if names.is_empty() {
        return String::new();
    }
    let first: Vec<_> = names.iter().take(NAMED).map(|one| called(one)).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(" on {}{more}", first.join(", "))
}

/// Encodes text as an ASCII header value (RFC 2047). Plain ASCII text is returned unchanged.
pub fn encoded_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if text.chars().all(plain) && !text.contains("=?") {
        return text.to_owned();
    }
    // An encoded word has at most 75 characters, and no character is split.
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= 42 => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let encode = |word: &String| format!("=?UTF-8?B?{}?=", STANDARD.encode(word));
    words.iter().map(encode).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
