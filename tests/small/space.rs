//! The enumerated cases, and how they are counted.
//!
//! An inventory is a **multiset** of letters: two snapshots that differ only in their id are one
//! case and not two. Ids rise in the order of the alphabet, and the listing shows them in that
//! order. A turned inventory has falling ids and the reverse order, so that ties go both ways; it
//! counts as a case of its own. `when_full` and `min_completed` vary only where two creates could
//! fill the server: with more room they make no difference.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use snaprotate::core::server_event::ClockReading;
use snaprotate::core::snapshot::{Snapshot, SnapshotId, Status};

use super::view::{MINUTE, Owner, ROTATIONS, Row, Seconds};

/// The day of a case. The first slot of both rotations is due an hour before the case begins.
pub const TODAY: Date = date(2026, 11, 22);
pub const DAY: Seconds = 24 * 60 * MINUTE;
pub const GRACE: Seconds = 30;
pub const POLL: Seconds = 15;
/// Protected by name, under every policy.
pub const PROTECTED: &str = "a-2026-11-12";

/// Returns an instant of a case on both clocks. Records of earlier processes have no monotonic
/// time; that of this process may be negative, since only differences count.
pub fn clock(at: Seconds) -> ClockReading {
    ClockReading {
        wall: wall(at),
        mono: SignedDuration::from_secs(at),
    }
}

pub fn wall(at: Seconds) -> Timestamp {
    let start = TODAY.at(4, 0, 0, 0).to_zoned(TimeZone::UTC);
    start.expect("a time").timestamp() + SignedDuration::from_secs(at)
}

/// Returns the instant of the slot `days` days ago.
pub fn slot(days: i64) -> Timestamp {
    wall(-DAY * days - 60 * MINUTE)
}

/// Returns the name of a prefix and a day.
pub fn name(prefix: &str, days: i64) -> String {
    let day = TODAY.checked_sub(days.days()).expect("a day");
    format!("{prefix}-{day}")
}

/// A kind of snapshot.
#[derive(Clone, Debug)]
pub struct Letter {
    pub name: String,
    pub owner: Owner,
    pub protected: bool,
    pub status: Status,
    pub made: Option<Seconds>,
}

/// A set of cases that is enumerated together.
#[derive(Clone, Copy, Debug)]
pub struct Tier {
    pub title: &'static str,
    /// The provider's limit, and the most snapshots of an inventory.
    pub limit: usize,
    pub rotations: usize,
    pub letters: fn() -> Vec<Letter>,
    pub policies: Policies,
}

/// The policies of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policies {
    All,
    /// For a short run: no `delete_stuck`, `min_completed` 1, and the extreme values of `keep`.
    Few,
}

const C: Status = Status::Completed;
const P: Status = Status::InProgress;
const F: Status = Status::Failed;

fn unknown() -> Status {
    Status::Unknown("archiving".to_owned())
}

/// Returns an own snapshot made five minutes after its slot.
pub fn own(rotation: usize, days: i64, status: Status) -> Letter {
    Letter {
        name: name(ROTATIONS[rotation], days),
        owner: Some((rotation, days)),
        protected: false,
        status,
        made: Some(-days * DAY - 55 * MINUTE),
    }
}

fn at(made: impl Into<Option<Seconds>>, letter: Letter) -> Letter {
    Letter {
        made: made.into(),
        ..letter
    }
}

fn protected(letter: Letter) -> Letter {
    Letter {
        protected: true,
        ..letter
    }
}

/// Returns one that is named by the first rotation's former pattern.
fn former(days: i64, status: Status) -> Letter {
    Letter {
        name: name("old", days),
        ..own(0, days, status)
    }
}

fn foreign(name: &str, status: Status, made: Seconds) -> Letter {
    Letter {
        name: name.to_owned(),
        owner: None,
        protected: false,
        status,
        made: Some(made),
    }
}

/// A small alphabet for one rotation, for full inventories of five.
pub fn five_of_one() -> Vec<Letter> {
    vec![
        own(0, 0, C),
        own(0, 0, P),
        own(0, 0, F),
        own(0, 1, C),
        own(0, 1, P),
        own(0, 1, F),
        own(0, 2, C),
        own(0, 4, C),
        at(-10 * MINUTE, own(0, 5, C)),
        at(DAY, own(0, 2, C)),
        protected(own(0, 1, C)),
        former(0, C),
        own(0, 2, unknown()),
        foreign("by-hand", C, -2 * DAY),
    ]
}

/// A small alphabet for two rotations, for full inventories of five.
pub fn five_of_two() -> Vec<Letter> {
    vec![
        own(0, 0, C),
        own(0, 0, P),
        own(0, 1, C),
        own(0, 1, F),
        own(0, 2, C),
        own(0, 4, C),
        own(1, 0, C),
        own(1, 0, F),
        own(1, 7, C),
        own(1, 7, P),
        own(1, 14, C),
        protected(own(1, 7, C)),
        foreign("by-hand", C, -2 * DAY),
    ]
}

