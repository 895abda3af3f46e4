//! A server is stopped for its snapshot, and the start that it is owed: the rules (I20).
//!
//! The start needs no listing, so it stands before the rules that do.

use jiff::SignedDuration;

use super::breaks::Break;
use super::decide::{DecisionContext, Step, ended, pause};
use super::downtime::{Downtime, PowerState};
use super::due::RotationDemand;
use super::event::{AlertKind, ClockReading, Outcome, ServerEvent, SlotOutcome};
use super::policy::{Policy, ReleaseWhen, Rotation, Rules, StopServer};
use super::sanitize::{printable, utc};
use super::server_history::{PendingOp, ServerHistory};
use super::snapshot::Status;

/// As much of a foreign word as a message repeats.
const WORD_SHOWN: usize = 40;

/// At the end of the service a start that was taken has so long until it is sent again.
const BOOTS: SignedDuration = SignedDuration::from_secs(10);

/// All that tells which step is owed in a downtime; no listing does.
struct OwedStart<'a> {
    /// `None`: it went.
    policy: Option<&'a Policy>,
    history: &'a ServerHistory,
    downtime: &'a Downtime,
    rules: &'a Rules,
    state: Option<&'a PowerState>,
    now: ClockReading,
}

/// The power call that is due, or what the server's state is to be recorded as; `None`: nothing,
/// or the rules have the word.
pub fn owed(
    policy: Option<&Policy>,
    history: &ServerHistory,
    rules: &Rules,
    state: Option<&PowerState>,
    now: ClockReading,
) -> Option<Step> {
    let owed = OwedStart::of(policy, history, rules, state, now)?;
    let downtime = owed.downtime;
    if downtime.created && Break::StartForgotten.on() {
        return None;
    }
    let unanswered = downtime.unanswered().map(Step::Record);
    unanswered
        .or_else(|| owed.confirmed())
        .or_else(|| owed.alert())
        .or_else(|| owed.start())
}

/// Returns true if the server's start is due, whatever is to be recorded before.
pub fn is_start_due(
    policy: Option<&Policy>,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> bool {
    let owed = OwedStart::of(policy, history, rules, None, now);
    owed.is_some_and(|owed| owed.downtime.starts > 0 || owed.why_started().is_some())
}

/// The next thing that the end of the service does for a server that it has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShutdownStep {
    /// Record this, then ask again.
    Record(ServerEvent),
    /// Send this start, then ask again.
    Start(Step),
    /// Look again in a moment.
    Wait,
    /// Nothing more.
    Over,
}

