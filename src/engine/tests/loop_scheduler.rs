//! Tests of the work queue: clock steps, reloads, loops that panic, and shutdown.

use jiff::SignedDuration;

use super::provider::{Reply, What};
use super::support::{MINUTE, Scene};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn all_resting_servers_are_checked_again_when_the_clock_is_set_back() {
    let scene = Scene::new(1..=6);
    let running = scene.run();
    scene.pass(2 * HOUR).await;
    assert_eq!(scene.made().len(), 6);
    let before = scene.provider.asked().len();
    scene.pass(2 * HOUR).await;
    assert_eq!(scene.provider.asked().len(), before, "all are at rest");

    scene.stepper.step(-48 * HOUR);
    scene.pass(MINUTE).await;
    assert_eq!(scene.raised().len(), 6, "the clock is behind the trail");
    // Once the clock is right again, the servers resume, and each gets one snapshot at the next
    // slot.
    scene.stepper.step(48 * HOUR);
    scene.pass(24 * HOUR).await;
    assert_eq!(scene.cleared().len(), 6);
    for server in 1..=6 {
        let names = ["daily-2026-11-25", "daily-2026-11-26"];
        assert_eq!(scene.provider.names(server), names);
    }
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i1_no_mutation_starts_between_recording_new_policies_and_activating_them() {
    for comes in [false, true] {
        let scene = Scene::new([1]);
        let recording = scene.engine.begin_policy_swap();
        let running = scene.run();
        scene.pass(10 * MINUTE).await;
        assert_eq!(scene.provider.mutations(), 0);
        if comes {
            scene.reload([]);
        }
        drop(recording);
        scene.pass(MINUTE).await;
        assert_eq!(scene.provider.creates(1), usize::from(!comes));
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_removal_of_a_policy_is_recorded_once_the_disk_has_room_despite_further_reloads() {
    let scene = Scene::new([1, 2]);
    let running = scene.run();
    scene.pass(HOUR).await;
    scene.disk.set().room = Some(0);
    scene.reload([2]);
    scene.pass(MINUTE).await;
    scene.reload([2]);
    scene.disk.set().room = None;
    scene.pass(MINUTE).await;
    let removed = scene.events("server_removed");
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0]["server"], 1);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_past_slot_of_a_new_schedule_counts_only_if_no_process_ran_when_it_was_due() {
    let scene = Scene::new([]);
    scene.reload_timed("0 3 * * *");
    let running = scene.run();
    scene.pass(4 * HOUR).await;
    assert_eq!(scene.provider.creates(1), 1);
    scene.reload_timed("0 7 * * *");
    scene.pass(HOUR).await;
    assert_eq!(
        scene.provider.creates(1),
        1,
        "the service was running at 07:00"
    );
    scene.pass(24 * HOUR).await;
    assert_eq!(scene.provider.creates(1), 2);
    running.ends().await;

    let mut scene = scene;
    scene.stepper.step(4 * HOUR);
    scene.restart([]);
    scene.reload_timed("0 11 * * *");
    let running = scene.run();
    scene.pass(HOUR).await;
    assert_eq!(scene.provider.creates(1), 3, "no process ran at 11:00");
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_by_minutes_wakes_no_server() {
    let scene = Scene::new([1]);
    let running = scene.run();
    scene.pass(HOUR).await;
    let before = scene.provider.asked().len();
    scene.stepper.step(-4 * MINUTE);
    scene.pass(HOUR).await;
    assert_eq!(scene.provider.asked().len(), before);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn after_the_clock_is_set_ahead_only_the_newest_slot_runs_and_only_once() {
    let scene = Scene::new([1]);
    let running = scene.run();
    scene.pass(HOUR).await;
    scene.stepper.step(72 * HOUR);
    scene.pass(MINUTE).await;
    let names = ["daily-2026-11-25", "daily-2026-11-28"];
    assert_eq!(scene.provider.names(1), names);
    assert_eq!(scene.provider.creates(1), 2);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i16_a_server_loop_that_panics_is_retried_and_the_others_continue() {
    let mut scene = Scene::new([]);
    scene.rules.retry_after = MINUTE;
    scene.restart([1, 2, 3]);
    let mut broken = 0;
    scene.provider.script(move |what| match what {
        What::Create(2) if broken < 2 => {
            broken += 1;
            Reply::Panics
        }
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(MINUTE).await;
    assert_eq!(scene.made(), [1, 3].into());
    scene.pass(2 * HOUR).await;
    assert_eq!(scene.made(), [1, 2, 3].into());
    // A create that panicked may have been sent, so its settle window passes first.
    let creates = scene.provider.times(|what| *what == What::Create(2));
    assert_eq!(creates.len(), 3);
    for pair in creates.windows(2) {
        assert!(pair[1] - pair[0] >= 10 * MINUTE, "I9: {creates:?}");
    }
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i16_a_listing_that_panics_counts_as_failed() {
    for servers in [3, 8] {
        let scene = Scene::new(1..=servers);
        let mut broken = 0;
        scene.provider.script(move |what| match what {
            What::List(None | Some(2)) if broken < 2 => {
                broken += 1;
                Reply::Panics
            }
            _ => Reply::Works,
        });
        let running = scene.run();
        scene.pass(20 * MINUTE).await;
        assert_eq!(scene.made(), (1..=servers).collect());
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_the_create_in_flight_records_its_result_and_sends_no_other() {
    let scene = Scene::new([1, 2]);
    scene.provider.script(|what| match what {
        What::Create(1) => Reply::Slowly(20 * SECOND, 200),
        // Without the shutdown, server 2's create would follow while server 1's is in flight.
        What::List(Some(2)) => Reply::Slowly(8 * SECOND, 200),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(10 * SECOND).await;
    assert_eq!(scene.provider.mutations(), 1);
    let asked = scene.clock.now().mono;
    running.ends().await;
    assert!(
        scene.clock.now().mono - asked > 10 * SECOND,
        "the shutdown waited for the create"
    );
    assert_eq!(scene.provider.mutations(), 1, "no other create was sent");
    let results = scene.events("create_result");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["server"], 1);
    assert_eq!(results[0]["outcome"], "done");
    assert_eq!(results[0]["status"], 201);
    let intents = scene.events("create_intent");
    assert_eq!(intents.len(), 1, "no other create was intended");
    let asked = scene.provider.asked().len();
    scene.pass(HOUR).await;
    assert_eq!(scene.provider.asked().len(), asked);
}
