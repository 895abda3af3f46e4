//! The rows that listings showed, whether they were true or not.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::ids;
use crate::core::snapshot::{Snapshot, Status};

/// Number of listings of a server on one of which a delete may rest.
const LISTINGS: usize = 3;

/// The rows that the last listings of each server showed.
#[derive(Default)]
pub(super) struct ShownRows(BTreeMap<u64, VecDeque<Vec<Snapshot>>>);

impl ShownRows {
    pub(super) fn listed(&mut self, server: u64, rows: &[Snapshot]) {
        let shown = self.0.entry(server).or_default();
        shown.push_back(rows.to_vec());
        if shown.len() > LISTINGS {
            shown.pop_front();
        }
    }

    /// Returns true if a listing showed the snapshot, completed, under this name and date.
    pub(super) fn show(&self, server: u64, id: u64, name: &str, date: Timestamp) -> bool {
        let rows = self.0.get(&server).into_iter().flatten().flatten();
        let mut of_id = rows.filter(|row| ids::number(&row.id) == id);
        of_id.any(|row| {
            let completed = row.status == Status::Completed;
            row.name == name && row.created_at == Some(date) && completed
        })
    }
}
