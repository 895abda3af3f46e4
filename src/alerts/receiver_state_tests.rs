//! The notices that a receiver gets during an alert's life, and their times.

use super::*;
use crate::alerts::ServerLabel;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-11-25T03:00:00Z".parse().expect("a time");
    start + SignedDuration::from_mins(minutes)
}

fn blocked(reason: &str, since: Timestamp) -> Alert {
    Alert {
        kind: "blocked".to_owned(),
        server: Some(ServerLabel {
            id: 7.into(),
            name: "web-01".to_owned(),
            policy: "web".to_owned(),
        }),
        about: "7".to_owned(),
        reason: reason.to_owned(),
        since,
    }
}

fn desk() -> ReceiverState {
    ReceiverState::new(Some(DAY))
}

/// Delivers what is due, and returns it as words.
fn hears(desk: &mut ReceiverState, now: Timestamp) -> Vec<(&'static str, String)> {
    let due = desk.due(now);
    desk.told(&due, now);
    due.into_iter()
        .map(|notice| (notice.event.word(), notice.alert.reason))
        .collect()
}

fn one(event: &'static str, reason: &str) -> Vec<(&'static str, String)> {
    vec![(event, reason.to_owned())]
}

#[test]
fn an_alert_is_told_once_repeated_after_a_day_and_recovers_once() {
    let mut desk = desk();
    desk.raised(blocked("full", at(0)), at(0));
    assert_eq!(hears(&mut desk, at(0)), one("raised", "full"));
    assert_eq!(hears(&mut desk, at(24 * 60 - 1)), []);
    assert_eq!(desk.next(), Some(at(24 * 60)));
    assert_eq!(hears(&mut desk, at(24 * 60)), one("repeated", "full"));
    assert_eq!(hears(&mut desk, at(24 * 60 + 1)), []);
    let key = blocked("", at(0)).key();
    desk.cleared(&key, at(25 * 60));
    desk.cleared(&key, at(25 * 60));
    assert_eq!(
        hears(&mut desk, at(25 * 60)),
        one("recovered", "over; the reason was: full")
    );
    assert_eq!(hears(&mut desk, at(100 * 60)), []);
    assert_eq!(desk.next(), None);
}

#[test]
fn another_reason_waits_for_an_hour_but_what_is_deleted_soon_is_named_at_once() {
    for (kind, heard) in [("blocked", 0), ("shrink", 1)] {
        let alert = |reason: &str| Alert {
            kind: kind.to_owned(),
            ..blocked(reason, at(0))
        };
        let mut desk = desk();
        desk.raised(alert("a, b"), at(0));
        hears(&mut desk, at(0));
        desk.raised(alert("b, c"), at(5));
        assert_eq!(hears(&mut desk, at(5)).len(), heard, "{kind}");
        let later = hears(&mut desk, at(65)).len();
        assert_eq!(heard + later, 1, "{kind}");
    }
}

#[test]
fn what_is_deleted_soon_is_told_however_often_it_came_and_went() {
    for (kind, heard) in [("blocked", 4), ("shrink", 5)] {
        let alert = |at: Timestamp| Alert {
            kind: kind.to_owned(),
            ..blocked("soon", at)
        };
        let mut desk = desk();
        let mut told = 0;
        for minute in [0, 2, 4] {
            desk.raised(alert(at(minute)), at(minute));
            told += hears(&mut desk, at(minute)).len();
            desk.cleared(&alert(at(0)).key(), at(minute + 1));
            told += hears(&mut desk, at(minute + 1)).len();
        }
        assert_eq!(told, heard, "{kind}");
    }
}

#[test]
fn without_a_repeat_it_is_told_once_however_long_it_stands() {
    let mut desk = ReceiverState::new(None);
    desk.raised(blocked("full", at(0)), at(0));
    assert_eq!(hears(&mut desk, at(0)).len(), 1);
    assert_eq!(desk.next(), None);
}

#[test]
fn what_came_and_went_before_it_was_told_is_not_told() {
    let mut desk = desk();
    desk.raised(blocked("full", at(0)), at(0));
    desk.cleared(&blocked("", at(0)).key(), at(1));
    assert_eq!(hears(&mut desk, at(2)), []);
    // An alert that went and came back before its recovery was delivered sends nothing.
    desk.raised(blocked("full", at(3)), at(3));
    assert_eq!(hears(&mut desk, at(3)).len(), 1);
    desk.cleared(&blocked("", at(0)).key(), at(100));
    desk.raised(blocked("full", at(101)), at(101));
    assert_eq!(hears(&mut desk, at(102)), []);
}

#[test]
fn another_reason_is_told_as_a_repeat_an_hour_after_the_last_message_at_the_earliest() {
    let mut desk = desk();
    desk.raised(blocked("full", at(0)), at(0));
    hears(&mut desk, at(0));
    desk.raised(blocked("another name", at(10)), at(10));
    assert_eq!(hears(&mut desk, at(59)), []);
    assert_eq!(hears(&mut desk, at(60)), one("repeated", "another name"));
    // A reason that is back before the other one was delivered sends nothing.
    desk.raised(blocked("full", at(70)), at(70));
    desk.raised(blocked("another name", at(80)), at(80));
    assert_eq!(hears(&mut desk, at(200)), []);
    // The alert counts from when it was first raised.
    assert!(
        desk.entries
            .values()
            .all(|entry| entry.alert.since == at(0))
    );
}

