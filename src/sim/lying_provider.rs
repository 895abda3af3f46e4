//! A provider that lies: in names, ids, dates, status words, counts and codes, always, for a while
//! or once.
//!
//! In seeds with lies only those rules are judged that no lie can affect: no more good snapshots
//! are deleted than were made, and the program keeps its own obligations.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::ids;
use super::lying_listing::FIRST_FAKE;
use super::provider::World;
use super::rng::Rng;
use crate::api::{ApiError, CreatedSnapshot, ErrorKind};
use crate::core::deliberate_breaks::Break;

/// The kinds of lies.
pub const LIES: [&str; 27] = [
    "lie: stores another name",
    "lie: dates it 1970",
    "lie: dates it hours back",
    "lie: dates it a day and more back",
    "lie: dates it a month ahead",
    "lie: answers with the id of an older one",
    "lie: answers with an id that nothing has",
    "lie: answers with another name",
    "lie: says busy and makes it",
    "lie: says bad request and makes it",
    "lie: shows completed as failed",
    "lie: shows all as failed",
    "lie: shows failed as completed",
    "lie: shows completed as in progress",
    "lie: shows in progress as completed",
    "lie: shows another name",
    "lie: shows an older one's name",
    "lie: shows a foreign one as an old own one",
    "lie: shows another date",
    "lie: shows no date",
    "lie: shows another id",
    "lie: hides one",
    "lie: shows a newer own one that isn't there",
    "lie: shows foreign ones that aren't there",
    "lie: says deleted and keeps it",
    "lie: says not found and keeps it",
    "lie: says forbidden and deletes it",
];

/// The violations that are judged although the provider lies, by their first words.
const JUDGED: [&str; 9] = [
    "I19",
    "I5:",
    "I6",
    "I12",
    "I17",
    "paused",
    "hooks",
    "the trail",
    "no runtime",
];

/// A lie about a delete.
pub(super) enum DeleteLie {
    /// Nothing is deleted; the answer is this error, or a success.
    Kept(Option<(ErrorKind, u16)>),
    /// It is deleted, and the answer is 403.
    Forbidden,
}

/// Returns the lie that does harm under the rule that is broken on this thread. Drawn lies hit such
/// a rule too rarely.
fn weapon() -> Option<&'static str> {
    Break::ForeignForgotten
        .on()
        .then_some("lie: shows a foreign one as an old own one")
}

/// One lie of a seed.
struct Lie {
    kind: &'static str,
    server: Option<u64>,
    from: Timestamp,
    until: Timestamp,
    /// Odds in a thousand.
    odds: u64,
    /// The draw for one snapshot is always the same.
    steady: bool,
    /// Times that it may still be told; a steady lie is not counted.
    left: u64,
}

/// The lies of a seed, and what the rotation's calls truly made and deleted.
pub(super) struct Lies {
    rng: Rng,
    told: Vec<Lie>,
    /// All snapshots that the rotation's calls made.
    pub(super) ours: BTreeSet<u64>,
    /// Those of them that may pay for a delete, by server.
    pub(super) made: BTreeMap<u64, BTreeSet<u64>>,
    /// Those that the rotation deletes as never completed: once gone they pay for nothing.
    pub(super) unmade: BTreeSet<u64>,
    pub(super) deleted: BTreeMap<u64, BTreeSet<u64>>,
    /// How often a listing showed a snapshot completed, by its true id. A true listing counts twice.
    pub(super) shown_completed: BTreeMap<u64, u32>,
    /// The number of payments when the last prune-first was sent, by server.
    pub(super) promised: BTreeMap<u64, usize>,
    /// The true ids of snapshots that are shown under another id.
    pub(super) ids: BTreeMap<u64, u64>,
}

impl Lies {
    pub(super) fn draw(seed: u64, servers: u64, start: Timestamp, days: i64) -> Self {
        let mut rng = Rng::new(seed ^ 0x006c_6965_7300);
        let span = SignedDuration::from_hours(24 * days);
        let count = 1 + rng.below(3);
        let lies = (0..count).map(|nth| {
            let kind = rng.pick(&LIES);
            let from = match rng.below(3) {
                0 => start,
                _ => start + rng.time(SignedDuration::ZERO, span),
            };
            let until = match rng.below(2) {
                0 => start + span * 2,
                _ => from + rng.time(SignedDuration::ZERO, span),
            };
            Lie {
                kind: weapon().filter(|_| nth == 0).unwrap_or(kind),
                server: rng.chance(400).then(|| 1 + rng.below(servers)),
                from,
                until,
                odds: rng.pick(&[1000, 1000, 500, 100]),
                steady: rng.chance(700),
                left: rng.pick(&[u64::MAX, u64::MAX, u64::MAX, 1, 3]),
            }
        });
        Self {
            told: lies.collect(),
            rng,
            made: BTreeMap::new(),
            unmade: BTreeSet::new(),
            deleted: BTreeMap::new(),
            promised: BTreeMap::new(),
            shown_completed: BTreeMap::new(),
            ours: BTreeSet::new(),
            ids: BTreeMap::new(),
        }
    }

    /// Returns true if it tells this lie now.
    fn tells(&mut self, kind: &'static str, server: u64, key: u64, now: Timestamp) -> bool {
        let Self { rng, told, .. } = self;
        let Some(lie) = told.iter_mut().find(|lie| {
            let at = lie.from <= now && now < lie.until;
            lie.kind == kind && at && lie.left > 0 && lie.server.is_none_or(|s| s == server)
        }) else {
            return false;
        };
        let drawn = if lie.steady {
            Rng::new(key ^ kind.len() as u64).below(1000)
        } else {
            rng.below(1000)
        };
        let tells = drawn < lie.odds;
        if tells && !lie.steady {
            lie.left -= 1;
        }
        tells
    }

    /// Accepts that the next process does not know how often a snapshot was listed as completed.
    pub(super) fn process_ended(&mut self) {
        self.shown_completed
            .values_mut()
            .for_each(|times| *times += 1);
    }

    /// Forgets everything that only the lost trail recorded.
    pub(super) fn trail_lost(&mut self) {
        self.made.clear();
        self.deleted.clear();
        self.promised.clear();
    }
}

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
                // A name that its rotation might have given another slot.
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

    /// Returns the answer to a create that worked.
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
        if self.lie("lie: answers with an id that nothing has", server, id) {
            return Ok(created(FIRST_FAKE + id, &made.name));
        }
        if self.lie("lie: answers with another name", server, id) {
            return Ok(created(id, "another-name"));
        }
        let refused = |kind, status| Err(super::provider::error(kind, Some(status)));
        if self.lie("lie: says busy and makes it", server, id) {
            return refused(ErrorKind::Later, 409);
        }
        if self.lie("lie: says bad request and makes it", server, id) {
            return refused(ErrorKind::Refused, 400);
        }
        Ok(made)
    }

    /// Returns the true id of an id that a listing showed.
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
