//! The start of a stopped server at shutdown (I20).

use jiff::SignedDuration;

use super::decide::Step;
use super::downtime_record::Downtime;
use super::policy::Policy;
use super::server_event::{ClockReading, ServerEvent};
use super::server_history::{PendingOp, ServerHistory};
use super::server_info::PowerState;
use super::server_start::lasts;

/// How long to wait at shutdown for an accepted start to take effect before it is sent again.
const BOOTS: SignedDuration = SignedDuration::from_secs(10);

/// The next step at shutdown for a server that the rotation stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShutdownStep {
    /// Write this record, then call again.
    Record(ServerEvent),
    /// Send this start, then call again.
    Start(Step),
    /// Look again in a moment.
    Wait,
    /// Nothing is left to do.
    Over,
}

/// Returns the next step at shutdown, based on the server's current state.
pub fn at_end(
    policy: Option<&Policy>,
    history: &ServerHistory,
    state: &PowerState,
    now: ClockReading,
) -> ShutdownStep {
    let Some(downtime) = history.downtime.as_deref() else {
        return ShutdownStep::Over;
    };
    if let Some(unanswered) = downtime.unanswered() {
        return ShutdownStep::Record(unanswered);
    }
    // The next process watches for the effect of a refused stop.
    if downtime.is_doubtful() && *state != PowerState::Stopped {
        return ShutdownStep::Over;
    }
    let (rotation, snapshot) = (downtime.rotation.clone(), downtime.snapshot.clone());
    let stopped = downtime.stopped || *state == PowerState::Stopped;
    if stopped && !downtime.stopped {
        return ShutdownStep::Record(ServerEvent::StopConfirmed {
            rotation,
            snapshot: snapshot.into(),
        });
    }
    if *state == PowerState::Active {
        let stop = policy.and_then(|policy| policy.rotation(&rotation)?.stop.as_deref());
        let pending = stop.is_some_and(|stop| lasts(downtime, now) < stop.timeout);
        return match (stopped, downtime.taken) {
            (true, true) if downtime.has_one_start() => {
                ShutdownStep::Record(ServerEvent::StartConfirmed {
                    rotation,
                    snapshot: snapshot.into(),
                })
            }
            // The stop may still take effect.
            (false, sent) if pending || sent => ShutdownStep::Wait,
            // The next process waits until no call can take effect any more.
            (_, true) => ShutdownStep::Over,
            (_, false) => start_at_end(history, downtime),
        };
    }
    let boots = downtime.taken && downtime.started.is_some_and(|at| at.elapsed(now) < BOOTS);
    if boots {
        return ShutdownStep::Wait;
    }
    start_at_end(history, downtime)
}

fn start_at_end(history: &ServerHistory, downtime: &Downtime) -> ShutdownStep {
    let name = downtime.snapshot.clone();
    let making =
        matches!(&history.open, Some(PendingOp::Create { name: open, .. }) if *open == name);
    ShutdownStep::Start(Step::Start {
        rotation: downtime.rotation.clone(),
        name,
        early: making,
        reason: "the service is stopping".to_owned(),
    })
}
