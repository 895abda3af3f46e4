//! Each boundary of the decision by name. A small world stands for the provider: it
//! performs the steps, so that the tests see where the decision leads.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::core::name::Pattern;
use crate::core::schedule::Schedule;
use crate::core::snapshot::ServerId;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn rotation(name: &str, schedule: &str, keep: usize) -> Rotation {
    Rotation {
        name: name.to_owned(),
        schedule: Schedule::new(schedule, TimeZone::UTC).expect("a schedule"),
        keep,
        pattern: Pattern::new("{name}-%Y-%m-%d", name).expect("a pattern"),
        former: Vec::new(),
        catch_up: None,
        splay: SignedDuration::ZERO,
        attempts: 3,
        when_full: WhenFull::PruneFirst,
    }
}

struct World {
    policy: Policy,
    rules: Rules,
    history: History,
    snapshots: Vec<Snapshot>,
    now: Now,
    doubt: Option<String>,
    next_id: u64,
    log: Vec<String>,
}

impl World {
    /// Sunday 2026-11-22 03:00 is the weekly slot; now is an hour later.
    fn new(rotations: Vec<Rotation>) -> Self {
        Self {
            policy: Policy {
                server: ServerId(7),
                name: Some("web".to_owned()),
                protected_names: BTreeSet::new(),
                protected_ids: BTreeSet::new(),
                min_completed: 1,
                delete_stuck: false,
                rotations,
            },
            rules: Rules {
                limit: 5,
                poll_interval: SignedDuration::from_secs(15),
                settle_window: 10 * MINUTE,
                stuck_after: 60 * MINUTE,
                retry_after: 5 * MINUTE,
                restore_window: 30 * MINUTE,
                request_timeout: SignedDuration::from_secs(30),
                count_all: false,
            },
            history: History::default(),
            snapshots: Vec::new(),
            now: Now {
                wall: time("2026-11-22T04:00:00Z"),
                mono: 100 * MINUTE,
            },
            doubt: None,
            next_id: 900,
            log: Vec::new(),
        }
    }

    fn weekly(keep: usize) -> Self {
        Self::new(vec![rotation("weekly", "0 3 * * Sun", keep)])
    }

    fn holding(mut self, rows: &[(u64, &str, Status, &str)]) -> Self {
        self.snapshots = rows
            .iter()
            .map(|(id, name, status, at)| Snapshot {
                id: SnapshotId(*id),
                name: (*name).to_owned(),
                status: status.clone(),
                created_at: at.parse().ok(),
            })
            .collect();
        self
    }

    fn step(&mut self) -> Step {
        self.history
            .observe(&self.policy, &self.snapshots, self.now);
        let inventory = Inventory {
            server_name: (!self.snapshots.is_empty()).then(|| "web".to_owned()),
            snapshots: self.snapshots.clone(),
            requested: self.now.mono,
            doubt: self.doubt.clone(),
        };
        decide(
            &self.policy,
            &inventory,
            &self.history,
            &self.rules,
            self.now,
        )
    }

    fn record(&mut self, fact: &Fact) {
        self.history
            .apply(fact, self.now.into(), self.rules.request_timeout);
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now.wall += time;
        self.now.mono += time;
    }

    fn intend_create(&mut self, name: &str) {
        let known = self
            .snapshots
            .iter()
            .filter(|s| s.name == name)
            .map(|s| s.id)
            .collect();
        self.record(&Fact::CreateIntent {
            name: name.to_owned(),
            known,
        });
        self.log.push(format!("create {name}"));
    }

    fn make(&mut self, name: &str, status: Status) -> SnapshotId {
        self.next_id += 1;
        let id = SnapshotId(self.next_id);
        self.snapshots.push(Snapshot {
            id,
            name: name.to_owned(),
            status,
            created_at: Some(self.now.wall),
        });
        id
    }

