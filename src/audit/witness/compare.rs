//! Compares checkpoints with the trail as it is now.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::{Checkpoint, VerifierKey};
use crate::audit::TrailError;
use crate::audit::disk::RealDisk;
use crate::audit::verify::{Seen, Verified, verify_seeing};
use crate::core::sanitize::{counted, printable, utc};

/// Maximum number of characters of an origin that a message repeats.
const ORIGIN_SHOWN: usize = 80;

/// Result of one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The record exists as it was signed.
    Agrees,
    /// Another record has this number, or no valid record has it.
    Differs,
    /// The trail ends before this record.
    Missing,
    /// The trail begins after this record: older files were removed.
    Archived,
}

/// A checkpoint, compared with the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ComparedCheckpoint {
    /// Name of the trail.
    pub origin: String,
    /// The key that signed it.
    pub key: String,
    /// The record that it names.
    pub record: u64,
    /// When it was signed; `null` if the checkpoint does not say.
    pub time: Option<Timestamp>,
    /// Result of the comparison.
    pub verdict: Verdict,
}

/// All checkpoints, compared with the trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Each checkpoint once, by record.
    pub rows: Vec<ComparedCheckpoint>,
    /// The last record of the trail; 0 if there is none.
    pub last: u64,
    /// The last record that agrees with a checkpoint.
    pub agrees_to: Option<u64>,
    /// The first record that differs from its checkpoint.
    pub differs_from: Option<u64>,
    /// Signs that the trail was changed, or the finding that nothing could be compared; empty if
    /// there are none.
    pub problems: Vec<String>,
    /// Checkpoints that could not be compared.
    pub notices: Vec<String>,
}

/// Checks the chain as [`verify`](crate::audit::verify) does, and compares it with checkpoints.
pub fn verify_witnessed(
    audit_dir: &Path,
    state_dir: &Path,
    checkpoints: &[(Checkpoint, VerifierKey)],
) -> Result<(Verified, Comparison), TrailError> {
    let wanted: BTreeSet<u64> = checkpoints.iter().map(|(c, _)| c.record).collect();
    let disk = RealDisk::default();
    let (found, seen) = if audit_dir.exists() {
        verify_seeing(&disk, audit_dir, state_dir, &wanted)?
    } else {
        (Verified::default(), Seen::default())
    };
    Ok((found, compare(&seen, checkpoints)))
}

fn compare(seen: &Seen, checkpoints: &[(Checkpoint, VerifierKey)]) -> Comparison {
    let mut all: Vec<_> = checkpoints.iter().collect();
    all.sort_by_key(|(c, _)| (c.record, c.time));
    all.dedup_by(|(a, _), (b, _)| (a.record, a.hash) == (b.record, b.hash));
    let rows = all.iter().map(|(checkpoint, key)| {
        let record = checkpoint.record;
        let verdict = match seen.hashes.get(&record) {
            // A checkpoint of record 0, which has the default hash, agrees with every trail that
            // begins with record 1.
            Some(hash) if *hash == checkpoint.hash => Verdict::Agrees,
            _ if record > seen.last => Verdict::Missing,
            None if seen.before.is_some_and(|before| record < before) => Verdict::Archived,
            _ => Verdict::Differs,
        };
        ComparedCheckpoint {
            origin: printable(&checkpoint.origin, ORIGIN_SHOWN),
            key: printable(&key.short(), ORIGIN_SHOWN),
            record,
            time: checkpoint.time,
            verdict,
        }
    });
    let mut compared = Comparison {
        rows: rows.collect(),
        last: seen.last,
        ..Comparison::default()
    };
    let of = |verdict| {
        compared
            .rows
            .iter()
            .filter(move |row| row.verdict == verdict)
    };
    compared.agrees_to = of(Verdict::Agrees).map(|row| row.record).max();
    compared.differs_from = of(Verdict::Differs).map(|row| row.record).min();
    let (missing, old) = (of(Verdict::Missing).next_back(), of(Verdict::Archived));
    let mut problems = Vec::new();
    if let Some(record) = compared.differs_from {
        let row = of(Verdict::Differs).next();
        let when = row.map(signed).unwrap_or_default();
        problems.push(match compared.agrees_to {
            None => format!(
                "the trail was replaced: none of the witnessed records is as it was signed; record {record} differs from the one that the witness saw{when}"
            ),
            Some(agrees) if agrees < record => format!(
                "the trail was rewritten after record {agrees}: up to that record it agrees with the witness, but record {record} differs from the one that the witness saw{when}"
            ),
            Some(agrees) => format!(
                "the trail was rewritten: record {record} differs from the one that the witness saw{when}, and record {agrees} was signed after the change"
            ),
        });
    }
    if let Some(row) = missing {
        let last = seen.last;
        let end = match last {
            0 => "holds no record".to_owned(),
            last => format!("ends with record {last}"),
        };
        problems.push(format!(
            "the trail was cut: it {end}, but the witness saw record {}{}",
            row.record,
            signed(row)
        ));
    }
    let old = old.count();
    if old > 0 {
        let first = seen.before.unwrap_or_default() + 1;
        compared.notices.push(format!(
            "{} of earlier records can't be compared: the oldest file begins with record {first}",
            counted(old, "checkpoint")
        ));
    }
    if problems.is_empty() && compared.agrees_to.is_none() {
        problems.push("no checkpoint could be compared with the trail".to_owned());
    }
    compared.problems = problems;
    compared
}

