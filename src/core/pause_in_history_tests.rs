use jiff::SignedDuration;

use super::*;
use crate::core::decide::Step;
use crate::core::server_event::AlertKind;
use crate::core::server_history::ServerHistory;
use crate::core::snapshot::Status;
use crate::core::test_provider::{MINUTE, TestProvider, WEEK};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Pauses the server for this long, from now on.
fn pause_for(world: &mut TestProvider, time: SignedDuration) -> Timestamp {
    let until = world.now.wall + time;
    world.record(&ServerEvent::Paused(OrderTerms {
        until: Some(until),
        ..OrderTerms::by("root")
    }));
    until
}

#[test]
fn a_pause_ends_at_its_time_with_a_record_and_the_slot_that_passed_runs() {
    let mut world = TestProvider::weekly(3);
    let until = pause_for(&mut world, HOUR);
    assert_eq!(world.recorded(), Step::Idle { until: Some(until) });
    world.pass(HOUR - MINUTE);
    assert_eq!(world.recorded(), Step::Idle { until: Some(until) });
    world.pass(MINUTE);
    let ended = Step::Record(ServerEvent::PauseEnded { until });
    assert_eq!(world.step(), ended);
    assert!(matches!(world.recorded(), Step::Create { .. }));
}

#[test]
fn the_wall_clock_alone_ends_a_pause_whichever_process_ordered_it() {
    let mut world = TestProvider::weekly(3);
    let until = pause_for(&mut world, 3 * HOUR);
    // A new process starts, with a monotonic clock of its own.
    world.now.mono = SignedDuration::ZERO;
    assert_eq!(world.recorded(), Step::Idle { until: Some(until) });
    // The clock was an hour behind, and is set right.
    world.now.wall += HOUR;
    assert_eq!(world.recorded(), Step::Idle { until: Some(until) });
    world.now.wall = until;
    assert!(matches!(
        world.step(),
        Step::Record(ServerEvent::PauseEnded { .. })
    ));
}

#[test]
fn a_later_order_replaces_the_end_and_keeps_the_start_and_the_note() {
    let mut world = TestProvider::weekly(3);
    let since = world.now.wall;
    let note = Some("disk work".to_owned());
    world.record(&ServerEvent::Paused(OrderTerms {
        note: note.clone(),
        ..OrderTerms::by("root")
    }));
    world.pass(MINUTE);
    let until = pause_for(&mut world, HOUR);
    let pause = world.history.paused().expect("a pause").clone();
    assert_eq!((pause.since, pause.until), (since, Some(until)));
    assert_eq!(pause.note, note);
    let again = pause.order();
    assert!(pause.meets(&again));
    assert!(!pause.meets(&OrderTerms::by("root")), "it has no end");
    // A record about the former end does not end it.
    let former = until - MINUTE;
    world.record(&ServerEvent::PauseEnded { until: former });
    assert_eq!(world.history.paused(), Some(&pause));
}

#[test]
fn slots_that_pass_in_the_pause_raise_no_alert_and_those_after_its_end_do() {
    for (down, alerts) in [(2 * HOUR, false), (2 * WEEK, true)] {
        let mut world = TestProvider::weekly(3);
        world.settle(&Status::Completed);
        world.policy.rotations[0].catch_up = Some(HOUR);
        pause_for(&mut world, 8 * 24 * HOUR);
        // The service is down when the pause ends.
        world.pass(8 * 24 * HOUR + down);
        world.recorded();
        let key = (AlertKind::SlotFailed, "weekly".to_owned());
        assert_eq!(world.history.alerts.contains_key(&key), alerts, "{down}");
    }
}

#[test]
fn a_pause_lasts_until_that_of_the_server_and_that_of_all_have_ended() {
    let mut history = ServerHistory::default();
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let (start, noon) = (at("2026-11-25T06:00:00Z"), at("2026-11-25T12:00:00Z"));
    history.paused = Some(Box::new(Pause {
        until: Some(noon),
        ..Pause::since(start)
    }));
    let until = |history: &ServerHistory| history.paused().and_then(|pause| pause.until);
    assert_eq!(until(&history), Some(noon));
    history.all_paused = Some(Pause::since(start).into());
    assert_eq!(until(&history), None);
    assert_eq!(history.next_pause_end(), Some(noon));
    history.end_pause_of_all(noon, noon);
    assert!(history.all_paused.is_some(), "it has no end");
}

#[test]
fn a_checkpoint_keeps_the_whole_pause_and_one_of_an_earlier_version_has_only_its_start() {
    let since: Timestamp = "2026-11-25T06:00:00Z".parse().expect("a time");
    let history = ServerHistory {
        paused: Some(Box::new(Pause {
            since,
            until: Some(since + HOUR),
            by: Some("root".to_owned()),
            note: Some("disk work".to_owned()),
        })),
        ..ServerHistory::default()
    };
    let json = serde_json::to_string(&history).expect("JSON");
    let read: ServerHistory = serde_json::from_str(&json).expect("a history");
    assert_eq!(read, history);
    let old = r#"{"paused":"2026-11-25T06:00:00Z"}"#;
    let read: ServerHistory = serde_json::from_str(old).expect("a history");
    assert_eq!(read.paused, Some(Box::new(Pause::since(since))));
}
