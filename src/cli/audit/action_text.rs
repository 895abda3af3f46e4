//! Formats an action as a line for people: its result first, then why it was done.

use owo_colors::{OwoColorize as _, Style};

use super::action_fold::{Action, ActionKind, ActionState};
use super::record_line::{LineFormat, NARROWEST, TEXT_SHOWN, WORD_SHOWN, snapshot, subject};
use super::snapshot_names::NamedRecord;
use crate::core::sanitize::{printable, span};
use crate::status::wrap;

/// Width of the column of actions.
const ACTION_WIDTH: usize = 8;

/// The legend of the signs.
const LEGEND: &str = "✓ done  ✕ failed or refused  ! alert  ↻ still open";

impl LineFormat {
    /// Returns the line of an action. On a terminal, the reason is below it, wrapped.
    pub(super) fn action(&self, action: &Action) -> String {
        let (before, indent) = self.head(action.last());
        let (sign, style) = sign(action.state());
        let word = format!("{:<ACTION_WIDTH$}", word(action));
        let column = before.chars().count() + 2 + word.chars().count() + 2;
        let deed = if self.colour {
            format!("{} {}", sign.style(style), word.style(style))
        } else {
            format!("{sign} {word}")
        };
        let mut line = format!("{before}{deed}  ");
        let (head, why) = self.words(action);
        let all = match (head.is_empty(), why.is_empty()) {
            (false, false) => format!("{head}; {why}"),
            (true, _) => why.clone(),
            (_, true) => head.clone(),
        };
        match self.width {
            Some(width) if width >= indent + NARROWEST => {
                if head.is_empty() || column + all.chars().count() <= width {
                    wrap(&mut line, &all, column, width, indent);
                } else {
                    wrap(&mut line, &head, column, width, indent);
                    line.push_str(&self.reason(&why, width, indent));
                }
            }
            _ => line.push_str(&all),
        }
        line.trim_end().to_owned()
    }

    /// Returns what the signs stand for.
    pub(super) fn legend(&self) -> String {
        if self.colour {
            LEGEND.dimmed().to_string()
        } else {
            LEGEND.to_owned()
        }
    }

    /// Returns the lines of a reason, each after a newline.
    fn reason(&self, why: &str, width: usize, indent: usize) -> String {
        let mut lines = " ".repeat(indent);
        wrap(&mut lines, why, indent, width, indent);
        let lines = lines.lines().map(|line| {
            if self.colour {
                format!("\n{}", line.dimmed())
            } else {
                format!("\n{line}")
            }
        });
        lines.collect()
    }

    /// Returns the subject of an action with its result, and the reason.
    fn words(&self, action: &Action) -> (String, String) {
        let last = action.last();
        if action.kind == ActionKind::Single {
            return self.single(action);
        }
        // The intent of a create has no id yet.
        let subject = action
            .steps
            .iter()
            .rev()
            .find(|step| step.said.id.is_some());
        let subject = snapshot(subject.unwrap_or(last));
        let mut why = self.details(action.first());
        if action.kind == ActionKind::Hook && last.record.event == "hook_finished" {
            let ended = last.said.reason.as_deref().unwrap_or_default();
            why = format!("{}; {why}", printable(ended, TEXT_SHOWN));
        }
        (format!("{subject}: {}", result(action)), why)
    }

    fn single(&self, action: &Action) -> (String, String) {
        let last = action.last();
        let about = match last.record.event.as_str() {
            "alert_raised" | "alert_cleared" => subject(last).replace('_', " "),
            _ => snapshot(last),
        };
        let mut why = self.details(last).replace("no_server", "no such server");
        if let Some(since) = action.since {
            let length = span(last.record.time.duration_since(since));
            let more = if why.is_empty() {
                String::new()
            } else {
                format!("; {why}")
            };
            why = format!("after {length}{more}");
        }
        (about, why)
    }
}

/// Returns the action in one or two words.
pub(super) fn word(action: &Action) -> String {
    let last = action.last();
    let event = match action.kind {
        ActionKind::Slot => "slot due",
        ActionKind::Create => "create",
        ActionKind::Delete => "delete",
        ActionKind::Restore => "restore",
        ActionKind::Stop => "stop",
        ActionKind::Start => "start",
        ActionKind::Hook => {
            let hook = last.said.hook.as_deref().unwrap_or_default();
            return format!("hook {}", printable(hook, WORD_SHOWN));
        }
        ActionKind::Single => match last.record.event.as_str() {
            "alert_raised" => "alert",
            "config_loaded" => "configuration loaded",
            "config_refused" => "configuration refused",
            "daemon_started" => "process started",
            "daemon_stopped" => "process ended",
            "witnessed" => "checkpoint signed",
            event => event,
        },
    };
    printable(event, WORD_SHOWN).replace('_', " ")
}

