use super::*;
use crate::core::snapshot::{ServerId, SnapshotId};
use crate::notify::ReceiverView;
use crate::status::view::{Activity, AlertView, RotationView, ServerView, SnapshotView};

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) fn server_view(id: u64, name: &str, health: Health) -> ServerView {
    ServerView {
        id: ServerId::from(id),
        name: name.to_owned(),
        file: format!("file-{id}"),
        health,
        alerts: 0,
        newest_copy: None,
        fresh_until: None,
        activity: Activity::Idle,
        activity_since: None,
        activity_until: None,
        reason: None,
        limit: 5,
        listed: Some(at("2026-11-25T06:00:00Z")),
        unlisted: None,
        snapshots: Vec::new(),
        rotations: vec![RotationView {
            name: "daily".to_owned(),
            keep: 2,
            held: Some(0),
            completed: None,
            last: None,
            next: None,
            recent: Vec::new(),
        }],
        upcoming: None,
        pause: None,
    }
}

pub(super) fn snapshot(id: u64, name: &str, status: &str, rotation: Option<&str>) -> SnapshotView {
    SnapshotView {
        id: SnapshotId::from(id),
        name: name.to_owned(),
        status: status.to_owned(),
        created_at: None,
        rotation: rotation.map(Into::into),
        verdict: "keep".to_owned(),
        reason: "within keep".to_owned(),
        protected: false,
        expires: None,
    }
}

pub(super) fn view(servers: Vec<ServerView>) -> FleetView {
    FleetView {
        version: "1".to_owned(),
        pid: 1,
        config: "x.toml".to_owned(),
        started: at("2026-11-25T05:00:00Z"),
        read: None,
        time: at("2026-11-25T06:00:00Z"),
        healthy: true,
        paused: None,
        alerts: Vec::new(),
        receivers: Vec::new(),
        servers,
        pause: None,
    }
}

pub(super) fn asked(query: &str) -> SearchQuery {
    let uri: axum::http::Uri = format!("/?{query}").parse().expect("a uri");
    let fields = axum::extract::Query::<Vec<_>>::try_from_uri(&uri);
    SearchQuery::from(fields.expect("a query").0)
}

/// Returns the ids of the rows in their order.
pub(super) fn rows(view: &FleetView, query: &str) -> Vec<u64> {
    let html = fleet(view, &asked(query), &TimeZone::UTC);
    let rows = html.split("id=\"row-").skip(1);
    rows.map(|rest| {
        rest.split('"')
            .next()
            .expect("an id")
            .parse()
            .expect("a number")
    })
    .collect()
}

