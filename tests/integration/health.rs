//! For each state of a server and of the service, `status`, its JSON, the page, the metrics, the
//! trail and a receiver agree.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::health_states::{STATES, Scene, State};
use crate::support::http::get;
use crate::support::{stdout, until};

#[test]
fn in_every_state_all_that_people_see_agrees() {
    let mut views = Map::new();
    for state in &STATES {
        let mut scene = Scene::new();
        (state.make)(&mut scene);
        let shown = || -> Value {
            serde_json::from_str(&stdout(&scene.home.run(&["status", "--json"]))).expect("JSON")
        };
        let kinds = |view: &Value| -> Vec<String> {
            let alerts = view["alerts"].as_array().expect("alerts").iter();
            let mut kinds: Vec<_> = alerts
                .map(|alert| alert["alert"].as_str().expect("a word").to_owned())
                .collect();
            kinds.sort_unstable();
            kinds
        };
        until(state.name, || {
            let view = shown();
            let server = &view["servers"][0];
            server["health"] == state.health
                && server["activity"] == state.activity
                && kinds(&view) == state.alerts
        });
        agrees(state, &scene, &shown());
        views.insert(state.name.to_owned(), kept(&shown(), &scene));
        drop(scene.service.take());
    }
    // The screens of `status` are rendered from these. They change with each run, so they are
    // written only if asked for.
    if std::env::var("SNAPROTATE_UPDATE").is_ok_and(|what| what == "views") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens/views.json");
        let text = serde_json::to_string_pretty(&views).expect("JSON");
        std::fs::write(path, text + "\n").expect("written");
    }
}

/// Returns the view without what differs from host to host.
fn kept(view: &Value, scene: &Scene) -> Value {
    let folder = scene.home.path("").display().to_string();
    let text = view
        .to_string()
        .replace(folder.trim_end_matches('/'), "/etc/snaprotate");
    let mut view: Value = serde_json::from_str(&text).expect("JSON");
    view["config"] = "/etc/snaprotate/snaprotate.toml".into();
    view["pid"] = 4711.into();
    view
}

/// Compares what each reader sees with the view.
fn agrees(state: &State, scene: &Scene, view: &Value) {
    let State {
        name,
        health,
        activity,
        alerts,
        ..
    } = state;
    let server = &view["servers"][0];
    let time = |value: &Value| {
        value
            .as_str()
            .map(|at| at.parse::<Timestamp>().expect("a time"))
    };
    let fresh = time(&server["fresh_until"]) > time(&view["time"]);
    assert!(*health != "ok" || fresh, "{name}: {server}");
    let good = *health == "ok" && alerts.is_empty();
    assert_eq!(view["healthy"], good, "{name}: {view}");

    let status = scene.home.run(&["status"]);
    let text = anstream::adapter::strip_str(&stdout(&status)).to_string();
    assert_eq!(
        status.status.code(),
        Some(i32::from(!good)),
        "{name}: {text}"
    );
    let first = text.lines().next().expect("a line");
    let verdict = match (*health, alerts.is_empty()) {
        ("ok", true) => "✓ All is well on 1 server",
        ("new", _) => "✓ Nothing needs you; 1 of 1 server without a fresh copy yet",
        ("ok", false) => "✕ The service needs you; 1 server",
        _ => "✕ 1 of 1 server needs you",
    };
    assert!(first.starts_with(verdict), "{name}: {text}");
    // The other alert is counted beside the one that says why.
    for alert in alerts
        .iter()
        .filter(|alert| !["stale", "no_copy"].contains(*alert))
    {
        let words = alert.replace('_', " ");
        assert!(text.contains(&words), "{name}: {text}");
    }
    let one = scene.home.run(&["status", "web"]);
    let whole = stdout(&one);
    assert_eq!(one.status.code(), Some(i32::from(!good)), "{name}: {whole}");
    let title = format!("): {health}; ");
    assert!(
        whole.lines().next().expect("a line").contains(&title),
        "{name}: {whole}"
    );

    let page = get(scene.address, "/").body;
    let row = format!("role=\"cell\" title=\"{health}; ");
    assert!(page.contains(&row), "{name}: {page}");
    let class = match (*health, alerts.is_empty()) {
        ("ok", true) => "well",
        ("new", _) => "begun",
        _ => "ill",
    };
    let heading = format!("<div class=\"verdict {class}\">");
    assert!(page.contains(&heading), "{name}: {page}");
    let api: Value =
        serde_json::from_str(&get(scene.address, "/api/v1/status").body).expect("JSON");
    for key in ["health", "activity", "newest_copy", "fresh_until"] {
        assert_eq!(api["servers"][0][key], server[key], "{name}: {key}");
    }

    let metrics = get(scene.address, "/metrics").body;
    let count = |series: &str| {
        let lines = metrics.lines().filter(|line| line.starts_with(series));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum::<u64>()
    };
    let of_health = format!("snaprotate_servers{{health=\"{health}\"}}");
    let of_activity = format!("snaprotate_servers_by_activity{{activity=\"{activity}\"}}");
    assert_eq!(
        (count(&of_health), count(&of_activity)),
        (1, 1),
        "{name}: {metrics}"
    );
    let mut own = metrics
        .lines()
        .filter(|line| line.starts_with("snaprotate_server_health{"));
    let own = own.next().expect("a series");
    assert!(
        own.ends_with(&format!("health=\"{health}\"}} 1")),
        "{name}: {own}"
    );
    for alert in *alerts {
        let series = format!("snaprotate_alerts{{kind=\"{alert}\"}}");
        assert_eq!(count(&series), 1, "{name}: {series}");
    }

    until("the receiver has the alerts", || {
        let told = scene.hook.told();
        alerts
            .iter()
            .all(|alert| told.contains(&format!("raised {alert}")))
    });
    // The trail can't record that it can't be written.
    let recorded = scene.home.events("alert_raised");
    for alert in alerts.iter().filter(|alert| **alert != "trail_unwritable") {
        let record = recorded.iter().find(|record| record["alert"] == **alert);
        assert!(record.is_some(), "{name}: {alert} in {recorded:?}");
    }
    for alert in view["alerts"].as_array().expect("alerts") {
        assert!(
            alert["what"].is_string() && alert["harm"].is_string(),
            "{name}: {alert}"
        );
        assert!(alert["remedy"].is_string(), "{name}: {alert}");
    }
}
