//! The steps of a dry run: each takes effect at once, on the copy.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::dry_run::DryRun;
use super::plan::PlannedAction;
use super::retention_verdict::{RetentionVerdict, whole_seconds};
use super::rotation_and_snapshot_name::{RotationName, SnapshotName};
use super::server_event::{HookKind, HookOutcome, Outcome, ServerEvent};
use super::server_info::PowerState;
use super::snapshot::SnapshotId;

impl DryRun<'_> {
    pub(super) fn create(&mut self, rotation: RotationName, name: SnapshotName, reason: String) {
        self.record(&ServerEvent::CreateIntent {
            rotation,
            snapshot: name.clone(),
            // Needed only if no answer gives the id; here the answer follows at once.
            known: BTreeSet::new(),
            reason: reason.clone(),
            by: None,
            spare: None,
            expires: None,
        });
        let id = self.new_id();
        self.created.insert(id.clone());
        self.record(&ServerEvent::CreateResult {
            snapshot: name.clone(),
            outcome: Outcome::Done,
            id: Some(id.clone()),
            server_name: None,
            looked_for: false,
            hindrance: None,
            said: None,
        });
        self.show(id, name.clone());
        self.push(PlannedAction::Create, Some(name), None, reason);
    }

    pub(super) fn delete(
        &mut self,
        (id, name): (SnapshotId, SnapshotName),
        (prune_first, expired): (bool, bool),
        paid_by: Option<SnapshotId>,
        reason: String,
    ) {
        if let Some(fated) = self.plan.snapshots.iter_mut().find(|v| v.id == id) {
            fated.fate = RetentionVerdict::Delete;
            fated.reason.clone_from(&reason);
        }
        let ids = || {
            self.inventory
                .snapshots
                .iter()
                .map(|s| s.id.clone())
                .collect()
        };
        self.record(&ServerEvent::DeleteIntent {
            rotation: "".into(),
            snapshot: name.clone(),
            id: id.clone(),
            prune_first: prune_first.then(ids),
            paid_by,
            expired,
            reason: reason.clone(),
            by: None,
        });
        let outcome = Outcome::Done;
        self.record(&ServerEvent::DeleteResult {
            id: id.clone(),
            outcome,
        });
        self.inventory.snapshots.retain(|s| s.id != id);
        self.inventory.requested = self.now.mono;
        let id = Some(id).filter(|id| !self.created.contains(id));
        self.push(PlannedAction::Delete, Some(name), id, reason);
    }

    /// Records that `before` succeeded, if the rotation has hooks. Without the hold, the stopped
    /// server would be started before the create.
    fn hold(&mut self, rotation: &str, snapshot: &str) {
        let hooked = self.policy.rotation(rotation);
        if hooked.is_none_or(|rotation| rotation.hooks.is_none()) {
            return;
        }
        let (hook, rotation, snapshot) =
            (HookKind::Before, rotation.to_owned(), snapshot.to_owned());
        self.record(&ServerEvent::HookStarted {
            hook,
            rotation: rotation.clone().into(),
            snapshot: snapshot.clone().into(),
            command: Vec::new(),
        });
        self.record(&ServerEvent::HookFinished {
            hook,
            rotation: rotation.into(),
            snapshot: snapshot.into(),
            outcome: HookOutcome::Done,
            go_on: false,
            early: false,
            later: false,
            reason: String::new(),
        });
    }

    /// Stops the server at once.
    pub(super) fn stop(&mut self, rotation: RotationName, snapshot: SnapshotName, reason: String) {
        let stop = self.policy.rotation(&rotation);
        let longest = stop.and_then(|rotation| rotation.stop.as_deref());
        let longest = longest.map_or(SignedDuration::ZERO, |stop| stop.longest);
        let told = format!(
            "{reason}; the server stays down until {snapshot} is finished, for {:#} at most",
            whole_seconds(longest)
        );
        self.hold(&rotation, &snapshot);
        self.record(&ServerEvent::StopIntent {
            rotation: rotation.clone(),
            snapshot: snapshot.clone(),
            reason,
            max_stopped: Some(longest),
        });
        self.record(&ServerEvent::StopResult {
            snapshot: snapshot.clone(),
            outcome: Outcome::Done,
            said: None,
        });
        self.record(&ServerEvent::StopConfirmed {
            rotation,
            snapshot: snapshot.into(),
        });
        self.inventory.state = Some(PowerState::Stopped);
        self.push(PlannedAction::Stop, None, None, told);
    }

    /// Starts the server at once.
    pub(super) fn start(
        &mut self,
        rotation: RotationName,
        snapshot: SnapshotName,
        early: bool,
        reason: String,
    ) {
        self.record(&ServerEvent::StartIntent {
            rotation: rotation.clone(),
            snapshot: snapshot.clone(),
            early,
            reason: reason.clone(),
        });
        self.record(&ServerEvent::StartResult {
            snapshot: snapshot.clone(),
            outcome: Outcome::Done,
            said: None,
        });
        self.record(&ServerEvent::StartConfirmed {
            rotation,
            snapshot: snapshot.into(),
        });
        self.inventory.state = Some(PowerState::Active);
        self.push(PlannedAction::Start, None, None, reason);
    }

    /// Releases a held server. The dry run itself holds a server only to stop it.
    pub(super) fn after(&mut self, rotation: RotationName, snapshot: SnapshotName) {
        let reason = format!("the after hook of {rotation} runs and releases the server");
        self.record(&ServerEvent::HookFinished {
            hook: HookKind::After,
            rotation,
            snapshot,
            outcome: HookOutcome::Done,
            go_on: false,
            early: false,
            later: false,
            reason: reason.clone(),
        });
        self.push(PlannedAction::Wait, None, None, reason);
    }
}
