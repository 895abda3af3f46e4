use super::*;
use crate::core::snapshot::SnapshotId;

fn at(hour: i8) -> Timestamp {
    let day = jiff::civil::date(2026, 11, 25).at(hour, 0, 0, 0);
    day.to_zoned(jiff::tz::TimeZone::UTC)
        .expect("a time")
        .timestamp()
}

fn life(created: i8, completed: i8, deleted: Option<i8>) -> SnapshotLifetime {
    SnapshotLifetime {
        name: format!("daily-{created:02}").into(),
        rotation: "daily".into(),
        slot: jiff::civil::DateTime::default(),
        created_at: at(created),
        completed_at: Some(at(completed)),
        deleted_at: deleted.map(at),
    }
}

fn event(hour: i8) -> ForecastEvent {
    ForecastEvent {
        time: at(hour),
        do_: PlannedAction::Create,
        name: None,
        rotation: None,
        reason: String::new(),
    }
}

#[test]
fn a_span_holds_the_snapshots_and_events_within_it_and_its_end_is_exclusive() {
    let lives = [
        life(1, 2, Some(6)),   // Deleted when the span begins.
        life(3, 4, Some(7)),   // Deleted within the span.
        life(5, 12, Some(12)), // Completed and deleted when the span ends.
        life(8, 11, None),
        life(12, 13, None), // Created when the span ends.
    ];
    let alive = (0..).map(SnapshotId::from).zip(lives).collect();
    let seen = SimulationResult {
        alive,
        events: [5, 6, 11, 12].map(event).into(),
        ..SimulationResult::default()
    };
    let (lives, events) = seen.between(at(6), at(12));
    let shown = lives.iter().map(|life| {
        let hour = |at: Timestamp| at.strftime("%H").to_string();
        let ends = [life.completed_at, life.deleted_at];
        let ends = ends.map(|at| at.map_or("-".to_owned(), hour));
        format!("{} {}", life.name, ends.join(" "))
    });
    let shown: Vec<_> = shown.collect();
    assert_eq!(shown, ["daily-03 04 07", "daily-05 - -", "daily-08 11 -"]);
    let times: Vec<_> = events.iter().map(|event| event.time).collect();
    assert_eq!(times, [at(6), at(11)]);
}
