//! An operator's pause, resume, create, delete and restore: the real command, with and without the
//! real daemon.

use std::process::Output;
use std::time::Duration;

use crate::support;
use crate::support::notify::Service;
use crate::support::{
    Daemon, Home, Provider, QUICK, daily_name, days_ago, stderr, stdout, until, verified,
};
use jiff::SignedDuration;
use snaprotate::sandbox::faults::{CallKind, CreateFault, Fault};

/// A server with an old snapshot of the rotation and one made by hand.
pub(super) struct Place {
    pub(super) provider: Provider,
    pub(super) home: Home,
    pub(super) old: u64,
    pub(super) by_hand: u64,
}

pub(super) fn place(completes_after: SignedDuration) -> Place {
    let provider = Provider::start(completes_after, Duration::from_millis(1));
    provider.sandbox.add_server(12345, "web");
    let add = |name: &str, days| {
        let made = days_ago(days);
        provider
            .sandbox
            .add_snapshot(12345, name, "completed", made)
    };
    let old = add(&daily_name(3), 3);
    let by_hand = add("by-hand", 9);
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.policy(
        "web",
        "[server]\nid = 12345\nname = \"web\"\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 3\n",
    );
    Place {
        provider,
        home,
        old,
        by_hand,
    }
}

pub(super) fn quick() -> Place {
    place(SignedDuration::from_millis(200))
}

/// Starts the daemon, and returns it when today's slot is settled.
pub(super) fn settled(place: &Place) -> Service {
    let service = Service::start(&place.home);
    until("today's slot is settled", || {
        !place.home.events("slot_settled").is_empty()
    });
    service
}

pub(super) fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

pub(super) fn good(output: &Output) -> String {
    let said = format!("{}{}", stdout(output), stderr(output));
    assert_eq!(code(output), Some(0), "{said}");
    said
}

pub(super) fn ends(output: &Output, with: i32, why: &str) {
    let said = format!("{}{}", stdout(output), stderr(output));
    assert_eq!(code(output), Some(with), "{said}");
    assert!(said.contains(why), "{said:?} instead of {why:?}");
}

/// Runs the check with and without a running daemon.
pub(super) fn each_way(check: impl Fn(&Place, bool)) {
    let place = quick();
    let service = settled(&place);
    check(&place, true);
    assert_eq!(service.stop(), Some(0));
    verified(&place.home);
    let place = quick();
    check(&place, false);
    verified(&place.home);
}

#[test]
fn create_with_wait_waits_for_the_completed_snapshot_and_the_trail_names_the_operator() {
    each_way(|place, _| {
        let made = place
            .home
            .run(&["create", "web", "before-upgrade", "--wait"]);
        assert!(good(&made).contains("before-upgrade"), "{}", stdout(&made));
        assert!(
            stdout(&made).contains("waiting; the snapshot is made even if you end this command")
        );
        assert!(stdout(&made).contains("is completed"));
        let names = place.provider.names(12345);
        assert!(names.contains(&"before-upgrade".to_owned()), "{names:?}");
        let intents = place.home.events("create_intent");
        let intent = intents.last().expect("an intent");
        assert_eq!(intent["snapshot"], "before-upgrade");
        assert_eq!(intent["by"], "root");
        let again = place.home.run(&["create", "web", "before-upgrade"]);
        ends(&again, 1, "already exists");
        let slot = place.home.run(&["create", "web", &daily_name(-9)]);
        ends(&slot, 1, "a name pattern of the rotation daily");
        let shown = place
            .home
            .run(&["audit", "show", "--snapshot", "before-upgrade"]);
        assert!(
            good(&shown).contains("by order of root"),
            "{}",
            stdout(&shown)
        );
    });
}

#[test]
fn delete_by_name_or_id_deletes_exactly_the_given_snapshot() {
    each_way(|place, daemon| {
        let by_name = place.home.run(&["delete", "web", "by-hand", "--yes"]);
        assert!(
            good(&by_name).contains("it is foreign to the rotation"),
            "{}",
            stdout(&by_name)
        );
        if daemon {
            // Until the snapshot is no longer listed and nothing is in progress.
            until("the delete is confirmed", || {
                !place.home.events("delete_confirmed").is_empty()
            });
        }
        let id = place.old.to_string();
        good(&place.home.run(&["delete", "web", &id, "--yes"]));
        let left = place.provider.sandbox.truth(12345);
        let gone = |id| left.iter().all(|row| row.id != id);
        assert!(gone(place.by_hand) && gone(place.old));
        assert_eq!(place.provider.sandbox.counts().delete, 2, "once each");
        let none = place.home.run(&["delete", "web", "by-hand", "--yes"]);
        ends(&none, 2, "web holds no snapshot by-hand");
    });
}

