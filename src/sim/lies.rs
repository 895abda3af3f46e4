//! The lies of a seed, and what the rotation truly made and deleted.

use super::rng::Rng;
use crate::api::ErrorKind;
use crate::core::deliberate_breaks::Break;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of lies.
pub const LIES: [&str; 29] = [
    "lie: stores another name",
    "lie: dates it 1970",
    "lie: dates it hours back",
    "lie: dates it a day and more back",
    "lie: dates it a month ahead",
    "lie: answers with the id of an older one",
    "lie: answers with the id of another server's",
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
    "lie: shows another server's",
    "lie: says deleted and keeps it",
    "lie: says not found and keeps it",
    "lie: says forbidden and deletes it",
];

/// A lie about a delete.
pub(super) enum DeleteLie {
    /// Nothing is deleted; the answer is this error, or a success.
    Kept(Option<(ErrorKind, u16)>),
    /// It is deleted, and the answer is 403.
    Forbidden,
}

/// Returns the lie that exposes the rule that is broken on this thread. Random draws would choose
/// it too rarely.
fn weapon() -> Option<&'static str> {
    if Break::ContestForgotten.on() {
        return Some("lie: shows another server's");
    }
    if Break::OneListingPays.on() {
        return Some("lie: shows in progress as completed");
    }
    Break::ForeignForgotten
        .on()
        .then_some("lie: shows a foreign one as an old own one")
}

/// One lie of a seed.
#[derive(Clone, Copy)]
pub(super) struct Lie {
    pub(super) kind: &'static str,
    pub(super) server: Option<u64>,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// Odds in a thousand.
    pub(super) odds: u64,
    /// True if the draw for one snapshot is always the same.
    pub(super) steady: bool,
    /// How many more times it may be told; a steady lie is not counted.
    pub(super) left: u64,
}

/// The lies of a seed, and what the rotation's calls truly made and deleted.
pub(super) struct Lies {
    pub(super) rng: Rng,
    pub(super) told: Vec<Lie>,
    /// All snapshots that the rotation's calls made.
    pub(super) ours: BTreeSet<u64>,
    /// Those of them that may pay for a delete, by server.
    pub(super) made: BTreeMap<u64, BTreeSet<u64>>,
    /// Those that the rotation deleted because it never saw them completed. Once they are gone,
    /// they pay for nothing.
    pub(super) unmade: BTreeSet<u64>,
    pub(super) deleted: BTreeMap<u64, BTreeSet<u64>>,
    /// How often a listing showed a snapshot as completed, by its true id. A true listing counts
    /// twice.
    pub(super) shown_completed: BTreeMap<u64, u32>,
    /// The snapshots that were there, or had been made, when the last prune-first was sent, by
    /// server.
    pub(super) promised: BTreeMap<u64, BTreeSet<u64>>,
    /// The true ids of snapshots that are shown under another id.
    pub(super) ids: BTreeMap<u64, u64>,
    /// The snapshots of other servers that the last listing of each server showed in this process,
    /// and the time of that listing.
    pub(super) claims: BTreeMap<u64, (Timestamp, BTreeSet<u64>)>,
    /// True if the listing under way is of a single server and raises no doubt.
    pub(super) told_alone: bool,
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
                // If the listings of all servers lied, all servers would be blocked.
                server: (rng.chance(400) || Break::ContestForgotten.on())
                    .then(|| 1 + rng.below(servers)),
                from,
                until,
                odds: rng.pick(&[1000, 1000, 500, 100]),
                steady: rng.chance(700),
                left: rng.pick(&[u64::MAX, u64::MAX, u64::MAX, 1, 3]),
            }
        });
        let mut told: Vec<_> = lies.collect();
        // The id of another server's snapshot does harm only if a listing confirms it.
        let answers = |lie: &&Lie| lie.kind == "lie: answers with the id of another server's";
        let confirmed = told.iter().find(answers).map(|lie| Lie {
            kind: "lie: shows another server's",
            ..*lie
        });
        told.extend(confirmed);
        Self {
            told,
            rng,
            made: BTreeMap::new(),
            unmade: BTreeSet::new(),
            deleted: BTreeMap::new(),
            promised: BTreeMap::new(),
            shown_completed: BTreeMap::new(),
            ours: BTreeSet::new(),
            ids: BTreeMap::new(),
            claims: BTreeMap::new(),
            told_alone: false,
        }
    }

    /// Returns true if the provider tells this lie now.
    pub(super) fn tells(
        &mut self,
        kind: &'static str,
        server: u64,
        key: u64,
        now: Timestamp,
    ) -> bool {
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

    /// Adds one to each count, since the next process has no record of how often a snapshot was
    /// listed as completed, and drops the claims.
    pub(super) fn process_ended(&mut self) {
        self.shown_completed
            .values_mut()
            .for_each(|times| *times += 1);
        self.claims.clear();
    }

    /// Returns the other servers whose last listing showed this server's snapshot too, if that
    /// listing was answered before `requested`.
    pub(super) fn claimants(
        &self,
        server: u64,
        id: u64,
        requested: Timestamp,
    ) -> impl Iterator<Item = u64> {
        let claims = self.claims.iter();
        let claims = claims.filter(move |(claimant, (at, ids))| {
            **claimant != server && *at < requested && ids.contains(&id)
        });
        claims.map(|(claimant, _)| *claimant)
    }

    /// Forgets everything that only the lost trail recorded.
    pub(super) fn trail_lost(&mut self) {
        self.made.clear();
        self.deleted.clear();
        self.promised.clear();
    }
}

/// Ids of invented snapshots begin after this.
pub(super) const FIRST_FAKE: u64 = 900_000;
