//! Tests of stopping a server for its snapshot, and of starting it again.

use std::sync::Arc;

use super::provider::{Reply, What};
use super::support::{MINUTE, Scene};
use crate::api::PowerAction;

#[tokio::test(start_paused = true)]
async fn i20_a_state_requested_before_a_person_stopped_the_server_causes_no_stop_and_no_start() {
    let scene = Scene::new([1]);
    scene.reload_stopping();
    // The create is refused for now, and listings fail from the start call on. The state is
    // requested twice before the server is considered started.
    let mut started = false;
    scene.provider.script(move |what| match what {
        What::Create(_) => Reply::Says(409),
        What::Power(_, PowerAction::Start) => {
            started = true;
            Reply::Works
        }
        What::List(_) if started => Reply::Says(503),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(20 * MINUTE).await;
    assert_eq!(scene.events("start_confirmed").len(), 1);
    scene.provider.stop(1);
    scene.provider.works();
    scene.pass(60 * MINUTE).await;
    assert_eq!(scene.made().len(), 1);
    for action in [PowerAction::Stop, PowerAction::Start] {
        let calls = |what: &What| *what == What::Power(1, action);
        assert_eq!(scene.provider.times(calls).len(), 1, "{action:?}");
    }
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i20_a_server_that_a_person_stopped_while_the_stop_waited_stays_stopped() {
    let scene = Scene::new([1]);
    scene.reload_stopping();
    let (provider, mut asked) = (Arc::clone(&scene.provider), false);
    scene.provider.script(move |what| {
        if matches!(what, What::State(_)) && !asked {
            asked = true;
            provider.hold(MINUTE);
        }
        Reply::Works
    });
    let running = scene.run();
    scene.pass(MINUTE / 2).await;
    scene.provider.stop(1);
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.made().len(), 1);
    let powered = |what: &What| matches!(what, What::Power(..));
    assert_eq!(scene.provider.times(powered).len(), 0);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i20_a_server_is_started_though_the_result_of_its_stop_or_create_cannot_be_recorded() {
    let calls: [fn(&What) -> bool; 2] = [
        |what| matches!(what, What::Power(_, PowerAction::Stop)),
        |what| matches!(what, What::Create(_)),
    ];
    for in_flight in calls {
        let scene = Scene::new([1]);
        scene.reload_stopping();
        let disk = scene.disk.clone();
        scene.provider.script(move |what| {
            if in_flight(what) {
                disk.set().room = Some(0);
            }
            Reply::Works
        });
        let running = scene.run();
        scene.pass(75 * MINUTE).await;
        let started = |what: &What| *what == What::Power(1, PowerAction::Start);
        assert!(!scene.provider.times(started).is_empty());
        assert_eq!(scene.events("start_intent").len(), 0);
        scene.disk.set().room = None;
        scene.pass(10 * MINUTE).await;
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn i20_at_shutdown_a_start_that_is_refused_for_half_a_minute_is_repeated() {
    let scene = Scene::new([1]);
    scene.reload_stopping();
    let (clock, ends) = (scene.clock.clone(), scene.clock.now().mono + 5 * MINUTE);
    scene.provider.script(move |what| match what {
        What::Power(1, PowerAction::Start) if clock.now().mono < ends + MINUTE / 2 => {
            Reply::Says(503)
        }
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(5 * MINUTE).await;
    assert!(!scene.events("start_intent").is_empty());
    running.ends().await;
    let results = scene.events("start_result");
    let last = results.last().map(|result| result["outcome"].clone());
    assert_eq!(last, Some("done".into()));
}