#[test]
fn an_alert_that_comes_and_goes_each_minute_gives_four_messages_an_hour() {
    let mut desk = desk();
    let mut heard = Vec::new();
    for minute in 0..180 {
        if minute % 2 == 0 {
            desk.raised(blocked("full", at(minute)), at(minute));
        } else {
            desk.cleared(&blocked("", at(0)).key(), at(minute));
        }
        for (event, _) in hears(&mut desk, at(minute)) {
            heard.push((minute, event));
        }
    }
    let within = |from: i64| {
        let hour = heard.iter().filter(|(m, _)| (from..from + 60).contains(m));
        hour.count()
    };
    assert!((0..120).all(|from| within(from) <= BURST), "{heard:?}");
    assert_eq!(within(0), BURST);
    // The last message shows the last state: cleared.
    for minute in 180..300 {
        heard.extend(
            hears(&mut desk, at(minute))
                .iter()
                .map(|(e, _)| (minute, *e)),
        );
    }
    assert_eq!(heard.last().map(|(_, event)| *event), Some("recovered"));
}

#[test]
fn one_alert_holds_up_no_other() {
    let mut desk = desk();
    for minute in 0..20 {
        desk.raised(blocked("full", at(minute)), at(minute));
        hears(&mut desk, at(minute));
        desk.cleared(&blocked("", at(0)).key(), at(minute));
        hears(&mut desk, at(minute));
    }
    let other = Alert {
        about: "8".to_owned(),
        ..blocked("odd", at(20))
    };
    desk.raised(other, at(20));
    assert_eq!(hears(&mut desk, at(20)), one("raised", "odd"));
}

#[test]
fn after_a_restart_what_stands_is_not_told_again_before_its_repeat() {
    let mut desk = desk();
    // Raised two days and an hour before; the old process was alive for most of that.
    desk.stood(blocked("full", at(0)), at(49 * 60));
    assert_eq!(hears(&mut desk, at(50 * 60)), []);
    assert_eq!(desk.next(), Some(at(72 * 60)));
    assert_eq!(hears(&mut desk, at(72 * 60)), one("repeated", "full"));
    desk.cleared(&blocked("", at(0)).key(), at(73 * 60));
    assert_eq!(
        hears(&mut desk, at(73 * 60)),
        one("recovered", "over; the reason was: full")
    );
}

#[test]
fn a_repeat_that_fell_due_while_no_process_ran_is_told_by_the_next() {
    let mut desk = desk();
    desk.stood(blocked("full", at(0)), at(120));
    assert_eq!(hears(&mut desk, at(30 * 60)), one("repeated", "full"));
}

#[test]
fn what_was_raised_just_before_the_end_is_told_by_the_next_process() {
    let mut desk = desk();
    let raised = at(10) - SignedDuration::from_secs(29);
    desk.stood(blocked("full", raised), at(10));
    assert_eq!(hears(&mut desk, at(11)), one("raised", "full"));
    // If it is over by then, its end is delivered: the old process may have delivered the rest.
    let mut desk = ReceiverState::new(Some(DAY));
    desk.stood(blocked("full", raised), at(10));
    desk.cleared(&blocked("", raised).key(), at(11));
    assert_eq!(
        hears(&mut desk, at(11)),
        one("recovered", "over; the reason was: full")
    );
    let mut desk = ReceiverState::new(Some(DAY));
    let raised = at(10) - FRESH;
    desk.stood(blocked("full", raised), at(10));
    assert_eq!(hears(&mut desk, at(11)), []);
}

#[test]
fn a_clock_that_was_set_back_breaks_nothing() {
    let mut desk = desk();
    desk.stood(blocked("full", at(1000)), at(0));
    assert_eq!(hears(&mut desk, at(1000)), one("raised", "full"));
    desk.raised(blocked("full", at(0)), at(0));
    desk.cleared(&blocked("", at(0)).key(), at(0));
    assert_eq!(
        hears(&mut desk, at(0)),
        one("recovered", "over; the reason was: full")
    );
}

#[test]
fn more_alerts_than_can_be_are_refused_and_counted() {
    let mut desk = desk();
    for n in 0..MOST + 2 {
        let alert = Alert {
            about: n.to_string(),
            ..blocked("full", at(0))
        };
        desk.raised(alert, at(0));
    }
    assert_eq!((desk.due(at(0)).len(), desk.refused), (MOST, 2));
}

#[test]
fn an_alert_that_goes_with_its_policy_is_told_as_unwatched_and_by_the_name_that_it_had() {
    let mut desk = ReceiverState::new(None);
    let alert = blocked("full", at(0));
    desk.raised(alert.clone(), at(0));
    assert_eq!(hears(&mut desk, at(0)), one("raised", "full"));
    desk.unwatched(&alert.key(), at(5));
    let told = desk.due(at(5)).remove(0).alert;
    assert_eq!(told.reason, "no longer watched: its policy was removed");
    assert_eq!(told.server, alert.server);
}
