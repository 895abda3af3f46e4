use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::api::{ApiSettings, HttpApi, RateSettings, TokenSource};
use crate::audit::Trail;
use crate::audit::memory_disk::MemoryDisk;
use crate::clock::Clock;
use crate::core::pause::Pause;
use crate::core::server_event::ClockReading;
use crate::core::server_history::ServerHistory;
use crate::core::test_provider;

/// More requests than are worked on at the same time.
const MANY: usize = 4 * AT_ONCE;

/// Returns a page model whose engine rotates nothing.
fn site(look: impl Fn() -> FleetView + Send + Sync + 'static) -> Arc<PageModel<HttpApi>> {
    let clock = Clock::system();
    let settings = ApiSettings {
        base_url: "http://127.0.0.1:9/".to_owned(),
        token: TokenSource::Given("a-token".into()),
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(1),
        rate: RateSettings {
            max_in_flight: 1,
            per_second: 0.0,
            burst: 1,
        },
        max_body: 1,
        ca_file: None,
        proxy: crate::api::Proxy::None,
    };
    let api = Arc::new(HttpApi::new(&settings, clock.clone()).expect("a client"));
    let rules = test_provider::rules();
    let (trail, opened) = Trail::open_inline(
        Box::new(MemoryDisk::default()),
        Path::new("/audit"),
        Path::new("/state"),
        "test",
        clock.now().wall,
        rules.request_timeout,
    )
    .expect("a trail");
    let tally = api.tally();
    let engine = Engine::new(api, trail, clock, opened, rules, Vec::new());
    PageModel::new(engine, Arc::new(look), tally, PathBuf::from("/audit"))
}

/// Polls a request once, then drops it.
async fn abandon(asked: impl Future) {
    tokio::select! {
        biased;
        _ = asked => panic!("the request was already answered"),
        () = std::future::ready(()) => {}
    }
}

fn all<T>(from: &Receiver<T>) -> usize {
    from.iter().count()
}

#[tokio::test]
async fn abandoned_requests_do_not_exceed_the_limit_on_concurrent_work() {
    let site = site(FleetView::of_nothing);
    let (say, heard) = channel();
    let (open, gate) = channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    for _ in 0..MANY {
        let (say, gate) = (say.clone(), Arc::clone(&gate));
        let work = move || {
            say.send(()).expect("a receiver");
            // Waits until the sender is dropped.
            let _opened = gate.lock().expect("not poisoned").recv();
        };
        abandon(site.run_on_worker(work)).await;
    }
    drop(say);
    for _ in 0..AT_ONCE {
        heard.recv().expect("begun");
    }
    drop(open);
    // Requests that got no permit were dropped, so their work never began.
    assert_eq!(all(&heard), 0);
    assert!(
        site.run_on_worker(|| ()).await.is_ok(),
        "permits are available again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_view_built_for_an_abandoned_request_serves_the_next_request() {
    let made = Arc::new(AtomicUsize::new(0));
    let (say, heard) = channel();
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let count = Arc::clone(&made);
    let site = site(move || {
        count.fetch_add(1, Ordering::SeqCst);
        say.send(()).expect("a receiver");
        let _opened = gate.lock().expect("not poisoned").recv();
        FleetView::of_nothing()
    });
    for _ in 0..MANY {
        abandon(site.view()).await;
    }
    heard.recv().expect("begun");
    drop(open);
    site.view().await.expect("a view");
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[test]
fn the_next_decision_waits_for_resume_whether_one_server_or_all_are_paused() {
    let since = "2026-11-25T06:00:00Z".parse().expect("a time");
    let (mut one, mut all) = (ServerHistory::default(), ServerHistory::default());
    one.paused = Some(Pause::since(since).into());
    all.all_paused = Some(Pause::since(since).into());
    let policy = test_provider::policy(1, vec![test_provider::rotation("daily", "0 3 * * *", 2)]);
    for history in [one, all] {
        let next = decision(
            ServerStateView {
                policy: &policy,
                rules: &test_provider::rules(),
                history: &history,
                seen: None,
                asked: None,
                creates_held: None,
                unlisted: None,
                now: ClockReading {
                    wall: since,
                    mono: SignedDuration::ZERO,
                },
            },
            &TimeZone::UTC,
        );
        assert_eq!(
            next,
            "nothing until resume: paused since 2026-11-25 06:00 UTC"
        );
    }
}
