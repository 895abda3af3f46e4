//! Where a process dies, and what the next one finds.

use jiff::SignedDuration;

use super::provider::World;
use super::world_setup::SETTLE;
use crate::audit::memory_disk::Crash;

/// At which point of a call the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPhase {
    /// The intent is written, nothing is sent.
    BeforeCall,
    /// The request is on its way.
    InCall,
    /// The answer is there, and not yet recorded.
    AfterCall,
    /// A listing is about to be asked for.
    BeforeListing,
    /// Its rows are read, and on their way.
    InListing,
    /// They have come, and nothing follows from them yet.
    AfterListing,
}

impl CrashPhase {
    /// The first point of such a call, at which calls are counted.
    fn first(self) -> Self {
        match self {
            Self::BeforeCall | Self::InCall | Self::AfterCall => Self::BeforeCall,
            Self::BeforeListing | Self::InListing | Self::AfterListing => Self::BeforeListing,
        }
    }
}

/// What becomes of the mutation in which the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LostEffect {
    /// Nothing, and no answer comes.
    Never,
    /// It is done, and answered.
    Done,
    /// No answer comes; it is done shortly after the next process began.
    Soon,
    /// No answer comes; it shows in the last instant in which it may.
    Late,
}

impl LostEffect {
    /// The fault that does it; `None` when there is none.
    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::Never => Some("no answer, not done"),
            Self::Done => None,
            Self::Soon | Self::Late => Some("no answer, done late"),
        }
    }

    /// How long after the end of the waiting for an answer it is done; a listing shows it
    /// only `shows_after` that.
    pub(super) fn lag(self, shows_after: SignedDuration) -> SignedDuration {
        match self {
            Self::Late => SETTLE - shows_after - SignedDuration::from_millis(1),
            _ => SignedDuration::from_secs(20),
        }
    }
}

/// A death within a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallCrash {
    /// In which of the next calls of that kind, counted from 1.
    pub(super) nth: u64,
    pub(super) at: CrashPhase,
    /// What becomes of that mutation; `None`: what the weather says.
    pub(super) effect: Option<LostEffect>,
}

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPoint {
    /// This change of the disk isn't made any more; counted from 0.
    Change(u64),
    Call(CallCrash),
}

/// The death of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCrash {
    pub(super) point: CrashPoint,
    /// What is left on the disk.
    pub(super) crash: Crash,
}

impl PlannedCrash {
    /// Returns true if the call in which it dies may take effect in the last instant.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.point, CrashPoint::Call(doomed) if doomed.effect == Some(LostEffect::Late))
    }
}

/// How far a process came: the points at which it could have died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessProgress {
    /// Changes of the disk.
    pub(super) changes: u64,
    /// Of these, the ones while the trail was opened.
    pub(super) opening: u64,
    pub(super) mutations: u64,
    pub(super) listings: u64,
}

impl World {
    /// The process dies here and now, if that is its fate; whether it did.
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

    /// What is fated for the mutation that is being sent.
    pub(super) fn effect(&self) -> Option<LostEffect> {
        let doomed = self.doom.filter(|doomed| doomed.nth == 0)?;
        doomed.effect
    }

    /// Nothing of the process gets through any more.
    pub(super) fn kill(&mut self) {
        self.dead = true;
        self.disk.kill();
        self.died.notify_one();
    }
}
