//! When a server is stopped for its snapshot, and how its start survives failures.

use crate::core::decide::Step;
use crate::core::hook_release::tests as hooked;
use crate::core::policy::{ReleaseWhen, StopServer};
use crate::core::server_event::{AlertKind, Outcome, ServerEvent};
use crate::core::server_info::PowerState;
use crate::core::snapshot::{SnapshotId, Status};
use crate::core::test_provider::{MINUTE, TestProvider, full_of_own};

pub(super) const NAME: &str = "weekly-2026-11-22";

pub(super) fn stop_server() -> StopServer {
    StopServer {
        timeout: 5 * MINUTE,
        restart: ReleaseWhen::Completed,
        longest: 15 * MINUTE,
    }
}

/// Returns a running server with a due weekly slot; the rotation stops the server.
pub(super) fn world() -> TestProvider {
    with(stop_server())
}

pub(super) fn with(stop: StopServer) -> TestProvider {
    let mut world = TestProvider::weekly(3);
    world.policy.rotations[0].stop = Some(Box::new(stop));
    assert_eq!(world.recorded(), Step::AskState);
    world.state = Some(PowerState::Active);
    world
}

pub(super) fn is_stop(step: &Step) -> bool {
    matches!(step, Step::Stop { rotation, name, .. } if rotation == "weekly" && name == NAME)
}

/// Returns whether a start is early; `None` for any other step.
pub(super) fn starts(step: &Step) -> Option<bool> {
    match step {
        Step::Start { early, .. } => Some(*early),
        _ => None,
    }
}

pub(super) fn intend_stop(world: &mut TestProvider) {
    world.record(&ServerEvent::StopIntent {
        rotation: "weekly".into(),
        snapshot: NAME.into(),
        reason: String::new(),
        max_stopped: Some(15 * MINUTE),
    });
}

pub(super) fn stop_answered(world: &mut TestProvider, outcome: Outcome) {
    world.record(&ServerEvent::StopResult {
        snapshot: NAME.into(),
        outcome,
        said: None,
    });
}

/// Performs the stop as the engine does; the server is then seen stopped.
pub(super) fn stop(world: &mut TestProvider) {
    assert!(is_stop(&world.recorded()));
    intend_stop(world);
    stop_answered(world, Outcome::Done);
    world.state = Some(PowerState::Stopped);
    assert!(matches!(world.recorded(), Step::Create { .. }));
}

pub(super) fn start(world: &mut TestProvider, outcome: Outcome) {
    let Step::Start { reason, early, .. } = world.recorded() else {
        panic!("a start is due: {:?}", world.recorded());
    };
    world.record(&ServerEvent::StartIntent {
        rotation: "weekly".into(),
        snapshot: NAME.into(),
        early,
        reason,
    });
    world.record(&ServerEvent::StartResult {
        snapshot: NAME.into(),
        outcome,
        said: Some("busy".to_owned()),
    });
}

/// Sets the server active, and lets it be seen active twice.
pub(super) fn runs(world: &mut TestProvider) -> Step {
    world.state = Some(PowerState::Active);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.pass(world.rules.poll_interval);
    world.recorded()
}

pub(super) fn create(world: &mut TestProvider, status: Status) -> SnapshotId {
    hooked::create(world, status)
}

pub(super) fn complete(world: &mut TestProvider, id: &SnapshotId) {
    hooked::complete(world, id);
}

pub(super) fn alert(world: &TestProvider, kind: AlertKind) -> Option<String> {
    let standing = world.history.alerts.get(&(kind, "weekly".to_owned()))?;
    Some(standing.text.reason())
}

#[test]
fn a_server_is_stopped_before_its_snapshot_and_started_when_the_snapshot_is_completed() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    complete(&mut world, &id);
    start(&mut world, Outcome::Done);
    let rests = runs(&mut world);
    assert!(matches!(rests, Step::Idle { .. }), "{rests:?}");
    assert_eq!(world.history.downtime, None);
    assert!(world.history.alerts.is_empty());
}

#[test]
fn with_restart_when_accepted_the_server_is_started_as_soon_as_the_create_is_accepted() {
    let mut world = with(StopServer {
        restart: ReleaseWhen::Accepted,
        ..stop_server()
    });
    stop(&mut world);
    create(&mut world, Status::InProgress);
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn a_server_that_was_already_stopped_is_not_started() {
    let mut world = world();
    world.state = Some(PowerState::Stopped);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    assert!(matches!(world.recorded(), Step::Idle { .. }));
}

#[test]
fn a_server_that_is_neither_active_nor_stopped_gets_no_snapshot_and_is_checked_again() {
    for state in [
        PowerState::Other("suspended".into()),
        PowerState::Untold("no answer".into()),
    ] {
        let mut world = world();
        world.state = Some(state.clone());
        assert!(matches!(world.recorded(), Step::Wait { .. }), "{state:?}");
        world.pass(16 * MINUTE);
        world.recorded();
        assert!(alert(&world, AlertKind::SlotWaiting).is_some(), "{state:?}");
        world.state = Some(PowerState::Active);
        world.pass(60 * MINUTE);
        assert!(is_stop(&world.recorded()), "{state:?}");
    }
}

#[test]
fn a_provider_without_power_calls_gets_no_create_and_an_alert_gives_the_reason() {
    let mut silent = world();
    silent.state = Some(PowerState::NotOffered);
    assert!(matches!(silent.recorded(), Step::Idle { .. }));
    let said = alert(&silent, AlertKind::SlotFailed).expect("an alert");
    assert!(said.contains("remove stop_server from web.toml"), "{said}");

    let mut world = world();
    assert!(is_stop(&world.recorded()));
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::NoServer);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    let said = alert(&world, AlertKind::SlotFailed).expect("an alert");
    assert!(said.contains("doesn't support stopping"), "{said}");
}

