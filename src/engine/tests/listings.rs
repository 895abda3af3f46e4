//! Tests of listings: which server receives which listing, and what a failed or slow one delays.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;

use super::provider::{Reply, What};
use super::support::{MINUTE, Scene};
use crate::core::snapshot::ServerId;

pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Gives each server the two snapshots that its rotation keeps, with ids in the order of servers
/// and dates, so that a create makes one of them surplus.
pub(super) fn hold_two(scene: &Scene, servers: u64) {
    for server in 1..=servers {
        for day in ["2026-11-23", "2026-11-24"] {
            let made = format!("{day}T03:01:00Z");
            scene.provider.put(server, &format!("daily-{day}"), &made);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn i16_a_very_slow_listing_delays_no_other_server() {
    let scene = Scene::new([1, 2, 3]);
    scene.provider.script(|what| match what {
        What::List(Some(1)) => Reply::Slowly(9 * MINUTE, 200),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(MINUTE).await;
    assert_eq!(scene.made(), [2, 3].into());
    scene.pass(20 * MINUTE).await;
    assert_eq!(
        scene.made(),
        [1, 2, 3].into(),
        "server 1 follows after its slow listing"
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i16_a_server_whose_listings_always_fail_is_blocked_after_the_third_and_recovers() {
    for status in [404, 500] {
        let scene = Scene::new([1, 2]);
        scene.provider.script(move |what| match what {
            What::List(Some(1)) => Reply::Says(status),
            _ => Reply::Works,
        });
        let running = scene.run();
        scene.pass(MINUTE).await;
        let failed = scene.provider.times(|what| *what == What::List(Some(1)));
        assert_eq!((failed.len(), scene.raised().len()), (2, 0), "{status}");
        scene.pass(10 * MINUTE).await;
        assert_eq!(scene.raised(), ["blocked 1"], "{status}");
        assert_eq!(scene.made(), [2].into(), "{status}");
        scene.provider.works();
        scene.pass(6 * MINUTE).await;
        assert_eq!(scene.cleared(), ["blocked 1"], "{status}");
        assert_eq!(scene.made(), [1, 2].into(), "{status}");
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn listings_that_all_fail_raise_one_alert_for_the_account_and_none_for_a_server() {
    let scene = Scene::new([1, 2]);
    scene.provider.script(|_| Reply::Says(500));
    let running = scene.run();
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.raised(), ["api_unreachable account"]);
    scene.provider.works();
    scene.pass(6 * MINUTE).await;
    assert_eq!(scene.cleared(), ["api_unreachable account"]);
    assert_eq!(scene.made(), [1, 2].into());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_raises_an_alert_when_the_first_account_wide_listing_has_failed() {
    let scene = Scene::new([1]);
    let tries = SignedDuration::from_secs(95);
    scene.provider.script(move |_| Reply::Slowly(tries, 504));
    let running = scene.run();
    // The server's own listing, then the account-wide one.
    scene.pass(2 * tries + SECOND).await;
    assert_eq!(scene.raised(), ["api_unreachable account"]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn only_snapshots_that_somebody_else_deleted_are_recorded_as_gone() {
    let scene = Scene::new([1]);
    let running = scene.run();
    scene.pass(3 * DAY).await;
    // Two of the four snapshots are kept, and neither delete was recorded as somebody else's.
    assert_eq!(scene.events("delete_confirmed").len(), 2);
    assert!(scene.events("snapshot_gone").is_empty());
    let older = scene.provider.names(1)[0].clone();
    scene.provider.take(103);
    scene.pass(DAY).await;
    let gone = scene.events("snapshot_gone");
    assert_eq!(gone.len(), 1);
    assert_eq!(
        (&gone[0]["snapshot"], &gone[0]["id"]),
        (&older.into(), &103.into())
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_was_deleted_while_no_process_ran_is_recorded_as_gone_after_the_start() {
    let mut scene = Scene::new([1]);
    let running = scene.run();
    scene.pass(3 * DAY).await;
    running.ends().await;
    let older = scene.provider.names(1)[0].clone();
    let taken = 103;
    scene.provider.take(taken);
    scene.restart([1]);
    let running = scene.run();
    scene.pass(30 * MINUTE).await;
    let gone = scene.events("snapshot_gone");
    let named = gone.iter().map(|gone| (&gone["snapshot"], &gone["id"]));
    let named: Vec<_> = named.collect();
    assert_eq!(named, [(&older.into(), &taken.into())]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn two_failed_listings_raise_no_alert() {
    let scene = Scene::new([1]);
    scene.provider.script(|_| Reply::Says(500));
    let running = scene.run();
    scene.pass(MINUTE).await;
    assert_eq!(
        scene
            .provider
            .times(|what| *what == What::List(Some(1)))
            .len(),
        2
    );
    scene.provider.works();
    scene.pass(6 * MINUTE).await;
    assert_eq!(scene.made(), [1].into());
    assert!(scene.raised().is_empty());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn failures_during_an_account_outage_do_not_count_as_failures_of_a_server() {
    let scene = Scene::new([1, 2]);
    scene.provider.script(|_| Reply::Says(500));
    let running = scene.run();
    scene.pass(30 * MINUTE).await;
    let mut failing = 2;
    scene.provider.script(move |what| match what {
        What::List(Some(1)) if failing > 0 => {
            failing -= 1;
            Reply::Says(500)
        }
        _ => Reply::Works,
    });
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.made(), [1, 2].into());
    assert_eq!(scene.raised(), ["api_unreachable account"]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn many_servers_share_account_wide_listings() {
    const SERVERS: u64 = 50;
    let scene = Scene::new(1..=SERVERS);
    hold_two(&scene, SERVERS);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.made().len(), 50);
    assert_eq!(
        scene.provider.mutations(),
        100,
        "a create and a delete each"
    );
    let whole = scene.provider.times(|what| *what == What::List(None));
    let single = scene
        .provider
        .times(|what| matches!(what, What::List(Some(_))));
    assert!(whole.len() + single.len() <= 12, "{whole:?} {single:?}");
    let first = scene.provider.asked().into_iter().next().unwrap();
    assert_eq!(
        first.what,
        What::List(None),
        "one listing for all servers that start"
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i16_intermittent_listing_failures_raise_no_alert() {
    let scene = Scene::new([1, 2]);
    let mut turn = 0;
    scene.provider.script(move |what| match what {
        What::List(Some(1)) => {
            turn += 1;
            Reply::Says(if turn % 3 == 0 { 200 } else { 500 })
        }
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(72 * 60 * MINUTE).await;
    assert_eq!(scene.provider.creates(1), 4, "one per slot");
    assert!(scene.raised().is_empty());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_few_servers_are_listed_one_by_one() {
    let scene = Scene::new([1, 2, 3, 4]);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.made().len(), 4);
    assert!(
        scene
            .provider
            .times(|what| *what == What::List(None))
            .is_empty()
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i4_a_request_during_a_listing_receives_the_next_listing() {
    for working in [1, 8] {
        let scene = Scene::new(1..=8);
        scene.engine.working.store(working, Ordering::Relaxed);
        scene.provider.script(|_| Reply::Slowly(10 * SECOND, 200));
        let observer = tokio::spawn(Arc::clone(&scene.engine).observe());
        let asks = (1..=8).map(|server| {
            let (engine, clock) = (Arc::clone(&scene.engine), scene.clock.clone());
            tokio::spawn(async move {
                clock.sleep(SECOND * i32::try_from(server).unwrap()).await;
                let asked = clock.now().mono;
                let inventory = engine.observer.ask(&ServerId::from(server)).await.unwrap();
                (asked, inventory.requested)
            })
        });
        for ask in asks.collect::<Vec<_>>() {
            let (asked, requested) = ask.await.unwrap();
            assert!(asked <= requested, "{working}: {asked:#} {requested:#}");
        }
        observer.abort();
        let listings = scene.provider.asked().len();
        assert_eq!(listings, if working == 1 { 8 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn i4_a_delete_follows_a_listing_that_was_requested_after_the_create_was_answered() {
    let scene = Scene::new(1..=8);
    scene.provider.script(|what| match what {
        What::List(_) => Reply::Slowly(10 * SECOND, 200),
        // Answered at different times, so that some answers arrive while a listing is under way.
        What::Create(server) => Reply::Slowly(i32::try_from(*server).unwrap() * 3 * SECOND, 200),
        _ => Reply::Works,
    });
    hold_two(&scene, 8);
    let running = scene.run();
    scene.pass(10 * MINUTE).await;
    let asked = scene.provider.asked();
    let mut overlapping = 0;
    for server in 1..=8_u64 {
        let create = asked
            .iter()
            .find(|a| a.what == What::Create(server))
            .unwrap();
        // Each server's oldest snapshot has the first of its two ids.
        let id = 101 + (server - 1) * 2;
        let delete = asked.iter().find(|a| a.what == What::Delete(id)).unwrap();
        let answered = create.answered.unwrap();
        let listings = || asked.iter().filter(|a| matches!(a.what, What::List(_)));
        let mut fresh =
            listings().filter(|l| l.at >= answered && l.answered.is_some_and(|at| at <= delete.at));
        assert!(fresh.next().is_some(), "server {server}: {asked:#?}");
        let runs = listings().any(|l| l.at < answered && l.answered.unwrap() > answered);
        overlapping += u32::from(runs);
    }
    assert!(
        overlapping > 0,
        "some listing was under way when a create was answered"
    );
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn i19_a_create_with_an_unknown_outcome_adopts_no_snapshot_of_another_server() {
    let scene = Scene::new([1, 2]);
    scene.provider.script(|what| match what {
        What::Create(1) => Reply::Says(500),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(MINUTE).await;
    assert_eq!(scene.made(), [2].into());
    // Both servers' snapshots have the same name.
    scene.provider.move_to(1, 101);
    scene.pass(10 * MINUTE).await;
    let results = scene.events("create_result");
    let of_one = results.iter().filter(|result| result["server"] == 1);
    let adopted: Vec<_> = of_one.filter(|result| result["id"] == 101).collect();
    assert!(adopted.is_empty(), "{adopted:?}");
    running.ends().await;
}
