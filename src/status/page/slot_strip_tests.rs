use jiff::tz::TimeZone;

use super::*;
use crate::core::health::Health;
use crate::status::page::tests::{at, server_view};

#[test]
fn the_strip_shows_the_newest_14_slots_of_all_rotations_each_with_its_outcome() {
    let mut one = server_view(1, "a", Health::Ok);
    let slot = |text: &str, ending, retried| RecentSlot {
        slot: at(text),
        ending,
        retried,
    };
    let day = |day: u32| format!("2026-11-{day:02}T03:00:00Z");
    let made = Some(SlotOutcome::Completed);
    one.rotations[0].recent = (8..=20).map(|n| slot(&day(n), made, n == 12)).collect();
    let mut weekly = one.rotations[0].clone();
    weekly.recent = vec![
        slot("2026-11-07T02:00:00Z", Some(SlotOutcome::Skipped), false),
        slot("2026-11-14T02:00:00Z", Some(SlotOutcome::GivenUp), true),
        slot("2026-11-21T02:00:00Z", None, false),
    ];
    one.rotations.push(weekly);
    let html = of_server(&one).into_string();
    let cells: Vec<_> = html.split("<i class=\"").skip(1).collect();
    let cells = cells
        .iter()
        .map(|cell| cell.split('"').next().expect("a class"));
    let cells: Vec<_> = cells.collect();
    assert_eq!(cells.len(), 14, "{html}");
    assert_eq!(cells[3], "retried");
    assert_eq!(cells[5], "missing");
    assert_eq!(cells[13], "open");
    let told = "aria-label=\"last 14 slots: 11 completed, 1 completed after failed attempts, 1 no snapshot: given up, 1 not settled yet\"";
    assert!(html.contains(told), "{html}");
    let weekly = of_rotation(&one.rotations[1], &TimeZone::UTC).into_string();
    assert_eq!(weekly.matches("<i></i>").count(), 11, "{weekly}");
    let title = "class=\"skipped\" title=\"daily, 2026-11-07 02:00 UTC: no snapshot: skipped\"";
    assert!(weekly.contains(title), "{weekly}");
    one.rotations.clear();
    let none = of_server(&one).into_string();
    assert!(none.contains("aria-label=\"no slot yet\""), "{none}");
}
