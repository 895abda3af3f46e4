//! When the owed start is due, and how it survives failures.

use std::sync::Arc;

use super::downtime_tests::{
    NAME, alert, complete, create, intend_stop, is_stop, runs, start, starts, stop, stop_answered,
    stop_server, world,
};
use super::next_power_step;
use crate::core::decide::Step;
use crate::core::hook_release::tests as hooked;
use crate::core::operator_order::{Order, objection};
use crate::core::server_event::{
    AlertKind, HookKind, HookOutcome, Outcome, RecordedAt, ServerEvent,
};
use crate::core::server_info::PowerState;
use crate::core::snapshot::Status;
use crate::core::start_at_shutdown::{ShutdownStep, at_end};
use crate::core::test_provider::{DONE, MINUTE, TestProvider};
#[test]
fn a_create_that_is_refused_is_followed_by_the_start() {
    let mut world = world();
    stop(&mut world);
    world.intend_create(NAME);
    world.record(&ServerEvent::CreateResult {
        snapshot: NAME.into(),
        outcome: Outcome::Later,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn the_server_is_started_at_once_if_its_create_cannot_be_sent() {
    let mut world = world();
    stop(&mut world);
    world.doubt = Some("count differs from the rows".to_owned());
    assert_eq!(starts(&world.recorded()), Some(false));

    let mut world = self::world();
    stop(&mut world);
    world.pause();
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Start { early: false, reason, .. } if reason.contains("paused")),
        "{step:?}"
    );
}

#[test]
fn a_server_that_is_stopped_for_too_long_is_started_although_its_snapshot_is_unfinished() {
    let mut world = world();
    stop(&mut world);
    create(&mut world, Status::InProgress);
    world.pass(15 * MINUTE);
    assert_eq!(starts(&world.recorded()), Some(true));
    // The wall clock counts too, so that repeated restarts don't prolong the downtime.
    let mut world = self::world();
    stop(&mut world);
    create(&mut world, Status::InProgress);
    again(&mut world);
    world.now.wall += 15 * MINUTE;
    assert_eq!(starts(&world.recorded()), Some(true));
}

/// Continues with the same trail in another process shortly afterwards.
fn again(world: &mut TestProvider) {
    let json = serde_json::to_string(&world.history).expect("JSON");
    world.history = serde_json::from_str(&json).expect("a history");
    let forget = |when: &mut RecordedAt| when.mono = None;
    if let Some(downtime) = &mut world.history.downtime {
        forget(&mut downtime.since);
        downtime.started.as_mut().map(forget);
    }
    world.now.mono = jiff::SignedDuration::from_secs(1);
    world.now.wall += MINUTE;
}

#[test]
fn the_next_process_continues_the_same_stop() {
    let mut world = world();
    assert!(is_stop(&world.recorded()));
    intend_stop(&mut world);
    again(&mut world);
    world.state = Some(PowerState::Stopped);
    let create = world.recorded();
    assert!(matches!(create, Step::Create { .. }), "{create:?}");
}

#[test]
fn a_start_is_repeated_until_the_server_is_seen_active_and_an_alert_gives_the_error() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    for _ in 0..6 {
        start(&mut world, Outcome::Failed);
        assert!(matches!(world.recorded(), Step::Wait { .. }));
        world.pass(5 * MINUTE);
    }
    assert_eq!(starts(&world.recorded()), Some(false));
    let said = alert(&world, AlertKind::ServerStopped).expect("an alert");
    assert!(said.contains(": \"busy\"; "), "{said}");
    // Meanwhile nothing else begins.
    let order = Order::Create {
        snapshot: "mine".into(),
        spare: None,
        expires: None,
        description: None,
    };
    let inventory = hooked::nothing(&world);
    let TestProvider {
        policy,
        rules,
        history,
        now,
        ..
    } = &world;
    let why = objection(policy, &inventory, history, rules, *now, &order);
    assert!(why.is_some_and(|why| why.contains("is being started")));
    start(&mut world, Outcome::Done);
    runs(&mut world);
    assert_eq!(alert(&world, AlertKind::ServerStopped), None);
}

