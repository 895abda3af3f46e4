use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::{Limiter, LongHold, RateSettings};

fn limiter(max_in_flight: usize, per_second: f64) -> Limiter {
    // The burst is one second's worth of requests, at most five.
    let burst = (1..=5).rev().find(|burst| f64::from(*burst) <= per_second);
    let burst = burst.unwrap_or(1);
    Limiter::new(RateSettings {
        max_in_flight,
        per_second,
        burst,
    })
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[tokio::test(start_paused = true)]
async fn a_seconds_worth_of_requests_is_granted_at_once_then_the_rate_applies() {
    let limiter = limiter(100, 5.0);
    let start = Instant::now();
    for _ in 0..5 {
        drop(limiter.admit().await);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..50 {
        drop(limiter.admit().await);
    }
    let took = start.elapsed();
    assert!(took >= secs(10) && took < secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn idle_time_accumulates_at_most_one_burst() {
    let limiter = limiter(100, 2.0);
    tokio::time::sleep(secs(3_600)).await;
    let start = Instant::now();
    for _ in 0..4 {
        drop(limiter.admit().await);
    }
    let took = start.elapsed();
    assert!(took >= secs(1) && took < secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_below_one_per_second_grants_one_request_at_a_time() {
    let limiter = limiter(100, 0.5);
    let start = Instant::now();
    for _ in 0..3 {
        drop(limiter.admit().await);
    }
    let took = start.elapsed();
    assert!(took >= secs(4) && took < secs(5), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_rate_requests_do_not_wait_and_odd_rates_never_panic() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        let limiter = limiter(1, rate);
        let start = Instant::now();
        for _ in 0..1_000 {
            drop(limiter.admit().await);
        }
        assert!(start.elapsed() < secs(1), "{rate}");
    }
    let limiter = limiter(1, f64::MIN_POSITIVE);
    drop(limiter.admit().await);
    drop(limiter.admit().await);
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_limited_and_dropping_a_permit_frees_its_place() {
    let limiter = limiter(2, 0.0);
    let first = limiter.admit().await;
    let _second = limiter.admit().await;
    let third = limiter.admit();
    tokio::pin!(third);
    assert!(third.as_mut().now_or_never().is_none());
    drop(first);
    third.await.expect("a free place");
}

#[tokio::test(start_paused = true)]
async fn requests_are_granted_in_order_of_arrival() {
    let limiter = Arc::new(limiter(1, 3.0));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for n in 0..20 {
        let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let _pass = limiter.admit().await;
            order.lock().unwrap().push(n);
            tokio::time::sleep(Duration::from_millis(700)).await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn retry_after_holds_back_all_requests_even_one_that_already_waits_for_a_place() {
    let limiter = Arc::new(limiter(1, 0.0));
    let start = Instant::now();
    let busy = limiter.admit().await;
    let waiting = {
        let limiter = Arc::clone(&limiter);
        tokio::spawn(async move {
            drop(limiter.admit().await);
            Instant::now()
        })
    };
    tokio::task::yield_now().await;
    limiter.hold(secs(60), 429);
    drop(busy);
    assert_eq!(waiting.await.unwrap() - start, secs(60));
    drop(limiter.admit().await);
    assert_eq!(start.elapsed(), secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_shorter_retry_after_does_not_end_the_wait_earlier_and_a_longer_one_extends_it() {
    let limiter = Arc::new(limiter(1, 0.0));
    let start = Instant::now();
    limiter.hold(secs(60), 429);
    limiter.hold(secs(1), 429);
    assert_eq!(limiter.held(), secs(60));
    let waiting = {
        let limiter = Arc::clone(&limiter);
        tokio::spawn(async move { drop(limiter.admit().await) })
    };
    tokio::time::sleep(secs(30)).await;
    limiter.hold(secs(60), 429);
    waiting.await.unwrap();
    assert_eq!(start.elapsed(), secs(90));
    assert_eq!(limiter.held(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_more_than_a_minute_fails_every_waiting_request_at_once() {
    let limiter = Arc::new(limiter(1, 0.0));
    let busy = limiter.admit().await.expect("a free place");
    let waiting = [(); 2].map(|()| {
        let limiter = Arc::clone(&limiter);
        tokio::spawn(async move { limiter.admit().await.err() })
    });
    tokio::task::yield_now().await;
    limiter.hold(secs(3_600), 503);
    drop(busy);
    let hold = Some(LongHold {
        left: secs(3_600),
        status: 503,
    });
    for request in waiting {
        assert_eq!(request.await.unwrap(), hold);
    }
    tokio::time::sleep(secs(3_590)).await;
    assert!(limiter.admit().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn requests_that_waited_out_a_retry_after_do_not_burst() {
    let limiter = Arc::new(limiter(100, 1.0));
    limiter.hold(secs(60), 429);
    let mut tasks = Vec::new();
    for _ in 0..12 {
        let limiter = Arc::clone(&limiter);
        tasks.push(tokio::spawn(async move { drop(limiter.admit().await) }));
    }
    let start = Instant::now();
    for task in tasks {
        task.await.unwrap();
    }
    let took = start.elapsed();
    assert!(took >= secs(70), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_gives_up_waiting_holds_up_no_other() {
    let limiter = limiter(1, 1.0);
    drop(limiter.admit().await);
    let gone = tokio::time::timeout(Duration::from_millis(10), limiter.admit()).await;
    assert!(gone.is_err());
    let start = Instant::now();
    drop(limiter.admit().await);
    assert!(start.elapsed() <= secs(1));
}

/// Returns the times, in milliseconds, at which `N` requests are granted. `good` decides whether
/// each is answered or refused.
async fn times<const N: usize>(limiter: &Limiter, good: impl Fn(usize) -> bool) -> [u64; N] {
    let start = Instant::now();
    let mut times = [0; N];
    for (nth, time) in times.iter_mut().enumerate() {
        drop(limiter.admit().await);
        *time = u64::try_from(start.elapsed().as_millis()).unwrap();
        if good(nth) {
            limiter.answered();
        } else {
            limiter.refused(Instant::now(), 429);
        }
    }
    times
}

#[tokio::test(start_paused = true)]
async fn refusals_without_retry_after_double_the_spacing_of_all_requests_up_to_a_minute() {
    let limiter = limiter(8, 0.0);
    let refused = times(&limiter, |_| false).await;
    assert_eq!(
        refused,
        [
            0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000, 183_000
        ]
    );
    let answered = times(&limiter, |_| true).await;
    assert_eq!(answered, [60_000, 90_000, 120_000]);
}

#[tokio::test(start_paused = true)]
async fn the_spacing_shrinks_as_requests_are_answered_and_finally_disappears() {
    let limiter = limiter(8, 0.0);
    limiter.refused(Instant::now(), 429);
    let answered: [_; 50] = times(&limiter, |_| true).await;
    assert_eq!(
        answered[..10],
        [
            1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 8_500, 9_000
        ]
    );
    assert_eq!(answered[48], answered[49]);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_requests_in_flight_together_count_as_one() {
    let limiter = limiter(8, 0.0);
    let began = Instant::now();
    tokio::time::advance(secs(1)).await;
    for _ in 0..8 {
        limiter.refused(began, 429);
    }
    assert_eq!(times(&limiter, |_| true).await, [1_000, 2_000]);
}

#[tokio::test(start_paused = true)]
async fn a_mutation_waits_for_the_interval_of_the_rate_whatever_the_burst() {
    let limiter = limiter(8, 5.0);
    let start = Instant::now();
    drop(limiter.admit().await);
    drop(limiter.admit_change().await);
    assert_eq!(start.elapsed(), Duration::from_millis(200));
    drop(limiter.admit().await);
    assert_eq!(start.elapsed(), Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn the_spacing_is_gone_within_15_minutes_after_an_outage_of_a_few_minutes() {
    let limiter = limiter(8, 0.0);
    let _refused: [_; 8] = times(&limiter, |_| false).await;
    let start = Instant::now();
    while start.elapsed() < secs(15 * 60) {
        drop(limiter.admit().await);
        limiter.answered();
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(times(&limiter, |_| true).await, [0, 0, 0]);
}
