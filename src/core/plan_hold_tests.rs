//! Tests of plans for servers that hooks hold or that are stopped, and of the JSON form of a plan.

use std::sync::Arc;

use super::tests::planned;
use super::*;
use crate::core::plan::Plans;
use crate::core::policy::{Hooks, ReleaseWhen, StopServer};
use crate::core::server_event::{HookKind, ServerEvent};
use crate::core::server_info::PowerState;
use crate::core::test_provider::*;

#[test]
fn a_server_that_is_held_is_released_before_anything_else() {
    let mut world = TestProvider::weekly(3);
    world.policy.rotations[0].hooks = Some(Arc::new(Hooks {
        before: None,
        after: Some(vec!["/bin/thaw".to_owned()]),
        timeout: MINUTE,
        go_on: false,
        release: ReleaseWhen::Completed,
        max_hold: 60 * MINUTE,
    }));
    world.recorded();
    world.record(&ServerEvent::HookStarted {
        hook: HookKind::Before,
        rotation: "weekly".into(),
        snapshot: "weekly-2026-11-22".into(),
        command: Vec::new(),
    });
    let plan = planned(&world);
    let steps = plan.steps.iter().map(|step| (step.do_, &*step.reason));
    let steps: Vec<_> = steps.take(2).collect();
    let released = "the after hook of weekly runs and releases the server";
    let due = "a slot of weekly is due, and there is room";
    assert_eq!(
        steps,
        [
            (PlannedAction::Wait, released),
            (PlannedAction::Create, due)
        ]
    );
}

#[test]
fn the_plan_of_a_rotation_with_hooks_and_stop_server_stops_creates_and_starts() {
    let mut world = crate::core::hook_release::tests::world();
    world.policy.rotations[0].stop = Some(Box::new(StopServer {
        timeout: 5 * MINUTE,
        restart: ReleaseWhen::Completed,
        longest: 15 * MINUTE,
    }));
    world.state = Some(PowerState::Active);
    let steps = planned(&world).steps.into_iter();
    let steps: Vec<_> = steps
        .filter(PlannedStep::changes)
        .map(|step| step.do_)
        .collect();
    let (stop, start) = (PlannedAction::Stop, PlannedAction::Start);
    assert_eq!(steps, [stop, PlannedAction::Create, start]);
}

#[test]
fn the_plan_as_json_has_the_fields_of_its_contract() {
    let world = TestProvider::weekly(1).holding(&old_weeklies()[2..]);
    let plans = Plans {
        servers: vec![planned(&world)],
    };
    assert_eq!(
        serde_json::to_value(plans).expect("JSON"),
        serde_json::json!({"servers": [{
            "id": 7,
            "name": "web",
            "steps": [
                {"do": "create", "name": "weekly-2026-11-22", "id": null,
                    "reason": "a slot of weekly is due, and there is room"},
                {"do": "wait", "name": null, "id": null,
                    "reason": "weekly-2026-11-22 is in progress"},
                {"do": "delete", "name": "weekly-2026-11-15", "id": 3,
                    "reason": "beyond keep = 1 of weekly"},
            ],
            "snapshots": [{"id": 3, "name": "weekly-2026-11-15", "verdict": "delete",
                "reason": "beyond keep = 1 of weekly", "protected": false, "expires": null}],
            "until": "2026-11-29T03:00:00Z",
            "next": [
                {"do": "create", "name": "weekly-2026-11-29", "id": null,
                    "reason": "a slot of weekly is due, and there is room"},
                {"do": "delete", "name": "weekly-2026-11-22", "id": null,
                    "reason": "beyond keep = 1 of weekly"},
            ],
        }]})
    );
}
