//! The state folder disappears while the service runs, and is restored or created again.

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
    said.contains("trail unwritable") && said.contains("restore the state folder")
}

#[test]
fn i6_while_the_state_folder_is_missing_nothing_is_changed_and_an_alert_is_active() {
    let (provider, home) = scene();
    home.policy(
        "web",
        "[server]\nid = 7\n[[rotation]]\nname = \"tick\"\nschedule = \"* * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n",
    );
    let service = Service::start(&home);
    let settled = || home.events("slot_settled").len();
    until("three slots are settled", || settled() > 2);
    let (state, away) = (home.path("state"), home.path("away"));
    std::fs::rename(&state, &away).expect("moved");
    until("the alert is active", || alerted(&home));
    let counts = || provider.sandbox.counts();
    let changed = counts().create + counts().delete;
    // The service lists or waits to record an outcome; either way it sends no mutation meanwhile.
    for _ in 0..50 {
        assert!(alerted(&home), "the alert stays active");
    }
    assert_eq!(counts().create + counts().delete, changed, "I6");
    assert!(!state.exists(), "the folder is not created again");
    let before = settled();
    std::fs::rename(&away, &state).expect("moved back");
    until("slots are settled again", || settled() > before + 1);
    until("the alert is cleared", || !alerted(&home));
    assert_eq!(service.stop(), Some(0));
    verified(&home);
}

#[test]
fn the_loss_of_the_state_folder_is_noticed_while_nothing_is_due_and_a_new_folder_is_used() {
    let (_provider, home) = scene();
    home.daily(SERVER, 3, "");
    let service = Service::start(&home);
    until("the slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
    let state = home.path("state");
    std::fs::remove_dir_all(&state).expect("removed");
    until("the alert is active", || alerted(&home));
    std::fs::create_dir(&state).expect("a folder");
    // The next record clears the alert; `pause` writes one at once.
    assert_eq!(home.run(&["pause"]).status.code(), Some(0));
    assert!(!alerted(&home));
    let second = home.run(&["once"]);
    assert_eq!(
        second.status.code(),
        Some(1),
        "the lock is held in the new folder"
    );
    assert_eq!(service.stop(), Some(0));
    assert!(state.join("head").exists());
    verified(&home);
}
