//! When a server is stopped for its snapshot, and what its start outlives.

use super::{ServerState, owed};
use crate::core::decide::Step;
use crate::core::fact::{AlertKind, Fact, Hook, Outcome, Ran, When};
use crate::core::hold::tests as hooked;
use crate::core::order::{Order, objection};
use crate::core::policy::{Release, StopServer};
use crate::core::snapshot::{SnapshotId, Status};
use crate::core::world::{DONE, MINUTE, World, full_of_own};

const NAME: &str = "weekly-2026-11-22";

fn stop_server() -> StopServer {
    StopServer {
        timeout: 5 * MINUTE,
        restart: Release::Completed,
        longest: 15 * MINUTE,
    }
}

/// A weekly slot is due on a server that runs and is to be stopped for it.
fn world() -> World {
    with(stop_server())
}

fn with(stop: StopServer) -> World {
    let mut world = World::weekly(3);
    world.policy.rotations[0].stop = Some(Box::new(stop));
    assert_eq!(world.recorded(), Step::AskState);
    world.state = Some(ServerState::Active);
    world
}

fn is_stop(step: &Step) -> bool {
    matches!(step, Step::Stop { rotation, name, .. } if rotation == "weekly" && name == NAME)
}

/// Whether it is a start, and an early one.
fn starts(step: &Step) -> Option<bool> {
    match step {
        Step::Start { early, .. } => Some(*early),
        _ => None,
    }
}

fn intend_stop(world: &mut World) {
    world.record(&Fact::StopIntent {
        rotation: "weekly".to_owned(),
        snapshot: NAME.to_owned(),
        reason: String::new(),
    });
}

fn stop_answered(world: &mut World, outcome: Outcome) {
    world.record(&Fact::StopResult {
        snapshot: NAME.to_owned(),
        outcome,
        said: None,
    });
}

/// As the engine does it: the stop, and the server is seen stopped.
fn stop(world: &mut World) {
    assert!(is_stop(&world.recorded()));
    intend_stop(world);
    stop_answered(world, Outcome::Done);
    world.state = Some(ServerState::Stopped);
    assert!(matches!(world.recorded(), Step::Create { .. }));
}

fn start(world: &mut World, outcome: Outcome) {
    let Step::Start { reason, early, .. } = world.recorded() else {
        panic!("a start is due: {:?}", world.recorded());
    };
    world.record(&Fact::StartIntent {
        rotation: "weekly".to_owned(),
        snapshot: NAME.to_owned(),
        early,
        reason,
    });
    world.record(&Fact::StartResult {
        snapshot: NAME.to_owned(),
        outcome,
        said: Some("busy".to_owned()),
    });
}

/// The server runs, and is seen so twice.
fn runs(world: &mut World) -> Step {
    world.state = Some(ServerState::Active);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.pass(world.rules.poll_interval);
    world.recorded()
}

fn create(world: &mut World, status: Status) -> SnapshotId {
    hooked::create(world, status)
}

fn complete(world: &mut World, id: &SnapshotId) {
    hooked::complete(world, id);
}

fn alert(world: &World, kind: AlertKind) -> Option<&str> {
    let standing = world.history.alerts.get(&(kind, "weekly".to_owned()))?;
    Some(standing.reason.as_str())
}

