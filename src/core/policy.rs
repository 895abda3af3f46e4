//! What is wanted of one server, validated; `config` makes these values from TOML.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::breaks::Break;
use super::name_pattern::Pattern;
use super::schedule::{Schedule, Slot};
use super::snapshot::{ServerId, Snapshot, SnapshotId};

/// One server's policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The policy file's stem: what the administrator calls the server.
    pub file: String,
    /// The server.
    pub server: ServerId,
    /// The name that the provider must report for it, if stated.
    pub name: Option<String>,
    /// Snapshots never pruned, by name.
    pub protected_names: BTreeSet<String>,
    /// Snapshots never pruned, by id.
    pub protected_ids: BTreeSet<SnapshotId>,
    /// Own completed snapshots that a prune before a create must leave (I3).
    pub min_completed: usize,
    /// Whether a snapshot stuck in progress may be deleted for room.
    pub delete_stuck: bool,
    /// The rotations, in the order of the file.
    pub rotations: Vec<Rotation>,
}

/// A named schedule with a number of snapshots to keep.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Its name, unique within the policy.
    pub name: String,
    /// When its slots are; thousands of policies share a few schedules.
    pub schedule: Arc<Schedule>,
    /// Completed slots to keep, at least 1.
    pub keep: usize,
    /// The name pattern in force.
    pub pattern: Pattern,
    /// Patterns used before; what they name is own too.
    pub former: Vec<FormerPattern>,
    /// The description that its snapshots get.
    pub description: Option<String>,
    /// How long a missed slot is still run; `None`: until the next slot.
    pub catch_up: Option<SignedDuration>,
    /// This server's own offset after the scheduled instant.
    pub splay: SignedDuration,
    /// Creates tried for a slot before it is given up.
    pub attempts: u32,
    /// What a slot does on a full server.
    pub when_full: WhenFull,
    /// What is run around each of its snapshots.
    pub hooks: Option<Arc<Hooks>>,
    /// How the server is stopped for each of its snapshots, if it is.
    pub stop: Option<Box<StopServer>>,
}

/// A pattern used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerPattern {
    /// The pattern.
    pub pattern: Pattern,
    /// Whether it gives several slots of the schedule in force one name: what bears that
    /// counts as a slot of its own, and settles none of the others.
    pub coarse: bool,
}

/// Programs that are run around each snapshot of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// Run before it: the program, then its arguments.
    pub before: Option<Vec<String>>,
    /// Run when it is over, always, once `before` was begun.
    pub after: Option<Vec<String>>,
    /// How long one run may take.
    pub timeout: SignedDuration,
    /// Whether the snapshot is made all the same when `before` failed.
    pub go_on: bool,
    /// When it is over.
    pub release: ReleaseWhen,
    /// So long after `before` was begun `after` is run at the latest.
    pub max_hold: SignedDuration,
}

/// When `after` is run, and a server that was stopped is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseWhen {
    /// When the snapshot is completed, or known not to become so.
    Completed,
    /// When the provider has answered that it makes it.
    Accepted,
}

/// How a server is stopped for a snapshot, and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopServer {
    /// How long it may take until it is seen stopped.
    pub timeout: SignedDuration,
    /// When it is started.
    pub restart: ReleaseWhen,
    /// So long after the stop it is started at the latest.
    pub longest: SignedDuration,
}

/// What a due slot does when the server holds the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Give up the oldest own completed one, guarded.
    PruneFirst,
    /// Wait for room.
    Skip,
}

/// What holds for every server of the account.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Snapshots that a server may hold; the provider's five (API.md).
    pub limit: usize,
    /// Between two looks at a snapshot under way.
    pub poll_interval: SignedDuration,
    /// How long a mutation without an answer may still happen.
    pub settle_window: SignedDuration,
    /// From when on a snapshot in progress is stuck.
    pub stuck_after: SignedDuration,
    /// The first pause between attempts; doubles, an hour at most.
    pub retry_after: SignedDuration,
    /// How long a restore holds the server.
    pub restore_window: SignedDuration,
    /// How long what an edit deletes is announced before it goes (I19).
    pub shrink_grace: SignedDuration,
    /// The whole time that one call may take.
    pub request_timeout: SignedDuration,
    /// Slots after this instant are not looked at: `once` settles what was due when it started.
    pub due_until: Option<Timestamp>,
    /// Whether attempts that the daemon doesn't count are counted: `once` must end.
    pub count_all: bool,
}

/// An own snapshot's place: which rotation, and the slot's local time by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnSlot {
    /// Index into [`Policy::rotations`].
    pub rotation: usize,
    /// The slot by the name.
    pub local: jiff::civil::DateTime,
    /// Whether the name tells no slot from its neighbours.
    pub coarse: bool,
}