#[test]
fn an_unanswered_start_is_confirmed_only_after_the_settle_window() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    start(&mut world, Outcome::Unknown);
    assert!(matches!(runs(&mut world), Step::Wait { .. }));
    assert!(world.history.downtime.is_some());
    world.pass(11 * MINUTE);
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    assert_eq!(world.history.downtime, None);
}

#[test]
fn the_start_is_owed_even_without_a_policy_or_a_listing() {
    let mut world = world();
    stop(&mut world);
    let stopped = Some(&PowerState::Stopped);
    let step = next_power_step(None, &world.history, &world.rules, stopped, world.now);
    let Some(Step::Record(raised @ ServerEvent::AlertRaised { .. })) = step else {
        panic!("{step:?}");
    };
    world.record(&raised);
    let TestProvider {
        rules,
        history,
        now,
        ..
    } = &world;
    let step = next_power_step(None, history, rules, stopped, *now);
    assert!(step.is_some_and(|step| starts(&step) == Some(false)));
    let end = at_end(None, history, &PowerState::Stopped, *now);
    assert!(matches!(end, ShutdownStep::Start(step) if starts(&step) == Some(false)));
}

#[test]
fn hooks_hold_the_server_before_it_is_stopped_and_release_it_after_it_runs() {
    let mut world = hooked::world();
    world.policy.rotations[0].stop = Some(Box::new(stop_server()));
    world.state = Some(PowerState::Active);
    assert!(is_stop(&world.recorded()));
    hooked::hold(&mut world);
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Done);
    world.state = Some(PowerState::Stopped);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    start(&mut world, Outcome::Done);
    let after = runs(&mut world);
    assert!(matches!(after, Step::After { .. }), "{after:?}");
    world.record(&hooked::started(HookKind::After));
    world.record(&hooked::finished(HookKind::After, HookOutcome::Done));
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    assert_eq!(
        world.snapshots.iter().filter(|s| s.status == DONE).count(),
        1
    );
}

#[test]
fn a_server_whose_hold_is_over_is_started_and_gets_no_create() {
    let mut world = hooked::world();
    world.policy.rotations[0].stop = Some(Box::new(stop_server()));
    world.state = Some(PowerState::Active);
    hooked::hold(&mut world);
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Done);
    world.state = Some(PowerState::Stopped);
    if let Some(hold) = &mut world.history.hold {
        hold.since.mono = None;
    }
    world.now.mono = MINUTE;
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn a_stopped_server_released_by_its_after_hook_gets_no_create_even_with_on_failure_continue() {
    let mut world = hooked::world();
    world.policy.rotations[0].stop = Some(Box::new(stop_server()));
    let hooks = world.policy.rotations[0].hooks.as_mut().map(Arc::make_mut);
    hooks.expect("hooks").go_on = true;
    world.state = Some(PowerState::Active);
    hooked::hold(&mut world);
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Done);
    world.state = Some(PowerState::Stopped);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    world.record(&hooked::started(HookKind::After));
    world.record(&hooked::finished(HookKind::After, HookOutcome::Done));
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn a_resume_gives_up_a_start_that_failed_again_and_again() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    start(&mut world, Outcome::Failed);
    world.resume();
    assert!(world.history.downtime.is_some());
    for _ in 0..4 {
        world.pass(10 * MINUTE);
        start(&mut world, Outcome::Failed);
    }
    let TestProvider {
        rules,
        history,
        now,
        ..
    } = &world;
    let ended = history.ended_by_resume(rules, *now, &[]);
    assert!(ended.iter().any(|line| line.contains("start")), "{ended:?}");
    world.resume();
    assert_eq!(world.history.downtime, None);
}