#[test]
fn a_server_is_stopped_before_its_snapshot_and_started_when_that_is_completed() {
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
fn where_the_policy_says_so_it_is_started_as_soon_as_the_provider_has_accepted() {
    let mut world = with(StopServer {
        restart: Release::Accepted,
        ..stop_server()
    });
    stop(&mut world);
    create(&mut world, Status::InProgress);
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn a_server_that_was_stopped_before_stays_so() {
    let mut world = world();
    world.state = Some(ServerState::Stopped);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    assert!(matches!(world.recorded(), Step::Idle { .. }));
}

#[test]
fn a_server_that_is_neither_active_nor_stopped_gets_no_snapshot_and_is_looked_at_again() {
    for state in [
        ServerState::Other("suspended".into()),
        ServerState::Untold("no answer".into()),
    ] {
        let mut world = world();
        world.state = Some(state.clone());
        assert!(matches!(world.recorded(), Step::Wait { .. }), "{state:?}");
        world.pass(16 * MINUTE);
        world.recorded();
        assert!(alert(&world, AlertKind::SlotWaiting).is_some(), "{state:?}");
        world.state = Some(ServerState::Active);
        world.pass(60 * MINUTE);
        assert!(is_stop(&world.recorded()), "{state:?}");
    }
}

#[test]
fn a_provider_that_knows_no_power_call_gets_no_create_and_the_alert_names_that() {
    let mut silent = world();
    silent.state = Some(ServerState::NotOffered);
    assert!(matches!(silent.recorded(), Step::Idle { .. }));
    let said = alert(&silent, AlertKind::SlotFailed).expect("an alert");
    assert!(said.contains("take stop_server out of web.toml"), "{said}");

    let mut world = world();
    assert!(is_stop(&world.recorded()));
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::NoServer);
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    let said = alert(&world, AlertKind::SlotFailed).expect("an alert");
    assert!(said.contains("doesn't offer to stop the server"), "{said}");
    assert_eq!(world.history.downtime, None);
}

#[test]
fn room_is_made_before_the_stop_and_not_at_all_for_a_server_that_can_not_be_stopped() {
    let mut world = full_of_own();
    world.policy.rotations[0].stop = Some(Box::new(stop_server()));
    assert_eq!(world.recorded(), Step::AskState);
    world.state = Some(ServerState::Other("suspended".into()));
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    world.state = Some(ServerState::Active);
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
fn a_stop_that_is_not_seen_in_time_is_undone_and_tried_again_as_often_as_attempts_allows() {
    let mut world = world();
    for _ in 0..3 {
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, Outcome::Done);
        assert!(matches!(world.recorded(), Step::Wait { .. }));
        world.pass(5 * MINUTE);
        start(&mut world, Outcome::Failed);
        // A late stop may still come in the settle window, and take its time.
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
    world.state = Some(ServerState::Stopped);
    world.pass(MINUTE);
    start(&mut world, Outcome::Done);
    runs(&mut world);
    assert_eq!(world.history.downtime, None);
}

#[test]
fn a_stop_that_is_refused_leaves_nothing_to_be_started() {
    for outcome in [Outcome::Failed, Outcome::Later] {
        let mut world = world();
        assert!(is_stop(&world.recorded()));
        intend_stop(&mut world);
        stop_answered(&mut world, outcome);
        assert!(matches!(world.recorded(), Step::Wait { .. }), "{outcome:?}");
        assert_eq!(world.history.downtime, None);
        world.pass(60 * MINUTE);
        assert!(is_stop(&world.recorded()), "{outcome:?}");
    }
}

#[test]
fn a_create_that_is_refused_is_followed_by_the_start() {
    let mut world = world();
    stop(&mut world);
    world.intend_create(NAME);
    world.record(&Fact::CreateResult {
        snapshot: NAME.to_owned(),
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
fn what_keeps_the_create_from_being_sent_starts_the_server_at_once() {
    let mut world = world();
    stop(&mut world);
    world.doubt = Some("count differs from the rows".to_owned());
    assert_eq!(starts(&world.recorded()), Some(false));

    let mut world = self::world();
    stop(&mut world);
    world.record(&Fact::Paused { by: None });
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn a_start_follows_a_downtime_that_lasts_too_long_though_the_snapshot_is_not_over() {
    let mut world = world();
    stop(&mut world);
    create(&mut world, Status::InProgress);
    world.pass(15 * MINUTE);
    assert_eq!(starts(&world.recorded()), Some(true));
    // By the wall clock as well: a process that begins again and again waits no longer.
    let mut world = self::world();
    stop(&mut world);
    create(&mut world, Status::InProgress);
    again(&mut world);
    world.now.wall += 15 * MINUTE;
    assert_eq!(starts(&world.recorded()), Some(true));
}

/// Another process goes on with the same trail, shortly afterwards.
fn again(world: &mut World) {
    let json = serde_json::to_string(&world.history).expect("JSON");
    world.history = serde_json::from_str(&json).expect("a history");
    let forget = |when: &mut When| when.mono = None;
    if let Some(downtime) = &mut world.history.downtime {
        forget(&mut downtime.since);
        downtime.started.as_mut().map(forget);
    }
    world.now.mono = jiff::SignedDuration::from_secs(1);
    world.now.wall += MINUTE;
}

#[test]
fn the_next_process_goes_on_with_the_same_stop() {
    let mut world = world();
    assert!(is_stop(&world.recorded()));
    intend_stop(&mut world);
    again(&mut world);
    world.state = Some(ServerState::Stopped);
    let create = world.recorded();
    assert!(matches!(create, Step::Create { .. }), "{create:?}");
}

#[test]
fn a_start_is_repeated_until_the_server_is_seen_active_and_an_alert_says_since_when() {
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
    assert!(said.contains("the provider says \"busy\""), "{said}");
    // Nothing else is begun meanwhile.
    let order = Order::Create {
        snapshot: "mine".to_owned(),
        spare: None,
        description: None,
    };
    let inventory = hooked::nothing(&world);
    let World {
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
fn a_start_without_an_answer_is_believed_after_the_settle_window_alone() {
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
fn the_start_is_owed_without_a_policy_and_without_a_listing() {
    let mut world = world();
    stop(&mut world);
    let World {
        rules,
        history,
        now,
        ..
    } = &world;
    let step = owed(None, history, rules, Some(&ServerState::Stopped), *now);
    assert!(step.is_some_and(|step| starts(&step) == Some(false)));
    let end = world.history.start_at_end();
    assert!(end.is_some_and(|step| starts(&step) == Some(false)));
}

#[test]
fn hooks_hold_the_server_before_it_is_stopped_and_release_it_after_it_runs() {
    let mut world = hooked::world();
    world.policy.rotations[0].stop = Some(Box::new(stop_server()));
    world.state = Some(ServerState::Active);
    assert!(is_stop(&world.recorded()));
    hooked::hold(&mut world);
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Done);
    world.state = Some(ServerState::Stopped);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    start(&mut world, Outcome::Done);
    let after = runs(&mut world);
    assert!(matches!(after, Step::After { .. }), "{after:?}");
    world.record(&hooked::started(Hook::After));
    world.record(&hooked::finished(Hook::After, Ran::Done));
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
    world.state = Some(ServerState::Active);
    hooked::hold(&mut world);
    intend_stop(&mut world);
    stop_answered(&mut world, Outcome::Done);
    world.state = Some(ServerState::Stopped);
    if let Some(hold) = &mut world.history.hold {
        hold.since.mono = None;
    }
    world.now.mono = MINUTE;
    assert_eq!(starts(&world.recorded()), Some(false));
}

#[test]
fn a_resume_gives_up_a_start_that_failed_again_and_again() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    complete(&mut world, &id);
    start(&mut world, Outcome::Failed);
    world.record(&Fact::Resumed { by: None });
    assert!(world.history.downtime.is_some());
    for _ in 0..4 {
        world.pass(10 * MINUTE);
        start(&mut world, Outcome::Failed);
    }
    let World {
        rules,
        history,
        now,
        ..
    } = &world;
    let ended = history.ended_by_resume(rules, *now, true);
    assert!(ended.iter().any(|line| line.contains("start")), "{ended:?}");
    world.record(&Fact::Resumed { by: None });
    assert_eq!(world.history.downtime, None);
}
