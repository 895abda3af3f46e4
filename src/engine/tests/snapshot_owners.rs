//! Tests of snapshots that appear in another server's listing, or in several servers' listings.

use super::listings::{DAY, hold_two};
use super::provider::{Reply, What};
use super::support::{MINUTE, Scene};
use crate::core::snapshot::ServerId;

fn blocked(scene: &Scene) -> [bool; 2] {
    let raised = scene.raised();
    ["blocked 1", "blocked 2"].map(|alert| raised.iter().any(|raised| raised == alert))
}

#[tokio::test(start_paused = true)]
async fn i1_a_snapshot_that_moves_to_another_server_blocks_both_until_a_resume_gives_it_up() {
    let scene = Scene::new([1, 2]);
    hold_two(&scene, 2);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.made(), [1, 2].into());
    let created = scene.provider.creates(1) + scene.provider.creates(2);
    // The newest snapshot of server 2, and the oldest that it still has.
    let newest = (105..110).find(|id| scene.provider.owner(*id) == Some(2));
    let newest = newest.expect("a snapshot that server 2 has made");
    for id in [newest, 104] {
        scene.provider.move_to(1, id);
    }
    scene.pass(DAY).await;
    assert_eq!(blocked(&scene), [true; 2]);
    let blocks = scene.events("blocked");
    let says = |part: &str| {
        let mut reasons = blocks.iter().map(|block| block["reason"].to_string());
        assert!(reasons.any(|reason| reason.contains(part)), "{blocks:?}");
    };
    says("which is a snapshot of server 2");
    says("it lacks the snapshot with id");
    // No second snapshot is made for a slot whose snapshot is in another server's listing.
    assert_eq!(
        scene.provider.creates(1) + scene.provider.creates(2),
        created
    );
    assert_eq!(scene.events("snapshot_gone").len(), 0);
    let resumed = scene.engine.resume(Some(ServerId::from(2)), "me").await;
    let resumed = resumed.expect("nothing prevents it");
    let given_up = format!(
        "from now on, 2 snapshots that only another server's listing shows may belong to that server, whose rotation may delete those whose names match its own patterns: id 104, {newest}"
    );
    assert!(!resumed.nothing);
    assert_eq!(resumed.ended, [given_up]);
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.events("recovered").len(), 2);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i1_a_resume_gives_up_a_snapshot_that_moved_even_if_the_service_was_restarted_meanwhile() {
    let mut scene = Scene::new([1, 2]);
    hold_two(&scene, 2);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    scene.provider.show_also(1, 104);
    scene.pass(DAY).await;
    let owner = || Some(ServerId::from(2));
    let kept = scene.engine.resume(owner(), "me").await;
    let kept = kept.expect_err("its own listing shows it").to_string();
    assert!(kept.contains("id 104"), "{kept}");
    scene.provider.move_to(1, 104);
    scene.pass(DAY).await;
    running.ends().await;
    scene.restart([1, 2]);
    let running = scene.run();
    scene.pass(DAY).await;
    assert_eq!(blocked(&scene), [true; 2]);
    let resumed = scene.engine.resume(owner(), "me").await;
    let resumed = resumed.expect("nothing prevents it");
    assert!(resumed.ended[0].contains("id 104"), "{resumed:?}");
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.events("recovered")[0]["server"], 2);
    let found = scene.events("snapshot_found");
    let mut found = found.iter().filter(|found| found["server"] == 1);
    assert!(found.any(|found| found["id"] == 104));
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i1_a_server_keeps_its_snapshots_when_its_policy_is_removed_until_a_resume_gives_them_up() {
    let scene = Scene::new([1, 2]);
    hold_two(&scene, 2);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    scene.provider.show_also(1, 104);
    scene.pass(DAY).await;
    assert_eq!(blocked(&scene), [true; 2]);
    scene.reload([1]);
    scene.pass(2 * DAY).await;
    assert_eq!(scene.events("recovered").len(), 0);
    let deleted = scene.provider.times(|what| *what == What::Delete(104));
    assert_eq!(deleted, []);
    let owner = ServerId::from(2);
    assert!(scene.engine.is_resumable(&owner));
    let resumed = scene.engine.resume(Some(owner), "me").await;
    let resumed = resumed.expect("nothing prevents it");
    assert!(resumed.ended[0].contains("id 104"), "{resumed:?}");
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.events("recovered").len(), 1);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i1_a_claim_to_a_snapshot_survives_an_edit_of_the_claimants_id_until_its_next_listing() {
    let scene = Scene::new([1, 2]);
    hold_two(&scene, 2);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    // The oldest snapshot that server 1 still has.
    scene.provider.show_also(2, 102);
    scene.pass(DAY).await;
    assert_eq!(blocked(&scene), [true; 2]);
    scene.provider.script(|what| match what {
        What::List(Some(9)) => Reply::Says(500),
        _ => Reply::Works,
    });
    scene.reload_second_as(9);
    scene.pass(DAY).await;
    let deleted = || {
        scene
            .provider
            .times(|what| *what == What::Delete(102))
            .len()
    };
    assert_eq!(deleted(), 0, "it is unknown whether server 9 has it");
    scene.provider.works();
    scene.pass(DAY).await;
    assert_eq!(deleted(), 1, "server 1 rotates again");
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i9_after_an_answer_with_another_servers_snapshot_id_the_new_snapshot_is_found_by_name() {
    let scene = Scene::new([1, 2]);
    hold_two(&scene, 2);
    scene.provider.script(|what| match what {
        What::Create(1) => Reply::Names(104),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), 1);
    let results = scene.events("create_result");
    let mut results = results.iter().filter(|result| result["server"] == 1);
    let mut next = || {
        results
            .next()
            .map(|result| (result["outcome"].clone(), result["id"].clone()))
    };
    let outcomes = [next(), next(), next()];
    let unknown = Some(("unknown".into(), serde_json::Value::Null));
    assert_eq!(outcomes, [unknown, Some(("done".into(), 105.into())), None]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i1_a_snapshot_in_the_listings_of_two_servers_blocks_both_even_after_a_restart() {
    let mut scene = Scene::new([1, 2]);
    hold_two(&scene, 2);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.made(), [1, 2].into());
    // The oldest snapshot that server 2 still has.
    scene.provider.show_also(1, 104);
    scene.pass(DAY).await;
    let made = scene.provider.asked().len();
    assert_eq!(blocked(&scene), [true; 2]);
    // The next process gets no listing of server 1.
    running.ends().await;
    scene.provider.script(|what| match what {
        What::List(Some(1)) => Reply::Says(500),
        _ => Reply::Works,
    });
    scene.restart([1, 2]);
    let running = scene.run();
    scene.pass(2 * DAY).await;
    let asked = scene.provider.asked();
    let calls = asked[made..].iter();
    let changes = calls.filter(|call| matches!(call.what, What::Create(2) | What::Delete(_)));
    assert_eq!(changes.count(), 0);
    scene.provider.works();
    scene.provider.hide(1, 104);
    scene.pass(DAY).await;
    assert_eq!(scene.events("recovered").len(), 2);
    let deleted = scene.provider.times(|what| *what == What::Delete(104));
    assert_eq!(deleted.len(), 1, "server 2 rotates again");
    running.ends().await;
}
