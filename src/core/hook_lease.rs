//! Holds: what a rotation's hooks did, as the trail tells it, and when `after` is due.
//!
//! `before` holds a server (a file system is frozen, a server stopped), `after` releases it.
//! From the moment that `before` is begun `after` is owed, until it did well (I18); nothing of
//! the provider's is needed for it, so it stands before every other rule. No hold outlives the
//! process that began it.

use jiff::SignedDuration;

use super::breaks::Break;
use super::create_outcome::FailedTry;
use super::decide::{DecisionContext, Step};
use super::event::{HookKind, HookOutcome, RecordedAt, ServerEvent};
use super::policy::{Hooks, ReleaseWhen, Rotation};
use super::server_history::{HookLease, PendingOp, ServerHistory};

impl ServerHistory {
    /// Folds a hook's beginning or end in.
    pub(super) fn hooked(&mut self, fact: &ServerEvent, at: RecordedAt) {
        match fact {
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
                if *early {
                    let fault = format!(
                        "{snapshot} may not be consistent, since the server was released before it was completed: {reason}"
                    );
                    self.notes(rotation).hook_fault = Some(fault.into());
                } else if !faulty {
                    self.notes(rotation).hook_fault = None;
                }
                if *later {
                    self.tried(
                        snapshot,
                        at,
                        FailedTry::ForNow(None),
                        "it was released before its create",
                    );
                }
            }
            ServerEvent::HookFinished {
                hook: HookKind::After,
                rotation,
                reason,
                ..
            } => {
                if Break::AfterRunOnce.on() {
                    self.hold = None;
                }
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

    /// `before` ended. Where it failed no create follows, so the slot had its try.
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
        self.notes(rotation).hook_fault = Some(reason.into());
        if let Some(hold) = &mut self.hold {
            hold.faulty = true;
        }
        if !go_on {
            // What can't be started touched nothing: that costs no attempt.
            let why = format!("its hook before: {reason}");
            let tried = if ran == HookOutcome::NotStarted {
                FailedTry::ForNow(None)
            } else {
                FailedTry::Counts
            };
            self.tried(snapshot, at, tried, &why);
        }
        if ran == HookOutcome::NotStarted {
            self.hold = None;
        }
        if let Some(hold) = &mut self.hold {
            hold.tried = !go_on;
        }
    }
}

impl DecisionContext<'_> {
    /// `after`, where it is due: before every other rule, without a listing.
    pub(super) fn release(&self) -> Option<Step> {
        let hold = self.history.hold.as_deref()?;
        if self.until_next_try(hold).is_some()
            || self.starts_first(hold)
            || (hold.created && Break::HoldForgotten.on())
        {
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

    /// Returns true while a server that is stopped for the same snapshot is not started:
    /// `after` comes last.
    fn starts_first(&self, hold: &HookLease) -> bool {
        let downtime = self.history.downtime.as_deref();
        let (max_hold, _) = self.bounds(hold);
        downtime.is_some_and(|down| down.snapshot == hold.snapshot && !down.is_doubtful())
            && hold.since.elapsed(self.now) < max_hold
    }

    /// How long a failed `after` still rests; `None`: it didn't fail, or has rested.
    fn until_next_try(&self, hold: &HookLease) -> Option<SignedDuration> {
        let elapsed = hold.last?.elapsed(self.now);
        let left = self.pause(&hold.snapshot, hold.failures) - elapsed;
        left.is_positive().then_some(left)
    }

    fn why_released(&self, hold: &HookLease) -> Option<String> {
        let name = &hold.snapshot;
        if hold.failures > 0 {
            return Some("it failed last time".to_owned());
        }
        if hold.since.mono.is_none() {
            return Some("the process that held the server is gone".to_owned());
        }
        if !hold.created {
            return Some(format!("{name} is not made now"));
        }
        if !self.making(hold) {
            return Some(format!("{name} is over"));
        }
        let (max_hold, _) = self.bounds(hold);
        if hold.since.elapsed(self.now) >= max_hold {
            return Some(format!("max_hold is over before {name} is"));
        }
        self.accepted(hold)
            .then(|| format!("the provider has accepted {name}"))
    }

    /// Whether the server is released before its snapshot is over, as far as it has to be.
    fn early(&self, hold: &HookLease) -> bool {
        let hooks = self.policy.rotation(&hold.rotation);
        let hooks = hooks.and_then(|rotation| rotation.hooks.as_deref());
        hold.created && self.making(hold) && !self.accepted(hold) && releases(hooks)
    }

    /// Whether its create, or what came of it, is still open.
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

    /// By the policy in force; where that has no such hooks any more, nothing is waited for.
    fn bounds(&self, hold: &HookLease) -> (SignedDuration, ReleaseWhen) {
        let rotation = self.policy.rotation(&hold.rotation);
        let hooks = rotation.and_then(|r| r.hooks.as_deref());
        match hooks {
            // Nothing is held where nothing is released.
            Some(hooks) if hooks.after.is_none() => (hooks.max_hold, ReleaseWhen::Accepted),
            Some(hooks) => (hooks.max_hold, hooks.release),
            None => (SignedDuration::ZERO, ReleaseWhen::Completed),
        }
    }

    /// For how long the rotation's hooks must wait for others by which the server is still
    /// held; `None`: they need not, since none holds it, or it is for this very snapshot.
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

    /// The step, so that a failed `after` is tried again in time.
    pub(super) fn in_time_for_after(&self, step: Step) -> Step {
        let hold = self.history.hold.as_deref();
        let Some(left) = hold.and_then(|hold| self.until_next_try(hold)) else {
            return step;
        };
        let hopeless = hold.is_some_and(HookLease::hopeless);
        match step {
            // `once` goes on while it may help.
            Step::Idle { .. } if self.rules.count_all && !hopeless => Step::Wait {
                pause: left,
                reason: "a failed after is tried again".to_owned(),
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

/// Whether `after` releases the server. Nothing is held where there is none; of hooks that
/// are gone nobody knows.
pub fn releases(hooks: Option<&Hooks>) -> bool {
    hooks.is_none_or(|hooks| hooks.after.is_some())
}

/// The program that a hook runs, and its arguments; nothing where there is none.
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
#[path = "hook_lease_tests.rs"]
pub(super) mod tests;
