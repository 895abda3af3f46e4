//! Search and sort order of the servers, from the query of the page's address.

use std::cmp::Reverse;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::alerts::AlertKinds;
use crate::core::snapshot::ServerId;
use crate::status::attention::needs_somebody;
use crate::status::view::{Activity, ServerView};

/// The sortable columns: the word in the address, and the heading.
pub(super) const COLUMNS: [(&str, &str); 5] = [
    ("name", "Server"),
    ("room", "Snapshots"),
    ("state", "State"),
    ("last", "Last slot"),
    ("next", "Next slot"),
];

/// The query of the address; unknown fields and values are ignored.
#[derive(Debug, Default)]
pub(in crate::status) struct SearchQuery {
    /// Words that must all occur in a server's name, id, file, state, rotations or alerts.
    pub(super) q: String,
    /// A column; a leading minus reverses the order.
    pub(super) sort: String,
    /// Page number, from 1.
    pub(super) page: String,
}

impl From<Vec<(String, String)>> for SearchQuery {
    /// Reads the fields of a query; if a field is repeated, the last value applies.
    fn from(fields: Vec<(String, String)>) -> Self {
        let mut asked = Self::default();
        for (field, value) in fields {
            match &*field {
                "q" => asked.q = value,
                "sort" => asked.sort = value,
                "page" => asked.page = value,
                _ => {}
            }
        }
        asked
    }
}

impl SearchQuery {
    pub(super) fn sorted(&self) -> (&'static str, bool) {
        let (word, down) = match self.sort.strip_prefix('-') {
            Some(word) => (word, true),
            None => (self.sort.as_str(), false),
        };
        let known = COLUMNS.iter().find(|(column, _)| *column == word);
        known.map_or((COLUMNS[0].0, false), |(column, _)| (column, down))
    }

    /// Returns the address of the same search with this order and page.
    pub(super) fn link(&self, sort: &str, page: usize) -> String {
        let mut query = url::QueryStringBuilder::default();
        query.add("q", &self.q);
        query.add("sort", if sort == COLUMNS[0].0 { "" } else { sort });
        query.add(
            "page",
            &if page > 1 {
                page.to_string()
            } else {
                String::new()
            },
        );
        query.address()
    }
}

/// Returns true if the service is working on the server, or is waiting to do so.
pub(super) fn is_working(server: &ServerView) -> bool {
    let others = [Activity::Idle, Activity::Paused, Activity::Blocked];
    !others.contains(&server.activity)
}

/// Returns true if all words occur in the texts about a server.
pub(super) fn matches(server: &ServerView, standing: &AlertKinds<'_>, words: &[String]) -> bool {
    let mut text = format!(
        "{} {} {} {} {}",
        server.name,
        server.id,
        server.file,
        server.health.word(),
        server.activity.word()
    );
    if needs_somebody(server) {
        text.push_str(" needs-you");
    }
    if is_working(server) {
        text.push_str(" working");
    }
    for rotation in &server.rotations {
        text.push(' ');
        text.push_str(&rotation.name);
    }
    for alert in standing.of(server) {
        text.push_str(" alert ");
        text.push_str(alert);
        text.push(' ');
        text.push_str(&alert.replace('_', " "));
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

pub(super) fn sort(rows: &mut [&ServerView], (column, down): (&str, bool)) {
    // Servers without a time are sorted last, or first in reverse order.
    let last = |server: &ServerView| {
        let slots = server.rotations.iter().filter_map(|r| r.last.as_ref());
        slots.map(|slot| slot.slot).max().unwrap_or(Timestamp::MIN)
    };
    let next = |server: &ServerView| {
        let slots = server.rotations.iter().filter_map(|r| r.next.as_ref());
        slots.map(|slot| slot.at).min().unwrap_or(Timestamp::MAX)
    };
    match column {
        "room" => rows.sort_by_cached_key(|s| (Reverse(s.snapshots.len()), natural(s))),
        "state" => rows.sort_by_cached_key(|s| (Reverse(s.health), s.activity, natural(s))),
        "last" => rows.sort_by_cached_key(|s| (Reverse(last(s)), natural(s))),
        "next" => rows.sort_by_cached_key(|s| (next(s), natural(s))),
        _ => rows.sort_by_cached_key(|s| natural(s)),
    }
    if down {
        rows.reverse();
    }
}

/// Returns the key that sorts servers by name, then by id. Numbers in names are compared by value:
/// `web-2` precedes `web-10`.
fn natural(server: &ServerView) -> (String, ServerId) {
    let mut key = String::new();
    let mut digits = String::new();
    for c in server.name.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            // Writing into a string can't fail.
            let _ = write!(key, "{digits:0>20}");
            digits.clear();
        }
        key.extend(c.to_lowercase());
    }
    (key, server.id.clone())
}

/// Builds the query of an address.
mod url {
    use std::fmt::Write as _;

    #[derive(Default)]
    pub(super) struct QueryStringBuilder(String);

    impl QueryStringBuilder {
        /// Adds a field, unless its value is empty.
        pub(super) fn add(&mut self, key: &str, value: &str) {
            if value.is_empty() {
                return;
            }
            let separator = if self.0.is_empty() { '?' } else { '&' };
            let _ = write!(self.0, "{separator}{key}=");
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    self.0.push(char::from(byte));
                } else {
                    let _ = write!(self.0, "%{byte:02X}");
                }
            }
        }

        pub(super) fn address(self) -> String {
            format!("/{}", self.0)
        }
    }
}
