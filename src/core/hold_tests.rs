use std::collections::BTreeSet;
use std::sync::Arc;

use crate::core::decide::{Inventory, Step, decide_in_hold};
use crate::core::fact::{AlertKind, Fact, Hook, Outcome, Ran, When};
use crate::core::order::{Order, objection};
use crate::core::policy::{Hooks, Release};
use crate::core::snapshot::{SnapshotId, Status};
use crate::core::world::{DONE, MINUTE, World, rotation};

const NAME: &str = "weekly-2026-11-22";

fn hooks() -> Hooks {
    Hooks {
        before: Some(vec!["/bin/freeze".to_owned()]),
        after: Some(vec!["/bin/thaw".to_owned()]),
        timeout: MINUTE,
        go_on: false,
        release: Release::Completed,
        max_hold: 60 * MINUTE,
    }
}

/// A weekly slot is due on a server whose snapshots have hooks.
fn world() -> World {
    with(hooks())
}

fn with(hooks: Hooks) -> World {
    let mut world = World::weekly(3);
    world.policy.rotations[0].hooks = Some(Arc::new(hooks));
    assert!(matches!(world.recorded(), Step::Create { .. }));
    world
}

fn started(hook: Hook) -> Fact {
    Fact::HookStarted {
        hook,
        rotation: "weekly".to_owned(),
        snapshot: NAME.to_owned(),
        command: Vec::new(),
    }
}

fn finished(hook: Hook, ran: Ran) -> Fact {
    Fact::HookFinished {
        hook,
        rotation: "weekly".to_owned(),
        snapshot: NAME.to_owned(),
        outcome: ran,
        go_on: false,
        early: false,
        later: false,
        reason: "it said so".to_owned(),
    }
}

/// As the engine does it: `before`, then the create.
fn hold(world: &mut World) {
    world.record(&started(Hook::Before));
    world.record(&finished(Hook::Before, Ran::Done));
}

fn create(world: &mut World, status: Status) -> SnapshotId {
    world.intend_create(NAME);
    let id = world.make(NAME, status);
    world.record(&Fact::CreateResult {
        snapshot: NAME.to_owned(),
        outcome: Outcome::Done,
        id: Some(id),
        server_name: None,
    });
    id
}

fn complete(world: &mut World, id: SnapshotId) {
    let mut rows = world.snapshots.iter_mut();
    rows.find(|s| s.id == id).expect("it is there").status = DONE;
}

fn released(step: &Step) -> Option<bool> {
    match step {
        Step::After { early, .. } => Some(*early),
        _ => None,
    }
}

/// A listing without rows.
fn nothing(world: &World) -> Inventory {
    Inventory::empty(world.now.mono)
}

fn fails(world: &mut World) {
    world.record(&started(Hook::After));
    world.record(&finished(Hook::After, Ran::Failed));
}

fn alert(world: &World) -> Option<String> {
    let key = (AlertKind::HookFailed, "weekly".to_owned());
    let standing = world.history.alerts.get(&key)?;
    Some(standing.reason.clone())
}

#[test]
fn after_follows_when_the_snapshot_is_completed_and_not_before() {
    let mut world = world();
    hold(&mut world);
    let id = create(&mut world, Status::InProgress);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    complete(&mut world, id);
    assert_eq!(released(&world.recorded()), Some(false));
    world.record(&started(Hook::After));
    world.record(&finished(Hook::After, Ran::Done));
    assert!(matches!(world.recorded(), Step::Idle { .. }));
    assert_eq!(world.history.hold, None);
    assert_eq!(alert(&world), None);
}

#[test]
fn where_acceptance_is_enough_after_follows_the_answer() {
    let mut world = with(Hooks {
        release: Release::Accepted,
        ..hooks()
    });
    hold(&mut world);
    world.intend_create(NAME);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    let id = world.make(NAME, Status::InProgress);
    world.record(&Fact::CreateResult {
        snapshot: NAME.to_owned(),
        outcome: Outcome::Done,
        id: Some(id),
        server_name: None,
    });
    assert_eq!(released(&world.recorded()), Some(false));
}

#[test]
fn a_create_that_fails_releases_the_server() {
    let mut world = world();
    hold(&mut world);
    world.intend_create(NAME);
    world.record(&Fact::CreateResult {
        snapshot: NAME.to_owned(),
        outcome: Outcome::Failed,
        id: None,
        server_name: None,
    });
    assert_eq!(released(&world.recorded()), Some(false));
}

#[test]
fn at_max_hold_the_server_is_released_early_and_that_is_said() {
    let mut world = world();
    hold(&mut world);
    world.intend_create(NAME);
    world.pass(59 * MINUTE);
    // Whether it was made isn't known for so long, by this step alone.
    assert_eq!(released(&world.step()), None);
    world.pass(MINUTE);
    assert_eq!(released(&world.step()), Some(true));
    world.record(&Fact::HookFinished {
        hook: Hook::After,
        rotation: "weekly".to_owned(),
        snapshot: NAME.to_owned(),
        outcome: Ran::Done,
        go_on: false,
        early: true,
        later: false,
        reason: "max_hold is over".to_owned(),
    });
    world.make(NAME, DONE);
    world.recorded();
    assert_eq!(alert(&world).as_deref(), Some("max_hold is over"));
}

