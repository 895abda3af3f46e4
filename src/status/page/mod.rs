//! The page as HTML: whole without JavaScript; with it, parts marked `data-live` are
//! replaced in place as they change.
//!
//! - `server_table`: all servers; `search`: which of them, in which order. `server_page`: one of them whole, with its
//!   records by `recent_records`.
//! - `alerts`: those that stand.
//! - `capacity_bar`: the five places of a server, drawn.
//!
//! Every foreign text passes [`shown`], and maud escapes what is HTML in it.

mod alerts;
mod capacity_bar;
mod recent_records;
mod search;
mod server_page;
mod server_table;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

pub(super) use self::search::Asked;
pub(super) use self::server_page::server;
pub(super) use self::server_table::fleet;
use super::state_text::{self, SlotResult, span};
use super::view::{Activity, FleetView, LastSlot, NextSlot, ServerView};
use crate::core::sanitize::{local, printable};

/// As much of a name and of a reason as is shown.
const NAME_SHOWN: usize = 120;
const REASON_SHOWN: usize = 600;

/// What stands around every page; `every` is how often a script renews it, if it does.
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

/// A page about nothing.
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

/// The time of what is shown, and how long the service runs.
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

/// An instant said in words, and exactly to machines and on pointing.
fn instant(at: Timestamp, zone: &TimeZone, words: &str) -> Markup {
    html! { time datetime=(at.to_string()) title=(local(at, zone)) { (words) } }
}

fn ago(at: Timestamp, view: &FleetView, zone: &TimeZone) -> Markup {
    let words = format!("{} ago", span(view.time.duration_since(at)));
    instant(at, zone, &words)
}

/// How and when a slot went, in a few words.
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

/// The state as a word with a sign, so that colour is never the only one.
fn badge(state: Activity) -> Markup {
    let (sign, words) = match state {
        Activity::Resting => ("✓", "resting"),
        Activity::Working => ("↻", "working"),
        Activity::Due => ("◷", "due"),
        Activity::Blocked => ("✕", "blocked"),
        Activity::Paused => ("‖", "paused"),
        Activity::Unseen => ("?", "not listed yet"),
    };
    html! {
        span class={ "badge " (state.word()) } { span aria-hidden="true" { (sign) } " " (words) }
    }
}

/// Foreign text, cut and without what would steer a terminal or turn the reading direction.
fn shown(text: &str, most: usize) -> String {
    printable(text, most)
}

#[cfg(test)]
mod tests;