    /// Performs steps until nothing more happens; every create ends with `status`.
    fn settle(&mut self, status: &Status) -> Step {
        for _ in 0..200 {
            match self.step() {
                Step::Record(fact) => self.record(&fact),
                Step::Create { name, .. } => {
                    assert!(self.snapshots.len() < 5, "I10: {:?}", self.log);
                    self.intend_create(&name);
                    let id = Some(self.make(&name, status.clone()));
                    self.record(&Fact::CreateResult {
                        name,
                        outcome: Outcome::Done,
                        id,
                        server_name: None,
                    });
                }
                Step::Delete {
                    id,
                    name,
                    prune_first,
                    ..
                } => {
                    let ids = self.snapshots.iter().map(|s| s.id).collect();
                    self.log.push(format!("delete {name}"));
                    self.record(&Fact::DeleteIntent {
                        id,
                        name,
                        prune_first: prune_first.then_some(ids),
                    });
                    self.record(&Fact::DeleteResult {
                        id,
                        outcome: Outcome::Done,
                    });
                    self.snapshots.retain(|s| s.id != id);
                }
                Step::Wait { pause, .. } if pause > self.rules.poll_interval => self.pass(pause),
                end => return end,
            }
        }
        panic!("it never ends: {:?}", self.log);
    }
}

const DONE: Status = Status::Completed;

fn old_weeklies() -> [(u64, &'static str, Status, &'static str); 3] {
    [
        (1, "weekly-2026-11-01", DONE, "2026-11-01T03:00:00Z"),
        (2, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z"),
        (3, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
    ]
}

#[test]
fn a_fresh_server_gets_its_newest_slot_at_once_and_then_rests() {
    let mut world = World::weekly(3);
    let end = world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
    assert_eq!(
        end,
        Step::Idle {
            until: Some(time("2026-11-29T03:00:00Z"))
        }
    );
}

#[test]
fn with_room_the_create_comes_before_the_prune() {
    let mut world = World::weekly(3).holding(&old_weeklies());
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "delete weekly-2026-11-01"]
    );
}

#[test]
fn i8_nothing_is_pruned_before_the_new_one_is_completed() {
    let mut world = World::weekly(3).holding(&old_weeklies());
    let end = world.settle(&Status::InProgress);
    assert!(matches!(end, Step::Wait { .. }), "{end:?}");
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

fn full_of_own() -> World {
    let mut rows = old_weeklies().to_vec();
    rows.push((4, "by-hand", DONE, "2025-01-01T00:00:00Z"));
    rows.push((5, "other", DONE, "2025-01-02T00:00:00Z"));
    World::weekly(3).holding(&rows)
}

#[test]
fn a_full_server_is_pruned_first_and_only_its_oldest_own_one_goes() {
    let mut world = full_of_own();
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["delete weekly-2026-11-01", "create weekly-2026-11-22"]
    );
}

#[test]
fn i7_failing_creates_on_a_full_server_cost_one_snapshot_at_most() {
    let mut world = full_of_own();
    for _ in 0..4 {
        world.settle(&Status::Failed);
        world.pass(SignedDuration::from_hours(24 * 7));
    }
    let lost = |entry: &&String| {
        entry.starts_with("delete") && old_weeklies().iter().any(|row| entry.contains(row.1))
    };
    assert_eq!(world.log.iter().filter(lost).count(), 1, "{:?}", world.log);
}

#[test]
fn i1_a_server_full_of_foreign_snapshots_is_blocked_and_nothing_is_touched() {
    let rows: Vec<_> = (1..=5)
        .map(|id| (id, "mine", DONE, "2026-01-01T00:00:00Z"))
        .collect();
    let mut world = World::weekly(3).holding(&rows);
    let end = world.settle(&DONE);
    assert!(matches!(end, Step::Blocked { .. }), "{end:?}");
    assert!(world.log.is_empty(), "{:?}", world.log);
    world.snapshots.pop();
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22"],
        "it goes on by itself when there is room"
    );
}

#[test]
fn i1_a_protected_snapshot_is_neither_pruned_nor_counted() {
    let mut world = World::weekly(2).holding(&old_weeklies());
    world.policy.protected_ids.insert(SnapshotId(1));
    world
        .policy
        .protected_names
        .insert("weekly-2026-11-08".to_owned());
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn oldest_goes_by_date_and_not_by_name() {
    let mut rows = old_weeklies();
    rows[0].3 = "2026-11-20T00:00:00Z";
    let mut world = World::weekly(3).holding(&rows);
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "delete weekly-2026-11-08"]
    );
}