#[test]
fn a_server_that_is_held_for_nothing_is_released_at_once() {
    let mut world = world();
    hold(&mut world);
    assert_eq!(released(&world.step()), Some(false));
    // Within the hold the create itself is still what is wanted.
    let inventory = nothing(&world);
    let within = decide_in_hold(
        &world.policy,
        &inventory,
        &world.history,
        &world.rules,
        world.now,
    );
    assert!(matches!(within, Step::Create { .. }), "{within:?}");
}

#[test]
fn after_needs_neither_a_listing_nor_a_clock_and_no_pause_keeps_it() {
    for trouble in [0, 1, 2, 3] {
        let mut world = world();
        hold(&mut world);
        match trouble {
            0 => world.doubt = Some("it is short".to_owned()),
            1 => world.record(&Fact::Paused { by: None }),
            2 => world.now.wall -= 600 * MINUTE,
            _ => world.history.all_paused = Some(world.now.wall),
        }
        assert_eq!(released(&world.step()), Some(false), "{trouble}");
    }
}

#[test]
fn the_hold_of_a_process_that_is_gone_is_over() {
    let mut world = world();
    hold(&mut world);
    create(&mut world, Status::InProgress);
    assert_eq!(released(&world.recorded()), None);
    let hold = world.history.hold.as_mut().expect("held");
    hold.since.mono = None;
    assert_eq!(released(&world.step()), Some(true));
}

