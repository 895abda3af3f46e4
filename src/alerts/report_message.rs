//! The report on a period as a message to a receiver.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::report_text::report_text;
use super::report_words::{first_line, notes, server_line, service_line};
use crate::core::report::Report;

/// Maximum number of servers that a short text names.
const NAMED: usize = 5;

/// Maximum number of servers in a JSON message.
const ROWS: usize = 100;

/// A report for one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportNews {
    /// The receiver's name.
    pub receiver: String,
    /// The zone of the times in texts.
    pub zone: TimeZone,
    /// The report.
    pub report: Report,
}

impl ReportNews {
    /// Returns the title.
    pub(super) fn title(&self) -> String {
        self.report.title()
    }

    /// Returns what was made and deleted in the period, and what can be restored now.
    pub(super) fn first_line(&self) -> String {
        first_line(&self.report)
    }

    /// Returns the whole text.
    pub(super) fn text(&self) -> String {
        report_text(&self.report, &self.zone)
    }

    /// Returns the first line, the first servers that need somebody, and the notes.
    pub(super) fn short_text(&self) -> String {
        let mut text = format!("{}\n", self.first_line());
        for alert in self.report.open_service_alerts() {
            let _ = writeln!(text, "{}", service_line(alert));
        }
        let need = self.report.worst_first().into_iter();
        for server in need.filter(|server| server.needs_somebody).take(NAMED) {
            let _ = writeln!(text, "{}", server_line(server));
        }
        let more = self.report.sums.need_somebody.saturating_sub(NAMED);
        if more > 0 {
            let _ = writeln!(text, "And {more} more: snaprotate status");
        }
        for note in notes(&self.report) {
            let _ = writeln!(text, "{note}");
        }
        text
    }

    /// Returns the report with the first hundred servers, those that need somebody first.
    pub(super) fn json(&self) -> Value {
        let servers = self.report.worst_first().into_iter().take(ROWS).cloned();
        json!(self.report.with_rows(servers.collect()))
    }
}

#[cfg(test)]
#[path = "report_message_tests.rs"]
mod tests;
