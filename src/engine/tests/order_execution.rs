//! Tests of an operator's orders and pauses, with and without a running engine.

use std::sync::Arc;

use jiff::SignedDuration;

use super::provider::{Reply, What};
use super::support::{MINUTE, Scene, TODAY};
use crate::core::operator_order::Order;
use crate::core::order_terms::OrderTerms;
use crate::core::server_event::Outcome;
use crate::core::snapshot::{ServerId, SnapshotId};
use crate::engine::{OrderOutcome, ServerStateView};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const SERVER: ServerId = ServerId::integer(1);

fn create(name: &str) -> Order {
    Order::Create {
        snapshot: name.into(),
        spare: None,
        description: None,
        expires: None,
    }
}

fn delete(name: &str, id: u64) -> Order {
    Order::Delete {
        snapshot: name.into(),
        id: SnapshotId::from(id),
    }
}

fn restore(name: &str, id: u64) -> Order {
    Order::Restore {
        snapshot: name.into(),
        id: SnapshotId::from(id),
    }
}

async fn order(scene: &Scene, order: Order) -> OrderOutcome {
    scene.engine.order(SERVER, order, "root".to_owned()).await
}

fn done(answer: &OrderOutcome) -> SnapshotId {
    assert_eq!(answer.outcome, Some(Outcome::Done), "{answer:?}");
    answer.id.clone().unwrap()
}

fn refused(answer: &OrderOutcome, why: &str) {
    assert_eq!(answer.outcome, None, "{answer:?}");
    let reason = answer.reason.as_deref().unwrap_or_default();
    assert!(reason.contains(why), "{reason:?} instead of {why:?}");
}

/// Returns a server at rest after today's slot, with one foreign snapshot.
async fn at_rest() -> (Scene, super::support::Running) {
    let scene = Scene::new([1]);
    scene.provider.put(1, "by-hand", "2026-11-01T03:00:00Z");
    let running = scene.run();
    scene.pass(HOUR).await;
    assert_eq!(scene.provider.names(1), ["by-hand", TODAY]);
    (scene, running)
}