/// Returns the result in words, and how long it took.
pub(super) fn result(action: &Action) -> String {
    let last = action.last();
    let took = last.record.time.duration_since(action.first().record.time);
    let took = if took.as_secs() > 0 {
        format!(" after {}", span(took))
    } else {
        String::new()
    };
    let unreliable = action
        .answer()
        .is_some_and(|answer| answer.said.outcome.as_deref() == Some("unknown"));
    match (action.state(), action.kind) {
        (ActionState::Done, ActionKind::Create) => format!("completed{took}"),
        (ActionState::Done, ActionKind::Delete) if unreliable => {
            format!("no longer listed{took}, without a reliable answer")
        }
        (ActionState::Done, ActionKind::Delete) => format!("deleted{took}"),
        (ActionState::Done, ActionKind::Restore) => "the provider began it".to_owned(),
        (ActionState::Done, ActionKind::Stop) => format!("the server stopped{took}"),
        (ActionState::Done, ActionKind::Start) => format!("the server is active{took}"),
        (ActionState::Done, _) => format!("succeeded{took}"),
        (ActionState::Failed, kind) => match last.record.event.as_str() {
            "hook_finished" if last.said.outcome.as_deref() == Some("not_started") => {
                "could not be started".to_owned()
            }
            "snapshot_failed" | "create_mismatch" | "hook_finished" if kind == ActionKind::Hook => {
                format!("failed{took}")
            }
            "snapshot_failed" | "create_mismatch" => {
                let why = last.said.reason.as_deref().unwrap_or_default();
                format!("failed{took}: {}", printable(why, TEXT_SHOWN))
            }
            _ => answered(last),
        },
        _ if action.begun_again => format!("begun again; before that: {}", waiting(action)),
        _ => format!("still open: {}", waiting(action)),
    }
}

/// Returns what is missing for the end of an action.
fn waiting(action: &Action) -> String {
    let Some(answer) = action.answer() else {
        return match action.kind {
            ActionKind::Slot => "no attempt is recorded".to_owned(),
            ActionKind::Hook => "its end is not recorded".to_owned(),
            _ => "no answer is recorded".to_owned(),
        };
    };
    let end = match action.kind {
        ActionKind::Create => "not completed yet",
        ActionKind::Delete => "still listed, or not listed again yet",
        ActionKind::Stop => "not seen stopped yet",
        ActionKind::Start => "not seen active yet",
        _ => return answered(answer),
    };
    format!("{}, {end}", answered(answer))
}

/// Returns the provider's answer in words.
fn answered(answer: &NamedRecord) -> String {
    let said = &answer.said;
    let listed = said.looked_for;
    let outcome = match said.outcome.as_deref() {
        Some("done") if listed => "found in a listing",
        Some("done") => "accepted",
        Some("failed") if listed => "had no effect, as the listings show",
        Some("failed") => "refused",
        Some("no_server") => "refused, since the provider has no such server",
        Some("later") => "refused for now",
        _ => "without a reliable answer",
    };
    let quoted = |text: &String| format!(": \"{}\"", printable(text, TEXT_SHOWN));
    let words = said.said.as_ref().map(quoted);
    let error = || Some(format!(": {}", printable(said.error.as_ref()?, TEXT_SHOWN)));
    let words = words.or_else(error).unwrap_or_default();
    let status = said
        .status
        .filter(|_| said.outcome.as_deref() != Some("done"));
    let status = status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
    format!("{outcome}{words}{status}")
}

/// Returns the sign of a state, and its colour.
fn sign(state: ActionState) -> (&'static str, Style) {
    let style = Style::new();
    match state {
        ActionState::Done => ("✓", style.green()),
        ActionState::Failed => ("✕", style.red()),
        ActionState::Open => ("↻", style.cyan()),
        ActionState::Alert => ("!", style.yellow()),
        ActionState::Plain => (" ", style),
    }
}

#[cfg(test)]
#[path = "action_text_tests.rs"]
mod tests;
