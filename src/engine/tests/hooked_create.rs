//! Tests of hooks around creates, and of the release that follows whatever happens in between.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use super::provider::{Reply, What};
use super::scripted_hooks::{HOUR, SECOND, Stage};
use super::support::{MINUTE, Scene, TODAY};
use crate::core::order_terms::OrderTerms;
use crate::core::server_event::HookOutcome;
use crate::core::snapshot::ServerId;
use crate::engine::lock;

/// Returns the last `hook_finished` record.
fn last_end(scene: &Scene) -> serde_json::Value {
    scene
        .events("hook_finished")
        .last()
        .expect("a record")
        .clone()
}

#[tokio::test(start_paused = true)]
async fn before_runs_before_the_create_and_after_runs_after_its_completion() {
    let stage = Stage::new([1]);
    let running = stage.scene.run();
    stage.scene.pass(5 * MINUTE).await;
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    assert_eq!(stage.scene.made(), BTreeSet::from([1]));
    let order: Vec<u64> = ["hook_started", "create_intent", "snapshot_completed"]
        .iter()
        .map(|event| stage.scene.events(event)[0]["seq"].as_u64().unwrap())
        .chain([stage.scene.events("hook_started")[1]["seq"]
            .as_u64()
            .unwrap()])
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(stage.scene.raised().is_empty());
    running.ends().await;
    assert_eq!(stage.ran("after"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_before_means_no_snapshot_but_after_runs_and_an_alert_is_raised() {
    let stage = Stage::new([1]);
    stage.script(|hook| match hook {
        "before" => (SECOND, HookOutcome::Failed),
        _ => (SECOND, HookOutcome::Done),
    });
    let running = stage.scene.run();
    stage.scene.pass(HOUR).await;
    assert_eq!(stage.ran("before"), 3);
    assert_eq!(stage.ran("after"), 3);
    assert_eq!(stage.scene.provider.mutations(), 0);
    let raised = stage.scene.raised();
    assert!(
        raised.contains(&"hook_failed daily".to_owned()),
        "{raised:?}"
    );
    assert!(
        raised.contains(&"slot_failed daily".to_owned()),
        "{raised:?}"
    );
    // The next day the hook succeeds.
    stage.script(|_| (SECOND, HookOutcome::Done));
    stage.scene.pass(24 * HOUR).await;
    let cleared = stage.scene.cleared();
    assert!(
        cleared.contains(&"hook_failed daily".to_owned()),
        "{cleared:?}"
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i18_after_a_crash_during_a_hold_the_after_hook_runs_first() {
    let mut stage = Stage::new([1]);
    stage.scene.provider.script(|what| match what {
        What::Create(_) => Reply::Slowly(20 * SECOND, 200),
        _ => Reply::Works,
    });
    let running = stage.scene.run();
    stage.scene.pass(20 * SECOND).await;
    assert_eq!(
        stage.scene.provider.creates(1),
        1,
        "the create is being sent"
    );
    let running = stage.crash(running).await;
    stage.scene.pass(5 * SECOND).await;
    assert_eq!(stage.said()[1..], ["after (again) 1"]);
    assert_eq!(last_end(&stage.scene)["early"], true);
    stage.scene.pass(HOUR).await;
    assert_eq!(stage.scene.provider.creates(1), 1 + stage.ran("before") - 1);
    assert_eq!(stage.held(), 0);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fills_up_during_a_hold_does_not_keep_the_server_held() {
    let stage = Stage::new([1]);
    let disk = stage.scene.disk.clone();
    stage.script(move |hook| {
        if hook == "before" {
            disk.set().room = Some(0);
        }
        (SECOND, HookOutcome::Done)
    });
    let running = stage.scene.run();
    stage.scene.pass(MINUTE).await;
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    assert_eq!(stage.scene.provider.mutations(), 0, "I6");
    stage.scene.disk.set().room = None;
    stage.script(|_| (SECOND, HookOutcome::Done));
    stage.scene.pass(HOUR).await;
    assert_eq!(stage.said(), ["before 1", "after 1", "before 1", "after 1"]);
    assert_eq!(stage.scene.made(), BTreeSet::from([1]));
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn stopping_the_service_leaves_no_server_held() {
    let stage = Stage::new([1]);
    // No listing shows the snapshot, so the server stays held.
    stage.scene.provider.script(|what| match what {
        What::List(_) => Reply::Lacks(101),
        _ => Reply::Works,
    });
    let running = stage.scene.run();
    stage.scene.pass(MINUTE).await;
    assert_eq!((stage.held(), stage.scene.provider.creates(1)), (1, 1));
    running.ends().await;
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    let end = last_end(&stage.scene);
    assert_eq!(end["early"], true);
    assert_eq!(end["reason"], "the service is stopping");
}

#[tokio::test(start_paused = true)]
async fn a_pause_during_the_before_hook_releases_the_server_without_a_create() {
    let stage = Stage::new([1]);
    stage.script(|_| (20 * SECOND, HookOutcome::Done));
    let running = stage.scene.run();
    stage.scene.pass(15 * SECOND).await;
    assert_eq!(stage.said(), ["before 1"]);
    stage
        .scene
        .engine
        .pause(None, OrderTerms::by("root"))
        .await
        .unwrap();
    stage.scene.pass(HOUR).await;
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    assert_eq!(stage.scene.provider.mutations(), 0);
    assert_eq!(
        last_end(&stage.scene).get("later"),
        None,
        "a pause doesn't count as a try"
    );
    stage.scene.engine.resume(None, "root").await.unwrap();
    stage.scene.pass(5 * MINUTE).await;
    assert_eq!(stage.scene.made(), BTreeSet::from([1]));
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn removing_a_policy_while_its_server_is_held_releases_the_server() {
    let stage = Stage::new([1]);
    stage.scene.provider.script(|what| match what {
        What::List(_) => Reply::Lacks(101),
        _ => Reply::Works,
    });
    let running = stage.scene.run();
    stage.scene.pass(MINUTE).await;
    assert_eq!(stage.held(), 1);
    stage.scene.reload([]);
    stage.scene.pass(MINUTE).await;
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_provider_keeps_no_server_held_for_longer_than_max_hold() {
    let stage = Stage::new([1]);
    stage.scene.provider.script(|what| match what {
        What::Create(_) => Reply::Slowly(30 * SECOND, 504),
        _ => Reply::Works,
    });
    let running = stage.scene.run();
    stage.scene.pass(15 * SECOND).await;
    stage.scene.provider.script(|_| Reply::Says(503));
    stage.scene.pass(50 * MINUTE).await;
    assert_eq!(stage.held(), 1, "whether the snapshot was made is unknown");
    stage.scene.pass(20 * MINUTE).await;
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    assert_eq!(last_end(&stage.scene)["early"], true);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i18_a_failed_after_is_retried_until_it_succeeds_and_no_new_hold_begins_before_that() {
    let stage = Stage::new([1]);
    let mut tries = 0;
    stage.script(move |hook| {
        tries += usize::from(hook != "before");
        let ran = match hook {
            "before" => HookOutcome::Done,
            _ if tries < 4 => HookOutcome::Failed,
            _ => HookOutcome::Done,
        };
        (SECOND, ran)
    });
    let running = stage.scene.run();
    stage.scene.pass(3 * MINUTE).await;
    assert_eq!(stage.held(), 1);
    assert_eq!(stage.scene.raised(), ["hook_failed daily"]);
    stage.scene.pass(2 * HOUR).await;
    assert_eq!((stage.held(), stage.ran("after")), (0, 4));
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn of_many_servers_only_a_few_are_held_at_once() {
    let stage = Stage::new(1..=40);
    let (held, most) = (Arc::clone(&stage.hands), Arc::new(Mutex::new(0)));
    let seen = Arc::clone(&most);
    stage.script(move |_| {
        let mut most = lock(&seen);
        *most = held.held().max(*most);
        (30 * SECOND, HookOutcome::Done)
    });
    let running = stage.scene.run();
    stage.scene.pass(HOUR).await;
    assert_eq!(stage.scene.made().len(), 40);
    assert_eq!((stage.ran("before"), stage.held()), (40, 0));
    // Includes servers whose create has not been answered yet, and servers that are being released.
    let most = *lock(&most);
    assert!((2..=32).contains(&most), "{most}");
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn while_creates_are_answered_with_401_no_server_is_held_without_a_create_or_stays_held() {
    let stage = Stage::new([1, 2]);
    stage.scene.provider.script(|what| match what {
        What::Create(_) => Reply::Says(401),
        _ => Reply::Works,
    });
    let running = stage.scene.run();
    stage.scene.pass(2 * HOUR).await;
    let (before, creates) = (
        stage.ran("before"),
        stage.scene.provider.creates(1) + stage.scene.provider.creates(2),
    );
    assert!(
        before <= creates + 1,
        "{before} holds for {creates} creates"
    );
    assert_eq!(stage.held(), 0);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_for_a_held_server_is_refused_and_the_reason_names_the_hold() {
    let stage = Stage::new([1]);
    stage
        .scene
        .provider
        .put(1, "by-hand", "2026-11-01T03:00:00Z");
    stage.script(|hook| match hook {
        "before" => (SECOND, HookOutcome::Done),
        _ => (SECOND, HookOutcome::Failed),
    });
    let running = stage.scene.run();
    stage.scene.pass(5 * MINUTE).await;
    assert_eq!(stage.scene.provider.names(1), ["by-hand", TODAY]);
    let order = crate::core::operator_order::Order::Delete {
        snapshot: "by-hand".into(),
        id: crate::core::snapshot::SnapshotId::from(101),
    };
    let engine = &stage.scene.engine;
    let answer = engine
        .order(ServerId::from(1), order, "root".to_owned())
        .await;
    let reason = answer.reason.unwrap_or_default();
    assert!(reason.contains("hooks have held the server"), "{reason}");
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn if_the_hook_runner_is_lost_the_after_hook_runs_again_at_once_and_no_create_follows() {
    let stage = Stage::new([1]);
    stage.hands.lost.store(true, Relaxed);
    let running = stage.scene.run();
    stage.scene.pass(MINUTE).await;
    assert_eq!(stage.said(), ["before 1", "after (again) 1"]);
    assert_eq!((stage.held(), stage.scene.provider.mutations()), (0, 0));
    stage.hands.lost.store(false, Relaxed);
    stage.scene.pass(10 * MINUTE).await;
    assert_eq!(stage.scene.made(), BTreeSet::from([1]));
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_early_release_by_the_hook_runner_raises_an_alert() {
    let stage = Stage::new([1]);
    stage.hands.early.store(true, Relaxed);
    let running = stage.scene.run();
    stage.scene.pass(5 * MINUTE).await;
    assert_eq!(stage.scene.made(), BTreeSet::from([1]));
    assert_eq!(stage.scene.raised(), ["hook_failed daily"]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_before_that_can_t_be_started_prevents_the_create_unless_on_failure_is_continue() {
    for (go_on, creates) in [(true, 1), (false, 0)] {
        let stage = Stage::with([1], |hooks| hooks.go_on = go_on);
        stage.script(|_| (SECOND, HookOutcome::NotStarted));
        let running = stage.scene.run();
        stage.scene.pass(HOUR).await;
        assert_eq!(stage.scene.provider.creates(1), creates);
        assert_eq!(stage.ran("after"), 0, "nothing is held");
        assert!(
            stage
                .scene
                .raised()
                .contains(&"hook_failed daily".to_owned())
        );
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_gets_no_permit_in_time_is_retried_later() {
    for before in [HookOutcome::Done, HookOutcome::Failed] {
        let stage = Stage::with([1], |hooks| hooks.go_on = true);
        stage.script(move |hook| match hook {
            "before" => (SECOND, before),
            _ => (SECOND, HookOutcome::Done),
        });
        // A listing names the server only if it has a row, so one is added.
        stage
            .scene
            .provider
            .put(1, "by-hand", "2026-11-20T03:01:00Z");
        let places = stage.scene.provider.take_all_places().await;
        let running = stage.scene.run();
        stage.scene.pass(4 * MINUTE).await;
        assert_eq!(stage.said(), ["before 1", "after 1"]);
        drop(places);
        stage.scene.pass(10 * MINUTE).await;
        assert_eq!(stage.scene.made(), BTreeSet::from([1]));
        assert_eq!(stage.scene.provider.creates(1), 1);
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn i18_a_server_is_released_when_its_snapshot_ends_though_the_trail_cannot_record_it() {
    let stage = Stage::new([1]);
    let (disk, mut created) = (stage.scene.disk.clone(), false);
    stage.scene.provider.script(move |what| {
        created |= matches!(what, What::Create(_));
        if created && matches!(what, What::List(_)) {
            disk.set().room = Some(0);
        }
        Reply::Works
    });
    let running = stage.scene.run();
    stage.scene.pass(30 * MINUTE).await;
    assert_eq!(stage.held(), 0);
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    stage.scene.disk.set().room = None;
    stage.scene.pass(10 * MINUTE).await;
    assert_eq!(stage.said(), ["before 1", "after 1"]);
    assert!(last_end(&stage.scene)["early"].is_null());
    running.ends().await;
}
