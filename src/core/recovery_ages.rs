//! Computes how old a server's recovery points are at the best and the worst moment of a span.
//!
//! The age of the newest completed snapshot shows how much work may be lost. The age of the oldest
//! one shows how far back a restore can go. Between changes, ages only grow, so only completions,
//! deletions and the ends of the span matter.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

/// An age at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AgeAt {
    /// The time since the snapshot's creation; `None` if there is no completed snapshot.
    #[serde(rename = "age_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "Option<i64>"))]
    pub age: Option<SignedDuration>,
    /// The instant. If a snapshot is completed or deleted at this instant, the highest age is
    /// measured just before it, and the lowest age just after it.
    pub at: Timestamp,
}

/// The best and the worst age of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AgeExtremes {
    /// The best age.
    pub best: AgeAt,
    /// The worst age.
    pub worst: AgeAt,
}

/// The ages of the recovery points in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecoveryAges {
    /// The age of the newest completed snapshot: the younger the better.
    pub newest: AgeExtremes,
    /// The age of the oldest completed snapshot: the older the better.
    pub oldest: AgeExtremes,
}

/// The time during which one completed snapshot can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsableSpan {
    /// Time of its creation, which is the time of its data.
    pub made: Timestamp,
    /// Time of its completion.
    pub since: Timestamp,
    /// Time of its deletion, if it is deleted.
    pub until: Option<Timestamp>,
}

/// Computes the best and worst ages of the recovery points between `from` and `until`.
pub fn recovery(
    points: impl IntoIterator<Item = UsableSpan>,
    from: Timestamp,
    until: Timestamp,
) -> RecoveryAges {
    let mut changes = Vec::new();
    for (nth, point) in points.into_iter().enumerate() {
        if point.since < until && point.until.is_none_or(|gone| gone > from) {
            changes.push((point.since.max(from), true, (point.made, nth)));
            let gone = point.until.filter(|gone| *gone < until);
            changes.extend(gone.map(|gone| (gone, false, (point.made, nth))));
        }
    }
    changes.sort_unstable();
    let mut there = BTreeSet::new();
    let mut found = AgeTracker::default();
    let mut since = from;
    for (at, comes, point) in changes {
        if at > since {
            found.span(since, at, &there);
            since = at;
        }
        if comes {
            there.insert(point);
        } else {
            there.remove(&point);
        }
    }
    found.span(since, until, &there);
    let nothing = AgeAt {
        age: None,
        at: from,
    };
    let none = found.empty.map(|at| AgeAt { age: None, at });
    let moments = |best: Option<AgeAt>, worst: Option<AgeAt>| AgeExtremes {
        best: best.unwrap_or(nothing),
        worst: none.or(worst).unwrap_or(nothing),
    };
    RecoveryAges {
        newest: moments(found.newest_least, found.newest_most),
        oldest: moments(found.oldest_most, found.oldest_least),
    }
}

/// The extremes found so far. If two ages are equal, the first one is kept.
#[derive(Default)]
struct AgeTracker {
    newest_least: Option<AgeAt>,
    newest_most: Option<AgeAt>,
    oldest_least: Option<AgeAt>,
    oldest_most: Option<AgeAt>,
    /// The first instant without a completed snapshot.
    empty: Option<Timestamp>,
}

impl AgeTracker {
    /// Adds a period from `start` to `end` in which nothing changed.
    fn span(&mut self, start: Timestamp, end: Timestamp, there: &BTreeSet<(Timestamp, usize)>) {
        let (Some((oldest, _)), Some((newest, _))) = (there.first(), there.last()) else {
            self.empty = self.empty.or(Some(start));
            return;
        };
        let age = |made: &Timestamp, at: Timestamp| AgeAt {
            age: Some(at.duration_since(*made)),
            at,
        };
        least(&mut self.newest_least, age(newest, start));
        most(&mut self.newest_most, age(newest, end));
        least(&mut self.oldest_least, age(oldest, start));
        most(&mut self.oldest_most, age(oldest, end));
    }
}

fn least(kept: &mut Option<AgeAt>, found: AgeAt) {
    if kept.is_none_or(|kept| found.age < kept.age) {
        *kept = Some(found);
    }
}

fn most(kept: &mut Option<AgeAt>, found: AgeAt) {
    if kept.is_none_or(|kept| found.age > kept.age) {
        *kept = Some(found);
    }
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn seconds<S: Serializer>(age: &Option<SignedDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    age.map(|age| age.as_secs()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).expect("a time")
    }

    fn usable(made: i64, since: i64, until: Option<i64>) -> UsableSpan {
        UsableSpan {
            made: at(made),
            since: at(since),
            until: until.map(at),
        }
    }

    fn hours(moment: AgeAt) -> (Option<i64>, i64) {
        let hour = moment.at.as_second() / 3600;
        (moment.age.map(|age| age.as_hours()), hour)
    }

    #[test]
    fn the_newest_age_is_worst_just_before_a_completion_and_the_oldest_age_just_after_a_deletion() {
        // Made every 24 hours, completed an hour later; the older one is deleted an hour after
        // that.
        let points = [
            usable(-24, -23, Some(2)),
            usable(0, 1, Some(26)),
            usable(24, 25, None),
        ];
        let found = recovery(points, at(-10), at(30));
        assert_eq!(hours(found.newest.best), (Some(1), 1));
        assert_eq!(hours(found.newest.worst), (Some(25), 1));
        assert_eq!(hours(found.oldest.best), (Some(26), 2));
        assert_eq!(hours(found.oldest.worst), (Some(2), 2));
    }

    #[test]
    fn a_moment_without_a_recovery_point_is_the_worst_of_all() {
        let found = recovery([usable(2, 3, None)], at(0), at(10));
        assert_eq!(hours(found.newest.best), (Some(1), 3));
        assert_eq!(hours(found.oldest.best), (Some(8), 10));
        for worst in [found.newest.worst, found.oldest.worst] {
            assert_eq!(hours(worst), (None, 0));
        }
    }

    #[test]
    fn snapshots_deleted_before_the_span_or_completed_after_it_do_not_count() {
        let points = [usable(-9, -8, Some(0)), usable(9, 10, None)];
        let found = recovery(points, at(0), at(10));
        assert_eq!(hours(found.newest.best), (None, 0));
        assert_eq!(hours(found.oldest.worst), (None, 0));
    }

    #[test]
    fn a_snapshot_deleted_at_the_end_of_the_span_counts_until_then() {
        let found = recovery([usable(-2, -1, Some(10))], at(0), at(10));
        assert_eq!(hours(found.newest.worst), (Some(12), 10));
    }

    #[test]
    fn a_completion_at_the_instant_of_a_deletion_leaves_no_gap() {
        let points = [usable(-2, -1, Some(5)), usable(4, 5, None)];
        let found = recovery(points, at(0), at(10));
        assert_eq!(hours(found.newest.worst), (Some(7), 5));
    }
}
