//! The short stories in which every crash point is tried, and the end that each must have.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::crash::{CallCrash, CrashPhase, CrashPoint, LostEffect, PlannedCrash, ProcessProgress};
use super::director_state::Director;
use super::provider::World;
use super::rng::Rng;
use super::true_state::TrueSnapshot;
use super::world_setup::{JudgedPolicy, JudgedRotation, SeededPolicy, WorldSetup};
use super::{final_checks, ids};
use crate::audit::memory_disk::{Crash, MemoryDisk};
use crate::core::deliberate_breaks::{self, Break};
use crate::core::name_pattern::Pattern;
use crate::core::policy::{Policy, ReleaseWhen, Rotation, StopServer, WhenFull};
use crate::core::schedule::Schedule;
use crate::core::snapshot::Status;

const SERVER: u64 = 1;

/// The lag of listings in the scenarios that have one.
const LAG: SignedDuration = SignedDuration::from_mins(4);

/// The time from the slot to the end: longer than four attempts take with settle windows and
/// pauses.
const REST: SignedDuration = SignedDuration::from_hours(3);

/// The prefix of the snapshots' names; the slot's day follows it.
const PREFIX: &str = "daily-snapshot-";

/// A short story about one daily slot of one server.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The subject of the story.
    pub name: &'static str,
    slot: &'static str,
    foreign: u64,
    /// Number of own completed snapshots; the newest is from the day before.
    own: u64,
    keep: usize,
    /// The effect of the create in which an earlier process died; `None`: there was no such
    /// process.
    before: Option<LostEffect>,
    /// The pause after a first failed attempt.
    retry_after: SignedDuration,
    /// The lag of every listing.
    lag: SignedDuration,
    /// True if the server is stopped for the snapshot.
    stop: bool,
}

const ROOM: Scenario = Scenario {
    name: "create and prune",
    slot: "2026-11-25T03:00:00Z",
    foreign: 1,
    own: 2,
    keep: 2,
    before: None,
    // Short, so that no pause hides a settle window that ends too early.
    retry_after: SignedDuration::from_secs(1),
    lag: SignedDuration::ZERO,
    stop: false,
};

const FULL: Scenario = Scenario {
    name: "prune first on a full server",
    foreign: 2,
    own: 3,
    keep: 3,
    ..ROOM
};

/// All scenarios.
pub const SCENARIOS: [Scenario; 10] = [
    ROOM,
    Scenario {
        name: "create and prune as a month begins",
        slot: "2026-12-01T00:00:00Z",
        ..ROOM
    },
    FULL,
    Scenario {
        name: "create and prune, listings lag behind",
        retry_after: SignedDuration::from_mins(5),
        lag: LAG,
        ..ROOM
    },
    Scenario {
        name: "prune first, listings lag behind",
        retry_after: SignedDuration::from_mins(5),
        lag: LAG,
        ..FULL
    },
    Scenario {
        name: "recovery: the create was done",
        before: Some(LostEffect::Done),
        ..ROOM
    },
    Scenario {
        name: "recovery: the create is done at the last moment",
        before: Some(LostEffect::Late),
        ..ROOM
    },
    Scenario {
        name: "recovery: the create is never done",
        before: Some(LostEffect::Never),
        ..ROOM
    },
    Scenario {
        name: "stop the server, create and prune",
        stop: true,
        ..ROOM
    },
    Scenario {
        name: "stop a full server",
        stop: true,
        ..FULL
    },
];

impl Scenario {
    fn slot(&self) -> Timestamp {
        self.slot.parse().expect("an instant")
    }

    /// Returns the snapshot name of the slot that lies this many days before the story's slot.
    fn slot_name(&self, days_before: u64) -> String {
        let hours = 24 * i64::try_from(days_before).expect("few days");
        let at = self.slot() - SignedDuration::from_hours(hours);
        format!("{PREFIX}{}", at.strftime("%Y-%m-%d"))
    }

    /// Returns the snapshots that the server holds beforehand.
    fn rows(&self) -> Vec<TrueSnapshot> {
        let foreign = (0..self.foreign).map(|nth| (format!("by-hand-{nth}"), 30 + nth));
        let own = (1..=self.own)
            .rev()
            .map(|days| (self.slot_name(days), days));
        let rows = foreign.chain(own).zip(1..);
        rows.map(|((name, days), nth)| {
            let hours = 24 * i64::try_from(days).expect("few days");
            let made = self.slot() - SignedDuration::from_hours(hours);
            TrueSnapshot {
                id: SERVER * 1000 + nth,
                name,
                status: Status::Completed,
                made,
                shown: Some(made),
                odd: false,
            }
        })
        .collect()
    }

    /// Returns the names that the server must hold at the end: those of all foreign snapshots and
    /// of the newest own ones.
    fn must_hold(&self) -> BTreeSet<String> {
        let foreign = (0..self.foreign).map(|nth| format!("by-hand-{nth}"));
        let own = (0..=self.own).take(self.keep);
        foreign
            .chain(own.map(|days| self.slot_name(days)))
            .collect()
    }

