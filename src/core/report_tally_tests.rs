//! Tests of what a report counts.

use super::*;
use crate::core::alert_text::AlertText;
use crate::core::retention::SurplusReason;
use crate::core::server_event::AlertKind;
use crate::core::test_provider::TestProvider;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A week, from Monday to Monday.
fn week() -> ReportPeriod {
    ReportPeriod {
        from: at("2026-11-23T07:00:00Z"),
        until: at("2026-11-30T07:00:00Z"),
        missed: 0,
        reported: None,
    }
}

fn event(json: &str) -> ServerEvent {
    serde_json::from_str(json).expect("an event")
}

/// Returns the tally of these records of server 7.
fn tally(records: &[(&str, ServerEvent)]) -> ServerTally {
    let mut tally = ReportTally::new(week());
    for (time, event) in records {
        tally.note(&7.into(), at(time), event);
    }
    tally.servers()[&7.into()].clone()
}

fn raised(what: &str) -> ServerEvent {
    ServerEvent::AlertRaised {
        alert: AlertKind::SlotFailed,
        about: "daily".to_owned(),
        text: AlertText::new(what),
    }
}

fn cleared() -> ServerEvent {
    ServerEvent::AlertCleared {
        alert: AlertKind::SlotFailed,
        about: "daily".to_owned(),
    }
}