/// The next thing at the end of the service, by the state that the server is seen in now.
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
    let (rotation, snapshot) = (downtime.rotation.clone(), downtime.snapshot.clone());
    let stopped = downtime.stopped || *state == PowerState::Stopped;
    if stopped && !downtime.stopped {
        return ShutdownStep::Record(ServerEvent::StopConfirmed { rotation, snapshot });
    }
    if *state == PowerState::Active {
        let stop = policy.and_then(|policy| policy.rotation(&rotation)?.stop.as_deref());
        let pending = stop.is_some_and(|stop| lasts(downtime, now) < stop.timeout);
        return match (stopped, downtime.taken) {
            (true, true) => {
                ShutdownStep::Record(ServerEvent::StartConfirmed { rotation, snapshot })
            }
            // Its stop may take effect yet.
            (false, _) if pending => ShutdownStep::Wait,
            (false, true) => ShutdownStep::Over,
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

impl ServerHistory {
    /// For how long a listing may be waited for before the server's start has to be looked after;
    /// `None`: it isn't stopped.
    pub fn patience(
        &self,
        policy: Option<&Policy>,
        rules: &Rules,
        now: ClockReading,
    ) -> Option<SignedDuration> {
        let owed = OwedStart::of(policy, self, rules, None, now)?;
        let downtime = owed.downtime;
        let first = owed.stop().filter(|_| downtime.starts == 0);
        let left = first.map(|stop| {
            // One that isn't stopped yet is started sooner.
            let most = if downtime.stopped {
                stop.longest
            } else {
                stop.timeout.min(stop.longest)
            };
            most - owed.lasts()
        });
        Some(
            left.unwrap_or(4 * rules.poll_interval)
                .max(rules.poll_interval),
        )
    }
}

impl<'a> OwedStart<'a> {
    /// `None`: the rotation keeps no server stopped.
    fn of(
        policy: Option<&'a Policy>,
        history: &'a ServerHistory,
        rules: &'a Rules,
        state: Option<&'a PowerState>,
        now: ClockReading,
    ) -> Option<Self> {
        Some(Self {
            policy,
            history,
            downtime: history.downtime.as_deref()?,
            rules,
            state,
            now,
        })
    }
}

impl OwedStart<'_> {
    /// A change that the server's state tells.
    fn confirmed(&self) -> Option<Step> {
        let Downtime {
            rotation, snapshot, ..
        } = self.downtime;
        let (rotation, snapshot) = (rotation.clone(), snapshot.clone());
        if self.state == Some(&PowerState::Stopped) && !self.downtime.stopped {
            return Some(Step::Record(ServerEvent::StopConfirmed {
                rotation,
                snapshot,
            }));
        }
        self.runs()
            .then_some(Step::Record(ServerEvent::StartConfirmed {
                rotation,
                snapshot,
            }))
    }

    /// Returns true if it is seen active, and no call that is still under way can change that: a
    /// stop that was never seen to act, or a start without a good answer, may be late, and a
    /// look may be at a copy from before.
    fn runs(&self) -> bool {
        let Some(active) = self.downtime.active else {
            return false;
        };
        let over = match self.downtime.started {
            Some(started) => started.elapsed_with(self.rules.request_timeout, self.now),
            None if self.downtime.is_doubtful() => self.downtime.since.elapsed(self.now),
            None => return false,
        };
        let twice = self.now.mono - active >= self.rules.poll_interval;
        // A stop that comes late takes its time as well.
        let slow = self.stop().filter(|_| !self.downtime.stopped);
        let slow = slow.map_or(SignedDuration::ZERO, |stop| stop.longest);
        let settled = over >= self.rules.settle_window + slow;
        twice && (settled || (self.downtime.stopped && self.downtime.taken))
    }

    /// That it stands still for too long is told at once: nothing else needs to be known for it.
    fn alert(&self) -> Option<Step> {
        let ((alert, about), reason) = self.too_long()?;
        let key = (alert, about);
        // Without a policy nothing else brings its reason up to date.
        let stands = self.history.alerts.get(&key);
        if stands.is_some_and(|stands| self.policy.is_some() || stands.reason == reason) {
            return None;
        }
        let (alert, about) = key;
        Some(Step::Record(ServerEvent::AlertRaised {
            alert,
            about,
            reason,
        }))
    }

    /// That it is down for longer than it may be, or can't be started.
    fn too_long(&self) -> Option<((AlertKind, String), String)> {
        let Downtime {
            rotation,
            snapshot,
            starts,
            refused,
            answer,
            ..
        } = self.downtime;
        let late = self.stop().is_some_and(|stop| self.lasts() >= stop.longest);
        // The second start follows only when the first had no effect.
        let unable = *starts > 1 && (refused.is_some() || self.stop().is_none());
        let watched = self.downtime.active.is_some() || self.downtime.is_doubtful();
        if watched || !(late || unable) {
            return None;
        }
        let since = utc(self.downtime.since.wall);
        let what = if self.downtime.stopped {
            format!("the server is stopped since {since} for {snapshot}")
        } else {
            format!("the server was to be stopped at {since} for {snapshot}")
        };
        let tried = match (starts, refused) {
            (0, _) => "its start follows".to_owned(),
            (_, Some(said)) => {
                let refused = matches!(answer, Some(Outcome::Failed | Outcome::NoServer));
                let what = if refused {
                    "is refused"
                } else {
                    "came to nothing"
                };
                format!("its start {what} (the provider says \"{said}\"), and is tried again")
            }
            _ => "its start is tried again".to_owned(),
        };
        let gone = self.policy.map_or_else(
            || "its policy is gone".to_owned(),
            |policy| {
                let server = &policy.server;
                format!("if there is no such server any more, snaprotate resume --server {server}")
            },
        );
        let reason =
            format!("{what}, and not seen active again: {tried}; start it at the provider; {gone}");
        Some(((AlertKind::ServerStopped, rotation.clone()), reason))
    }

    fn start(&self) -> Option<Step> {
        let reason = self.why_started()?;
        let Downtime {
            rotation, snapshot, ..
        } = self.downtime;
        Some(Step::Start {
            rotation: rotation.clone(),
            name: snapshot.clone(),
            early: self.making().is_some() && !self.accepted(),
            reason,
        })
    }

    fn why_started(&self) -> Option<String> {
        let Downtime {
            snapshot: name,
            starts,
            ..
        } = self.downtime;
        if let Some(started) = self.downtime.started {
            let over = started.elapsed_with(self.rules.request_timeout, self.now);
            let pause = self.rules.pause_of_starts(*starts);
            // One that was taken has its time to boot.
            let boots = self
                .downtime
                .taken
                .then(|| self.stop().map(|stop| stop.timeout));
            let rested = over >= pause.max(boots.flatten().unwrap_or_default());
            let due = self.downtime.active.is_none() && rested;
            return due.then(|| "it isn't seen active since the last start".to_owned());
        }
        if self.downtime.is_doubtful() {
            return None;
        }
        let Some(stop) = self.stop() else {
            return Some("its policy stops it no more".to_owned());
        };
        if self.lasts() >= stop.longest {
            return Some(format!("max_stopped is over before {name} is"));
        }
        if self.making().is_none() {
            let slot = self.history.slot(&self.downtime.rotation, name);
            let over = slot.is_none_or(|note| note.ending.is_some());
            // One that was not made may be made yet while the server stands still; a hold is for
            // one create.
            let hooked = self.rotation().is_some_and(|r| r.hooks.is_some());
            if self.downtime.created && (over || hooked || !self.downtime.stopped) {
                return Some(format!("{name} is over"));
            }
            // Another slot may be due by now, but not this one: nothing else would start it.
            if over {
                return Some(format!("{name} is made no more"));
            }
            if self.lacks_its_hold() {
                return Some("the hold of its hooks is over".to_owned());
            }
            let late = !self.downtime.stopped && self.lasts() >= stop.timeout;
            return late.then(|| "it wasn't seen stopped within stop_timeout".to_owned());
        }
        self.accepted()
            .then(|| format!("the provider has accepted {name}"))
    }

    fn rotation(&self) -> Option<&Rotation> {
        self.policy?.rotation(&self.downtime.rotation)
    }

    /// By the policy in force.
    fn stop(&self) -> Option<&StopServer> {
        self.rotation()?.stop.as_deref()
    }

    /// For how long it is down at most, by either clock.
    fn lasts(&self) -> SignedDuration {
        lasts(self.downtime, self.now)
    }

    /// The open create that it is stopped for, and whether its id is known.
    fn making(&self) -> Option<bool> {
        match &self.history.open {
            Some(PendingOp::Create { name, id, .. }) if *name == self.downtime.snapshot => {
                Some(id.is_some())
            }
            _ => None,
        }
    }

    fn accepted(&self) -> bool {
        let accepted = |stop: &StopServer| stop.restart == ReleaseWhen::Accepted;
        self.stop().is_some_and(accepted) && self.making() == Some(true)
    }

    /// Returns true if the rotation's hooks were to hold it too, and don't, or not for long enough
    /// to create.
    fn lacks_its_hold(&self) -> bool {
        let Some(hooks) = self.rotation().and_then(|r| r.hooks.as_deref()) else {
            return false;
        };
        let Some(hold) = self.history.hold.as_deref() else {
            return !hooks.go_on;
        };
        let left = hooks.max_hold - hold.since.elapsed(self.now);
        !hold.is_for(&self.downtime.snapshot) || left <= self.rules.request_timeout
    }
}

fn lasts(downtime: &Downtime, now: ClockReading) -> SignedDuration {
    downtime.since.age(now).max(downtime.since.elapsed(now))
}

impl Rules {
    /// The pause after the nth start.
    fn pause_of_starts(&self, starts: u32) -> SignedDuration {
        let doublings = starts.saturating_sub(1).min(16);
        let pause = self.poll_interval.saturating_mul(2 << doublings);
        pause.min(self.retry_after.max(self.poll_interval))
    }
}

impl DecisionContext<'_> {
    /// The step that is owed to a server that the rotation stopped: before the rules.
    pub(super) fn owed(&self) -> Option<Step> {
        let state = self.inventory.state.as_ref();
        owed(Some(self.policy), self.history, self.rules, state, self.now)
    }

    /// Why no snapshot of the slot is made, since the server is neither to be stopped nor
    /// stopped already: before room is made. Or the question whether it runs.
    pub(super) fn unfit_to_stop(&self, rotation: &Rotation, name: &str) -> Option<RotationDemand> {
        rotation
            .stop
            .as_ref()
            .filter(|_| !Break::StopLeftOut.on())?;
        if self.history.is_down() {
            return None;
        }
        let (reason, for_good) = match self.inventory.state.as_ref() {
            None => return Some(RotationDemand::Step(Step::AskState)),
            Some(PowerState::Stopped | PowerState::Active) => return None,
            Some(PowerState::Other(word)) => (
                format!(
                    "the provider calls the server {:?}, which is neither active nor stopped",
                    printable(word, WORD_SHOWN)
                ),
                false,
            ),
            Some(PowerState::Untold(why)) => {
                (format!("whether the server runs isn't known: {why}"), false)
            }
            Some(PowerState::NotOffered) => (
                format!(
                    "this provider doesn't tell whether the server runs, so it can't be stopped for its snapshot: take stop_server out of {}.toml",
                    self.policy.file
                ),
                true,
            ),
        };
        Some(RotationDemand::Step(Step::Record(
            ServerEvent::StopWithheld {
                rotation: rotation.name.clone(),
                snapshot: name.to_owned(),
                reason,
                for_good,
            },
        )))
    }

    /// The stop before a create for which there is room, or why that waits; `None`: create.
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
        if rotation.stop.is_none() || !runs || Break::StopLeftOut.on() {
            return None;
        }
        let note = self.history.slot(&rotation.name, name)?;
        if note.stops >= rotation.attempts {
            let reason =
                "a stop of the server was tried for it as often as attempts allows".to_owned();
            return Some(RotationDemand::Step(ended(
                rotation,
                note,
                SlotOutcome::GivenUp,
                reason,
            )));
        }
        Some(RotationDemand::Step(Step::Stop {
            rotation: rotation.name.clone(),
            name: name.to_owned(),
            reason: format!(
                "slot of {} is due, and stop_server asks for it",
                rotation.name
            ),
        }))
    }

    /// The step, as far as it may be taken while the rotation keeps the server stopped: nothing
    /// else is begun, and where its snapshot can't be made now it is started.
    pub(super) fn in_downtime(&self, step: Step) -> Step {
        let Some(downtime) = self.history.downtime.as_deref() else {
            return step;
        };
        let making = matches!(&self.history.open, Some(PendingOp::Create { name, .. }) if *name == downtime.snapshot);
        let waits = |reason: &str| Step::Wait {
            pause: self.look_again(downtime),
            reason: reason.to_owned(),
        };
        match step {
            Step::Record(_) => step,
            Step::Stop { ref name, .. } if *name == downtime.snapshot => step,
            // The next process goes on watching.
            _ if downtime.is_doubtful() && self.rules.count_all => step,
            Step::Create { ref name, .. } if downtime.stopped && *name == downtime.snapshot => step,
            _ if Break::StartForgotten.on() && downtime.created => step,
            _ if downtime.starts > 0 && self.rules.count_all && downtime.hopeless() => {
                Step::Blocked {
                    reason: "the server that was stopped isn't seen active".to_owned(),
                }
            }
            _ if downtime.starts > 0 => waits("the server is being started"),
            Step::Wait { pause, reason } if making => Step::Wait {
                pause: pause.min(self.rules.poll_interval),
                reason,
            },
            // Nothing settles it where the server is blocked.
            Step::Blocked { .. } if making && self.is_made() => Step::Start {
                rotation: downtime.rotation.clone(),
                name: downtime.snapshot.clone(),
                early: false,
                reason: format!("{} is completed, or failed", downtime.snapshot),
            },
            _ if making => waits("its snapshot is under way"),
            _ if downtime.is_doubtful() => {
                waits("the server's stop was refused, and may take effect all the same")
            }
            _ if !downtime.stopped => waits("the server is being stopped"),
            // Its create follows at once.
            Step::Wait { pause, .. } if pause <= self.rules.poll_interval => step,
            other => Step::Start {
                rotation: downtime.rotation.clone(),
                name: downtime.snapshot.clone(),
                early: false,
                reason: match other {
                    Step::Blocked { reason } => {
                        format!("{} can't be made now: {reason}", downtime.snapshot)
                    }
                    _ if self.history.paused().is_some() => format!(
                        "{} can't be made now: the rotation is paused",
                        downtime.snapshot
                    ),
                    _ => format!("{} can't be made now", downtime.snapshot),
                },
            },
        }
    }

    /// Returns true if the listing shows the open create's snapshot completed or failed.
    fn is_made(&self) -> bool {
        let open = self.history.open.as_ref();
        let made = open.and_then(|open| open.made_in(&self.inventory.snapshots));
        made.is_some_and(|row| matches!(row.status, Status::Completed | Status::Failed))
    }

    /// The pause until the next look at a server that is stopped or started.
    fn look_again(&self, downtime: &Downtime) -> SignedDuration {
        let poll = self.rules.poll_interval;
        if downtime.hopeless() {
            pause(&self.policy.server, self.rules, &downtime.snapshot, 1).max(poll)
        } else {
            poll
        }
    }

    /// The alert of a server that the rotation keeps stopped for too long.
    pub(super) fn stopped_for_long(&self) -> Option<((AlertKind, String), String)> {
        let state = self.inventory.state.as_ref();
        let owed = OwedStart::of(Some(self.policy), self.history, self.rules, state, self.now);
        owed?.too_long()
    }
}

#[cfg(test)]
#[path = "downtime_tests.rs"]
mod downtime_tests;
#[cfg(test)]
#[path = "server_restart_tests.rs"]
mod tests;
