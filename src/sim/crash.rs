//! The points at which a process dies, and what is left for the next one.

use jiff::SignedDuration;

use super::world_setup::SETTLE;
use crate::audit::memory_disk::Crash;

/// The phase of a call in which the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPhase {
    /// The intent is written, but nothing is sent yet.
    BeforeCall,
    /// The request is on its way.
    InCall,
    /// The answer has arrived, but is not recorded yet.
    AfterCall,
    /// A listing or a power state is about to be requested.
    BeforeListing,
    /// The answer is composed and on its way.
    InListing,
    /// The answer has arrived, but has not been used yet.
    AfterListing,
}

impl CrashPhase {
    /// Returns the first phase of a call of this kind; calls are counted in that phase.
    pub(super) fn first(self) -> Self {
        match self {
            Self::BeforeCall | Self::InCall | Self::AfterCall => Self::BeforeCall,
            Self::BeforeListing | Self::InListing | Self::AfterListing => Self::BeforeListing,
        }
    }
}

/// The effect of the mutation in which the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LostEffect {
    /// No effect, and no answer.
    Never,
    /// It is done, and answered.
    Done,
    /// No answer; it is done shortly after the next process starts.
    Soon,
    /// No answer; listings show it only at the last instant of the settle window.
    Late,
}

impl LostEffect {
    /// Returns the fault that has this effect; `None` if there is no fault.
    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::Never => Some("no answer, not done"),
            Self::Done => None,
            Self::Soon | Self::Late => Some("no answer, done late"),
        }
    }

    /// Returns the time between the end of the wait for an answer and the effect. A listing shows
    /// the effect only `shows_after` later.
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
    /// The call in which it happens: the nth of the next calls of that kind, counted from 1.
    pub(super) nth: u64,
    pub(super) at: CrashPhase,
    /// The effect of that mutation; `None`: the drawn faults decide.
    pub(super) effect: Option<LostEffect>,
}

/// The point at which a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPoint {
    /// The disk change that is no longer made, counted from 0.
    Change(u64),
    Call(CallCrash),
}

/// The death of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCrash {
    pub(super) point: CrashPoint,
    /// The state in which the disk is left.
    pub(super) crash: Crash,
}

impl PlannedCrash {
    /// Returns true if the process dies in a call that may take effect at the last instant.
    pub(super) fn is_late(&self) -> bool {
        matches!(self.point, CrashPoint::Call(doomed) if doomed.effect == Some(LostEffect::Late))
    }
}

/// The progress of a process: the points at which it could have died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessProgress {
    /// Number of disk changes.
    pub(super) changes: u64,
    /// Number of disk changes made while opening the trail; `changes` includes them.
    pub(super) opening: u64,
    pub(super) mutations: u64,
    /// Number of listings and of requests for a power state.
    pub(super) listings: u64,
}
