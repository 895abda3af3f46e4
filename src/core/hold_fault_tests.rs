//! Failing hooks: their effect on the slot, and a server that can't be released.

use std::sync::Arc;

use super::tests::*;
use crate::core::decide::Step;
use crate::core::server_event::{AlertKind, HookKind, HookOutcome, RecordedAt, ServerEvent};
use crate::core::snapshot::Status;
use crate::core::test_provider::{DONE, MINUTE, rotation};

#[test]
fn a_failing_before_hook_is_a_failed_attempt_and_the_after_hook_still_runs() {
    let mut world = world();
    for attempt in 1..=3 {
        let Step::Create { .. } = world.recorded() else {
            panic!("attempt {attempt}");
        };
        world.record(&started(HookKind::Before));
        world.record(&finished(HookKind::Before, HookOutcome::Failed));
        let hold = world.history.hold.as_deref().expect("held");
        assert!(hold.tried, "the release must not count as a second try");
        assert_eq!(released(&world.step()), Some(false));
        world.record(&started(HookKind::After));
        world.record(&finished(HookKind::After, HookOutcome::Done));
        let step = world.recorded();
        let said = "the before hook of weekly-2026-11-22: it said so; the snapshot was not created";
        assert_eq!(alert(&world).as_deref(), Some(said));
        if attempt < 3 {
            let Step::Wait { pause, .. } = step else {
                panic!("{step:?}");
            };
            assert!(pause >= 5 * MINUTE, "{pause:?}");
            world.pass(pause);
        }
    }
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    let failed = (AlertKind::SlotFailed, "weekly".to_owned());
    assert!(world.history.alerts.contains_key(&failed));
}

#[test]
fn a_before_hook_that_cannot_be_started_holds_nothing_and_costs_no_attempt() {
    let mut world = world();
    world.record(&started(HookKind::Before));
    world.record(&finished(HookKind::Before, HookOutcome::NotStarted));
    assert_eq!(world.history.hold, None);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    let note = world.history.slot("weekly", NAME).expect("a note");
    assert_eq!((note.attempts, note.tries), (0, 1));
}

#[test]
fn with_on_failure_continue_a_failed_before_hook_costs_no_attempt_but_raises_an_alert() {
    let mut world = world();
    world.record(&started(HookKind::Before));
    world.record(&ServerEvent::HookFinished {
        hook: HookKind::Before,
        rotation: "weekly".into(),
        snapshot: NAME.into(),
        outcome: HookOutcome::Failed,
        go_on: true,
        early: false,
        later: false,
        reason: "it said so".to_owned(),
    });
    let note = world.history.slot("weekly", NAME).expect("a note");
    assert_eq!((note.attempts, note.tries), (0, 0));
    assert!(!world.history.hold.as_deref().expect("held").tried);
    create(&mut world, DONE);
    assert_eq!(released(&world.recorded()), Some(false));
    world.record(&finished(HookKind::After, HookOutcome::Done));
    world.recorded();
    // A successful `after` doesn't undo the failure of `before`.
    let said = "the before hook of weekly-2026-11-22: it said so; the snapshot is created nevertheless, and may be inconsistent";
    assert_eq!(alert(&world).as_deref(), Some(said));
}

#[test]
fn a_create_that_could_not_be_sent_is_retried_after_a_pause_without_costing_an_attempt() {
    let mut world = world();
    hold(&mut world);
    world.record(&ServerEvent::HookFinished {
        hook: HookKind::After,
        rotation: "weekly".into(),
        snapshot: NAME.into(),
        outcome: HookOutcome::Done,
        go_on: false,
        early: false,
        later: true,
        reason: "it is not made now".to_owned(),
    });
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    let note = world.history.slot("weekly", NAME).expect("a note");
    assert_eq!((note.attempts, note.tries), (0, 1));
}

#[test]
fn a_failed_after_hook_is_retried_with_growing_pauses_until_it_succeeds() {
    let mut world = world();
    hold(&mut world);
    let mut pauses = Vec::new();
    for nth in 0..8 {
        let Step::After { early, reason, .. } = world.step() else {
            panic!("{:?}", world.step());
        };
        let why = [
            "weekly-2026-11-22 will not be created now",
            "the after hook failed last time",
        ];
        assert_eq!((early, &*reason), (false, why[nth.min(1)]));
        fails(&mut world);
        assert_eq!(released(&world.step()), None);
        let Step::Wait { pause, .. } = world.recorded() else {
            panic!("{:?}", world.step());
        };
        pauses.push(pause);
        world.pass(pause);
    }
    assert!(pauses[0] >= 5 * MINUTE && pauses[0] < pauses[1]);
    assert!(pauses.iter().all(|pause| *pause <= 75 * MINUTE));
    assert!(
        alert(&world)
            .expect("an alert")
            .contains("can't be released")
    );
    world.record(&finished(HookKind::After, HookOutcome::Done));
    world.recorded();
    assert_eq!(world.history.hold, None);
}

