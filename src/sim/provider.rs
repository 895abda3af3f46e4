//! The provider's truth: what each server really holds, and what time does to it.
//!
//! Nothing of it is the program's: the judge measures the program by this truth, not by
//! what the program believes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::death::{Doomed, Life};
use super::judge::Judge;
use super::rng::Rng;
use super::setting::{LIMIT, Setting, View};
use crate::api::{ApiError, Created, ErrorKind};
use crate::audit::mem::MemDisk;
use crate::core::snapshot::{Snapshot, SnapshotId, Status};

/// How long past states are kept for the judge; more than any listing is stale.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(30);

/// Changes of the disk that a sound program never comes near in some weeks.
const MOST_CHANGES: u64 = 200_000;

/// Ids of snapshots that are made begin after this.
const FIRST_ID: u64 = 100_000;

/// Broken invariants that are enough to know.
const MOST_VIOLATIONS: usize = 100;

/// A snapshot as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: Status,
    /// When it was truly made.
    pub(super) made: Timestamp,
    /// What the listing says of that.
    pub(super) shown: Option<Timestamp>,
}

/// One server.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
    /// Earlier states, each with the instant at which it ended.
    pub(super) past: VecDeque<(Timestamp, Vec<Row>)>,
    /// The last listing left a row out: the next one doesn't.
    pub(super) lacked: bool,
    /// What this process was shown by listings that could be relied on.
    pub(super) shown: BTreeSet<u64>,
}

/// What happens by itself when its time has come.
#[derive(Clone, Debug)]
pub(super) enum Due {
    Create {
        call: u64,
        server: u64,
        name: String,
        fate: Option<&'static str>,
    },
    Delete {
        call: u64,
        server: u64,
        id: u64,
    },
    Status(u64, u64, Status),
    Vanish(u64, u64),
}

impl Due {
    fn server(&self) -> u64 {
        match self {
            Self::Create { server, .. }
            | Self::Delete { server, .. }
            | Self::Status(server, ..)
            | Self::Vanish(server, _) => *server,
        }
    }
}