fn delete(id: u64, more: &str) -> [ServerEvent; 2] {
    [
        event(&format!(
            r#"{{"event":"delete_intent","rotation":"daily","snapshot":"d-{id}","id":{id}{more}}}"#
        )),
        event(&format!(r#"{{"event":"delete_confirmed","id":{id}}}"#)),
    ]
}

#[test]
fn records_count_from_the_first_instant_of_the_period_to_just_before_its_end() {
    let settled = || {
        event(
            r#"{"event":"slot_settled","rotation":"daily","slot":"2026-11-23T03:00:00Z","snapshot":"d","reason":"completed"}"#,
        )
    };
    let counts = tally(&[
        ("2026-11-23T06:59:59Z", settled()),
        ("2026-11-23T07:00:00Z", settled()),
        ("2026-11-30T06:59:59Z", settled()),
        ("2026-11-30T07:00:00Z", settled()),
    ])
    .counts;
    assert_eq!(counts.slots_settled, 2);
}

#[test]
fn slots_that_passed_count_with_those_before_them_and_those_of_a_pause_do_not() {
    let skipped = |missed, paused| {
        event(&format!(
            r#"{{"event":"slot_skipped","rotation":"daily","slot":"2026-11-24T03:00:00Z","snapshot":"d","missed":{missed},"paused":{paused},"reason":"x"}}"#
        ))
    };
    let given_up = event(
        r#"{"event":"slot_given_up","rotation":"daily","slot":"2026-11-25T03:00:00Z","snapshot":"e","reason":"x"}"#,
    );
    let counts = tally(&[
        ("2026-11-24T07:00:00Z", skipped(2, false)),
        ("2026-11-24T08:00:00Z", skipped(4, true)),
        ("2026-11-25T08:00:00Z", given_up),
    ])
    .counts;
    assert_eq!(counts.slots_failed, 3 + 1);
}

#[test]
fn a_confirmed_delete_counts_by_the_rule_of_its_intent() {
    let rotation = &TestProvider::weekly(1).policy.rotations[0];
    let reason = |why: SurplusReason| format!(r#","reason":"{}""#, why.reason(rotation));
    let time = "2026-11-24T03:00:00Z";
    let mut records = Vec::new();
    for (id, more) in [
        (1, reason(SurplusReason::Beyond)),
        (2, reason(SurplusReason::Copy)),
        (3, reason(SurplusReason::Outlived)),
        (4, reason(SurplusReason::Regressed)),
        (
            5,
            r#","prune_first":[5],"reason":"the server is full""#.to_owned(),
        ),
        (6, r#","reason":"ordered","by":"root""#.to_owned()),
        (
            7,
            r#","expired":true,"reason":"an operator ordered it with --expire""#.to_owned(),
        ),
    ] {
        records.extend(delete(id, &more).map(|event| (time, event)));
    }
    // One that is not confirmed, and one whose intent is not in the records.
    let [intent, _] = delete(8, &reason(SurplusReason::Beyond));
    let [_, confirmed] = delete(9, &reason(SurplusReason::Beyond));
    records.extend([(time, intent), (time, confirmed)]);
    let counts = tally(&records).counts;
    let wanted = [
        (DeletionRule::BeyondKeep, 1),
        (DeletionRule::MakeRoom, 1),
        (DeletionRule::Copy, 1),
        (DeletionRule::Unusable, 2),
        (DeletionRule::Order, 2),
        (DeletionRule::Unknown, 1),
    ];
    assert_eq!(counts.deleted, BTreeMap::from(wanted));
    assert_eq!(counts.all_deleted(), 8);
}

#[test]
fn an_alert_counts_once_however_often_its_text_changes_and_is_mended_when_it_is_cleared() {
    let tally = tally(&[
        ("2026-11-24T03:00:00Z", raised("one")),
        ("2026-11-24T04:00:00Z", raised("two")),
        ("2026-11-25T03:00:00Z", cleared()),
        ("2026-11-26T03:00:00Z", raised("three")),
    ]);
    let counts = &tally.counts;
    assert_eq!((counts.alerts_raised, counts.alerts_cleared), (2, 1));
    let times: Vec<_> = tally
        .alerts
        .faults()
        .into_iter()
        .map(|fault| (fault.since, fault.mended))
        .collect();
    let time = |text| Some(at(text));
    assert_eq!(
        times,
        [
            (time("2026-11-24T03:00:00Z"), time("2026-11-25T03:00:00Z")),
            (time("2026-11-26T03:00:00Z"), None),
        ]
    );
}

#[test]
fn an_alert_from_before_the_period_is_mended_in_it_with_its_first_time() {
    let tally = tally(&[
        ("2026-11-20T03:00:00Z", raised("one")),
        ("2026-11-25T03:00:00Z", cleared()),
    ]);
    assert_eq!(tally.counts.alerts_raised, 0);
    assert_eq!(
        tally.alerts.faults()[0].since,
        Some(at("2026-11-20T03:00:00Z"))
    );
}

#[test]
fn refused_calls_and_restores_count() {
    let result = |outcome: &str| {
        event(&format!(
            r#"{{"event":"create_result","snapshot":"d","outcome":"{outcome}"}}"#
        ))
    };
    let restored = event(r#"{"event":"restore_result","id":1,"outcome":"done"}"#);
    let time = "2026-11-24T03:00:00Z";
    let counts = tally(&[
        (time, result("done")),
        (time, result("failed")),
        (time, result("unknown")),
        (time, restored),
    ])
    .counts;
    assert_eq!((counts.calls_failed, counts.restores), (2, 1));
}

#[test]
fn a_server_is_judged_from_its_first_record_on_unless_it_is_older_than_the_trail_that_was_read() {
    let at_noon = "2026-11-25T12:00:00Z";
    let new = tally(&[(at_noon, raised("x"))]);
    assert_eq!(new.watched(week()), (at(at_noon), week().until));
    let older = tally(&[("2026-11-20T07:00:00Z", raised("x"))]);
    assert_eq!(older.watched(week()), (week().from, week().until));
    let none = ServerTally::default();
    assert_eq!(none.watched(week()), (week().until, week().until));

    let mut tally = ReportTally::new(week());
    tally.checkpoint(&7.into(), &ServerHistory::default());
    tally.note(&7.into(), at(at_noon), &raised("x"));
    let known = tally.servers()[&7.into()].watched(week());
    assert_eq!(known, (week().from, week().until));
}

#[test]
fn records_under_a_former_id_belong_to_the_server() {
    let mut tally = ReportTally::new(week());
    let settled = event(
        r#"{"event":"slot_settled","rotation":"daily","slot":"2026-11-23T03:00:00Z","snapshot":"d","reason":"completed"}"#,
    );
    tally.note(&7.into(), at("2026-11-24T03:00:00Z"), &settled);
    let moved = event(r#"{"event":"server_id_changed","from":7}"#);
    tally.note(&8.into(), at("2026-11-25T03:00:00Z"), &moved);
    tally.note(&8.into(), at("2026-11-25T04:00:00Z"), &settled);
    assert_eq!(tally.servers().len(), 1);
    assert_eq!(tally.servers()[&8.into()].counts.slots_settled, 2);
}

#[test]
fn a_copy_is_fresh_from_its_completion_until_its_age_since_the_create_exceeds_the_limit() {
    let intent = event(
        r#"{"event":"create_intent","rotation":"daily","snapshot":"d","known":[],"reason":"x"}"#,
    );
    let completed = event(r#"{"event":"snapshot_completed","snapshot":"d","id":5}"#);
    let gone = event(r#"{"event":"snapshot_gone","snapshot":"d","id":5,"reason":"x"}"#);
    let minutes = |records: &[(&str, ServerEvent)], listed: &[(SnapshotId, Timestamp)]| {
        let limit = SignedDuration::from_hours(36);
        let watched = (week().from, week().until);
        tally(records).fresh(listed, limit, watched).as_mins()
    };
    let made = [
        ("2026-11-24T00:00:00Z", intent),
        ("2026-11-24T01:00:00Z", completed),
    ];
    assert_eq!(minutes(&made, &[]), 35 * 60);
    let lost = [made.as_slice(), &[("2026-11-24T07:00:00Z", gone)]].concat();
    assert_eq!(minutes(&lost, &[]), 6 * 60);
    // The date that the provider gives takes precedence over the time of the intent.
    let listed = [(5.into(), at("2026-11-24T00:30:00Z"))];
    assert_eq!(minutes(&made, &listed), 35 * 60 + 30);
    let foreign = [(6.into(), at("2026-11-27T00:00:00Z"))];
    assert_eq!(minutes(&made, &foreign), (35 + 36) * 60);
}
