//! The changes that requests make: creates, deletes, restores and power calls, by the provider's
//! rules.

use jiff::Timestamp;

use super::faults::CreateFault;
use super::request_log::EffectKind;
use super::state::{Mutation, ProviderState, StatusAndBody, TimedChange};
use super::stored_snapshot::StoredSnapshot;
use super::wire::{self, PowerAction};

fn refused(status: u16, detail: &str) -> StatusAndBody {
    (status, wire::refusal(detail))
}

impl ProviderState {
    /// Makes a change if the rules allow it, and returns the answer.
    pub(super) fn perform(
        &mut self,
        deed: Mutation,
        request: Option<usize>,
        now: Timestamp,
    ) -> StatusAndBody {
        match deed {
            Mutation::Create {
                server,
                name,
                description,
            } => self.create(server, &name, &description, request, now),
            Mutation::Delete(id) => self.delete(id, request, now),
            Mutation::Restore(id) => self.restore(id, request, now),
            Mutation::Power { server, action } => self.power(server, action, now),
        }
    }

    fn create(
        &mut self,
        server: u64,
        name: &str,
        description: &str,
        request: Option<usize>,
        now: Timestamp,
    ) -> StatusAndBody {
        let Some(found) = self.servers.get(&server) else {
            return refused(404, "no such server");
        };
        let server_name = found.name.clone();
        if !wire::is_name(name) {
            return refused(
                400,
                "name: must consist of letters, digits, hyphens and underscores",
            );
        }
        if self.rows.len_of(server) >= self.config.limit {
            return refused(400, "this server has reached its snapshot limit");
        }
        let fate = self.orders.fate(server);
        let mut row = StoredSnapshot {
            id: self.new_id(),
            server,
            name: name.to_owned(),
            status: "in_progress".to_owned(),
            size_mb: None,
            created_at: now,
            description: description.to_owned(),
        };
        match &fate {
            Some(CreateFault::Named(stored)) => row.name.clone_from(stored),
            Some(CreateFault::Dated(date)) => row.created_at = *date,
            Some(CreateFault::Another(id)) => {
                row.id = *id;
                return (201, wire::created(self.config.ids, &row, &server_name));
            }
            _ => {}
        }
        let answer = wire::created(self.config.ids, &row, &server_name);
        let twice =
            fate == Some(CreateFault::Twice) && self.rows.len_of(server) + 1 < self.config.limit;
        self.begin(row.clone(), &server_name, fate, request, now);
        if twice {
            let id = self.new_id();
            self.begin(
                StoredSnapshot { id, ..row },
                &server_name,
                None,
                request,
                now,
            );
        }
        (201, answer)
    }

    /// Adds a new snapshot and schedules the end of its creation.
    fn begin(
        &mut self,
        row: StoredSnapshot,
        server_name: &str,
        fate: Option<CreateFault>,
        request: Option<usize>,
        now: Timestamp,
    ) {
        let id = row.id;
        self.rows.put(row.clone(), server_name, true, now);
        let created = self.created.entry(row.server).or_default();
        created.push(row.name.clone());
        self.effect(request, EffectKind::Created, row, now);
        let usual = self.config.completes_after;
        let ends = |word: &str| TimedChange::Status(id, word.to_owned());
        let (after, due) = match fate {
            None
            | Some(
                CreateFault::Twice
                | CreateFault::Named(_)
                | CreateFault::Dated(_)
                | CreateFault::Another(_),
            ) => (usual, ends("completed")),
            Some(CreateFault::Failed) => (usual, ends("failed")),
            Some(CreateFault::Ends(word)) => (usual, ends(&word)),
            Some(CreateFault::Takes(time)) => (time, ends("completed")),
            Some(CreateFault::Vanishes) => (usual, TimedChange::Vanish(id)),
            Some(CreateFault::Stuck) => return,
        };
        self.schedule(now, after, due);
    }

    fn delete(&mut self, id: u64, request: Option<usize>, now: Timestamp) -> StatusAndBody {
        let Some(row) = self.rows.remove(id, true, now) else {
            return refused(404, "no such snapshot");
        };
        self.effect(request, EffectKind::Deleted, row, now);
        (204, String::new())
    }

    fn restore(&mut self, id: u64, request: Option<usize>, now: Timestamp) -> StatusAndBody {
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
        self.schedule(now, self.restoring, TimedChange::Restored(server));
        self.effect(request, EffectKind::Restored, row, now);
        (200, answer)
    }

    fn power(&mut self, server: u64, action: PowerAction, now: Timestamp) -> StatusAndBody {
        let Some(found) = self.servers.get(&server) else {
            return refused(404, "Not found.");
        };
        self.powered.push((server, action));
        let then = match (action, found.status.as_str()) {
            (PowerAction::Stop | PowerAction::HardStop, "active") => "stopped",
            (PowerAction::Start, "stopped") | (PowerAction::Restart, "active") => "active",
            _ => return refused(400, "the server is not in a valid state"),
        };
        self.switched.push((server, then));
        let answer = wire::powered(self.config.ids, found);
        self.schedule(now, self.switching, TimedChange::Switched(server, then));
        (200, answer)
    }
}
