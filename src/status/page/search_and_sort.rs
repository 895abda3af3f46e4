//! Search, filter and sort order of the servers, from the query of the page's address.

use std::cmp::Reverse;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::alerts::AlertKinds;
use crate::core::snapshot::ServerId;
use crate::status::attention::needs_somebody;
use crate::status::view::{Activity, ServerView};

/// The columns: the word for sorting by it in the address, and the heading.
pub(super) const COLUMNS: [(&str, &str); 6] = [
    ("name", "Server"),
    ("state", "State"),
    ("last", "Last 14 slots"),
    ("copy", "Newest copy"),
    ("room", "Places"),
    ("next", "Next slot"),
];

/// The order if the address names none: worst first.
const WORST_FIRST: &str = "state";

/// The servers that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    NeedsYou,
    Working,
    Paused,
    All,
}

impl Filter {
    pub(super) const ALL: [Self; 4] = [Self::NeedsYou, Self::Working, Self::Paused, Self::All];

    /// Returns the word in the address, and the label.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NeedsYou => ("needs-you", "Needs you"),
            Self::Working => ("working", "Working"),
            Self::Paused => ("paused", "Paused"),
            Self::All => ("", "All"),
        }
    }

    pub(super) fn shows(self, server: &ServerView) -> bool {
        match self {
            Self::NeedsYou => needs_somebody(server),
            Self::Working => is_working(server),
            Self::Paused => server.activity == Activity::Paused,
            Self::All => true,
        }
    }
}

/// The query of the address; unknown fields and values are ignored.
#[derive(Debug, Default)]
pub(in crate::status) struct SearchQuery {
    /// Words that must all occur in a server's name, id, file, state, rotations or alerts.
    pub(super) q: String,
    /// A filter.
    pub(super) show: String,
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
                "show" => asked.show = value,
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
        known.map_or((WORST_FIRST, false), |(column, _)| (column, down))
    }

    pub(super) fn filter(&self) -> Filter {
        let mut all = Filter::ALL.into_iter();
        let named = all.find(|filter| filter.words().0 == self.show);
        named.unwrap_or(Filter::All)
    }

    /// Returns the address of the same search with this order and page.
    pub(super) fn link(&self, sort: &str, page: usize) -> String {
        self.address(self.filter(), sort, page)
    }

    /// Returns the address of the same search with this filter.
    pub(super) fn filtered(&self, filter: Filter) -> String {
        self.address(filter, &self.sort, 1)
    }

    fn address(&self, filter: Filter, sort: &str, page: usize) -> String {
        let sort = if sort == WORST_FIRST { "" } else { sort };
        let page = if page > 1 {
            page.to_string()
        } else {
            String::new()
        };
        let fields = [
            ("q", self.q.as_str()),
            ("show", filter.words().0),
            ("sort", sort),
            ("page", &page),
        ];
        let mut address = "/".to_owned();
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        for (nth, (field, value)) in given.enumerate() {
            let separator = if nth == 0 { '?' } else { '&' };
            // Writing into a string can't fail.
            let _ = write!(address, "{separator}{field}={}", encoded(value));
        }
        address
    }
}

/// Returns true if the service is working on the server, or is waiting to do so.
fn is_working(server: &ServerView) -> bool {
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
    let next = |server: &ServerView| server.next_slot().map_or(Timestamp::MAX, |slot| slot.at);
    match column {
        "name" => rows.sort_by_cached_key(|s| natural(s)),
        "room" => rows.sort_by_cached_key(|s| (Reverse(s.snapshots.len()), natural(s))),
        // No copy is the worst, and sorted first.
        "copy" => rows.sort_by_cached_key(|s| (s.newest_copy, natural(s))),
        "last" => rows.sort_by_cached_key(|s| (Reverse(last(s)), natural(s))),
        "next" => rows.sort_by_cached_key(|s| (next(s), natural(s))),
        _ => rows.sort_by_cached_key(|s| {
            let worst = Reverse((needs_somebody(s), s.health));
            (worst, s.activity, natural(s))
        }),
    }
    if down {
        rows.reverse();
    }
}

/// Returns the key that sorts servers by name, then by id. Numbers in names are compared by value:
/// `web-2` precedes `web-10`.
pub(super) fn natural(server: &ServerView) -> (String, ServerId) {
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

/// Encodes a text for an address.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
#[path = "search_and_sort_tests.rs"]
mod tests;
