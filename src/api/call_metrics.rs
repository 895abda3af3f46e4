//! Counters of the provider calls: how many, how they ended and how long they took. Plain atomics,
//! so that counting is cheap and can't fail.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::ErrorKind;
use super::error::Call;

/// Upper bounds of the histogram's buckets. A listing of a large account takes seconds, and a call
/// times out after `request_timeout`.
pub const BUCKETS: [Duration; 10] = [
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

const CALLS: [Call; 5] = [
    Call::List,
    Call::Create,
    Call::Delete,
    Call::Restore,
    Call::Power,
];

const KINDS: [Option<ErrorKind>; 6] = [
    None,
    Some(ErrorKind::Later),
    Some(ErrorKind::Unknown),
    Some(ErrorKind::Account),
    Some(ErrorKind::Missing),
    Some(ErrorKind::Refused),
];

/// Requests by call and result. Each page of a listing and each retry of a GET counts as a request.
#[derive(Debug, Default)]
pub struct CallMetrics([CallCounters; CALLS.len()]);

#[derive(Debug, Default)]
struct CallCounters {
    ended: [AtomicU64; KINDS.len()],
    /// Requests by bucket; the last one counts those that took longer than every bound.
    took: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

/// Copy of one call's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCounts {
    /// `list` (any GET), `create`, `delete`, `restore` or `power`.
    pub call: &'static str,
    /// Number of requests by result: `ok`, or the kind of error.
    pub ended: Vec<(&'static str, u64)>,
    /// Number of requests in each of [`BUCKETS`], not cumulative. The last number counts those that
    /// took longer than every bound.
    pub took: Vec<u64>,
    /// Total time of all requests.
    pub time: Duration,
}

impl CallMetrics {
    /// Counts one request.
    pub(super) fn note(&self, call: Call, error: Option<ErrorKind>, took: Duration) {
        let counts = &self.0[place(&CALLS, &call)];
        counts.ended[place(&KINDS, &error)].fetch_add(1, Ordering::Relaxed);
        let bucket = BUCKETS.iter().position(|end| took <= *end);
        counts.took[bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counts.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Returns the current counts.
    pub fn read(&self) -> Vec<CallCounts> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let calls = CALLS.iter().zip(&self.0);
        calls
            .map(|(call, counts)| CallCounts {
                call: call_word(*call),
                ended: KINDS
                    .iter()
                    .zip(&counts.ended)
                    .map(|(kind, count)| (kind_word(*kind), load(count)))
                    .collect(),
                took: counts.took.iter().map(load).collect(),
                time: Duration::from_micros(load(&counts.micros)),
            })
            .collect()
    }
}

/// Returns the index of `one` in `all`.
fn place<T: PartialEq>(all: &[T], one: &T) -> usize {
    all.iter().position(|other| other == one).unwrap_or(0)
}

pub(super) fn call_word(call: Call) -> &'static str {
    match call {
        Call::List => "list",
        Call::Create => "create",
        Call::Delete => "delete",
        Call::Restore => "restore",
        Call::Power => "power",
    }
}

fn kind_word(kind: Option<ErrorKind>) -> &'static str {
    match kind {
        None => "ok",
        Some(ErrorKind::Later) => "later",
        Some(ErrorKind::Unknown) => "unknown",
        Some(ErrorKind::Account) => "account_refused",
        Some(ErrorKind::Missing) => "missing",
        Some(ErrorKind::Refused) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_and_result_is_counted_separately_and_bucket_bounds_are_inclusive() {
        let tally = CallMetrics::default();
        for (nth, call) in CALLS.into_iter().enumerate() {
            for (kth, kind) in KINDS.into_iter().enumerate() {
                for _ in 0..=nth * KINDS.len() + kth {
                    tally.note(call, kind, BUCKETS[nth]);
                }
            }
        }
        tally.note(Call::List, None, Duration::from_secs(31));
        let read = tally.read();
        for (nth, calls) in read.iter().enumerate() {
            for (kth, (word, count)) in calls.ended.iter().enumerate() {
                let more = u64::from((nth, kth) == (0, 0));
                let wanted = (nth * KINDS.len() + kth + 1) as u64 + more;
                assert_eq!(*count, wanted, "{} {word}", calls.call);
            }
            let all: u64 = calls.ended.iter().map(|(_, count)| count).sum();
            assert_eq!(calls.took.iter().sum::<u64>(), all, "{}", calls.call);
            assert_eq!(calls.took[nth], all - u64::from(nth == 0));
        }
        assert_eq!(read[0].took.last(), Some(&1));
        assert_eq!(read[0].time, BUCKETS[0] * 21 + Duration::from_secs(31));
    }
}
