//! Folds the records of an action into one: its intent, the answer, and what a listing showed. A
//! pure function over records; their order decides, not their times.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::filter::went_wrong;
use super::snapshot_names::NamedRecord;
use crate::core::snapshot::ServerId;

/// The kind of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ActionKind {
    /// A due slot on which no work has begun.
    Slot,
    Create,
    Delete,
    Restore,
    Hook,
    Stop,
    Start,
    /// A record that belongs to no other.
    Single,
}

/// The part of an action that a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Begin,
    Answer,
    /// The last record, unless it is the answer.
    End,
    /// Repeats that a create is completed.
    Settled,
}

/// The state of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ActionState {
    /// It succeeded.
    Done,
    /// It failed or was refused, or its record reports a failure.
    Failed,
    /// The trail has no end of it.
    Open,
    /// An alert, or a server that is blocked.
    Alert,
    /// A record that is neither good nor bad.
    Plain,
}

/// The records of one action, in the order of the trail.
#[derive(Clone, Debug)]
pub(super) struct Action {
    pub(super) kind: ActionKind,
    /// Never empty.
    pub(super) steps: Vec<NamedRecord>,
    /// When the alert or the block began that this record ends.
    pub(super) since: Option<Timestamp>,
    /// True if the record follows an intent that was not among the records.
    pub(super) headless: bool,
    /// True if it had not ended when the same action was begun again.
    pub(super) begun_again: bool,
}

/// Identifies an action that has not ended.
type ActionKey = (Option<ServerId>, ActionKind, String);

/// Identifies an alert or a block: the server, the alert, and what it is about.
type AlertKey = (Option<ServerId>, String, String);

/// The actions that have not ended, and what later records refer to.
#[derive(Debug, Default)]
pub(super) struct ActionFold {
    open: BTreeMap<ActionKey, Action>,
    /// Completed creates whose slot is not settled yet.
    completed: BTreeSet<ActionKey>,
    alerts: BTreeMap<AlertKey, Timestamp>,
}

impl ActionFold {
    /// Adds the next record, and returns the actions that it ends.
    pub(super) fn take(&mut self, named: NamedRecord) -> Vec<Action> {
        let Some((kind, part)) = role(&named.record.event) else {
            return vec![self.single(named, false)];
        };
        let key = key(kind, &named);
        match part {
            Part::Begin => self.begin(key, named),
            // The create was shown as completed.
            Part::Settled if self.completed.remove(&key) => Vec::new(),
            Part::Settled => vec![self.single(named, false)],
            Part::Answer | Part::End => {
                let Some(mut action) = self.open.remove(&key) else {
                    let headless = part == Part::Answer || kind != ActionKind::Create;
                    return vec![self.single(named, headless)];
                };
                action.steps.push(named);
                if action.state() == ActionState::Open {
                    self.open.insert(key, action);
                    return Vec::new();
                }
                if kind == ActionKind::Create && action.state() == ActionState::Done {
                    self.completed.insert(key);
                }
                vec![action]
            }
        }
    }

    /// Returns the actions that have not ended, by the time of their last record.
    pub(super) fn open(&self) -> Vec<&Action> {
        let mut open: Vec<_> = self.open.values().collect();
        open.sort_by_key(|action| action.last().record.seq);
        open
    }

    fn begin(&mut self, key: ActionKey, named: NamedRecord) -> Vec<Action> {
        let mut steps = self.slot_due(&named);
        steps.push(named);
        let action = Action {
            kind: key.1,
            steps,
            since: None,
            headless: false,
            begun_again: false,
        };
        let before = self.open.insert(key, action);
        let before = before.map(|before| Action {
            begun_again: true,
            ..before
        });
        before.into_iter().collect()
    }

    fn single(&mut self, named: NamedRecord, headless: bool) -> Action {
        let mut steps = match named.record.event.as_str() {
            "slot_settled" | "slot_skipped" | "slot_given_up" => self.slot_due(&named),
            _ => Vec::new(),
        };
        let since = self.began(&named);
        steps.push(named);
        Action {
            kind: ActionKind::Single,
            steps,
            since,
            headless,
            begun_again: false,
        }
    }

    /// Removes the slot that the record's snapshot is for, and returns its record.
    fn slot_due(&mut self, named: &NamedRecord) -> Vec<NamedRecord> {
        let slot = self.open.remove(&key(ActionKind::Slot, named));
        slot.map_or_else(Vec::new, |slot| slot.steps)
    }

