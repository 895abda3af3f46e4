//! Draws the outcomes of the last slots as a strip, oldest first. Each outcome has a shape besides
//! its colour, and the strip has a text alternative for screen readers.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::{NAME_SHOWN, shown};
use crate::core::recent_slots::{RecentSlot, SHOWN};
use crate::core::sanitize::{counted, local};
use crate::core::server_event::SlotOutcome;
use crate::status::view::{RotationView, ServerView};

/// The kinds of cells: the class, and the words for one slot.
const KINDS: [(&str, &str); 6] = [
    ("made", "completed"),
    ("retried", "completed after failed attempts"),
    ("missing", "no snapshot: given up"),
    ("skipped", "no snapshot: skipped"),
    ("off", "passed during a pause"),
    ("open", "not settled yet"),
];

fn kind(slot: RecentSlot) -> (&'static str, &'static str) {
    KINDS[match slot.ending {
        Some(SlotOutcome::Completed) if slot.retried => 1,
        Some(SlotOutcome::Completed) => 0,
        Some(SlotOutcome::GivenUp) => 2,
        Some(SlotOutcome::Skipped) => 3,
        Some(SlotOutcome::Paused) => 4,
        None => 5,
    }]
}

/// Draws the last slots of all rotations of a server.
pub(super) fn of_server(server: &ServerView) -> Markup {
    let slots = server
        .rotations
        .iter()
        .flat_map(|rotation| &rotation.recent);
    let mut slots: Vec<_> = slots.copied().collect();
    slots.sort_by_key(|slot| slot.slot);
    slots.drain(..slots.len().saturating_sub(SHOWN));
    strip(&slots, |_| None)
}

/// Draws the last slots of one rotation, each with its time.
pub(super) fn of_rotation(rotation: &RotationView, zone: &TimeZone) -> Markup {
    strip(&rotation.recent, |slot| {
        let (_, words) = kind(slot);
        let name = shown(&rotation.name, NAME_SHOWN);
        Some(format!("{name}, {}: {words}", local(slot.slot, zone)))
    })
}

fn strip(slots: &[RecentSlot], title: impl Fn(RecentSlot) -> Option<String>) -> Markup {
    html! {
        span.strip role="img" aria-label=(told(slots)) {
            @for _ in slots.len()..SHOWN { i {} }
            @for slot in slots { i class=(kind(*slot).0) title=[title(*slot)] {} }
        }
    }
}

/// Returns the strip as text: "last 14 slots: 13 completed, 1 skipped".
fn told(slots: &[RecentSlot]) -> String {
    if slots.is_empty() {
        return "no slot yet".to_owned();
    }
    let counts = KINDS.iter().filter_map(|(class, words)| {
        let of_kind = slots.iter().filter(|slot| kind(**slot).0 == *class);
        let count = of_kind.count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    let counts: Vec<_> = counts.collect();
    format!(
        "last {}: {}",
        counted(slots.len(), "slot"),
        counts.join(", ")
    )
}

/// Renders the meaning of the cells.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend aria-label="Slots" {
            @for (class, words) in KINDS {
                li { span.strip aria-hidden="true" { i class=(class) {} } " " (words) }
            }
            li { span.strip aria-hidden="true" { i {} } " no slot recorded" }
        }
    }
}

#[cfg(test)]
#[path = "slot_strip_tests.rs"]
mod tests;