    fn wanted(&self) -> SeededPolicy {
        let hour = self.slot().strftime("%-H").to_string();
        let schedule = Schedule::new(&format!("0 {hour} * * *"), TimeZone::UTC);
        let rotation = Rotation {
            name: "daily".into(),
            schedule: Arc::new(schedule.expect("a schedule")),
            keep: self.keep,
            pattern: Pattern::new("{name}-snapshot-%Y-%m-%d", "daily").expect("a pattern"),
            former: Vec::new(),
            description: None,
            catch_up: None,
            splay: SignedDuration::ZERO,
            // A death in a create may cost one attempt, and a story has three deaths at most.
            attempts: 4,
            when_full: WhenFull::PruneFirst,
            hooks: None,
            stop: self.stop.then(|| {
                Box::new(StopServer {
                    timeout: SignedDuration::from_mins(5),
                    restart: ReleaseWhen::Completed,
                    longest: SignedDuration::from_mins(40),
                })
            }),
        };
        let policy = Policy {
            file: format!("server-{SERVER}"),
            server: ids::server(SERVER),
            name: Some(format!("server-{SERVER}")),
            protected_names: BTreeSet::new(),
            protected_ids: BTreeSet::new(),
            min_completed: 1,
            delete_stuck: false,
            alert_after: None,
            rotations: vec![rotation],
        };
        let view = JudgedPolicy {
            rotations: vec![JudgedRotation {
                prefix: PREFIX.to_owned(),
                timed: false,
                keep: self.keep,
                prune_first: true,
                hooked: false,
                stops: self.stop,
                attempts: 4,
            }],
            protected_names: BTreeSet::new(),
            protected_ids: BTreeSet::new(),
            min_completed: 1,
            delete_stuck: false,
        };
        (Arc::new(policy), view)
    }
}

/// The result of a story.
pub(super) struct StoryResult {
    pub(super) violations: Vec<String>,
    pub(super) story: Vec<String>,
    pub(super) lives: Vec<ProcessProgress>,
}

/// Runs the story with these deaths, and judges its end.
pub(super) fn tell(
    scenario: &Scenario,
    deaths: &[PlannedCrash],
    broken: Option<Break>,
    story: bool,
) -> StoryResult {
    ids::draw(0);
    deliberate_breaks::set(broken);
    let before = scenario.before.map(|effect| PlannedCrash {
        point: CrashPoint::Call(CallCrash {
            nth: 1,
            at: CrashPhase::InCall,
            effect: Some(effect),
        }),
        crash: Crash::Killed,
    });
    let slot = scenario.slot();
    let start = slot - SignedDuration::from_mins(1);
    let mut setting = WorldSetup::calm(start, scenario.wanted());
    setting.rules.retry_after = scenario.retry_after;
    setting.lag = scenario.lag;
    let mut world = World::new(setting, Rng::new(1), MemoryDisk::default(), story);
    for server in world.servers.values_mut() {
        server.rows = scenario.rows();
    }
    let mut director = Director::new(world, slot + REST, slot + REST);
    director.deaths = before.iter().chain(deaths).copied().collect();
    director.live();
    deliberate_breaks::set(None);
    let late = deaths.iter().any(PlannedCrash::is_late);
    judge(
        scenario,
        &director,
        before.iter().len() + deaths.len(),
        late,
    );
    let world = director.world();
    StoryResult {
        violations: world.judge.violations.clone(),
        story: world.story.clone().unwrap_or_default(),
        lives: director.lives.clone(),
    }
}

/// Checks that the story ends as it would without the deaths.
fn judge(scenario: &Scenario, director: &Director, deaths: usize, late: bool) {
    let mut world = director.world();
    if director.lives.len() != deaths + 1 {
        world.violated(SERVER, "a death wasn't reached");
    }
    // The story takes a create and a delete, and with `stop` also a stop and a start. After the
    // death of an earlier process, one of them may be sent again.
    let earlier = scenario.before.iter().len();
    let sent: u64 = director.lives.iter().map(|life| life.mutations).sum();
    if deaths == earlier && sent > if scenario.stop { 4 } else { 2 } + earlier as u64 {
        world.violated(SERVER, &format!("{sent} mutations were sent"));
    }
    let (runs, downs) = world.machines.runs(SERVER);
    // A late stop may take effect after the server was started again, and so stop it once more.
    if !runs || downs > u32::from(scenario.stop) + u32::from(late) {
        let what = format!("I20: the server runs: {runs}; it was stopped {downs} times");
        world.violated(SERVER, &what);
    }
    let rows = &world.servers[&SERVER].rows;
    let held: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
    let names: BTreeSet<_> = held.iter().cloned().collect();
    let completed = rows.iter().all(|row| row.status == Status::Completed);
    if held.len() != names.len() || names != scenario.must_hold() || !completed {
        world.violated(SERVER, &format!("the server holds {held:?}"));
    }
    if world.made() != 1 {
        let what = format!("I9: {} snapshots were made", world.made());
        world.violated(SERVER, &what);
    }
    let subject = format!("\"snapshot\":\"{}\"", scenario.slot_name(0));
    let said = final_checks::trail_text(&director.disk)
        .lines()
        .filter(|line| line.contains("\"event\":\"slot_settled\"") && line.contains(&subject))
        .count();
    if said != 1 {
        world.violated(
            SERVER,
            &format!("the trail says {said} times that the slot is settled"),
        );
    }
    let histories = final_checks::histories(&director.disk, world.wall());
    let Some(history) = histories.get(&ids::server(SERVER)) else {
        world.violated(SERVER, "the trail has no record of the server");
        return;
    };
    if history.open.is_some() {
        world.violated(SERVER, "I6: an intent is still open");
    }
    if !history.alerts.is_empty() {
        world.violated(
            SERVER,
            &format!("alerts are still active: {:?}", history.alerts),
        );
    }
}
