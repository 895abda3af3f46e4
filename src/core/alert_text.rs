//! The text of an alert in parts, so that each output can show as much as it has room for.

use serde::{Deserialize, Serialize};

use super::sanitize::printable;

/// Maximum length of a cause, in characters.
const CAUSE_SHOWN: usize = 300;

/// Why an alert is active, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RecordedText", into = "RecordedText")]
pub struct AlertText {
    /// The event, and its subject.
    pub what: String,
    /// Why, in the words of the provider or the system.
    pub cause: Option<String>,
    /// The action to take, or the place to look.
    pub remedy: Option<String>,
    /// The command in the remedy, if the remedy has one.
    pub command: Option<String>,
}

/// The text as recorded in the trail. `reason` has all parts in one sentence; records of earlier
/// versions have nothing else.
#[derive(Serialize, Deserialize)]
struct RecordedText {
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

impl AlertText {
    /// Returns a text that says only what happened.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// Adds the cause, in the words of the provider or the system.
    #[must_use]
    pub fn cause(mut self, words: Option<&str>) -> Self {
        self.cause = words.map(|words| printable(words, CAUSE_SHOWN));
        self
    }

    /// Adds a command as the remedy.
    #[must_use]
    pub fn run(self, command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            remedy: Some(format!("run {command}")),
            command: Some(command),
            ..self
        }
    }

    /// Adds what to do, or where to look.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// Adds what to check or decide first, and the command to run afterwards. `command` stays
    /// empty, since the command deletes something or agrees to something.
    #[must_use]
    pub fn only_then_run(self, first: &str, command: impl Into<String>) -> Self {
        self.remedy(format!("{first} {}", command.into()))
    }

    /// Adds a remedy that ends with a command; `first` introduces the command.
    #[must_use]
    pub fn then_run(self, first: &str, command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            remedy: Some(format!("{first} {command}")),
            command: Some(command),
            ..self
        }
    }

    /// Returns all parts in one sentence.
    pub fn reason(&self) -> String {
        let cause = self.cause.iter();
        let cause = cause.map(|cause| format!(": \"{cause}\""));
        let remedy = self.remedy.iter().map(|remedy| format!("; {remedy}"));
        let parts: String = cause.chain(remedy).collect();
        format!("{}{parts}", self.what)
    }
}

impl From<String> for AlertText {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

impl From<RecordedText> for AlertText {
    fn from(recorded: RecordedText) -> Self {
        let RecordedText {
            reason,
            what,
            cause,
            remedy,
            command,
        } = recorded;
        Self {
            what: what.unwrap_or(reason),
            cause,
            remedy,
            command,
        }
    }
}

impl From<AlertText> for RecordedText {
    fn from(text: AlertText) -> Self {
        let reason = text.reason();
        let AlertText {
            what,
            cause,
            remedy,
            command,
        } = text;
        Self {
            what: (what != reason).then_some(what),
            reason,
            cause,
            remedy,
            command,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_trail_has_the_parts_and_one_sentence_and_records_without_parts_can_still_be_read() {
        let text = AlertText::new("the slot of d-1 has no snapshot")
            .cause(Some("volume\nbusy"))
            .run("snaprotate retry web");
        let recorded = serde_json::to_value(&text).expect("JSON");
        assert_eq!(
            recorded,
            json!({
                "reason": "the slot of d-1 has no snapshot: \"volume\\nbusy\"; run snaprotate retry web",
                "what": "the slot of d-1 has no snapshot",
                "cause": "volume\\nbusy",
                "remedy": "run snaprotate retry web",
                "command": "snaprotate retry web",
            })
        );
        let read: AlertText = serde_json::from_value(recorded).expect("a text");
        assert_eq!(read, text);
        let old = json!({ "reason": "the server is full" });
        let read: AlertText = serde_json::from_value(old.clone()).expect("a text");
        assert_eq!(read, AlertText::new("the server is full"));
        assert_eq!(serde_json::to_value(read).expect("JSON"), old);
    }
}