    /// Stores when an alert or a block begins. Returns that time for the record that ends it.
    fn began(&mut self, named: &NamedRecord) -> Option<Timestamp> {
        let (record, said) = (&named.record, &named.said);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let key = (record.server.clone(), text(&said.alert), text(&said.about));
        match record.event.as_str() {
            "alert_raised" | "blocked" => {
                self.alerts.entry(key).or_insert(record.time);
                None
            }
            "alert_cleared" | "recovered" => self.alerts.remove(&key),
            _ => None,
        }
    }
}

impl Action {
    /// Returns the record with which the action begins. A slot that was due comes before it.
    pub(super) fn first(&self) -> &NamedRecord {
        let due = |named: &&NamedRecord| named.record.event == "slot_due";
        let mut steps = self.steps.iter().skip_while(due);
        steps.next().unwrap_or_else(|| self.last())
    }

    /// Returns true if the action is a record that belongs to no other.
    pub(super) fn is_single(&self) -> bool {
        self.kind == ActionKind::Single
    }

    pub(super) fn last(&self) -> &NamedRecord {
        &self.steps[self.steps.len() - 1]
    }

    /// Returns the last answer of the provider.
    pub(super) fn answer(&self) -> Option<&NamedRecord> {
        let mut steps = self.steps.iter().rev();
        steps.find(|named| named.record.event.ends_with("_result"))
    }

    /// Returns the state that the last record shows.
    pub(super) fn state(&self) -> ActionState {
        let NamedRecord { record, said, .. } = self.last();
        let outcome = said.outcome.as_deref();
        if self.kind == ActionKind::Single {
            return match record.event.as_str() {
                "alert_raised" | "blocked" => ActionState::Alert,
                event if went_wrong(event, said) => ActionState::Failed,
                "alert_cleared" | "recovered" | "slot_settled" | "snapshot_completed" => {
                    ActionState::Done
                }
                _ => ActionState::Plain,
            };
        }
        match (record.event.as_str(), self.kind, outcome) {
            ("snapshot_failed" | "create_mismatch", ..) => ActionState::Failed,
            ("restore_result" | "hook_finished", _, Some("done"))
            | (
                "snapshot_completed" | "delete_confirmed" | "stop_confirmed" | "start_confirmed",
                ..,
            ) => ActionState::Done,
            ("hook_finished", ..) | (_, _, Some("failed" | "no_server" | "later")) => {
                ActionState::Failed
            }
            _ => ActionState::Open,
        }
    }
}

/// Returns the action to which a record of this event belongs, and its part in it.
fn role(event: &str) -> Option<(ActionKind, Part)> {
    use ActionKind::{Create, Delete, Hook, Restore, Slot, Start, Stop};
    Some(match event {
        "slot_due" => (Slot, Part::Begin),
        "slot_settled" => (Create, Part::Settled),
        "create_intent" => (Create, Part::Begin),
        "create_result" => (Create, Part::Answer),
        "snapshot_completed" | "snapshot_failed" | "create_mismatch" => (Create, Part::End),
        "delete_intent" => (Delete, Part::Begin),
        "delete_result" => (Delete, Part::Answer),
        "delete_confirmed" => (Delete, Part::End),
        "restore_intent" => (Restore, Part::Begin),
        "restore_result" => (Restore, Part::Answer),
        "hook_started" => (Hook, Part::Begin),
        "hook_finished" => (Hook, Part::End),
        "stop_intent" => (Stop, Part::Begin),
        "stop_result" => (Stop, Part::Answer),
        "stop_confirmed" => (Stop, Part::End),
        "start_intent" => (Start, Part::Begin),
        "start_result" => (Start, Part::Answer),
        "start_confirmed" => (Start, Part::End),
        _ => return None,
    })
}

fn key(kind: ActionKind, named: &NamedRecord) -> ActionKey {
    let said = &named.said;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let subject = match kind {
        ActionKind::Delete | ActionKind::Restore => said.id.as_ref().map(ToString::to_string),
        ActionKind::Hook => Some(format!("{} {}", text(&said.hook), text(&said.snapshot))),
        _ => said.snapshot.clone(),
    };
    (
        named.record.server.clone(),
        kind,
        subject.unwrap_or_default(),
    )
}

#[cfg(test)]
#[path = "action_fold_tests.rs"]
mod tests;
