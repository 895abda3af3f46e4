//! Decides when a server that was stopped for its snapshot is started again (I20). The decision
//! needs no listing, so it takes precedence over the rules that need one.

use jiff::SignedDuration;

use super::decide::{DecisionContext, Step};
use super::downtime_record::Downtime;
use super::policy::{Policy, ReleaseWhen, Rotation, Rules, StopServer};
use super::retry_backoff::backoff;
use super::server_event::{ClockReading, KeyedAlert, ServerEvent};
use super::server_history::{PendingOp, ServerHistory};
use super::server_info::PowerState;
use super::snapshot::Status;

/// Everything that determines the owed step of a downtime; no listing is needed.
pub(super) struct OwedStart<'a> {
    /// `None` if the policy was removed.
    pub(super) policy: Option<&'a Policy>,
    pub(super) history: &'a ServerHistory,
    pub(super) downtime: &'a Downtime,
    pub(super) rules: &'a Rules,
    pub(super) state: Option<&'a PowerState>,
    pub(super) now: ClockReading,
}

/// Returns the start that is due, or a record that must precede it. Returns `None` if there is
/// neither; the rules then decide.
pub fn next_power_step(
    policy: Option<&Policy>,
    history: &ServerHistory,
    rules: &Rules,
    state: Option<&PowerState>,
    now: ClockReading,
) -> Option<Step> {
    #[cfg(feature = "proof")]
    let history = &super::broken_rule_input::broken_history(history);
    let owed = OwedStart::of(policy, history, rules, state, now)?;
    let downtime = owed.downtime;
    let unanswered = downtime.unanswered().map(Step::Record);
    unanswered
        .or_else(|| owed.confirmed())
        .or_else(|| owed.raised())
        .or_else(|| owed.start())
}

/// Returns true if the server's start is due, even if a record comes first.
pub fn is_start_due(
    policy: Option<&Policy>,
    history: &ServerHistory,
    rules: &Rules,
    now: ClockReading,
) -> bool {
    let owed = OwedStart::of(policy, history, rules, None, now);
    owed.is_some_and(|owed| owed.downtime.starts > 0 || owed.why_started().is_some())
}