fn signed(row: &ComparedCheckpoint) -> String {
    let time = row.time.map(|time| format!(" at {}", utc(time)));
    time.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::SignerKey;
    use super::*;
    use crate::audit::chain::Hash;

    fn hash(seq: u64, version: u8) -> Hash {
        Hash::of(&[seq.to_le_bytes()[0], version])
    }

    /// Returns a trail with records `from..=last`, rewritten (version 1) from `rewritten` on.
    fn seen(from: u64, last: u64, rewritten: u64) -> Seen {
        let of = |seq| (seq, hash(seq, u8::from(seq >= rewritten)));
        Seen {
            hashes: (from - 1..=last).map(of).collect(),
            before: (last > 0).then_some(from - 1),
            last,
        }
    }

    fn compared(seen: &Seen, records: &[(u64, u8)]) -> Comparison {
        let (key, _) = SignerKey::generate("k").expect("a key");
        let all: Vec<_> = records
            .iter()
            .map(|(record, version)| {
                let checkpoint = Checkpoint {
                    origin: "o".to_owned(),
                    record: *record,
                    time: None,
                    hash: hash(*record, *version),
                };
                (checkpoint, key.verifier().clone())
            })
            .collect();
        compare(seen, &all)
    }

    #[test]
    fn cut_rewritten_replaced_and_archived_trails_are_distinguished() {
        let never = u64::MAX;
        // The trail, the checkpoints, the last record that agrees, and the message.
        for (seen, records, agrees, said) in [
            (
                seen(1, 20, never),
                &[(5, 0), (10, 0), (20, 0)][..],
                Some(20),
                None,
            ),
            (
                seen(1, 20, 8),
                &[(5, 0), (10, 0), (15, 0)],
                Some(5),
                Some(
                    "rewritten after record 5: up to that record it agrees with the witness, but record 10 differs",
                ),
            ),
            (
                seen(1, 20, 2),
                &[(5, 0), (10, 0)],
                None,
                Some("replaced: none of the witnessed records"),
            ),
            (
                seen(1, 7, never),
                &[(5, 0), (10, 0)],
                Some(5),
                Some("cut: it ends with record 7, but the witness saw record 10"),
            ),
            (
                seen(1, 0, never),
                &[(5, 0)],
                None,
                Some("cut: it holds no record"),
            ),
            // Rewritten, and signed again later on.
            (
                seen(1, 20, 8),
                &[(10, 0), (15, 1)],
                Some(15),
                Some("record 15 was signed after the change"),
            ),
            (seen(11, 20, never), &[(5, 0), (10, 0)], Some(10), None),
            (
                seen(11, 20, never),
                &[(5, 0)],
                None,
                Some("no checkpoint could be compared"),
            ),
        ] {
            let found = compared(&seen, records);
            assert_eq!(found.agrees_to, agrees, "{found:?}");
            match said {
                None => assert_eq!(found.problems, Vec::<String>::new()),
                Some(said) => assert!(found.problems[0].contains(said), "{found:?}"),
            }
        }
        let both = compared(&seen(1, 12, 8), &[(5, 0), (10, 0), (15, 0)]);
        assert_eq!((both.problems.len(), both.differs_from), (2, Some(10)));
        let old = compared(&seen(11, 20, never), &[(3, 0), (20, 0)]);
        assert!(old.notices[0].contains("begins with record 11"), "{old:?}");
        assert_eq!(old.problems, Vec::<String>::new());
    }
}