#[test]
fn i11_a_future_or_unreadable_date_is_neither_deleted_nor_counted() {
    for date in ["2026-12-24T00:00:00Z", "yesterday"] {
        let mut rows = old_weeklies();
        rows[0].3 = date;
        let mut world = World::weekly(2).holding(&rows);
        world.settle(&DONE);
        assert_eq!(
            world.log,
            ["create weekly-2026-11-22", "delete weekly-2026-11-08"],
            "{date}"
        );
    }
}

#[test]
fn i11_a_doubtful_listing_blocks_everything() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.doubt = Some("count says 4, 3 were read".to_owned());
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn a_renamed_server_is_blocked() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.policy.name = Some("mail".to_owned());
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn the_older_of_two_copies_of_a_slot_goes() {
    let mut world = World::weekly(3).holding(&[
        (1, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z"),
        (2, "weekly-2026-11-22", DONE, "2026-11-22T03:05:00Z"),
    ]);
    world.settle(&DONE);
    assert_eq!(world.log, ["delete weekly-2026-11-22"]);
    assert_eq!(world.snapshots[0].id, SnapshotId(2));
}

#[test]
fn i9_a_create_without_an_answer_is_looked_for_and_adopted() {
    let mut world = World::weekly(3);
    while let Step::Record(fact) = world.step() {
        world.record(&fact);
    }
    world.intend_create("weekly-2026-11-22");
    let unknown = create_result("weekly-2026-11-22", Outcome::Unknown, None);
    world.record(&unknown);
    for _ in 0..9 {
        assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
        world.pass(MINUTE);
    }
    world.make("weekly-2026-11-22", Status::InProgress);
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.snapshots[0].status = DONE;
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn i9_only_after_the_settle_window_and_the_pause_is_a_lost_create_sent_again() {
    let mut world = World::weekly(3);
    while let Step::Record(fact) = world.step() {
        world.record(&fact);
    }
    let sent = world.now.mono;
    world.intend_create("weekly-2026-11-22");
    while world.log.len() < 2 {
        world.settle(&DONE);
        world.pass(world.rules.poll_interval);
    }
    let waited = world.now.mono - sent;
    assert!(waited >= 15 * MINUTE, "{waited:?}");
    assert_eq!(world.snapshots.len(), 1);
}

#[test]
fn i4_a_listing_older_than_the_last_answer_justifies_nothing() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.record(&Fact::ServerAdded);
    world.history.last_answer = Some(world.now.mono + MINUTE);
    assert!(matches!(world.step(), Step::Wait { .. }));
}

#[test]
fn a_slot_is_given_up_after_its_attempts_and_the_next_one_runs() {
    let mut world = World::weekly(3);
    world.settle(&Status::Failed);
    let creates = |world: &World| world.log.iter().filter(|e| e.starts_with("create")).count();
    assert_eq!(creates(&world), 3);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    assert_eq!(
        world
            .log
            .iter()
            .rfind(|e| e.starts_with("create"))
            .expect("one"),
        "create weekly-2026-11-29"
    );
    assert!(
        world.snapshots.iter().all(|s| s.status == DONE),
        "failed ones are outlived"
    );
}

#[test]
fn missed_days_coalesce_into_the_newest_slot() {
    let mut world = World::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(24 * 9));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create daily-2026-11-22", "create daily-2026-12-01"]
    );
}

#[test]
fn two_rotations_due_at_once_run_one_after_the_other() {
    let mut world = World::new(vec![
        rotation("weekly", "0 3 * * Sun", 2),
        rotation("daily", "0 3 * * *", 2),
    ]);
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "create daily-2026-11-22"]
    );
}

