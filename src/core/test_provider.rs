//! A small in-memory provider for the tests of the decision. It performs the steps, so that tests
//! see their results.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::decide::{Inventory, Step, decide};
use super::name_pattern::Pattern;
use super::order_terms::OrderTerms;
use super::ownership::ContestedSnapshot;
use super::policy::{FormerPattern, Policy, Rotation, Rules, WhenFull};
use super::recorded_settings::Fnv;
use super::schedule::Schedule;
use super::server_event::{AlertKind, ClockReading, Outcome, ServerEvent};
use super::server_history::{ServerHistory, UnfinishedSnapshot};
use super::server_info::PowerState;
use super::snapshot::{ServerId, Snapshot, SnapshotId, Status};

pub(super) const MINUTE: SignedDuration = SignedDuration::from_mins(1);

pub(super) const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(crate) fn rotation(name: &str, schedule: &str, keep: usize) -> Rotation {
    Rotation {
        name: name.into(),
        schedule: Arc::new(Schedule::new(schedule, TimeZone::UTC).expect("a schedule")),
        description: None,
        keep,
        pattern: Pattern::new("{name}-%Y-%m-%d", name).expect("a pattern"),
        former: Vec::new(),
        catch_up: None,
        splay: SignedDuration::ZERO,
        attempts: 3,
        when_full: WhenFull::PruneFirst,
        hooks: None,
        stop: None,
    }
}

/// Returns a policy that gives the server no name and protects nothing.
pub(crate) fn policy(server: u64, rotations: Vec<Rotation>) -> Policy {
    Policy {
        file: "web".to_owned(),
        server: ServerId::from(server),
        name: None,
        protected_names: BTreeSet::new(),
        protected_ids: BTreeSet::new(),
        min_completed: 1,
        delete_stuck: false,
        alert_after: None,
        rotations,
    }
}

/// Returns a former pattern of the weekly rotation.
pub(super) fn former(text: &str, coarse: bool) -> FormerPattern {
    let pattern = Pattern::new(text, "weekly").expect("a pattern");
    FormerPattern { pattern, coarse }
}

/// Returns the defaults of the configuration.
pub(crate) fn rules() -> Rules {
    Rules {
        limit: 5,
        poll_interval: SignedDuration::from_secs(15),
        settle_window: 10 * MINUTE,
        stuck_after: 60 * MINUTE,
        retry_after: 5 * MINUTE,
        restore_window: 30 * MINUTE,
        shrink_grace: 60 * MINUTE,
        request_timeout: SignedDuration::from_secs(30),
        due_until: None,
        count_all: false,
    }
}

pub(crate) struct TestProvider {
    pub(super) policy: Policy,
    pub(super) rules: Rules,
    pub(super) history: ServerHistory,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(super) now: ClockReading,
    pub(super) doubt: Option<String>,
    pub(super) contested: Option<ContestedSnapshot>,
    pub(super) state: Option<PowerState>,
    pub(super) next_id: u64,
    pub(super) log: Vec<String>,
}

impl TestProvider {
    /// Returns an empty server. Its weekly slot is Sunday 2026-11-22 03:00; the current time is an
    /// hour later.
    pub(super) fn new(rotations: Vec<Rotation>) -> Self {
        Self {
            policy: Policy {
                name: Some("web".to_owned()),
                ..policy(7, rotations)
            },
            // Surplus found at a first look is deleted at once.
            rules: Rules {
                shrink_grace: SignedDuration::ZERO,
                ..rules()
            },
            history: ServerHistory::default(),
            snapshots: Vec::new(),
            now: ClockReading {
                wall: time("2026-11-22T04:00:00Z"),
                mono: 100 * MINUTE,
            },
            doubt: None,
            contested: None,
            state: None,
            next_id: 900,
            log: Vec::new(),
        }
    }

    pub(super) fn weekly(keep: usize) -> Self {
        Self::new(vec![rotation("weekly", "0 3 * * Sun", keep)])
    }

    /// Returns a server at rest whose rotation keeps `keep` and has made `weeks` snapshots itself.
    pub(crate) fn grown(keep: usize, weeks: usize) -> Self {
        let mut world = Self::weekly(keep);
        world.rules.shrink_grace = 60 * MINUTE;
        for _ in 0..weeks {
            world.settle(&DONE);
            world.pass(WEEK);
        }
        world.now.wall -= WEEK;
        world.settle(&DONE);
        world.log.clear();
        world
    }

