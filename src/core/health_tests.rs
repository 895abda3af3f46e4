//! Health, its alerts, and the times at which they change.

use super::*;
use crate::core::decide::Step;
use crate::core::test_provider::{MINUTE, TestProvider, WEEK};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn health_of(world: &TestProvider, overdue: bool) -> Health {
    let inventory = world.inventory();
    let listed = world.now.wall;
    health(
        &world.policy,
        Some((&inventory, listed)),
        overdue,
        &world.history,
        &world.rules,
        world.now,
    )
}

fn alerts(world: &TestProvider) -> Vec<&'static str> {
    world
        .history
        .alerts
        .keys()
        .map(|(kind, _)| kind.word())
        .collect()
}

#[test]
fn a_new_server_is_new_while_its_first_snapshot_is_made_and_then_ok() {
    let mut world = TestProvider::weekly(2);
    assert!(matches!(world.recorded(), Step::Create { .. }));
    assert_eq!(health_of(&world, false), Health::New);
    let id = world.create("weekly-2026-11-22", Status::InProgress);
    assert!(matches!(world.recorded(), Step::Wait { .. }));
    assert_eq!(health_of(&world, false), Health::New);
    assert_eq!(alerts(&world), [""; 0]);
    let row = world.snapshots.iter_mut().find(|row| row.id == id);
    row.expect("a row").status = Status::Completed;
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Ok);
}

#[test]
fn a_first_snapshot_that_takes_too_long_leaves_the_server_unprotected_with_an_alert() {
    let mut world = TestProvider::weekly(2);
    world.recorded();
    world.create("weekly-2026-11-22", Status::InProgress);
    world.pass(61 * MINUTE);
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Unprotected);
    assert!(alerts(&world).contains(&"no_copy"), "{:?}", alerts(&world));
    world.snapshots[0].status = Status::Completed;
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Ok);
    assert_eq!(alerts(&world), [""; 0]);
}

#[test]
fn a_server_whose_copies_are_all_gone_is_unprotected_even_while_one_is_due() {
    let mut world = TestProvider::grown(2, 2);
    world.snapshots.clear();
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Unprotected);
    assert_eq!(alerts(&world), ["no_copy"]);
    let command = |world: &TestProvider| {
        let alert = world.history.alerts.values().next();
        alert.expect("an alert").text.command.clone()
    };
    // The alert names a command that makes a copy; that of a person counts.
    let create = "snaprotate create web NAME";
    assert_eq!(command(&world).as_deref(), Some(create));
    // A create would be refused on a full server.
    for nth in 0..world.rules.limit {
        world.make(&format!("broken-{nth}"), Status::Failed);
    }
    world.recorded();
    assert_eq!(command(&world).as_deref(), Some("snaprotate list web"));
    world.snapshots.clear();
    world.recorded();
    assert_eq!(command(&world).as_deref(), Some(create));
    world.make("by-hand", Status::Completed);
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Ok);
    assert_eq!(alerts(&world), [""; 0]);
}

#[test]
fn a_copy_becomes_stale_after_one_and_a_half_intervals_and_the_server_is_looked_at_then() {
    let mut world = TestProvider::grown(2, 2);
    // Nothing can be made any more.
    world.policy.rotations[0].attempts = 0;
    let stale = world.snapshots[1].created_at.expect("a date") + WEEK + WEEK / 2;
    world.pass(WEEK);
    let Step::Idle { until: Some(until) } = world.recorded() else {
        panic!("the slot is given up");
    };
    assert_eq!(until, stale);
    assert_eq!(health_of(&world, false), Health::Attention);
    world.pass(WEEK / 2);
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Failing);
    assert!(alerts(&world).contains(&"stale"), "{:?}", alerts(&world));
    world.make("by-hand", Status::Completed);
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Attention);
    assert!(!alerts(&world).contains(&"stale"), "{:?}", alerts(&world));
}

#[test]
fn the_age_that_the_policy_promises_takes_precedence() {
    let mut world = TestProvider::grown(2, 2);
    world.policy.alert_after = Some(2 * HOUR);
    assert_eq!(health_of(&world, false), Health::Ok);
    world.pass(2 * HOUR);
    assert_eq!(health_of(&world, false), Health::Failing);
    world.recorded();
    assert_eq!(alerts(&world), ["stale"]);
}

#[test]
fn in_a_pause_the_server_is_looked_at_when_its_copy_becomes_stale_and_the_alert_is_raised() {
    let mut world = TestProvider::grown(2, 2);
    world.pause();
    let Step::Idle { until: Some(until) } = world.recorded() else {
        panic!("paused");
    };
    world.now.mono += until.duration_since(world.now.wall);
    world.now.wall = until;
    assert_eq!(world.recorded(), Step::Idle { until: None });
    assert_eq!(alerts(&world), ["stale"]);
    let inventory = world.inventory();
    let check = |world: &TestProvider| {
        next_health_check(
            &world.policy,
            &inventory,
            &world.history,
            &world.rules,
            world.now,
        )
    };
    assert_eq!(check(&world), None, "the alert is active already");
    world.resume();
    world.settle(&Status::Completed);
    assert_eq!(alerts(&world), [""; 0]);
}

#[test]
fn a_copy_without_a_reliable_date_is_no_fresh_copy() {
    let mut world = TestProvider::grown(1, 1);
    world.snapshots[0].created_at = Some("0001-01-01T00:00:00Z".parse().expect("a time"));
    world.recorded();
    assert_eq!(health_of(&world, false), Health::Failing);
    assert_eq!(alerts(&world), ["odd_date", "stale"]);
    let copy = newest_copy(
        &world.policy,
        &world.inventory(),
        &world.history,
        &world.rules,
        world.now,
    );
    assert_eq!(copy, NewestCopy::Undated);
}

#[test]
fn a_listing_that_cannot_be_renewed_shows_the_health_for_an_hour() {
    let mut world = TestProvider::grown(2, 2);
    let listed = world.now.wall;
    let seen = |world: &TestProvider, overdue| {
        let inventory = world.inventory();
        let listing = Some((&inventory, listed));
        let (policy, history) = (&world.policy, &world.history);
        health(policy, listing, overdue, history, &world.rules, world.now)
    };
    world.pass(HOUR);
    assert_eq!(seen(&world, true), Health::Ok);
    world.pass(MINUTE);
    assert_eq!(seen(&world, true), Health::Unknown);
    // A server at rest needs no newer listing.
    assert_eq!(seen(&world, false), Health::Ok);
    let (policy, history) = (&world.policy, &world.history);
    let never = health(policy, None, false, history, &world.rules, world.now);
    assert_eq!(never, Health::Unknown);
}

#[test]
fn the_alert_waits_for_a_snapshot_in_the_making_for_an_hour_and_no_longer() {
    let mut world = TestProvider::grown(2, 2);
    world.rules.stuck_after = 5 * HOUR;
    world.policy.alert_after = Some(2 * HOUR);
    world.pass(WEEK);
    let Step::Create { name, .. } = world.recorded() else {
        panic!("a slot is due");
    };
    assert_eq!(alerts(&world), [""; 0]);
    world.create(&name, Status::InProgress);
    for _ in 0..59 {
        world.recorded();
        world.pass(MINUTE);
    }
    assert_eq!(alerts(&world), [""; 0]);
    assert_eq!(health_of(&world, false), Health::Failing);
    world.pass(2 * MINUTE);
    world.recorded();
    assert_eq!(alerts(&world), ["stale"]);
}
