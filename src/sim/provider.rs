//! The provider's truth: the snapshots that each server really holds, and their changes over time.
//!
//! The judge measures the program by this truth, never by the program's own view.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::crash::{CallCrash, ProcessProgress};
use super::hook_ledger::HookLedger;
use super::judge::Judge;
use super::lies::Lies;
use super::machines::Machines;
use super::operator_wishes::OperatorWishes;
use super::rng::Rng;
use super::shown_rows::ShownRows;
use super::true_state::{TimedChange, TrueServer, TrueSnapshot};
use super::world_setup::{JudgedPolicy, WorldSetup};
use crate::api::{ApiError, CreatedSnapshot};
use crate::audit::memory_disk::MemoryDisk;
use crate::core::deliberate_breaks::Break;

/// How long past states are kept for the judge: longer than the lag of any listing.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(30);

/// More disk changes than a sound program makes in several weeks.
const MOST_CHANGES: u64 = 200_000;

/// Ids of newly made snapshots begin after this.
const FIRST_ID: u64 = 100_000;

/// The number of violations after which a seed is stopped.
const MOST_VIOLATIONS: usize = 100;

/// The provider, the state of the process, and the judge.
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) setting: WorldSetup,
    pub(super) base: Timestamp,
    began: Instant,
    process_began: Timestamp,
    /// How far the host's wall clock is ahead of the true time.
    pub(super) ahead: SignedDuration,
    pub(super) servers: BTreeMap<u64, TrueServer>,
    due: BTreeMap<(Timestamp, u64), TimedChange>,
    tick: u64,
    pub(super) next_id: u64,
    pub(super) answers: BTreeMap<u64, Result<CreatedSnapshot, ApiError>>,
    pub(super) token_refused: bool,
    /// True once no more faults happen.
    pub(super) quiet: bool,
    pub(super) fired: BTreeMap<&'static str, u64>,
    pub(super) judge: Judge,
    pub(super) holds: HookLedger,
    pub(super) machines: Machines,
    pub(super) wishes: OperatorWishes,
    pub(super) shown: ShownRows,
    pub(super) lies: Option<Lies>,
    pub(super) in_force: BTreeMap<u64, JudgedPolicy>,
    pub(super) disk: MemoryDisk,
    /// The death of the process in one of its next calls.
    pub(super) doom: Option<CallCrash>,
    /// The progress of this process.
    pub(super) life: ProcessProgress,
    pub(super) dead: bool,
    pub(super) died: Arc<Notify>,
    /// The events, line by line, if a story was requested.
    pub(super) story: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(setting: WorldSetup, rng: Rng, disk: MemoryDisk, story: bool) -> Self {
        let died = Arc::new(Notify::new());
        disk.set().died = Some(Arc::clone(&died));
        disk.set().no_sync = Break::TrailNotSynced.on();
        let mut world = Self {
            rng,
            base: setting.start,
            process_began: setting.start,
            setting,
            began: Instant::now(),
            ahead: SignedDuration::ZERO,
            servers: BTreeMap::new(),
            due: BTreeMap::new(),
            tick: 0,
            next_id: FIRST_ID,
            answers: BTreeMap::new(),
            token_refused: false,
            quiet: false,
            fired: BTreeMap::new(),
            judge: Judge::default(),
            holds: HookLedger::new(Rng::new(0)),
            machines: Machines::new(Rng::new(0)),
            wishes: OperatorWishes::default(),
            shown: ShownRows::default(),
            lies: None,
            in_force: BTreeMap::new(),
            disk,
            doom: None,
            life: ProcessProgress::default(),
            dead: false,
            died,
            story: story.then(Vec::new),
        };
        world.people_the_servers();
        world
    }

    /// Starts a process, with its own monotonic clock.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
        self.dead = false;
        self.life = ProcessProgress::default();
        self.process_began = self.base;
        for server in self.servers.values_mut() {
            server.shown.clear();
        }
        self.judge.restarted();
        if let Some(lies) = &mut self.lies {
            lies.process_ended();
        }
    }

    /// Ends a process; this much time passes before the next one starts.
    pub(super) fn end(&mut self, now: Timestamp, pause: SignedDuration) {
        self.base = now + pause;
        self.answers.clear();
        self.doom = None;
    }

    /// Lets time pass that only the process's wall clock shows.
    pub(super) fn sleep(&mut self, time: SignedDuration) {
        self.base += time;
    }

    /// Returns the time at which this process started.
    pub(super) fn process_began(&self) -> Timestamp {
        self.process_began
    }

    /// Returns the true time.
    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed());
        self.base + passed.unwrap_or(SignedDuration::ZERO)
    }

    /// Returns the time of the host's wall clock.
    pub(super) fn wall(&self) -> Timestamp {
        self.now() + self.ahead
    }

    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(story) = &mut self.story {
            story.push(format!("{now:.3}  {}", line()));
        }
    }

    pub(super) fn fire(&mut self, kind: &'static str) {
        *self.fired.entry(kind).or_default() += 1;
        self.tell(|| format!("         ({kind})"));
    }

    pub(super) fn schedule(&mut self, after: SignedDuration, due: TimedChange) {
        self.schedule_at(self.now() + after, due);
    }

    pub(super) fn schedule_at(&mut self, at: Timestamp, due: TimedChange) {
        self.tick += 1;
        self.due.insert((at, self.tick), due);
    }

    /// Returns the number of a new call.
    pub(super) fn call(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// Returns the creates and deletes on this server that are still to take effect.
    pub(super) fn pending(&self, server: u64) -> impl Iterator<Item = &TimedChange> {
        let due = self.due.values();
        due.filter(move |due| {
            due.server() == server
                && matches!(due, TimedChange::Create { .. } | TimedChange::Delete { .. })
        })
    }

    /// Applies every change whose time has come.
    pub(super) fn advance(&mut self) {
        let now = self.now();
        while let Some(entry) = self.due.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), due) = entry.remove_entry();
            self.happen(at, due);
        }
    }

    /// Changes a server's rows at an instant, and keeps the earlier rows.
    pub(super) fn change(
        &mut self,
        at: Timestamp,
        server: u64,
        how: impl FnOnce(&mut Vec<TrueSnapshot>),
    ) {
        let Some(found) = self.servers.get_mut(&server) else {
            return;
        };
        let before = found.rows.clone();
        how(&mut found.rows);
        if found.rows == before {
            return;
        }
        found.past.push_back((at, before));
        while found.past.len() > 1 && found.past[0].0 < at - REMEMBERED {
            found.past.pop_front();
        }
        if let Some(view) = self.in_force.get(&server) {
            self.judge
                .changed(server, view, &self.servers[&server].rows);
        }
    }

    /// Returns the rows of a server at an instant.
    pub(super) fn rows_at(&self, server: u64, at: Timestamp) -> &[TrueSnapshot] {
        let server = &self.servers[&server];
        let mut past = server.past.iter();
        past.find(|(until, _)| *until > at)
            .map_or(&server.rows, |(_, rows)| rows)
    }

    /// Returns the number of snapshots that have been made since the start.
    pub(super) fn made(&self) -> u64 {
        self.next_id - FIRST_ID
    }

    /// Stops a process that writes or breaks rules without end.
    pub(super) fn stop_what_never_ends(&mut self) {
        let changes = self.disk.set().changes;
        if self.dead || self.judge.enough {
            return;
        }
        if changes > MOST_CHANGES {
            self.violated(0, "the trail grows without end");
        }
        if changes > MOST_CHANGES || self.judge.violations.len() > MOST_VIOLATIONS {
            self.judge.enough = true;
            self.kill();
        }
    }
}
