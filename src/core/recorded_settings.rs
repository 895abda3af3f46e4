//! A rotation's terms as the trail records them: schedule, names, and what is kept.
//!
//! The trail records changes to the terms to distinguish an edit of a policy from a wrong listing.
//! Only an edit or a first look reduces what is kept (I19), and slots from before a new schedule do
//! not count as missed.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::policy::{Policy, Rotation};
use super::snapshot::SnapshotId;

/// A rotation's terms, as recorded in the trail.
#[expect(
    missing_docs,
    reason = "the fields have the names of the policy file's keys"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationTerms {
    pub schedule: String,
    pub timezone: String,
    pub snapshot_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<String>,
    pub keep: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect_ids: Vec<SnapshotId>,
}

/// Hashes of a rotation's terms, to detect changes with little memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsHash {
    /// Hash of the schedule, the zone and the pattern in force.
    pub timing: u64,
    /// Hash of the former patterns and of everything protected.
    pub owns: u64,
    /// The number of completed snapshots to keep.
    pub keep: usize,
}

impl RotationTerms {
    /// Returns the terms of a rotation of the policy.
    pub fn of(policy: &Policy, rotation: &Rotation) -> Self {
        let former = rotation.former.iter();
        Self {
            schedule: rotation.schedule.text().to_owned(),
            timezone: zone(rotation).to_owned(),
            snapshot_name: rotation.pattern.to_string(),
            former_names: former.map(|former| former.pattern.to_string()).collect(),
            keep: rotation.keep,
            protect: policy.protected_names.iter().cloned().collect(),
            protect_ids: policy.protected_ids.iter().cloned().collect(),
        }
    }

    /// Returns the same as [`TermsHash::of`] for a policy with these terms.
    pub fn key(&self) -> TermsHash {
        key(
            (&self.schedule, &self.timezone, &self.snapshot_name),
            self.former_names.iter(),
            self.keep,
            self.protect.iter(),
            self.protect_ids.iter(),
        )
    }
}

impl TermsHash {
    /// Returns the hashes for a rotation of the policy. Every decision calls this, so nothing is
    /// copied.
    pub fn of(policy: &Policy, rotation: &Rotation) -> Self {
        key(
            (rotation.schedule.text(), zone(rotation), &rotation.pattern),
            rotation.former.iter().map(|former| &former.pattern),
            rotation.keep,
            policy.protected_names.iter(),
            policy.protected_ids.iter(),
        )
    }
}

fn zone(rotation: &Rotation) -> &str {
    rotation.schedule.zone().iana_name().unwrap_or("UTC")
}

fn key(
    (schedule, zone, pattern): (&str, &str, &dyn fmt::Display),
    former: impl Iterator<Item = impl fmt::Display>,
    keep: usize,
    names: impl Iterator<Item = impl fmt::Display>,
    ids: impl Iterator<Item = impl fmt::Display>,
) -> TermsHash {
    let (mut timing, mut owns) = (Fnv::default(), Fnv::default());
    timing.add(&format_args!("{schedule}\n{zone}\n{pattern}"));
    for pattern in former {
        owns.add(&format_args!("f{pattern}\n"));
    }
    for name in names {
        owns.add(&format_args!("n{name}\n"));
    }
    for id in ids {
        owns.add(&format_args!("i{id}\n"));
    }
    TermsHash {
        timing: timing.0,
        owns: owns.0,
        keep,
    }
}

/// FNV-1a. The hash is the same on every host and in every version, since other hosts
/// and versions may read the trail later.
pub(super) struct Fnv(pub(super) u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(super) fn of(text: &str) -> u64 {
        let mut hash = Self::default();
        hash.bytes(text.bytes());
        hash.0
    }

    fn add(&mut self, text: &impl fmt::Display) {
        let added = write!(self, "{text}");
        debug_assert!(added.is_ok(), "a hash accepts any text");
    }

    pub(super) fn bytes(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::test_provider::{TestProvider, former};

    #[test]
    fn terms_read_back_from_a_record_equal_those_of_the_policy() {
        let mut policy = TestProvider::weekly(3).policy;
        policy
            .protected_names
            .insert("weekly-2025-01-08".to_owned());
        policy.protected_ids.insert(SnapshotId::from(801));
        policy.rotations[0].former = vec![former("w-%Y-%m-%d", false)];
        let of = |policy: &Policy| TermsHash::of(policy, &policy.rotations[0]);
        let terms = RotationTerms::of(&policy, &policy.rotations[0]);
        assert_eq!(terms.key(), of(&policy));
        let json = serde_json::to_string(&terms).expect("plain data");
        let read: RotationTerms = serde_json::from_str(&json).expect("terms");
        assert_eq!(read.key(), of(&policy));

        let before = of(&policy);
        policy.rotations[0].keep = 2;
        let kept = of(&policy);
        assert_eq!((kept.timing, kept.owns), (before.timing, before.owns));
        assert_eq!((before.keep, kept.keep), (3, 2));
        policy.protected_ids.clear();
        assert_ne!(of(&policy).owns, kept.owns);
    }
}
