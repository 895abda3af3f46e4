//! The active alerts, in full, by kind and by server, and the receivers with problems.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::{NAME_SHOWN, REASON_SHOWN, doing, instant, shown};
use crate::core::sanitize::{shortened, span};
use crate::core::snapshot::ServerId;
use crate::status::attention::{Concern, concerns};
use crate::status::terminal_text::receiver_line;
use crate::status::view::{AlertView, FleetView, ServerView};

/// Maximum number of lines of what needs somebody.
const CONCERNS: usize = 12;

/// Maximum number of servers that a line names.
const NAMED: usize = 3;

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

/// Renders what needs somebody, worst first. Alerts that are alike are one line.
pub(super) fn all(view: &FleetView, zone: &TimeZone) -> Markup {
    let concerns = concerns(view);
    html! {
        @if !concerns.is_empty() {
            section.alarm aria-labelledby="alerting" {
                h2 id="alerting" { "What needs you" }
                ul.alerts {
                    @for concern in concerns.iter().take(CONCERNS) { (line(concern, view, zone)) }
                }
                @if concerns.len() > CONCERNS {
                    p {
                        "And " (concerns.len() - CONCERNS) " more: "
                        a href="/?q=needs-you" { "servers that need you" } "."
                    }
                    (by_kind(view))
                }
            }
        }
    }
}

/// Renders one line of what needs somebody.
fn line(concern: &Concern<'_>, view: &FleetView, zone: &TimeZone) -> Markup {
    let kind = concern.kind();
    let servers = &concern.servers;
    let more = servers.len().saturating_sub(NAMED);
    html! {
        li {
            span.bad aria-hidden="true" { "✕ " }
            @for server in servers.iter().take(NAMED) {
                a href={ "/server/" (server.id.component()) } { (shown(&server.name, NAME_SHOWN)) } " "
            }
            @if more > 0 { a href="/?q=needs-you" { "and " (more) " more" } " " }
            strong { (kind) }
            @match (concern.alert, servers.first()) {
                (Some(alert), _) => (parts(alert, servers.len() < 2, view, zone)),
                (None, Some(server)) => { " " (doing(server, view, zone)) }
                (None, None) => {}
            }
        }
    }
}

/// Renders the parts of an alert. The remedy names one server, so it is left out for several.
fn parts(alert: &AlertView, remedy: bool, view: &FleetView, zone: &TimeZone) -> Markup {
    html! {
        " " span.reason { (told(&alert.what)) }
        @if let Some(cause) = &alert.cause {
            " " q.cause { (shown(cause, REASON_SHOWN)) }
        }
        @if let Some(harm) = &alert.harm { " " span.harm { (shown(harm, REASON_SHOWN)) } }
        @match (&alert.command, &alert.remedy) {
            _ if !remedy => {}
            (Some(command), _) => {
                " " span.remedy { "→ " code { (shown(command, REASON_SHOWN)) }
                button.copy type="button" data-copy=(shown(command, REASON_SHOWN)) hidden { "Copy" } }
            }
            (None, Some(remedy)) => { " " span.remedy { "→ " (told(remedy)) } }
            (None, None) => {}
        }
        @if let Some(since) = alert.since {
            " " span.muted { "for " (instant(since, zone, &span(view.time.duration_since(since)))) }
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

/// Renders a list of alerts of one server and of the service.
pub(super) fn list(alerts: &[&AlertView], view: &FleetView, zone: &TimeZone) -> Markup {
    html! {
        ul.alerts {
            @for alert in alerts {
                li { strong { (kind(&alert.alert)) } (parts(alert, true, view, zone)) }
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
