//! Hook leases: what a rotation's hooks did according to the trail, and when `after` is due.
//!
//! `before` holds a server (for example, freezes a file system), and `after` releases it. From the
//! start of `before` on, `after` is owed until it succeeds (I18). It needs nothing from the
//! provider, so it takes precedence over every other rule. A process never continues the hold of an
//! earlier one, but runs `after` instead.

use jiff::SignedDuration;

use super::apply_create_outcome::FailedTry;
use super::decide::{DecisionContext, Step};
use super::policy::{Hooks, ReleaseWhen, Rotation};
use super::rotation_history::SlotFailure;
use super::server_event::{
    AlertKind, AlertText, HookKind, HookOutcome, KeyedAlert, RecordedAt, ServerEvent,
};
use super::server_history::{HookLease, PendingOp, ServerHistory};
use super::snapshot::ServerId;

impl ServerHistory {
    /// Applies the start or end of a hook.
    pub(super) fn apply_hook_event(&mut self, event: &ServerEvent, at: RecordedAt) {
        match event {
            ServerEvent::HookStarted {
                hook: HookKind::Before,
                rotation,
                snapshot,
                ..
            } => {
                self.hold = Some(Box::new(HookLease {
                    rotation: rotation.clone(),
                    snapshot: snapshot.clone(),
                    since: at,
                    created: false,
                    tried: false,
                    faulty: false,
                    failures: 0,
                    last: None,
                }));
            }
            ServerEvent::HookFinished {
                hook: HookKind::Before,
                rotation,
                snapshot,
                outcome,
                go_on,
                reason,
                ..
            } => self.before_ended(rotation, snapshot, *outcome, *go_on, reason, at),
            ServerEvent::HookFinished {
                hook: HookKind::After,
                rotation,
                snapshot,
                outcome: HookOutcome::Done,
                early,
                later,
                reason,
                ..
            } => {
                let faulty = self.hold.take().is_some_and(|hold| hold.faulty);
                let downtime = self.downtime.as_deref_mut();
                if let Some(downtime) = downtime.filter(|down| down.snapshot == *snapshot) {
                    downtime.released = Some(at);
                }
                if *early {
                    let fault = format!(
                        "{snapshot} may be inconsistent, since the server was released before the snapshot was seen completed: {reason}"
                    );
                    self.notes(rotation).hook_fault = Some(fault.into());
                } else if !faulty {
                    self.notes(rotation).hook_fault = None;
                }
                if *later {
                    let why = "the server was released before the create request";
                    let failed = SlotFailure::of(snapshot, why, None);
                    self.tried(at, FailedTry::ForNow(None), failed);
                }
            }
            // The runner of an earlier process is still running: `after` is retried later.
            ServerEvent::HookFinished {
                hook: HookKind::After,
                outcome: HookOutcome::NotStarted,
                ..
            } => {
                if let Some(hold) = &mut self.hold {
                    hold.last = Some(at);
                }
            }
            ServerEvent::HookFinished {
                hook: HookKind::After,
                rotation,
                reason,
                ..
            } => {
                if let Some(hold) = &mut self.hold {
                    hold.failures += 1;
                    hold.last = Some(at);
                    hold.faulty = true;
                }
                self.notes(rotation).hook_fault = Some(reason.as_str().into());
            }
            _ => {}
        }
    }

    /// Applies the end of `before`. If it failed and `go_on` is not set, no create follows, so the
    /// failure counts as a try of the slot.
    fn before_ended(
        &mut self,
        rotation: &str,
        snapshot: &str,
        ran: HookOutcome,
        go_on: bool,
        reason: &str,
        at: RecordedAt,
    ) {
        if ran == HookOutcome::Done {
            return;
        }
        let follows = if go_on {
            "the snapshot is created nevertheless, and may be inconsistent"
        } else {
            "the snapshot was not created"
        };
        let fault = format!("the before hook of {snapshot}: {reason}; {follows}");
        self.notes(rotation).hook_fault = Some(fault.into());
        if let Some(hold) = &mut self.hold {
            hold.faulty = true;
        }
        if !go_on {
            // A hook that can't be started has changed nothing, so it costs no attempt.
            let why = format!("its before hook: {reason}");
            let tried = if ran == HookOutcome::NotStarted {
                FailedTry::ForNow(None)
            } else {
                FailedTry::Counts
            };
            self.tried(at, tried, SlotFailure::of(snapshot, &why, None));
        }
        if ran == HookOutcome::NotStarted {
            self.hold = None;
        }
        if let Some(hold) = &mut self.hold {
            hold.tried = !go_on;
        }
    }
}

