//! Snapshots that two servers' listings show, and the `resume` that gives one up.

use crate::core::decide::Step;
use crate::core::ownership::ContestedSnapshot;
use crate::core::snapshot::Status;
use crate::core::test_provider::TestProvider;

/// Returns a server with two announced deletes, one of them of a contested snapshot.
fn contested() -> TestProvider {
    let mut world = TestProvider::grown(3, 3);
    world.policy.rotations[0].keep = 1;
    world.settle(&Status::Completed);
    world.contested = Some(ContestedSnapshot {
        id: world.snapshots[1].id.clone(),
        server: 2.into(),
    });
    world.doubt = Some("server 2 shows one of its snapshots too".to_owned());
    world.recorded();
    world
}

#[test]
fn i1_a_resume_of_a_server_with_a_contested_snapshot_agrees_to_no_deletion() {
    let mut world = contested();
    let ended = |world: &TestProvider| {
        let ended = world.history.ended_by_resume(&world.rules, world.now, &[]);
        ended.join("\n")
    };
    let said = ended(&world);
    assert!(
        said.contains("is not agreed to while another server"),
        "{said}"
    );
    world.resume();
    (world.contested, world.doubt) = (None, None);
    assert!(!matches!(world.recorded(), Step::Delete { .. }));
    assert_eq!(world.history.contested(), None);
    let said = ended(&world);
    assert!(said.contains("is agreed to: "), "{said}");
    world.resume();
    assert!(matches!(world.recorded(), Step::Delete { .. }));
}

#[test]
fn i1_a_foreign_snapshot_that_was_given_up_belongs_to_the_server_again_once_it_is_listed() {
    let mut world = TestProvider::grown(3, 3);
    world.make("golden", Status::Completed);
    world.settle(&Status::Completed);
    let golden = world.snapshots.last().expect("golden").id.clone();
    let has = |world: &TestProvider| world.history.listed_ids().any(|id| *id == golden);
    assert!(has(&world));
    world.resume_giving_up(std::slice::from_ref(&golden));
    assert!(!has(&world));
    world.recorded();
    assert!(has(&world));
}

#[test]
fn i1_no_grace_period_ends_in_a_deletion_while_a_snapshot_is_contested() {
    let mut world = contested();
    world.pass(world.rules.shrink_grace * 2);
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
}

#[test]
fn i1_a_resume_that_gives_up_a_snapshot_gives_up_no_hold_and_agrees_to_no_deletion() {
    let mut world = contested();
    (world.contested, world.doubt) = (None, None);
    let lost = world.snapshots.remove(1).id;
    world.recorded();
    world.hold_after_a_failed_release();
    let gave_up = [lost.clone()];
    let ended = world
        .history
        .ended_by_resume(&world.rules, world.now, &gave_up)
        .join("\n");
    assert!(ended.contains("is still being retried"), "{ended}");
    assert!(ended.contains(&format!("id {lost}")), "{ended}");
    assert!(!ended.contains("is agreed to"), "{ended}");
    world.resume_giving_up(&gave_up);
    assert!(world.history.hold.is_some());
    assert!(!world.history.listed_ids().any(|known| *known == lost));
    world.history.hold = None;
    world.settle(&Status::Completed);
    assert_eq!(world.log, [""; 0]);
}
