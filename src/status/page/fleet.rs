//! All servers: alerts on top, then a row each, searched, sorted and cut into pages here, so
//! that thousands work in any browser.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    NAME_SHOWN, REASON_SHOWN, alerts, as_of, badge, foot, frame, last_slot, next_slot, shown, slots,
};
use crate::core::printable::counted;
use crate::core::snapshot::ServerId;
use crate::status::standing::paused;
use crate::status::view::{FleetView, RotationView, ServerView, State};

/// Rows on one page.
const ROWS: usize = 200;

/// Alerts that are told one by one.
const ALERTS: usize = 8;

/// How often a script renews it.
const EVERY: Duration = Duration::from_secs(5);

/// The columns that can be sorted by: the word in the address, and the heading.
const COLUMNS: [(&str, &str); 5] = [
    ("name", "Server"),
    ("room", "Snapshots"),
    ("state", "State"),
    ("last", "Last slot"),
    ("next", "Next slot"),
];

/// What is asked for, as it stands in the address; what can't be understood is as if it
/// were not there.
#[derive(Debug, Default, Deserialize)]
pub(in crate::status) struct Asked {
    /// Words that all must be found in a server's name, id, file, state, rotations or alerts.
    #[serde(default)]
    q: String,
    /// A column; with a minus before it, the other way round.
    #[serde(default)]
    sort: String,
    /// From 1.
    #[serde(default)]
    page: String,
}

impl Asked {
    fn sorted(&self) -> (&'static str, bool) {
        let (word, down) = match self.sort.strip_prefix('-') {
            Some(word) => (word, true),
            None => (self.sort.as_str(), false),
        };
        let known = COLUMNS.iter().find(|(column, _)| *column == word);
        known.map_or((COLUMNS[0].0, false), |(column, _)| (column, down))
    }

