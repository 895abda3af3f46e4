//! The `server_ran` alert: a stopped server ran while its snapshot was made.

use super::{NAME, alert, complete, create, intend_stop, runs, start, stop, world};
use crate::core::server_event::{AlertKind, Outcome, ServerEvent};
use crate::core::server_info::PowerState;
use crate::core::snapshot::Status;
use crate::core::test_provider::MINUTE;

#[test]
fn a_server_that_runs_during_its_snapshot_raises_an_alert_until_the_next_snapshot() {
    let mut world = world();
    stop(&mut world);
    let id = create(&mut world, Status::InProgress);
    // A single look may show a stale state.
    for state in [PowerState::Active, PowerState::Stopped, PowerState::Active] {
        world.state = Some(state);
        world.recorded();
        assert_eq!(world.history.ran_during_snapshot("weekly"), None);
    }
    world.pass(world.rules.poll_interval);
    world.recorded();
    world.state = Some(PowerState::Stopped);
    complete(&mut world, &id);
    start(&mut world, Outcome::Done);
    runs(&mut world);
    assert_eq!(world.history.downtime, None);
    let said = alert(&world, AlertKind::ServerRan).expect("an alert");
    assert!(said.contains(NAME), "{said}");
    let (rotation, snapshot) = ("weekly".to_owned(), NAME.to_owned());
    intend_stop(&mut world);
    assert_eq!(world.history.ran_during_snapshot("weekly"), None);
    world.intend_create(NAME);
    world.history.open = None;
    world.record(&ServerEvent::StartConfirmed {
        rotation: rotation.into(),
        snapshot,
    });
    world.recorded();
    assert_eq!(alert(&world, AlertKind::ServerRan), None);
}

#[test]
fn the_next_snapshot_of_a_server_that_a_person_stopped_also_clears_the_server_ran_alert() {
    let mut world = world();
    world
        .history
        .ran_meanwhile("weekly", "weekly-2026-11-15", "");
    assert!(world.history.ran_during_snapshot("weekly").is_some());
    world.record(&ServerEvent::SlotDue {
        rotation: "weekly".into(),
        slot: world.now.wall,
        snapshot: NAME.into(),
    });
    world.intend_create(NAME);
    world.record(&ServerEvent::SlotSettled {
        rotation: "weekly".into(),
        slot: world.now.wall,
        snapshot: NAME.into(),
        reason: String::new(),
    });
    assert!(world.history.ran_during_snapshot("weekly").is_none());
}

#[test]
fn i20_an_early_start_and_a_late_create_each_raise_an_alert() {
    let mut early = world();
    stop(&mut early);
    create(&mut early, Status::InProgress);
    early.pass(15 * MINUTE);
    start(&mut early, Outcome::Done);
    let mut late = world();
    stop(&mut late);
    late.intend_create(NAME);
    late.record(&ServerEvent::CreateResult {
        snapshot: NAME.into(),
        outcome: Outcome::Failed,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    start(&mut late, Outcome::Done);
    runs(&mut late);
    late.make(NAME, Status::Completed);
    for mut world in [early, late] {
        world.recorded();
        let said = alert(&world, AlertKind::ServerRan).expect("an alert");
        assert!(said.contains("of the running server"), "{said}");
        world.policy.rotations[0].stop = None;
        world.recorded();
        assert!(
            alert(&world, AlertKind::ServerRan).is_some(),
            "an edit does not change how the snapshot was made"
        );
    }
}
