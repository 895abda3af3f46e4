//! Tests of the delivery of reports.

use super::*;
use crate::alerts::ReportNews;
use crate::core::report::{PresentState, Report};
use crate::core::report_period::ReportPeriod;
use crate::core::report_tally::ReportTally;

fn report(receiver: &str, until: &str) -> News {
    let period = ReportPeriod {
        from: "2026-11-16T07:00:00Z".parse().expect("a time"),
        until: until.parse().expect("a time"),
        missed: 0,
        reported: None,
    };
    let tally = ReportTally::new(period);
    News::Report(Arc::new(ReportNews {
        receiver: receiver.to_owned(),
        zone: jiff::tz::TimeZone::UTC,
        report: Report::new(&tally, &PresentState::default(), period.until),
    }))
}

#[tokio::test(start_paused = true)]
async fn a_report_is_delivered_to_its_receiver_only_even_after_days_without_a_connection() {
    let scene = Scene::webhook();
    *lock(&scene.fake.down) = true;
    scene.hears(&[
        report("other", "2026-11-24T07:00:00Z"),
        report("test", "2026-11-24T07:00:00Z"),
    ]);
    pass(Duration::from_hours(50)).await;
    let tries = scene.fake.tries.load(Ordering::Relaxed);
    assert!((100..2_000).contains(&tries), "{tries} tries");
    *lock(&scene.fake.down) = false;
    pass(GIVE_UP * 2).await;
    assert_eq!(scene.fake.took(), ["report 2026-11-24T07:00:00Z"]);
    assert_eq!(scene.line.view(0).dropped, 0);
    pass(GIVE_UP * 2).await;
    assert!(scene.fake.took().is_empty(), "it is sent once");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_was_not_delivered_is_replaced_by_the_next_one_and_counts_as_dropped() {
    let scene = Scene::webhook();
    *lock(&scene.fake.down) = true;
    scene.hears(&[report("test", "2026-11-24T07:00:00Z")]);
    pass(Duration::from_hours(3)).await;
    scene.hears(&[report("test", "2026-11-25T07:00:00Z")]);
    *lock(&scene.fake.down) = false;
    pass(GIVE_UP * 2).await;
    assert_eq!(scene.fake.took(), ["report 2026-11-25T07:00:00Z"]);
    assert_eq!(scene.line.view(0).dropped, 1);
}