    /// The address of the same search, sorted and opened so.
    fn link(&self, sort: &str, page: usize) -> String {
        let mut query = url::Query::default();
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

pub(in crate::status) fn fleet(view: &FleetView, asked: &Asked, zone: &TimeZone) -> String {
    let mut standing: BTreeMap<ServerId, Vec<&str>> = BTreeMap::new();
    for alert in &view.alerts {
        if let Some(server) = alert.server {
            standing.entry(server).or_default().push(&alert.alert);
        }
    }
    let words: Vec<_> = asked.q.split_whitespace().map(str::to_lowercase).collect();
    let mut rows: Vec<_> = view.servers.iter().collect();
    rows.retain(|server| {
        let kinds = standing.get(&server.id).map_or(&[][..], Vec::as_slice);
        words.is_empty() || matches(server, kinds, &words)
    });
    sort(&mut rows, asked.sorted());
    let pages = rows.len().div_ceil(ROWS).max(1);
    let page = asked.page.parse().unwrap_or(1).clamp(1, pages);
    let shown_rows = rows.chunks(ROWS).nth(page - 1).unwrap_or_default();

    let main = html! {
        div id="summary" data-live { (summary(view, zone)) }
        (as_of(view, zone))
        div id="alerts" data-live { (alert_list(view)) }
        section aria-labelledby="servers" {
            h2 id="servers" { "Servers" }
            (search(asked))
            div id="list" data-live {
                p.found id="found" role="status" { (found(asked, rows.len(), page, pages)) }
                @if shown_rows.is_empty() {
                    p.none { "No server is found by that. " a href="/" { "Show all" } }
                } @else {
                    (table(view, asked, shown_rows, zone))
                }
                (pager(asked, page, pages))
            }
            (slots::legend())
        }
    };
    let title = match view.alerts.len() {
        0 if view.paused.is_some() => {
            format!("ALL PAUSED · {}", counted(view.servers.len(), "server"))
        }
        0 => counted(view.servers.len(), "server"),
        n => format!(
            "{} · {}",
            counted(n, "alert"),
            counted(view.servers.len(), "server")
        ),
    };
    frame(&title, Some(EVERY), &main, &foot(view, zone))
}

fn summary(view: &FleetView, zone: &TimeZone) -> Markup {
    let states = [
        (State::Blocked, "blocked"),
        (State::Due, "due"),
        (State::Working, "working"),
        (State::Paused, "paused"),
        (State::Unseen, "not listed yet"),
        (State::Resting, "resting"),
    ];
    let count = |state| view.servers.iter().filter(|s| s.state == state).count();
    let counts: Vec<_> = states
        .iter()
        .map(|(state, words)| (count(*state), *state, *words))
        .filter(|(count, _, _)| *count > 0)
        .collect();
    html! {
        @if let Some(paused) = paused(view, zone) {
            p.held {
                span aria-hidden="true" { "‖ " } strong { (paused) }
                ": nothing is created or deleted there until " code { "snaprotate resume" } "."
            }
        }
        h1 class=(if view.healthy { "well" } else { "ill" }) {
            @match view.alerts.len() {
                0 => { span.sign aria-hidden="true" { "✓" } " No alert stands" }
                1 => { span.sign aria-hidden="true" { "!" } " 1 alert stands" }
                n => { span.sign aria-hidden="true" { "!" } " " (n) " alerts stand" }
            }
        }
        ul.counts {
            li { strong { (view.servers.len()) } " " (if view.servers.len() == 1 { "server" } else { "servers" }) }
            @for (count, state, words) in counts {
                li { a href={ "/?q=" (state.word()) } { strong { (count) } " " (words) } }
            }
        }
    }
}

fn alert_list(view: &FleetView) -> Markup {
    let all: Vec<_> = view.alerts.iter().collect();
    html! {
        @if !all.is_empty() {
            section.alarm aria-labelledby="alerting" {
                h2 id="alerting" { "Alerts" }
                (alerts(&all, &view.servers, ALERTS))
                @if all.len() > ALERTS {
                    p { "And " (all.len() - ALERTS) " more: " a href="/?q=alert" { "servers with an alert" } "." }
                }
            }
        }
    }
}

fn search(asked: &Asked) -> Markup {
    html! {
        form.search action="/" method="get" role="search" {
            label for="q" { "Search" }
            input id="q" type="search" name="q" value=(asked.q) autocomplete="off" spellcheck="false"
                placeholder="name, id, state, alert …";
            @if !asked.sort.is_empty() {
                input type="hidden" name="sort" value=(asked.sort);
            }
            button type="submit" { "Search" }
        }
    }
}

fn found(asked: &Asked, rows: usize, page: usize, pages: usize) -> String {
    let servers = counted(rows, "server");
    let of = if asked.q.trim().is_empty() {
        ""
    } else {
        " found"
    };
    if pages == 1 {
        return format!("{servers}{of}");
    }
    let first = (page - 1) * ROWS + 1;
    let last = (page * ROWS).min(rows);
    format!("{servers}{of}, {first} to {last} shown")
}

fn table(view: &FleetView, asked: &Asked, rows: &[&ServerView], zone: &TimeZone) -> Markup {
    let (sorted, down) = asked.sorted();
    // The roles are said again: a narrow window shows rows as cards, and browsers then
    // forget that they are a table.
    html! {
        table.fleet role="table" aria-labelledby="servers" {
            thead role="rowgroup" {
                tr role="row" {
                    @for (column, heading) in COLUMNS {
                        @let is = column == sorted;
                        @let next = if is && !down { format!("-{column}") } else { column.to_owned() };
                        th scope="col" role="columnheader"
                            aria-sort=[is.then_some(if down { "descending" } else { "ascending" })] {
                            a id={ "sort-" (column) } href=(asked.link(&next, 1)) {
                                (heading)
                                span.arrow aria-hidden="true" { @if is { @if down { " ▾" } @else { " ▴" } } }
                            }
                        }
                    }
                }
            }
            tbody role="rowgroup" {
                @for server in rows { (row(view, server, zone)) }
            }
        }
    }
}

fn row(view: &FleetView, server: &ServerView, zone: &TimeZone) -> Markup {
    html! {
        tr role="row" id={ "row-" (server.id) } {
            th scope="row" role="rowheader" {
                a id={ "server-" (server.id) } href={ "/server/" (server.id) } { (shown(&server.name, NAME_SHOWN)) }
                span.id { "id " (server.id) }
            }
            td role="cell" data-label="Snapshots" { (slots::drawn(server)) }
            td role="cell" data-label="State" { div {
                (badge(server.state))
                @if let Some(reason) = &server.reason {
                    span.reason title=(shown(reason, REASON_SHOWN)) { (shown(reason, REASON_SHOWN)) }
                }
            } }
            td role="cell" data-label="Last slot" {
                (lines(server, |rotation| html! {
                    @match &rotation.last {
                        Some(slot) => (last_slot(slot, server, view, zone)),
                        None => "none yet",
                    }
                }))
            }
            td role="cell" data-label="Next slot" {
                (lines(server, |rotation| next_slot(rotation.next.as_ref(), view, zone)))
            }
        }
    }
}

/// A line for each rotation, with its name where there are several.
fn lines(server: &ServerView, line: impl Fn(&RotationView) -> Markup) -> Markup {
    html! {
        ul.rotations {
            @for rotation in &server.rotations {
                li { span.rotation { (shown(&rotation.name, NAME_SHOWN)) } " " span.when { (line(rotation)) } }
            }
        }
    }
}

fn pager(asked: &Asked, page: usize, pages: usize) -> Markup {
    html! {
        @if pages > 1 {
            nav.pager aria-label="Pages" {
                @if page > 1 { a rel="prev" id="prev" href=(asked.link(&asked.sort, page - 1)) { "← Previous" } }
                span { "Page " (page) " of " (pages) }
                @if page < pages { a rel="next" id="next" href=(asked.link(&asked.sort, page + 1)) { "Next →" } }
            }
        }
    }
}

fn matches(server: &ServerView, alerts: &[&str], words: &[String]) -> bool {
    let mut text = format!(
        "{} {} {} {}",
        server.name,
        server.id,
        server.file,
        server.state.word()
    );
    for rotation in &server.rotations {
        text.push(' ');
        text.push_str(&rotation.name);
    }
    for alert in alerts {
        text.push_str(" alert ");
        text.push_str(alert);
        text.push(' ');
        text.push_str(&alert.replace('_', " "));
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

fn sort(rows: &mut [&ServerView], (column, down): (&str, bool)) {
    // What has no time stands last.
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
        "state" => rows.sort_by_cached_key(|s| (urgency(s.state), natural(s))),
        "last" => rows.sort_by_cached_key(|s| (Reverse(last(s)), natural(s))),
        "next" => rows.sort_by_cached_key(|s| (next(s), natural(s))),
        _ => rows.sort_by_cached_key(|s| natural(s)),
    }
    if down {
        rows.reverse();
    }
}

/// What needs a look stands first.
fn urgency(state: State) -> u8 {
    match state {
        State::Blocked => 0,
        State::Due => 1,
        State::Working => 2,
        State::Paused => 3,
        State::Unseen => 4,
        State::Resting => 5,
    }
}

/// By name, with numbers in it by their size: `web-2` before `web-10`.
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
    (key, server.id)
}

/// The query of an address.
mod url {
    use std::fmt::Write as _;

    #[derive(Default)]
    pub(super) struct Query(String);

    impl Query {
        /// Adds a value, unless it is empty.
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
