//! `protect` and `unprotect`: as strong as the policy's list, with and without a service.

use super::orders::{each_way, ends, good, quick, settled};
use crate::support::notify::Service;
use crate::support::{daily_name, days_ago, stdout, until, verified};
use serde_json::Value;

#[test]
fn i1_a_protected_snapshot_is_neither_pruned_nor_deleted_by_order_until_it_is_unprotected() {
    each_way(|place, _| {
        let old = daily_name(3);
        let said = good(&place.home.run(&["protect", "web", &old]));
        let until = format!("is protected until snaprotate unprotect web {}", place.old);
        assert!(said.contains(&until), "{said}");
        let again = good(&place.home.run(&["protect", "web", &old]));
        assert!(again.contains("was protected already"), "{again}");
        let delete = place.home.run(&["delete", "web", &old, "--yes"]);
        ends(&delete, 1, "is protected: run snaprotate unprotect web");
        let listed = stdout(&place.home.run(&["list", "web"]));
        assert!(listed.contains("own (daily), protected"), "{listed}");
        let plan = stdout(&place.home.run(&["plan"]));
        assert!(plan.contains("protected by order of root"), "{plan}");
        let ended = good(
            &place
                .home
                .run(&["unprotect", "web", &place.old.to_string()]),
        );
        assert!(ended.contains("is no longer protected"), "{ended}");
        let none = place.home.run(&["unprotect", "web", &old]);
        ends(&none, 2, "no order protects");
        assert_eq!(place.home.events("snapshot_protected").len(), 1);
        assert_eq!(place.home.events("snapshot_protected")[0]["by"], "root");
        assert_eq!(place.home.events("snapshot_unprotected").len(), 1);
        good(&place.home.run(&["delete", "web", &old, "--yes"]));
    });
}

#[test]
fn i1_the_rotation_keeps_a_protected_snapshot_beyond_keep_also_after_a_restart() {
    let place = quick();
    for back in 1..3 {
        let (name, at) = (daily_name(back), days_ago(back));
        let sandbox = &place.provider.sandbox;
        sandbox.add_snapshot(12345, &name, "completed", at);
    }
    // The oldest is the next to be deleted; today's slot needs its place.
    good(&place.home.run(&["protect", "web", &daily_name(3)]));
    let service = settled(&place);
    let status = stdout(&place.home.run(&["status", "web", "--json"]));
    let view: Value = serde_json::from_str(&status).expect("JSON");
    let rows = view["servers"][0]["snapshots"].as_array().expect("rows");
    let protected: Vec<_> = rows.iter().filter(|row| row["protected"] == true).collect();
    assert_eq!(protected.len(), 1, "{rows:?}");
    assert_eq!(protected[0]["verdict"], "protected");
    assert_eq!(service.stop(), Some(0));
    let service = Service::start(&place.home);
    until("the service has listed", || {
        let status = stdout(&place.home.run(&["status", "--json"]));
        let view: Value = serde_json::from_str(&status).expect("JSON");
        view["servers"][0]["listed"].is_string()
    });
    let plan = good(&place.home.run(&["plan"]));
    assert!(!plan.contains("- delete"), "{plan}");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.provider.sandbox.counts().delete, 0);
    verified(&place.home);
}

#[test]
fn unprotect_of_a_snapshot_that_the_policy_lists_says_where_to_change_it() {
    let place = quick();
    place.home.policy(
        "web",
        "[server]\nid = 12345\nname = \"web\"\nprotect = [\"by-hand\"]\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n",
    );
    let listed = place.home.run(&["unprotect", "web", "by-hand"]);
    ends(
        &listed,
        1,
        "protect in web.toml lists by-hand: remove it there",
    );
    let both = good(&place.home.run(&["protect", "web", "by-hand"]));
    assert!(both.contains("protect in web.toml lists it too"), "{both}");
    let ended = good(&place.home.run(&["unprotect", "web", "by-hand"]));
    assert!(
        ended.contains("stays protected: protect in web.toml"),
        "{ended}"
    );
    let unknown = place.home.run(&["protect", "web", "nothing"]);
    ends(&unknown, 2, "web holds no snapshot nothing");
}
