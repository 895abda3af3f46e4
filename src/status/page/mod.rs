//! The status page as HTML. It is complete without JavaScript; with it, a script replaces the parts
//! marked `data-live` as they change.
//!
//! - `overview_page`: all servers, with `fleet_table` and `fleet_map`; `search_and_sort`: their
//!   filters and order.
//! - `server_page`: one server; `recent_records`: its records.
//! - `alerts`: the active alerts.
//! - `capacity_bar` and `slot_strip` draw a server's places and its last slots; `legend` explains
//!   every sign.
//!
//! Every foreign text passes through [`shown`], and maud escapes its HTML.

mod alerts;
mod capacity_bar;
mod fleet_map;
mod fleet_table;
mod legend;
mod overview_page;
mod recent_records;
mod search_and_sort;
mod server_page;
mod slot_strip;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

pub(super) use self::overview_page::fleet;
pub(super) use self::search_and_sort::SearchQuery;
pub(super) use self::server_page::server;
use super::forecast_labels::zone_name;
use super::state_text::{self, SlotResult, clock_without_zone};
use super::view::{Activity, FleetView, LastSlot, NextSlot, ServerView};
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

fn foot(view: &FleetView) -> Markup {
    html! {
        p {
            "snaprotate " (view.version) ", process " (view.pid) ", " (shown(&view.config, NAME_SHOWN)) ". "
            a href="/metrics" { "Metrics" } " · " a href="/api/v1/status" { "JSON" } " · "
            a href="/healthz" { "Health" }
        }
    }
}

/// Renders the time of the view with the zone of all times, and how long the service has been
/// running. The minute is enough: with seconds, a page would never stay the same.
fn as_of(view: &FleetView, zone: &TimeZone) -> Markup {
    let running = span(view.time.duration_since(view.started));
    let minute = view.time.as_second().div_euclid(60) * 60;
    let minute = Timestamp::from_second(minute).unwrap_or(view.time);
    let words = minute.to_zoned(zone.clone());
    let words = words.strftime("%a %Y-%m-%d %H:%M").to_string();
    html! {
        p.asof id="asof" data-live {
            "As of " (instant(minute, zone, &words)) ", running for " (running)
            ". Times are in the zone " (zone_name(zone)) "."
        }
    }
}

/// Renders an instant in words, with the exact time as attribute and tooltip.
fn instant(at: Timestamp, zone: &TimeZone, words: &str) -> Markup {
    html! { time datetime=(at.to_string()) title=(local(at, zone)) { (words) } }
}

/// Returns the date and the time of day. The zone is in the line about the time of the page.
fn dated(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

fn ago(at: Timestamp, view: &FleetView, zone: &TimeZone) -> Markup {
    let words = format!("{} ago", span(view.time.duration_since(at)));
    instant(at, zone, &words)
}

/// Renders the age of an instant.
fn age(at: Timestamp, view: &FleetView, zone: &TimeZone) -> Markup {
    instant(at, zone, &span(view.time.duration_since(at)))
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

/// Renders when the next slot of a server can run.
fn next_change(server: &ServerView, view: &FleetView, zone: &TimeZone) -> Markup {
    next_slot(server.next_slot(), server, view, zone)
}

/// Renders when a slot can run: not during a pause, and not while a restored server is left alone.
fn next_slot(
    slot: Option<&NextSlot>,
    server: &ServerView,
    view: &FleetView,
    zone: &TimeZone,
) -> Markup {
    let Some(slot) = slot else {
        return html! { "never" };
    };
    let words = |at| clock_without_zone(at, view.time, zone);
    match (server.activity, server.activity_until) {
        (Activity::Paused, _) => html! { "after resume" },
        (Activity::Blocked, _) => html! { "when not blocked" },
        (Activity::Restoring, Some(until)) if slot.at < until => {
            html! { "after " (instant(until, zone, &words(until))) }
        }
        _ => instant(slot.at, zone, &words(slot.at)),
    }
}

/// Returns the sign of a health, so that colour is never the only distinction.
fn sign(health: Health) -> &'static str {
    match health {
        Health::Ok => "✓",
        Health::New => "↻",
        Health::Attention => "!",
        Health::Failing | Health::Unprotected => "✕",
        Health::Unknown => "?",
    }
}

/// Renders a health as a word with its sign.
fn badge(health: Health) -> Markup {
    html! {
        span class={ "badge " (health.word()) } { span aria-hidden="true" { (sign(health)) } " " (health.word()) }
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
fn copy_age(server: &ServerView, view: &FleetView, zone: &TimeZone) -> Markup {
    match (server.newest_copy, server.listed) {
        (Some(at), _) => age(at, view, zone),
        (None, Some(_)) => html! { "never" },
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