#[test]
fn a_word_that_is_one_snapshots_id_and_anothers_name_is_refused() {
    let place = quick();
    let word = support::ids::snapshot(place.old);
    let sandbox = &place.provider.sandbox;
    sandbox.add_snapshot(12345, &word, "completed", days_ago(8));
    let output = place.home.run(&["delete", "web", &word, "--yes"]);
    ends(&output, 2, "and the name of the snapshot with id");
    let output = place.home.run(&["restore", "web", &word, "--yes"]);
    ends(&output, 2, "and the name of the snapshot with id");
    assert_eq!((sandbox.counts().delete, sandbox.counts().restore), (0, 0));
}

#[test]
fn delete_exits_with_1_and_reports_the_contradiction_if_answer_and_listing_disagree() {
    let place = quick();
    let sandbox = &place.provider.sandbox;
    sandbox.order(Fault::status(CallKind::Delete, 204));
    let kept = place.home.run(&["delete", "web", "by-hand", "--yes"]);
    ends(
        &kept,
        1,
        "reported the delete as done, but still lists the snapshot",
    );
    let place = quick();
    let sandbox = &place.provider.sandbox;
    sandbox.order(Fault::status(CallKind::Delete, 403).done());
    let refused = place.home.run(&["delete", "web", "by-hand", "--yes"]);
    ends(&refused, 1, "but the snapshot is no longer listed");
}

#[test]
fn a_create_that_is_stored_with_another_name_or_date_is_not_reported_as_done() {
    let place = quick();
    let stored = CreateFault::Named("Before_Upgrade".to_owned());
    place.provider.sandbox.order(Fault::made(stored));
    let made = place
        .home
        .run(&["create", "web", "before-upgrade", "--wait"]);
    ends(&made, 1, "");
    let place = quick();
    let dated = CreateFault::Dated(days_ago(400));
    place.provider.sandbox.order(Fault::made(dated));
    let made = place
        .home
        .run(&["create", "web", "before-upgrade", "--wait"]);
    ends(
        &made,
        1,
        "is completed, but the provider gives before-upgrade",
    );
}

#[test]
fn a_server_is_restored_once_and_left_alone_afterwards() {
    each_way(|place, _| {
        let done = place
            .home
            .run(&["restore", "web", "by-hand", "--yes", "--wait"]);
        // The stand-in restores for minutes of its clock, so waiting ends with 1 here.
        let said = stdout(&done);
        assert!(said.contains("can't be undone"), "{said}");
        assert!(said.contains("still being restored"), "{said}");
        assert_eq!(code(&done), Some(1));
        let again = place.home.run(&["restore", "web", "by-hand", "--yes"]);
        ends(&again, 1, "left alone until");
        let create = place.home.run(&["create", "web", "mine"]);
        ends(&create, 1, "left alone until");
        assert_eq!(place.provider.sandbox.counts().restore, 1);
        let intents = place.home.events("restore_intent");
        assert_eq!(intents.len(), 1);
        assert_eq!(intents[0]["by"], "root");
        assert_eq!(place.home.events("restore_result")[0]["outcome"], "done");
        // An operator who sees that the restore is over may resume.
        let over = good(&place.home.run(&["resume", "--server", "web"]));
        assert!(
            over.contains("the wait after its restore has been ended"),
            "{over}"
        );
        let resumed = &place.home.events("resumed")[0];
        assert_eq!(
            resumed["ended"],
            serde_json::json!(over.lines().skip(1).collect::<Vec<_>>())
        );
        assert_eq!(resumed["ended_restore"], true);
        good(&place.home.run(&["create", "web", "mine"]));
    });
}

#[test]
fn restore_with_wait_reports_the_start_at_once_and_ends_if_the_server_list_is_unavailable() {
    let ways = [
        (Some(404), "404"),
        (Some(403), "403"),
        (None, "still being restored"),
    ];
    for (status, why) in ways {
        let place = quick();
        if let Some(status) = status {
            let fault = Fault::status(CallKind::Servers, status).forever();
            place.provider.sandbox.order(fault);
        }
        let done = place
            .home
            .run(&["restore", "web", "by-hand", "--yes", "--wait"]);
        let said = stdout(&done);
        let (begun, end) = said.split_once("waiting until").expect("a wait");
        assert!(
            begun.contains("web is being restored from by-hand"),
            "{said}"
        );
        assert!(end.contains("the restore goes on even if you end this command"));
        assert!(end.contains(why), "{said}");
        assert_eq!(code(&done), Some(1), "{said}");
        let asked = place.provider.sandbox.log();
        let asked = asked.iter().filter(|r| r.call == CallKind::Servers).count();
        assert!(why.contains("still") || asked == 1, "{asked}");
    }
}

