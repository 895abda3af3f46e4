//! I19, the erosion bound, over the real binary: no good snapshot is lost to a provider that
//! misnames, misdates and misreports, or to edits that would delete many.

use crate::support::{Home, Provider, QUICK, daily_name, days_ago, stderr, stdout, until};
use jiff::{SignedDuration, Timestamp};
use snaprotate::sandbox::faults::{CreateFault, Fault};

const SERVER: u64 = 7;

/// Returns the short times of other tests, except that deletions by an edit are announced for an
/// hour.
fn with_grace() -> String {
    QUICK.replace("shrink_grace = \"0s\"", "shrink_grace = \"1h\"")
}

/// Returns a server with `own` completed daily snapshots, the newest of them from yesterday, and a
/// policy that keeps `keep`.
fn scene(own: i64, keep: usize) -> (Provider, Home) {
    let provider = Provider::quick();
    provider.sandbox.add_server(SERVER, "web-01");
    for back in (1..=own).rev() {
        let name = daily_name(back);
        provider
            .sandbox
            .add_snapshot(SERVER, &name, "completed", days_ago(back));
    }
    let home = Home::new(&provider.sandbox.base_url(), "", &with_grace());
    home.daily(SERVER, keep, "");
    (provider, home)
}

fn once(home: &Home) -> Option<i32> {
    let output = home.run(&["once"]);
    println!("{}{}", stdout(&output), stderr(&output));
    output.status.code()
}

fn count(home: &Home, event: &str) -> usize {
    home.events(event).len()
}

fn blocked(home: &Home) -> String {
    let blocked = home.events("blocked");
    let last = blocked.last().expect("the server is blocked");
    last["reason"].as_str().unwrap_or_default().to_owned()
}

/// Returns the number of the earlier good snapshots that are still there.
fn left(provider: &Provider, own: i64) -> usize {
    let names = provider.names(SERVER);
    (1..=own)
        .filter(|back| names.contains(&daily_name(*back)))
        .count()
}

#[test]
fn i19_a_provider_that_stores_another_name_than_requested_gets_only_one_create() {
    let asked = daily_name(0);
    for stored in [
        asked.to_uppercase(),
        asked.replace('-', "_"),
        asked.chars().take(20).collect(),
        format!("{asked}-1"),
        format!(" {asked}"),
        // An own name, of another slot.
        daily_name(40),
        daily_name(2),
        "snapshot".to_owned(),
        String::new(),
    ] {
        for (keep, deleted) in [(5, 1), (4, 0)] {
            let own = i64::try_from(keep).expect("few");
            let (provider, home) = scene(own, keep);
            let named = Fault::made(CreateFault::Named(stored.clone()));
            provider.sandbox.order(named.forever());
            assert_eq!(once(&home), Some(1), "{stored:?}");
            assert_eq!(count(&home, "create_intent"), 1, "{stored:?}");
            assert_eq!(count(&home, "delete_intent"), deleted, "{stored:?}");
            let reason = blocked(&home);
            assert!(
                reason.contains(&format!(
                    "the request was for {asked}, but the provider stores"
                )),
                "{reason}"
            );
            // The server stays blocked until an operator resumes it.
            assert_eq!(once(&home), Some(1));
            assert_eq!(count(&home, "create_intent"), 1, "{stored:?}");
            assert_eq!(left(&provider, own), keep - deleted, "{stored:?}");
        }
    }
}

#[test]
fn i19_a_resume_after_a_wrong_name_does_not_permit_another_prune_first() {
    let (provider, home) = scene(5, 5);
    provider
        .sandbox
        .order(Fault::made(CreateFault::Named("other".to_owned())).forever());
    assert_eq!(once(&home), Some(1));
    assert!(home.run(&["resume", "server-7"]).status.success());
    assert_eq!(once(&home), Some(1));
    assert_eq!(count(&home, "delete_intent"), 1);
    assert_eq!(left(&provider, 5), 4);
    assert!(
        blocked(&home).contains("no snapshot has been made since"),
        "{}",
        blocked(&home)
    );
}

