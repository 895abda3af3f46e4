//! What each call does to what the stand-in holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::SandboxConfig;
use super::faults::{Call, Listing, Made, Orders};
use super::log::{Counts, Effect, EffectKind, Request};
use super::rows::{Row, Rows};
use super::wire::{self, Server};

/// An answer, and a status change that follows by itself.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
    pub effects: Vec<Effect>,
    pub later: Vec<Later>,
}

/// A change that comes with time.
#[derive(Clone, Debug)]
pub(super) struct Later {
    pub after: jiff::SignedDuration,
    pub id: u64,
    /// The status word then; `None`: it vanishes.
    pub status: Option<String>,
}

pub(super) struct State {
    pub config: SandboxConfig,
    pub orders: Orders,
    pub rows: Rows,
    pub log: Vec<Request>,
    pub keep_log: bool,
    pub counts: Counts,
    pub created: BTreeMap<u64, Vec<String>>,
    servers: BTreeMap<u64, Server>,
    base_url: String,
    last_id: u64,
    pub ticks: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({} servers)", self.servers.len())
    }
}

fn plain(status: u16, body: String) -> Answer {
    Answer {
        status,
        body,
        effects: Vec::new(),
        later: Vec::new(),
    }
}

fn refused(status: u16, detail: &str) -> Answer {
    plain(status, wire::refusal(detail))
}

impl State {
    pub fn new(config: SandboxConfig, base_url: String) -> Self {
        Self {
            config,
            orders: Orders::default(),
            rows: Rows::default(),
            log: Vec::new(),
            keep_log: true,
            counts: Counts::default(),
            created: BTreeMap::new(),
            servers: BTreeMap::new(),
            base_url,
            last_id: 1000,
            ticks: 0,
        }
    }

    pub fn add_server(&mut self, id: u64, name: &str) {
        let server = Server {
            id,
            name: name.to_owned(),
            status: "active".to_owned(),
        };
        self.servers.insert(id, server);
    }

    pub fn rename_server(&mut self, id: u64, name: &str, now: Timestamp) {
        if let Some(server) = self.servers.get_mut(&id) {
            name.clone_into(&mut server.name);
            self.rows.rename(id, name, now);
        }
    }

    pub fn put(&mut self, server: u64, name: &str, status: &str, at: Timestamp) -> u64 {
        self.last_id += 1;
        let row = Row {
            id: self.last_id,
            server,
            name: name.to_owned(),
            status: status.to_owned(),
            size_mb: (status == "completed").then_some(5120),
            created_at: at,
            description: String::new(),
        };
        let server_name = self.server_name(server);
        self.rows.put(row, &server_name, false, at);
        self.last_id
    }

    fn server_name(&self, server: u64) -> String {
        let known = self.servers.get(&server);
        known.map_or_else(|| format!("server-{server}"), |s| s.name.clone())
    }

    /// A change that came with time.
    pub fn ripen(&mut self, later: &Later, now: Timestamp) {
        let Some(row) = self.rows.get(later.id).cloned() else {
            return;
        };
        match &later.status {
            None => {
                self.rows.remove(later.id, false, now);
            }
            Some(status) => {
                let name = self.server_name(row.server);
                let done = status == "completed";
                let row = Row {
                    status: status.clone(),
                    size_mb: done.then_some(5120),
                    ..row
                };
                self.rows.put(row, &name, false, now);
            }
        }
    }

    /// The server that a call is about.
    pub fn about(
        &self,
        call: Call,
        snapshot: Option<u64>,
        query: &str,
        body: &[u8],
    ) -> Option<u64> {
        match call {
            Call::List => parameter(query, "server_id")?.parse().ok(),
            Call::Create => wire::create(body).ok().map(|(server, _, _)| server),
            Call::Delete | Call::Restore => self.rows.get(snapshot?).map(|row| row.server),
            _ => None,
        }
    }

