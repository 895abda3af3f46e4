//! When checkpoints are signed, where they go, and with which key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::witness::{home, keygen, trail_file, verify};
use crate::support;
use crate::support::notify::Service;
use crate::support::{stderr, stdout, until};
use serde_json::Value;

#[test]
fn the_output_of_a_receiver_or_the_log_serves_as_a_witness_and_shows_no_private_key() {
    let (_provider, home, key) = home("");
    let (told, file) = (home.path("told"), home.path("snaprotate.toml"));
    let text = fs::read_to_string(&file).expect("read");
    let receiver = format!(
        "[[notify]]\ntype = \"command\"\nname = \"tee\"\ncommand = [\"/usr/bin/tee\", \"{}\"]\nwitness = true\n",
        told.display()
    );
    fs::write(&file, text + &receiver).expect("written");
    let private = fs::read_to_string(home.path("witness-key")).expect("a key");
    assert!(private.starts_with("PRIVATE+KEY+snaprotate/test+"));
    // Base64 has a `+` of its own.
    let secret = private.trim().splitn(5, '+').nth(4).expect("five parts");
    let mut said = key;
    for (nth, format) in ["text", "json"].into_iter().enumerate() {
        // A new trail each time, so that each run signs.
        if nth > 0 {
            fs::remove_dir_all(home.path("log")).expect("removed");
            fs::remove_dir_all(home.path("state")).expect("removed");
        }
        let output = home.run(&["--log-format", format, "--log", "trace", "once"]);
        // A trail that begins beside own snapshots raises an alert.
        let code = i32::from(nth > 0);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        fs::write(home.path(format), stderr(&output)).expect("written");
        for witness in [format, "told"] {
            let (code, verdict) = verify(&home, &["--witness", witness]);
            assert_eq!(code, Some(0), "{witness}: {verdict}");
            said += &verdict;
        }
        said += &(stderr(&output) + &stdout(&output));
    }
    let json: Value =
        serde_json::from_str(&fs::read_to_string(&told).expect("read")).expect("JSON");
    assert_eq!(
        (&json["event"], &json["origin"]),
        (&"witnessed".into(), &"snaprotate/test".into())
    );
    assert_eq!(json["record"], home.events("witnessed")[0]["record"]);
    let to = home.events("witnessed")[0]["to"].to_string();
    assert!(to.contains("\"receiver tee\""), "{to}");
    for name in ["mnt/notes", "told"] {
        said += &fs::read_to_string(home.path(name)).expect("read");
    }
    said += &fs::read_to_string(trail_file(&home)).expect("read");
    // A wrong key, and a key written in place of its file's name, are not shown either.
    home.secret(
        "witness-key",
        &private.replacen("PRIVATE+KEY+snap", "PRIVATE+KEY+snip", 1),
    );
    said += &stderr(&home.run(&["check"]));
    said += &stderr(&home.run(&["once"]));
    said += &verify(&home, &["--witness", "told"]).1;
    said += &verify(&home, &["--witness", "told", "--key", private.trim()]).1;
    let text = fs::read_to_string(&file).expect("read");
    fs::write(
        &file,
        text.replace(
            "key_file = \"witness-key\"",
            &format!("key_file = \"{}\"", private.trim()),
        ),
    )
    .expect("written");
    let refused = home.run(&["check"]);
    assert_eq!(refused.status.code(), Some(2));
    said += &stderr(&refused);
    assert!(said.contains("key_file does not name a file"), "{said}");
    assert!(said.contains("id does not match"), "{said}");
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn keygen_creates_a_file_that_only_its_owner_can_read_and_never_overwrites_a_file() {
    let (_provider, home, key) = home("");
    let path = home.path("witness-key");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read_to_string(&path).expect("read");
    let output = home.run(&["audit", "keygen", "--out", path.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("never overwritten"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_to_string(&path).expect("read"), before);
    assert_ne!(keygen(&home, "another"), key);
    let named = home.path("named");
    let named = named.to_str().expect("text");
    let output = home.run(&["audit", "keygen", "two words", "--out", named]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let output = home.run(&["audit", "keygen", "--out", named]);
    assert!(
        stdout(&output).starts_with("snaprotate/"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_quiet_trail_gets_no_more_checkpoints_and_a_new_record_causes_one() {
    let (_provider, home, _) = home("interval = \"1s\"");
    let service = Service::start(&home);
    let quiet = || {
        let trail = home.trail();
        let own = trail.last().expect("a record").clone();
        own["event"] == "witnessed" && own["record"].as_u64().map(|n| n + 1) == own["seq"].as_u64()
    };
    until("a settled slot, then nothing but its checkpoint", || {
        !home.events("slot_settled").is_empty() && quiet()
    });
    // Late records, such as the delete of an older snapshot, may still follow; then the trail is
    // quiet.
    std::thread::sleep(Duration::from_secs(3));
    let before = home.trail().len();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(home.trail().len(), before);
    assert_eq!(home.run(&["pause"]).status.code(), Some(0));
    until("the checkpoint of the pause", || {
        home.trail().len() == before + 2 && quiet()
    });
    assert_eq!(service.stop(), Some(0));
    assert_eq!(verify(&home, &["--witness", "mnt/notes"]).0, Some(0));
}

#[test]
fn a_failing_witness_delays_nothing_and_its_alert_clears_by_itself() {
    let (_provider, home, _) = home("");
    fs::remove_dir(home.path("mnt")).expect("removed");
    let service = Service::start(&home);
    let raised = |event: &str| {
        let mut events = home.events(event);
        events.retain(|record| record["alert"] == "witness_failed");
        events
    };
    until("a settled slot and an alert", || {
        !home.events("slot_settled").is_empty() && raised("alert_raised").len() == 1
    });
    let reason = raised("alert_raised")[0]["reason"].to_string();
    assert!(
        reason.contains("mnt/notes: can't be written: No such file"),
        "{reason}"
    );
    let status = stdout(&home.run(&["status", "--json"]));
    assert!(status.contains("\"witness_failed\""), "{status}");
    fs::create_dir(home.path("mnt")).expect("a folder");
    service.reload();
    until("the alert clears", || raised("alert_cleared").len() == 1);
    // The key is removed: the next start reports that, and still rotates.
    assert_eq!(service.stop(), Some(0));
    assert_eq!(verify(&home, &["--witness", "mnt/notes"]).0, Some(0));
    fs::remove_file(home.path("witness-key")).expect("removed");
    let checked = home.run(&["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    fs::remove_dir_all(home.path("log")).expect("removed");
    fs::remove_dir_all(home.path("state")).expect("removed");
    let service = Service::start(&home);
    until("an alert about the key", || {
        raised("alert_raised").len() == 1
    });
    let reason = raised("alert_raised")[0]["reason"].to_string();
    assert!(
        reason.contains("witness-key: can't read the witness key"),
        "{reason}"
    );
    keygen(&home, "witness-key");
    service.reload();
    until("the alert clears", || raised("alert_cleared").len() == 1);
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn the_credential_takes_precedence_over_the_key_file_and_a_world_readable_key_file_is_refused() {
    let (_provider, home, other) = home("");
    let folder = home.path("credentials");
    fs::create_dir(&folder).expect("a folder");
    let given = keygen(&home, "credentials/witness-key");
    home.secret("credentials/api-token", support::TOKEN);
    let mut once = home.command(&["once"]);
    let output = once.env("CREDENTIALS_DIRECTORY", &folder).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let key = home.events("witnessed")[0]["key"].clone();
    assert!(given.starts_with(key.as_str().expect("text")), "{key}");
    let by = |key: &str| verify(&home, &["--witness", "mnt/notes", "--key", key]).0;
    assert_eq!((by(&given), by(&other)), (Some(0), Some(1)));
    let path = home.path("witness-key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
    let checked = home.run(&["check"]);
    assert_eq!(checked.status.code(), Some(0));
    let said = stdout(&checked) + &stderr(&checked);
    assert!(said.contains("can be read by others (mode 644)"), "{said}");
    fs::remove_dir_all(home.path("log")).expect("removed");
    fs::remove_dir_all(home.path("state")).expect("removed");
    // The trail begins beside own snapshots, which raises an alert.
    assert_eq!(
        home.run(&["once"]).status.code(),
        Some(1),
        "rotation goes on"
    );
    let alerts = home.events("alert_raised");
    let mut alerts = alerts.iter();
    let alert = alerts.find(|alert| alert["alert"] == "witness_failed");
    let alert = alert.expect("an alert");
    let reason = alert["reason"].to_string();
    assert!(reason.contains("run chmod 600 on it"), "{reason}");
    assert_eq!(home.events("witnessed").len(), 0);
}