#[test]
fn i19_an_answer_with_the_id_of_an_older_snapshot_counts_as_unknown_and_retries_are_limited() {
    for keep in [5, 3] {
        let own = i64::try_from(keep).expect("few");
        let (provider, home) = scene(own, keep);
        let there = provider.sandbox.truth(SERVER)[0].id;
        provider
            .sandbox
            .order(Fault::made(CreateFault::Another(there)).forever());
        assert_eq!(once(&home), Some(1));
        assert_eq!(count(&home, "create_intent"), 3);
        assert_eq!(count(&home, "slot_given_up"), 1);
        let unknown = home.events("create_result");
        assert_eq!(unknown[0]["outcome"], "unknown");
        let error = unknown[0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("existed before"), "{error}");
        assert!(count(&home, "delete_intent") <= 1);
        assert_eq!(once(&home), Some(1));
        assert_eq!(count(&home, "create_intent"), 3);
    }
}

#[test]
fn i19_a_completed_snapshot_that_is_later_listed_as_failed_is_kept() {
    for failed in [1, 2, 4] {
        let (provider, home) = scene(4, 4);
        provider.sandbox.set_limit(6);
        assert_eq!(once(&home), Some(0));
        assert_eq!(count(&home, "delete_intent"), 1);
        let rows = provider.sandbox.truth(SERVER);
        for row in &rows[..failed] {
            provider.sandbox.set_status(row.id, "failed");
        }
        assert_eq!(once(&home), Some(1));
        assert_eq!(count(&home, "delete_intent"), 1, "{failed}");
        assert_eq!(count(&home, "snapshot_regressed"), failed);
        assert_eq!(provider.names(SERVER).len(), 4);
        // The provider's storage works again.
        for row in &rows[..failed] {
            provider.sandbox.set_status(row.id, "completed");
        }
        assert_eq!(once(&home), Some(0));
        assert_eq!(count(&home, "delete_intent"), 1, "{failed}");
    }
}

#[test]
fn i19_a_new_snapshot_with_an_impossible_date_blocks_but_a_date_some_hours_behind_does_not() {
    let ago = |hours| Timestamp::now() - SignedDuration::from_hours(hours);
    let first: Timestamp = "0001-01-01T00:00:00Z".parse().expect("a date");
    for (date, may) in [
        (Timestamp::UNIX_EPOCH, false),
        (first, false),
        (ago(30), false),
        (ago(24 * 365), false),
        (ago(5), true),
    ] {
        let (provider, home) = scene(3, 3);
        provider
            .sandbox
            .order(Fault::made(CreateFault::Dated(date)).forever());
        let code = once(&home);
        assert_eq!(count(&home, "create_intent"), 1, "{date}");
        // The new snapshot exists in any case, and is never deleted as the oldest.
        assert!(provider.names(SERVER).contains(&daily_name(0)), "{date}");
        assert_eq!(code, Some(i32::from(!may)), "{date}");
        assert_eq!(count(&home, "delete_intent"), usize::from(may), "{date}");
        if !may {
            assert!(
                blocked(&home).contains("the provider gives"),
                "{}",
                blocked(&home)
            );
        }
    }
}

#[test]
fn a_smaller_keep_is_announced_and_deletes_once_an_operator_agrees_unless_it_is_undone() {
    for undone in [true, false] {
        let (provider, home) = scene(4, 5);
        let daemon = home.start(&["run"]);
        until("five snapshots exist", || {
            provider.names(SERVER).len() == 5 && count(&home, "slot_settled") == 1
        });
        home.daily(SERVER, 1, "");
        let plan = stdout(&home.run(&["plan"]));
        assert!(
            plan.contains("its deletion will be announced first"),
            "{plan}"
        );
        let deleted = format!(": delete {}", daily_name(4));
        assert!(plan.contains(&deleted), "{plan}");
        daemon.signal("HUP");
        let alert = || {
            let raised = home.events("alert_raised");
            raised
                .into_iter()
                .find(|record| record["alert"] == "shrink")
        };
        until("the shrink alert is raised", || alert().is_some());
        let alert = alert().expect("an alert");
        let reason = alert["reason"].as_str().unwrap_or_default();
        for back in 1..=4 {
            assert!(reason.contains(&daily_name(back)), "{reason}");
        }
        assert_eq!(count(&home, "delete_intent"), 0);
        if undone {
            home.daily(SERVER, 5, "");
            daemon.signal("HUP");
            until("the shrink alert is cleared", || {
                let cleared = home.events("alert_cleared");
                cleared.iter().any(|record| record["alert"] == "shrink")
            });
        }
        assert!(home.run(&["resume", "server-7"]).status.success());
        if undone {
            // Nothing is left to agree to.
            assert_eq!(provider.names(SERVER).len(), 5);
        } else {
            until("only today's is left", || {
                provider.names(SERVER) == [daily_name(0)]
            });
        }
        daemon.stop();
    }
}

