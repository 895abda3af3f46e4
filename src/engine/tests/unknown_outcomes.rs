//! Tests of started orders whose outcome is unknown, and of an order that was not sent.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::task::JoinHandle;

use super::provider::{Reply, What};
use super::support::{MINUTE, Running, Scene, TODAY};
use crate::core::operator_order::Order;
use crate::core::server_event::Outcome;
use crate::core::snapshot::{ServerId, SnapshotId};
use crate::engine::OrderOutcome;

/// Returns a scene with an idle server that holds today's snapshot and one that an order will
/// delete.
async fn at_rest() -> (Scene, Running) {
    let scene = Scene::new([1]);
    scene.provider.put(1, "by-hand", "2026-11-01T03:00:00Z");
    let running = scene.run();
    scene.pass(60 * MINUTE).await;
    assert_eq!(scene.provider.names(1), ["by-hand", TODAY]);
    (scene, running)
}

fn ordered(scene: &Scene) -> JoinHandle<OrderOutcome> {
    let engine = Arc::clone(&scene.engine);
    let order = Order::Delete {
        snapshot: "by-hand".into(),
        id: SnapshotId::from(101),
    };
    tokio::spawn(async move {
        engine
            .order(ServerId::from(1), order, "root".to_owned())
            .await
    })
}

fn unknown(answer: &OrderOutcome) {
    assert_eq!(answer.outcome, Some(Outcome::Unknown), "{answer:?}");
    let reason = answer.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("the order was started"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn i6_a_sent_order_whose_result_cannot_be_recorded_before_the_stop_is_reported_as_unknown() {
    let (scene, running) = at_rest().await;
    let disk = scene.disk.clone();
    scene.provider.script(move |what| {
        if matches!(what, What::Delete(_)) {
            disk.set().room = Some(0);
        }
        Reply::Works
    });
    let answer = ordered(&scene);
    scene.pass(MINUTE).await;
    assert_eq!(scene.provider.names(1), [TODAY], "the delete was sent");
    assert!(!answer.is_finished(), "its outcome can't be recorded");
    running.ends().await;
    unknown(&answer.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_order_during_which_the_server_s_loop_panics_is_reported_as_unknown() {
    let (scene, running) = at_rest().await;
    scene.provider.script(|what| match what {
        What::Delete(_) => panic!("a fault of the engine"),
        _ => Reply::Works,
    });
    unknown(&ordered(&scene).await.unwrap());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_call_is_aborted_with_the_service_is_reported_as_unknown() {
    let (scene, running) = at_rest().await;
    scene.provider.script(|what| match what {
        What::Delete(_) => Reply::Slowly(SignedDuration::from_hours(1), 200),
        _ => Reply::Works,
    });
    let answer = ordered(&scene);
    scene.pass(MINUTE).await;
    running.task.abort();
    unknown(&answer.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_still_waiting_when_the_service_stops_is_reported_as_not_sent() {
    let (scene, running) = at_rest().await;
    scene.provider.script(|what| match what {
        What::List(_) => Reply::Slowly(20 * SignedDuration::from_secs(1), 200),
        _ => Reply::Works,
    });
    let answer = ordered(&scene);
    scene.pass(SignedDuration::from_secs(5)).await;
    running.ends().await;
    let answer = answer.await.unwrap();
    assert_eq!(answer.outcome, None, "{answer:?}");
    assert!(answer.reason.unwrap().contains("stopping"));
}
