//! Compares the plan with the run: a dry run's steps are those that a run performs.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::*;
use crate::core::decide::Step;
use crate::core::plan::Plans;
use crate::core::retention_verdict::RetentionVerdict;
use crate::core::server_event::{Outcome, ServerEvent};
use crate::core::snapshot::Status;
use crate::core::test_provider::*;

fn inventory(world: &TestProvider) -> Inventory {
    Inventory {
        hostname: None,
        other_id: None,
        server_name: (!world.snapshots.is_empty()).then(|| "web".to_owned()),
        snapshots: world.snapshots.clone(),
        state: None,
        requested: world.now.mono,
        doubt: world.doubt.clone(),
        contested: world.contested.clone(),
    }
}

pub(super) fn planned(world: &TestProvider) -> Plan {
    let inventory = inventory(world);
    let (policy, rules) = (&world.policy, &world.rules);
    plan(policy, &inventory, &world.history, rules, world.now)
}

/// Returns the mutations in the format of the test provider's log.
fn mutations(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter();
    steps
        .filter_map(|step| {
            let name = step.name.as_ref()?;
            Some(format!("{} {name}", step.do_.word()))
        })
        .collect()
}

fn words(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.do_.word()).collect()
}

fn fate(plan: &Plan, id: u64) -> RetentionVerdict {
    let mut verdicts = plan.snapshots.iter();
    let found = verdicts.find(|v| v.id == SnapshotId::from(id));
    found.expect("a verdict").fate
}

/// Calls `visit` with a server for every combination of up to three of the `kinds` below. The limit
/// is three.
fn every_small_server(mut visit: impl FnMut(TestProvider)) {
    let unknown = Status::Unknown("archiving".to_owned());
    let kinds = [
        ("by-hand", DONE, "2026-01-01T00:00:00Z"),
        ("weekly-2026-11-01", DONE, "2026-11-01T03:00:00Z"),
        ("weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z"),
        ("weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
        ("weekly-2026-11-15", DONE, "tomorrow"),
        ("weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z"),
        ("weekly-2026-11-08", Status::Failed, "2026-11-08T03:00:00Z"),
        ("weekly-2026-11-22", Status::Failed, "2026-11-22T03:00:00Z"),
        (
            "weekly-2026-11-22",
            Status::InProgress,
            "2026-11-22T03:30:00Z",
        ),
        (
            "weekly-2026-11-15",
            Status::InProgress,
            "2026-11-15T03:00:00Z",
        ),
        ("weekly-2026-11-15", unknown, "2026-11-15T03:00:00Z"),
    ];
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..4 {
        for set in &sets {
            let mut world = TestProvider::weekly(2);
            world.rules.limit = 3;
            let rows = set.iter().zip(1..);
            let rows: Vec<_> = rows
                .map(|(kind, id)| {
                    let (name, status, at) = &kinds[*kind];
                    (id, *name, status.clone(), *at)
                })
                .collect();
            visit(world.holding(&rows));
        }
        sets = sets
            .iter()
            .flat_map(|set| {
                let first = set.last().copied().unwrap_or(0);
                (first..kinds.len()).map(|kind| [set.as_slice(), &[kind]].concat())
            })
            .collect();
    }
}

#[test]
fn i14_the_first_step_of_the_plan_is_what_decide_returns() {
    let mut seen = 0;
    every_small_server(|mut world| {
        let plan = planned(&world);
        let first = plan.steps.first();
        match world.recorded() {
            Step::Create { name, reason, .. } => {
                let first = first.expect("a step");
                assert_eq!((first.do_, first.id.clone()), (PlannedAction::Create, None));
                assert_eq!((&first.name, &first.reason), (&Some(name), &reason));
            }
            Step::Delete {
                id, name, reason, ..
            } => {
                let first = first.expect("a step");
                assert_eq!(
                    (first.do_, first.id.clone()),
                    (PlannedAction::Delete, Some(id.clone()))
                );
                assert_eq!((&first.name, &first.reason), (&Some(name), &reason));
                assert_eq!(fate(&plan, id.number().unwrap()), RetentionVerdict::Delete);
            }
            Step::Wait { .. } => assert_eq!(first.expect("a step").do_, PlannedAction::Wait),
            Step::Blocked { .. } => assert_eq!(first.expect("a step").do_, PlannedAction::Blocked),
            Step::Idle { until } => {
                assert_eq!((first, plan.until), (None, until));
            }
            Step::Record(_) => unreachable!("everything is recorded"),
            Step::After { .. } => unreachable!("nothing is held"),
            Step::AskState | Step::Stop { .. } | Step::Start { .. } => {
                unreachable!("nothing is to be stopped")
            }
        }
        seen += 1;
    });
    assert!(seen > 300, "{seen}");
}

#[test]
fn i14_the_mutations_of_the_plan_are_those_of_a_run_in_which_every_call_succeeds() {
    every_small_server(|mut world| {
        let plan = planned(&world);
        // The run. A snapshot in progress is completed at the next look.
        for _ in 0..300 {
            match world.settle(&DONE) {
                Step::Wait { pause, .. } => world.pass(pause),
                _ => break,
            }
            for row in &mut world.snapshots {
                if row.status == Status::InProgress {
                    row.status = DONE;
                }
            }
        }
        assert_eq!(mutations(&plan), world.log, "{plan:?}");
        let fated = plan
            .snapshots
            .iter()
            .filter(|v| v.fate == RetentionVerdict::Delete);
        let deletes = world.log.iter().filter(|line| line.starts_with("delete"));
        assert_eq!(fated.count(), deletes.count(), "{plan:?}");
    });
}

#[test]
fn i3_with_room_the_plan_creates_waits_and_only_then_deletes() {
    let world = TestProvider::weekly(3).holding(&old_weeklies());
    let plan = planned(&world);
    assert_eq!(words(&plan), ["create", "wait", "delete"]);
    assert_eq!(fate(&plan, 1), RetentionVerdict::Delete);
    assert_eq!(plan.snapshots[0].reason, "beyond keep = 3 of weekly");
    assert_eq!(fate(&plan, 3), RetentionVerdict::Newest);
    assert_eq!(plan.until, Some(time("2026-11-29T03:00:00Z")));
}

#[test]
fn the_plan_for_a_full_server_prunes_first() {
    let plan = planned(&full_of_own());
    assert_eq!(words(&plan), ["delete", "create", "wait"]);
    assert_eq!(plan.snapshots[0].reason, plan.steps[0].reason);
}

#[test]
fn planning_changes_nothing_and_gives_the_same_plan_again() {
    let world = TestProvider::weekly(1).holding(&old_weeklies());
    let (before, history) = (inventory(&world), world.history.clone());
    assert_eq!(planned(&world), planned(&world));
    assert_eq!((inventory(&world), world.history), (before, history));
}

#[test]
fn i11_the_plan_for_a_doubtful_listing_changes_nothing_and_gives_the_reason() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.doubt = Some("count says 4, 3 were read".to_owned());
    let plan = planned(&world);
    assert_eq!(words(&plan), ["blocked"]);
    assert!(plan.steps[0].reason.contains("count says 4"));
    assert_eq!(fate(&plan, 1), RetentionVerdict::Surplus, "but not deleted");
}

