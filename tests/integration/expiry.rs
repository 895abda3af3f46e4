//! `create --expire`: a manual snapshot that is deleted when its time is over, and never another.

use super::orders::{ends, good, quick, settled};
use crate::support::{days_ago, stdout, until, verified};
use serde_json::Value;

#[test]
fn i1_an_expired_snapshot_is_deleted_by_its_recorded_id_and_is_shown_until_then() {
    let place = quick();
    let service = settled(&place);
    let made = good(
        &place
            .home
            .run(&["create", "web", "trial", "--expire", "4s", "--wait"]),
    );
    assert!(made.contains("; it expires on 20"), "{made}");
    until("the expiry is recorded", || {
        !place.home.events("snapshot_expires").is_empty()
    });
    let listed = stdout(&place.home.run(&["list", "web"]));
    assert!(listed.contains("foreign, expires 20"), "{listed}");
    let status = stdout(&place.home.run(&["status", "web"]));
    assert!(
        status.contains("a manual snapshot: it expires at 20"),
        "{status}"
    );
    let json = stdout(&place.home.run(&["status", "--json"]));
    let view: Value = serde_json::from_str(&json).expect("JSON");
    let rows = view["servers"][0]["snapshots"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == "trial");
    let expires = &place.home.events("snapshot_expires")[0];
    assert_eq!(row.expect("a row")["expires"], expires["expires"]);
    until("it is deleted", || {
        !place.home.events("delete_confirmed").is_empty()
    });
    let intent = &place.home.events("delete_intent")[0];
    assert_eq!(intent["id"], expires["id"]);
    assert_eq!(intent["expired"], true);
    assert_eq!(place.provider.sandbox.counts().delete, 1);
    let names = place.provider.names(12345);
    assert!(!names.contains(&"trial".to_owned()), "{names:?}");
    assert!(names.contains(&"by-hand".to_owned()), "{names:?}");
    assert_eq!(service.stop(), Some(0));
    verified(&place.home);
}

#[test]
fn i1_a_snapshot_that_is_protected_or_has_another_date_by_then_stays() {
    for change in ["date", "protected"] {
        let place = quick();
        good(
            &place
                .home
                .run(&["create", "web", "trial", "--expire", "2s"]),
        );
        assert_eq!(place.home.run(&["once"]).status.code(), Some(0));
        let expires = &place.home.events("snapshot_expires")[0];
        let sandbox = &place.provider.sandbox;
        if change == "date" {
            let id = expires["id"].as_u64().expect("an id");
            let mut rows = sandbox.truth(12345);
            rows.retain(|row| row.id == id);
            let mut row = rows.remove(0);
            row.created_at = days_ago(1);
            sandbox.put(row);
        } else {
            good(&place.home.run(&["protect", "web", "trial"]));
        }
        let at: jiff::Timestamp = expires["expires"]
            .as_str()
            .and_then(|at| at.parse().ok())
            .expect("a time");
        until("its time is over", || jiff::Timestamp::now() > at);
        assert_eq!(place.home.run(&["once"]).status.code(), Some(0));
        assert_eq!(sandbox.counts().delete, 0, "{change}");
        if change == "protected" {
            good(&place.home.run(&["unprotect", "web", "trial"]));
            assert_eq!(place.home.run(&["once"]).status.code(), Some(0));
            assert_eq!(sandbox.counts().delete, 1);
        }
        verified(&place.home);
    }
}

#[test]
fn i1_a_pause_keeps_an_expired_snapshot_until_it_ends() {
    let place = quick();
    let service = settled(&place);
    good(
        &place
            .home
            .run(&["create", "web", "trial", "--expire", "2s", "--wait"]),
    );
    until("the expiry is recorded", || {
        !place.home.events("snapshot_expires").is_empty()
    });
    good(&place.home.run(&["pause", "web", "--for", "4s"]));
    until("it is deleted", || {
        !place.home.events("delete_confirmed").is_empty()
    });
    let trail = place.home.trail();
    let at = |event: &str| trail.iter().position(|record| record["event"] == event);
    assert!(at("pause_ended") < at("delete_intent"), "{trail:?}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn an_expiry_that_is_no_duration_is_refused_before_anything_is_sent() {
    let place = quick();
    let odd = place
        .home
        .run(&["create", "web", "trial", "--expire", "soon"]);
    ends(
        &odd,
        2,
        "--expire soon is not a duration: write 90m, 12h, 3d or 1w",
    );
    assert_eq!(place.provider.sandbox.counts().create, 0);
}