#[test]
fn once_deletes_the_snapshots_beyond_a_smaller_keep_only_after_the_grace() {
    let (provider, home) = scene(4, 5);
    assert_eq!(once(&home), Some(0));
    home.daily(SERVER, 2, "");
    for _ in 0..2 {
        assert_eq!(once(&home), Some(1));
        assert_eq!(provider.names(SERVER).len(), 5);
    }
    let text = std::fs::read_to_string(home.path("snaprotate.toml")).expect("read");
    let text = text.replace("shrink_grace = \"1h\"", "shrink_grace = \"0s\"");
    std::fs::write(home.path("snaprotate.toml"), text).expect("written");
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER), [daily_name(1), daily_name(0)]);
}

#[test]
fn a_first_look_announces_what_it_finds_beyond_keep() {
    let (provider, home) = scene(4, 2);
    assert_eq!(once(&home), Some(1));
    // The new snapshot is made anyway, and pays for the oldest.
    assert!(provider.names(SERVER).contains(&daily_name(0)));
    assert!(left(&provider, 4) >= 3);
    let added = home.events("rotation_added");
    assert_eq!(added[0]["shrinks"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_edited_schedule_raises_no_alert_for_slots_that_never_existed() {
    let (_provider, home) = scene(2, 3);
    assert_eq!(once(&home), Some(0));
    home.policy(
        "server-7",
        "[server]\nid = 7\n[[rotation]]\nname = \"daily\"\nschedule = \"* * * * *\"\nkeep = 3\nsnapshot_name = \"daily-snapshot-%Y-%m-%d-%H%M\"\nformer_names = [\"daily-snapshot-%Y-%m-%d\"]\n",
    );
    assert_eq!(once(&home), Some(0));
    assert_eq!(count(&home, "rotation_changed"), 1);
    let changed = &home.events("rotation_changed")[0];
    assert_eq!(changed["terms"]["schedule"], "* * * * *");
    assert_eq!(count(&home, "slot_skipped"), 0);
    let alerts = home.events("alert_raised");
    let expected = |alert: &str| ["copies", "trail_begins"].contains(&alert);
    let mut kinds = alerts.iter().filter_map(|record| record["alert"].as_str());
    assert!(kinds.all(expected), "{alerts:?}");
}

#[test]
fn the_first_snapshot_of_a_rotation_is_named_after_the_day_on_which_it_is_made() {
    let (provider, home) = scene(0, 3);
    home.policy(
        "server-7",
        "[server]\nid = 7\n[[rotation]]\nname = \"yearly\"\nschedule = \"@yearly\"\nkeep = 3\n",
    );
    assert_eq!(once(&home), Some(0));
    let today = daily_name(0).replace("daily", "yearly");
    assert_eq!(provider.names(SERVER), [today]);
    let row = &provider.sandbox.truth(SERVER)[0];
    assert!(
        row.description.starts_with("yearly of "),
        "{}",
        row.description
    );
    assert_eq!(once(&home), Some(0));
    assert_eq!(count(&home, "create_intent"), 1);
}

#[test]
fn i1_a_snapshot_name_with_a_signed_year_is_foreign() {
    let (provider, home) = scene(0, 1);
    let odd = "daily-snapshot--026-11-27";
    provider
        .sandbox
        .add_snapshot(SERVER, odd, "completed", days_ago(3));
    assert_eq!(once(&home), Some(0));
    assert_eq!(provider.names(SERVER), [odd.to_owned(), daily_name(0)]);
}
