//! Changes to the provider's true state by calls, by the passing of time, and by people.

use std::collections::{BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::ids;
use super::lies::DeleteLie;
use super::provider::World;
use super::true_state::{TimedChange, TrueServer, TrueSnapshot, error};
use super::world_setup::LIMIT;
use crate::api::{CreatedSnapshot, ErrorKind};
use crate::core::snapshot::Status;

impl World {
    /// Fills the servers with the snapshots that exist before the first process: foreign ones and
    /// older own ones, of which some have failed.
    pub(super) fn people_the_servers(&mut self) {
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
                rows.push(TrueSnapshot {
                    id: id * 1000 + nth,
                    name,
                    status,
                    made,
                    shown: Some(made),
                    odd: false,
                });
            }
            let server = TrueServer {
                name: format!("server-{id}"),
                rows,
                past: VecDeque::new(),
                lacked: false,
                shown: BTreeSet::new(),
            };
            self.servers.insert(id, server);
        }
    }

    pub(super) fn happen(&mut self, at: Timestamp, due: TimedChange) {
        match due {
            TimedChange::Create {
                call,
                server,
                name,
                fate,
            } => self.make(at, call, server, &name, fate),
            TimedChange::Delete { call, server, id } => {
                // A listing may have shown another id than the true one. If a rule is broken, the
                // call may also name an id that no server has.
                let id = self.truly(id);
                let holds = |server: &TrueServer| server.rows.iter().any(|row| row.id == id);
                let there = self.servers.get(&server).is_some_and(holds);
                let lie = self.lies_of_delete(server, id);
                if !matches!(lie, Some(DeleteLie::Kept(_))) {
                    self.change(at, server, |rows| rows.retain(|row| row.id != id));
                }
                let gone = CreatedSnapshot {
                    hostname: None,
                    uuid: None,
                    id: ids::snapshot(id),
                    server_name: None,
                    name: String::new(),
                };
                let missing = || error(ErrorKind::Missing, Some(404));
                let refused = |(kind, status)| Err(error(kind, Some(status)));
                let answer = match lie {
                    None => there.then_some(gone).ok_or_else(missing),
                    Some(DeleteLie::Kept(says)) => says.map_or(Ok(gone), refused),
                    Some(DeleteLie::Forbidden) => refused((ErrorKind::Refused, 403)),
                };
                self.tell(|| format!("effect   server {server}: {id} is deleted ({there})"));
                self.answers.insert(call, answer);
            }
            TimedChange::Restore { call, server } => {
                self.tell(|| format!("effect   server {server}: it is restored"));
                let done = CreatedSnapshot {
                    hostname: None,
                    uuid: None,
                    id: ids::snapshot(0),
                    server_name: None,
                    name: String::new(),
                };
                self.answers.insert(call, Ok(done));
            }
            TimedChange::Power {
                call,
                server,
                action,
                kind,
            } => self.power(call, server, action, kind),
            TimedChange::Switched(server, action) => self.switched(at, server, action),
            TimedChange::Status(server, id, status) => {
                self.tell(|| format!("effect   server {server}: {id} is {status:?}"));
                self.change(at, server, |rows| {
                    for row in rows.iter_mut().filter(|row| row.id == id) {
                        row.status = status.clone();
                    }
                });
            }
            TimedChange::Vanish(server, id) => {
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
            let created = CreatedSnapshot {
                hostname: None,
                uuid: None,
                id: ids::snapshot(id),
                server_name: Some(self.servers[&server].name.clone()),
                name: name.to_owned(),
            };
            let view = self.in_force.get(&server);
            let asked_by_rotation = view.is_some_and(|view| view.rotation(name).is_some());
            // A snapshot that is stored under another name pays for nothing.
            let mut rows = self.servers[&server].rows.iter();
            let as_asked = rows.any(|row| row.id == id && row.name == name);
            if asked_by_rotation {
                self.made_for_rotation(server, id, as_asked);
            }
            let answer = self.answer_to_create(server, created);
            self.answers.insert(call, answer);
            let takes = self.rng.time(minutes(3), minutes(10));
            let (after, end) = match fate {
                Some("snapshot: stuck") => continue,
                Some("snapshot: fails") => (takes, TimedChange::Status(server, id, Status::Failed)),
                Some("snapshot: vanishes") => (takes, TimedChange::Vanish(server, id)),
                Some("snapshot: unknown status") => {
                    let odd =
                        TimedChange::Status(server, id, Status::Unknown("migrating".to_owned()));
                    self.schedule_at(at + takes, odd);
                    let more = self.rng.time(minutes(5), minutes(200));
                    (
                        takes + more,
                        TimedChange::Status(server, id, Status::Completed),
                    )
                }
                Some("snapshot: slow") => {
                    let takes = self.rng.time(minutes(20), minutes(180));
                    (takes, TimedChange::Status(server, id, Status::Completed))
                }
                _ => (takes, TimedChange::Status(server, id, Status::Completed)),
            };
            self.schedule_at(at + after, end);
        }
    }

    /// Adds a snapshot in progress and returns its id.
    fn add(&mut self, at: Timestamp, server: u64, name: &str, fate: Option<&'static str>) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let shown = match fate {
            Some("snapshot: no date") => None,
            Some("snapshot: future date") => Some(at + SignedDuration::from_hours(30)),
            _ => Some(at),
        };
        let (name, dated) = self.stored(server, id, name, at);
        let shown = if dated == Some(at) { shown } else { dated };
        let wall = at + self.ahead;
        let day = SignedDuration::from_hours(24);
        let odd = shown.is_some_and(|shown| wall.duration_since(shown) > day);
        self.tell(|| format!("effect   server {server}: {name} is there as {id}"));
        self.change(at, server, |rows| {
            rows.push(TrueSnapshot {
                id,
                name: name.clone(),
                status: Status::InProgress,
                made: at,
                shown,
                odd,
            });
        });
        id
    }

    /// Makes a snapshot as a person does; it completes after four minutes. Returns false if the
    /// server has no room.
    pub(super) fn by_hand(&mut self, server: u64, name: &str) -> bool {
        self.advance();
        if self.servers[&server].rows.len() >= LIMIT {
            return false;
        }
        self.tell(|| format!("person   server {server}: makes {name}"));
        let at = self.now();
        let id = self.add(at, server, name, None);
        let takes = SignedDuration::from_mins(4);
        self.schedule(takes, TimedChange::Status(server, id, Status::Completed));
        true
    }

    /// Deletes one of a server's snapshots as a person does. Returns false if there is none.
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
}
