//! How long a server had a fresh copy, from the lives of its copies.

use jiff::{SignedDuration, Timestamp};

/// The life of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CopyLife {
    /// The instant of its data.
    pub(super) made: Timestamp,
    /// When it was seen completed.
    pub(super) completed: Timestamp,
    /// When it was deleted or lost; `None` if it exists.
    pub(super) ended: Option<Timestamp>,
}

/// Returns how much of the time from `watched.0` to `watched.1` at least one copy existed that was
/// younger than `limit`. The newest copy is then fresh.
pub(super) fn fresh_time<'a>(
    copies: impl Iterator<Item = &'a CopyLife>,
    limit: SignedDuration,
    watched: (Timestamp, Timestamp),
) -> SignedDuration {
    let (from, until) = watched;
    let spans = copies.filter_map(|copy| {
        let old = copy.made.saturating_add(limit).unwrap_or(Timestamp::MAX);
        let end = copy.ended.map_or(old, |ended| ended.min(old)).min(until);
        let start = copy.completed.max(from);
        (start < end).then_some((start, end))
    });
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    let (mut fresh, mut covered) = (SignedDuration::ZERO, from);
    for (start, end) in spans {
        let start = start.max(covered);
        if end > start {
            fresh += end.duration_since(start);
            covered = end;
        }
    }
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    fn copy(made: i64, completed: i64, ended: Option<i64>) -> CopyLife {
        CopyLife {
            made: at(made),
            completed: at(completed),
            ended: ended.map(at),
        }
    }

    fn hours(copies: &[CopyLife]) -> i64 {
        let limit = SignedDuration::from_hours(36);
        fresh_time(copies.iter(), limit, (at(100), at(200))).as_hours()
    }

    #[test]
    fn time_counts_from_the_completion_of_a_copy_until_it_is_too_old_or_deleted() {
        assert_eq!(hours(&[]), 0);
        assert_eq!(hours(&[copy(110, 111, None)]), 35);
        assert_eq!(hours(&[copy(110, 111, Some(121))]), 10);
        assert_eq!(hours(&[copy(90, 91, None)]), 26, "made before the period");
        assert_eq!(hours(&[copy(190, 191, None)]), 9, "cut off by its end");
        assert_eq!(hours(&[copy(10, 11, None), copy(300, 301, None)]), 0);
    }

    #[test]
    fn time_with_several_fresh_copies_counts_once_and_a_gap_between_two_does_not_count() {
        let daily: Vec<_> = (0..10)
            .map(|day| copy(60 + 24 * day, 61 + 24 * day, None))
            .collect();
        assert_eq!(hours(&daily), 100);
        assert_eq!(
            hours(&[copy(150, 151, None), copy(100, 101, None)]),
            35 + 35
        );
    }
}
