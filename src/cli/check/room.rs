//! Findings about room on a server, and about names on it.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{FindingKind, FindingSeverity};
use super::online::PolicyCheck;
use crate::core::name_pattern_detection::recognise;
use crate::core::snapshot::{Snapshot, Status};

impl PolicyCheck<'_> {
    /// Compares `keep` with the places that foreign and protected snapshots leave.
    pub(super) fn room(&mut self, snapshots: &[Snapshot]) {
        let policy = self.policy;
        let fixed = snapshots
            .iter()
            .filter(|row| policy.place(&row.name).is_none() || policy.protects(row));
        let fixed = fixed.count();
        let keep: usize = policy.rotations.iter().map(|rotation| rotation.keep).sum();
        let limit = self.limit;
        if fixed > 0 && keep + fixed == limit && fixed + 1 == limit {
            let message = format!(
                "{fixed} of the {limit} places are taken by foreign or protected snapshots: the last place can take one snapshot, which can never be replaced, because the newest is never deleted to make room"
            );
            let remedy = "delete snapshots that nobody needs".to_owned();
            self.say(
                FindingSeverity::Error,
                FindingKind::NoRoom,
                None,
                message,
                remedy,
            );
        } else if fixed > 0 && keep + fixed > limit {
            let message = format!(
                "keep adds up to {keep}, but foreign or protected snapshots take up {fixed} of the {limit} places"
            );
            let remedy = match limit.saturating_sub(fixed) {
                0 | 1 => "no snapshot can be made and later replaced: if a rotation named the foreign snapshots before, list its pattern in former_names; otherwise delete snapshots that nobody needs".to_owned(),
                left => format!(
                    "if a rotation named the foreign snapshots before, list its pattern in former_names; otherwise lower keep to at most {left} in total, or delete snapshots that nobody needs"
                ),
            };
            self.say(
                FindingSeverity::Error,
                FindingKind::NoRoom,
                None,
                message,
                remedy,
            );
        } else if fixed > 0 && keep + fixed == limit {
            let message = format!(
                "keep ({keep}) and foreign or protected snapshots ({fixed}) fill all {limit} places of the server: the oldest snapshot is deleted before a new one is made"
            );
            self.say(
                FindingSeverity::Warning,
                FindingKind::Tight,
                None,
                message,
                "lower one keep by 1, so that the new one is made first",
            );
        }
    }

    /// Reports names that several completed snapshots share, and names of slots to come.
    pub(super) fn names(&mut self, snapshots: &[Snapshot]) {
        let policy = self.policy;
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        let mut ahead = BTreeSet::new();
        for row in snapshots {
            let Some(place) = policy.place(&row.name) else {
                continue;
            };
            if row.status == Status::Completed {
                *times.entry(&row.name).or_default() += 1;
            }
            let zone = policy.rotations[place.rotation].schedule.zone();
            if place.local > zone.to_datetime(self.now) {
                ahead.insert(row.name.clone());
            }
        }
        let copies = times.into_iter().filter(|(_, times)| *times > 1);
        for (name, times) in copies {
            let message =
                format!("{times} snapshots are named {name:?}: all but the newest will be pruned");
            self.say(
                FindingSeverity::Warning,
                FindingKind::Copies,
                Some(name.to_owned()),
                message,
                "protect the ones to keep by their ids",
            );
        }
        for name in ahead {
            let message = format!(
                "{name:?} is the name of a future slot's snapshot: that slot will count as made"
            );
            self.say(
                FindingSeverity::Warning,
                FindingKind::NameAhead,
                Some(name),
                message,
                "delete it by hand, or protect it",
            );
        }
    }

    /// Reports foreign snapshots that follow a pattern: an earlier rotation may have made them.
    pub(super) fn unmanaged(&mut self, snapshots: &[Snapshot]) {
        let policy = self.policy;
        let foreign = snapshots
            .iter()
            .filter(|row| policy.place(&row.name).is_none());
        let foreign: Vec<_> = foreign.cloned().collect();
        for one in recognise(&foreign) {
            let message = format!(
                "{} foreign snapshots follow the pattern {}: no rotation prunes them",
                one.held, one.pattern
            );
            let remedy = format!(
                "if a rotation made them before, add former_names = [\"{}\"] to it",
                one.pattern
            );
            self.say(
                FindingSeverity::Warning,
                FindingKind::UnmanagedPattern,
                Some(one.pattern.to_string()),
                message,
                remedy,
            );
        }
    }
}