#[test]
fn an_unreleased_server_runs_no_other_before_hook_but_rotations_without_hooks_continue() {
    let mut world = world();
    let mut daily = rotation("daily", "0 1 * * *", 1);
    daily.pattern =
        crate::core::name_pattern::Pattern::new("d-%Y-%m-%d", "daily").expect("a pattern");
    world.policy.rotations.push(daily);
    hold(&mut world);
    fails(&mut world);
    let Step::Create { rotation, .. } = world.recorded() else {
        panic!("{:?}", world.step());
    };
    assert_eq!(rotation, "daily");
    // With hooks, the same rotation waits.
    world.policy.rotations[1].hooks = Some(Arc::new(hooks()));
    assert!(matches!(world.recorded(), Step::Wait { .. }));
}

#[test]
fn only_a_resume_of_the_server_itself_gives_up_a_failed_release() {
    for (failures, stays) in [(0, true), (1, false)] {
        let mut world = world();
        hold(&mut world);
        for _ in 0..failures {
            fails(&mut world);
        }
        let of_all = world.history.ended_by_resume_of_all(world.now, None);
        assert_eq!(of_all, [""; 0], "{failures}");
        let (rules, now) = (&world.rules, world.now);
        let ended = world.history.ended_by_resume(rules, now, &[]);
        assert_eq!(ended.is_empty(), stays, "{failures}");
        let now = world.now.wall;
        world.history.resume(None, now);
        assert!(world.history.hold.is_some());
        world.resume();
        assert_eq!(world.history.hold.is_some(), stays, "{failures}");
    }
}

#[test]
fn an_after_hook_that_failed_in_an_earlier_process_is_retried_after_at_most_one_pause() {
    let mut world = world();
    hold(&mut world);
    fails(&mut world);
    let hold = world.history.hold.as_mut().expect("held");
    // The clock was a day ahead at that time.
    hold.last = Some(RecordedAt {
        wall: world.now.wall + 24 * 60 * MINUTE,
        mono: None,
    });
    world.now.mono = MINUTE;
    assert_eq!(released(&world.step()), None);
    world.now.mono = 10 * MINUTE;
    assert_eq!(released(&world.step()), Some(false));
}

#[test]
fn a_paused_server_that_cannot_be_released_raises_an_alert() {
    let mut world = world();
    hold(&mut world);
    world.pause();
    fails(&mut world);
    let Step::Idle { until } = world.recorded() else {
        panic!("{:?}", world.step());
    };
    assert!(until.is_some(), "the release will be retried");
    assert!(alert(&world).is_some());
}

#[test]
fn once_waits_for_a_release_until_it_has_failed_three_times() {
    let mut world = world();
    world.rules.count_all = true;
    hold(&mut world);
    world.pause();
    for failures in 1..=3 {
        fails(&mut world);
        let waits = matches!(world.recorded(), Step::Wait { .. });
        assert_eq!(waits, failures < 3, "{failures}");
        world.pass(2 * crate::core::retry_backoff::LONGEST_BACKOFF);
    }
}

#[test]
fn the_hook_alert_is_cleared_by_a_run_without_a_hook_failure() {
    let mut world = world();
    hold(&mut world);
    fails(&mut world);
    world.record(&finished(HookKind::After, HookOutcome::Done));
    world.recorded();
    assert!(alert(&world).is_some(), "the release was late");
    hold(&mut world);
    create(&mut world, DONE);
    world.record(&finished(HookKind::After, HookOutcome::Done));
    world.recorded();
    assert_eq!(alert(&world), None);
}

#[test]
fn i18_an_after_that_must_wait_for_another_runner_has_not_failed_and_is_tried_at_each_poll() {
    let mut world = world();
    hold(&mut world);
    if let Some(hold) = &mut world.history.hold {
        hold.since.mono = None;
    }
    assert!(released(&world.step()).is_some());
    world.record(&started(HookKind::After));
    world.record(&finished(HookKind::After, HookOutcome::NotStarted));
    assert!(released(&world.step()).is_none());
    world.pass(world.rules.poll_interval);
    assert!(released(&world.step()).is_some());
    assert_eq!(alert(&world), None);
}

#[test]
fn i18_if_an_edit_removes_the_hooks_a_held_server_is_released_and_the_reason_says_so() {
    let mut world = world();
    hold(&mut world);
    create(&mut world, Status::InProgress);
    assert!(released(&world.step()).is_none());
    world.policy.rotations[0].hooks = None;
    let step = world.step();
    assert!(
        matches!(&step, Step::After { reason, early: true, .. } if reason.contains("hooks were removed")),
        "{step:?}"
    );
}

#[test]
fn i18_a_held_server_without_a_policy_has_an_alert_once_after_has_failed() {
    let mut world = world();
    hold(&mut world);
    let server = world.policy.server.clone();
    assert_eq!(world.history.orphaned_hold(&server), None);
    world.record(&finished(HookKind::After, HookOutcome::Failed));
    let ((kind, about), text) = world.history.orphaned_hold(&server).expect("an alert");
    let reason = text.reason();
    assert_eq!((kind, about.as_str()), (AlertKind::HookFailed, "weekly"));
    assert!(reason.contains("release the server by hand"), "{reason}");
    world.resume();
    assert_eq!(world.history.orphaned_hold(&server), None);
}