    /// Does what was asked, and answers as the documentation says.
    pub fn perform(
        &mut self,
        call: Call,
        snapshot: Option<u64>,
        query: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Answer {
        match (call, snapshot) {
            (Call::List, _) => plain(200, self.list(query, None, now)),
            (Call::Create, _) => self.create(body, now),
            (Call::Delete, Some(id)) => self.delete(id, now),
            (Call::Restore, Some(id)) => self.restore(id, now),
            (Call::Account, _) => plain(200, wire::account()),
            (Call::Servers, _) => {
                let rows: Vec<_> = self.servers.values().map(wire::server).collect();
                plain(200, envelope(rows.len(), None, &rows.join(",")))
            }
            _ => refused(404, "Not found."),
        }
    }

    fn create(&mut self, body: &[u8], now: Timestamp) -> Answer {
        let (server, name, description) = match wire::create(body) {
            Ok(create) => create,
            Err(why) => return refused(400, &why),
        };
        if !self.servers.contains_key(&server) {
            return refused(404, "No such server.");
        }
        if !wire::is_name(&name) {
            return refused(400, "name: letters, digits, hyphens and underscores only");
        }
        if self.rows.len_of(server) >= self.config.limit {
            return refused(400, "The snapshot limit of this server is reached.");
        }
        let fate = self.orders.fate(server);
        let copies = 1 + usize::from(fate == Some(Made::Twice));
        let server_name = self.server_name(server);
        let mut answer = plain(201, String::new());
        for _ in 0..copies {
            if self.rows.len_of(server) >= self.config.limit {
                break;
            }
            self.last_id += 1;
            let row = Row {
                id: self.last_id,
                server,
                name: name.clone(),
                status: "in_progress".to_owned(),
                size_mb: None,
                created_at: now,
                description: description.clone(),
            };
            if answer.body.is_empty() {
                answer.body = wire::created(&row, &server_name);
            }
            self.rows.put(row.clone(), &server_name, true, now);
            self.created.entry(server).or_default().push(name.clone());
            answer.later.extend(self.fate(self.last_id, fate.as_ref()));
            answer
                .effects
                .push(self.effect(EffectKind::Created, row, now));
        }
        answer
    }

    fn fate(&self, id: u64, fate: Option<&Made>) -> Option<Later> {
        let after = match fate {
            Some(Made::Takes(after)) => *after,
            _ => self.config.completes_after,
        };
        let status = match fate {
            Some(Made::Stuck) => return None,
            Some(Made::Failed) => Some("failed".to_owned()),
            Some(Made::Ends(word)) => Some(word.clone()),
            Some(Made::Vanishes) => None,
            Some(Made::Takes(_) | Made::Twice) | None => Some("completed".to_owned()),
        };
        Some(Later { after, id, status })
    }

    fn delete(&mut self, id: u64, now: Timestamp) -> Answer {
        let Some(row) = self.rows.remove(id, true, now) else {
            return refused(404, "Not found.");
        };
        let mut answer = plain(204, String::new());
        answer
            .effects
            .push(self.effect(EffectKind::Deleted, row, now));
        answer
    }

    fn restore(&mut self, id: u64, now: Timestamp) -> Answer {
        let Some(row) = self.rows.get(id).cloned() else {
            return refused(404, "Not found.");
        };
        let Some(server) = self.servers.get_mut(&row.server) else {
            return refused(404, "No such server.");
        };
        if row.status != "completed" || server.status == "restoring" {
            return refused(400, "The server is not in a valid state.");
        }
        "restoring".clone_into(&mut server.status);
        let mut answer = plain(200, wire::restoring(&row, server));
        answer
            .effects
            .push(self.effect(EffectKind::Restored, row, now));
        answer
    }

    fn effect(&mut self, kind: EffectKind, row: Row, at: Timestamp) -> Effect {
        self.ticks += 1;
        self.counts.effect(kind);
        Effect {
            tick: self.ticks,
            at,
            kind,
            held: self.rows.truth(Some(row.server)),
            row,
        }
    }

    /// A listing, right or wrong as ordered.
    pub fn list(
        &self,
        query: &str,
        wrong: Option<(&Listing, Option<u64>)>,
        now: Timestamp,
    ) -> String {
        let asked: Option<u64> = parameter(query, "server_id").and_then(|id| id.parse().ok());
        let how = wrong.map(|(how, _)| how);
        let mut rows: Vec<String> = match how {
            Some(Listing::Stale(stale)) => {
                let held = self.rows.list_stale(asked, *stale, now);
                held.iter().map(|held| held.json.clone()).collect()
            }
            Some(Listing::OtherServers) => self.jsons(None),
            Some(Listing::Empty) => Vec::new(),
            _ => self.jsons(asked),
        };
        let mut count = rows.len();
        let mut next = None;
        // "A row": the last one, or the last one of the fault's server.
        let of_server = wrong.and_then(|(_, server)| server);
        let marker = of_server.map(|id| format!(r#""server":{{"id":{id},"#));
        let last = rows
            .iter()
            .rposition(|row| marker.as_ref().is_none_or(|marker| row.contains(marker)));
        match (how, last) {
            (Some(Listing::Short), Some(last)) => {
                rows.remove(last);
            }
            (Some(Listing::Lacking), Some(last)) => {
                rows.remove(last);
                count -= 1;
            }
            (Some(Listing::Duplicate), Some(last)) => {
                rows.push(rows[last].clone());
                count += 1;
            }
            (Some(Listing::Unreadable), Some(last)) => {
                edit(&mut rows[last], "id", Some(Value::from("none")));
            }
            (Some(Listing::Nameless), Some(last)) => "7".clone_into(&mut rows[last]),
            (Some(Listing::Count(off)), _) => {
                let off = isize::try_from(*off).unwrap_or(0);
                count = count.saturating_add_signed(off);
            }
            (
                Some(Listing::Field {
                    snapshot,
                    field,
                    value,
                }),
                _,
            ) => {
                let found = rows.iter_mut().find(|row| {
                    snapshot.is_none_or(|id| row.starts_with(&format!(r#"{{"id":{id},"#)))
                });
                if let Some(row) = found {
                    edit(row, field, value.clone());
                }
            }
            (Some(Listing::Ahead(ahead)), _) => {
                if let Some(row) = rows.first_mut() {
                    let date = wire::date(now + *ahead);
                    edit(row, "created_at", Some(Value::from(date)));
                }
            }
            (Some(Listing::Next(to)), _) => next = Some(to.clone()),
            _ => {}
        }
        if let Some(size) = self.config.page_size {
            let page: usize = parameter(query, "page")
                .and_then(|page| page.parse().ok())
                .unwrap_or(1);
            let begin = (page.max(1) - 1) * size;
            let end = (begin + size).min(rows.len());
            if end < rows.len() {
                let filter = asked.map_or_else(String::new, |id| format!("server_id={id}&"));
                next = next.or(Some(format!(
                    "{}/snapshots/?{filter}page={}",
                    self.base_url,
                    page + 1
                )));
            }
            rows = rows.get(begin..end).unwrap_or_default().to_vec();
        }
        let pages = self.config.page_size.is_some() || next.is_some();
        envelope(count, pages.then_some(next).flatten(), &rows.join(","))
    }

    fn jsons(&self, server: Option<u64>) -> Vec<String> {
        let held = self.rows.list(server);
        held.into_iter().map(|held| held.json.clone()).collect()
    }
}

fn envelope(count: usize, next: Option<String>, rows: &str) -> String {
    let next = next.map_or_else(String::new, |next| {
        format!(r#""next":{},"#, Value::from(next))
    });
    format!(r#"{{"count":{count},{next}"results":[{rows}]}}"#)
}

fn edit(row: &mut String, field: &str, value: Option<Value>) {
    let Ok(Value::Object(mut object)) = serde_json::from_str(row) else {
        return;
    };
    match value {
        Some(value) => object.insert(field.to_owned(), value),
        None => object.remove(field),
    };
    *row = Value::Object(object).to_string();
}

/// A parameter of a query; the API's have no escapes.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