/// The provider, the process's fate, and who watches.
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) setting: Setting,
    base: Timestamp,
    began: Instant,
    process_began: Timestamp,
    /// The host's wall clock against the true time.
    pub(super) ahead: SignedDuration,
    pub(super) servers: BTreeMap<u64, Server>,
    due: BTreeMap<(Timestamp, u64), Due>,
    tick: u64,
    next_id: u64,
    pub(super) answers: BTreeMap<u64, Result<Created, ApiError>>,
    pub(super) token_refused: bool,
    /// Nothing goes wrong any more.
    pub(super) quiet: bool,
    pub(super) fired: BTreeMap<&'static str, u64>,
    pub(super) judge: Judge,
    pub(super) in_force: BTreeMap<u64, View>,
    pub(super) disk: MemDisk,
    /// The process dies in one of the next calls.
    pub(super) doom: Option<Doomed>,
    /// How far this process came.
    pub(super) life: Life,
    pub(super) dead: bool,
    pub(super) died: Arc<Notify>,
    /// What happened, line by line, when somebody wants to read it.
    pub(super) story: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(setting: Setting, rng: Rng, disk: MemDisk, story: bool) -> Self {
        let died = Arc::new(Notify::new());
        disk.set().died = Some(Arc::clone(&died));
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
            in_force: BTreeMap::new(),
            disk,
            doom: None,
            life: Life::default(),
            dead: false,
            died,
            story: story.then(Vec::new),
        };
        world.people_the_servers();
        world
    }

    /// What is there before the program comes: foreign ones, older own ones, leftovers.
    fn people_the_servers(&mut self) {
        let start = self.base;
        for index in 0..self.setting.wanted.len() {
            let view = self.setting.wanted[index][0].1.clone();
            let id = index as u64 + 1;
            let mut rows = Vec::new();
            let full = self.rng.chance(300);
            let count = if full { 5 } else { self.rng.below(5) };
            for nth in 1..=count {
                let age = SignedDuration::from_hours(20) * (i32::try_from(6 - nth).unwrap_or(1));
                let made = start - age;
                let own = self
                    .rng
                    .chance(600)
                    .then(|| view.rotations.first())
                    .flatten();
                let name = match own {
                    Some(r) if r.timed => format!("{}{}", r.prefix, made.strftime("%Y-%m-%d-%H%M")),
                    Some(r) => format!("{}{}", r.prefix, made.strftime("%Y-%m-%d")),
                    None => format!("by-hand-{nth}"),
                };
                let status = if self.rng.chance(100) {
                    Status::Failed
                } else {
                    Status::Completed
                };
                rows.push(Row {
                    id: id * 1000 + nth,
                    name,
                    status,
                    made,
                    shown: Some(made),
                });
            }
            let server = Server {
                name: format!("server-{id}"),
                rows,
                past: VecDeque::new(),
                lacked: false,
                shown: BTreeSet::new(),
            };
            self.servers.insert(id, server);
        }
    }

    /// A process begins; its clock is another.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
        self.dead = false;
        self.life = Life::default();
        self.process_began = self.base;
        for server in self.servers.values_mut() {
            server.shown.clear();
        }
        self.judge.restarted();
    }

    /// A process has ended, and this much time passes before the next.
    pub(super) fn end(&mut self, now: Timestamp, pause: SignedDuration) {
        self.base = now + pause;
        self.answers.clear();
        self.doom = None;
    }

    /// Time passes of which the process sees nothing but the wall clock.
    pub(super) fn sleep(&mut self, time: SignedDuration) {
        self.base += time;
    }

    /// When this process began.
    pub(super) fn process_began(&self) -> Timestamp {
        self.process_began
    }

    /// The true time.
    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed());
        self.base + passed.unwrap_or(SignedDuration::ZERO)
    }

    /// The host's wall clock.
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

    pub(super) fn schedule(&mut self, after: SignedDuration, due: Due) {
        self.schedule_at(self.now() + after, due);
    }

    fn schedule_at(&mut self, at: Timestamp, due: Due) {
        self.tick += 1;
        self.due.insert((at, self.tick), due);
    }

    /// The number of a new call.
    pub(super) fn call(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// Mutations of this server that are still to take effect.
    pub(super) fn pending(&self, server: u64) -> impl Iterator<Item = &Due> {
        let due = self.due.values();
        due.filter(move |due| {
            due.server() == server && matches!(due, Due::Create { .. } | Due::Delete { .. })
        })
    }

    /// Lets everything happen whose time has come.
    pub(super) fn advance(&mut self) {
        let now = self.now();
        while let Some(entry) = self.due.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), due) = entry.remove_entry();
            self.happen(at, due);
        }
    }

    /// Changes a server's rows at an instant, and remembers how they were.
    pub(super) fn change(&mut self, at: Timestamp, server: u64, how: impl FnOnce(&mut Vec<Row>)) {
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

    fn happen(&mut self, at: Timestamp, due: Due) {
        match due {
            Due::Create {
                call,
                server,
                name,
                fate,
            } => self.make(at, call, server, &name, fate),
            Due::Delete { call, server, id } => {
                let there = self.servers[&server].rows.iter().any(|row| row.id == id);
                self.change(at, server, |rows| rows.retain(|row| row.id != id));
                let gone = Created {
                    id: SnapshotId(id),
                    server_name: None,
                    name: String::new(),
                };
                let missing = || error(ErrorKind::Missing, Some(404));
                let answer = there.then_some(gone).ok_or_else(missing);
                self.tell(|| format!("effect   server {server}: {id} is deleted ({there})"));
                self.answers.insert(call, answer);
            }
            Due::Status(server, id, status) => {
                self.tell(|| format!("effect   server {server}: {id} is {status:?}"));
                self.change(at, server, |rows| {
                    for row in rows.iter_mut().filter(|row| row.id == id) {
                        row.status = status.clone();
                    }
                });
            }
            Due::Vanish(server, id) => {
                self.tell(|| format!("effect   server {server}: {id} vanishes"));
                self.change(at, server, |rows| rows.retain(|row| row.id != id));
            }
        }
    }

    fn make(
        &mut self,
        at: Timestamp,
        call: u64,
        server: u64,
        name: &str,
        fate: Option<&'static str>,
    ) {
        let room = LIMIT.saturating_sub(self.servers[&server].rows.len());
        if room == 0 {
            self.tell(|| format!("effect   server {server}: no room for {name}"));
            let full = error(ErrorKind::Refused, Some(400));
            self.answers.insert(call, Err(full));
            return;
        }
        let copies = if fate == Some("snapshot: made twice") {
            2
        } else {
            1
        };
        let minutes = SignedDuration::from_mins;
        for _ in 0..copies.min(room) {
            let id = self.add(at, server, name, fate);
            let created = Created {
                id: SnapshotId(id),
                server_name: Some(self.servers[&server].name.clone()),
                name: name.to_owned(),
            };
            self.answers.insert(call, Ok(created));
            let takes = self.rng.time(minutes(3), minutes(10));
            let (after, end) = match fate {
                Some("snapshot: stuck") => continue,
                Some("snapshot: fails") => (takes, Due::Status(server, id, Status::Failed)),
                Some("snapshot: vanishes") => (takes, Due::Vanish(server, id)),
                Some("snapshot: unknown status") => {
                    let odd = Due::Status(server, id, Status::Unknown("migrating".to_owned()));
                    self.schedule_at(at + takes, odd);
                    let more = self.rng.time(minutes(5), minutes(200));
                    (takes + more, Due::Status(server, id, Status::Completed))
                }
                Some("snapshot: slow") => {
                    let takes = self.rng.time(minutes(20), minutes(180));
                    (takes, Due::Status(server, id, Status::Completed))
                }
                _ => (takes, Due::Status(server, id, Status::Completed)),
            };
            self.schedule_at(at + after, end);
        }
    }

    /// A row in progress; its id.
    fn add(&mut self, at: Timestamp, server: u64, name: &str, fate: Option<&'static str>) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let shown = match fate {
            Some("snapshot: no date") => None,
            Some("snapshot: future date") => Some(at + SignedDuration::from_hours(30)),
            _ => Some(at),
        };
        self.tell(|| format!("effect   server {server}: {name} is there as {id}"));
        self.change(at, server, |rows| {
            rows.push(Row {
                id,
                name: name.to_owned(),
                status: Status::InProgress,
                made: at,
                shown,
            });
        });
        id
    }

    /// A person makes a snapshot, if there is room; completed after a while.
    pub(super) fn by_hand(&mut self, server: u64, name: &str) -> bool {
        self.advance();
        if self.servers[&server].rows.len() >= LIMIT {
            return false;
        }
        self.tell(|| format!("person   server {server}: makes {name}"));
        let at = self.now();
        let id = self.add(at, server, name, None);
        let takes = SignedDuration::from_mins(4);
        self.schedule(takes, Due::Status(server, id, Status::Completed));
        true
    }

    /// A person deletes one of a server's snapshots.
    pub(super) fn take_by_hand(&mut self, server: u64) -> bool {
        self.advance();
        let count = self.servers[&server].rows.len() as u64;
        if count == 0 {
            return false;
        }
        let index = usize::try_from(self.rng.below(count)).unwrap_or(0);
        let row = self.servers[&server].rows[index].clone();
        self.tell(|| {
            format!(
                "person   server {server}: deletes {} ({})",
                row.name, row.id
            )
        });
        let at = self.now();
        self.change(at, server, |rows| rows.retain(|r| r.id != row.id));
        true
    }

    /// The rows of a server as they were at an instant.
    pub(super) fn rows_at(&self, server: u64, at: Timestamp) -> &[Row] {
        let server = &self.servers[&server];
        let mut past = server.past.iter();
        past.find(|(until, _)| *until > at)
            .map_or(&server.rows, |(_, rows)| rows)
    }

    /// Snapshots that were made since the beginning.
    pub(super) fn made(&self) -> u64 {
        self.next_id - FIRST_ID
    }

    /// A process that writes or breaks rules without end has shown enough.
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

/// What the listing says of a row.
pub(super) fn shown(row: &Row) -> Snapshot {
    Snapshot {
        id: SnapshotId(row.id),
        name: row.name.clone(),
        status: row.status.clone(),
        created_at: row.shown,
    }
}

pub(super) fn error(kind: ErrorKind, status: Option<u16>) -> ApiError {
    ApiError {
        kind,
        status,
        message: status.map_or_else(
            || "no answer".to_owned(),
            |status| format!("answer {status}"),
        ),
    }
}