#[test]
fn the_plan_of_a_paused_or_recently_restored_server_is_a_wait() {
    let mut world = TestProvider::weekly(1).holding(&old_weeklies());
    world.record(&ServerEvent::RestoreIntent {
        snapshot: "weekly-2026-11-15".into(),
        id: SnapshotId::from(3),
        by: None,
    });
    world.record(&ServerEvent::RestoreResult {
        id: SnapshotId::from(3),
        outcome: Outcome::Done,
    });
    let plan = planned(&world);
    assert_eq!(words(&plan), ["wait"]);
    assert_eq!(plan.until, Some(time("2026-11-22T04:30:00Z")));
    world.pause();
    let plan = planned(&world);
    assert_eq!((words(&plan), plan.until), (vec!["wait"], None));
    assert!(plan.steps[0].reason.starts_with("paused since 2026-11-22"));
}

#[test]
fn two_rotations_due_at_once_are_planned_one_after_the_other() {
    let weekly = rotation("weekly", "0 3 * * Sun", 2);
    let daily = rotation("daily", "0 2 * * *", 2);
    let plan = planned(&TestProvider::new(vec![weekly, daily]));
    assert_eq!(words(&plan), ["create", "wait", "create", "wait"]);
    assert_eq!(plan.steps[2].name.as_deref(), Some("daily-2026-11-22"));
}

