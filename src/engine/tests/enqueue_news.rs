//! Tests of the news that the engine queues for the notifiers, without ever waiting for them.

use std::sync::Arc;

use jiff::SignedDuration;

use super::provider::Reply;
use super::support::{MINUTE, Scene, TODAY};
use crate::alerts::{News, NewsQueue, SlotChange};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Drains the queue and returns the news in short form.
fn news(tap: &NewsQueue) -> Vec<String> {
    let (news, lost) = tap.drain();
    assert_eq!(lost, 0);
    news.into_iter()
        .map(|one| match one {
            News::Raised(alert) => {
                let place = alert.server.expect("a server");
                format!("raised {} {} {}", alert.kind, place.id, place.policy)
            }
            News::Unwatched(key) => format!("unwatched {} {:?}", key.kind, key.server),
            News::Cleared(key) => format!("cleared {} {:?}", key.kind, key.server),
            News::Acknowledged(key, _) => format!("acknowledged {} {:?}", key.kind, key.server),
            News::Copy(server, copy) => format!("copy {server} {copy:?}"),
            News::Witness(signed) => format!("checkpoint {}", signed.record),
            News::Report(news) => format!("report {}", news.receiver),
            News::Slot(slot) => {
                let turn = match slot.turn {
                    SlotChange::Started => "started",
                    SlotChange::Completed => "completed",
                    SlotChange::Failed => "failed",
                };
                format!("{turn} {} {}", slot.rotation, slot.snapshot)
            }
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn slots_and_alerts_are_queued_and_alerts_of_a_removed_policy_become_unwatched() {
    let scene = Scene::new([1]);
    let tap = Arc::new(NewsQueue::default());
    scene.engine.tap(Arc::clone(&tap));
    let running = scene.run();
    scene.pass(2 * HOUR).await;
    let slot = |turn: &str| format!("{turn} daily {TODAY}");
    assert_eq!(news(&tap), [slot("started"), slot("completed")]);

    scene.stepper.step(-48 * HOUR);
    scene.pass(MINUTE).await;
    let policy = &scene.engine.policies()[&crate::core::snapshot::ServerId::from(1)].file;
    assert_eq!(news(&tap), [format!("raised blocked 1 {policy}")]);
    let standing = scene.engine.standing();
    assert_eq!(standing.len(), 1);
    assert!(standing[0].since < scene.clock.now().wall);

    scene.reload([]);
    let named = &scene.engine.standing()[0];
    assert_eq!(named.server, standing[0].server, "the name is kept");
    scene.pass(MINUTE).await;
    assert_eq!(news(&tap), ["unwatched blocked Some(ServerId(1))"]);
    assert!(scene.engine.standing().is_empty());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_unwritable_trail_is_queued_as_an_alert_although_it_cannot_be_recorded() {
    let scene = Scene::new([1]);
    let tap = Arc::new(NewsQueue::default());
    scene.engine.tap(Arc::clone(&tap));
    scene.disk.set().room = Some(0);
    let running = scene.run();
    scene.pass(MINUTE).await;
    let (news, _) = tap.drain();
    let [News::Raised(alert)] = news.as_slice() else {
        panic!("{news:?}");
    };
    assert_eq!(alert.kind, "trail_unwritable");
    assert_eq!(alert.server, None);
    scene.disk.set().room = None;
    scene.pass(10 * MINUTE).await;
    let (news, _) = tap.drain();
    assert!(matches!(&news[0], News::Cleared(key) if key.kind == "trail_unwritable"));
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_trail_outage_ends_by_itself_and_is_recorded_with_the_alerts_raised_meanwhile() {
    let scene = Scene::new([1]);
    scene.provider.script(|_| Reply::Says(500));
    let running = scene.run();
    scene.disk.set().room = Some(0);
    scene.pass(30 * MINUTE).await;
    assert!(!scene.engine.counters().writable);
    // No other record is due.
    scene.disk.set().room = None;
    scene.pass(2 * MINUTE).await;
    assert!(scene.engine.counters().writable);
    let raised = ["trail_unwritable trail", "api_unreachable account"];
    assert_eq!(scene.raised(), raised);
    assert_eq!(scene.cleared(), ["trail_unwritable trail"]);
    let reason = scene.events("alert_raised")[0]["reason"].clone();
    let said = "the trail could not be written from 2026-11-25 04:0";
    assert!(
        reason.as_str().is_some_and(|r| r.starts_with(said)),
        "{reason}"
    );
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.raised(), raised, "raised only once");
    running.ends().await;
}
