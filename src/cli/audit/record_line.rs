//! Formats a record as one line for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use owo_colors::{OwoColorize as _, Style};
use serde_json::{Map, Value};

use super::filter::went_wrong;
use super::snapshot_names::NamedRecord;
use crate::audit::{Record, RecordFields};
use crate::cli::server_argument;
use crate::core::policy::Policy;
use crate::core::sanitize::{NAME_SHOWN, printable};
use crate::core::snapshot::ServerId;
use crate::status::wrap;

/// Maximum number of characters that are shown of an event's word or a field's name, and of a text.
pub(super) const WORD_SHOWN: usize = 30;
pub(super) const TEXT_SHOWN: usize = 2000;
/// Maximum width of the server column. A longer name shifts only the rest of its own line.
const WIDEST_SERVER: usize = 24;
/// Width of the event column: the length of `snapshot_completed`.
const EVENT_WIDTH: usize = 18;
/// Minimum width of a column into which text is wrapped.
pub(super) const NARROWEST: usize = 30;

/// Keys that every line shows elsewhere, and keys that only the program needs.
const SAID_ELSEWHERE: [&str; 27] = [
    // Parts of an alert's reason.
    "what",
    "cause",
    "remedy",
    "ended_restore",
    "assumed",
    "seq",
    "time",
    "event",
    "run",
    "server",
    "prev",
    "hash",
    "snapshot",
    "id",
    "rotation",
    "policy",
    "slot",
    "outcome",
    "status",
    "error",
    "reason",
    "prune_first",
    "history",
    "hook",
    "known",
    "pays",
    "foreign",
];

/// The format of lines.
pub(super) struct LineFormat {
    zone: TimeZone,
    names: BTreeMap<ServerId, String>,
    policies: BTreeMap<ServerId, Arc<Policy>>,
    server_width: usize,
    /// Columns of the terminal; `None` if the output is not a terminal.
    pub(super) width: Option<usize>,
    pub(super) colour: bool,
}

impl LineFormat {
    pub(super) fn new(
        policies: &[Arc<Policy>],
        server: Option<ServerId>,
        zone: TimeZone,
        width: Option<usize>,
        colour: bool,
    ) -> Self {
        let mut names = server_argument::names(policies);
        if let Some(server) = server {
            names.retain(|id, _| *id == server);
        }
        let widths = names.values().map(|name| name.chars().count());
        let server_width = widths
            .max()
            .unwrap_or(0)
            .clamp("server".len(), WIDEST_SERVER);
        let by_id = policies
            .iter()
            .map(|policy| (policy.server.clone(), Arc::clone(policy)));
        Self {
            zone,
            names,
            policies: by_id.collect(),
            server_width,
            width,
            colour,
        }
    }

    /// Returns the first line of the output, which names the time zone.
    pub(super) fn opening(&self) -> String {
        let zone = self.zone.iana_name().unwrap_or("the system's zone");
        // jiff uses UTC if the system has no time zone.
        let zone = match zone {
            "Etc/UTC" | "Etc/Unknown" => "UTC",
            zone => zone,
        };
        format!("Times are in {zone}.")
    }

    /// Returns the time and the server, with which a line begins, and the indent of further lines.
    pub(super) fn head(&self, named: &NamedRecord) -> (String, usize) {
        let (time, server) = (self.time(named.record.time), self.server(named));
        let width = self.server_width;
        (format!("{time}  {server:<width$}  "), time.len() + 2)
    }

    /// Returns the line of one record, wrapped to the terminal's width.
    pub(super) fn line(&self, named: &NamedRecord) -> String {
        let NamedRecord { record, said, .. } = named;
        let (mut line, indent) = self.head(named);
        let before = line.chars().count() + EVENT_WIDTH + 2;
        // Padded before colouring, since escape sequences count as characters.
        let word = printable(&record.event, WORD_SHOWN);
        let padded = format!("{word:<EVENT_WIDTH$}");
        if self.colour {
            // Writing to a string can't fail.
            let _ = write!(line, "{}", padded.style(style(&record.event, said)));
        } else {
            line.push_str(&padded);
        }
        let rest = self.rest(named);
        line.push_str("  ");
        match self.width {
            Some(width) if width >= indent + NARROWEST => {
                wrap(&mut line, &rest, before, width, indent);
            }
            _ => line.push_str(&rest),
        }
        line.trim_end().to_owned()
    }