/// The short alphabet: the most important letters of the two small ones.
pub fn few() -> Vec<Letter> {
    vec![
        own(0, 0, C),
        own(0, 0, P),
        own(0, 1, C),
        own(0, 1, F),
        own(1, 7, C),
        at(5 * MINUTE + 1, own(0, 3, C)),
        former(0, P),
        foreign("by-hand", C, -2 * DAY),
    ]
}

/// A large alphabet for one rotation on a provider that allows three: every status × every owner ×
/// every kind of date.
pub fn three_of_one() -> Vec<Letter> {
    let mut letters = Vec::new();
    for status in [C, P, F, unknown()] {
        for days in [0, 1, 2] {
            letters.push(own(0, days, status.clone()));
        }
        letters.push(former(0, status.clone()));
        letters.push(former(1, status.clone()));
        letters.push(own(0, 10, status.clone()));
        letters.push(protected(own(0, 1, status.clone())));
        letters.push(at(-10 * MINUTE, own(0, 5, status.clone())));
        letters.push(at(-DAY, own(0, 0, status.clone())));
        for odd in [Some(5 * MINUTE + 1), None] {
            letters.push(at(odd, own(0, 0, status.clone())));
            letters.push(at(odd, own(0, 1, status.clone())));
        }
        letters.push(foreign("by-hand", status, -2 * DAY));
    }
    letters.extend(near_misses());
    letters
}

/// A large alphabet for two rotations on a provider that allows three.
pub fn three_of_two() -> Vec<Letter> {
    let mut letters = Vec::new();
    for status in [C, P, F, unknown()] {
        for (rotation, days) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 7)] {
            letters.push(own(rotation, days, status.clone()));
        }
        letters.push(at(-10 * MINUTE, own(0, 5, status.clone())));
        letters.push(at(None, own(1, 0, status.clone())));
        letters.push(protected(own(1, 7, status)));
    }
    // Dates that contradict the names, and equal dates across the rotations.
    letters.push(at(-30 * DAY, own(0, 1, C)));
    letters.push(at(-DAY - 55 * MINUTE, own(1, 7, C)));
    letters.push(at(-DAY - 55 * MINUTE, own(0, 4, C)));
    letters.extend(near_misses());
    letters
}

/// Names that a rotation's pattern almost gives: foreign, however new they are.
fn near_misses() -> [Letter; 4] {
    [
        foreign("a-2026-02-30", C, -20 * DAY),
        foreign("A-2026-11-22", C, -55 * MINUTE),
        foreign("a-2026-11-22-1", F, -55 * MINUTE),
        foreign("b-2026-11-2\u{662}", C, -8 * DAY),
    ]
}

/// An inventory: its rows with their owners and protection.
#[derive(Clone, Debug)]
pub struct Inventory {
    pub rows: Vec<Row>,
}

impl Inventory {
    /// Returns the rows of these letters. If turned, their ids fall and the listing is reversed.
    pub fn new(letters: &[&Letter], turned: bool) -> Self {
        let count = letters.len() as u64;
        let mut rows: Vec<_> = (0..count)
            .zip(letters)
            .map(|(index, letter)| Row {
                snapshot: Snapshot {
                    uuid: None,
                    id: SnapshotId::from(if turned { count - index } else { index + 1 }),
                    name: letter.name.clone(),
                    status: letter.status.clone(),
                    created_at: letter.made.map(wall),
                },
                owner: letter.owner,
                protected: letter.protected || letter.name == PROTECTED,
                made: letter.made,
            })
            .collect();
        if turned {
            rows.reverse();
        }
        Self { rows }
    }
}

/// Calls `each` with every multiset of up to `most` of the letters.
pub fn multisets<'a>(letters: &'a [Letter], most: usize, each: &mut dyn FnMut(&[&'a Letter])) {
    fn grow<'a>(
        letters: &'a [Letter],
        room: usize,
        chosen: &mut Vec<&'a Letter>,
        each: &mut dyn FnMut(&[&'a Letter]),
    ) {
        each(chosen);
        if room == 0 {
            return;
        }
        for (index, letter) in letters.iter().enumerate() {
            chosen.push(letter);
            grow(&letters[index..], room - 1, chosen, each);
            chosen.pop();
        }
    }
    grow(letters, most, &mut Vec::new(), each);
}

/// All tiers, the short one first.
pub const TIERS: [Tier; 5] = [
    Tier {
        title: "two rotations, up to 2 of 2, a few letters and policies",
        limit: 2,
        rotations: 2,
        letters: few,
        policies: Policies::Few,
    },
    Tier {
        title: "one rotation, up to 5 of 5",
        limit: 5,
        rotations: 1,
        letters: five_of_one,
        policies: Policies::All,
    },
    Tier {
        title: "two rotations, up to 5 of 5",
        limit: 5,
        rotations: 2,
        letters: five_of_two,
        policies: Policies::All,
    },
    Tier {
        title: "one rotation, up to 3 of 3, more letters",
        limit: 3,
        rotations: 1,
        letters: three_of_one,
        policies: Policies::All,
    },
    Tier {
        title: "two rotations, up to 3 of 3, more letters",
        limit: 3,
        rotations: 2,
        letters: three_of_two,
        policies: Policies::All,
    },
];
