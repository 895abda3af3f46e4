//! Tests of listings that lack a snapshot, or still show a deleted one. One such listing alone must
//! not lead to a change.

use std::collections::VecDeque;

use super::provider::{Reply, What};
use super::support::{MINUTE, Scene};

/// Returns a scene whose server 1 is full of foreign snapshots, 101 to 105.
fn full() -> Scene {
    let scene = Scene::new([1]);
    for nth in 1..=5 {
        let name = format!("by-hand-{nth}");
        scene.provider.put(1, &name, "2026-11-01T00:00:00Z");
    }
    scene
}

/// Answers the next listings with these replies, and every other request as usual.
fn listings(scene: &Scene, replies: impl IntoIterator<Item = Reply>) {
    let mut replies: VecDeque<_> = replies.into_iter().collect();
    scene.provider.script(move |what| match what {
        What::List(_) => replies.pop_front().unwrap_or(Reply::Works),
        _ => Reply::Works,
    });
}

#[tokio::test(start_paused = true)]
async fn i10_nothing_is_changed_on_the_basis_of_the_first_listing_alone() {
    use Reply::{Doubted, Lacks};
    for replies in [
        vec![Lacks(101)],
        vec![Doubted, Lacks(101)],
        vec![Lacks(101), Doubted, Lacks(101)],
        vec![Lacks(101), Doubted, Lacks(101), Doubted, Lacks(101)],
    ] {
        let scene = full();
        listings(&scene, replies.clone());
        let running = scene.run();
        scene.pass(30 * MINUTE).await;
        assert_eq!(scene.provider.creates(1), 0, "{replies:?}");
        scene.provider.take(101);
        scene.pass(60 * MINUTE).await;
        assert_eq!(scene.provider.creates(1), 1, "{replies:?}");
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn i10_a_listed_snapshot_counts_as_gone_only_when_two_reliable_listings_lack_it() {
    use Reply::{Doubted, Lacks};
    for replies in [
        vec![Lacks(101)],
        vec![Doubted, Lacks(101)],
        vec![Lacks(101), Doubted, Lacks(101)],
        vec![Lacks(101), Lacks(102), Lacks(103)],
    ] {
        let scene = full();
        let running = scene.run();
        scene.pass(10 * MINUTE).await;
        listings(&scene, replies.clone());
        scene.pass(60 * MINUTE).await;
        assert_eq!(scene.provider.creates(1), 0, "{replies:?}");
        scene.provider.take(101);
        scene.pass(60 * MINUTE).await;
        assert_eq!(scene.provider.creates(1), 1, "{replies:?}");
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn i5_a_delete_with_an_unknown_outcome_counts_as_done_only_when_two_listings_confirm_it() {
    let scene = Scene::new([1]);
    for day in 22..=24 {
        let name = format!("daily-2026-11-{day}");
        let made = format!("2026-11-{day}T03:00:00Z");
        scene.provider.put(1, &name, &made);
    }
    let mut unanswered = false;
    scene.provider.script(move |what| match what {
        What::Delete(101) if !unanswered => {
            unanswered = true;
            Reply::Says(500)
        }
        What::List(_) if unanswered => {
            // The first listing after the delete lacks the snapshot.
            unanswered = false;
            Reply::Lacks(101)
        }
        _ => Reply::Works,
    });
    let running = scene.run();
    // The first look announced the deletion.
    scene.pass(scene.rules.shrink_grace + MINUTE).await;
    assert_eq!(scene.events("delete_intent").len(), 1);
    assert!(
        scene.events("delete_confirmed").is_empty(),
        "the snapshot still exists"
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i9_one_listing_without_the_snapshot_after_an_outage_does_not_fail_an_accepted_create() {
    let scene = Scene::new([1]);
    let mut since_create = None;
    scene
        .provider
        .script(move |what| match (what, &mut since_create) {
            (What::Create(_), since) => {
                *since = Some(0);
                Reply::Works
            }
            (What::List(_), Some(listings)) => {
                *listings += 1;
                match *listings {
                    // No listing succeeds until after the settle window, and the next one lacks the
                    // new snapshot.
                    1..=40 => Reply::Says(500),
                    41 => Reply::Lacks(101),
                    _ => Reply::Works,
                }
            }
            _ => Reply::Works,
        });
    let running = scene.run();
    scene.pass(5 * 60 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), 1);
    assert!(scene.events("snapshot_failed").is_empty());
    assert_eq!(scene.events("slot_settled").len(), 1);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i7_a_deleted_snapshot_that_is_listed_again_counts_as_existing_only_after_two_listings() {
    for (stale, doubted, again) in [(1, 0, false), (3, 4, false), (100, 0, true)] {
        let scene = Scene::new([1]);
        for name in ["by-hand-1", "by-hand-2", "by-hand-3"] {
            scene.provider.put(1, name, "2026-11-01T00:00:00Z");
        }
        for day in [23, 24] {
            let made = format!("2026-11-{day}T03:00:00Z");
            let name = format!("daily-2026-11-{day}");
            scene.provider.put(1, &name, &made);
        }
        // The create after the delete fails. Before it is tried again, a stale listing shows the
        // deleted snapshot.
        let (mut over, mut shown) = (false, 0);
        scene.provider.script(move |what| match what {
            What::Delete(_) => {
                over = true;
                Reply::Works
            }
            What::Create(_) if over => {
                shown = 1;
                Reply::Says(400)
            }
            What::List(_) if shown > 0 => {
                shown += 1;
                let lags = (3..3 + stale).contains(&shown);
                if shown == doubted {
                    Reply::Doubted
                } else if lags {
                    Reply::Shows(104)
                } else {
                    Reply::Works
                }
            }
            _ => Reply::Works,
        });
        let running = scene.run();
        scene.pass(30 * MINUTE).await;
        let sent = scene.provider.times(|what| matches!(what, What::Delete(_)));
        assert_eq!(sent.len() > 1, again, "{stale}: {sent:?}");
        running.ends().await;
    }
}
