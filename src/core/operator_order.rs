//! The changes that an operator may order outside the rotation, and the objections to them.
//!
//! An order follows the rules of every mutation: one at a time on a server (I5), only on the basis
//! of a reliable listing (I4, I11), its intent before its call (I6). Rules that bind the rotation
//! alone, such as keeping foreign snapshots, do not bind an operator. A delete or a restore applies
//! to exactly the row that was shown (I17).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::decide::{DecisionContext, Inventory, put_right};
use super::downtime_record::Downtime;
use super::name_pattern;
use super::policy::{Policy, Rules};
use super::rotation_and_snapshot_name::SnapshotName;
use super::sanitize::{NAME_SHOWN, printable, utc};
use super::server_event::ClockReading;
use super::server_history::{HookLease, PendingOp, ServerHistory};
use super::snapshot::{Snapshot, SnapshotId, Status};

/// A change to one server that an operator requests.
#[expect(
    missing_docs,
    reason = "the comments on the variants describe the fields"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Create a snapshot with this name, which is deleted once it `expires`. For a limited time, the
    /// rotation does not delete `spare`, the snapshot to be restored.
    Create {
        snapshot: SnapshotName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spare: Option<SnapshotId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// Delete exactly the row that was shown.
    Delete {
        snapshot: SnapshotName,
        id: SnapshotId,
    },
    /// Overwrite the server from exactly the row that was shown.
    Restore {
        snapshot: SnapshotName,
        id: SnapshotId,
    },
}

/// Returns why this listing doesn't permit the order. `None` if it does.
pub fn objection(
    policy: &Policy,
    inventory: &Inventory,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
    order: &Order,
) -> Option<String> {
    let server = DecisionContext::of(policy, inventory, history, rules, now);
    server.at_all().or_else(|| match order {
        Order::Create { snapshot, .. } => server.may_create(snapshot),
        Order::Delete { snapshot, id } => server.may_delete(snapshot, id),
        Order::Restore { snapshot, id } => server.may_restore(snapshot, id),
    })
}

/// Describes the open call on a server; `rows` supplies the names.
pub fn describe_open_call(open: &PendingOp, rows: &[Snapshot]) -> String {
    let named = |id: SnapshotId| {
        let name = rows.iter().find(|s| s.id == id).map(|s| shown(&s.name));
        name.map_or(format!("the snapshot with id {id}"), |name| {
            format!("{name} (id {id})")
        })
    };
    match open {
        PendingOp::Create { name, id: None, .. } => {
            format!("it is not known yet whether {name} was made")
        }
        PendingOp::Create { name, .. } => format!("{name} is being made"),
        PendingOp::Delete { id, .. } => format!("{} is being deleted", named(id.clone())),
        PendingOp::Restore { id, .. } => format!("{} is being restored", named(id.clone())),
    }
}

/// Describes a hold: for which snapshot hooks hold the server, and since when.
pub fn describe_hook_hold(hold: &HookLease) -> String {
    let HookLease {
        rotation, snapshot, ..
    } = hold;
    let since = hold.since.wall;
    format!(
        "hooks have held the server for {snapshot} of {rotation} since {}",
        utc(since)
    )
}

/// Describes a downtime: for which snapshot the server is stopped, since when, and whether it is
/// being started.
pub fn describe_downtime(downtime: &Downtime) -> String {
    let Downtime {
        rotation,
        snapshot,
        starts,
        ..
    } = downtime;
    let since = utc(downtime.since.wall);
    if *starts > 0 {
        let word = if downtime.stopped {
            "was stopped"
        } else {
            "was asked to stop"
        };
        return format!(
            "the server {word} for {snapshot} of {rotation} at {since} and is being started"
        );
    }
    if downtime.is_doubtful() {
        return format!(
            "the stop request for {snapshot} of {rotation} was refused at {since}, but may still take effect"
        );
    }
    let word = if downtime.stopped {
        "has been stopped"
    } else {
        "has been stopping"
    };
    format!("the server {word} for {snapshot} of {rotation} since {since}")
}

