//! The active alerts, in full, by kind and by server, and the receivers with problems.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::{NAME_SHOWN, REASON_SHOWN, age, doing, shown, sign};
use crate::core::health::Health;
use crate::core::sanitize::shortened;
use crate::core::snapshot::ServerId;
use crate::status::attention::{Concern, concerns};
use crate::status::state_text::acknowledged;
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
                        a href="/?show=needs-you" { "servers that need you" } "."
                    }
                    (by_kind(view))
                }
            }
        }
    }
}

/// Renders one line of what needs somebody.
fn line(concern: &Concern<'_>, view: &FleetView, zone: &TimeZone) -> Markup {
    let servers = &concern.servers;
    let more = servers.len().saturating_sub(NAMED);
    // A service's alert has no health, and stops everything.
    let health = concern.health.unwrap_or(Health::Failing);
    html! {
        li.concern {
            span class={ "badge " (health.word()) } aria-hidden="true" { (sign(health)) }
            div.who {
                @if servers.is_empty() { "service" }
                @for server in servers.iter().take(NAMED) {
                    a href={ "/server/" (server.id.component()) } { (shown(&server.name, NAME_SHOWN)) } " "
                }
                @if more > 0 { a href="/?show=needs-you" { "and " (more) " more" } }
            }
            div.why {
                strong { (shown(&concern.kind(), NAME_SHOWN)) }
                @if concern.more > 0 { " " span.more { "+" (concern.more) } }
                @match (concern.alert, servers.first()) {
                    (Some(alert), _) => (why(alert, view, zone)),
                    (None, Some(server)) => { " " (doing(server, view, zone)) }
                    (None, None) => {}
                }
            }
            // A command names one server, so it is left out for several.
            @if let Some(alert) = concern.alert && servers.len() < 2 { (remedy(alert)) }
        }
    }
}

/// Renders what happened, why, and the harm.
fn why(alert: &AlertView, view: &FleetView, zone: &TimeZone) -> Markup {
    html! {
        " " span.reason { (told(&alert.what)) }
        @if let Some(cause) = &alert.cause {
            " " q.cause { (shown(cause, REASON_SHOWN)) }
        }
        @if let Some(harm) = &alert.harm { " " span.harm { (shown(harm, REASON_SHOWN)) } }
        @if let Some(words) = acknowledged(alert, zone) {
            " " span.muted { "acknowledged " (shown(&words, REASON_SHOWN)) }
        }
        @if let Some(since) = alert.since {
            " " span.muted { "for " (age(since, view, zone)) }
        }
    }
}

/// Renders what to do, with a button that copies the command.
fn remedy(alert: &AlertView) -> Markup {
    html! {
        @match (&alert.command, &alert.remedy) {
            (Some(command), _) => {
                span.remedy { "→ " code { (shown(command, REASON_SHOWN)) }
                button.copy type="button" data-copy=(shown(command, REASON_SHOWN)) hidden { "Copy" } }
            }
            (None, Some(remedy)) => span.remedy { "→ " (told(remedy)) },
            (None, None) => {}
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

/// Renders the alerts of one server and of the service. Alike ones, of one kind and cause, are
/// together.
pub(super) fn list(alerts: &[&AlertView], view: &FleetView, zone: &TimeZone) -> Markup {
    let mut groups: Vec<Vec<&AlertView>> = Vec::new();
    for alert in alerts {
        let alike = |group: &&mut Vec<&AlertView>| {
            let first = group.first();
            first.is_some_and(|first| first.alert == alert.alert && first.cause == alert.cause)
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(alert),
            None => groups.push(vec![alert]),
        }
    }
    html! {
        ul.alerts {
            @for group in &groups {
                @if let [first, others @ ..] = &group[..] {
                    li {
                        strong { (kind(&first.alert)) }
                        @if !others.is_empty() { " " span.more { "×" (group.len()) } }
                        (why(first, view, zone)) " " (remedy(first))
                        @if !others.is_empty() {
                            ul { @for other in others { li { (told(&other.what)) } } }
                        }
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
