//! The status page as HTML. It is complete without JavaScript; with it, a script replaces the parts
//! marked `data-live` as they change.
//!
//! - `overview_page`: all servers; `search_and_sort`: their filter and order.
//! - `server_page`: one server; `recent_records`: its records.
//! - `alerts`: the active alerts.
//! - `capacity_bar`: draws a server's snapshots and free places.
//!
//! Every foreign text passes through [`shown`], and maud escapes its HTML.

mod alerts;
mod capacity_bar;
mod overview_page;
mod recent_records;
mod search_and_sort;
mod server_page;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

pub(super) use self::overview_page::fleet;
pub(super) use self::search_and_sort::SearchQuery;
pub(super) use self::server_page::server;
use super::state_text::{self, SlotResult};
use super::view::{FleetView, LastSlot, NextSlot, ServerView};
use crate::core::health::Health;
use crate::core::sanitize::{NAME_SHOWN, local, printable, span};

const REASON_SHOWN: usize = 600;

/// Renders the frame of a page; `every` is the interval at which a script renews it, if any.
fn frame(title: &str, every: Option<Duration>, main: &Markup, foot: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" data-every=[every.map(|every| every.as_secs())] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · snaprotate" }
                link rel="icon" type="image/svg+xml" href="/icon.svg";
                link rel="stylesheet" href="/style.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { img src="/icon.svg" alt="" width="22" height="22"; "snaprotate" }
                    p.stale id="stale" role="status" {}
                    button id="pause" type="button" aria-pressed="false" hidden { "Stop refreshing" }
                }
                main id="main" tabindex="-1" { (main) }
                footer { (foot) }
            }
        }
    };
    page.into_string()
}

/// Renders a page for an address that was not found.
pub(super) fn nothing(why: &str) -> String {
    let main = html! {
        h1 { "Not found" }
        p { (why) " " a href="/" { "All servers" } }
    };
    frame("Not found", None, &main, &html! {})
}

fn foot(view: &FleetView, zone: &TimeZone) -> Markup {
    let zone_name = local(view.time, zone);
    let zone_name = zone_name.rsplit(' ').next().unwrap_or_default();
    html! {
        p {
            "snaprotate " (view.version) ", process " (view.pid) ", " (shown(&view.config, NAME_SHOWN))
            ". Times are " (zone_name) ". "
            a href="/metrics" { "Metrics" } " · " a href="/api/v1/status" { "JSON" } " · "
            a href="/healthz" { "Health" }
        }
    }
}

/// Renders the time of the view, and how long the service has been running.
fn as_of(view: &FleetView, zone: &TimeZone) -> Markup {
    let running = span(view.time.duration_since(view.started));
    html! {
        p.asof id="asof" data-live {
            "As of " (instant(view.time, zone, &seconds(view.time, zone)))
            ", running for " (running) "."
        }
    }
}

fn seconds(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%H:%M:%S %Z").to_string()
}

/// Renders an instant in words, with the exact time as attribute and tooltip.
fn instant(at: Timestamp, zone: &TimeZone, words: &str) -> Markup {
    html! { time datetime=(at.to_string()) title=(local(at, zone)) { (words) } }
}

fn ago(at: Timestamp, view: &FleetView, zone: &TimeZone) -> Markup {
    let words = format!("{} ago", span(view.time.duration_since(at)));
    instant(at, zone, &words)
}

/// Renders the result and the time of a slot.
fn last_slot(slot: &LastSlot, server: &ServerView, view: &FleetView, zone: &TimeZone) -> Markup {
    let (went, words, at) = state_text::last_slot(slot, server);
    let (mark, class) = match went {
        SlotResult::Well => ("✓", "good"),
        SlotResult::Gone => ("–", "muted"),
        SlotResult::On => ("…", "wait"),
        SlotResult::Badly => ("!", "bad"),
    };
    html! {
        span class=(class) aria-hidden="true" { (mark) } " " (words) " " (ago(at, view, zone))
    }
}

fn next_slot(slot: Option<&NextSlot>, view: &FleetView, zone: &TimeZone) -> Markup {
    let Some(slot) = slot else {
        return html! { "never" };
    };
    let left = span(slot.at.duration_since(view.time));
    html! { "in " (instant(slot.at, zone, &left)) }
}

/// Renders a health as a word with a sign, so that colour is never the only distinction.
fn badge(health: Health) -> Markup {
    let sign = match health {
        Health::Ok => "✓",
        Health::New => "↻",
        Health::Attention => "!",
        Health::Failing | Health::Unprotected => "✕",
        Health::Unknown => "?",
    };
    html! {
        span class={ "badge " (health.word()) } { span aria-hidden="true" { (sign) } " " (health.word()) }
    }
}

/// Renders the activity, with its reason and why the server can't be listed.
fn doing(server: &ServerView, view: &FleetView, zone: &TimeZone) -> Markup {
    let words = state_text::activity(server, view.time, zone);
    html! {
        span.activity { (words) }
        @if let Some(reason) = &server.reason {
            " " span.reason title=(shown(reason, REASON_SHOWN)) { (shown(reason, REASON_SHOWN)) }
        }
        @if let Some(why) = state_text::not_listed(server, view.time) {
            " " span.reason title=(shown(&why, REASON_SHOWN)) { (shown(&why, REASON_SHOWN)) }
        }
    }
}

/// Renders the age of the newest copy.
fn copy(server: &ServerView, view: &FleetView, zone: &TimeZone) -> Markup {
    match (server.newest_copy, server.listed) {
        (Some(at), _) => ago(at, view, zone),
        (None, Some(_)) => html! { "none" },
        (None, None) => html! { "unknown" },
    }
}

/// Makes a foreign text safe: truncated, without characters that control a terminal or reverse
/// the reading direction.
fn shown(text: &str, most: usize) -> String {
    printable(text, most)
}

#[cfg(test)]
mod tests;