#[tokio::test(start_paused = true)]
async fn a_resting_server_carries_out_an_order_at_once_and_the_trail_names_the_operator() {
    let (scene, running) = at_rest().await;
    let before = scene.clock.now().mono;
    done(&order(&scene, create("before-upgrade")).await);
    assert!(scene.clock.now().mono - before < 10 * SECOND);
    scene.pass(MINUTE).await;
    done(&order(&scene, delete("by-hand", 101)).await);
    scene.pass(MINUTE).await;
    assert_eq!(scene.provider.names(1), [TODAY, "before-upgrade"]);
    let intents = [
        &scene.events("create_intent")[1],
        &scene.events("delete_intent")[0],
    ];
    for intent in intents {
        assert_eq!(intent["by"], "root");
        assert_eq!(intent["rotation"], serde_json::Value::Null);
    }
    assert_eq!(scene.events("delete_confirmed").len(), 1);
    assert_eq!(scene.events("snapshot_completed").len(), 2);
    // The rotation continues as before.
    scene.pass(24 * HOUR).await;
    assert_eq!(scene.provider.names(1).len(), 3);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i5_an_order_that_arrives_during_a_mutation_is_not_sent_before_the_mutation_is_answered() {
    let scene = Scene::new([1]);
    scene.provider.script(|what| match what {
        What::Create(_) => Reply::Slowly(20 * SECOND, 200),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(15 * SECOND).await;
    assert_eq!(
        scene.provider.creates(1),
        1,
        "the slot's create is in flight"
    );
    let engine = Arc::clone(&scene.engine);
    let ordered = engine
        .order(SERVER, create("mine"), "root".to_owned())
        .await;
    // The slot's snapshot completes once its create is answered, so nothing delays the order.
    done(&ordered);
    let asked = scene.provider.asked();
    let creates: Vec<_> = asked
        .iter()
        .filter(|asked| matches!(asked.what, What::Create(_)))
        .collect();
    assert_eq!(creates.len(), 2);
    assert!(creates[0].answered.unwrap() <= creates[1].at);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i9_i12_an_order_without_an_answer_is_never_sent_again() {
    for mine in [create("mine"), restore(TODAY, 102)] {
        let (scene, running) = at_rest().await;
        scene.provider.script(|what| match what {
            What::List(_) => Reply::Works,
            _ => Reply::Says(504),
        });
        let answer = order(&scene, mine.clone()).await;
        assert_eq!(answer.outcome, Some(Outcome::Unknown), "{mine:?}");
        assert!(answer.reason.unwrap().contains("504"));
        scene.provider.works();
        let before = scene.provider.mutations();
        scene.pass(20 * HOUR).await;
        assert_eq!(scene.provider.mutations(), before, "{mine:?}");
        assert_eq!(scene.provider.restores(), usize::from(before == 1));
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_delete_order_is_not_repeated_and_does_not_count_against_the_rotation() {
    let (scene, running) = at_rest().await;
    scene.provider.script(|what| match what {
        What::Delete(_) => Reply::Says(400),
        _ => Reply::Works,
    });
    for _ in 0..4 {
        let answer = order(&scene, delete("by-hand", 101)).await;
        assert_eq!(answer.outcome, Some(Outcome::Failed));
        scene.pass(MINUTE).await;
    }
    scene.provider.works();
    // Two more days: the rotation immediately prunes what exceeds `keep`.
    scene.pass(48 * HOUR + MINUTE).await;
    let names = ["by-hand", "daily-2026-11-26", "daily-2026-11-27"];
    assert_eq!(scene.provider.names(1), names);
    assert_eq!(scene.raised(), Vec::<String>::new());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_becomes_due_after_a_restore_waits_until_the_restore_is_over() {
    let (scene, running) = at_rest().await;
    // Five minutes before the next slot.
    scene.pass(22 * HOUR - 5 * MINUTE).await;
    done(&order(&scene, restore("by-hand", 101)).await);
    refused(&order(&scene, create("mine")).await, "left alone until");
    let creates = scene.provider.creates(1);
    scene.pass(29 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), creates, "the slot waits");
    scene.pass(2 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), creates + 1);
    assert_eq!(scene.provider.restores(), 1);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i12_a_restore_interrupted_by_a_crash_is_recorded_as_unknown_and_new_orders_are_refused() {
    let (mut scene, running) = at_rest().await;
    scene.provider.script(|what| match what {
        What::Restore(_) => Reply::Slowly(HOUR, 200),
        _ => Reply::Works,
    });
    let (engine, name) = (Arc::clone(&scene.engine), TODAY);
    let waiting = tokio::spawn(async move {
        let by = "root".to_owned();
        engine.order(SERVER, restore(name, 102), by).await
    });
    scene.pass(MINUTE).await;
    assert_eq!(scene.provider.restores(), 1);
    // The process is killed: the task ends, and its call with it.
    running.task.abort();
    waiting.abort();
    scene.provider.works();
    scene.restart([1]);
    let running = scene.run();
    scene.pass(MINUTE).await;
    let results = scene.events("restore_result");
    assert_eq!(results[0]["outcome"], "unknown");
    refused(&order(&scene, create("mine")).await, "left alone until");
    scene.pass(2 * HOUR).await;
    assert_eq!(scene.provider.restores(), 1, "never sent again");
    done(&order(&scene, create("mine")).await);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_client_disconnects_before_it_starts_is_dropped() {
    let (scene, running) = at_rest().await;
    scene.provider.script(|what| match what {
        What::List(_) => Reply::Slowly(20 * SECOND, 200),
        _ => Reply::Works,
    });
    let engine = Arc::clone(&scene.engine);
    let gone = engine.order(SERVER, create("mine"), "root".to_owned());
    let gone = tokio::time::timeout(std::time::Duration::from_secs(5), gone);
    assert!(gone.await.is_err());
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.provider.names(1), ["by-hand", TODAY]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_order_that_cannot_start_reports_why() {
    let (scene, running) = at_rest().await;
    let by = || "root".to_owned();
    let answer = scene
        .engine
        .order(ServerId::from(9), create("mine"), by())
        .await;
    refused(&answer, "no policy in force");
    scene.provider.script(|what| match what {
        What::List(_) => Reply::Says(502),
        _ => Reply::Works,
    });
    let answer = order(&scene, create("mine")).await;
    refused(&answer, "can't be listed");
    scene.provider.works();
    scene.disk.set().room = Some(0);
    let answer = order(&scene, create("mine")).await;
    refused(&answer, "the trail can't be written");
    assert_eq!(scene.provider.names(1), ["by-hand", TODAY]);
    running.ends().await;
    let answer = order(&scene, create("mine")).await;
    refused(&answer, "stopping");
}

#[tokio::test(start_paused = true)]
async fn without_a_running_loop_the_order_is_carried_out_but_no_due_slot_is() {
    let scene = Scene::new([1]);
    scene.provider.put(1, "by-hand", "2026-11-01T03:00:00Z");
    let by = || "root".to_owned();
    let answer = scene.engine.order_alone(SERVER, create("mine"), by()).await;
    done(&answer);
    assert_eq!(scene.provider.names(1), ["by-hand", "mine"]);
    assert_eq!(
        scene.provider.creates(1),
        1,
        "today's slot is left to the daemon"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_prevents_new_work_survives_a_restart_and_ends_with_resume() {
    let mut scene = Scene::new([1, 2]);
    let held = scene
        .engine
        .pause(Some(SERVER), OrderTerms::by("root"))
        .await
        .unwrap();
    assert!(held.since.is_some());
    let running = scene.run();
    scene.pass(25 * HOUR).await;
    assert_eq!(scene.provider.creates(1), 0);
    assert_eq!(scene.provider.creates(2), 2, "the other server continues");
    running.ends().await;
    scene.restart([1, 2]);
    let before = scene.provider.asked().len();
    scene
        .engine
        .pause(None, OrderTerms::by("root"))
        .await
        .unwrap();
    let running = scene.run();
    scene.pass(HOUR).await;
    assert_eq!(scene.provider.creates(1), 0);
    // Status still needs the servers' snapshots. Each server is therefore listed until two listings
    // agree, and then not again.
    assert_eq!(scene.provider.asked().len() - before, 4);
    for server in [1, 2] {
        let seen = |known: ServerStateView<'_>| known.seen.is_some();
        assert_eq!(
            scene
                .engine
                .with_server_state(&ServerId::from(server), seen),
            Some(true)
        );
    }
    scene.engine.resume(None, "root").await.unwrap();
    let held = scene.engine.resume(Some(SERVER), "root").await.unwrap();
    assert_eq!(held.since, None);
    scene.pass(MINUTE).await;
    assert_eq!(scene.provider.creates(1), 1, "the newest slot, at once");
    assert_eq!(scene.raised(), Vec::<String>::new());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_all_servers_applies_to_policies_added_later_and_across_restarts() {
    let mut scene = Scene::new([1]);
    let running = scene.run();
    let begun = scene
        .engine
        .pause(None, OrderTerms::by("root"))
        .await
        .unwrap()
        .begun;
    assert_eq!(begun, [], "nothing had begun");
    scene.reload([1, 2]);
    scene.pass(HOUR).await;
    running.ends().await;
    scene.restart([1, 2, 3]);
    let running = scene.run();
    scene.pass(25 * HOUR).await;
    assert_eq!(scene.provider.mutations(), 0);
    // One server keeps a pause of its own.
    scene
        .engine
        .pause(Some(SERVER), OrderTerms::by("root"))
        .await
        .unwrap();
    let alone = scene.engine.resume(Some(SERVER), "root").await;
    assert!(
        alone
            .unwrap_err()
            .to_string()
            .contains("every server is paused")
    );
    let held = scene.engine.resume(None, "root").await.unwrap();
    assert_eq!(
        (held.since, held.paused),
        (None, vec!["server-1".to_owned()])
    );
    scene.pass(MINUTE).await;
    let creates = [1, 2, 3].map(|server| scene.provider.creates(server));
    assert_eq!(creates, [0, 1, 1]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_names_the_call_in_flight_and_its_outcome_is_still_recorded() {
    let scene = Scene::new([1]);
    scene.provider.script(|what| match what {
        What::Create(_) => Reply::Slowly(20 * SECOND, 200),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(15 * SECOND).await;
    let held = scene
        .engine
        .pause(Some(SERVER), OrderTerms::by("root"))
        .await
        .unwrap();
    let unanswered = format!("it is not known yet whether {TODAY} was made");
    assert_eq!(held.begun[0].what, unanswered);
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.events("create_result").len(), 1);
    assert_eq!(scene.events("snapshot_completed").len(), 1);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_cannot_be_recorded_changes_nothing() {
    let (scene, running) = at_rest().await;
    scene.disk.set().room = Some(0);
    for server in [Some(SERVER), None] {
        let why = scene
            .engine
            .pause(server, OrderTerms::by("root"))
            .await
            .unwrap_err();
        assert!(why.to_string().contains("nothing has changed"));
    }
    scene.disk.set().room = None;
    scene.pass(24 * HOUR).await;
    assert_eq!(scene.provider.creates(1), 2, "the next slot ran");
    running.ends().await;
}
