//! The meaning of every sign on the pages.

use maud::{Markup, html};

use super::{capacity_bar, slot_strip};

/// The signs of states, with the class of their colour.
const STATES: [(&str, &str, &str); 7] = [
    ("failing", "✕", "no fresh copy, or none at all"),
    ("attention", "!", "an alert, but a fresh copy"),
    ("new", "↻", "work in progress"),
    ("off", "‖", "paused"),
    ("ok", "✓", "fresh copy, no alert"),
    ("unknown", "?", "can't be listed"),
    ("muted", "+1", "one more alert"),
];

pub(super) fn legend() -> Markup {
    html! {
        section.legends aria-labelledby="legend" {
            h2 id="legend" { "Legend" }
            ul.legend aria-label="States" {
                @for (class, sign, words) in STATES {
                    li { span class={ "badge " (class) } { (sign) } " " (words) }
                }
            }
            (slot_strip::legend())
            (capacity_bar::legend())
            p.hint {
                strong { "Restorable" } ": the server has a completed snapshot, own or foreign, to go back to. "
                strong { "Newest copy" } ": the age of the newest of them. "
                strong { "Slot" } ": a scheduled time of a rotation."
            }
        }
    }
}
