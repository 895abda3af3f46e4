//! When alerts about a block and about single snapshots are raised, and when they clear.

use jiff::SignedDuration;

use super::*;
use crate::core::server_event::Outcome;
use crate::core::test_provider::*;

pub(super) const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Returns the active alerts once nothing is left to record.
pub(super) fn standing(world: &mut TestProvider) -> Vec<(AlertKind, String)> {
    world.recorded();
    // The alerts about copies have tests of their own.
    let of_copies = |kind| matches!(kind, AlertKind::NoCopy | AlertKind::Stale);
    let alerts = world.history.alerts.keys().cloned();
    alerts.filter(|(kind, _)| !of_copies(*kind)).collect()
}

pub(super) fn about(kind: AlertKind, name: &str) -> Vec<(AlertKind, String)> {
    vec![(kind, name.to_owned())]
}

/// Records events until another step follows; returns the events and that step.
pub(super) fn facts(world: &mut TestProvider) -> (Vec<ServerEvent>, Step) {
    let mut facts = Vec::new();
    for _ in 0..100 {
        match world.step() {
            Step::Record(event) => {
                world.record(&event);
                facts.push(event);
            }
            step => return (facts, step),
        }
    }
    panic!("recording never ends: {facts:?}");
}

#[test]
fn a_block_and_its_alert_are_recorded_once_for_each_reason_and_cleared_when_the_block_ends() {
    let mut world = TestProvider::weekly(3);
    world.settle(&DONE);
    let mut blocked = |name: &str| {
        world.policy.name = Some(name.to_owned());
        let (facts, step) = facts(&mut world);
        let words: Vec<_> = facts
            .iter()
            .map(|event| match event {
                ServerEvent::Blocked { .. } => "blocked",
                ServerEvent::Recovered { .. } => "recovered",
                ServerEvent::AlertRaised { alert, .. } if *alert == AlertKind::Blocked => "raised",
                ServerEvent::AlertCleared { alert, .. } if *alert == AlertKind::Blocked => {
                    "cleared"
                }
                _ => "other",
            })
            .collect();
        (words, matches!(step, Step::Blocked { .. }))
    };
    assert_eq!(blocked("mail"), (vec!["blocked", "raised"], true));
    assert_eq!(blocked("mail"), (vec![], true));
    assert_eq!(blocked("shop"), (vec!["blocked", "raised"], true));
    assert_eq!(blocked("web"), (vec!["recovered", "cleared"], false));
    assert_eq!(blocked("web"), (vec![], false));
}

#[test]
fn a_block_lasts_while_the_server_only_waits_and_ends_with_the_next_create_or_delete() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    let reason = "a reason".to_owned();
    world.record(&ServerEvent::Blocked {
        reason,
        contested: None,
    });
    world.history.last_answer = Some(world.now.mono + MINUTE);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    assert!(world.history.blocked.is_some());
    world.pass(MINUTE);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    assert!(world.history.blocked.is_none());
}

#[test]
fn a_server_that_is_unknown_to_the_provider_is_blocked_until_a_create_succeeds() {
    let mut world = TestProvider::weekly(3);
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    world.record(&ServerEvent::CreateResult {
        snapshot: "weekly-2026-11-22".into(),
        outcome: Outcome::NoServer,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    assert!(matches!(world.recorded(), Step::Blocked { .. }));
    world.pass(WEEK);
    // The next slot is tried; its outcome is not known yet.
    assert!(matches!(world.recorded(), Step::Create { .. }));
    assert!(world.history.blocked.is_some());
    world.settle(&DONE);
    assert!(world.history.blocked.is_none());
    assert_eq!(standing(&mut world), []);
}

#[test]
fn i11_a_listing_in_doubt_neither_raises_nor_clears_alerts_about_its_snapshots() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world =
        TestProvider::weekly(3).holding(&[(1, "weekly-2026-11-15", odd, "2026-11-15T03:00:00Z")]);
    let unknown = about(AlertKind::UnknownStatus, "weekly-2026-11-15");
    assert_eq!(standing(&mut world), unknown);
    world.snapshots[0].name = "weekly-2026-11-08".to_owned();
    world.doubt = Some("count says 4, 3 were read".to_owned());
    let blocked = about(AlertKind::Blocked, "7");
    assert_eq!(standing(&mut world), [blocked, unknown].concat());
    world.doubt = None;
    world.snapshots.clear();
    world.settle(&DONE);
    assert_eq!(standing(&mut world), []);
}

#[test]
fn a_stuck_alert_is_active_from_stuck_after_until_the_snapshot_is_completed() {
    let name = "weekly-2026-11-22";
    let mut world = TestProvider::weekly(3);
    assert!(matches!(
        world.settle(&Status::InProgress),
        Step::Wait { .. }
    ));
    assert_eq!(standing(&mut world), []);
    world.pass(world.rules.stuck_after);
    world.recorded();
    let stuck = (AlertKind::Stuck, name.to_owned());
    assert!(
        world.history.alerts[&stuck]
            .text
            .reason()
            .contains("check it at the provider")
    );
    world.snapshots[0].status = DONE;
    world.recorded();
    assert!(!world.history.alerts.contains_key(&stuck));
}

#[test]
fn an_undocumented_status_raises_an_alert_that_quotes_the_word() {
    let odd = Status::Unknown("archiving".to_owned());
    let name = "weekly-2026-11-22";
    let mut world = TestProvider::weekly(3).holding(&[(1, name, odd, "2026-11-22T03:00:00Z")]);
    assert_eq!(standing(&mut world), about(AlertKind::UnknownStatus, name));
    let reason = &world
        .history
        .alerts
        .values()
        .next()
        .expect("a reason")
        .text
        .reason();
    assert!(reason.contains("\"archiving\""), "{reason}");
}

#[test]
fn i11_a_completed_snapshot_raises_an_alert_only_if_its_date_is_unreliable() {
    let name = "weekly-2026-11-22";
    for (date, odd) in [
        ("2026-11-22T03:00:00Z", false),
        ("2026-11-22T04:05:00Z", false),
        ("2026-11-22T04:05:01Z", true),
        ("yesterday", true),
    ] {
        let mut world = TestProvider::weekly(3).holding(&[(1, name, DONE, date)]);
        let expected = if odd {
            about(AlertKind::OddDate, name)
        } else {
            Vec::new()
        };
        assert_eq!(standing(&mut world), expected, "{date}");
    }
}

#[test]
fn i9_two_snapshots_of_the_same_name_raise_an_alert_unless_one_of_them_failed() {
    let name = "weekly-2026-11-22";
    for (other, copies) in [
        (DONE, true),
        (Status::InProgress, true),
        (Status::Failed, false),
    ] {
        let mut world = TestProvider::weekly(3).holding(&[
            (1, name, DONE, "2026-11-22T03:00:00Z"),
            (2, name, other.clone(), "2026-11-22T03:05:00Z"),
        ]);
        let expected = if copies {
            about(AlertKind::Copies, name)
        } else {
            Vec::new()
        };
        assert_eq!(standing(&mut world), expected, "{other:?}");
    }
}
