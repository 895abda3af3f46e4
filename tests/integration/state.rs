//! The state folder disappears under the running service, and comes back.

use crate::support::notify::Service;
use crate::support::{Home, Provider, QUICK, stdout, until, verified};

const SERVER: u64 = 7;

fn scene() -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    (provider, home)
}

/// Returns true if `status` shows the alert with its hint.
fn alerted(home: &Home) -> bool {
    let said = stdout(&home.run(&["status"]));
    said.contains("trail_unwritable") && said.contains("restore the state folder")
}

#[test]
fn i6_while_the_state_folder_is_gone_nothing_is_changed_and_an_alert_stands() {
    let (provider, home) = scene();
    home.policy(
        "web",
        "[server]\nid = 7\n[[rotation]]\nname = \"tick\"\nschedule = \"* * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n",
    );
    let service = Service::start(&home);
    let settled = || home.events("slot_settled").len();
    until("it rotates", || settled() > 2);
    let (state, away) = (home.path("state"), home.path("away"));
    std::fs::rename(&state, &away).expect("moved");
    until("an alert stands", || alerted(&home));
    let counts = || provider.sandbox.counts();
    let changed = counts().create + counts().delete;
    // It lists again or waits to record an outcome; either way nothing is sent meanwhile.
    for _ in 0..50 {
        assert!(alerted(&home), "the alert stands");
    }
    assert_eq!(counts().create + counts().delete, changed, "I6");
    assert!(!state.exists(), "it isn't made anew");
    let before = settled();
    std::fs::rename(&away, &state).expect("moved back");
    until("it rotates again", || settled() > before + 1);
    until("the alert is over", || !alerted(&home));
    assert_eq!(service.stop(), Some(0));
    verified(&home);
}

#[test]
fn a_state_folder_that_goes_while_nothing_is_due_is_noticed_and_a_new_one_is_taken_over() {
    let (_provider, home) = scene();
    home.daily(SERVER, 3, "");
    let service = Service::start(&home);
    until("it rests", || !home.events("slot_settled").is_empty());
    let state = home.path("state");
    std::fs::remove_dir_all(&state).expect("removed");
    until("an alert stands", || alerted(&home));
    std::fs::create_dir(&state).expect("a folder");
    // The next record clears the alert; `pause` writes one at once.
    assert_eq!(home.run(&["pause"]).status.code(), Some(0));
    assert!(!alerted(&home));
    let second = home.run(&["once"]);
    assert_eq!(second.status.code(), Some(1), "the lock is held in it");
    assert_eq!(service.stop(), Some(0));
    assert!(state.join("head").exists());
    verified(&home);
}
