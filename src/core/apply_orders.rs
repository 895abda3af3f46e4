//! Applies the records of operators' orders, except creates and deletes, which slots have too.

use super::server_event::{Outcome, RecordedAt, ServerEvent};
use super::server_history::{PendingOp, ServerHistory};

impl ServerHistory {
    /// Applies one event. `after_call` is the time at which its call is over.
    pub(super) fn apply_order(
        &mut self,
        event: &ServerEvent,
        at: RecordedAt,
        after_call: RecordedAt,
    ) {
        match event {
            ServerEvent::Paused(order) => self.apply_paused(order, at),
            ServerEvent::PauseEnded { until } => self.apply_pause_ended(*until, at),
            ServerEvent::AlertAcknowledged {
                alert,
                about,
                terms,
            } => {
                if let Some(standing) = self.alerts.get_mut(&(*alert, about.clone())) {
                    standing.acknowledged = Some(Box::new(terms.clone()));
                }
            }
            ServerEvent::SnapshotExpires(expiring) => self.apply_expiring(expiring, at),
            ServerEvent::SnapshotProtected(protection) => self.apply_protected(protection),
            ServerEvent::SnapshotUnprotected(ended) => self.apply_unprotected(&ended.id),
            ServerEvent::SlotReopened { .. } => self.apply_reopened(event),
            ServerEvent::Resumed { .. } => self.apply_resume(event, at),
            ServerEvent::RestoreIntent { id, .. } => {
                self.last_intent = Some(at.wall);
                (self.restore, self.spared, self.unknown_restore) = (Some(at), None, None);
                self.withdraw_announcement(id);
                self.open = Some(PendingOp::Restore {
                    id: id.clone(),
                    since: after_call,
                });
            }
            ServerEvent::RestoreResult { id, outcome } => {
                self.answer(at);
                self.open = None;
                self.unknown_restore = (*outcome == Outcome::Unknown).then_some(id.clone());
                self.restore = match outcome {
                    Outcome::Done | Outcome::Unknown => Some(at),
                    // The restore never began.
                    Outcome::Failed | Outcome::NoServer | Outcome::Later => None,
                };
            }
            _ => {}
        }
    }
}