    /// Returns a time in the zone of all times.
    fn time(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.zone.clone());
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Returns the name of the record's server; `-` if it concerns none.
    fn server(&self, named: &NamedRecord) -> String {
        let Some(id) = &named.record.server else {
            return "-".to_owned();
        };
        let former = || {
            // The server has no policy any more. Its id is shown because another server may have
            // its name now.
            let policy = printable(named.policy.as_deref()?, NAME_SHOWN);
            Some(format!("{policy} ({id})"))
        };
        let name = self.names.get(id).cloned().or_else(former);
        name.unwrap_or_else(|| id.to_string())
    }

    /// Returns the text after the event's word.
    fn rest(&self, named: &NamedRecord) -> String {
        let (what, parts) = (subject(named), self.details(named));
        match (what.is_empty(), parts.is_empty()) {
            (false, false) => format!("{what}: {parts}"),
            (true, _) => parts,
            (_, true) => what,
        }
    }

    /// Returns the record's other fields: outcome, reason, origin, and those without a form of
    /// their own.
    pub(super) fn details(&self, named: &NamedRecord) -> String {
        let NamedRecord { record, said, .. } = named;
        let text = |text: &Option<String>| Some(printable(text.as_deref()?, TEXT_SHOWN));
        let is_alert = record.event.starts_with("alert_");
        let mut parts = Vec::new();
        parts.extend(text(&said.outcome));
        parts.extend(said.status.map(|status| format!("HTTP {status}")));
        parts.extend(text(&said.error));
        let ordered_by = said.ordered_by(&record.event);
        parts.extend(match ordered_by {
            Some(by) => Some(format!("by order of {}", printable(by, NAME_SHOWN))),
            None => text(&said.reason),
        });
        if record.event == "snapshot_found" {
            parts.push(if said.foreign {
                "foreign: the rotation never changes it".to_owned()
            } else {
                "listed as completed; from now on it is identified by this name and id".to_owned()
            });
        }
        if record.event == "server_removed" {
            parts.push("its policy was removed, and its alerts with it".to_owned());
        }
        if record.event == "server_id_changed" {
            parts.push(
                "the policy now gives the server's other id: records under the former id are about this server too"
                    .to_owned(),
            );
            if said.assumed {
                parts.push(
                    "only the policy file, which had the former id, shows that both are ids of one server"
                        .to_owned(),
                );
            }
        }
        parts.extend(self.origin(named));
        let fields: Map<String, Value> = serde_json::from_str(&record.json).unwrap_or_default();
        for (key, value) in &fields {
            // Most answers give the name that the line already shows.
            let is_shown = match key.as_str() {
                "alert" | "about" => is_alert,
                "command" if is_alert => true,
                "by" => ordered_by.is_some(),
                "server_name" => self.shows_name(record, said),
                key => SAID_ELSEWHERE.contains(&key),
            };
            if !is_shown {
                parts.extend(other(key, value));
            }
        }
        parts.join("; ")
    }

    /// Returns true if the line names the server as the record does.
    fn shows_name(&self, record: &Record, said: &RecordFields) -> bool {
        let shown = record.server.as_ref().and_then(|id| self.names.get(id));
        shown.is_some() && shown == said.server_name.as_ref()
    }

