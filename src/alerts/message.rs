//! The messages: JSON for programs, a subject and text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::report_html;
use super::{Alert, FIRST_LINE, Priority, ReportNews, SignedCheckpoint, TITLE};
use crate::core::alert_kind::{harm, headlines};
use crate::core::alert_text::AlertText;
use crate::core::sanitize::{printable, span, utc};

/// Maximum number of groups of alerts that a text lists.
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
    /// It is still active: the repeat interval has passed, its text has changed, or the previous
    /// process may not have delivered it.
    Repeated,
    /// It is no longer active.
    Recovered,
    /// No change: a test of the receiver.
    Test,
    /// No change: a checkpoint of the trail for the receiver to keep.
    Witnessed,
    /// No change: a report on a period.
    Report,
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
            Self::Report => "report",
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
    /// The alerts; empty in a test and with a checkpoint.
    pub alerts: Vec<Alert>,
    /// A checkpoint of the trail, in place of alerts.
    pub signed: Option<SignedCheckpoint>,
    /// A report, in place of alerts.
    pub report: Option<Arc<ReportNews>>,
    /// The address of the status page, without a trailing slash, if people can reach it.
    pub page: Option<String>,
}

impl Message {
    /// Returns the title, one line of at most 60 characters for people.
    pub fn subject(&self) -> String {
        let title = match self.alerts.as_slice() {
            [] if let Some(news) = &self.report => news.title(),
            [] if let Some(signed) = &self.signed => {
                format!("Audit trail checkpoint, record {}", signed.record)
            }
            [] => "Test of snaprotate's alerts".to_owned(),
            [alert] => self.headline(alert),
            alerts => format!("{} alerts: {}", alerts.len(), self.counts()),
        };
        let prefix = match self.event {
            AlertChange::Repeated => "STILL ",
            AlertChange::Recovered => "OK ",
            _ => "",
        };
        printable(&format!("{prefix}{title}"), TITLE - 1)
    }

    /// Returns the headline of an alert, after the server's name.
    fn headline(&self, alert: &Alert) -> String {
        let headlines = headlines(&alert.kind);
        let headline = match (headlines, self.event) {
            (Some((_, over)), AlertChange::Recovered) => over.to_owned(),
            (Some((active, _)), _) => active.to_owned(),
            (None, _) => alert.kind.replace('_', " "),
        };
        let Some(server) = &alert.server else {
            return headline;
        };
        // A cut adds an ellipsis, here and in the whole title.
        let room = TITLE.saturating_sub(headline.chars().count() + ": STILL ".len() + 2);
        format!("{}: {headline}", printable(&server.name, room.max(8)))
    }

    /// Returns how urgent the message is.
    pub fn priority(&self) -> Priority {
        match self.event {
            AlertChange::Test => Priority::Low,
            AlertChange::Witnessed => Priority::Min,
            AlertChange::Recovered => Priority::Default,
            AlertChange::Report => match &self.report {
                Some(news) if news.report.needs_somebody() => Priority::Default,
                _ => Priority::Low,
            },
            AlertChange::Raised | AlertChange::Repeated => {
                let priorities = self.alerts.iter().map(Priority::of);
                priorities.max().unwrap_or(Priority::Default)
            }
        }
    }

    /// Returns the text for people. The first line has at most 178 characters and
    /// contains the most important parts, since a lock screen shows no more.
    pub fn text(&self) -> String {
        if let Some(SignedCheckpoint { note, .. }) = &self.signed {
            return format!(
                "Keep this message. snaprotate audit verify --witness FILE compares the trail with the\ncheckpoint below; FILE is any file that contains it.\n\n{note}"
            );
        }
        let mut text = match self.alerts.as_slice() {
            [] if let Some(news) = &self.report => news.text(),
            [] => "This is a test: alerts reach this receiver. Nothing is wrong.\n".to_owned(),
            [alert] => self.one(alert),
            alerts => self.several(alerts),
        };
        text.push_str(&self.sender());
        text
    }

    /// Returns the text for receivers that show it at once: a report is shortened.
    pub fn short_text(&self) -> String {
        match &self.report {
            Some(news) => news.short_text() + &self.sender(),
            None => self.text(),
        }
    }

    /// Returns the message as HTML, if it is a report.
    pub fn html(&self) -> Option<String> {
        let news = self.report.as_ref()?;
        Some(report_html::page(news, &self.host, self.link()))
    }

    /// Returns the last lines: the host, and the address of the page.
    fn sender(&self) -> String {
        let mut text = format!("\nsnaprotate on {}\n", printable(&self.host, NAME));
        if let Some(link) = self.link() {
            let _ = writeln!(text, "{link}");
        }
        text
    }

    /// Returns the address of the page to look at: the server's if all alerts concern one server.
    pub fn link(&self) -> Option<String> {
        let page = self.page.as_ref()?;
        let servers = self.alerts.iter().map(|alert| alert.server.as_ref());
        let servers: BTreeSet<_> = servers.collect();
        let only = match (servers.first(), servers.len()) {
            (Some(Some(server)), 1) => format!("server/{}", server.id.component()),
            _ => String::new(),
        };
        Some(format!("{page}/{only}"))
    }

    /// Returns the text about a single alert.
    fn one(&self, alert: &Alert) -> String {
        let since = utc(alert.since);
        let lasted = span(self.time.duration_since(alert.since));
        let what = printable(&alert.text.what, REASON);
        if self.event == AlertChange::Recovered {
            return format!("After {lasted}. {}\n", sentence(&what));
        }
        let mut text = format!("{}\n\n{}\n", self.first_line(alert), sentence(&what));
        if let Some(remedy) = &alert.text.remedy {
            let _ = writeln!(text, "{}", sentence(&printable(remedy, REASON)));
        }
        let _ = writeln!(text, "Since {since}, {lasted} ago.");
        text
    }