#[test]
fn a_resume_that_ends_a_pause_gives_up_no_start() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    for _ in 0..5 {
        start(&mut world, Outcome::Failed);
        world.pass(10 * MINUTE);
    }
    world.pause();
    let ended = |world: &TestProvider| {
        let ended = world.history.ended_by_resume(&world.rules, world.now, &[]);
        ended.join("; ")
    };
    assert!(
        ended(&world).contains("is still being retried"),
        "{}",
        ended(&world)
    );
    world.resume();
    assert!(world.history.downtime.is_some());
    assert!(ended(&world).contains("is given up"), "{}", ended(&world));
}

#[test]
fn i20_a_server_being_stopped_is_started_at_once_if_the_next_slot_replaces_its_slot() {
    for seen in [false, true] {
        let mut world = world();
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, Outcome::Done);
        if seen {
            world.state = Some(PowerState::Stopped);
            assert!(matches!(world.recorded(), Step::Create { .. }));
        }
        // The next slot is due now.
        world.now.wall += 7 * 24 * 60 * MINUTE;
        world.pass(MINUTE / 4);
        assert!(starts(&world.recorded()).is_some(), "{seen}");
    }
}

#[test]
fn i20_on_a_blocked_server_the_start_follows_the_completed_snapshot() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    // The policy's name for the server changes meanwhile, so no slot is settled any more.
    world.policy.name = Some("another".to_owned());
    assert_eq!(starts(&world.recorded()), None);
    complete(&mut world, &id);
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn i20_when_the_service_ends_a_message_reports_a_stop_that_may_still_take_effect() {
    let mut world = world();
    assert!(is_stop(&world.recorded()));
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Unknown);
    world.pass(6 * MINUTE);
    start(&mut world, Outcome::Done);
    let _still = runs(&mut world);
    let (_, said) = world.history.left_stopped().expect("a message");
    assert!(said.contains("may still take effect"), "{said}");
}

#[test]
fn i20_an_edit_does_not_shorten_the_watch_for_a_stop_that_may_still_take_effect() {
    for policy_stays in [true, false] {
        let mut world = world();
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, Outcome::Done);
        world.policy.rotations[0].stop = None;
        start(&mut world, Outcome::Done);
        let step = |world: &TestProvider| {
            let policy = policy_stays.then_some(&world.policy);
            let active = Some(&PowerState::Active);
            next_power_step(policy, &world.history, &world.rules, active, world.now)
        };
        // After the settle window, but within the longest downtime of the previous policy.
        let _still = runs(&mut world);
        world.pass(11 * MINUTE);
        assert_eq!(step(&world), None);
        world.pass(15 * MINUTE);
        let over = step(&world);
        assert!(
            matches!(over, Some(Step::Record(ServerEvent::StartConfirmed { .. }))),
            "{over:?}"
        );
    }
}

#[test]
fn i20_at_shutdown_a_stop_that_may_still_take_effect_is_watched_after_its_start() {
    let mut world = world();
    assert!(is_stop(&world.recorded()));
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Done);
    world.pass(60 * MINUTE);
    world.state = Some(PowerState::Active);
    let end = |world: &TestProvider| {
        let policy = Some(&world.policy);
        at_end(policy, &world.history, &PowerState::Active, world.now)
    };
    assert!(matches!(end(&world), ShutdownStep::Start(_)));
    start(&mut world, Outcome::Done);
    assert_eq!(end(&world), ShutdownStep::Wait);
}

#[test]
fn i20_an_alert_of_the_previous_process_stays_until_the_server_is_seen_active() {
    let mut world = world();
    stop(&mut world);
    world.record(&ServerEvent::AlertRaised {
        alert: AlertKind::ServerStopped,
        about: "weekly".to_owned(),
        text: "the service is stopping".to_owned().into(),
    });
    world.recorded();
    let said = alert(&world, AlertKind::ServerStopped).expect("the server is down");
    assert!(said.contains("has not been seen active since"), "{said}");
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    start(&mut world, Outcome::Done);
    runs(&mut world);
    assert_eq!(alert(&world, AlertKind::ServerStopped), None);
}
