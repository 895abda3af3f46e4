//! A server and its snapshots with two ids are recognized by either id, as one object.

use std::time::Duration;

use crate::support::notify::Service;
use crate::support::{
    Home, Provider, QUICK, daily_name, days_ago, stderr, stdout, until, verified,
};
use jiff::SignedDuration;
use snaprotate::sandbox::faults::{CallKind, Fault};
use snaprotate::sandbox::{IdShape, server_uuid, snapshot_uuid};

const SERVER: u64 = 12345;

fn provider() -> Provider {
    let takes = SignedDuration::from_millis(200);
    let provider = Provider::showing(IdShape::Both, takes, Duration::from_millis(1));
    provider.sandbox.add_server(SERVER, "web-01");
    provider
}

/// Writes a policy for the server by this id, given as TOML.
fn policy(home: &Home, file: &str, id: &str, more: &str) {
    let text = format!(
        "[server]\nid = {id}\nname = \"web-01\"\n{more}\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 2\n"
    );
    let file = home.path("policies.d").join(file);
    std::fs::write(file, text).expect("written");
}

#[test]
fn a_policy_may_name_its_server_and_protected_snapshots_by_either_id() {
    let uuid = format!("{:?}", server_uuid(SERVER));
    for id in [SERVER.to_string(), uuid] {
        let provider = provider();
        let sandbox = &provider.sandbox;
        let olds = [4, 3, 2].map(|days| {
            let (name, made) = (daily_name(days), days_ago(days));
            sandbox.add_snapshot(SERVER, &name, "completed", made)
        });
        let home = Home::new(&sandbox.base_url(), "", QUICK);
        let protect = format!("protect = [{:?}]", snapshot_uuid(olds[0]));
        policy(&home, "web.toml", &id, &protect);
        let output = home.run(&["once"]);
        assert_eq!(output.status.code(), Some(0), "{id}: {}", stderr(&output));
        let names = provider.names(SERVER);
        let kept = [4, 2, 0].map(daily_name);
        assert_eq!(names, kept, "{id}");
        verified(&home);
        let listed = home.command(&["list"]).output().expect("it runs");
        let said = stdout(&listed);
        assert!(said.contains("3 snapshots on web-01"), "{said}");
    }
}