#[test]
fn a_slot_that_waits_for_its_next_attempt_is_planned_after_its_pause() {
    let mut world = TestProvider::weekly(3);
    let Step::Create { name, .. } = world.recorded() else {
        panic!("a create is due");
    };
    world.intend_create(&name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name,
        outcome: Outcome::Failed,
        id: None,
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    let plan = planned(&world);
    assert_eq!(words(&plan), ["wait", "create", "wait"]);
    let pause = &plan.steps[0].reason;
    assert!(
        pause.starts_with("the next attempt isn't due yet (for 5m"),
        "{pause}"
    );
}

#[test]
fn i9_an_answered_create_that_no_listing_shows_yet_is_not_planned_again() {
    let mut world = TestProvider::weekly(3);
    let Step::Create { name, .. } = world.recorded() else {
        panic!("a create is due");
    };
    world.intend_create(&name);
    world.record(&ServerEvent::CreateResult {
        snapshot: name,
        outcome: Outcome::Done,
        id: Some(SnapshotId::from(901)),
        server_name: None,
        looked_for: false,
        hindrance: None,
        said: None,
    });
    let plan = planned(&world);
    assert_eq!(words(&plan), ["wait", "wait"], "{plan:?}");
}

#[test]
fn a_long_wait_is_planned_as_one_step_and_ends_on_time() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world = TestProvider::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.snapshots = TestProvider::weekly(3)
        .holding(&[(1, "daily-2026-11-21", odd, "2026-11-21T03:00:00Z")])
        .snapshots;
    let plan = planned(&world);
    assert_eq!(words(&plan), ["wait", "create", "wait"], "{plan:?}");
    let again = world.now.wall + world.rules.stuck_after * 2;
    let until = plan.until.expect("a next look");
    let late = until.duration_since(again);
    assert!(
        (SignedDuration::ZERO..=3 * MINUTE).contains(&late),
        "{late:?}"
    );
}

#[test]
fn a_plan_that_never_comes_to_rest_is_cut_off_and_says_so() {
    let mut world = TestProvider::weekly(3);
    world.rules.stuck_after = SignedDuration::from_secs(100_000_000);
    world.rules.poll_interval = SignedDuration::from_nanos(1);
    world.rules.settle_window = world.rules.stuck_after * 1000;
    world.recorded();
    world.intend_create("weekly-2026-11-22");
    world.policy.rotations.clear();
    world.record(&ServerEvent::RotationRemoved {
        rotation: "weekly".into(),
    });
    let plan = planned(&world);
    assert_eq!(words(&plan), ["wait", "blocked"]);
    assert!(plan.steps[1].reason.contains("cut off"));
}

#[test]
fn the_plan_prints_readable_lines_and_foreign_names_cannot_control_the_terminal() {
    let mut rows = old_weeklies().to_vec();
    rows.push((9, "mine\u{1b}[2J\u{202e}\n", DONE, "2026-01-01T00:00:00Z"));
    let plan = planned(&TestProvider::weekly(3).holding(&rows));
    let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
    assert_eq!(
        plan.text(&berlin),
        "\
web (id 7)
  + create weekly-2026-11-22: a slot of weekly is due, and there is room
  · wait: weekly-2026-11-22 is in progress
  - delete weekly-2026-11-01 (id 1): beyond keep = 3 of weekly
  then nothing to do until 2026-11-29 04:00 CET
  next:
    2026-11-29 04:00 CET: create weekly-2026-11-29, then delete weekly-2026-11-08 (id 2)
  snapshots now:
    delete         weekly-2026-11-01 (id 1): beyond keep = 3 of weekly
    keep           weekly-2026-11-08 (id 2): within keep = 3 of weekly
    newest         weekly-2026-11-15 (id 3): the newest own completed snapshot of the server stays until a newer one is completed
    foreign        \"mine\\u{1b}[2J\\u{202e}\\n\" (id 9): its name matches no rotation of the policy: it is never touched
"
    );
    let rested = planned(&TestProvider::weekly(1).holding(&[(
        1,
        "weekly-2026-11-22",
        DONE,
        "2026-11-22T03:00:00Z",
    )]));
    let text = rested.text(&TimeZone::UTC);
    let plans = Plans {
        servers: vec![plan.clone(), rested],
    };
    let first = plan.text(&TimeZone::UTC);
    let sum = "\nPlan: 1 create, 1 delete on 1 server; 1 server has nothing to do\n";
    assert_eq!(plans.text(&TimeZone::UTC), format!("{first}{text}{sum}"));
    assert!(
        text.contains("\n  nothing to do until 2026-11-29 03:00 UTC\n"),
        "{text}"
    );
}

#[test]
fn a_plan_without_steps_lists_the_next_create_and_delete() {
    let rows = [
        (1, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z"),
        (2, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
        (3, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z"),
    ];
    let plan = planned(&TestProvider::weekly(3).holding(&rows));
    assert!(plan.steps.is_empty(), "{plan:?}");
    assert_eq!(plan.until, Some(time("2026-11-29T03:00:00Z")));
    let next: Vec<_> = plan
        .next
        .iter()
        .map(|step| (step.do_, step.id.clone()))
        .collect();
    let oldest = Some(SnapshotId::from(1));
    assert_eq!(
        next,
        [
            (PlannedAction::Create, None),
            (PlannedAction::Delete, oldest)
        ]
    );
    assert_eq!(fate(&plan, 1), RetentionVerdict::Keep, "not deleted now");
}
