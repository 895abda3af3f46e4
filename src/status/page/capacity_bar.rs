//! Draws a server's places: own snapshots by rotation, foreign, in progress, failed, empty. Each
//! taken place has a letter or sign besides its colour, and the bar has a text alternative for
//! screen readers.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{NAME_SHOWN, shown};
use crate::status::forecast_svg::COLOURS;
use crate::status::view::{ServerView, SnapshotView};

/// Maximum number of places that are drawn; a longer bar would not fit into its column.
const DRAWN: usize = 8;

/// One place in the bar.
struct BarCell {
    class: String,
    sign: String,
    title: String,
    /// Position of its kind in the bar.
    order: usize,
}

pub(super) fn drawn(server: &ServerView) -> Markup {
    if server.listed.is_none() {
        return html! { span.muted { "not listed yet" } };
    }
    let mut places: Vec<_> = server.snapshots.iter().map(|s| place(server, s)).collect();
    places.sort_by(|a, b| (a.order, &a.title).cmp(&(b.order, &b.title)));
    let empty = server.limit.saturating_sub(places.len());
    if server.limit.max(places.len()) > DRAWN {
        let (taken, limit) = (places.len(), server.limit);
        return html! { span title=(told(server, empty)) { (taken) " of " (limit) } };
    }
    html! {
        span.slots role="img" aria-label=(told(server, empty)) {
            @for place in &places {
                span class={ "slot " (place.class) } title=(place.title) aria-hidden="true" { (place.sign) }
            }
            @for _ in 0..empty {
                span class="slot empty" title="empty" aria-hidden="true" {}
            }
        }
    }
}

fn place(server: &ServerView, snapshot: &SnapshotView) -> BarCell {
    let name = shown(&snapshot.name, NAME_SHOWN);
    let rotation = snapshot.rotation.as_deref();
    let index = server
        .rotations
        .iter()
        .position(|known| Some(known.name.as_str()) == rotation);
    let (class, sign, order) = match (snapshot.kind(), index) {
        ("own", Some(index)) => (colour(index), initial(rotation.unwrap_or("?")), index),
        ("in_progress", _) => ("progress".to_owned(), "…".to_owned(), 97),
        ("failed", _) => ("failed".to_owned(), "!".to_owned(), 98),
        ("odd", _) => ("failed".to_owned(), "?".to_owned(), 99),
        _ => ("foreign".to_owned(), "◇".to_owned(), 96),
    };
    let whose = rotation.map_or_else(|| "foreign".to_owned(), |r| shown(r, NAME_SHOWN));
    let status = shown(&snapshot.status, NAME_SHOWN).replace('_', " ");
    BarCell {
        class,
        sign,
        title: format!("{name}: {whose}, {status}"),
        order,
    }
}

/// Returns the bar as text: "3 of 5: 2 weekly, 1 foreign; 2 empty".
fn told(server: &ServerView, empty: usize) -> String {
    let of = |kind: &'static str| server.snapshots.iter().filter(move |s| s.kind() == kind);
    let mut parts = Vec::new();
    for rotation in &server.rotations {
        let own = of("own").filter(|s| s.rotation.as_deref() == Some(rotation.name.as_str()));
        parts.push((own.count(), shown(&rotation.name, NAME_SHOWN)));
    }
    for (kind, words) in [
        ("foreign", "foreign"),
        ("in_progress", "in progress"),
        ("failed", "failed"),
        ("odd", "with an odd status or date"),
    ] {
        parts.push((of(kind).count(), words.to_owned()));
    }
    let mut text = format!("{} of {}", server.snapshots.len(), server.limit);
    let mut separator = ": ";
    for (count, words) in parts.into_iter().filter(|(count, _)| *count > 0) {
        // Writing into a string can't fail.
        let _ = write!(text, "{separator}{count} {words}");
        separator = ", ";
    }
    if empty > 0 {
        let _ = write!(text, "; {empty} empty");
    }
    text
}

pub(super) fn colour(rotation: usize) -> String {
    format!("r{}", rotation % COLOURS)
}

pub(super) fn initial(name: &str) -> String {
    name.chars()
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().collect())
}

/// Renders the meaning of the signs.
pub(super) fn legend() -> Markup {
    let entry = |class: &str, sign: &str, words: &str| {
        html! { li { span class={ "slot " (class) } aria-hidden="true" { (sign) } " " (words) } }
    };
    html! {
        ul.legend aria-label="Places" {
            (entry("r0", "W", "a place with an own snapshot, marked with its rotation's initial"))
            (entry("foreign", "◇", "foreign"))
            (entry("progress", "…", "in progress"))
            (entry("failed", "!", "failed"))
            (entry("failed", "?", "unknown status or date"))
            (entry("empty", "", "empty"))
        }
    }
}
