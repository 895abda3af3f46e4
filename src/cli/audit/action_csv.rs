//! Formats actions as CSV (RFC 4180): one row each, with times in UTC.
//!
//! A spreadsheet runs a field that begins with `=`, `+`, `-` or `@` as a formula. Names and errors
//! come from the provider, so such a field gets an apostrophe in front, which makes it a text.

use super::action_fold::{Action, ActionState};
use super::action_text::{result, word};
use super::record_line::TEXT_SHOWN;
use crate::core::sanitize::{csv_row, printable};

/// The names of the columns.
const COLUMNS: [&str; 13] = [
    "begun",
    "last_record",
    "server_id",
    "policy",
    "action",
    "state",
    "snapshot",
    "snapshot_id",
    "rotation",
    "result",
    "reason",
    "by",
    "http_status",
];

/// Returns the first row.
pub(super) fn header() -> String {
    row(&COLUMNS.map(str::to_owned))
}

/// Returns the row of an action.
pub(super) fn action(action: &Action) -> String {
    let (first, last) = (action.first(), action.last());
    let text = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or_default();
        printable(text, TEXT_SHOWN)
    };
    let steps = || action.steps.iter().rev();
    let id = steps().find_map(|step| step.said.id.clone());
    let status = steps().find_map(|step| step.said.status);
    let name = steps().find_map(|step| step.name.clone());
    let rotation = steps().find_map(|step| step.rotation.clone());
    let reason = text(
        &first
            .said
            .reason
            .clone()
            .or_else(|| last.said.reason.clone()),
    );
    row(&[
        first.record.time.to_string(),
        last.record.time.to_string(),
        last.record
            .server
            .clone()
            .map_or_else(String::new, |id| id.to_string()),
        text(&last.policy),
        word(action),
        state(action.state()).to_owned(),
        text(&name),
        id.map_or_else(String::new, |id| id.to_string()),
        text(&rotation),
        result_of(action),
        reason,
        text(&first.said.by),
        status.map_or_else(String::new, |status| status.to_string()),
    ])
}

/// Returns the result of an action of several records; for an alert, its name.
fn result_of(action: &Action) -> String {
    match action.last().said.alert.as_deref() {
        Some(alert) => printable(alert, TEXT_SHOWN).replace('_', " "),
        None if action.is_single() => String::new(),
        None => result(action),
    }
}

fn state(state: ActionState) -> &'static str {
    match state {
        ActionState::Done => "done",
        ActionState::Failed => "failed",
        ActionState::Open => "open",
        ActionState::Alert => "alert",
        ActionState::Plain => "",
    }
}

/// Returns a row without its line break.
fn row(fields: &[String]) -> String {
    csv_row(fields.iter().cloned(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_a_comma_a_quote_or_a_line_break_is_quoted_and_quotes_are_doubled() {
        let fields = ["plain", "a,b", "say \"no\"", "two\r\nlines", ""].map(str::to_owned);
        assert_eq!(
            row(&fields),
            "plain,\"a,b\",\"say \"\"no\"\"\",\"two\r\nlines\","
        );
    }

    #[test]
    fn a_field_that_a_spreadsheet_would_run_is_marked_as_a_text() {
        let fields = ["=HYPERLINK(\"http://x\")", "+1", "-web", "@a", "a=b"].map(str::to_owned);
        assert_eq!(
            row(&fields),
            "\"'=HYPERLINK(\"\"http://x\"\")\",'+1,'-web,'@a,a=b"
        );
    }
}