#[test]
fn two_policies_that_name_one_server_by_its_two_ids_change_nothing_on_it() {
    let provider = provider();
    let sandbox = &provider.sandbox;
    sandbox.add_snapshot(SERVER, &daily_name(3), "completed", days_ago(3));
    let home = Home::new(&sandbox.base_url(), "", QUICK);
    policy(&home, "by-id.toml", &SERVER.to_string(), "");
    policy(
        &home,
        "by-uuid.toml",
        &format!("{:?}", server_uuid(SERVER)),
        "",
    );
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let blocked = home.events("blocked");
    assert_eq!(blocked.len(), 2, "{blocked:?}");
    for record in blocked {
        let reason = record["reason"].as_str().expect("a reason");
        assert!(
            reason.contains("another policy is for the same server"),
            "{reason}"
        );
    }
    let counts = sandbox.counts();
    assert_eq!((counts.create, counts.delete), (0, 0));
    let output = home.run(&["check", "--online"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    assert!(
        said.contains("by-id.toml and by-uuid.toml are for the same server"),
        "{said}"
    );
    let output = home.run(&["plan"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("another policy is for the same server"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn i9_a_policy_that_switches_to_its_servers_other_id_continues_its_history() {
    let provider = provider();
    let sandbox = &provider.sandbox;
    sandbox.add_snapshot(SERVER, &daily_name(1), "completed", days_ago(1));
    let home = Home::new(&sandbox.base_url(), "", QUICK);
    let (id, uuid) = (SERVER.to_string(), format!("{:?}", server_uuid(SERVER)));
    policy(&home, "web.toml", &id, "");
    // The create's answer is lost, and its snapshot appears after the edit.
    let late = SignedDuration::from_millis(900);
    sandbox.order(Fault::status(CallKind::Create, 502).late(late));
    let service = Service::start(&home);
    until("a create was sent", || {
        !home.events("create_intent").is_empty()
    });
    policy(&home, "web.toml", &uuid, "");
    service.reload();
    until("its slot is settled", || {
        !home.events("slot_settled").is_empty()
    });
    drop(service);
    assert_eq!(sandbox.created(SERVER), [daily_name(0)]);
    let changed = home.events("server_id_changed");
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["from"], SERVER);
    assert_eq!(home.events("rotation_added").len(), 1);

    // A change of the id doesn't end a pause either.
    let paused = home.run(&["pause", "--server", "web"]);
    assert_eq!(paused.status.code(), Some(0), "{}", stderr(&paused));
    policy(&home, "web.toml", &id, "");
    let plan = stdout(&home.run(&["plan"]));
    assert!(plan.contains("paused"), "{plan}");
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(home.events("server_id_changed").len(), 2);
    assert!(home.events("server_removed").is_empty());
    let plan = stdout(&home.run(&["plan"]));
    assert!(plan.contains("paused"), "{plan}");
    assert_eq!(home.events("rotation_added").len(), 1);
    verified(&home);
}

#[test]
fn i20_an_empty_server_that_two_policies_name_by_its_two_ids_is_not_stopped() {
    let provider = provider();
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    let uuid = format!("{:?}", server_uuid(SERVER));
    for (file, id) in [("by-id.toml", SERVER.to_string()), ("by-uuid.toml", uuid)] {
        policy(&home, file, &id, "");
        let path = home.path("policies.d").join(file);
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, format!("{text}stop_server = true\n")).expect("written");
    }
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(provider.sandbox.powered(), []);
    assert_eq!(provider.sandbox.counts().create, 0);
    assert_eq!(home.events("blocked").len(), 2);
    verified(&home);
}

/// Returns a provider that shows only numeric ids.
fn numbers() -> Provider {
    let takes = SignedDuration::from_millis(200);
    let provider = Provider::showing(IdShape::Integers, takes, Duration::from_millis(1));
    provider.sandbox.add_server(SERVER, "web-01");
    provider
}

/// Writes a policy with a daily rotation and without the server's name.
fn unnamed(home: &Home, file: &str, id: &str) {
    let text = format!(
        "[server]\nid = {id}\n\n[[rotation]]\nname = \"daily\"\nschedule = \"0 0 * * *\"\nkeep = 2\n"
    );
    std::fs::write(home.path("policies.d").join(file), text).expect("written");
}

#[test]
fn i9_an_open_create_is_not_repeated_under_an_id_that_was_never_listed_before() {
    let uuid = format!("{:?}", server_uuid(SERVER));
    for (shape, named, restarted) in [
        (IdShape::Both, true, false),
        (IdShape::Both, false, true),
        (IdShape::Uuids, true, true),
        (IdShape::Uuids, false, false),
    ] {
        let provider = numbers();
        let sandbox = &provider.sandbox;
        let home = Home::new(&sandbox.base_url(), "", QUICK);
        let write = |id: &str| {
            if named {
                policy(&home, "web.toml", id, "");
            } else {
                unnamed(&home, "web.toml", id);
            }
        };
        write(&SERVER.to_string());
        let late = SignedDuration::from_millis(900);
        sandbox.order(Fault::status(CallKind::Create, 502).late(late));
        let mut service = Service::start(&home);
        until("a create was sent", || {
            !home.events("create_intent").is_empty()
        });
        sandbox.show_ids(shape);
        write(&uuid);
        if restarted {
            drop(service);
            service = Service::start(&home);
        } else {
            service.reload();
        }
        until("its slot is settled", || {
            !home.events("slot_settled").is_empty()
        });
        drop(service);
        let case = format!("{shape:?}, {named}, {restarted}");
        assert_eq!(sandbox.created(SERVER), [daily_name(0)], "{case}");
        let changed = home.events("server_id_changed");
        assert_eq!(changed.len(), 1, "{case}");
        assert_eq!(changed[0]["from"], SERVER, "{case}");
        assert_eq!(changed[0]["assumed"], true, "{case}");
        assert_eq!(home.events("rotation_added").len(), 1, "{case}");
        assert!(home.events("server_removed").is_empty(), "{case}");
        verified(&home);
    }
}

#[test]
fn a_server_that_was_paused_before_its_first_listing_stays_paused_under_its_other_id() {
    let provider = numbers();
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    policy(&home, "web.toml", &SERVER.to_string(), "");
    let paused = home.run(&["pause", "--server", "web"]);
    assert_eq!(paused.status.code(), Some(0), "{}", stderr(&paused));
    provider.sandbox.show_ids(IdShape::Both);
    policy(&home, "web.toml", &format!("{:?}", server_uuid(SERVER)), "");
    let plan = stdout(&home.run(&["plan"]));
    assert!(plan.contains("paused"), "{plan}");
    let output = home.run(&["once"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(provider.sandbox.counts().create, 0);
    assert_eq!(home.events("server_id_changed").len(), 1);
}

#[test]
fn a_policy_file_that_switches_to_another_server_with_the_same_kind_of_id_starts_a_new_history() {
    let provider = numbers();
    let sandbox = &provider.sandbox;
    sandbox.add_server(SERVER + 1, "web-02");
    let home = Home::new(&sandbox.base_url(), "", QUICK);
    unnamed(&home, "web.toml", &SERVER.to_string());
    for server in [SERVER, SERVER + 1] {
        unnamed(&home, "web.toml", &server.to_string());
        let output = home.run(&["once"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(sandbox.created(server), [daily_name(0)]);
    }
    assert!(home.events("server_id_changed").is_empty());
    assert_eq!(home.events("server_removed").len(), 1);
    assert_eq!(home.events("rotation_added").len(), 2);
}

/// Starts a service whose create is unanswered for eight seconds.
fn in_flight(provider: &Provider) -> (Home, Service) {
    let sandbox = &provider.sandbox;
    let home = Home::new(&sandbox.base_url(), "", QUICK);
    let file = home.path("snaprotate.toml");
    let text = std::fs::read_to_string(&file).expect("read");
    let text = text.replace("request_timeout = \"2s\"", "request_timeout = \"8s\"");
    std::fs::write(&file, text).expect("written");
    policy(&home, "web.toml", &SERVER.to_string(), "");
    sandbox.order(Fault::hang(CallKind::Create));
    let service = Service::start(&home);
    until("a create was sent", || {
        !home.events("create_intent").is_empty()
    });
    (home, service)
}

#[test]
fn a_pause_set_between_an_edit_of_the_id_and_its_reversal_stays_in_force() {
    let provider = provider();
    let (home, service) = in_flight(&provider);
    policy(&home, "web.toml", &format!("{:?}", server_uuid(SERVER)), "");
    service.reload();
    let paused = home.run(&["pause", "--server", "web"]);
    assert_eq!(paused.status.code(), Some(0), "{}", stderr(&paused));
    assert!(
        stdout(&paused).contains(&daily_name(0)),
        "the open create is named: {}",
        stdout(&paused)
    );
    policy(&home, "web.toml", &SERVER.to_string(), "");
    service.reload();
    until("the create's end is recorded", || {
        !home.events("create_result").is_empty()
    });
    let status = stdout(&home.run(&["status", "web"]));
    assert!(status.contains("; paused for "), "{status}");
    drop(service);
    let plan = stdout(&home.run(&["plan"]));
    assert!(plan.contains("paused"), "{plan}");
    verified(&home);
}

#[test]
fn i9_a_policy_file_may_be_renamed_before_or_after_its_id_changes() {
    let uuid = format!("{:?}", server_uuid(SERVER));
    for rename_first in [true, false] {
        let provider = numbers();
        let sandbox = &provider.sandbox;
        let (home, service) = in_flight(&provider);
        let folder = home.path("policies.d");
        let rename = || {
            std::fs::rename(folder.join("web.toml"), folder.join("db.toml")).expect("renamed");
        };
        if rename_first {
            rename();
            service.reload();
            until("the new name is recorded", || {
                home.events("policy_renamed").len() == 1
            });
            sandbox.show_ids(IdShape::Both);
            policy(&home, "db.toml", &uuid, "");
        } else {
            sandbox.show_ids(IdShape::Both);
            policy(&home, "web.toml", &uuid, "");
            service.reload();
            rename();
        }
        service.reload();
        until("its slot is settled", || {
            !home.events("slot_settled").is_empty()
        });
        drop(service);
        assert_eq!(sandbox.created(SERVER), [daily_name(0)], "{rename_first}");
        assert_eq!(home.events("server_id_changed").len(), 1, "{rename_first}");
        assert_eq!(home.events("policy_renamed").len(), 1, "{rename_first}");
        verified(&home);
    }
}

#[test]
fn the_pause_of_a_second_policy_for_a_server_outlives_the_policys_removal() {
    let provider = provider();
    provider
        .sandbox
        .add_snapshot(SERVER, &daily_name(3), "completed", days_ago(3));
    let home = Home::new(&provider.sandbox.base_url(), "", QUICK);
    policy(&home, "by-id.toml", &SERVER.to_string(), "");
    policy(
        &home,
        "by-uuid.toml",
        &format!("{:?}", server_uuid(SERVER)),
        "",
    );
    let service = Service::start(&home);
    until("both are blocked", || home.events("blocked").len() == 2);
    let paused = home.run(&["pause", "--server", "by-uuid"]);
    assert_eq!(paused.status.code(), Some(0), "{}", stderr(&paused));
    std::fs::remove_file(home.path("policies.d").join("by-uuid.toml")).expect("removed");
    service.reload();
    until("the server is paused under its other id", || {
        home.events("paused").len() == 2
    });
    drop(service);
    assert_eq!(provider.sandbox.counts().create, 0);
    let plan = stdout(&home.run(&["plan"]));
    assert!(plan.contains("paused"), "{plan}");
}
