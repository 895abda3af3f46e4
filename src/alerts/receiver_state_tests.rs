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
        text: reason.to_owned().into(),
        copy: NewestCopy::Unknown,
        since,
        acknowledged: None,
    }
}

fn desk() -> ReceiverState {
    ReceiverState::new(Some(DAY))
}

/// Delivers the due notices, and returns their events and reasons.
fn hears(desk: &mut ReceiverState, now: Timestamp) -> Vec<(&'static str, String)> {
    let due = desk.due(now);
    desk.told(&due, now);
    due.into_iter()
        .map(|notice| (notice.event.word(), notice.alert.text.reason()))
        .collect()
}

fn one(event: &'static str, reason: &str) -> Vec<(&'static str, String)> {
    vec![(event, reason.to_owned())]
}

#[test]
fn an_alert_is_sent_once_repeated_after_a_day_and_its_recovery_is_sent_once() {
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
fn a_new_reason_is_sent_after_an_hour_but_that_of_a_shrink_alert_at_once() {
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
fn a_shrink_alert_that_flaps_is_sent_each_time_it_is_raised() {
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
fn an_acknowledged_alert_is_repeated_only_after_the_acknowledgement_has_ended() {
    for (until, repeated) in [(None, None), (Some(at(72 * 60)), Some(at(72 * 60)))] {
        let mut desk = desk();
        let alert = blocked("full", at(0));
        desk.raised(alert.clone(), at(0));
        hears(&mut desk, at(0));
        let terms = OrderTerms {
            until,
            ..OrderTerms::by("root")
        };
        desk.acknowledged(&alert.key(), &terms);
        assert_eq!(desk.next(), repeated);
        assert_eq!(hears(&mut desk, at(71 * 60)), []);
    }
}

#[test]
fn an_acknowledged_alert_is_sent_if_its_reason_changes_if_it_ends_and_if_it_is_raised_again() {
    let mut desk = desk();
    let worse = Alert {
        acknowledged: Some(Box::new(OrderTerms::by("root"))),
        ..blocked("worse", at(0))
    };
    desk.raised(blocked("full", at(0)), at(0));
    hears(&mut desk, at(0));
    desk.acknowledged(&worse.key(), &OrderTerms::by("root"));
    desk.raised(worse.clone(), at(5));
    assert_eq!(hears(&mut desk, at(65)), one("repeated", "worse"));
    desk.cleared(&worse.key(), at(66));
    assert_eq!(hears(&mut desk, at(66)).len(), 1);
    desk.raised(blocked("full", at(300)), at(300));
    assert_eq!(hears(&mut desk, at(300)), one("raised", "full"));
    assert_eq!(desk.next(), Some(at(300 + 24 * 60)));
}

#[test]
fn an_acknowledged_alert_of_a_previous_process_is_not_sent_again_however_new_it_is() {
    for (acknowledged, heard) in [(None, 1), (Some(Box::new(OrderTerms::by("root"))), 0)] {
        let mut desk = desk();
        let alert = Alert {
            acknowledged,
            ..blocked("full", at(0))
        };
        desk.stood(alert, at(1));
        assert_eq!(hears(&mut desk, at(2)).len(), heard);
    }
}

#[test]
fn without_repeat_an_alert_is_sent_once_however_long_it_is_active() {
    let mut desk = ReceiverState::new(None);
    desk.raised(blocked("full", at(0)), at(0));
    assert_eq!(hears(&mut desk, at(0)).len(), 1);
    assert_eq!(desk.next(), None);
}

#[test]
fn a_raise_or_a_recovery_that_is_undone_before_delivery_is_not_sent() {
    let mut desk = desk();
    desk.raised(blocked("full", at(0)), at(0));
    desk.cleared(&blocked("", at(0)).key(), at(1));
    assert_eq!(hears(&mut desk, at(2)), []);
    // An alert that is cleared and raised again before its recovery is delivered sends nothing.
    desk.raised(blocked("full", at(3)), at(3));
    assert_eq!(hears(&mut desk, at(3)).len(), 1);
    desk.cleared(&blocked("", at(0)).key(), at(100));
    desk.raised(blocked("full", at(101)), at(101));
    assert_eq!(hears(&mut desk, at(102)), []);
}

#[test]
fn a_new_reason_is_sent_as_a_repeat_at_least_an_hour_after_the_last_message() {
    let mut desk = desk();
    desk.raised(blocked("full", at(0)), at(0));
    hears(&mut desk, at(0));
    desk.raised(blocked("another name", at(10)), at(10));
    assert_eq!(hears(&mut desk, at(59)), []);
    assert_eq!(hears(&mut desk, at(60)), one("repeated", "another name"));
    // If the old reason returns before the new one is delivered, nothing is sent.
    desk.raised(blocked("full", at(70)), at(70));
    desk.raised(blocked("another name", at(80)), at(80));
    assert_eq!(hears(&mut desk, at(200)), []);
    // `since` remains the time at which the alert was first raised.
    assert!(
        desk.entries
            .values()
            .all(|entry| entry.alert.since == at(0))
    );
}

#[test]
fn an_alert_that_flaps_each_minute_sends_at_most_four_messages_an_hour() {
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
fn a_flapping_alert_does_not_delay_another_alert() {
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
fn an_active_alert_is_not_sent_again_after_a_restart_until_its_repeat_is_due() {
    let mut desk = desk();
    // Raised two days and an hour before the old process ended.
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
fn a_repeat_that_fell_due_while_no_process_ran_is_sent_by_the_next_process() {
    let mut desk = desk();
    desk.stood(blocked("full", at(0)), at(120));
    assert_eq!(hears(&mut desk, at(30 * 60)), one("repeated", "full"));
}

#[test]
fn an_alert_raised_just_before_a_process_ended_is_sent_by_the_next_process() {
    let mut desk = desk();
    let raised = at(10) - SignedDuration::from_secs(29);
    desk.stood(blocked("full", raised), at(10));
    assert_eq!(hears(&mut desk, at(11)), one("repeated", "full"));
    // If it is cleared before that, only its recovery is sent: the old process may have sent the
    // alert.
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
fn alerts_and_recoveries_are_sent_even_after_the_clock_was_set_back() {
    let mut desk = desk();
    desk.stood(blocked("full", at(1000)), at(0));
    assert_eq!(hears(&mut desk, at(1000)), one("repeated", "full"));
    desk.raised(blocked("full", at(0)), at(0));
    desk.cleared(&blocked("", at(0)).key(), at(0));
    assert_eq!(
        hears(&mut desk, at(0)),
        one("recovered", "over; the reason was: full")
    );
}

#[test]
fn alerts_beyond_the_limit_are_refused_and_counted() {
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
fn an_alert_whose_policy_was_removed_is_sent_as_unwatched_and_keeps_its_server_label() {
    let mut desk = ReceiverState::new(None);
    let alert = blocked("full", at(0));
    desk.raised(alert.clone(), at(0));
    assert_eq!(hears(&mut desk, at(0)), one("raised", "full"));
    desk.unwatched(&alert.key(), at(5));
    let told = desk.due(at(5)).remove(0).alert;
    assert_eq!(told.text.what, "no longer watched: its policy was removed");
    assert_eq!(told.server, alert.server);
}
