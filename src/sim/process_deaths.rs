//! Deaths of the process at planned points of its calls.

use super::crash::{CrashPhase, LostEffect};
use super::provider::World;

impl World {
    /// Kills the process if its planned crash is due in this phase. Returns true if it did.
    pub(super) fn dies(&mut self, at: CrashPhase) -> bool {
        let Some(doomed) = &mut self.doom else {
            return false;
        };
        if at == doomed.at.first() {
            doomed.nth = doomed.nth.saturating_sub(1);
        }
        let strikes = doomed.nth == 0 && doomed.at == at;
        if strikes {
            self.doom = None;
            self.kill();
        }
        strikes
    }

    /// Returns the planned effect of the mutation that is being sent.
    pub(super) fn effect(&self) -> Option<LostEffect> {
        let doomed = self.doom.filter(|doomed| doomed.nth == 0)?;
        doomed.effect
    }

    /// Kills the process: nothing that it does has an effect any more.
    pub(super) fn kill(&mut self) {
        self.dead = true;
        self.disk.kill();
        self.died.notify_one();
    }
}
