//! The setup that is drawn from the seed beforehand: the servers, their policies and the rates of
//! faults.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::ids;
use super::rng::Rng;
use crate::core::name_pattern::Pattern;
use crate::core::policy::{Policy, Rotation, Rules, WhenFull};
use crate::core::schedule::Schedule;

/// The maximum number of snapshots on a server.
pub(super) const LIMIT: usize = 5;
pub(super) const POLL: SignedDuration = SignedDuration::from_mins(1);
pub(super) const SETTLE: SignedDuration = SignedDuration::from_mins(10);
pub(super) const CALL: SignedDuration = SignedDuration::from_secs(30);
pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(1);
pub(super) const STUCK: SignedDuration = SignedDuration::from_hours(1);

/// Returns the rules of every simulation.
pub(super) fn rules() -> Rules {
    Rules {
        limit: LIMIT,
        poll_interval: POLL,
        settle_window: SETTLE,
        stuck_after: STUCK,
        retry_after: SignedDuration::from_mins(15),
        restore_window: SignedDuration::from_mins(30),
        shrink_grace: GRACE,
        request_timeout: CALL,
        due_until: None,
        count_all: false,
    }
}

/// Name, schedule, and true if the snapshot names contain the time of day.
const SCHEDULES: [(&str, &str, bool); 6] = [
    ("daily", "0 3 * * *", false),
    // In the hour that a zone skips or repeats when summer time begins or ends.
    ("night", "30 2 * * *", false),
    ("weekly", "0 3 * * Sun", false),
    ("monthly", "0 4 1 * *", false),
    ("six-hourly", "0 */6 * * *", true),
    ("twice", "0 1,13 * * *", true),
];

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Malta",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];

/// Start times: shortly before summer time begins, before it ends, before a leap day and before a
/// new year, and in an ordinary month.
const STARTS: [&str; 5] = [
    "2026-03-22T00:00:00Z",
    "2026-10-18T00:00:00Z",
    "2028-02-20T00:00:00Z",
    "2026-12-24T00:00:00Z",
    "2027-06-10T00:00:00Z",
];

/// A rotation as the judge sees it, without the program's own code for names.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent settings of a rotation"
)]
#[derive(Clone, Debug)]
pub(super) struct JudgedRotation {
    pub(super) prefix: String,
    pub(super) timed: bool,
    pub(super) keep: usize,
    pub(super) prune_first: bool,
    pub(super) hooked: bool,
    pub(super) stops: bool,
    pub(super) attempts: u32,
}

/// A policy as the judge sees it.
#[derive(Clone, Debug)]
pub(super) struct JudgedPolicy {
    pub(super) rotations: Vec<JudgedRotation>,
    pub(super) protected_names: BTreeSet<String>,
    pub(super) protected_ids: BTreeSet<u64>,
    pub(super) min_completed: usize,
    pub(super) delete_stuck: bool,
}

impl JudgedPolicy {
    /// Returns the index of the rotation to which a snapshot with this name belongs.
    pub(super) fn rotation(&self, name: &str) -> Option<usize> {
        self.rotations.iter().position(|r| {
            name.strip_prefix(&r.prefix)
                .is_some_and(|rest| is_date(rest, r.timed))
        })
    }

    pub(super) fn protects(&self, id: u64, name: &str) -> bool {
        self.protected_ids.contains(&id) || self.protected_names.contains(name)
    }
}

/// Returns true if the text is a calendar date, followed by a time of day if `timed`.
fn is_date(text: &str, timed: bool) -> bool {
    let fields: Vec<&str> = text.split('-').collect();
    let widths: &[usize] = if timed { &[4, 2, 2, 4] } else { &[4, 2, 2] };
    if fields.iter().map(|f| f.len()).ne(widths.iter().copied()) {
        return false;
    }
    let numbers: Option<Vec<u32>> = fields
        .iter()
        .map(|f| {
            f.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| f.parse().ok())?
        })
        .collect();
    let Some(numbers) = numbers else {
        return false;
    };
    let (year, month, day) = (numbers[0], numbers[1], numbers[2]);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    let clock = numbers.get(3).is_none_or(|t| t / 100 < 24 && t % 100 < 60);
    (1..=days).contains(&day) && clock
}