#[test]
fn room_is_made_before_the_stop_but_not_while_the_server_cannot_be_stopped() {
    let mut world = full_of_own();
    world.policy.rotations[0].stop = Some(Box::new(stop_server()));
    assert_eq!(world.recorded(), Step::AskState);
    world.state = Some(PowerState::Other("suspended".into()));
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.state = Some(PowerState::Active);
    world.pass(60 * MINUTE);
    let delete = world.recorded();
    assert!(
        matches!(
            delete,
            Step::Delete {
                prune_first: true,
                ..
            }
        ),
        "{delete:?}"
    );
}

#[test]
fn a_stop_that_is_not_confirmed_in_time_is_undone_and_retried_as_often_as_attempts_allows() {
    let mut world = world();
    for _ in 0..3 {
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, Outcome::Done);
        assert!(matches!(world.recorded(), Step::Wait { .. }));
        world.pass(5 * MINUTE);
        start(&mut world, Outcome::Failed);
        // A late stop may begin within the settle window, and may then take up to `max_stopped`.
        assert!(matches!(runs(&mut world), Step::Wait { .. }));
        world.pass(world.rules.settle_window);
        world.recorded();
        assert!(world.history.downtime.is_some());
        world.pass(15 * MINUTE);
        world.recorded();
        world.pass(70 * MINUTE);
    }
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    assert!(alert(&world, AlertKind::SlotFailed).is_some());
}

#[test]
fn a_stop_that_takes_effect_after_it_was_undone_is_undone_again() {
    let mut world = world();
    assert!(is_stop(&world.recorded()));
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Unknown);
    world.pass(5 * MINUTE);
    start(&mut world, Outcome::Done);
    runs(&mut world);
    world.state = Some(PowerState::Stopped);
    world.pass(MINUTE);
    start(&mut world, Outcome::Done);
    runs(&mut world);
    // Either start may still take effect. Until that is ruled out, the server is not stopped again.
    assert!(world.history.downtime.is_some());
    world.pass(world.rules.settle_window);
    world.recorded();
    assert_eq!(world.history.downtime, None);
}

#[test]
fn a_server_that_is_active_again_before_its_create_gets_no_snapshot() {
    let mut world = world();
    stop(&mut world);
    world.state = Some(PowerState::Active);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.pass(world.rules.poll_interval);
    let step = world.recorded();
    assert!(
        matches!(&step, Step::Start { reason, .. } if reason.contains("active again")),
        "{step:?}"
    );
}

#[test]
fn a_refused_stop_is_retried_and_requires_no_start() {
    for outcome in [Outcome::Failed, Outcome::Later] {
        let mut world = world();
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, outcome);
        assert!(matches!(world.recorded(), Step::Wait { .. }), "{outcome:?}");
        world.pass(20 * MINUTE);
        assert!(is_stop(&world.recorded()), "{outcome:?}");
        // The server was seen active for as long as the stop could take effect.
        world.pass(60 * MINUTE);
        assert!(is_stop(&world.recorded()), "{outcome:?}");
        assert_eq!(world.history.downtime, None, "{outcome:?}");
    }
}

#[test]
fn i20_a_server_whose_state_cannot_be_read_after_a_refused_stop_is_started_with_an_alert() {
    for count_all in [false, true] {
        let mut world = world();
        world.rules.count_all = count_all;
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, Outcome::Failed);
        world.state = Some(PowerState::Untold("503".into()));
        // `once` doesn't end here either.
        assert!(matches!(world.recorded(), Step::Wait { .. }));
        world.pass(15 * MINUTE);
        start(&mut world, Outcome::Done);
        let said = alert(&world, AlertKind::ServerStopped).expect("an alert");
        assert!(said.contains(NAME), "{said}");
        let slot = world.history.slot("weekly", NAME).expect("a slot");
        assert_eq!(slot.attempts, 1, "the refused stop counts as an attempt");
    }
}

#[test]
fn i20_a_refused_stop_that_takes_effect_anyway_is_undone() {
    for outcome in [Outcome::Failed, Outcome::Later, Outcome::NoServer] {
        let mut world = world();
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, outcome);
        assert!(matches!(world.recorded(), Step::Wait { .. }), "{outcome:?}");
        world.state = Some(PowerState::Stopped);
        world.pass(MINUTE);
        if matches!(world.recorded(), Step::Create { .. }) {
            let id = create(&mut world, Status::InProgress);
            complete(&mut world, &id);
        }
        start(&mut world, Outcome::Done);
        runs(&mut world);
        assert_eq!(world.history.downtime, None, "{outcome:?}");
    }
}

#[path = "server_ran_tests.rs"]
mod server_ran;