#[test]
fn an_alert_is_shown_in_its_servers_row_and_rows_are_sorted_by_health() {
    let mut all = view(vec![
        server_view(1, "blocked", Health::Unprotected),
        server_view(2, "fine", Health::Ok),
        server_view(3, "attention", Health::Attention),
    ]);
    all.servers[0].activity = Activity::Blocked;
    all.servers[2].alerts = 3;
    for (server, alert) in [
        (1, "blocked"),
        (3, "slot_failed"),
        (3, "overdue"),
        (3, "overdue"),
    ] {
        all.alerts.push(AlertView {
            alert: alert.to_owned(),
            server: Some(ServerId::from(server)),
            about: "daily".to_owned(),
            reason: String::new(),
            what: "see snaprotate audit show --failed".to_owned(),
            cause: Some("volume <busy>".to_owned()),
            harm: Some("newest copy: 1 d old".to_owned()),
            remedy: Some("run x".to_owned()),
            command: Some("x".to_owned()),
            since: Some(at("2026-11-23T03:00:00Z")),
            acknowledged: None,
        });
    }
    assert_eq!(rows(&all, "sort=state"), [1, 3, 2]);
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    for state in [
        "✕</span> blocked</span></td>",
        "!</span> overdue</span> <span class=\"more\">+2</span></td>",
        "✓</span> ok</span></td>",
    ] {
        assert!(html.contains(state), "{state}: {html}");
    }
    for part in [
        "title=\"attention; alerts: overdue, slot failed; idle, no slot follows\"",
        "see snaprotate audit show <span class=\"option\">--failed</span></span>",
        "<q class=\"cause\">volume &lt;busy&gt;</q> <span class=\"harm\">newest copy: 1 d old</span>",
        "<span class=\"remedy\">→ <code>x</code><button class=\"copy\" type=\"button\" data-copy=\"x\" hidden>Copy</button></span>",
        "for <time datetime=\"2026-11-23T03:00:00Z\" title=\"2026-11-23 03:00 UTC\">2 d 3 h</time>",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("more: "), "{html}");
    // Alerts that are alike share a line; others have one each.
    let one = all.alerts[1].clone();
    for id in 10..30 {
        all.servers
            .push(server_view(id, &format!("s-{id}"), Health::Attention));
        let what = if id < 15 {
            "alike"
        } else {
            &format!("other {id}")
        };
        all.alerts.push(AlertView {
            server: Some(ServerId::from(id)),
            what: what.to_owned(),
            ..one.clone()
        });
    }
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    let counted = "<a href=\"/?q=alert+slot_failed\"><strong>21</strong> slot failed</a>";
    for part in [
        "s-12</a> <a href=\"/?show=needs-you\">and 2 more</a>",
        "And 6 more: ",
        counted,
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

#[test]
fn a_receiver_whose_delivery_failed_is_named() {
    let mut all = view(vec![server_view(1, "a", Health::Ok)]);
    let receiver = |name: &str, error: Option<&str>| ReceiverView {
        name: name.to_owned(),
        r#type: "slack".to_owned(),
        delivered: 1,
        dropped: 0,
        error: error.map(str::to_owned),
        held_until: None,
    };
    all.receivers = vec![receiver("ops", None), receiver("<b>", Some("HTTP 500"))];
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    let line = "! </span>receiver &lt;b&gt; (slack): delivery failed: HTTP 500</p>";
    assert!(html.contains(line), "{html}");
    assert_eq!(html.matches("class=\"receiver\"").count(), 1, "{html}");
}

#[test]
fn text_from_the_address_is_escaped_where_the_page_shows_it() {
    let all = view(vec![server_view(1, "a", Health::Ok)]);
    let html = fleet(
        &all,
        &asked("q=%22%3E%3Cscript%3E&sort=%3Cb%3E"),
        &TimeZone::UTC,
    );
    assert!(
        html.contains("value=\"&quot;&gt;&lt;script&gt;\""),
        "{html}"
    );
    assert!(
        !html.contains("<script>") && !html.contains("<b>"),
        "{html}"
    );
}

#[test]
fn a_snapshot_is_shown_with_its_own_age_and_not_with_its_slots() {
    let mut one = server_view(1, "a", Health::Ok);
    one.snapshots = vec![snapshot(2, "d-1", "completed", Some("daily"))];
    one.rotations[0].last = Some(LastSlot {
        snapshot: "d-1".into(),
        slot: at("2026-11-20T06:00:00Z"),
        ending: Some("completed".to_owned()),
    });
    let words = |one: &ServerView| {
        let slot = one.rotations[0].last.clone().expect("a slot");
        text(&last_slot(&slot, one, &view(Vec::new()), &TimeZone::UTC).into_string())
    };
    one.snapshots[0].created_at = Some(at("2026-11-25T05:59:50Z"));
    assert_eq!(words(&one), "✓ made 10 s ago");
    one.snapshots[0].created_at = None;
    assert_eq!(words(&one), "✓ completed, due 5 d ago");
    one.snapshots.clear();
    assert_eq!(words(&one), "– gone, due 5 d ago");
}

#[test]
fn the_verdict_has_what_can_be_restored_the_oldest_newest_copy_and_the_next_slot() {
    let mut servers = vec![
        server_view(1, "a", Health::Ok),
        server_view(2, "b", Health::Failing),
        server_view(3, "bare", Health::Unprotected),
    ];
    for (server, made) in [(0, "2026-11-25T03:00:00Z"), (1, "2026-10-28T06:00:00Z")] {
        let mut own = snapshot(2, "d-1", "completed", Some("daily"));
        own.created_at = Some(at(made));
        servers[server].snapshots.push(own);
        servers[server].newest_copy = Some(at(made));
        servers[server].rotations[0].next = Some(NextSlot {
            snapshot: "n".into(),
            at: at("2026-11-26T03:00:00Z"),
        });
    }
    let mut all = view(servers);
    all.healthy = false;
    let html = text(&fleet(&all, &asked(""), &TimeZone::UTC));
    for part in [
        "2 of 3 servers need you",
        "1 has nothing to restore from: bare",
        "restorable2/3",
        "oldest of the newest copies28 d",
        "next slot, 2 serverstomorrow 03:00",
        "Times are in the zone UTC.",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}

#[test]
fn the_next_slot_of_a_server_says_when_it_can_run() {
    let mut one = server_view(1, "a", Health::Ok);
    one.rotations[0].next = Some(NextSlot {
        snapshot: "n".into(),
        at: at("2026-11-25T06:20:00Z"),
    });
    let next = |one: &ServerView| {
        let words = next_change(one, &view(Vec::new()), &TimeZone::UTC);
        text(&words.into_string())
    };
    assert_eq!(next(&one), "06:20");
    one.activity_until = Some(at("2026-11-25T06:30:00Z"));
    for (activity, words) in [
        (Activity::Restoring, "after 06:30"),
        (Activity::Paused, "after resume"),
        (Activity::Blocked, "when not blocked"),
        (Activity::Creating, "06:20"),
    ] {
        one.activity = activity;
        assert_eq!(next(&one), words);
    }
    one.activity = Activity::Restoring;
    one.activity_until = Some(at("2026-11-25T06:10:00Z"));
    assert_eq!(next(&one), "06:20");
    one.rotations[0].next = None;
    assert_eq!(next(&one), "never");
}

/// Returns the text of a page, without its elements.
pub(super) fn text(html: &str) -> String {
    let parts = html
        .split('<')
        .map(|part| part.rsplit('>').next().unwrap_or_default());
    parts.collect()
}

#[test]
fn a_pause_is_shown_above_the_summary_and_nothing_is_shown_if_nothing_is_paused() {
    let mut all = view(vec![
        server_view(1, "a", Health::Ok),
        server_view(2, "b", Health::Ok),
    ]);
    all.servers[0].activity = Activity::Paused;
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    let before = |html: &str, words: &str| html.find(words) < html.find("All is well");
    assert!(html.contains("1 server paused"), "{html}");
    assert!(before(&html, "1 server paused"), "{html}");
    assert!(html.contains("<code>snaprotate resume a</code>"), "{html}");
    all.paused = Some(at("2026-11-20T12:00:00Z"));
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    let told = "ALL PAUSED since 2026-11-20 12:00 UTC";
    assert!(html.contains(told) && before(&html, told), "{html}");
    all.paused = None;
    all.servers[0].activity = Activity::Idle;
    let html = fleet(&all, &asked(""), &TimeZone::UTC);
    assert!(!html.contains("class=\"held\""), "{html}");
}

#[test]
fn each_place_is_drawn_with_its_own_symbol_and_described_in_words() {
    let mut one = server_view(1, "a", Health::Ok);
    one.snapshots = vec![
        snapshot(1, "theirs", "completed", None),
        snapshot(2, "d-1", "completed", Some("daily")),
        snapshot(3, "d-2", "in_progress", Some("daily")),
        snapshot(4, "d-3", "failed", Some("daily")),
    ];
    let html = capacity_bar::drawn(&one).into_string();
    let told = "aria-label=\"4 of 5: 1 daily, 1 foreign, 1 in progress, 1 failed; 1 empty\"";
    assert!(html.contains(told), "{html}");
    let classes: Vec<_> = html.split("class=\"slot ").skip(1).collect();
    let order = ["r0", "foreign", "progress", "failed", "empty"];
    assert_eq!(classes.len(), order.len());
    for (place, class) in classes.iter().zip(order) {
        assert!(place.starts_with(class), "{html}");
    }
}

#[test]
fn a_page_states_its_refresh_interval_and_the_not_found_page_states_none() {
    let page = fleet(&view(Vec::new()), &asked(""), &TimeZone::UTC);
    assert!(
        page.contains("<html lang=\"en\" data-every=\"5\">"),
        "{page}"
    );
    assert!(!nothing("There is no such page.").contains("data-every"));
}

#[test]
fn a_failed_listing_is_shown_in_the_heading_and_in_its_servers_row() {
    let mut one = server_view(1, "a", Health::Ok);
    let html = |one: &ServerView| {
        let mut view = view(vec![one.clone(), server_view(2, "b", Health::Ok)]);
        view.time = at("2026-11-25T06:12:00Z");
        fleet(&view, &asked(""), &TimeZone::UTC)
    };
    let well = html(&one);
    assert!(!well.contains("listed now") && !well.contains("not listed for"));
    one.unlisted = Some("no answer; retry in 2 min".to_owned());
    let told = html(&one);
    let heading = "1 server can't be listed now: the oldest listing is from 2026-11-25 06:00 UTC";
    assert!(told.contains(heading), "{told}");
    assert!(told.contains("not listed for 12 min: no answer"), "{told}");
}
