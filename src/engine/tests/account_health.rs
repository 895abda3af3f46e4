//! Tests of a rejected token, and of one server whose listing the provider refuses.

use super::provider::{Reply, What};
use super::support::{MINUTE, Scene};

const REFUSED: &str = "account_refused account";

#[tokio::test(start_paused = true)]
async fn i16_a_server_whose_listing_alone_is_forbidden_is_blocked_and_others_rotate() {
    let scene = Scene::new([1, 2]);
    scene.provider.script(|what| match what {
        What::List(Some(1)) => Reply::Says(403),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(30 * MINUTE).await;
    assert_eq!(scene.made(), [2].into(), "server 2 rotates");
    assert_eq!(scene.raised(), ["blocked 1"]);
    scene.provider.works();
    scene.pass(10 * MINUTE).await;
    assert_eq!(scene.made(), [1, 2].into());
    assert_eq!(scene.cleared(), ["blocked 1"]);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_token_is_refused_it_is_reread_and_probed_and_no_mutation_is_sent() {
    for status in [401, 403] {
        let scene = Scene::new([1, 2]);
        scene.provider.script(move |what| match what {
            What::List(_) => Reply::Says(status),
            _ => Reply::Works,
        });
        let running = scene.run();
        scene.pass(60 * MINUTE).await;
        assert_eq!(scene.provider.mutations(), 0, "{status}");
        assert_eq!(scene.raised(), [REFUSED], "{status}");
        assert!(scene.engine.summary().account_refused);

        // Each probe is one listing, sent `retry_after` after the previous one. The token is read
        // again for each.
        let renewed = scene.provider.times(|what| *what == What::Renew);
        let mut listed = scene.provider.times(|what| matches!(what, What::List(_)));
        let probes = listed.split_off(listed.len() - 11);
        assert!(listed.iter().all(|at| *at < MINUTE), "{status}: {listed:?}");
        assert!(probes.iter().all(|at| renewed.contains(at)), "{renewed:?}");
        for pair in probes.windows(2) {
            let pause = pair[1] - pair[0];
            assert!(
                (5 * MINUTE..6 * MINUTE).contains(&pause),
                "{status}: {pause:#}"
            );
        }

        scene.provider.works();
        scene.pass(10 * MINUTE).await;
        assert_eq!(scene.made(), [1, 2].into(), "{status}");
        assert_eq!(scene.cleared(), [REFUSED], "{status}");
        assert!(!scene.engine.summary().account_refused);
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_token_is_tried_before_the_next_probe_but_an_unchanged_token_is_not() {
    let scene = Scene::new([1]);
    scene.provider.script(|_| Reply::Says(401));
    let running = scene.run();
    let listed = || scene.provider.times(|what| matches!(what, What::List(_)));
    scene.pass(2 * MINUTE).await;
    let before = listed().len();
    assert!(listed().iter().all(|at| *at < MINUTE), "{:?}", listed());
    assert!(scene.provider.times(|what| *what == What::Renew).len() >= 2);
    scene.provider.works();
    scene.provider.new_token();
    // The next probe would come five minutes after the first one.
    scene.pass(2 * MINUTE).await;
    assert!(listed().len() > before);
    assert_eq!(scene.cleared(), [REFUSED]);
    assert_eq!(scene.made(), [1].into());
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_was_requested_before_the_refusal_does_not_lift_it() {
    let scene = Scene::new([1, 2]);
    // Both servers are listed at once. Server 1's answer is still under way when the token is
    // rejected.
    let mut first = true;
    scene.provider.script(move |what| match what {
        What::List(Some(1)) if std::mem::take(&mut first) => Reply::Slowly(MINUTE, 200),
        _ => Reply::Says(401),
    });
    let running = scene.run();
    scene.pass(3 * MINUTE).await;
    assert!(scene.engine.summary().account_refused);
    assert!(scene.cleared().is_empty());
    assert_eq!(scene.provider.mutations(), 0);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_read_only_token_raises_one_alert_that_stays_active_until_a_mutation_is_accepted() {
    let scene = Scene::new([1, 2, 3]);
    scene.provider.script(|what| match what {
        What::Create(_) => Reply::Says(401),
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(12 * 60 * MINUTE).await;
    assert_eq!(scene.raised(), [REFUSED]);
    assert!(scene.cleared().is_empty());
    assert!(scene.engine.summary().account_refused);
    let creates = scene.provider.times(|what| matches!(what, What::Create(_)));
    // Rejections of mutations that were in flight together count as one. Single trials follow, with
    // growing pauses.
    let tries: Vec<_> = creates.into_iter().filter(|at| *at > MINUTE).collect();
    assert!((8..=18).contains(&tries.len()), "{tries:?}");
    assert!(tries[0] < 8 * MINUTE, "{tries:?}");
    for pair in tries.windows(2) {
        assert!(pair[1] - pair[0] >= 5 * MINUTE, "{tries:?}");
    }
    let last: Vec<_> = tries.iter().rev().take(2).collect();
    assert!(*last[0] - *last[1] >= 60 * MINUTE, "{tries:?}");

    scene.provider.works();
    scene.pass(3 * 60 * MINUTE).await;
    assert_eq!(scene.made(), [1, 2, 3].into());
    assert_eq!(scene.raised(), [REFUSED]);
    assert_eq!(scene.cleared(), [REFUSED]);
    assert!(!scene.engine.summary().account_refused);
    running.ends().await;
}

#[tokio::test(start_paused = true)]
async fn after_refused_mutations_only_a_new_token_or_an_accepted_mutation_clears_the_alert() {
    for another in [false, true] {
        let scene = Scene::new([1, 2]);
        scene.provider.script(|what| match what {
            What::Create(_) => Reply::Says(401),
            _ => Reply::Works,
        });
        let running = scene.run();
        scene.pass(MINUTE).await;
        assert_eq!(scene.raised(), [REFUSED]);
        // A 503 says nothing about the token.
        scene.provider.script(|what| match what {
            What::Create(_) => Reply::Says(503),
            _ => Reply::Works,
        });
        if another {
            scene.provider.new_token();
        }
        scene.pass(40 * MINUTE).await;
        assert_eq!(scene.cleared().len(), usize::from(another));
        assert_eq!(scene.engine.summary().account_refused, !another);
        running.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_mutation_that_panics_does_not_keep_other_mutations_waiting() {
    let scene = Scene::new([1, 2]);
    let mut creates = 0;
    scene.provider.script(move |what| match what {
        What::Create(_) => {
            creates += 1;
            match creates {
                1 | 2 => Reply::Says(401),
                3 => Reply::Panics,
                _ => Reply::Works,
            }
        }
        _ => Reply::Works,
    });
    let running = scene.run();
    scene.pass(60 * MINUTE).await;
    assert_eq!(scene.made(), [1, 2].into());
    assert_eq!(
        (scene.raised(), scene.cleared()),
        (vec![REFUSED.to_owned()], vec![REFUSED.to_owned()])
    );
    running.ends().await;
}
