//! The judge's input: rows whose owner is set when they are made, the judge's own ledger, and
//! values that are computed from both without `core`.

use std::collections::{BTreeMap, BTreeSet};

use snaprotate::core::snapshot::{Snapshot, Status};

/// Seconds from the start of the case; negative before it.
pub type Seconds = i64;

pub const MINUTE: Seconds = 60;
pub const SETTLE_WINDOW: Seconds = 10 * MINUTE;
pub const STUCK_AFTER: Seconds = 60 * MINUTE;
pub const SHRINK_GRACE: Seconds = 60 * MINUTE;
pub const ATTEMPTS: u32 = 3;
/// The time that a date may lie ahead.
const AHEAD: Seconds = 5 * MINUTE;

/// The owner of a snapshot: the rotation, and the number of days since its slot.
pub type Owner = Option<(usize, i64)>;

/// A snapshot of the model.
#[derive(Clone, Debug)]
pub struct Row {
    pub snapshot: Snapshot,
    pub owner: Owner,
    pub protected: bool,
    /// The date of `snapshot`, as seconds.
    pub made: Option<Seconds>,
}

impl Row {
    /// Returns true if the row is not newer than the other, neither by its date nor by its slot.
    pub fn oldest_with(&self, other: &Self) -> bool {
        let days = |row: &Self| row.owner.map(|(_, days)| days);
        self.made <= other.made && days(self) >= days(other)
    }

    /// Returns true if the row is older by date, then by id.
    pub fn older(&self, other: &Self) -> bool {
        (self.made, self.snapshot.id.clone()) < (other.made, other.snapshot.id.clone())
    }
}

/// A policy as plain numbers.
#[derive(Clone, Debug)]
pub struct Wants {
    pub keep: Vec<usize>,
    pub prune_first: bool,
    pub delete_stuck: bool,
    pub min_completed: usize,
    pub limit: usize,
    /// For each rotation, the name of its due slot's snapshot.
    pub due: Vec<String>,
}

/// A mutation whose effect has not been seen.
#[derive(Clone, Debug)]
pub enum Pending {
    Create {
        name: String,
        known: BTreeSet<u64>,
        id: Option<u64>,
        since: Seconds,
    },
    Delete {
        id: u64,
        since: Seconds,
    },
}

/// The judge's own record of the case.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Paused, or a restore began a short while ago.
    pub held: bool,
    /// The listing, the name or the clock is wrong.
    pub doubtful: bool,
    pub open: Option<Pending>,
    /// The time at which the last mutation was answered.
    pub answered: Option<Seconds>,
    /// The victim of a prune-first since which the rotation made nothing.
    pub given: Option<u64>,
    /// Announced deletions, with the time of the announcement.
    pub announced: BTreeMap<u64, Seconds>,
    /// Snapshots that the rotation's creates made, by the answer or by adoption.
    pub ours: BTreeSet<u64>,
    /// Snapshots that the rotation made and saw completed.
    pub made: BTreeSet<u64>,
    /// Completed snapshots whose deletion was paid for by one of these.
    pub spent: BTreeSet<u64>,
    /// For each unfinished own one, the time at which it was first seen and its age then.
    pub watched: BTreeMap<u64, (Seconds, Seconds)>,
    /// Names of slots that have ended.
    pub ended: BTreeSet<String>,
    pub attempts: BTreeMap<String, u32>,
}

/// The basis on which a step is judged.
pub struct View<'a> {
    pub wants: &'a Wants,
    pub rows: &'a [Row],
    pub ledger: &'a Ledger,
    pub now: Seconds,
    /// The time at which the listing was requested.
    pub requested: Seconds,
}

/// The rotations' names, in the order of the file.
pub const ROTATIONS: [&str; 2] = ["a", "b"];

impl View<'_> {
    pub fn row(&self, id: u64) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.snapshot.id.number().unwrap() == id)
    }

    pub fn shows(&self, id: u64) -> bool {
        self.row(id).is_some()
    }

    pub fn full(&self) -> bool {
        self.rows.len() >= self.wants.limit
    }

    /// Returns true if the date is readable and not in the future.
    pub fn dated(&self, row: &Row) -> bool {
        row.made.is_some_and(|made| made - self.now <= AHEAD)
    }

    /// Returns true if the row is own and completed and has a reliable date.
    pub fn completed(&self, row: &Row) -> bool {
        row.owner.is_some() && row.snapshot.status == Status::Completed && self.dated(row)
    }

    /// Returns the rows that count for `keep` of a rotation.
    pub fn counted(&self, rotation: usize) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| {
            let of = row.owner.is_some_and(|(index, _)| index == rotation);
            of && !row.protected && self.completed(row)
        })
    }

    fn unfinished(row: &Row) -> bool {
        let status = &row.snapshot.status;
        row.owner.is_some() && matches!(status, Status::InProgress | Status::Unknown(_))
    }

    pub fn stuck(&self, row: &Row) -> bool {
        let watched = self.ledger.watched.get(&row.snapshot.id.number().unwrap());
        let age = watched.map(|(since, age)| age + self.now - since);
        Self::unfinished(row) && age.is_some_and(|age| age >= STUCK_AFTER)
    }

    pub fn under_way(&self, row: &Row) -> bool {
        Self::unfinished(row) && !self.stuck(row)
    }

    /// Returns true if a rotation's due slot has neither ended nor a completed snapshot.
    pub fn unsettled(&self, rotation: usize) -> bool {
        let ended = self.ledger.ended.contains(&self.wants.due[rotation]);
        !ended && !self.served(rotation)
    }

    /// Returns true if a rotation's due slot has a completed snapshot.
    pub fn served(&self, rotation: usize) -> bool {
        self.rows
            .iter()
            .any(|row| row.owner == Some((rotation, 0)) && row.snapshot.status == Status::Completed)
    }

    /// I7: Returns true if nothing was given up since the rotation made one, or only this very one.
    pub fn may_give(&self, id: u64) -> bool {
        self.ledger.given.is_none_or(|victim| victim == id)
    }

    /// I19: Returns true if a snapshot that the rotation made can pay, or the deletion was
    /// announced.
    pub fn may_spend(&self, id: u64) -> bool {
        let Ledger { spent, made, .. } = self.ledger;
        self.is_announced(id) || spent.contains(&id) || spent.len() < made.len()
    }

    /// I19: Returns true if the deletion was announced long enough ago.
    pub fn is_announced(&self, id: u64) -> bool {
        let since = self.ledger.announced.get(&id);
        since.is_some_and(|since| self.now - since >= SHRINK_GRACE)
    }
}

impl Ledger {
    /// Records the rows of a listing.
    pub fn look(&mut self, rows: &[Row], now: Seconds) {
        let awaited = match &self.open {
            Some(Pending::Create { id, .. }) => *id,
            _ => None,
        };
        self.watched.retain(|id, _| {
            awaited == Some(*id)
                || rows
                    .iter()
                    .any(|row| row.snapshot.id.number().unwrap() == *id)
        });
        for row in rows.iter().filter(|row| View::unfinished(row)) {
            let age = row.made.map_or(0, |made| (now - made).max(0));
            let id = row.snapshot.id.number().unwrap();
            self.watched.entry(id).or_insert((now, age));
        }
    }
}