#[test]
fn past_its_catch_up_a_slot_is_not_begun() {
    let mut world = World::weekly(3);
    for (minutes, creates) in [(59, 0), (60, 1), (61, 1)] {
        world.policy.rotations[0].catch_up = Some(minutes * MINUTE);
        world.settle(&DONE);
        assert_eq!(world.log.len(), creates, "{minutes} minutes");
    }
}

#[test]
fn a_completed_snapshot_settles_its_slot_without_a_trail() {
    let mut world =
        World::weekly(3).holding(&[(1, "weekly-2026-11-22", DONE, "2026-11-22T03:00:00Z")]);
    assert!(matches!(world.settle(&DONE), Step::Idle { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn a_settled_slot_is_never_made_again_when_a_person_deletes_its_snapshot() {
    let mut world = World::weekly(3);
    world.settle(&DONE);
    world.snapshots.clear();
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn a_stuck_snapshot_keeps_its_room_and_the_rotation_goes_on_beside_it() {
    let mut world = World::weekly(3);
    world.settle(&Status::InProgress);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "create weekly-2026-11-29"]
    );
    assert_eq!(world.snapshots.len(), 2);
}

#[test]
fn an_unknown_status_word_is_waited_for_and_never_deleted() {
    let odd = Status::Unknown("archiving".to_owned());
    let mut world =
        World::weekly(1).holding(&[(1, "weekly-2026-11-15", odd, "2026-11-22T03:30:00Z")]);
    assert!(matches!(world.settle(&DONE), Step::Wait { .. }));
    world.pass(SignedDuration::from_hours(2));
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
}

#[test]
fn a_clock_behind_the_last_intent_blocks_until_it_catches_up() {
    let mut world = World::weekly(1);
    world.settle(&DONE);
    world.now.wall -= SignedDuration::from_mins(6);
    assert!(matches!(world.step(), Step::Blocked { .. }));
    world.now.wall += SignedDuration::from_mins(1);
    assert!(!matches!(world.step(), Step::Blocked { .. }));
}

#[test]
fn a_paused_server_is_left_alone() {
    let mut world = World::weekly(1).holding(&old_weeklies());
    world.record(&Fact::Paused);
    assert_eq!(world.settle(&DONE), Step::Idle { until: None });
    assert!(world.log.is_empty());
    world.record(&Fact::Resumed);
    world.settle(&DONE);
    assert_eq!(world.log.len(), 4);
}

#[test]
fn i1_a_failed_snapshot_of_the_due_slot_stays_when_it_is_protected_or_has_no_date() {
    for (protect, date) in [(true, "2026-11-22T03:10:00Z"), (false, "yesterday")] {
        let row = (1, "weekly-2026-11-22", Status::Failed, date);
        let mut world = World::weekly(3).holding(&[row]);
        if protect {
            world.policy.protected_ids.insert(SnapshotId(1));
        }
        world.settle(&DONE);
        assert_eq!(world.log, ["create weekly-2026-11-22"], "{protect} {date}");
    }
}

#[test]
fn a_failed_snapshot_of_the_due_slot_goes_before_the_slot_is_tried_again() {
    let row = (
        1,
        "weekly-2026-11-22",
        Status::Failed,
        "2026-11-22T03:10:00Z",
    );
    let mut world = World::weekly(3).holding(&[row]);
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["delete weekly-2026-11-22", "create weekly-2026-11-22"]
    );
}

#[test]
fn i2_and_i3_a_prune_first_leaves_the_newest_and_min_completed() {
    let foreign = |id| (id, "mine", DONE, "2026-01-01T00:00:00Z");
    let own = (5, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z");
    let older = (4, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z");
    let mut only_one =
        World::weekly(3).holding(&[foreign(1), foreign(2), foreign(3), foreign(4), own.clone()]);
    only_one.policy.min_completed = 0;
    assert!(matches!(only_one.settle(&DONE), Step::Blocked { .. }), "I2");
    let mut two = World::weekly(3).holding(&[foreign(1), foreign(2), foreign(3), older, own]);
    two.policy.min_completed = 2;
    assert!(matches!(two.settle(&DONE), Step::Blocked { .. }), "I3");
    two.policy.min_completed = 1;
    two.settle(&DONE);
    assert_eq!(
        two.log,
        ["delete weekly-2026-11-08", "create weekly-2026-11-22"]
    );
}

#[test]
fn with_skip_a_full_server_is_never_pruned_first() {
    let mut world = full_of_own();
    world.policy.rotations[0].when_full = WhenFull::Skip;
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert!(world.log.is_empty());
}

#[test]
fn a_stuck_snapshot_goes_for_room_only_when_told_to_and_long_seen() {
    for (told, expected) in [(false, "weekly-2026-11-08"), (true, "weekly-2026-11-15")] {
        let mut rows = full_of_own().snapshots;
        rows[0].name = "weekly-2026-11-15".to_owned();
        rows[0].status = Status::InProgress;
        rows[2].name = "weekly-2026-11-01".to_owned();
        let mut world = World::weekly(3);
        world.snapshots = rows;
        world.policy.delete_stuck = told;
        world
            .history
            .observe(&world.policy, &world.snapshots, world.now);
        world.pass(world.rules.stuck_after);
        world.settle(&DONE);
        assert_eq!(world.log[0], format!("delete {expected}"));
    }
}

#[test]
fn i5_an_unanswered_delete_is_repeated_for_the_same_id_and_nothing_else_is_done() {
    let mut world = World::weekly(2).holding(&old_weeklies());
    while !matches!(world.step(), Step::Delete { .. }) {
        match world.step() {
            Step::Record(fact) => world.record(&fact),
            Step::Create { name, .. } => {
                world.intend_create(&name);
                let id = Some(world.make(&name, DONE));
                world.record(&Fact::CreateResult {
                    name,
                    outcome: Outcome::Done,
                    id,
                    server_name: None,
                });
            }
            other => panic!("{other:?}"),
        }
    }
    let (id, name) = (SnapshotId(1), "weekly-2026-11-01".to_owned());
    world.record(&Fact::DeleteIntent {
        id,
        name,
        prune_first: None,
    });
    world.record(&Fact::DeleteResult {
        id,
        outcome: Outcome::Unknown,
    });
    assert!(matches!(world.step(), Step::Wait { .. }));
    world.pass(8 * MINUTE);
    assert!(matches!(
        world.step(),
        Step::Delete {
            id: SnapshotId(1),
            ..
        }
    ));
    world.policy.rotations[0].keep = 4;
    assert!(
        matches!(world.step(), Step::Wait { .. }),
        "the policy in force no longer deletes it"
    );
    world.pass(2 * MINUTE);
    assert!(matches!(
        world.step(),
        Step::Record(Fact::DeleteResult {
            outcome: Outcome::Failed,
            ..
        })
    ));
}

#[test]
fn i7_when_failed_ones_that_may_not_be_deleted_fill_the_room_no_second_own_one_is_given_up() {
    let mut world = full_of_own();
    assert!(matches!(
        world.settle(&Status::InProgress),
        Step::Wait { .. }
    ));
    let made = world.snapshots.last_mut().expect("the new one");
    made.status = Status::Failed;
    made.created_at = None;
    assert!(matches!(world.settle(&DONE), Step::Blocked { .. }));
    assert_eq!(
        world.log,
        ["delete weekly-2026-11-01", "create weekly-2026-11-22"]
    );
}

#[test]
fn i7_a_foreign_snapshot_that_took_the_room_lets_the_next_prune_first_go() {
    let mut world = full_of_own();
    while world.log.is_empty() {
        match world.step() {
            Step::Delete { id, name, .. } => {
                let ids = world.snapshots.iter().map(|s| s.id).collect();
                world.log.push(format!("delete {name}"));
                world.record(&Fact::DeleteIntent {
                    id,
                    name,
                    prune_first: Some(ids),
                });
                world.record(&Fact::DeleteResult {
                    id,
                    outcome: Outcome::Done,
                });
                world.snapshots.retain(|s| s.id != id);
                world.make("taken-by-a-person", DONE);
            }
            Step::Record(fact) => world.record(&fact),
            other => panic!("{other:?}"),
        }
    }
    world.settle(&DONE);
    assert_eq!(
        world.log,
        [
            "delete weekly-2026-11-01",
            "delete weekly-2026-11-08",
            "create weekly-2026-11-22"
        ]
    );
}

#[test]
fn i2_the_newest_own_completed_one_stays_even_where_keep_lets_everything_go() {
    let mut world = World::weekly(0).holding(&old_weeklies());
    world.settle(&DONE);
    let left: Vec<_> = world.snapshots.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(left, ["weekly-2026-11-22"]);
}

#[test]
fn i9_after_a_restart_an_unanswered_create_is_given_the_time_of_its_call_too() {
    let mut world = World::weekly(3);
    let name = "weekly-2026-11-22".to_owned();
    let before = When {
        wall: world.now.wall,
        mono: None,
    };
    let slot = time("2026-11-22T03:00:00Z");
    let due = Fact::SlotDue {
        rotation: "weekly".to_owned(),
        name: name.clone(),
        slot,
    };
    let grace = world.rules.request_timeout;
    world.history.apply(&due, before, grace);
    world.history.apply(
        &Fact::CreateIntent {
            name,
            known: BTreeSet::new(),
        },
        before,
        grace,
    );
    world.pass(world.rules.settle_window + grace - SignedDuration::from_secs(1));
    assert!(matches!(world.step(), Step::Wait { .. }));
    world.pass(SignedDuration::from_secs(1));
    assert!(matches!(
        world.step(),
        Step::Record(Fact::CreateResult {
            outcome: Outcome::Failed,
            ..
        })
    ));
}

#[test]
fn i9_a_wall_clock_that_leaps_ahead_does_not_end_the_settle_window() {
    let mut world = World::weekly(3);
    world.rules.settle_window = 30 * MINUTE;
    world.record(&Fact::ServerAdded);
    world.intend_create("weekly-2026-11-22");
    world.now.wall += SignedDuration::from_hours(5);
    assert!(matches!(world.step(), Step::Wait { .. }));
}

#[test]
fn slots_missed_while_the_host_was_down_are_recorded_once_and_never_run() {
    let mut world = World::new(vec![rotation("daily", "0 3 * * *", 3)]);
    world.settle(&DONE);
    world.pass(SignedDuration::from_hours(24 * 9));
    let mut skipped = Vec::new();
    while let Step::Record(fact) = world.step() {
        if let Fact::SlotEnded {
            name,
            ending: Ending::Skipped,
            ..
        } = &fact
        {
            skipped.push(name.clone());
        }
        world.record(&fact);
    }
    assert_eq!(skipped, ["daily-2026-11-30"]);
    assert!(matches!(world.step(), Step::Create { name, .. } if name == "daily-2026-12-01"));
}

#[test]
fn slots_from_before_the_first_record_and_the_very_next_slot_are_not_missed() {
    let mut world = World::new(vec![rotation("daily", "0 3 * * *", 3)]);
    for _ in 0..3 {
        while let Step::Record(fact) = world.step() {
            assert!(
                !matches!(
                    fact,
                    Fact::SlotEnded {
                        ending: Ending::Skipped,
                        ..
                    }
                ),
                "{fact:?}"
            );
            world.record(&fact);
        }
        world.settle(&DONE);
        world.pass(SignedDuration::from_hours(24));
    }
    assert_eq!(world.log.len(), 3);
}

#[test]
fn a_slot_that_a_leaping_clock_made_due_too_early_still_runs_when_it_comes() {
    let mut world = World::weekly(3);
    world.settle(&DONE);
    let right = world.now;
    world.now.wall += SignedDuration::from_hours(24 * 7);
    while let Step::Record(fact) = world.step() {
        world.record(&fact);
    }
    world.now = right;
    world.settle(&DONE);
    assert_eq!(world.log, ["create weekly-2026-11-22"]);
    world.pass(SignedDuration::from_hours(24 * 7));
    world.settle(&DONE);
    assert_eq!(
        world.log,
        ["create weekly-2026-11-22", "create weekly-2026-11-29"]
    );
}
