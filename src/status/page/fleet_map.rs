//! The map of a large fleet: one small cell for each server, in the order of the names, so that a
//! cell stays where it is. It is for the eye: screen readers and the keyboard have the table.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::search_and_sort::{encoded, natural};
use super::{NAME_SHOWN, shown};
use crate::core::health::Health;
use crate::status::attention::needs_somebody;
use crate::status::view::{Activity, FleetView, ServerView};

/// Number of servers from which a map is drawn.
const FROM: usize = 100;

/// Number of servers from which its cells are smaller.
const SMALL_FROM: usize = 1000;

/// The kinds of cells: the class, and its meaning.
const KINDS: [(&str, &str); 5] = [
    ("ok", "ok"),
    ("bad", "no fresh copy"),
    ("warn", "an alert, but a fresh copy"),
    ("off", "paused"),
    ("new", "first snapshot in progress, or not listed yet"),
];

fn class(server: &ServerView) -> &'static str {
    match server.health {
        Health::Failing | Health::Unprotected => "bad",
        Health::New | Health::Unknown if needs_somebody(server) => "bad",
        Health::Attention => "warn",
        _ if server.activity == Activity::Paused => "off",
        Health::New | Health::Unknown => "new",
        Health::Ok => "ok",
    }
}

/// Returns true if the fleet is large enough for a map.
pub(super) fn is_drawn(view: &FleetView) -> bool {
    view.servers.len() >= FROM
}

/// Draws the map; nothing for a small fleet.
pub(super) fn drawn(view: &FleetView) -> Markup {
    if !is_drawn(view) {
        return html! {};
    }
    let mut servers: Vec<_> = view.servers.iter().collect();
    servers.sort_by_cached_key(|server| natural(server));
    let small = servers.len() >= SMALL_FROM;
    let short = ShortAddresses::new(view);
    let count = |wanted: &str| servers.iter().filter(|s| class(s) == wanted).count();
    html! {
        section aria-labelledby="map" {
            h2 id="map" { "Map of the fleet" }
            ul.legend id="map-legend" data-live aria-label="Servers on the map" {
                @for (kind, words) in KINDS {
                    @let count = count(kind);
                    @if count > 0 {
                        li { span.map aria-hidden="true" { i class=(kind) {} } " " (count) " " (words) }
                    }
                }
            }
            div.map.small[small] id="cells" data-live aria-hidden="true" {
                @for server in servers {
                    a class=(class(server)) href={ "/server/" (short.of(server)) } tabindex="-1"
                        title={ (shown(&server.name, NAME_SHOWN)) ": " (server.health.word()) } {}
                }
            }
        }
    }
}

/// The shortest word for each server in an address. A UUID can't be compressed, and five thousand
/// of them would be most of the page; the name of a policy's file can.
struct ShortAddresses<'a>(BTreeMap<&'a str, usize>);

impl<'a> ShortAddresses<'a> {
    fn new(view: &'a FleetView) -> Self {
        let mut uses = BTreeMap::new();
        for server in view.servers.iter().filter(|s| s.id.text().is_some()) {
            *uses.entry(&*server.file).or_default() += 1;
            if server.name != server.file {
                *uses.entry(&*server.name).or_default() += 1;
            }
        }
        Self(uses)
    }

    fn of(&self, server: &ServerView) -> String {
        match self.0.get(&*server.file) {
            Some(1) => encoded(&server.file),
            _ => server.id.component(),
        }
    }
}

#[cfg(test)]
#[path = "fleet_map_tests.rs"]
mod tests;
