//! Slots that passed without an attempt (I15).

use jiff::Timestamp;

use super::decide::{CLOCK_TOLERANCE, DecisionContext};
use super::policy::Rotation;
use super::retry_backoff::IN_PAUSE;
use super::schedule::Slot;
use super::server_event::ServerEvent;

/// Maximum number of slots that are counted as passed without an attempt.
const MOST_COUNTED: usize = 1000;

impl DecisionContext<'_> {
    /// I15: returns one record for all slots that passed unnoticed since the last one in the trail.
    /// It names the newest of them. None of them is run late.
    pub(super) fn missed(
        &self,
        index: usize,
        rotation: &Rotation,
        slot: Slot,
    ) -> Option<ServerEvent> {
        let known = self.history.met_until(&rotation.name, slot.at);
        let since = known.max(self.history.since(&rotation.name))?;
        let before = |at| (rotation.schedule.before(at)).filter(|slot| slot.at > since);
        let walk = std::iter::successors(before(slot.at), |slot| before(slot.at));
        // After a change of schedule two slots may share one name. A record or a snapshot of that
        // name counts for both.
        let unknown = |slot: &Slot| {
            let name = rotation.pattern.format(slot.local);
            self.history.slot(&rotation.name, &name).is_none() && !self.completed(index, *slot)
        };
        let mut missed = walk.take(MOST_COUNTED).filter(unknown);
        let newest = missed.next()?;
        let others = missed.count();
        let paused = self.passed_in_pause(rotation, newest.at);
        Some(ServerEvent::SlotSkipped {
            rotation: rotation.name.clone(),
            slot: newest.at,
            snapshot: rotation.pattern.format(newest.local).into(),
            missed: u32::try_from(others).unwrap_or(u32::MAX),
            paused,
            reason: if paused {
                IN_PAUSE.to_owned()
            } else {
                "it passed without an attempt: the service was down, the clock was set forward, the server was blocked, or no listing was available"
                    .to_owned()
            },
        })
    }

    /// Returns true if the slot's time ran out during the last pause. If it ran out before the
    /// pause, the slot was missed for another reason, and an alert must be raised.
    pub(super) fn passed_in_pause(&self, rotation: &Rotation, slot: Timestamp) -> bool {
        let Some(pause) = &self.history.last_pause else {
            return false;
        };
        // A pause that ends in the future was recorded while the clock was ahead.
        let ahead = pause.until.duration_since(self.now.wall);
        let end = rotation.end_of(slot);
        let within = end.is_some_and(|end| pause.from < end && end <= pause.until);
        within && ahead <= CLOCK_TOLERANCE
    }
}