    /// Returns the reason of the alert about the weekly rotation's shrink.
    pub(super) fn shrink(&self) -> Option<&str> {
        let key = (AlertKind::Shrink, "weekly".to_owned());
        let standing = self.history.alerts.get(&key);
        standing.map(|alert| alert.text.what.as_str())
    }

    /// Replaces the rows. The history already has the completed own ones.
    pub(super) fn holding(mut self, rows: &[(u64, &str, Status, &str)]) -> Self {
        self.snapshots = rows
            .iter()
            .map(|(id, name, status, at)| Snapshot {
                uuid: None,
                id: SnapshotId::from(*id),
                name: (*name).to_owned(),
                status: status.clone(),
                created_at: at.parse().ok(),
            })
            .collect();
        let own = self.snapshots.iter();
        let own = own.filter(|s| s.status == DONE && self.policy.place(&s.name).is_some());
        let known = own.map(|s| (s.id.clone(), Fnv::of(&s.name)));
        self.history.completed = known.collect();
        self
    }

    /// Records that the rotation made this snapshot and never saw it completed.
    pub(super) fn made_in_vain(&mut self, id: u64) {
        let id = SnapshotId::from(id);
        let row = self.snapshots.iter().find(|s| s.id == id).expect("a row");
        self.history.completed.retain(|(known, _)| *known != id);
        self.history.made.push(UnfinishedSnapshot {
            id,
            name: row.name.as_str().into(),
            sent: None,
            failed: None,
        });
    }

    /// Records an operator's agreement to the delete of this weekly snapshot.
    pub(super) fn agree(&mut self, id: u64) {
        let shrink = &mut self.history.notes("weekly").shrink;
        shrink
            .get_or_insert_default()
            .agreed
            .push(SnapshotId::from(id));
    }

    /// Sets the status of the row at `index`, as if it had never been completed.
    pub(super) fn was_always(&mut self, index: usize, status: Status) {
        let row = &mut self.snapshots[index];
        row.status = status;
        let id = row.id.clone();
        self.history.completed.retain(|(known, _)| *known != id);
    }

    /// Writes all records, and forgets when an unexpected snapshot was last found.
    pub(super) fn settle_down(&mut self) {
        self.recorded();
        self.history.found = None;
    }

    pub(super) fn inventory(&self) -> Inventory {
        Inventory {
            hostname: None,
            other_id: None,
            server_name: (!self.snapshots.is_empty()).then(|| "web".to_owned()),
            snapshots: self.snapshots.clone(),
            state: self.state.clone().or_else(|| {
                let stops = self.policy.rotations.iter().any(|r| r.stop.is_some());
                (!stops).then_some(PowerState::NotOffered)
            }),
            requested: self.now.mono,
            doubt: self.doubt.clone(),
            contested: self.contested.clone(),
        }
    }

    pub(super) fn step(&mut self) -> Step {
        let inventory = self.inventory();
        self.history.observe(&self.policy, &inventory, self.now);
        self.history.observe_state(self.state.as_ref(), self.now);
        decide(
            &self.policy,
            &inventory,
            &self.history,
            &self.rules,
            self.now,
        )
    }

    pub(super) fn record(&mut self, event: &ServerEvent) {
        self.history
            .apply(event, self.now.into(), self.rules.request_timeout);
    }

    /// Records a pause of the server that only a `resume` ends.
    pub(super) fn pause(&mut self) {
        self.record(&ServerEvent::Paused(OrderTerms::default()));
    }

    /// Records a `resume` of the server, as the engine does.
    pub(super) fn resume(&mut self) {
        self.resume_giving_up(&[]);
    }

    /// Records a `resume` that gives up these snapshots.
    pub(super) fn resume_giving_up(&mut self, ids: &[SnapshotId]) {
        let ended_restore = self.history.restoring(&self.rules, self.now).is_some();
        self.record(&ServerEvent::Resumed {
            by: None,
            ended: Vec::new(),
            ended_restore,
            gave_up: ids.to_vec(),
        });
    }

    /// Writes all records, and returns the step that is left.
    pub(super) fn recorded(&mut self) -> Step {
        for _ in 0..100 {
            match self.step() {
                Step::Record(event) => self.record(&event),
                step => return step,
            }
        }
        panic!("the decision records without end");
    }

