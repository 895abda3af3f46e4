//! The stop of a server before its snapshot: when it is due, and what forbids it (I20).

use super::decide::{DecisionContext, Step, ended};
use super::due_slot_rules::RotationDemand;
use super::policy::Rotation;
use super::sanitize::printable;
use super::server_event::{ServerEvent, SlotOutcome};
use super::server_info::PowerState;

/// Maximum number of characters of the provider's word that a message shows.
const WORD_SHOWN: usize = 40;

impl DecisionContext<'_> {
    /// Returns the step that requests the server's state, if the state has not been requested. If
    /// the server can't be stopped or its state is unknown, returns the record of why the slot gets
    /// no snapshot. Called before room is made.
    pub(super) fn unfit_to_stop(&self, rotation: &Rotation, name: &str) -> Option<RotationDemand> {
        rotation.stop.as_ref()?;
        if self.history.is_down() {
            return None;
        }
        let (reason, for_good) = match self.inventory.state.as_ref() {
            None => return Some(RotationDemand::Step(Step::AskState)),
            Some(PowerState::Stopped | PowerState::Active) => return None,
            Some(PowerState::Other(word)) => (
                format!(
                    "the provider reports the server as {:?}, which is neither active nor stopped",
                    printable(word, WORD_SHOWN)
                ),
                false,
            ),
            Some(PowerState::Untold(why)) => (
                format!("it is not known whether the server is running: {why}"),
                false,
            ),
            Some(PowerState::NotOffered) => (
                format!(
                    "this provider doesn't report whether the server is running, so the server can't be stopped for its snapshot: remove stop_server from {}.toml",
                    self.policy.file
                ),
                true,
            ),
        };
        Some(RotationDemand::Step(Step::Record(
            ServerEvent::StopWithheld {
                rotation: rotation.name.clone(),
                snapshot: name.into(),
                reason,
                for_good,
            },
        )))
    }

    /// Returns the stop that precedes a create for which there is room, a wait, or the step that
    /// gives up the slot. `None` if the create may be sent.
    pub(super) fn stop_first(&self, rotation: &Rotation, name: &str) -> Option<RotationDemand> {
        if let Some(downtime) = self.history.downtime.as_deref() {
            let own = downtime.rotation == rotation.name && downtime.snapshot == name;
            let again = own && downtime.is_doubtful();
            let ready = own && downtime.stopped && downtime.starts == 0;
            if !again {
                return (!ready).then_some(RotationDemand::Later(self.rules.poll_interval));
            }
        }
        let runs = self.inventory.state == Some(PowerState::Active);
        if rotation.stop.is_none() || !runs {
            return None;
        }
        let note = self.history.slot(&rotation.name, name)?;
        if note.stops >= rotation.attempts {
            let reason =
                "the stop request was sent as often as the setting attempts allows".to_owned();
            return Some(RotationDemand::Step(ended(
                rotation,
                note,
                SlotOutcome::GivenUp,
                reason,
            )));
        }
        Some(RotationDemand::Step(Step::Stop {
            rotation: rotation.name.clone(),
            name: name.into(),
            reason: format!("a slot of {} is due, and stop_server is set", rotation.name),
        }))
    }
}
