//! An operator's pause and resume, and orders to another service.

use std::process::Command;

use super::orders::{code, ends, good, place, quick, settled};
use crate::support::notify::Service;
use crate::support::{daily_name, stdout, until, verified};
use jiff::SignedDuration;

#[test]
fn a_pause_survives_restarts_and_names_the_snapshot_in_progress() {
    let place = place(SignedDuration::from_secs(2));
    let service = Service::start(&place.home);
    until("the create is answered", || {
        !place.home.events("create_result").is_empty()
    });
    let paused = place.home.run(&["pause", "--server", "web"]);
    let said = good(&paused);
    assert!(said.contains("web is paused"), "{said}");
    assert!(
        said.contains(&format!("{} is being made", daily_name(0))),
        "{said}"
    );
    let status = place.home.run(&["status"]);
    assert!(stdout(&status).contains("paused"), "{}", stdout(&status));
    until("the snapshot is completed", || {
        !place.home.events("snapshot_completed").is_empty()
    });
    assert_eq!(service.stop(), Some(0));
    assert_eq!(
        code(&place.home.run(&["once"])),
        Some(1),
        "a paused server is not settled"
    );
    let resumed = place.home.run(&["resume", "--server", "web"]);
    assert!(good(&resumed).contains("no longer paused"));
    let again = place.home.run(&["resume", "--server", "web"]);
    assert!(
        good(&again).contains("web isn't paused"),
        "{}",
        stdout(&again)
    );
    let all = place.home.run(&["resume"]);
    assert!(
        good(&all).contains("isn't paused as a whole"),
        "{}",
        stdout(&all)
    );
    assert_eq!(
        place.home.events("resumed").len(),
        1,
        "a resume without effect is not recorded"
    );
    assert_eq!(code(&place.home.run(&["once"])), Some(0));
    verified(&place.home);
}