    /// Returns the cause, the harm and the remedy of an alert in one short line. If the cause is
    /// unknown, what happened takes its place.
    fn first_line(&self, alert: &Alert) -> String {
        let mut rest = String::new();
        if let Some(harm) = harm(&alert.kind, alert.copy, self.time) {
            let _ = write!(rest, " {}", sentence(&harm));
        }
        let remedy = alert.text.command.as_ref().or(alert.text.remedy.as_ref());
        if let Some(remedy) = remedy {
            let _ = write!(rest, " → {remedy}");
        }
        let rest = printable(&rest, FIRST_LINE / 2);
        // A cut adds an ellipsis.
        let room = FIRST_LINE - rest.chars().count() - 1;
        let why = match &alert.text.cause {
            Some(cause) => format!("\"{}\".", printable(cause, room - 3)),
            None => printable(&sentence(&alert.text.what), room),
        };
        format!("{why}{rest}")
    }

    /// Returns a line for each group of alerts that are alike, and the number of those left out.
    fn several(&self, alerts: &[Alert]) -> String {
        let mut places = BTreeMap::new();
        let mut groups: Vec<Vec<&Alert>> = Vec::new();
        for alert in alerts {
            let alike = (&alert.kind, &alert.text.what, &alert.text.cause);
            let place = *places.entry(alike).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Vec::new());
            }
            groups[place].push(alert);
        }
        let mut text = String::new();
        for group in groups.iter().take(LINES) {
            let first = group[0];
            let line = match group.len() {
                1 => self.headline(first),
                n => format!("{}: {}", first_servers(group, n), kind(first)),
            };
            let mut reason = first.text.reason();
            if group.len() > 1 {
                reason = AlertText {
                    remedy: None,
                    ..first.text.clone()
                }
                .reason();
            }
            let _ = writeln!(text, "{line}. {}", sentence(&printable(&reason, REASON)));
        }
        let more = groups.len().saturating_sub(LINES);
        if more > 0 {
            let _ = writeln!(text, "And {more} more: snaprotate status");
        }
        text
    }

    /// Returns how many alerts of each kind there are, and the first servers.
    fn counts(&self) -> String {
        let mut kinds = BTreeMap::<_, u32>::new();
        for alert in &self.alerts {
            *kinds.entry(kind(alert)).or_default() += 1;
        }
        let kinds = kinds.iter().map(|(kind, n)| format!("{n} {kind}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let servers: BTreeSet<_> = self
            .alerts
            .iter()
            .filter_map(|a| a.server.as_ref())
            .collect();
        match servers.len() {
            0 => kinds,
            n => {
                let named: Vec<_> = self.alerts.iter().collect();
                format!("{kinds} on {}", first_servers(&named, n))
            }
        }
    }

    /// Returns the title and the first line, which programs show to people.
    fn summary(&self) -> String {
        match self.alerts.as_slice() {
            [alert] if self.event != AlertChange::Recovered => {
                format!("{} | {}", self.subject(), self.first_line(alert))
            }
            [] if let Some(news) = &self.report => {
                format!("{} | {}", self.subject(), news.first_line())
            }
            [] | [_] => self.subject(),
            alerts => format!("{}\n{}", self.subject(), self.several(alerts).trim_end()),
        }
    }

    /// Returns the message for programs: `event`, `time`, `host`, `title`, `text`, `priority`,
    /// `count`, `link`, and `alerts` with the first hundred. The fields of a single alert are at
    /// the top level too. A checkpoint adds `record`, `origin` and `checkpoint`; a report adds
    /// `report`.
    pub fn json(&self) -> Value {
        let rows = self.alerts.iter().take(ROWS);
        let rows: Vec<_> = rows.map(|alert| row(alert, self.time)).collect();
        let mut json = json!({
            "event": self.event.word(),
            "time": self.time,
            "host": self.host,
            "title": self.subject(),
            "text": self.summary(),
            "priority": self.priority().word(),
            "count": self.alerts.len(),
        });
        if let Some(link) = self.link() {
            json["link"] = json!(link);
        }
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
        if let Some(news) = &self.report {
            json["report"] = news.json();
        }
        json
    }
}

fn row(alert: &Alert, now: Timestamp) -> Value {
    let server = alert.server.as_ref();
    json!({
        "alert": alert.kind,
        "server": server.map(|place| place.id.clone()),
        "server_name": server.map(|place| &place.name),
        "policy": server.map(|place| &place.policy),
        "about": alert.about,
        "reason": alert.text.reason(),
        "what": alert.text.what,
        "cause": alert.text.cause,
        "harm": harm(&alert.kind, alert.copy, now),
        "remedy": alert.text.remedy,
        "command": alert.text.command,
        "since": alert.since,
    })
}

fn kind(alert: &Alert) -> String {
    alert.kind.replace('_', " ")
}

/// Returns the names of the first few servers of `count`.
fn first_servers(alerts: &[&Alert], count: usize) -> String {
    let mut seen = BTreeSet::new();
    let servers = alerts.iter().filter_map(|alert| alert.server.as_ref());
    let servers = servers.filter(|server| seen.insert(server.id.clone()));
    let first: Vec<_> = servers
        .take(NAMED)
        .map(|server| printable(&server.name, NAME))
        .collect();
    let more = match count.saturating_sub(first.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", first.join(", "))
}

/// Returns a clause as a sentence.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    let end = if clause.ends_with(['.', '…']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