    pub(super) fn pass(&mut self, time: SignedDuration) {
        self.now.wall += time;
        self.now.mono += time;
    }

    pub(super) fn intend_create(&mut self, name: &str) {
        let known = self.snapshots.iter().map(|s| s.id.clone()).collect();
        self.record(&ServerEvent::CreateIntent {
            rotation: self.policy.rotations[0].name.clone(),
            snapshot: name.into(),
            known,
            reason: String::new(),
            by: None,
            spare: None,
            expires: None,
        });
        self.log.push(format!("create {name}"));
    }

    pub(super) fn intend_delete(
        &mut self,
        id: SnapshotId,
        name: &str,
        prune_first: Option<BTreeSet<SnapshotId>>,
    ) {
        self.record(&ServerEvent::DeleteIntent {
            rotation: "weekly".into(),
            id,
            snapshot: name.into(),
            prune_first,
            paid_by: None,
            expired: false,
            reason: String::new(),
            by: None,
        });
    }

    pub(super) fn make(&mut self, name: &str, status: Status) -> SnapshotId {
        self.next_id += 1;
        let id = SnapshotId::from(self.next_id);
        self.snapshots.push(Snapshot {
            uuid: None,
            id: id.clone(),
            name: name.to_owned(),
            status,
            created_at: Some(self.now.wall),
        });
        id
    }

    /// Creates the snapshot as the engine does; the provider answers at once.
    pub(super) fn create(&mut self, name: &str, status: Status) -> SnapshotId {
        self.intend_create(name);
        let id = self.make(name, status);
        self.record(&ServerEvent::CreateResult {
            snapshot: name.into(),
            outcome: Outcome::Done,
            id: Some(id.clone()),
            server_name: None,
            looked_for: false,
            hindrance: None,
            said: None,
        });
        id
    }

    /// Performs steps until nothing more happens. Every create ends with `status`.
    pub(super) fn settle(&mut self, status: &Status) -> Step {
        // Once all snapshots have ended, a wait is for a second listing, so time may pass.
        let ended = |s: &Snapshot| matches!(s.status, Status::Completed | Status::Failed);
        for _ in 0..200 {
            match self.step() {
                Step::Record(event) => self.record(&event),
                Step::Create { name, .. } => {
                    assert!(self.snapshots.len() < 5, "I10: {:?}", self.log);
                    self.create(&name, status.clone());
                }
                Step::Delete {
                    id,
                    name,
                    prune_first,
                    paid_by,
                    expired,
                    ..
                } => {
                    let ids = self.snapshots.iter().map(|s| s.id.clone()).collect();
                    self.log.push(format!("delete {name}"));
                    self.record(&ServerEvent::DeleteIntent {
                        rotation: "".into(),
                        id: id.clone(),
                        snapshot: name,
                        prune_first: prune_first.then_some(ids),
                        paid_by,
                        expired,
                        reason: String::new(),
                        by: None,
                    });
                    let outcome = Outcome::Done;
                    self.snapshots.retain(|s| s.id != id);
                    self.record(&ServerEvent::DeleteResult { id, outcome });
                }
                Step::Wait { pause, .. }
                    if pause > self.rules.poll_interval
                        || (self.history.open.is_none() && self.snapshots.iter().all(ended)) =>
                {
                    self.pass(pause);
                }
                end => return end,
            }
        }
        panic!("the server never comes to rest: {:?}", self.log);
    }
}

pub(super) const DONE: Status = Status::Completed;

pub(super) fn old_weeklies() -> [(u64, &'static str, Status, &'static str); 3] {
    [
        (1, "weekly-2026-11-01", DONE, "2026-11-01T03:00:00Z"),
        (2, "weekly-2026-11-08", DONE, "2026-11-08T03:00:00Z"),
        (3, "weekly-2026-11-15", DONE, "2026-11-15T03:00:00Z"),
    ]
}

pub(super) fn full_of_own() -> TestProvider {
    let mut rows = old_weeklies().to_vec();
    rows.push((4, "by-hand", DONE, "2025-01-01T00:00:00Z"));
    rows.push((5, "other", DONE, "2025-01-02T00:00:00Z"));
    TestProvider::weekly(3).holding(&rows)
}