/// A policy as the program gets it, and as the judge sees it.
pub(super) type SeededPolicy = (Arc<Policy>, JudgedPolicy);

/// The rate of each kind of fault, per thousand calls.
#[derive(Clone, Debug)]
pub(super) struct FaultRates(pub(super) Vec<(&'static str, u64)>);

impl FaultRates {
    /// Draws the rates: on average, of ten kinds of faults four are absent, five are rare and one
    /// is frequent.
    fn draw(rng: &mut Rng, kinds: &[&'static str]) -> Self {
        let mut odds = Vec::new();
        for kind in kinds {
            let odd = match rng.below(10) {
                0..4 => 0,
                4..9 => 5 + rng.below(60),
                _ => 100 + rng.below(250),
            };
            odds.push((*kind, odd));
        }
        Self(odds)
    }

    /// Returns the fault of a call for which this number below 1000 was drawn, if any.
    pub(super) fn strikes(&self, drawn: u64) -> Option<&'static str> {
        let mut sum = 0;
        self.0.iter().find_map(|(kind, odd)| {
            sum += odd;
            (drawn < sum).then_some(*kind)
        })
    }
}

/// Faults of listings.
pub const LISTING_FAULTS: [&str; 11] = [
    "listing: connection refused",
    "listing: 500",
    "listing: timeout",
    "listing: 429",
    "listing: very slow",
    "listing: stale",
    "listing: count differs",
    "listing: another server's rows",
    "listing: unreadable row",
    "listing: lacks a row",
    "listing: pages shift",
];

/// Faults of creates.
pub const CREATE_FAULTS: [&str; 10] = [
    "create: 400",
    "create: 409",
    "create: connection refused",
    "create: 403",
    "create: no answer, not done",
    "create: no answer, done",
    "create: no answer, done late",
    "create: 500, not done",
    "create: 500, done",
    "create: 500, done late",
];

/// Faults of the snapshots that are made.
pub const FATES: [&str; 8] = [
    "snapshot: stuck",
    "snapshot: fails",
    "snapshot: vanishes",
    "snapshot: unknown status",
    "snapshot: made twice",
    "snapshot: no date",
    "snapshot: future date",
    "snapshot: slow",
];

/// Faults of deletes.
pub const DELETE_FAULTS: [&str; 8] = [
    "delete: 403",
    "delete: 409",
    "delete: no answer, not done",
    "delete: no answer, done",
    "delete: no answer, done late",
    "delete: 500, not done",
    "delete: 500, done",
    "delete: 500, done late",
];

/// Index of the policy that differs from a server's first policy only in the id.
pub(super) const ONLY_ID: usize = 2;

/// The setup that is drawn from the seed beforehand.
pub(super) struct WorldSetup {
    pub(super) start: Timestamp,
    pub(super) rules: Rules,
    /// The lag of every listing.
    pub(super) lag: SignedDuration,
    /// For each server, the policies between which reloads switch.
    pub(super) wanted: Vec<Vec<SeededPolicy>>,
    pub(super) listing: FaultRates,
    pub(super) create: FaultRates,
    pub(super) fate: FaultRates,
    pub(super) delete: FaultRates,
}

impl WorldSetup {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let start: Timestamp = rng.pick(&STARTS).parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let start = start + rng.time(SignedDuration::ZERO, SignedDuration::from_hours(24));
        // Six are more than the engine lists one by one.
        let servers = rng.pick(&[2, 3, 3, 4, 6]);
        let wanted = (1..=servers).map(|id| policies(rng, id)).collect();
        Self {
            start,
            rules: rules(),
            lag: SignedDuration::ZERO,
            wanted,
            listing: FaultRates::draw(rng, &LISTING_FAULTS),
            create: FaultRates::draw(rng, &CREATE_FAULTS),
            fate: FaultRates::draw(rng, &FATES),
            delete: FaultRates::draw(rng, &DELETE_FAULTS),
        }
    }

    /// Returns the setup of one server without random faults.
    pub(super) fn calm(start: Timestamp, wanted: SeededPolicy) -> Self {
        let calm = || FaultRates(Vec::new());
        Self {
            start,
            rules: rules(),
            lag: SignedDuration::ZERO,
            wanted: vec![vec![wanted]],
            listing: calm(),
            create: calm(),
            fate: calm(),
            delete: calm(),
        }
    }
}

fn policies(rng: &mut Rng, id: u64) -> Vec<SeededPolicy> {
    let first = policy(rng, id);
    let mut second = policy(rng, id);
    // Most edits are small: the same rotations with a smaller `keep` and another protection.
    if rng.chance(700) {
        let (mut policy, mut view) = ((*first.0).clone(), first.1.clone());
        for (rotation, seen) in policy.rotations.iter_mut().zip(&mut view.rotations) {
            rotation.keep = (rotation.keep - 1).max(1);
            seen.keep = rotation.keep;
        }
        policy.protected_ids.clone_from(&second.0.protected_ids);
        view.protected_ids.clone_from(&second.1.protected_ids);
        second = (Arc::new(policy), view);
    }
    if !ids::are_edited() {
        return vec![first, second];
    }
    let renamed = |policy: &Policy| {
        let server = ids::other_server(id);
        Arc::new(Policy {
            server,
            ..policy.clone()
        })
    };
    let third = (renamed(&first.0), first.1.clone());
    second.0 = renamed(&second.0);
    vec![first, second, third]
}

fn policy(rng: &mut Rng, id: u64) -> SeededPolicy {
    let zone = TimeZone::get(rng.pick(&ZONES)).unwrap_or(TimeZone::UTC);
    let first = usize::try_from(rng.below(6)).unwrap_or(0);
    let two = rng.chance(500);
    let chosen = [Some(first), two.then_some((first + 2) % 6)];
    let when_full = if rng.chance(750) {
        WhenFull::PruneFirst
    } else {
        WhenFull::Skip
    };
    let mut rotations = Vec::new();
    let mut views = Vec::new();
    for (name, expression, timed) in chosen.into_iter().flatten().map(|index| SCHEDULES[index]) {
        // Up to the limit, so that some servers are always full.
        let most = match (two, rotations.is_empty()) {
            (false, _) => 5,
            (true, true) => 3,
            (true, false) => 2,
        };
        let keep = usize::try_from(1 + rng.below(most)).unwrap_or(1);
        let text = if timed {
            "{name}-snapshot-%Y-%m-%d-%H%M"
        } else {
            "{name}-snapshot-%Y-%m-%d"
        };
        let (Ok(schedule), Ok(pattern)) = (
            Schedule::new(expression, zone.clone()),
            Pattern::new(text, name),
        ) else {
            continue;
        };
        let hours = rng.pick(&[0, 0, 3, 12]);
        let splay = SignedDuration::from_mins(rng.pick(&[0, 0, 7]));
        let attempts = u32::try_from(1 + rng.below(3)).unwrap_or(1);
        rotations.push(Rotation {
            name: name.into(),
            schedule: Arc::new(schedule),
            keep,
            pattern,
            former: Vec::new(),
            description: None,
            catch_up: (hours > 0).then(|| SignedDuration::from_hours(hours)),
            splay,
            attempts,
            when_full,
            hooks: None,
            stop: None,
        });
        views.push(JudgedRotation {
            prefix: format!("{name}-snapshot-"),
            timed,
            keep,
            prune_first: when_full == WhenFull::PruneFirst,
            hooked: false,
            stops: false,
            attempts,
        });
    }
    // The ids of each server's first rows count up from `id * 1000 + 1`.
    let protected: BTreeSet<u64> = if rng.chance(300) {
        BTreeSet::from([id * 1000 + 1 + rng.below(4)])
    } else {
        BTreeSet::new()
    };
    let min_completed = usize::try_from(1 + rng.below(2)).unwrap_or(1);
    let delete_stuck = rng.chance(300);
    let policy = Policy {
        file: format!("server-{id}"),
        server: ids::server(id),
        name: Some(format!("server-{id}")),
        protected_names: BTreeSet::new(),
        protected_ids: protected.iter().map(|id| ids::snapshot(*id)).collect(),
        min_completed,
        delete_stuck,
        alert_after: None,
        rotations,
    };
    let view = JudgedPolicy {
        rotations: views,
        protected_names: BTreeSet::new(),
        protected_ids: protected,
        min_completed,
        delete_stuck,
    };
    (Arc::new(policy), view)
}
