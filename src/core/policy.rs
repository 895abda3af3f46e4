//! The validated policy of one server; `config` builds these values from TOML.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::name_pattern::Pattern;
use super::rotation_and_snapshot_name::RotationName;
use super::schedule::{Schedule, Slot};
use super::snapshot::{ServerId, Snapshot, SnapshotId};

/// One server's policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The policy file's stem: the administrator's name for the server.
    pub file: String,
    /// The server.
    pub server: ServerId,
    /// The name that the provider must report for the server, if stated.
    pub name: Option<String>,
    /// Names of snapshots that are never pruned.
    pub protected_names: BTreeSet<String>,
    /// Ids of snapshots that are never pruned.
    pub protected_ids: BTreeSet<SnapshotId>,
    /// Number of own completed snapshots that a prune before a create must leave (I3).
    pub min_completed: usize,
    /// True if a snapshot stuck in progress may be deleted to make room.
    pub delete_stuck: bool,
    /// The age from which the newest completed snapshot is too old; `None` means that it follows
    /// from the schedules.
    pub alert_after: Option<SignedDuration>,
    /// The rotations, in the order of the file.
    pub rotations: Vec<Rotation>,
}

/// A named schedule with a number of snapshots to keep.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Its name, unique within the policy.
    pub name: RotationName,
    /// Its schedule; shared, since thousands of policies use a few schedules.
    pub schedule: Arc<Schedule>,
    /// Number of slots whose completed snapshot is kept, at least 1.
    pub keep: usize,
    /// The name pattern in force.
    pub pattern: Pattern,
    /// Patterns used before; names that match them are own too.
    pub former: Vec<FormerPattern>,
    /// The description given to its snapshots.
    pub description: Option<String>,
    /// How late a missed slot may still run; `None` means until the next slot.
    pub catch_up: Option<SignedDuration>,
    /// This server's fixed delay after the scheduled instant.
    pub splay: SignedDuration,
    /// Number of attempts for a slot before it is given up.
    pub attempts: u32,
    /// The action taken for a due slot on a full server.
    pub when_full: WhenFull,
    /// Programs that run around each of its snapshots.
    pub hooks: Option<Arc<Hooks>>,
    /// How the server is stopped for each of its snapshots, if it is.
    pub stop: Option<Box<StopServer>>,
}

/// A pattern used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerPattern {
    /// The pattern.
    pub pattern: Pattern,
    /// True if the pattern gives several slots of the schedule in force the same name. A snapshot
    /// with such a name is treated as a slot of its own and settles no other slot.
    pub coarse: bool,
}

/// Programs that run around each snapshot of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// Runs before the snapshot: the program, then its arguments.
    pub before: Option<Vec<String>>,
    /// Runs when the snapshot counts as ended (see `release`), at the latest after `max_hold`. It
    /// always runs if `before` was started.
    pub after: Option<Vec<String>>,
    /// Maximum duration of one run.
    pub timeout: SignedDuration,
    /// True if the snapshot is made even if `before` failed.
    pub go_on: bool,
    /// When the snapshot is considered ended.
    pub release: ReleaseWhen,
    /// Latest start of `after`, counted from the start of `before`.
    pub max_hold: SignedDuration,
}

/// When `after` runs, and when a stopped server is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseWhen {
    /// When the snapshot is completed, or can no longer complete.
    Completed,
    /// When the provider has accepted the create.
    Accepted,
}

/// How a server is stopped for a snapshot, and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopServer {
    /// Time within which the server must be seen stopped.
    pub timeout: SignedDuration,
    /// When the server is started.
    pub restart: ReleaseWhen,
    /// Latest start of the server, counted from the stop.
    pub longest: SignedDuration,
}

/// The action taken for a due slot when the server is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Delete an own snapshot first, usually the oldest, if the rules permit it.
    PruneFirst,
    /// Wait for room.
    Skip,
}

/// Settings that apply to every server of the account.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Number of snapshots that a server may hold; the provider's limit is five (docs/api.md,
    /// "Limits and durations").
    pub limit: usize,
    /// Time between two looks at a snapshot in progress.
    pub poll_interval: SignedDuration,
    /// How long a call without an answer may still take effect.
    pub settle_window: SignedDuration,
    /// Time after which a snapshot in progress is stuck.
    pub stuck_after: SignedDuration,
    /// The first pause between attempts; doubled each time, up to an hour.
    pub retry_after: SignedDuration,
    /// How long the server is left alone after a restore.
    pub restore_window: SignedDuration,
    /// How long deletes that follow from an edit or a first look are announced before they happen
    /// (I19).
    pub shrink_grace: SignedDuration,
    /// Maximum duration of one call.
    pub request_timeout: SignedDuration,
    /// Slots after this instant are ignored: `once` settles what was due at its start.
    pub due_until: Option<Timestamp>,
    /// True if temporary refusals count as attempts too, as they must for `once` to end.
    pub count_all: bool,
}

/// The rotation and the slot of an own snapshot, according to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnSlot {
    /// Index into [`Policy::rotations`].
    pub rotation: usize,
    /// The slot's local time according to the name.
    pub local: jiff::civil::DateTime,
    /// True if the name does not distinguish the slot from its neighbours.
    pub coarse: bool,
}