impl ServerHistory {
    /// Returns how long to wait for a listing before the server's start must be checked. Returns
    /// `None` if the server has no downtime.
    pub fn time_for_listing(
        &self,
        policy: Option<&Policy>,
        rules: &Rules,
        now: ClockReading,
    ) -> Option<SignedDuration> {
        let owed = OwedStart::of(policy, self, rules, None, now)?;
        let downtime = owed.downtime;
        let first = owed.stop().filter(|_| downtime.starts == 0);
        let left = first.map(|stop| {
            // A server that has not been seen stopped is started after `stop_timeout`.
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
    /// Collects what determines the owed step. Returns `None` if the server has no downtime.
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
    /// Returns the record of what the server's state shows.
    fn confirmed(&self) -> Option<Step> {
        let Downtime {
            rotation, snapshot, ..
        } = self.downtime;
        let (rotation, snapshot) = (rotation.clone(), snapshot.clone());
        if self.state == Some(&PowerState::Stopped) && !self.downtime.stopped {
            return Some(Step::Record(ServerEvent::StopConfirmed {
                rotation,
                snapshot: snapshot.into(),
            }));
        }
        if let Some(ran) = self.ran_meanwhile() {
            return Some(Step::Record(ran));
        }
        self.runs()
            .then_some(Step::Record(ServerEvent::StartConfirmed {
                rotation,
                snapshot: snapshot.into(),
            }))
    }

    /// Returns true if the server is seen active and no open call can change that. A stop that was
    /// never seen to take effect, or a start without a successful answer, may take effect late. The
    /// state may also be stale.
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
        // A late stop may need up to the longest downtime to take effect.
        let slow = if self.downtime.stopped {
            SignedDuration::ZERO
        } else {
            self.longest()
        };
        let settled = over >= self.rules.settle_window + slow;
        twice && (settled || self.downtime.has_one_start())
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
            // A server whose start was accepted gets time to boot.
            let boots = self
                .downtime
                .taken
                .then(|| self.stop().map(|stop| stop.timeout));
            let rested = over >= pause.max(boots.flatten().unwrap_or_default());
            let due = self.downtime.active.is_none() && rested;
            return due
                .then(|| "it has not been seen active since the last start request".to_owned());
        }
        if self.downtime.is_doubtful() {
            return self.is_blind().then(|| {
                "its stop request was refused but may have taken effect, and its state can't be read"
                    .to_owned()
            });
        }
        let Some(stop) = self.stop() else {
            return Some("no rotation in force stops the server for this snapshot".to_owned());
        };
        if self.lasts() >= stop.longest {
            return Some(format!(
                "max_stopped expired before {name} was seen completed"
            ));
        }
        if self.making().is_none() {
            let slot = self.history.slot(&self.downtime.rotation, name);
            let over = slot.is_none_or(|note| note.ending.is_some());
            // A failed create may be repeated while the server is stopped; with hooks it may not.
            let hooked = self.rotation().is_some_and(|r| r.hooks.is_some());
            if self.downtime.created && (over || hooked || !self.downtime.stopped) {
                return Some(self.history.create_ending(name));
            }
            // Another slot may be due by now. Nothing else would start the server for the ended
            // slot.
            if over {
                return Some(format!("{name} will no longer be created"));
            }
            if self.lacks_its_hold() {
                return Some("the hold of its hooks is over".to_owned());
            }
            let late = !self.downtime.stopped && self.lasts() >= stop.timeout;
            return late.then(|| "the server was not seen stopped within stop_timeout".to_owned());
        }
        self.accepted()
            .then(|| format!("the provider has accepted {name}"))
    }

    fn rotation(&self) -> Option<&Rotation> {
        self.policy?.rotation(&self.downtime.rotation)
    }

    /// Returns the stop settings of the policy in force.
    pub(super) fn stop(&self) -> Option<&StopServer> {
        self.rotation()?.stop.as_deref()
    }

    /// Returns the longest downtime that the policy in force allows, or that the policy at the time
    /// of the stop allowed, whichever is longer.
    fn longest(&self) -> SignedDuration {
        let longest = self.stop().map(|stop| stop.longest);
        longest.max(self.downtime.longest).unwrap_or_default()
    }

    /// Returns true if a refused stop may have been in effect for too long, and nothing shows that
    /// the server is running.
    pub(super) fn is_blind(&self) -> bool {
        let unseen = self.downtime.is_doubtful() && self.downtime.active.is_none();
        unseen && self.lasts() >= self.longest()
    }

    /// Returns the longest time that the server can have been down, according to either clock.
    pub(super) fn lasts(&self) -> SignedDuration {
        lasts(self.downtime, self.now)
    }

    /// Returns whether the id of the downtime's open create is known; `None` if no such create is
    /// open.
    pub(super) fn making(&self) -> Option<bool> {
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

    /// Returns true if the rotation's hooks should hold the server too, but do not, or not for long
    /// enough to send the create.
    fn lacks_its_hold(&self) -> bool {
        let Some(hooks) = self.rotation().and_then(|r| r.hooks.as_deref()) else {
            return false;
        };
        let Some(hold) = self.history.hold.as_deref() else {
            // If `before` could not be started, nothing holds the server, and `go_on` accepts that.
            return self.downtime.released.is_some() || !hooks.go_on;
        };
        let left = hooks.max_hold - hold.since.elapsed(self.now);
        !hold.is_for(&self.downtime.snapshot) || left <= self.rules.request_timeout
    }
}

pub(super) fn lasts(downtime: &Downtime, now: ClockReading) -> SignedDuration {
    downtime.since.age(now).max(downtime.since.elapsed(now))
}

impl Rules {
    fn pause_of_starts(&self, starts: u32) -> SignedDuration {
        let doublings = starts.saturating_sub(1).min(16);
        let pause = self.poll_interval.saturating_mul(2 << doublings);
        pause.min(self.retry_after.max(self.poll_interval))
    }
}

impl DecisionContext<'_> {
    /// Returns the step owed to a server that the rotation stopped. It takes precedence over the
    /// rules.
    pub(super) fn owed_power_step(&self) -> Option<Step> {
        let state = self.inventory.state.as_ref();
        next_power_step(Some(self.policy), self.history, self.rules, state, self.now)
    }

    /// Restricts the step while the rotation keeps the server stopped. Nothing else begins, and a
    /// server whose snapshot can't be made now is started.
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
            Step::Create { ref name, .. } if downtime.stopped && *name == downtime.snapshot => {
                match downtime.active {
                    None => step,
                    Some(since) if self.now.mono - since < self.rules.poll_interval => {
                        waits("the server was stopped, but is seen active again")
                    }
                    // No snapshot is made of a running server. The slot is tried again.
                    Some(_) => Step::Start {
                        rotation: downtime.rotation.clone(),
                        name: downtime.snapshot.clone(),
                        early: false,
                        reason: "the server is active again before its snapshot".to_owned(),
                    },
                }
            }
            _ if downtime.starts > 0 && self.rules.count_all && downtime.is_out_of_starts() => {
                Step::Blocked {
                    reason: "the server was stopped, and has not been seen active since".to_owned(),
                }
            }
            _ if downtime.starts > 0 => waits("the server is being started"),
            Step::Wait { pause, reason } if making => Step::Wait {
                pause: pause.min(self.rules.poll_interval),
                reason,
            },
            // On a blocked server no slot is settled, so the start must not wait for that.
            Step::Blocked { .. } if making && self.is_made() => Step::Start {
                rotation: downtime.rotation.clone(),
                name: downtime.snapshot.clone(),
                early: false,
                reason: format!("{} is completed or failed", downtime.snapshot),
            },
            _ if making => waits("its snapshot is in progress"),
            _ if downtime.is_doubtful() => {
                waits("the stop request was refused, but may still take effect")
            }
            _ if !downtime.stopped => waits("the server is being stopped"),
            // The create follows soon.
            Step::Wait { pause, .. } if pause <= self.rules.poll_interval => step,
            other => Step::Start {
                rotation: downtime.rotation.clone(),
                name: downtime.snapshot.clone(),
                early: false,
                reason: match other {
                    Step::Blocked { reason } => {
                        format!("{} can't be created now: {reason}", downtime.snapshot)
                    }
                    _ if self.history.paused().is_some() => format!(
                        "{} can't be created now: the server is paused",
                        downtime.snapshot
                    ),
                    _ => format!("{} can't be created now", downtime.snapshot),
                },
            },
        }
    }

    /// Returns true if the listing shows the open create's snapshot as completed or failed.
    pub(super) fn is_made(&self) -> bool {
        let open = self.history.open.as_ref();
        let made = open.and_then(|open| open.made_in(&self.inventory.snapshots));
        made.is_some_and(|row| matches!(row.status, Status::Completed | Status::Failed))
    }

    /// Returns the pause until the next look at a server that is being stopped or started.
    fn look_again(&self, downtime: &Downtime) -> SignedDuration {
        let poll = self.rules.poll_interval;
        if downtime.is_out_of_starts() {
            backoff(&self.policy.server, self.rules, &downtime.snapshot, 1).max(poll)
        } else {
            poll
        }
    }

    /// Returns the alert about a server that the rotation has kept stopped for too long.
    pub(super) fn stopped_for_long(&self) -> Option<KeyedAlert> {
        let state = self.inventory.state.as_ref();
        let owed = OwedStart::of(Some(self.policy), self.history, self.rules, state, self.now);
        owed?.too_long()
    }
}

#[cfg(test)]
#[path = "downtime_record_tests.rs"]
mod downtime_tests;
#[cfg(test)]
#[path = "server_start_tests.rs"]
mod tests;
