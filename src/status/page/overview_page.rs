//! The page of all servers: the verdict, what needs somebody, a row for each server, and the map of
//! a large fleet. The service searches, filters, sorts and splits the rows into pages, so that
//! thousands of servers work in any browser.

use std::time::Duration;

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::alerts::{self, AlertKinds};
use super::search_and_sort::{Filter, SearchQuery, matches, sort};
use super::{NAME_SHOWN, age, as_of, fleet_map, fleet_table, foot, frame, instant, legend, shown};
use crate::core::health::Health;
use crate::core::sanitize::counted;
use crate::status::attention::{Verdict, needs_somebody};
use crate::status::state_text::{clock_without_zone, paused, unlisted};
use crate::status::view::{Activity, FleetView, ServerView};

/// Rows per page. With more, a page of a large fleet would be larger than its map.
const ROWS: usize = 100;

/// Maximum number of servers without a copy that the verdict names.
const NAMED: usize = 3;

/// Interval at which the page's script renews the page.
const EVERY: Duration = Duration::from_secs(5);

pub(in crate::status) fn fleet(view: &FleetView, asked: &SearchQuery, zone: &TimeZone) -> String {
    let standing = AlertKinds::new(view);
    let words: Vec<_> = asked.q.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<_> = view.servers.iter().collect();
    found.retain(|server| words.is_empty() || matches(server, &standing, &words));
    let filters = filters(asked, &found);
    let mut rows = found;
    rows.retain(|server| asked.filter().shows(server));
    sort(&mut rows, asked.sorted());
    let pages = rows.len().div_ceil(ROWS).max(1);
    let page = asked.page.parse().unwrap_or(1).clamp(1, pages);
    let shown_rows = rows.chunks(ROWS).nth(page - 1).unwrap_or_default();

    let counts = Verdict::of(view);
    let main = html! {
        div id="summary" data-live { (pause(view, zone)) (verdict(&counts, view, zone)) }
        div id="alerts" data-live { (alerts::all(view, zone)) (alerts::receivers(view)) }
        section aria-labelledby="servers" {
            h2 id="servers" { "Servers" }
            div.tools {
                div id="filters" data-live { (filters) }
                (search(asked))
            }
            div id="list" data-live {
                p.found {
                    span id="found" role="status" { (count_found(asked, rows.len(), page, pages)) }
                    @if fleet_map::is_drawn(view) { " · " a href="#map" { "Map of the fleet" } }
                }
                @if shown_rows.is_empty() {
                    p.none { "No server matches. " a href="/" { "Show all" } }
                } @else {
                    (fleet_table::table(view, &standing, asked, shown_rows, zone))
                }
                (pager(asked, page, pages))
            }
        }
        (fleet_map::drawn(view))
        (legend::legend())
        (as_of(view, zone))
    };
    let servers = counted(view.servers.len(), "server");
    let title = match counts.need {
        0 if view.paused.is_some() => format!("ALL PAUSED · {servers}"),
        0 if view.alerts.is_empty() => servers,
        0 => format!("{} · {servers}", counted(view.alerts.len(), "alert")),
        1 => format!("1 of {servers} needs you"),
        need => format!("{need} of {servers} need you"),
    };
    frame(&title, Some(EVERY), &main, &foot(view))
}

/// Renders a pause. It comes first, since a forgotten pause raises no alert.
fn pause(view: &FleetView, zone: &TimeZone) -> Markup {
    html! {
        @if let Some(paused) = paused(view, zone) {
            p.held {
                span aria-hidden="true" { "‖ " } strong { (paused) }
                @if view.pause.as_ref().is_some_and(|pause| pause.until.is_some()) {
                    ": nothing is created or deleted until then, or until "
                } @else if view.paused.is_some() { ": nothing is created or deleted until " }
                @else { ": nothing is created or deleted there until " }
                code { (resume(view)) } "."
            }
        }
    }
}