#[test]
fn a_pause_of_all_needs_no_readable_configuration_while_the_service_runs() {
    let place = quick();
    let service = settled(&place);
    std::fs::write(place.home.path("snaprotate.toml"), "broken").expect("written");
    assert!(good(&place.home.run(&["pause"])).contains("every server is paused"));
    let one = place.home.run(&["resume", "--server", "web"]);
    ends(&one, 1, "every server is paused");
    assert!(good(&place.home.run(&["resume"])).contains("rotation is resumed"));
    let unknown = place.home.run(&["pause", "--server", "wep"]);
    ends(&unknown, 2, "similar: web");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn an_order_is_not_carried_out_by_the_service_of_another_configuration() {
    let place = quick();
    let _service = settled(&place);
    let text = std::fs::read_to_string(place.home.path("snaprotate.toml")).expect("read");
    let other = text.replace("state_dir = \"state\"", "state_dir = \"elsewhere\"");
    std::fs::write(place.home.path("snaprotate.toml"), other).expect("written");
    let output = place.home.run(&["delete", "web", "by-hand", "--yes"]);
    ends(&output, 1, "pass the service's configuration with --config");
    assert_eq!(place.provider.sandbox.counts().delete, 0);
}

#[test]
fn a_pause_is_refused_if_the_running_service_has_another_configuration() {
    let place = quick();
    let service = settled(&place);
    let file = place.home.path("snaprotate.toml");
    let text = std::fs::read_to_string(&file).expect("read");
    let other = text.replace("state_dir = \"state\"", "state_dir = \"elsewhere\"");
    std::fs::write(&file, other).expect("written");
    for args in [&["pause"][..], &["pause", "--server", "web"], &["resume"]] {
        let refused = place.home.run(args);
        ends(
            &refused,
            1,
            "pass the service's configuration with --config",
        );
    }
    assert!(place.home.events("paused").is_empty());
    // The same folder by another path belongs to this service.
    std::os::unix::fs::symlink(place.home.path("state"), place.home.path("again")).expect("linked");
    let again = text.replace("state_dir = \"state\"", "state_dir = \"again\"");
    std::fs::write(&file, again).expect("written");
    assert!(good(&place.home.run(&["pause"])).contains("every server is paused"));
    std::fs::write(&file, text).expect("written");
    let mut near = Command::new(env!("CARGO_BIN_EXE_snaprotate"));
    near.args(["--config", "snaprotate.toml", "resume"]);
    near.env("RUNTIME_DIRECTORY", place.home.path("run"));
    near.current_dir(place.home.0.path());
    assert!(good(&near.output().expect("it runs")).contains("rotation is resumed"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_pause_ends_at_its_time_and_status_shows_until_when_by_whom_and_why() {
    let place = quick();
    let service = settled(&place);
    let pause = |args: &[&str]| {
        let args: Vec<_> = ["pause", "web"].iter().chain(args).copied().collect();
        good(&place.home.run(&args))
    };
    let said = pause(&["--for", "3d", "--note", "disk\tof web"]);
    assert!(
        said.contains("creates and deletes nothing until 20"),
        "{said}"
    );
    assert!(said.contains(", or until snaprotate resume web"), "{said}");
    let status = stdout(&place.home.run(&["status", "web"]));
    assert!(status.contains("paused for "), "{status}");
    assert!(status.contains(r#"by root, "disk\tof web""#), "{status}");
    let json = place.home.run(&["status", "--json"]);
    let view: serde_json::Value = serde_json::from_str(&stdout(&json)).expect("JSON");
    let server = &view["servers"][0];
    assert_eq!(server["pause"]["by"], "root");
    assert_eq!(server["pause"]["until"], server["activity_until"]);
    // The same order again changes nothing; another end replaces the first.
    pause(&["--for", "1s"]);
    until("the pause has ended", || {
        !place.home.events("pause_ended").is_empty()
    });
    let status = stdout(&place.home.run(&["status", "web"]));
    assert!(!status.contains("paused"), "{status}");
    let orders = place.home.events("paused");
    assert_eq!(orders.len(), 2, "{orders:?}");
    assert_eq!(orders[0]["note"], r"disk\tof web");
    assert_eq!(
        place.home.events("pause_ended")[0]["until"],
        orders[1]["until"]
    );
    // The pause of all ends in the same way.
    let all = good(&place.home.run(&["pause", "--for", "1s"]));
    assert!(all.contains("every server is paused"), "{all}");
    until("the pause of all has ended", || {
        place.home.events("pause_ended").len() == 2
    });
    assert_eq!(service.stop(), Some(0));
    verified(&place.home);
}

#[test]
fn a_pause_that_ends_while_no_service_runs_does_not_hinder_the_next_process() {
    let place = quick();
    for server in [&["--server", "web"][..], &[]] {
        let args: Vec<_> = ["pause", "--for", "1s"].iter().chain(server).collect();
        let args: Vec<_> = args.into_iter().copied().collect();
        good(&place.home.run(&args));
    }
    let ends = |record: &serde_json::Value| {
        let until = record["until"].as_str().expect("an end");
        until.parse::<jiff::Timestamp>().expect("a time")
    };
    let last = place.home.events("paused").iter().map(ends).max();
    until("both pauses are over", || {
        Some(jiff::Timestamp::now()) > last
    });
    let plan = good(&place.home.run(&["plan"]));
    assert!(
        plan.contains(&format!("create {}", daily_name(0))),
        "{plan}"
    );
    assert_eq!(code(&place.home.run(&["once"])), Some(0));
    assert_eq!(place.home.events("pause_ended").len(), 2);
    verified(&place.home);
}

#[test]
fn an_end_that_is_no_future_time_or_a_note_that_is_too_long_is_refused_before_anything_is_sent() {
    let place = quick();
    let long = "x".repeat(201);
    for (args, why) in [
        (
            ["--until", "2020-01-01"],
            "has passed already: give a later time",
        ),
        (["--until", "soon"], "--until soon is not a time: write"),
        (["--for", "soon"], "--for soon is not a duration: write"),
        (["--note", &long], "a note has 1 to 200 characters"),
    ] {
        let output = place.home.run(&["pause", "web", args[0], args[1]]);
        ends(&output, 2, why);
    }
    assert!(place.home.events("paused").is_empty());
}