impl Policy {
    /// What the server is called: by the policy, else by the policy's file.
    pub fn called(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.file)
    }

    /// The rotation of this name.
    pub fn rotation(&self, name: &str) -> Option<&Rotation> {
        self.rotations.iter().find(|rotation| rotation.name == name)
    }

    /// Which rotation's own snapshot bears this name; `None`: it is foreign.
    pub fn place(&self, name: &str) -> Option<OwnSlot> {
        let mut rotations = self.rotations.iter().enumerate();
        let own = rotations.find_map(|(rotation, r)| {
            r.all_patterns().find_map(|(pattern, coarse)| {
                let local = pattern.parse(name)?;
                Some(OwnSlot {
                    rotation,
                    local,
                    coarse,
                })
            })
        });
        if own.is_none() && Break::ForeignAsOwn.on() {
            let (rotation, local) = (0, jiff::civil::DateTime::MIN);
            let coarse = false;
            return Some(OwnSlot {
                rotation,
                local,
                coarse,
            });
        }
        own
    }

    /// The name of the rotation whose own snapshot bears this name; `None`: it is foreign.
    pub fn rotation_of(&self, name: &str) -> Option<&str> {
        self.place(name)
            .map(|place| self.rotations[place.rotation].name.as_str())
    }

    /// Whether the policy protects this snapshot from pruning.
    pub fn protects(&self, snapshot: &Snapshot) -> bool {
        !Break::ProtectionIgnored.on()
            && (self.protects_id(&snapshot.id)
                || snapshot
                    .uuid
                    .as_ref()
                    .is_some_and(|id| self.protects_id(id))
                || self.protected_names.contains(&snapshot.name))
    }
}

impl Policy {
    /// Returns true if this id is protected: a string may be an id or a name.
    pub fn protects_id(&self, id: &SnapshotId) -> bool {
        let mut texts = self.protected_names.iter();
        self.protected_ids.contains(id) || texts.any(|text| is_id(text, id))
    }
}

/// Returns true if this string is this id, however it is written.
pub fn is_id(text: &str, id: &SnapshotId) -> bool {
    text.parse().as_ref() == Ok(id)
}

impl Rotation {
    /// Every pattern whose names are own: the one in force, then the former ones.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.all_patterns().map(|(pattern, _)| pattern)
    }

    /// Those whose names tell each slot from its neighbours.
    pub fn slot_patterns(&self) -> impl Iterator<Item = &Pattern> {
        let patterns = self.all_patterns();
        patterns.filter_map(|(pattern, coarse)| (!coarse).then_some(pattern))
    }

    /// Returns true if the name is one of its own for a slot at this local time or later.
    pub fn names_since(&self, name: &str, local: jiff::civil::DateTime) -> bool {
        // What the pattern leaves out of a time is left out of the slot's as well.
        let told = |pattern: &Pattern| pattern.parse(&pattern.format(local));
        let mut patterns = self.slot_patterns();
        patterns.any(|pattern| {
            pattern
                .parse(name)
                .is_some_and(|at| Some(at) >= told(pattern))
        })
    }

    /// Each with whether it is coarse.
    fn all_patterns(&self) -> impl Iterator<Item = (&Pattern, bool)> {
        let former = self.former.iter();
        let former = former.map(|former| (&former.pattern, former.coarse));
        std::iter::once((&self.pattern, false)).chain(former)
    }

    /// The newest slot that is due at `now`, splay included.
    pub fn newest_due(&self, now: Timestamp) -> Option<Slot> {
        self.schedule.previous(now.checked_sub(self.splay).ok()?)
    }

    /// When the first slot after `now` will be due, splay included.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.next_slot(now).map(|(_, due)| due)
    }

    /// The first slot after `now`, and when it will be due, splay included.
    pub fn next_slot(&self, now: Timestamp) -> Option<(Slot, Timestamp)> {
        let slot = self.schedule.next(now.checked_sub(self.splay).ok()?)?;
        let due = slot.at.checked_add(self.splay).ok()?;
        Some((slot, due))
    }

    /// Until when the slot of this instant may be begun; `None`: for ever.
    pub fn end_of(&self, slot: Timestamp) -> Option<Timestamp> {
        let next = self.schedule.next(slot).map(|next| next.at);
        let late = self
            .catch_up
            .and_then(|catch_up| slot.checked_add(catch_up).ok());
        let end = next.into_iter().chain(late).min()?;
        end.checked_add(self.splay).ok()
    }

    /// Whether the slot may still be begun at `now`.
    pub fn within_catch_up(&self, slot: Slot, now: Timestamp) -> bool {
        let late = now.duration_since(slot.at) - self.splay;
        self.catch_up.is_none_or(|catch_up| late <= catch_up)
    }
}

#[cfg(test)]
mod tests {
    use crate::core::test_provider::{TestProvider, former};

    #[test]
    fn a_server_is_called_by_its_name_and_without_one_by_its_file() {
        let mut policy = TestProvider::weekly(1).policy;
        policy.file = "web-file".to_owned();
        policy.name = Some("web-name".to_owned());
        assert_eq!(policy.called(), "web-name");
        policy.name = None;
        assert_eq!(policy.called(), "web-file");
    }

    #[test]
    fn own_are_the_names_of_the_pattern_in_force_and_then_of_the_former_ones() {
        let mut policy = TestProvider::weekly(1).policy;
        let rotation = &mut policy.rotations[0];
        rotation.former = vec![former("w-%Y-%m-%d", false), former("w-%Y", true)];
        let all: Vec<_> = rotation.patterns().map(ToString::to_string).collect();
        assert_eq!(all, ["weekly-%Y-%m-%d", "w-%Y-%m-%d", "w-%Y"]);
        assert_eq!(policy.rotation_of("w-2026-11-22"), Some("weekly"));
        assert_eq!(policy.rotation_of("by-hand"), None);
    }
}
