//! Tests what `status` shows in every state that `tests/integration/health_states.rs` brings about.
//! The views are answers of the running service.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::*;
use crate::screen_tests::{Screens, folder};

/// Rows that hold everything.
const ROWS: Option<u16> = Some(60);

fn views() -> BTreeMap<String, FleetView> {
    let text = std::fs::read_to_string(folder().join("views.json")).expect("the views");
    serde_json::from_str(&text).expect("views")
}

#[test]
fn every_state_has_its_screens() {
    let (mut all, mut one) = (Screens::default(), Screens::default());
    for (state, view) in views() {
        all.add(&state, |width| {
            overview(&view, &TimeZone::UTC, Some(width), ROWS, false)
        });
        all.add(&format!("{state} (--all)"), |width| {
            overview(&view, &TimeZone::UTC, Some(width), ROWS, true)
        });
        one.add(&state, |width| {
            server(&view, &view.servers[0], &TimeZone::UTC, Some(width))
        });
    }
    all.compare("status.txt");
    one.compare("status-server.txt");
}

#[test]
fn a_screen_holds_the_verdict_and_as_many_lines_as_fit() {
    let views = views();
    let (_, view) = views
        .iter()
        .find(|(state, _)| *state == "stale")
        .expect("a view");
    let mut many = view.clone();
    for nth in 0..5_000_u64 {
        let id = crate::core::snapshot::ServerId::from(nth + 1);
        let mut server = view.servers[0].clone();
        server.name = format!("web-{nth:04}");
        server.id = id.clone();
        many.servers.push(server);
        let mut alert = view.alerts[0].clone();
        alert.server = Some(id);
        alert.what = format!("no snapshot {nth}");
        many.alerts.push(alert);
    }
    for (width, rows) in [(80, 24), (120, 30), (200, 60)] {
        let text = overview(&many, &TimeZone::UTC, Some(width), Some(rows), false);
        assert!(text.lines().count() < rows.into(), "{width}: {text}");
        assert!(
            text.contains("more lines: snaprotate status --all"),
            "{text}"
        );
    }
}
