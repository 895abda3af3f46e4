//! The page of all servers: alerts on top, then a row per server. The service searches, sorts and
//! splits the rows into pages, so that thousands of servers work in any browser.

use std::time::Duration;

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::alerts::{self, AlertKinds};
use super::search_and_sort::{COLUMNS, SearchQuery, is_working, matches, sort};
use super::{
    NAME_SHOWN, ago, as_of, badge, capacity_bar, copy, doing, foot, frame, instant, last_slot,
    next_slot, shown,
};
use crate::core::sanitize::counted;
use crate::status::attention::Verdict;
use crate::status::state_text::{clock, paused, unlisted};
use crate::status::view::{Activity, FleetView, RotationView, ServerView};

/// Rows per page.
const ROWS: usize = 200;

/// Interval at which the page's script renews the page.
const EVERY: Duration = Duration::from_secs(5);

pub(in crate::status) fn fleet(view: &FleetView, asked: &SearchQuery, zone: &TimeZone) -> String {
    let standing = AlertKinds::new(view);
    let words: Vec<_> = asked.q.split_whitespace().map(str::to_lowercase).collect();
    let mut rows: Vec<_> = view.servers.iter().collect();
    rows.retain(|server| words.is_empty() || matches(server, &standing, &words));
    sort(&mut rows, asked.sorted());
    let pages = rows.len().div_ceil(ROWS).max(1);
    let page = asked.page.parse().unwrap_or(1).clamp(1, pages);
    let shown_rows = rows.chunks(ROWS).nth(page - 1).unwrap_or_default();

    let main = html! {
        div id="summary" data-live { (summary(view, zone)) }
        (as_of(view, zone))
        div id="alerts" data-live { (alerts::all(view, zone)) (alerts::receivers(view)) }
        section aria-labelledby="servers" {
            h2 id="servers" { "Servers" }
            (search(asked))
            div id="list" data-live {
                p.found id="found" role="status" { (found(asked, rows.len(), page, pages)) }
                @if shown_rows.is_empty() {
                    p.none { "No server matches. " a href="/" { "Show all" } }
                } @else {
                    (table(view, &standing, asked, shown_rows, zone))
                }
                (pager(asked, page, pages))
            }
            (capacity_bar::legend())
        }
    };
    let servers = counted(view.servers.len(), "server");
    let title = match Verdict::of(view).need {
        0 if view.paused.is_some() => format!("ALL PAUSED · {servers}"),
        0 if view.alerts.is_empty() => servers,
        0 => format!("{} · {servers}", counted(view.alerts.len(), "alert")),
        need => format!("{need} of {servers} need you"),
    };
    frame(&title, Some(EVERY), &main, &foot(view, zone))
}

fn summary(view: &FleetView, zone: &TimeZone) -> Markup {
    let verdict = Verdict::of(view);
    let count = |wanted: &dyn Fn(&ServerView) -> bool| {
        view.servers.iter().filter(|server| wanted(server)).count()
    };
    let filters = [
        ("needs-you", "need you", verdict.need),
        ("working", "working", count(&is_working)),
        (
            "paused",
            "paused",
            count(&|s| s.activity == Activity::Paused),
        ),
    ];
    html! {
        @if let Some(paused) = paused(view, zone) {
            p.held {
                span aria-hidden="true" { "‖ " } strong { (paused) }
                @if view.paused.is_some() { ": nothing is created or deleted until " }
                @else { ": nothing is created or deleted there until " }
                code { (resume(view)) } "."
            }
        }
        h1 class=(if view.healthy { "well" } else { "ill" }) {
            @if view.healthy {
                span.sign aria-hidden="true" { "✓" } " All is well"
            } @else if verdict.need == 0 && view.alerts.iter().any(|alert| alert.server.is_none()) {
                span.sign aria-hidden="true" { "✕" } " The service needs you"
            } @else if verdict.need == 0 {
                span.sign aria-hidden="true" { "↻" } " Not every server has a copy yet"
            } @else {
                span.sign aria-hidden="true" { "✕" } " " (verdict.need) " of "
                (counted(verdict.servers, "server")) (if verdict.need == 1 { " needs you" } else { " need you" })
            }
        }
        p.verdict {
            (verdict.restorable) " of " (counted(verdict.servers, "server")) " can be restored"
            @if let Some(oldest) = verdict.oldest_copy { "; the least recent copy was made " (ago(oldest, view, zone)) }
            @if let Some(next) = verdict.next_slot {
                "; the next slot is " (instant(next, zone, &clock(next, view.time, zone)))
            }
            "."
        }
        @if let Some(unlisted) = unlisted(view, zone) {
            p.receiver { span.bad aria-hidden="true" { "! " } (unlisted) }
        }
        ul.counts {
            li { a href="/" { strong { (view.servers.len()) } " " (if view.servers.len() == 1 { "server" } else { "servers" }) } }
            @for (word, words, count) in filters {
                @if count > 0 { li { a href={ "/?q=" (word) } { strong { (count) } " " (words) } } }
            }
        }
    }
}

/// Returns the command that ends the pauses shown above.
fn resume(view: &FleetView) -> String {
    let mut paused = view
        .servers
        .iter()
        .filter(|s| s.activity == Activity::Paused);
    match (view.paused, paused.next(), paused.next()) {
        (Some(_), _, _) => "snaprotate resume".to_owned(),
        (None, Some(one), None) => format!("snaprotate resume {}", one.name),
        _ => "snaprotate resume SERVER".to_owned(),
    }
}

fn search(asked: &SearchQuery) -> Markup {
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

fn found(asked: &SearchQuery, rows: usize, page: usize, pages: usize) -> String {
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

fn table(
    view: &FleetView,
    standing: &AlertKinds<'_>,
    asked: &SearchQuery,
    rows: &[&ServerView],
    zone: &TimeZone,
) -> Markup {
    let (sorted, down) = asked.sorted();
    // The roles are explicit: a narrow window shows rows as cards, and browsers then no longer
    // treat them as a table.
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
                @for server in rows { (row(view, standing, server, zone)) }
            }
        }
    }
}

fn row(
    view: &FleetView,
    standing: &AlertKinds<'_>,
    server: &ServerView,
    zone: &TimeZone,
) -> Markup {
    // The activity already says `blocked`.
    let kinds = standing
        .of(server)
        .filter(|kind| *kind != server.activity.word());
    let kinds: Vec<_> = kinds.map(alerts::kind).collect();
    html! {
        tr role="row" id={ "row-" (server.id) } {
            th scope="row" role="rowheader" {
                a id={ "server-" (server.id) } href={ "/server/" (server.id.component()) } { (shown(&server.name, NAME_SHOWN)) }
                span.id { "id " (server.id) }
            }
            td role="cell" data-label="Snapshots" { (capacity_bar::drawn(server)) }
            td role="cell" data-label="State" { div {
                (badge(server.health))
                @if !kinds.is_empty() { span.standing { span aria-hidden="true" { "! " } (kinds.join(", ")) } }
                " " (doing(server, view, zone))
                span.sub { "copy " (copy(server, view, zone)) }
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

/// Renders a line for each rotation, with its name.
fn lines(server: &ServerView, line: impl Fn(&RotationView) -> Markup) -> Markup {
    html! {
        ul.rotations {
            @for rotation in &server.rotations {
                li { span.rotation title=(shown(&rotation.name, NAME_SHOWN)) { (shown(&rotation.name, NAME_SHOWN)) } " " span.when { (line(rotation)) } }
            }
        }
    }
}

fn pager(asked: &SearchQuery, page: usize, pages: usize) -> Markup {
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