#[test]
fn a_before_that_fails_is_a_failed_attempt_and_after_follows_all_the_same() {
    let mut world = world();
    for attempt in 1..=3 {
        let Step::Create { .. } = world.recorded() else {
            panic!("attempt {attempt}");
        };
        world.record(&started(Hook::Before));
        world.record(&finished(Hook::Before, Ran::Failed));
        assert_eq!(released(&world.step()), Some(false));
        world.record(&started(Hook::After));
        world.record(&finished(Hook::After, Ran::Done));
        let step = world.recorded();
        assert_eq!(alert(&world).as_deref(), Some("it said so"));
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
fn one_that_can_t_be_started_holds_nothing_and_costs_no_attempt() {
    let mut world = world();
    world.record(&started(Hook::Before));
    world.record(&finished(Hook::Before, Ran::NotStarted));
    assert_eq!(world.history.hold, None);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    let note = world.history.slot("weekly", NAME).expect("a note");
    assert_eq!((note.attempts, note.tries), (0, 1));
}

#[test]
fn where_it_goes_on_a_failed_before_is_no_attempt_but_an_alert() {
    let mut world = world();
    world.record(&started(Hook::Before));
    world.record(&Fact::HookFinished {
        hook: Hook::Before,
        rotation: "weekly".to_owned(),
        snapshot: NAME.to_owned(),
        outcome: Ran::Failed,
        go_on: true,
        early: false,
        later: false,
        reason: "it said so".to_owned(),
    });
    let note = world.history.slot("weekly", NAME).expect("a note");
    assert_eq!((note.attempts, note.tries), (0, 0));
    create(&mut world, DONE);
    assert_eq!(released(&world.recorded()), Some(false));
    world.record(&finished(Hook::After, Ran::Done));
    world.recorded();
    // An after that did well doesn't make good what before failed to do.
    assert_eq!(alert(&world).as_deref(), Some("it said so"));
}

#[test]
fn a_create_that_could_not_be_sent_is_tried_after_a_pause_that_doesnt_count() {
    let mut world = world();
    hold(&mut world);
    world.record(&Fact::HookFinished {
        hook: Hook::After,
        rotation: "weekly".to_owned(),
        snapshot: NAME.to_owned(),
        outcome: Ran::Done,
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
fn a_failed_after_is_tried_again_with_growing_pauses_and_never_forgotten() {
    let mut world = world();
    hold(&mut world);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(released(&world.step()), Some(false));
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
    world.record(&finished(Hook::After, Ran::Done));
    world.recorded();
    assert_eq!(world.history.hold, None);
}

#[test]
fn a_server_that_can_t_be_released_gets_no_other_before_but_its_other_rotations_go_on() {
    let mut world = world();
    let mut daily = rotation("daily", "0 1 * * *", 1);
    daily.pattern = crate::core::name::Pattern::new("d-%Y-%m-%d", "daily").expect("a pattern");
    world.policy.rotations.push(daily);
    hold(&mut world);
    fails(&mut world);
    let Step::Create { rotation, .. } = world.recorded() else {
        panic!("{:?}", world.step());
    };
    assert_eq!(rotation, "daily");
    // The same with hooks of its own.
    world.policy.rotations[1].hooks = Some(Arc::new(hooks()));
    assert!(matches!(world.recorded(), Step::Wait { .. }));
}

#[test]
fn a_resume_of_the_server_itself_gives_up_what_failed_and_one_of_all_does_not() {
    for (failures, stays) in [(0, true), (1, false)] {
        let mut world = world();
        hold(&mut world);
        for _ in 0..failures {
            fails(&mut world);
        }
        let ended = |own| {
            let (rules, now) = (&world.rules, world.now);
            world.history.ended_by_resume(rules, now, own)
        };
        assert_eq!(ended(false), [""; 0], "{failures}");
        assert_eq!(ended(true).is_empty(), stays, "{failures}");
        let now = world.now.wall;
        world.history.resume(None, now);
        assert!(world.history.hold.is_some());
        world.record(&Fact::Resumed { by: None });
        assert_eq!(world.history.hold.is_some(), stays, "{failures}");
    }
}

#[test]
fn a_failed_after_of_an_earlier_process_rests_no_longer_than_its_pause_in_this_one() {
    let mut world = world();
    hold(&mut world);
    fails(&mut world);
    let hold = world.history.hold.as_mut().expect("held");
    // The clock was a day ahead then.
    hold.last = Some(When {
        wall: world.now.wall + 24 * 60 * MINUTE,
        mono: None,
    });
    world.now.mono = MINUTE;
    assert_eq!(released(&world.step()), None);
    world.now.mono = 10 * MINUTE;
    assert_eq!(released(&world.step()), Some(false));
}

#[test]
fn where_nothing_is_released_the_answer_is_enough_and_nothing_is_early() {
    let mut world = with(Hooks {
        after: None,
        ..hooks()
    });
    hold(&mut world);
    create(&mut world, Status::InProgress);
    assert_eq!(released(&world.recorded()), Some(false));
}

#[test]
fn a_hold_outlives_its_policy() {
    let mut world = world();
    hold(&mut world);
    world.record(&Fact::ServerRemoved);
    assert!(world.history.hold.is_some());
    assert!(!world.history.gone());
}

#[test]
fn that_a_paused_server_can_t_be_released_is_said() {
    let mut world = world();
    hold(&mut world);
    world.record(&Fact::Paused { by: None });
    fails(&mut world);
    let Step::Idle { until } = world.recorded() else {
        panic!("{:?}", world.step());
    };
    assert!(until.is_some(), "it is tried again in time");
    assert!(alert(&world).is_some());
}

#[test]
fn for_once_a_release_that_may_still_help_is_waited_for() {
    let mut world = world();
    world.rules.count_all = true;
    hold(&mut world);
    world.record(&Fact::Paused { by: None });
    for failures in 1..=3 {
        fails(&mut world);
        let waits = matches!(world.recorded(), Step::Wait { .. });
        assert_eq!(waits, failures < 3, "{failures}");
        world.pass(2 * crate::core::decide::LONGEST_PAUSE);
    }
}

#[test]
fn the_alert_ends_when_the_hooks_went_well_once() {
    let mut world = world();
    hold(&mut world);
    fails(&mut world);
    world.record(&finished(Hook::After, Ran::Done));
    world.recorded();
    assert!(alert(&world).is_some(), "it was late");
    hold(&mut world);
    create(&mut world, DONE);
    world.record(&finished(Hook::After, Ran::Done));
    world.recorded();
    assert_eq!(alert(&world), None);
}

#[test]
fn an_operator_s_create_is_not_the_one_that_is_held_for_and_must_wait() {
    let mut world = world();
    hold(&mut world);
    world.record(&Fact::CreateIntent {
        rotation: String::new(),
        snapshot: NAME.to_owned(),
        known: BTreeSet::new(),
        reason: String::new(),
        by: Some("root".to_owned()),
        spare: None,
    });
    let held = world.history.hold.as_ref().expect("held");
    assert!(!held.created);
    world.history.open = None;
    let inventory = nothing(&world);
    let order = Order::Create {
        snapshot: "by-hand".to_owned(),
        spare: None,
        description: None,
    };
    let why = objection(
        &world.policy,
        &inventory,
        &world.history,
        &world.rules,
        world.now,
        &order,
    );
    assert!(why.expect("an objection").contains("hooks hold it"));
}

#[test]
fn a_hold_outlives_a_checkpoint_and_so_does_a_fault() {
    let mut world = world();
    hold(&mut world);
    fails(&mut world);
    let kept = serde_json::to_string(&world.history).expect("JSON");
    let read: crate::core::history::History = serde_json::from_str(&kept).expect("a history");
    let hold = read.hold.as_ref().expect("held");
    assert_eq!((hold.failures, hold.since.mono), (1, None));
    assert_eq!(read.hook_fault("weekly"), Some("it said so"));
    let early = When {
        wall: world.now.wall,
        mono: None,
    };
    assert_eq!(hold.last, Some(early));
}