#[test]
fn the_trail_records_the_received_status_rather_than_the_documented_status() {
    let place = quick();
    let sandbox = &place.provider.sandbox;
    sandbox.order(Fault::status(CallKind::Delete, 200).done());
    sandbox.order(Fault::status(CallKind::Restore, 202).done());
    let old = place.old.to_string();
    good(&place.home.run(&["delete", "web", &old, "--yes"]));
    good(&place.home.run(&["create", "web", "mine", "--wait"]));
    good(&place.home.run(&["restore", "web", "by-hand", "--yes"]));
    let status = |event| place.home.events(event)[0]["status"].clone();
    assert_eq!(status("delete_result"), 200);
    assert_eq!(status("create_result"), 201);
    assert_eq!(status("restore_result"), 202);
}

#[test]
fn a_safety_snapshot_is_completed_before_the_restore_and_the_restored_snapshot_is_spared() {
    each_way(|place, _| {
        let done = place
            .home
            .run(&["restore", "web", "by-hand", "--yes", "--safety"]);
        let said = good(&done);
        assert!(said.contains("is being restored from by-hand"), "{said}");
        let names = place.provider.names(12345);
        let safety = names
            .iter()
            .find(|name| name.starts_with("before-restore-"));
        let safety = safety.expect("a safety snapshot");
        let remedy = format!("once restore_window is over, run snaprotate delete web {safety}\n");
        assert!(said.ends_with(&remedy), "{said}");
        let trail = place.home.trail();
        let made = |event: &str| trail.iter().position(|record| record["event"] == event);
        let safety = trail
            .iter()
            .rposition(|record| record["event"] == "create_intent");
        let safety = safety.expect("an intent");
        assert_eq!(trail[safety]["spare"], place.by_hand);
        assert!(Some(safety) < made("restore_intent"));
        assert_eq!(
            made("paused"),
            None,
            "no pause that an interruption would leave behind"
        );
    });
}

#[test]
fn an_order_that_cannot_be_carried_out_is_refused_before_anything_is_sent() {
    let place = place(SignedDuration::from_hours(1));
    let _service = Service::start(&place.home);
    until("the create is answered", || {
        !place.home.events("create_result").is_empty()
    });
    let busy = place.home.run(&["create", "web", "mine"]);
    ends(&busy, 1, &format!("{} is being made", daily_name(0)));
    for name in ["", "before upgrade 2.0", &"x".repeat(256)] {
        let output = place.home.run(&["create", "web", name]);
        ends(&output, 2, "a snapshot's name has 1 to 255 letters");
    }
    let unknown = place.home.run(&["create", "mail", "mine"]);
    ends(&unknown, 2, "no policy for server mail");
    assert_eq!(place.provider.sandbox.counts().create, 1);
}

#[test]
fn without_a_service_an_order_prints_only_its_answer_despite_warnings_and_alerts() {
    let place = quick();
    // A policy with a warning, and an alert that is already active.
    let policy = "[server]\nid = 12345\nname = \"web\"\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 5\n";
    place.home.policy("web", policy);
    for row in ["one", "two", "three"] {
        let sandbox = &place.provider.sandbox;
        sandbox.add_snapshot(12345, row, "completed", days_ago(9));
    }
    assert_eq!(code(&place.home.run(&["once"])), Some(1));
    assert!(!place.home.events("alert_raised").is_empty());
    for args in [
        &["pause"][..],
        &["resume"],
        &["delete", "web", "one", "--yes"],
        &["create", "web", "x"],
    ] {
        let output = place.home.run(args);
        assert_eq!(code(&output), Some(0), "{args:?}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{args:?}");
    }
    let asked = place.home.run(&["pause", "--log", "warn"]);
    assert!(good(&asked).contains("WARN"), "--log warn shows them");
}

/// A process without a control socket holds the lock.
#[test]
fn an_order_names_the_command_that_holds_the_lock() {
    let place = place(SignedDuration::from_hours(1));
    let once: Daemon = place.home.start(&["once"]);
    until("the create is sent and answered", || {
        !place.home.events("create_result").is_empty()
    });
    let output = place.home.run(&["create", "web", "mine"]);
    ends(&output, 1, "snaprotate once");
    drop(once);
}