impl ServerHistory {
    /// Returns the alert for a server that no longer has a policy and that its hooks still hold
    /// because `after` failed.
    pub fn orphaned_hold(&self, server: &ServerId) -> Option<KeyedAlert> {
        let hold = self.hold.as_deref().filter(|hold| hold.failures > 0)?;
        let fault = self.hook_fault(&hold.rotation)?;
        let what = format!(
            "the policy was removed while its hooks held the server for {}, and the after hook could not release it",
            hold.snapshot
        );
        let text = AlertText::new(what).cause(Some(fault)).only_then_run(
            "restore the policy to run the after hook again, or release the server by hand, then run",
            format!("snaprotate resume {server}"),
        );
        Some(((AlertKind::HookFailed, hold.rotation.clone().into()), text))
    }
}

impl DecisionContext<'_> {
    /// Returns `after` if it is due. It takes precedence over every other rule and needs no
    /// listing.
    pub(super) fn release(&self) -> Option<Step> {
        let hold = self.history.hold.as_deref()?;
        if self.until_next_try(hold).is_some() || self.starts_first(hold) {
            return None;
        }
        let reason = self.why_released(hold)?;
        Some(Step::After {
            rotation: hold.rotation.clone(),
            name: hold.snapshot.clone(),
            early: self.early(hold),
            reason,
        })
    }

    /// Returns true while `after` must wait for the start of a server that is stopped for the same
    /// snapshot. It waits at most until `max_hold`.
    fn starts_first(&self, hold: &HookLease) -> bool {
        let downtime = self.history.downtime.as_deref();
        let (max_hold, _) = self.bounds(hold);
        downtime.is_some_and(|down| down.snapshot == hold.snapshot && !down.is_doubtful())
            && hold.since.elapsed(self.now) < max_hold
    }

    /// Returns how much is left of the pause after an `after` that failed or could not be started.
    /// `None` if `after` was not tried, or the pause is over.
    fn until_next_try(&self, hold: &HookLease) -> Option<SignedDuration> {
        let elapsed = hold.last?.elapsed(self.now);
        let pause = match hold.failures {
            0 => self.rules.poll_interval,
            failures => self.backoff(&hold.snapshot, failures),
        };
        let left = pause - elapsed;
        left.is_positive().then_some(left)
    }

    fn why_released(&self, hold: &HookLease) -> Option<String> {
        let name = &hold.snapshot;
        if hold.failures > 0 {
            return Some("the after hook failed last time".to_owned());
        }
        if hold.since.mono.is_none() {
            return Some("the process that held the server has ended".to_owned());
        }
        if !hold.created {
            return Some(format!("{name} will not be created now"));
        }
        if !self.making(hold) {
            return Some(self.history.create_ending(name));
        }
        if self.hooks(hold).is_none() {
            return Some(format!(
                "its hooks were removed before {name} was seen completed"
            ));
        }
        let (max_hold, _) = self.bounds(hold);
        if hold.since.elapsed(self.now) >= max_hold {
            return Some(format!("max_hold expired before {name} was seen completed"));
        }
        self.accepted(hold)
            .then(|| format!("the provider has accepted {name}"))
    }

    /// Returns true if `after` releases the server before its snapshot has ended.
    fn early(&self, hold: &HookLease) -> bool {
        let releases = releases(self.hooks(hold));
        hold.created && self.making(hold) && !self.accepted(hold) && releases
    }

    /// Returns the hooks of the hold's rotation according to the policy in force.
    fn hooks(&self, hold: &HookLease) -> Option<&Hooks> {
        self.policy.rotation(&hold.rotation)?.hooks.as_deref()
    }

    /// Returns true while the create for this hold is open.
    fn making(&self, hold: &HookLease) -> bool {
        matches!(&self.history.open, Some(PendingOp::Create { name, .. }) if *name == hold.snapshot)
    }

    fn accepted(&self, hold: &HookLease) -> bool {
        let (_, release) = self.bounds(hold);
        let known = matches!(
            &self.history.open,
            Some(PendingOp::Create { id: Some(_), .. })
        );
        release == ReleaseWhen::Accepted && known
    }

    /// Returns the longest hold, and when the server is released, according to the policy in force.
    /// If the policy no longer has the hooks, `after` does not wait.
    fn bounds(&self, hold: &HookLease) -> (SignedDuration, ReleaseWhen) {
        match self.hooks(hold) {
            // Without an `after` nothing is held.
            Some(hooks) if hooks.after.is_none() => (hooks.max_hold, ReleaseWhen::Accepted),
            Some(hooks) => (hooks.max_hold, hooks.release),
            None => (SignedDuration::ZERO, ReleaseWhen::Completed),
        }
    }

    /// Returns how long the rotation's hooks must wait while other hooks hold the server. `None` if
    /// the rotation has no hooks, nothing holds the server, or it is held for this very snapshot.
    pub(super) fn held_by_others(&self, rotation: &Rotation, name: &str) -> Option<SignedDuration> {
        let hold = self.history.hold.as_deref()?;
        rotation.hooks.as_ref()?;
        let own = hold.rotation == rotation.name && hold.snapshot == name;
        let begun = hold.since.mono.is_some() && !hold.created && hold.failures == 0;
        if own && begun {
            return None;
        }
        let left = self.until_next_try(hold);
        Some(left.unwrap_or(self.rules.poll_interval))
    }

    /// Shortens or replaces the step so that a due or failed `after` is run in time.
    pub(super) fn in_time_for_after(&self, step: Step) -> Step {
        let Some(hold) = self.history.hold.as_deref() else {
            return step;
        };
        let Some(left) = self.until_next_try(hold) else {
            return match step {
                // On a blocked server no slot is settled, so `after` must not wait for that.
                Step::Blocked { .. }
                    if self.making(hold) && self.is_made() && !self.starts_first(hold) =>
                {
                    Step::After {
                        rotation: hold.rotation.clone(),
                        name: hold.snapshot.clone(),
                        early: false,
                        reason: format!("{} is completed or failed", hold.snapshot),
                    }
                }
                step => step,
            };
        };
        let hopeless = hold.needs_operator();
        match step {
            // `once` continues while another try may help.
            Step::Idle { .. } if self.rules.count_all && !hopeless => Step::Wait {
                pause: left,
                reason: "a failed after hook is retried".to_owned(),
            },
            Step::Idle { until } => {
                let next = self.now.wall.checked_add(left).ok();
                Step::Idle {
                    until: until.into_iter().chain(next).min(),
                }
            }
            Step::Wait { pause, reason } => Step::Wait {
                pause: pause.min(left),
                reason,
            },
            step => step,
        }
    }
}

/// Returns true if `after` releases the server. Without an `after` nothing is held. Hooks that were
/// removed count as having had an `after`.
pub fn releases(hooks: Option<&Hooks>) -> bool {
    hooks.is_none_or(|hooks| hooks.after.is_some())
}

/// Returns the program and arguments of a hook; empty if there is none.
pub fn command(hooks: &Hooks, hook: HookKind) -> &[String] {
    let argv = match hook {
        HookKind::Before => &hooks.before,
        HookKind::After => &hooks.after,
    };
    argv.as_deref().unwrap_or_default()
}

#[cfg(test)]
#[path = "hold_fault_tests.rs"]
mod faults;
#[cfg(test)]
#[path = "hook_release_tests.rs"]
pub(super) mod tests;
