//! The disk under the trail is full or read-only: nothing is changed at the provider, an alert says
//! so, and rotation resumes by itself.

use std::process::Stdio;
use std::time::Duration;

use crate::support::disk::SmallDisk;
use crate::support::{Daemon, Home, Provider, QUICK, daily_name, days_ago, stdout, until};
use serde_json::Value;

const SERVER: u64 = 7;

/// Returns a provider with a full server, so that a delete and a create are due, and the disk.
fn scene() -> Option<(Provider, Home, SmallDisk)> {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    for back in (1..=5).rev() {
        let (name, at) = (daily_name(back), days_ago(back));
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", at);
    }
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 5, "");
    let disk = SmallDisk::over(&home.path("log"))?;
    Some((provider, home, disk))
}

/// Starts the daemon on that disk; its log is in the file `stderr`.
fn start(home: &Home, disk: &SmallDisk) -> Daemon {
    let mut command = disk.inside(&home.command(&["run"]));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(home.path("stderr")).expect("a file"));
    Daemon(command.spawn().expect("it starts"))
}

fn says(home: &Home, event: &str) -> bool {
    let log = std::fs::read_to_string(home.path("stderr")).unwrap_or_default();
    log.lines()
        .any(|line| line.contains(event) && line.contains("trail_unwritable"))
}

fn mutations(provider: &Provider) -> u64 {
    let counts = provider.sandbox.counts();
    counts.create + counts.delete
}

fn events(disk: &SmallDisk, event: &str) -> Vec<Value> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(disk.folder()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|end| end == "jsonl") {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines = text.lines().filter_map(|l| serde_json::from_str(l).ok());
            records.extend(lines);
        }
    }
    records.retain(|record: &Value| record["event"] == event);
    records
}

fn verified(home: &Home, disk: &SmallDisk) {
    let mut verify = disk.inside(&home.command(&["audit", "verify"]));
    let output = verify.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

fn told(home: &Home) {
    until("the log says that the trail can't be written", || {
        says(home, "alert_raised")
    });
}

/// Checks that the service lists, changes nothing and logs why while it can't write the trail.
fn idles(provider: &Provider, home: &Home) {
    told(home);
    let (changed, looked) = (mutations(provider), provider.sandbox.counts().lists());
    until("the server is listed several more times", || {
        provider.sandbox.counts().lists() > looked + 5
    });
    assert_eq!(mutations(provider), changed, "no trail, no change");
}

/// Checks that the slot is settled once there is room, with one create and one delete in all.
fn goes_on(provider: &Provider, home: &Home, disk: &SmallDisk) {
    until("the slot is settled", || {
        !events(disk, "slot_settled").is_empty()
    });
    assert!(says(home, "alert_cleared"));
    assert_eq!(provider.sandbox.created(SERVER), [daily_name(0)]);
    assert_eq!(mutations(provider), 2);
}

#[test]
fn i6_on_a_full_disk_the_service_starts_but_changes_nothing_until_there_is_room() {
    let Some((provider, home, disk)) = scene() else {
        return;
    };
    disk.fill();
    let daemon = start(&home, &disk);
    idles(&provider, &home);
    assert_eq!(mutations(&provider), 0);
    disk.make_room();
    goes_on(&provider, &home, &disk);
    assert_eq!(daemon.stop(), Some(0));
    verified(&home, &disk);
}

#[test]
fn i6_on_a_read_only_disk_the_service_starts_but_changes_nothing_until_the_disk_is_writable() {
    let Some((provider, home, disk)) = scene() else {
        return;
    };
    disk.remount("ro");
    let daemon = start(&home, &disk);
    idles(&provider, &home);
    assert_eq!(mutations(&provider), 0);
    disk.remount("rw");
    goes_on(&provider, &home, &disk);
    assert_eq!(daemon.stop(), Some(0));
    verified(&home, &disk);
}

#[test]
fn i6_a_disk_that_fills_up_under_a_running_daemon_stops_every_change_until_there_is_room() {
    let Some((provider, home, disk)) = scene() else {
        return;
    };
    home.policy(
        "server-7",
        "[server]\nid = 7\n[[rotation]]\nname = \"tick\"\nschedule = \"* * * * * *\"\nkeep = 2\nsnapshot_name = \"tick-%Y%m%d-%H%M%S\"\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 2\n",
    );
    let daemon = start(&home, &disk);
    until("slots are settled", || {
        events(&disk, "slot_settled").len() > 2
    });
    disk.fill();
    told(&home);
    let count = |events_of: [&str; 2]| {
        let counts = events_of.map(|event| events(&disk, event).len());
        counts.iter().sum::<usize>()
    };
    let intents = count(["create_intent", "delete_intent"]);
    // If the last page had room for an intent but not for its outcome, the outcome must still be
    // written, and nothing is listed before that.
    if intents == count(["create_result", "delete_result"]) {
        idles(&provider, &home);
    }
    let sent = usize::try_from(mutations(&provider)).expect("few");
    assert!(sent <= intents, "{sent} calls for {intents} intents");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(
        mutations(&provider),
        sent as u64,
        "slots passed without a change"
    );

    let settled = events(&disk, "slot_settled").len();
    disk.make_room();
    until("more slots are settled", || {
        events(&disk, "slot_settled").len() > settled + 1
    });
    assert!(says(&home, "alert_cleared"));
    assert_eq!(daemon.stop(), Some(0));
    let mut made = provider.sandbox.created(SERVER);
    let all = made.len();
    made.sort();
    made.dedup();
    assert_eq!(made.len(), all, "no name was created twice");
    verified(&home, &disk);
}

#[test]
fn i6_with_a_full_disk_under_the_state_folder_run_waits_and_other_commands_fail() {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    home.daily(SERVER, 5, "");
    let Some(disk) = SmallDisk::over(&home.path("state")) else {
        return;
    };
    disk.fill();
    for command in ["once", "pause"] {
        let mut command = disk.inside(&home.command(&[command]));
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        let why = ["state/lock", "No space left", "free some disk space"];
        assert!(why.iter().all(|words| said.contains(words)), "{said}");
    }
    let waits = || {
        let log = std::fs::read_to_string(home.path("stderr")).unwrap_or_default();
        log.matches("waits until there is free space").count() == 1
    };
    let daemon = start(&home, &disk);
    until("the log says that run waits", waits);
    assert_eq!(daemon.stop(), Some(0), "a signal ends the wait");
    let daemon = start(&home, &disk);
    until("the log says that run waits", waits);
    assert_eq!(provider.sandbox.counts().lists(), 0);
    disk.make_room();
    until("the slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
    assert!(waits(), "the wait is logged once");
    assert_eq!(daemon.stop(), Some(0));
}
