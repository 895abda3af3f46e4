//! The active alerts, in full, by kind and by server, and the receivers with problems.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::{NAME_SHOWN, REASON_SHOWN, instant, shown};
use crate::core::sanitize::{shortened, span};
use crate::core::snapshot::ServerId;
use crate::status::terminal_text::receiver_line;
use crate::status::view::{AlertView, FleetView, ServerView};

/// Maximum number of alerts that are listed one by one.
const ALERTS: usize = 8;

/// The kinds of the active alerts of each server.
pub(super) struct AlertKinds<'a>(BTreeMap<ServerId, BTreeSet<&'a str>>);

impl<'a> AlertKinds<'a> {
    pub(super) fn new(view: &'a FleetView) -> Self {
        let mut kinds: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for alert in &view.alerts {
            if let Some(server) = alert.server.clone() {
                kinds.entry(server).or_default().insert(&*alert.alert);
            }
        }
        Self(kinds)
    }

    pub(super) fn of(&self, server: &ServerView) -> impl Iterator<Item = &'a str> {
        self.0.get(&server.id).into_iter().flatten().copied()
    }
}

/// Renders the alerts on the page of all servers.
pub(super) fn all(view: &FleetView, zone: &TimeZone) -> Markup {
    let told: Vec<_> = view.alerts.iter().take(ALERTS).collect();
    html! {
        @if !told.is_empty() {
            section.alarm aria-labelledby="alerting" {
                h2 id="alerting" { "Alerts" }
                (list(&told, true, view, zone))
                @if view.alerts.len() > told.len() {
                    p {
                        "And " (view.alerts.len() - told.len()) " more: "
                        a href="/?q=alert" { "servers with an alert" } "."
                    }
                    (by_kind(view))
                }
            }
        }
    }
}

/// Renders the number of active alerts of each kind, the most frequent first.
fn by_kind(view: &FleetView) -> Markup {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for alert in view.alerts.iter().filter(|alert| alert.server.is_some()) {
        *counts.entry(&alert.alert).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    html! {
        ul.counts aria-label="Alerts of servers by kind" {
            @for (alert, count) in counts {
                li { a href={ "/?q=alert+" (alert) } { strong { (count) } " " (kind(alert)) } }
            }
        }
    }
}

/// Renders the receivers whose deliveries fail or were dropped.
pub(super) fn receivers(view: &FleetView) -> Markup {
    let lines = view.receivers.iter().map(|one| receiver_line(one, None));
    html! {
        @for line in lines.filter(|line| !line.is_empty()) {
            p.receiver { span.bad aria-hidden="true" { "! " } (line.trim_end()) }
        }
    }
}

/// Renders a list of alerts, with their servers' names if `named`.
pub(super) fn list(
    alerts: &[&AlertView],
    named: bool,
    view: &FleetView,
    zone: &TimeZone,
) -> Markup {
    let servers = if named { &view.servers[..] } else { &[] };
    html! {
        ul.alerts {
            @for alert in alerts {
                li {
                    strong { (kind(&alert.alert)) }
                    @if let Some(server) = alert.server.as_ref().and_then(|id| find(servers, id)) {
                        " " a href={ "/server/" (server.id.component()) } { (shown(&server.name, NAME_SHOWN)) }
                    }
                    " " span.reason { (told(&alert.what)) }
                    @if let Some(cause) = &alert.cause {
                        " " q.cause { (shown(cause, REASON_SHOWN)) }
                    }
                    @if let Some(harm) = &alert.harm { " " span.harm { (shown(harm, REASON_SHOWN)) } }
                    @if let Some(remedy) = &alert.remedy { " " span.remedy { "→ " (told(remedy)) } }
                    @if let Some(since) = alert.since {
                        " " span.muted { "for " (instant(since, zone, &span(view.time.duration_since(since)))) }
                    }
                }
            }
        }
    }
}

/// Returns an alert's kind in words.
pub(super) fn kind(alert: &str) -> String {
    shown(alert, NAME_SHOWN).replace('_', " ")
}

/// Renders a reason; command options in it are not wrapped at their dashes.
fn told(reason: &str) -> Markup {
    let reason = shortened(reason, REASON_SHOWN);
    html! {
        @for (nth, word) in reason.split(' ').enumerate() {
            @if nth > 0 { " " }
            @if word.starts_with("--") { span.option { (word) } } @else { (word) }
        }
    }
}

/// Finds a server; `servers` are sorted by id.
fn find<'a>(servers: &'a [ServerView], id: &ServerId) -> Option<&'a ServerView> {
    let place = servers.binary_search_by(|server| server.id.cmp(id));
    place.ok().map(|place| &servers[place])
}