/// Returns a message that says until when the server is left alone after a restore, if it is.
pub fn left_alone(
    policy: &Policy,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> Option<String> {
    let left = history.restoring(rules, now)?;
    let until = now.wall.checked_add(left).ok()?;
    Some(format!(
        "the server was restored recently and is left alone until {}; if the restore is over, run snaprotate resume {}",
        utc(until),
        policy.argument()
    ))
}

impl DecisionContext<'_> {
    /// Returns why no mutation at all is permitted now. `None` if one may be.
    fn at_all(&self) -> Option<String> {
        if let Some(doubt) = self.unreliable() {
            return Some(doubt);
        }
        if let Some(open) = &self.history.open {
            let begun = describe_open_call(open, &self.inventory.snapshots);
            return Some(format!(
                "{begun}; try again when this operation is finished"
            ));
        }
        if let Some(hold) = &self.history.hold {
            return Some(format!(
                "{}; try again when the server is released",
                describe_hook_hold(hold)
            ));
        }
        if let Some(downtime) = &self.history.downtime {
            return Some(format!(
                "{}; try again when the server is running",
                describe_downtime(downtime)
            ));
        }
        if let Some(last) = self.clock_behind() {
            return Some(put_right(last));
        }
        left_alone(self.policy, self.history, self.rules, self.now)
    }

    fn may_create(&self, wanted: &str) -> Option<String> {
        if !name_pattern::is_accepted(wanted) {
            return Some(format!(
                "the provider accepts only letters, digits, hyphens and underscores in a name, not {wanted:?}"
            ));
        }
        if let Some(rotation) = self.policy.rotation_of(wanted) {
            return Some(format!(
                "{wanted} matches a name pattern of the rotation {rotation}, which would prune it: choose another name"
            ));
        }
        let rows = &self.inventory.snapshots;
        if let Some(there) = rows.iter().find(|s| s.name == wanted) {
            return Some(format!(
                "{wanted} already exists (id {}): choose another name",
                there.id
            ));
        }
        let (held, limit) = (rows.len(), self.rules.limit);
        if held >= limit {
            return Some(format!(
                "the server holds {held} of {limit} snapshots: delete one first"
            ));
        }
        if held + 1 >= limit && self.room_is_owed() {
            return Some(
                "the last free place was made for a slot that is due: delete a snapshot first"
                    .to_owned(),
            );
        }
        None
    }

    fn may_delete(&self, name: &str, id: &SnapshotId) -> Option<String> {
        let row = match self.row(name, id) {
            Ok(row) => row,
            Err(why) => return Some(why),
        };
        if self.policy_protects(row) {
            return Some(format!(
                "{} (id {id}) is protected: remove it from protect in {}.toml first",
                shown(name),
                self.policy.file
            ));
        }
        self.history.ordered_protection(row).map(|_| {
            format!(
                "{} (id {id}) is protected: run snaprotate unprotect {} {id} first",
                shown(name),
                self.policy.argument()
            )
        })
    }

    fn may_restore(&self, name: &str, id: &SnapshotId) -> Option<String> {
        let row = match self.row(name, id) {
            Ok(row) => row,
            Err(why) => return Some(why),
        };
        if row.status != Status::Completed {
            return Some(format!(
                "{} (id {id}) is {:?}: only a completed snapshot can be restored",
                shown(name),
                row.status.word()
            ));
        }
        let mut rows = self.inventory.snapshots.iter();
        let made = rows.find(|s| s.status == Status::InProgress)?;
        Some(format!(
            "{} is being made: try again when it is finished",
            shown(&made.name)
        ))
    }

    /// Returns the row that was shown to the operator, or an error if it is gone or has changed.
    fn row(&self, name: &str, id: &SnapshotId) -> Result<&Snapshot, String> {
        let mut rows = self.inventory.snapshots.iter();
        match rows.find(|s| s.id == *id || s.uuid.as_ref() == Some(id)) {
            Some(row) if row.name == name => Ok(row),
            Some(row) => Err(format!(
                "the snapshot with id {id} is called {:?} now, not {name:?}",
                row.name
            )),
            None => Err(format!(
                "the server has no snapshot {} (id {id}): the snapshot is gone, or belongs to another server",
                shown(name)
            )),
        }
    }
}

/// Returns a name from the provider, made safe for terminals and logs.
fn shown(name: &str) -> String {
    printable(name, NAME_SHOWN)
}

#[cfg(test)]
#[path = "operator_order_tests.rs"]
mod tests;
