//! `ack`: receivers get no repeats of an acknowledged alert, even after a restart.

use super::orders::{ends, good};
use crate::support::notify::Service;
use crate::support::receivers::{Hook, full, webhook};
use crate::support::{stdout, until, verified};
use serde_json::Value;

#[test]
fn an_acknowledged_alert_is_not_sent_again_after_a_restart_but_its_end_is() {
    let (provider, home, ids) = full();
    let hook = Hook::start();
    webhook(&home, "hook", &hook.url("/"));
    let service = Service::start(&home);
    until("the block is sent", || !hook.came().is_empty());
    let said = good(&home.run(&["ack", "server-7", "blocked", "--note", "ticket 4711"]));
    assert_eq!(
        said,
        "blocked of server-7 is acknowledged: no repeats as long as it is active\n"
    );
    assert_eq!(service.stop(), Some(0));
    // Without the acknowledgement, the next process would send the new alert once more.
    let service = Service::start(&home);
    let before = provider.sandbox.counts().lists();
    until("the service has listed", || {
        provider.sandbox.counts().lists() > before + 5
    });
    let status = stdout(&home.run(&["status", "server-7"]));
    assert!(
        status.contains("acknowledged: by root, \"ticket 4711\""),
        "{status}"
    );
    let overview = stdout(&home.run(&["status"]));
    assert!(
        overview.contains("acknowledged by root, \"ticket 4711\""),
        "{overview}"
    );
    let json = stdout(&home.run(&["status", "--json"]));
    let view: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(view["alerts"][0]["acknowledged"]["by"], "root", "{view}");
    assert!(provider.sandbox.remove_snapshot(ids[0]));
    until("the block's end is sent", || hook.came().len() > 1);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(hook.told(), ["raised blocked", "recovered blocked"]);
    let recorded = &home.events("alert_acknowledged")[0];
    assert_eq!(recorded["by"], "root");
    assert_eq!(recorded["note"], "ticket 4711");
    verified(&home);
}

#[test]
fn without_a_service_all_active_alerts_are_acknowledged_and_others_are_named() {
    let (_provider, home, _) = full();
    let none = home.run(&["ack", "server-7"]);
    ends(&none, 1, "no alert is active on the server");
    assert_eq!(home.run(&["once"]).status.code(), Some(1));
    let unknown = home.run(&["ack", "server-7", "broken"]);
    ends(
        &unknown,
        2,
        "broken is not an alert about a server: name one of blocked",
    );
    let inactive = home.run(&["ack", "server-7", "stuck"]);
    ends(
        &inactive,
        1,
        "no alert stuck is active on the server; active: blocked",
    );
    let said = good(&home.run(&["ack", "server-7", "--for", "3d"]));
    assert!(
        said.starts_with("blocked of server-7 is acknowledged: no repeats until 20"),
        "{said}"
    );
    let recorded = home.events("alert_acknowledged");
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert!(recorded[0]["until"].is_string(), "{recorded:?}");
    verified(&home);
}
