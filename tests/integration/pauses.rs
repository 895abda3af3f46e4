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
