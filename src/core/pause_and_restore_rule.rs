//! Rule 0 of the decision: a server that is paused, or was restored a short while ago, is left
//! alone. Calls that were sent earlier are followed until they end. `engine::step_recheck`
//! withholds a call that is about to be sent.

use super::decide::{DecisionContext, Step};
use super::server_event::ServerEvent;

impl DecisionContext<'_> {
    /// Rule 0: rests while the server is paused, or a restore began a short while ago (I12).
    pub(super) fn held(&self) -> Option<Step> {
        if self.history.paused().is_some() {
            // The newest copy may become too old during the pause.
            let times = self.fresh_until().into_iter();
            let times = times.chain(self.history.next_pause_end());
            let until = times.filter(|at| *at > self.now.wall).min();
            return Some(Step::Idle { until });
        }
        let left = self.history.restoring(self.rules, self.now)?;
        Some(Step::Idle {
            until: self.now.wall.checked_add(left).ok(),
        })
    }

    /// Follows open calls to their end while the server is paused or left alone after a restore,
    /// and begins nothing new.
    pub(super) fn conclude(&self) -> Option<Step> {
        let alarming = [
            self.restore_unknown(),
            self.stuck_hold(),
            self.stopped_for_long(),
        ];
        for ((alert, about), text) in alarming.into_iter().flatten() {
            if self.history.alerts.contains_key(&(alert, about.clone())) {
                continue;
            }
            return Some(Step::Record(ServerEvent::AlertRaised {
                alert,
                about,
                text,
            }));
        }
        let open = self.history.open.is_some();
        match self.doubt() {
            // `once` must end.
            Some(Step::Blocked { .. }) if self.rules.count_all => return None,
            Some(Step::Blocked { reason }) if open => {
                let pause = self.rules.retry_after;
                return Some(Step::Wait { pause, reason });
            }
            Some(step) => return Some(step).filter(|_| open),
            None => {}
        }
        let step = self.open_intent().or_else(|| self.under_way());
        // Record what has ended. Only an open call needs a wait of its own.
        let step = step.filter(|step| {
            matches!(step, Step::Record(_)) || (open && matches!(step, Step::Wait { .. }))
        });
        step.or_else(|| self.copy_alert_change().map(Step::Record))
    }
}

#[cfg(test)]
#[path = "pause_and_restore_rule_tests.rs"]
mod tests;
