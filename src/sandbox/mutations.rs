//! What requests change: creates, deletes, restores and power calls, by the provider's rules.

use jiff::Timestamp;

use super::faults::Made;
use super::request_log::EffectKind;
use super::state::{Answer, Due, State};
use super::store::Row;
use super::wire::{self, Action};

/// A change that an answer may promise, or that comes later.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Create {
        server: u64,
        name: String,
        description: String,
    },
    Delete(u64),
    Restore(u64),
    Power {
        server: u64,
        action: Action,
    },
}

fn refused(status: u16, detail: &str) -> Answer {
    (status, wire::refusal(detail))
}

impl State {
    /// Does what was asked, if the rules allow it, and says so.
    pub(super) fn perform(&mut self, deed: Deed, request: Option<usize>, now: Timestamp) -> Answer {
        match deed {
            Deed::Create {
                server,
                name,
                description,
            } => self.create(server, &name, &description, request, now),
            Deed::Delete(id) => self.delete(id, request, now),
            Deed::Restore(id) => self.restore(id, request, now),
            Deed::Power { server, action } => self.power(server, action, now),
        }
    }

    fn create(
        &mut self,
        server: u64,
        name: &str,
        description: &str,
        request: Option<usize>,
        now: Timestamp,
    ) -> Answer {
        let Some(found) = self.servers.get(&server) else {
            return refused(404, "no such server");
        };
        let server_name = found.name.clone();
        if !wire::is_name(name) {
            return refused(
                400,
                "name: letters, digits, hyphens and underscores are required",
            );
        }
        if self.rows.len_of(server) >= self.config.limit {
            return refused(400, "the limit of snapshots of this server is reached");
        }
        let fate = self.orders.fate(server);
        let mut row = Row {
            id: self.new_id(),
            server,
            name: name.to_owned(),
            status: "in_progress".to_owned(),
            size_mb: None,
            created_at: now,
            description: description.to_owned(),
        };
        match &fate {
            Some(Made::Named(stored)) => row.name.clone_from(stored),
            Some(Made::Dated(date)) => row.created_at = *date,
            Some(Made::Another(id)) => {
                row.id = *id;
                return (201, wire::created(self.config.ids, &row, &server_name));
            }
            _ => {}
        }
        let answer = wire::created(self.config.ids, &row, &server_name);
        let twice = fate == Some(Made::Twice) && self.rows.len_of(server) + 1 < self.config.limit;
        self.begin(row.clone(), &server_name, fate, request, now);
        if twice {
            let id = self.new_id();
            self.begin(Row { id, ..row }, &server_name, None, request, now);
        }
        (201, answer)
    }

    /// Puts in a new snapshot and plans its end.
    fn begin(
        &mut self,
        row: Row,
        server_name: &str,
        fate: Option<Made>,
        request: Option<usize>,
        now: Timestamp,
    ) {
        let id = row.id;
        self.rows.put(row.clone(), server_name, true, now);
        let created = self.created.entry(row.server).or_default();
        created.push(row.name.clone());
        self.effect(request, EffectKind::Created, row, now);
        let usual = self.config.completes_after;
        let ends = |word: &str| Due::Status(id, word.to_owned());
        let (after, due) = match fate {
            None | Some(Made::Twice | Made::Named(_) | Made::Dated(_) | Made::Another(_)) => {
                (usual, ends("completed"))
            }
            Some(Made::Failed) => (usual, ends("failed")),
            Some(Made::Ends(word)) => (usual, ends(&word)),
            Some(Made::Takes(time)) => (time, ends("completed")),
            Some(Made::Vanishes) => (usual, Due::Vanish(id)),
            Some(Made::Stuck) => return,
        };
        self.schedule(now, after, due);
    }

    fn delete(&mut self, id: u64, request: Option<usize>, now: Timestamp) -> Answer {
        let Some(row) = self.rows.remove(id, true, now) else {
            return refused(404, "no such snapshot");
        };
        self.effect(request, EffectKind::Deleted, row, now);
        (204, String::new())
    }

    fn restore(&mut self, id: u64, request: Option<usize>, now: Timestamp) -> Answer {
        let Some(row) = self.rows.get(id).cloned() else {
            return refused(404, "no such snapshot");
        };
        let Some(server) = self.servers.get_mut(&row.server) else {
            return refused(404, "no such server");
        };
        let able = matches!(server.status.as_str(), "active" | "stopped");
        if !able || row.status != "completed" {
            return refused(400, "the server is not in a valid state");
        }
        "restoring".clone_into(&mut server.status);
        let answer = wire::restoring(self.config.ids, &row, server);
        let server = server.id;
        self.schedule(now, self.restoring, Due::Restored(server));
        self.effect(request, EffectKind::Restored, row, now);
        (200, answer)
    }

    fn power(&mut self, server: u64, action: Action, now: Timestamp) -> Answer {
        let Some(found) = self.servers.get(&server) else {
            return refused(404, "Not found.");
        };
        self.powered.push((server, action));
        let then = match (action, found.status.as_str()) {
            (Action::Stop | Action::HardStop, "active") => "stopped",
            (Action::Start, "stopped") | (Action::Restart, "active") => "active",
            _ => return refused(400, "the server is not in a valid state"),
        };
        self.switched.push((server, then));
        let answer = wire::powered(self.config.ids, found);
        self.schedule(now, self.switching, Due::Switched(server, then));
        (200, answer)
    }
}
