//! Every fault of a listing and of its rows, over real HTTP; the real binary runs `once`.

use std::time::Duration;

use super::faults::{SERVER, creates, deletes, once, scene};
use crate::support::{daily_name, days_ago};
use snaprotate::sandbox::faults::{CallKind, CreateFault, Fault, ListingFault, Staleness};

#[test]
fn i11_an_unreliable_listing_causes_no_mutation() {
    for how in [
        ListingFault::Short,
        ListingFault::Duplicate,
        ListingFault::OtherServers,
        ListingFault::Unreadable,
        ListingFault::Nameless,
        ListingFault::Count(1),
        ListingFault::Next("http://127.0.0.1:9/elsewhere".to_owned()),
    ] {
        let (provider, home) = scene(3, 1);
        provider.sandbox.add_server(8, "other");
        let at = days_ago(1);
        provider.sandbox.add_snapshot(8, "foreign", "completed", at);
        let what = format!("{how:?}");
        provider.sandbox.order(Fault::listing(how).forever());
        assert_eq!(once(&home), Some(1), "{what}");
        assert_eq!((creates(&home), deletes(&home)), (0, 0), "{what}");
        assert_eq!(provider.names(SERVER).len(), 3, "{what}");
    }
}

#[test]
fn i11_an_answer_that_is_not_a_listing_causes_no_mutation() {
    // The runs are parallel, since each lasts until it gives up.
    std::thread::scope(|scope| {
        for fault in [
            Fault::html(CallKind::List),
            Fault::cut(CallKind::List),
            Fault::cut_body(CallKind::List),
            Fault::drip(CallKind::List, Duration::from_millis(100)),
            Fault::huge(CallKind::List, 100 << 20),
            Fault::status(CallKind::List, 500),
            Fault::status(CallKind::List, 404),
            Fault::redirect(CallKind::List, "http://127.0.0.1:9/"),
        ] {
            scope.spawn(|| {
                let (provider, home) = scene(3, 1);
                let what = format!("{fault:?}");
                provider.sandbox.order(fault.forever());
                assert_eq!(once(&home), Some(1), "{what}");
                assert_eq!((creates(&home), deletes(&home)), (0, 0), "{what}");
                assert_eq!(provider.names(SERVER).len(), 3, "{what}");
            });
        }
    });
}

#[test]
fn a_listing_that_fails_temporarily_is_retried() {
    let (provider, home) = scene(3, 3);
    provider
        .sandbox
        .order(Fault::status(CallKind::List, 502).times(2));
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER).len(), 3);
}

#[test]
fn after_a_create_the_run_waits_until_listings_are_no_longer_stale() {
    let (provider, home) = scene(3, 3);
    let stale = ListingFault::Stale(Staleness::LastMutation);
    provider
        .sandbox
        .order(Fault::listing(stale).after(1).times(3));
    assert_eq!(once(&home), Some(0));
    assert_eq!((creates(&home), deletes(&home)), (1, 1));
}

#[test]
fn a_failed_create_is_retried_and_its_snapshot_is_deleted_after_the_stuck_after_time() {
    let (provider, home) = scene(1, 3);
    provider.sandbox.order(Fault::made(CreateFault::Failed));
    assert_eq!(once(&home), Some(0));
    let names = [daily_name(1), daily_name(0), daily_name(0)];
    assert_eq!(provider.names(SERVER), names);
    let text = std::fs::read_to_string(home.path("snaprotate.toml")).expect("read");
    let text = text.replace("stuck_after = \"4s\"", "stuck_after = \"1ms\"");
    std::fs::write(home.path("snaprotate.toml"), text).expect("written");
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER), names[..2]);
    assert_eq!(creates(&home), 2);
    assert_eq!(home.events("snapshot_failed").len(), 1);
}

#[test]
fn a_snapshot_that_stays_in_progress_is_recorded_as_stuck_and_kept() {
    let (provider, home) = scene(1, 3);
    provider.sandbox.order(Fault::made(CreateFault::Stuck));
    assert_eq!(once(&home), Some(1));
    assert_eq!(creates(&home), 1);
    assert_eq!(home.events("snapshot_stuck").len(), 1);
    assert_eq!(provider.names(SERVER).len(), 2);
}

#[test]
fn a_snapshot_with_an_unknown_status_is_kept_and_raises_an_alert() {
    let (provider, home) = scene(1, 3);
    let odd = CreateFault::Ends("archiving".to_owned());
    provider.sandbox.order(Fault::made(odd));
    assert_eq!(once(&home), Some(1));
    assert_eq!(deletes(&home), 0);
    let alerts = home.events("alert_raised");
    let kinds: Vec<_> = alerts.iter().map(|record| &record["alert"]).collect();
    assert!(
        kinds.iter().any(|kind| *kind == "unknown_status"),
        "{kinds:?}"
    );
}

#[test]
fn a_snapshot_that_disappears_counts_as_a_failed_attempt() {
    let (provider, home) = scene(1, 3);
    provider.sandbox.order(Fault::made(CreateFault::Vanishes));
    assert_eq!(once(&home), Some(0));
    assert_eq!(creates(&home), 2);
    assert_eq!(provider.names(SERVER).len(), 2);
}

#[test]
fn i9_two_snapshots_of_one_slot_raise_alerts_and_the_older_is_deleted_after_a_resume() {
    let (provider, home) = scene(1, 3);
    provider.sandbox.order(Fault::made(CreateFault::Twice));
    assert_eq!(once(&home), Some(1));
    assert_eq!(creates(&home), 1);
    for kind in ["copies", "shrink"] {
        let alerts = home.events("alert_raised");
        assert!(
            alerts.iter().any(|record| record["alert"] == kind),
            "{kind}"
        );
    }
    assert_eq!(provider.names(SERVER).len(), 3);
    assert!(home.run(&["resume", "server-7"]).status.success());
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER), [daily_name(1), daily_name(0)]);
}

#[test]
fn i11_the_newest_snapshot_is_kept_and_raises_an_alert_if_its_date_is_missing_or_unreadable() {
    for how in [ListingFault::undated(), ListingFault::misdated()] {
        let (provider, home) = scene(2, 1);
        provider.sandbox.order(Fault::listing(how).forever());
        once(&home);
        assert!(
            provider.names(SERVER).contains(&daily_name(0)),
            "the newest snapshot is there"
        );
        let odd = home.events("alert_raised");
        assert!(odd.iter().any(|record| record["alert"] == "odd_date"));
    }
}

#[test]
fn a_server_with_another_name_than_in_the_policy_is_blocked() {
    let (provider, home) = scene(2, 1);
    home.policy(
        "server-7",
        "[server]\nid = 7\nname = \"mail-01\"\n[[rotation]]\nname = \"daily\"\nschedule = \"@daily\"\nkeep = 1\n",
    );
    assert_eq!(once(&home), Some(1));
    assert_eq!((creates(&home), deletes(&home)), (0, 0));
    assert_eq!(provider.names(SERVER).len(), 2);
}

#[test]
fn all_pages_of_a_listing_are_followed() {
    let (provider, home) = scene(4, 3);
    provider.sandbox.set_page_size(Some(2));
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER).len(), 3);
}
