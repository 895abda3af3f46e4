//! Tests of the engine while the trail can't be written, and of what it reads back when it starts.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::provider::{Reply, What};
use super::support::{MINUTE, Scene, TODAY, first, open};
use crate::core::snapshot::ServerId;

#[tokio::test(start_paused = true)]
async fn i6_once_fails_and_sends_no_mutation_when_the_trail_cannot_be_written() {
    let scene = Scene::once([1, 2]);
    scene.disk.set().room = Some(0);
    let once = scene.engine.once(CancellationToken::new());
    let settled = tokio::time::timeout(Duration::from_hours(1), once).await;
    assert_eq!(settled, Ok(false));
    assert_eq!(scene.provider.mutations(), 0);
}

#[tokio::test(start_paused = true)]
async fn once_ends_with_success_when_all_is_settled() {
    let scene = Scene::once([1, 2]);
    assert!(scene.engine.once(CancellationToken::new()).await);
    assert_eq!(scene.made(), [1, 2].into());
}

#[tokio::test(start_paused = true)]
async fn i6_no_call_is_sent_when_its_intent_cannot_be_written() {
    let scene = Scene::new([1]);
    scene.provider.script(|what| match what {
        What::Create(_) => Reply::Says(409),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(MINUTE).await;
    assert_eq!(scene.provider.creates(1), 1);
    // The intent is the only record that precedes the next try.
    scene.disk.set().room = Some(0);
    scene.provider.works();
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), 1);
    scene.disk.set().room = None;
    scene.pass(MINUTE).await;
    assert_eq!(scene.provider.creates(1), 2);
    assert_eq!(scene.made(), [1].into());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i6_an_outcome_is_written_when_the_disk_works_again_and_nothing_is_sent_twice() {
    let scene = Scene::new([1, 2]);
    let disk = scene.disk.clone();
    scene.provider.script(move |what| {
        if matches!(what, What::Create(_)) {
            disk.set().room = Some(0);
        }
        Reply::Works
    });
    let running = scene.run();
    scene.pass(30 * MINUTE).await;
    let sent = scene.provider.mutations();
    let (intents, results) = (scene.events("create_intent"), scene.events("create_result"));
    assert_eq!((intents.len(), results.len()), (sent, 0));
    assert_eq!(
        scene.engine.summary().alerts,
        1,
        "the alert about the trail"
    );

    scene.provider.works();
    scene.disk.set().room = None;
    scene.pass(MINUTE).await;
    for result in scene.events("create_result") {
        assert_eq!(
            (&result["outcome"], &result["status"]),
            (&"done".into(), &201.into())
        );
    }
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.events("create_result").len(), 2);
    assert_eq!(
        (scene.provider.creates(1), scene.provider.creates(2)),
        (1, 1)
    );
    assert_eq!(scene.made(), [1, 2].into());
    assert_eq!(scene.engine.summary().alerts, 0);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_policy_is_recorded_once_and_its_return_resumes_the_open_create() {
    let mut scene = Scene::new([1, 2]);
    // The create takes effect although the answer is a 500; `put` adds its snapshot below.
    scene.provider.script(|what| match what {
        What::Create(1) => Reply::Says(500),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(MINUTE).await;
    assert_eq!(scene.events("create_result")[0]["outcome"], "unknown");

    scene.reload([2]);
    scene.pass(MINUTE).await;
    scene.reload([2]);
    scene.pass(MINUTE).await;
    assert_eq!(scene.events("server_removed").len(), 1);
    running.ends().await;
    for _ in 0..2 {
        scene.restart([2]);
        let running = scene.run();
        scene.pass(MINUTE).await;
        running.ends().await;
    }
    assert_eq!(scene.events("server_removed").len(), 1, "across restarts");

    scene.provider.put(1, TODAY, "2026-11-25T04:00:01Z");
    scene.provider.works();
    scene.restart([1, 2]);
    let running = scene.run();
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), 1, "I9: never sent again");
    let adopted = scene.events("create_result");
    let adopted = adopted
        .iter()
        .rfind(|record| record["server"] == 1)
        .unwrap();
    assert_eq!(adopted["outcome"], "done");
    assert_eq!(scene.provider.names(1), [TODAY]);
    scene.reload([2]);
    scene.pass(MINUTE).await;
    assert_eq!(
        scene.events("server_removed").len(),
        2,
        "the policy is removed again"
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn the_alert_of_a_blocked_server_is_cleared_when_its_returned_policy_is_removed_again() {
    let scene = Scene::new([1, 2]);
    let running = scene.run();
    scene.pass(MINUTE).await;
    scene.reload([2]);
    scene.pass(MINUTE).await;
    scene.provider.script(|what| match what {
        What::List(Some(1)) => Reply::Says(403),
        _ => Reply::Works,
    });
    scene.reload([1, 2]);
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.raised(), ["blocked 1"]);
    scene.reload([2]);
    scene.pass(6 * MINUTE).await;
    running.ends().await;
    let (_, opened) = open(&scene.disk, &scene.clock);
    let history = &opened.histories[&ServerId::from(1)];
    assert!(history.removed);
    assert!(history.alerts.is_empty() && history.blocked.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_new_trail_beside_own_snapshots_raises_an_alert_and_delays_creates_for_a_settle_window() {
    for there in [true, false] {
        let mut scene = Scene::new([]);
        if there {
            scene
                .provider
                .put(1, "daily-2026-11-20", "2026-11-20T03:00:00Z");
        }
        scene.engine = first(&scene, 1);
        let running = scene.run();
        scene.pass(scene.rules.settle_window - MINUTE).await;
        assert_eq!(scene.provider.creates(1), usize::from(!there), "{there}");
        let alert = ["trail_begins trail".to_owned()];
        assert_eq!(scene.raised(), if there { &alert[..] } else { &[] });
        scene.pass(2 * MINUTE).await;
        assert_eq!(scene.provider.creates(1), 1);
        assert_eq!(scene.cleared(), if there { &alert[..] } else { &[] });
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_delay_of_creates_after_a_new_trail_continues_after_a_restart() {
    let mut scene = Scene::new([]);
    scene
        .provider
        .put(1, "daily-2026-11-20", "2026-11-20T03:00:00Z");
    scene.engine = first(&scene, 1);
    let running = scene.run();
    scene.pass(scene.rules.settle_window / 2).await;
    running.ends().await;
    scene.restart([1]);
    let running = scene.run();
    scene.pass(scene.rules.settle_window / 2 - MINUTE).await;
    assert_eq!(scene.provider.creates(1), 0);
    scene.pass(2 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), 1);
    assert_eq!(scene.cleared(), ["trail_begins trail"]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn while_a_new_trail_delays_creates_no_snapshot_is_deleted_to_make_room() {
    let mut scene = Scene::new([]);
    for day in 16..=20 {
        let name = format!("daily-2026-11-{day}");
        let made = format!("2026-11-{day}T03:00:00Z");
        scene.provider.put(1, &name, &made);
    }
    scene.engine = first(&scene, 1);
    let running = scene.run();
    scene.pass(scene.rules.settle_window - MINUTE).await;
    assert!(scene.events("delete_intent").is_empty());
    scene.pass(2 * MINUTE).await;
    assert_eq!(scene.events("delete_intent").len(), 1);
    assert_eq!(scene.provider.creates(1), 1);
    running.ends().await;
}
