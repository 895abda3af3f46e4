//! The table of servers: one line for each, on a phone two.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::alerts::AlertKinds;
use super::search_and_sort::{COLUMNS, SearchQuery};
use super::{
    NAME_SHOWN, REASON_SHOWN, capacity_bar, copy_age, next_change, shown, sign, slot_strip,
};
use crate::core::health::Health;
use crate::core::sanitize::span;
use crate::status::attention::{self, needs_somebody};
use crate::status::state_text::activity_with_reason;
use crate::status::view::{Activity, FleetView, ServerView};

pub(super) fn table(
    view: &FleetView,
    standing: &AlertKinds<'_>,
    asked: &SearchQuery,
    rows: &[&ServerView],
    zone: &TimeZone,
) -> Markup {
    // The roles are explicit: on a phone a row is a grid of two lines, and browsers then no longer
    // treat the table as one.
    html! {
        table.fleet role="table" aria-labelledby="servers" {
            thead role="rowgroup" { tr role="row" { (headings(asked)) } }
            tbody role="rowgroup" {
                @for server in rows { (row(view, standing, server, zone)) }
            }
        }
    }
}

fn headings(asked: &SearchQuery) -> Markup {
    let (sorted, down) = asked.sorted();
    html! {
        @for (column, heading) in COLUMNS {
            @let is = column == sorted;
            @let next = if is && !down { format!("-{column}") } else { column.to_owned() };
            th scope="col" role="columnheader" class={ "c-" (column) }
                aria-sort=[is.then_some(if down { "descending" } else { "ascending" })] {
                a id={ "sort-" (column) } href=(asked.link(&next, 1)) {
                    (heading)
                    span.arrow aria-hidden="true" { @if is { @if down { " ▾" } @else { " ▴" } } }
                }
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
    let name = shown(&server.name, NAME_SHOWN);
    let old = matches!(server.health, Health::Failing | Health::Unprotected);
    html! {
        tr role="row" id={ "row-" (server.id) } {
            th.c-name scope="row" role="rowheader" {
                a id={ "server-" (server.id) } href={ "/server/" (server.id.component()) }
                    title={ (name) " (id " (server.id) ")" } { (name) }
            }
            td.c-state role="cell" title=(title(standing, server, view, zone)) { (state(standing, server, view)) }
            td.c-last role="cell" { (slot_strip::of_server(server)) }
            td.c-copy.bad[old] role="cell" { (copy_age(server, view, zone)) }
            td.c-room role="cell" { (capacity_bar::drawn(server)) }
            td.c-next role="cell" { (next_change(server, view, zone)) }
        }
    }
}

/// Renders the state in a few words: what is wrong, or else what is done now.
fn state(standing: &AlertKinds<'_>, server: &ServerView, view: &FleetView) -> Markup {
    let doing = doing(server, view);
    if !needs_somebody(server) {
        let (sign, class) = match (server.activity, server.health) {
            (Activity::Paused, _) => ("‖", "off"),
            (Activity::Idle, Health::Ok) => ("✓", "ok"),
            _ => ("↻", "new"),
        };
        let words = doing.unwrap_or_else(|| server.health.word().to_owned());
        return html! { span class={ "badge " (class) } { span aria-hidden="true" { (sign) } " " (words) } };
    }
    let worst = standing.of(server).min_by_key(|kind| attention::rank(kind));
    let kind = attention::kind(worst, Some(server.health));
    // The alert `blocked` says what the activity says.
    let beside =
        doing.filter(|doing| !doing.starts_with(&*kind) && server.activity != Activity::Blocked);
    html! {
        span class={ "badge " (server.health.word()) } {
            span aria-hidden="true" { (sign(server.health)) } " " (shown(&kind, NAME_SHOWN))
        }
        @if server.alerts > 1 { " " span.more { "+" (server.alerts - 1) } }
        @if let Some(beside) = beside { span.muted { " · " (beside) } }
    }
}

/// Returns what is done on the server and for how long; `None` if it is idle.
fn doing(server: &ServerView, view: &FleetView) -> Option<String> {
    match server.activity {
        Activity::Idle if server.unlisted.is_some() => return Some("not listed".to_owned()),
        Activity::Idle => return None,
        Activity::Waiting if server.listed.is_none() => return Some("not listed yet".to_owned()),
        _ => {}
    }
    let since = server.activity_since;
    let lasted = since.map(|since| format!(" {}", span(view.time.duration_since(since))));
    let word = server.activity.word();
    Some(format!("{word}{}", lasted.unwrap_or_default()))
}

/// Returns all that is known of the state, for a tooltip.
fn title(
    standing: &AlertKinds<'_>,
    server: &ServerView,
    view: &FleetView,
    zone: &TimeZone,
) -> String {
    let kinds: Vec<_> = standing
        .of(server)
        .map(|kind| kind.replace('_', " "))
        .collect();
    let alerts = match &kinds[..] {
        [] => String::new(),
        kinds => format!("alerts: {}; ", kinds.join(", ")),
    };
    let doing = activity_with_reason(server, view.time, zone, REASON_SHOWN);
    let title = format!("{}; {alerts}{doing}", server.health.word());
    shown(&title, REASON_SHOWN)
}
