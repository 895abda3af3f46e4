//! The pauses in a server's history: its own, and that of all servers.

use jiff::Timestamp;

use super::order_terms::OrderTerms;
use super::pause::Pause;
use super::server_event::{RecordedAt, ServerEvent};
use super::server_history::ServerHistory;

impl ServerHistory {
    /// Returns the pause in force: the server's own, or that of all servers, whichever lasts
    /// longer.
    pub fn paused(&self) -> Option<&Pause> {
        let until = |pause: &&Pause| pause.until.unwrap_or(Timestamp::MAX);
        self.pauses().max_by_key(until)
    }

    /// Returns when the first of the pauses ends by itself, if one does.
    pub fn next_pause_end(&self) -> Option<Timestamp> {
        self.pauses().filter_map(|pause| pause.until).min()
    }

    /// Returns the server's own pause, then that of all servers.
    fn pauses(&self) -> impl Iterator<Item = &Pause> {
        let own = self.paused.as_deref().into_iter();
        own.chain(self.all_paused.as_deref())
    }

    pub(super) fn apply_paused(&mut self, order: &OrderTerms, at: RecordedAt) {
        let pause = Pause::ordered(order, at.wall, self.paused.as_deref());
        self.paused = Some(Box::new(pause));
    }

    /// Ends the pause that was to end at `until`. Another order may have changed the end before
    /// this record was written.
    pub(super) fn apply_pause_ended(&mut self, until: Timestamp, at: RecordedAt) {
        let ended = self.paused.take_if(|pause| pause.until == Some(until));
        if let Some(pause) = ended {
            self.end_pause(pause.since, until.min(at.wall));
        }
    }

    /// Ends the pause of all servers for this server, if that pause was to end at `until`.
    pub fn end_pause_of_all(&mut self, until: Timestamp, at: Timestamp) {
        let ended = self.all_paused.take_if(|pause| pause.until == Some(until));
        if let Some(pause) = ended {
            self.end_pause(pause.since, until.min(at));
        }
    }

    /// Returns the record of the end of the server's own pause, if that time has come.
    pub fn pause_over(&self, now: Timestamp) -> Option<ServerEvent> {
        let until = self.paused.as_deref()?.over(now)?;
        Some(ServerEvent::PauseEnded { until })
    }
}

#[cfg(test)]
#[path = "pause_in_history_tests.rs"]
mod tests;
