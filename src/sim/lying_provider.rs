//! A provider that lies about names, ids, dates, statuses, rows and results: always, for a while,
//! or a few times.
//!
//! In seeds with lies, only the rules that no lie can affect are judged: no more good snapshots are
//! deleted than were made, and the program meets its own obligations.

use jiff::{SignedDuration, Timestamp};

use super::ids;
use super::lies::{DeleteLie, FIRST_FAKE};
use super::provider::World;
use crate::api::{ApiError, CreatedSnapshot, ErrorKind};

/// The violations that are judged although the provider lies, by their first words.
const JUDGED: [&str; 10] = [
    "I19",
    "I5:",
    "I6",
    "I12",
    "I17",
    "paused",
    "hooks",
    "the engine",
    "the trail",
    "no runtime",
];

impl World {
    /// Returns true if this violation is judged.
    pub(super) fn is_judged(&self, what: &str) -> bool {
        self.lies.is_none() || JUDGED.iter().any(|judged| what.starts_with(judged))
    }

    pub(super) fn lie(&mut self, kind: &'static str, server: u64, key: u64) -> bool {
        let now = self.now();
        let tells = self
            .lies
            .as_mut()
            .is_some_and(|lies| lies.tells(kind, server, key, now));
        if tells {
            self.fire(kind);
        }
        tells
    }

    /// Returns the name and the shown date with which the provider stores a new snapshot.
    pub(super) fn stored(
        &mut self,
        server: u64,
        id: u64,
        asked: &str,
        at: Timestamp,
    ) -> (String, Option<Timestamp>) {
        let hours = SignedDuration::from_hours;
        let name = if self.lie("lie: stores another name", server, id) {
            match id % 5 {
                0 => asked.to_uppercase(),
                1 => asked.replace('-', "_"),
                2 => asked.chars().take(asked.len().min(20) - 1).collect(),
                3 => format!("{asked}-1"),
                // A name that its rotation might have given to another slot's snapshot.
                _ => asked.replacen("202", "201", 1),
            }
        } else {
            asked.to_owned()
        };
        let date = if self.lie("lie: dates it 1970", server, id) {
            Timestamp::UNIX_EPOCH
        } else if self.lie("lie: dates it hours back", server, id) {
            at - hours(5)
        } else if self.lie("lie: dates it a day and more back", server, id) {
            at - hours(30)
        } else if self.lie("lie: dates it a month ahead", server, id) {
            at + hours(24 * 30)
        } else {
            at
        };
        (name, Some(date))
    }

    /// Records a snapshot that a rotation's create made. It may pay for a delete only if it was
    /// stored as requested.
    pub(super) fn made_for_rotation(&mut self, server: u64, id: u64, as_asked: bool) {
        let Some(lies) = &mut self.lies else {
            return;
        };
        lies.ours.insert(id);
        if as_asked {
            lies.made.entry(server).or_default().insert(id);
        }
    }

    /// Returns the answer to a create that succeeded.
    pub(super) fn answer_to_create(
        &mut self,
        server: u64,
        made: CreatedSnapshot,
    ) -> Result<CreatedSnapshot, ApiError> {
        let id = ids::number(&made.id);
        let rows = &self.servers[&server].rows;
        let older = rows.iter().map(|row| row.id).find(|other| *other != id);
        let created = |id: u64, name: &str| CreatedSnapshot {
            hostname: None,
            uuid: None,
            id: ids::snapshot(id),
            server_name: made.server_name.clone(),
            name: name.to_owned(),
        };
        if let Some(older) = older
            && self.lie("lie: answers with the id of an older one", server, id)
        {
            return Ok(created(older, &made.name));
        }
        let others = self.servers.iter().filter(|(other, _)| **other != server);
        let others = others.flat_map(|(_, other)| other.rows.iter().map(|row| row.id));
        if let Some(newest) = others.max()
            && self.lie("lie: answers with the id of another server's", server, id)
        {
            return Ok(created(newest, &made.name));
        }
        if self.lie("lie: answers with an id that nothing has", server, id) {
            return Ok(created(FIRST_FAKE + id, &made.name));
        }
        if self.lie("lie: answers with another name", server, id) {
            return Ok(created(id, "another-name"));
        }
        let refused = |kind, status| Err(super::true_state::error(kind, Some(status)));
        if self.lie("lie: says busy and makes it", server, id) {
            return refused(ErrorKind::Later, 409);
        }
        if self.lie("lie: says bad request and makes it", server, id) {
            return refused(ErrorKind::Refused, 400);
        }
        Ok(made)
    }

    /// Returns the true id of the snapshot that a listing showed under this id.
    pub(super) fn truly(&self, id: u64) -> u64 {
        let lies = self.lies.as_ref();
        lies.and_then(|lies| lies.ids.get(&id))
            .copied()
            .unwrap_or(id)
    }

    /// Returns the lie about a delete, if there is one.
    pub(super) fn lies_of_delete(&mut self, server: u64, id: u64) -> Option<DeleteLie> {
        if self.lie("lie: says deleted and keeps it", server, id) {
            return Some(DeleteLie::Kept(None));
        }
        if self.lie("lie: says not found and keeps it", server, id) {
            return Some(DeleteLie::Kept(Some((ErrorKind::Missing, 404))));
        }
        let forbidden = self.lie("lie: says forbidden and deletes it", server, id);
        forbidden.then_some(DeleteLie::Forbidden)
    }
}
