//! Listings that lie: rows that are hidden, made up, or shown differently from what they are.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::ids;
use super::lies::FIRST_FAKE;
use super::provider::World;
use super::true_state::{TrueSnapshot, shown};
use crate::core::snapshot::{Snapshot, Status};

/// The part that all rotations' snapshot names have in common.
pub(super) const OWN: &str = "-snapshot-";

impl World {
    /// Returns the rows as a listing shows them.
    pub(super) fn shows(&mut self, server: u64, rows: &[TrueSnapshot]) -> Vec<Snapshot> {
        if self.lies.is_none() {
            return rows.iter().map(shown).collect();
        }
        let mut seen = Vec::new();
        for row in rows {
            if self.lie("lie: hides one", server, row.id) {
                continue;
            }
            seen.push(self.shows_one(server, row, rows));
        }
        let newest = rows.iter().filter(|row| row.status == Status::Completed);
        let newest = newest.max_by_key(|row| row.made).cloned();
        if let Some(row) = newest
            && self.lie(
                "lie: shows a newer own one that isn't there",
                server,
                row.id,
            )
        {
            let hours = SignedDuration::from_hours;
            for nth in 1..=2 {
                let day = row.made + hours(24 * nth);
                let dashed = row
                    .name
                    .rfind(OWN)
                    .map_or(row.name.as_str(), |at| &row.name[..at + OWN.len()]);
                seen.push(Snapshot {
                    uuid: None,
                    id: ids::snapshot(FIRST_FAKE + row.id * 10 + nth.unsigned_abs()),
                    name: format!("{dashed}{}", day.strftime("%Y-%m-%d")),
                    status: Status::Completed,
                    created_at: Some(row.made + hours(nth)),
                });
            }
        }
        if self.lie("lie: shows foreign ones that aren't there", server, server) {
            while seen.len() < super::world_setup::LIMIT {
                let id = FIRST_FAKE + server * 100 + seen.len() as u64;
                seen.push(Snapshot {
                    uuid: None,
                    id: ids::snapshot(id),
                    name: format!("by-hand-{id}"),
                    status: Status::Completed,
                    created_at: Some(self.base),
                });
            }
        }
        let others = self.servers.iter().filter(|(other, _)| **other != server);
        let others = others.flat_map(|(_, other)| {
            let rows = other.rows.iter();
            rows.map(|row| (row.clone(), other.shown.contains(&row.id)))
        });
        let others: Vec<_> = others.collect();
        let mut claimed = BTreeSet::new();
        for (row, known) in &others {
            if self.lie("lie: shows another server's", server, row.id) {
                seen.push(shown(row));
                // Until a listing of its owner has shown it, the program can't see whose it is.
                claimed.extend(known.then_some(row.id));
            }
        }
        let now = self.now();
        if let Some(lies) = self.lies.as_mut().filter(|lies| lies.told_alone) {
            lies.claims.insert(server, (now, claimed));
        }
        let completed = seen.iter().filter(|row| row.status == Status::Completed);
        let completed = completed.map(|row| self.truly(ids::number(&row.id)));
        let completed: Vec<_> = completed.collect();
        if let Some(lies) = &mut self.lies {
            for id in completed {
                let mut of_id = rows.iter().filter(|row| row.id == id);
                let truly = of_id.any(|row| row.status == Status::Completed);
                *lies.shown_completed.entry(id).or_default() += if truly { 2 } else { 1 };
            }
        }
        seen
    }

    fn shows_one(&mut self, server: u64, row: &TrueSnapshot, rows: &[TrueSnapshot]) -> Snapshot {
        let mut snapshot = shown(row);
        let id = row.id;
        let status = match row.status {
            Status::Completed => {
                if self.lie("lie: shows completed as failed", server, id)
                    || self.lie("lie: shows all as failed", server, server)
                {
                    Some(Status::Failed)
                } else if self.lie("lie: shows completed as in progress", server, id) {
                    Some(Status::InProgress)
                } else {
                    None
                }
            }
            Status::Failed if self.lie("lie: shows failed as completed", server, id) => {
                Some(Status::Completed)
            }
            Status::InProgress if self.lie("lie: shows in progress as completed", server, id) => {
                Some(Status::Completed)
            }
            _ => None,
        };
        snapshot.status = status.unwrap_or(snapshot.status);
        if self.lie("lie: shows another name", server, id) {
            snapshot.name = format!("{}x", row.name);
        }
        if let Some(oldest) = rows.iter().min_by_key(|row| row.made)
            && oldest.id != id
            && self.lie("lie: shows an older one's name", server, id)
        {
            snapshot.name.clone_from(&oldest.name);
        }
        let own = rows.iter().find(|row| row.name.contains(OWN));
        if let Some(own) = own
            && !row.name.contains(OWN)
            && self.lie("lie: shows a foreign one as an old own one", server, id)
        {
            snapshot.name = own.name.replacen("202", "201", 1);
            snapshot.created_at = Some(self.base - SignedDuration::from_hours(24 * 3000));
        }
        if self.lie("lie: shows another date", server, id) {
            let hours = i64::try_from(id % 97).unwrap_or(0) - 60;
            snapshot.created_at = Some(row.made + SignedDuration::from_hours(hours));
        }
        if self.lie("lie: shows no date", server, id) {
            snapshot.created_at = None;
        }
        if self.lie("lie: shows another id", server, id) {
            let other = FIRST_FAKE + 50_000 + id;
            if let Some(lies) = &mut self.lies {
                lies.ids.insert(other, id);
            }
            snapshot.id = ids::snapshot(other);
        }
        snapshot
    }
}