impl Policy {
    /// Returns the server's name: the policy's, else the policy file's.
    pub fn called(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.file)
    }

    /// Returns the name to use for the server in a command: the policy file's stem, which no other
    /// policy has, or the id if the stem is not safe to paste into a shell.
    pub fn argument(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let safe = self.file.chars().all(plain) && self.file.starts_with(char::is_alphanumeric);
        if safe {
            self.file.clone()
        } else {
            self.server.to_string()
        }
    }

    /// Returns the rotation with this name.
    pub fn rotation(&self, name: &str) -> Option<&Rotation> {
        self.rotations.iter().find(|rotation| rotation.name == name)
    }

    /// Returns the rotation and slot of an own name. `None` if the name is foreign.
    pub fn place(&self, name: &str) -> Option<OwnSlot> {
        let mut rotations = self.rotations.iter().enumerate();
        rotations.find_map(|(rotation, r)| {
            r.all_patterns().find_map(|(pattern, coarse)| {
                let local = pattern.parse(name)?;
                Some(OwnSlot {
                    rotation,
                    local,
                    coarse,
                })
            })
        })
    }

    /// Returns the name of the rotation that an own name belongs to. `None` if the name is foreign.
    pub fn rotation_of(&self, name: &str) -> Option<&str> {
        self.place(name)
            .map(|place| self.rotations[place.rotation].name.as_str())
    }

    /// Returns true if the policy protects this snapshot from pruning.
    pub fn protects(&self, snapshot: &Snapshot) -> bool {
        self.protects_any(snapshot.ids(), &snapshot.name)
    }

    /// Returns true if one of these ids, or this name, is protected.
    pub fn protects_any<'i>(
        &self,
        mut ids: impl Iterator<Item = &'i SnapshotId>,
        name: &str,
    ) -> bool {
        ids.any(|id| self.protects_id(id)) || self.protected_names.contains(name)
    }
}

impl Policy {
    /// Returns true if this id is protected. A string in the policy may be an id or a name.
    pub fn protects_id(&self, id: &SnapshotId) -> bool {
        let mut texts = self.protected_names.iter();
        self.protected_ids.contains(id) || texts.any(|text| is_id(text, id))
    }
}

/// Returns true if this string is this id in any spelling.
pub fn is_id(text: &str, id: &SnapshotId) -> bool {
    text.parse().as_ref() == Ok(id)
}

impl Rotation {
    /// Returns every pattern whose names are own: the one in force, then the former ones.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.all_patterns().map(|(pattern, _)| pattern)
    }

    /// Returns the patterns whose names distinguish each slot from its neighbours.
    pub fn slot_patterns(&self) -> impl Iterator<Item = &Pattern> {
        let patterns = self.all_patterns();
        patterns.filter_map(|(pattern, coarse)| (!coarse).then_some(pattern))
    }

    /// Returns true if the name belongs to the rotation and to a slot at this local time or later.
    pub fn names_since(&self, name: &str, local: jiff::civil::DateTime) -> bool {
        // The pattern may lack fields, so the slot's time is reduced to the same fields.
        let told = |pattern: &Pattern| pattern.parse(&pattern.format(local));
        let mut patterns = self.slot_patterns();
        patterns.any(|pattern| {
            pattern
                .parse(name)
                .is_some_and(|at| Some(at) >= told(pattern))
        })
    }

    /// Returns each pattern and whether it is coarse.
    fn all_patterns(&self) -> impl Iterator<Item = (&Pattern, bool)> {
        let former = self.former.iter();
        let former = former.map(|former| (&former.pattern, former.coarse));
        std::iter::once((&self.pattern, false)).chain(former)
    }

    /// Returns the newest slot that is due at `now`, splay included.
    pub fn newest_due(&self, now: Timestamp) -> Option<Slot> {
        self.schedule.previous(now.checked_sub(self.splay).ok()?)
    }

    /// Returns when the first slot after `now` becomes due, splay included.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.next_slot(now).map(|(_, due)| due)
    }

    /// Returns the first slot after `now`, and when it becomes due, splay included.
    pub fn next_slot(&self, now: Timestamp) -> Option<(Slot, Timestamp)> {
        let slot = self.schedule.next(now.checked_sub(self.splay).ok()?)?;
        let due = slot.at.checked_add(self.splay).ok()?;
        Some((slot, due))
    }

    /// Returns the time until which the slot of this instant may be started; `None` if unlimited.
    pub fn end_of(&self, slot: Timestamp) -> Option<Timestamp> {
        let next = self.schedule.next(slot).map(|next| next.at);
        let late = self
            .catch_up
            .and_then(|catch_up| slot.checked_add(catch_up).ok());
        let end = next.into_iter().chain(late).min()?;
        end.checked_add(self.splay).ok()
    }

    /// Returns true if `catch_up` still permits the slot to be started at `now`.
    pub fn within_catch_up(&self, slot: Slot, now: Timestamp) -> bool {
        let late = now.duration_since(slot.at) - self.splay;
        self.catch_up.is_none_or(|catch_up| late <= catch_up)
    }
}

#[cfg(test)]
mod tests {
    use crate::core::test_provider::{TestProvider, former};

    #[test]
    fn a_server_is_called_by_the_name_in_its_policy_or_else_by_the_name_of_the_file() {
        let mut policy = TestProvider::weekly(1).policy;
        policy.file = "web-file".to_owned();
        policy.name = Some("web-name".to_owned());
        assert_eq!(policy.called(), "web-name");
        policy.name = None;
        assert_eq!(policy.called(), "web-file");
    }

    #[test]
    fn own_names_are_those_of_the_pattern_in_force_and_then_of_the_former_patterns() {
        let mut policy = TestProvider::weekly(1).policy;
        let rotation = &mut policy.rotations[0];
        rotation.former = vec![former("w-%Y-%m-%d", false), former("w-%Y", true)];
        let all: Vec<_> = rotation.patterns().map(ToString::to_string).collect();
        assert_eq!(all, ["weekly-%Y-%m-%d", "w-%Y-%m-%d", "w-%Y"]);
        assert_eq!(policy.rotation_of("w-2026-11-22"), Some("weekly"));
        assert_eq!(policy.rotation_of("by-hand"), None);
    }
}