    /// Returns the rotation, and for an intent or a new rotation the policy. Records of earlier
    /// versions don't name both; the policy in force gives the missing one.
    fn origin(&self, named: &NamedRecord) -> Option<String> {
        let NamedRecord { record, said, .. } = named;
        let policy = record.server.clone().and_then(|id| self.policies.get(&id));
        // An operator's order comes from no policy.
        let ordered = said.by.is_some();
        let intent = !ordered && matches!(record.event.as_str(), "create_intent" | "delete_intent");
        let begun = intent || record.event == "rotation_added";
        let rotation = match named.rotation.as_deref() {
            Some(rotation) if intent || said.rotation.is_some() => Some(rotation),
            None if intent => policy
                .zip(said.snapshot.as_deref())
                .and_then(|(policy, name)| policy.rotation_of(name)),
            _ => None,
        };
        let rotation =
            rotation.map(|rotation| format!("rotation {}", printable(rotation, NAME_SHOWN)));
        let file = match &said.policy {
            Some(file) => Some(file).filter(|_| begun),
            None => policy.map(|policy| &policy.file).filter(|_| intent),
        };
        let file = file.map(|file| format!("policy {}.toml", printable(file, NAME_SHOWN)));
        match (rotation, file) {
            (Some(rotation), Some(file)) => Some(format!("{rotation}, {file}")),
            (rotation, file) => rotation.or(file),
        }
    }
}

/// Returns the snapshot, hook or alert that the record is about.
pub(super) fn subject(named: &NamedRecord) -> String {
    let NamedRecord { record, said, .. } = named;
    let text = |text: &Option<String>| Some(printable(text.as_deref()?, TEXT_SHOWN));
    if record.event.starts_with("alert_") {
        let subject = said.subject(record.server.as_ref());
        let subject = subject.map(|subject| printable(subject, TEXT_SHOWN));
        let words: Vec<_> = text(&said.alert).into_iter().chain(subject).collect();
        return words.join(" ");
    }
    let what = snapshot(named);
    match text(&said.hook) {
        Some(hook) => format!("{hook} for {what}"),
        None => what,
    }
}

/// Returns the name and the id of the record's snapshot.
pub(super) fn snapshot(named: &NamedRecord) -> String {
    let name = named.name.as_deref();
    let name = name.map(|name| printable(name, NAME_SHOWN));
    match (name, named.said.id.clone()) {
        (None, None) => String::new(),
        (None, Some(id)) => format!("id {id}"),
        (Some(name), None) => name,
        (Some(name), Some(id)) => format!("{name} (id {id})"),
    }
}

/// Returns the text of a field without a special form; `None` if its value is empty.
fn other(key: &str, value: &Value) -> Option<String> {
    let shown = |value: &Value| match value {
        Value::String(text) => printable(text, TEXT_SHOWN),
        value => printable(&value.to_string(), TEXT_SHOWN),
    };
    let text = match value {
        Value::Null | Value::Bool(false) => return None,
        Value::Bool(true) => return Some(printable(key, WORD_SHOWN)),
        Value::Array(all) if all.is_empty() => return None,
        value if value.as_u64() == Some(0) => return None,
        Value::Array(argv) if key == "command" => quoted(argv),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join("; "),
        value => shown(value),
    };
    if key == "duration_ms" {
        return Some(format!("{text} ms"));
    }
    let label = match key {
        "paid_by" => "paid for by id".to_owned(),
        "shrinks" => "to delete after a grace period: ids".to_owned(),
        // The list also names snapshots that stay, and ones whose fate is unknown.
        "deletes" => "changes:".to_owned(),
        "ended" => "consequences:".to_owned(),
        "spare" => "before a restore from id".to_owned(),
        key => printable(key, WORD_SHOWN).replace('_', " "),
    };
    Some(format!("{label} {text}"))
}

/// Joins a program and its arguments, quoted as a shell requires.
fn quoted(argv: &[Value]) -> String {
    let word = |word: &Value| {
        let word = printable(word.as_str().unwrap_or_default(), TEXT_SHOWN);
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            return word;
        }
        format!("'{}'", word.replace('\'', "'\\''"))
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn style(event: &str, said: &RecordFields) -> Style {
    let style = Style::new();
    if went_wrong(event, said) {
        return style.red();
    }
    match event {
        "create_intent" => style.cyan(),
        "delete_intent" | "restore_intent" => style.yellow(),
        "snapshot_completed" | "slot_settled" | "recovered" | "alert_cleared" => style.green(),
        _ => style,
    }
}

#[cfg(test)]
#[path = "record_line_tests.rs"]
mod tests;