fn verdict(verdict: &Verdict, view: &FleetView, zone: &TimeZone) -> Markup {
    let service = view.alerts.iter().any(|alert| alert.server.is_none());
    let (class, sign) = match (view.healthy, verdict.need, service) {
        (true, _, _) => ("well", "✓"),
        (false, 0, false) => ("begun", "↻"),
        _ => ("ill", "✕"),
    };
    html! {
        div class={ "verdict " (class) } {
            span.sign aria-hidden="true" { (sign) }
            div.told {
                h1 {
                    @match (class, verdict.need) {
                        ("well", _) => "All is well",
                        ("begun", _) => "Not every server has a copy yet",
                        (_, 0) => "The service needs you",
                        (_, need) => {
                            (need) " of " (counted(verdict.servers, "server"))
                            (if need == 1 { " needs you" } else { " need you" })
                        }
                    }
                }
                (without_copy(view))
                @if let Some(unlisted) = unlisted(view, zone) {
                    p { span.bad aria-hidden="true" { "! " } (unlisted) }
                }
            }
            (figures(verdict, view, zone))
        }
    }
}

/// Renders the servers that need somebody because nothing can be restored.
fn without_copy(view: &FleetView) -> Markup {
    let bare = view.servers.iter().filter(|server| needs_somebody(server));
    let bare: Vec<_> = bare.filter(|s| s.health == Health::Unprotected).collect();
    let more = bare.len().saturating_sub(NAMED);
    html! {
        @if !bare.is_empty() {
            p {
                (bare.len()) (if bare.len() == 1 { " has" } else { " have" }) " nothing to restore from: "
                @for (nth, server) in bare.iter().take(NAMED).enumerate() {
                    @if nth > 0 { ", " }
                    a href={ "/server/" (server.id.component()) } { (shown(&server.name, NAME_SHOWN)) }
                }
                @if more > 0 { " and " (more) " more" }
            }
        }
    }
}

fn figures(verdict: &Verdict, view: &FleetView, zone: &TimeZone) -> Markup {
    let old = verdict.oldest_copy;
    let due = |server: &&ServerView| {
        let next = server.next_slot().map(|next| next.at);
        server.activity != Activity::Paused && next.is_some() && next == verdict.next_slot
    };
    let due = view.servers.iter().filter(due).count();
    let stale = |server: &ServerView| server.newest_copy == old && server.health == Health::Failing;
    let stale = old.is_some() && view.servers.iter().any(stale);
    html! {
        dl.figures {
            div {
                dt { "restorable" }
                dd { (verdict.restorable) "/" (verdict.servers) }
            }
            div {
                dt { "oldest of the newest copies" }
                dd.bad[stale] { @match old { Some(at) => (age(at, view, zone)), None => "none" } }
            }
            div {
                dt { "next slot" @if due > 1 { ", " (due) " servers" } }
                dd {
                    @match verdict.next_slot {
                        Some(at) => (instant(at, zone, &clock_without_zone(at, view.time, zone))),
                        None => "never",
                    }
                }
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

/// Renders the filters as links, each with the number of rows that it shows.
fn filters(asked: &SearchQuery, found: &[&ServerView]) -> Markup {
    html! {
        nav aria-label="Filters" {
            ul.filters {
                @for filter in Filter::ALL {
                    @let count = found.iter().filter(|server| filter.shows(server)).count();
                    @let (word, label) = filter.words();
                    li {
                        a id={ "show-" (if word.is_empty() { "all" } else { word }) } href=(asked.filtered(filter))
                            aria-current=[(filter == asked.filter()).then_some("true")] { (label) " " strong { (count) } }
                    }
                }
            }
        }
    }
}

fn search(asked: &SearchQuery) -> Markup {
    html! {
        form.search action="/" method="get" role="search" {
            label for="q" { "Search" }
            input id="q" type="search" name="q" value=(asked.q) autocomplete="off" spellcheck="false"
                placeholder="name, id, state, alert …";
            @for (field, value) in [("show", asked.filter().words().0), ("sort", &asked.sort)] {
                @if !value.is_empty() { input type="hidden" name=(field) value=(value); }
            }
            button type="submit" { "Search" }
        }
    }
}

fn count_found(asked: &SearchQuery, rows: usize, page: usize, pages: usize) -> String {
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
