//! `[rotation.hooks]`: the programs that run before and after each snapshot of a rotation.

use std::sync::Arc;

use jiff::SignedDuration;
use toml::de::DeValue;

use super::defaults;
use super::diagnostics::{Diagnostics, Position};
use super::hints::nearest;
use super::program::program;
use super::table_reader::{FromToml, Located, TableReader, ValueError};
use super::time_checks::said;
use crate::core::policy::{Hooks, ReleaseWhen};

/// The table as it is written.
#[derive(Clone, Debug)]
pub(super) struct RawHooks {
    at: Position,
    before: Option<Vec<Located<String>>>,
    after: Option<Vec<Located<String>>>,
    timeout: Option<Located<SignedDuration>>,
    on_failure: Option<Located<OnFailure>>,
    release: Option<Located<ReleaseWhen>>,
    max_hold: Option<Located<SignedDuration>>,
}

/// The value of `on_failure`: how a rotation proceeds after `before` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Stop,
    Continue,
}

const NO_TIME: (&str, &str) = (
    "must be longer than 0s",
    "write a duration such as \"60s\", or remove it to use the default",
);

impl RawHooks {
    pub(super) fn read(mut section: TableReader<'_>, log: &mut Diagnostics) -> Self {
        let positive = |time: &SignedDuration| time.is_positive();
        let none = !section.has("before") && !section.has("after");
        let no_after = !section.has("after");
        let raw = Self {
            at: section.at().clone(),
            before: section.take_list("before", log),
            after: section.take_list("after", log),
            timeout: section.take_if("timeout", log, positive, NO_TIME),
            on_failure: section.take("on_failure", log),
            release: section.take("release", log),
            max_hold: section.take_if("max_hold", log, positive, NO_TIME),
        };
        if none {
            log.error(
                &raw.at,
                "hooks has neither before nor after",
                "write before = [\"/usr/local/sbin/freeze\"], or remove the table",
            );
        }
        let before = raw.before.as_ref().and_then(|argv| argv.first());
        if let Some(program) = before.filter(|_| no_after) {
            log.warn(
                &program.at,
                "before without after: nothing releases what before holds",
                "write after = [\"/usr/local/sbin/thaw\"], or after = [\"/bin/true\"] if nothing is held",
            );
        }
        section.finish(log);
        raw
    }

    /// Validates the table; `None` if a program can't be used.
    pub(super) fn validate(self, log: &mut Diagnostics) -> Option<Arc<Hooks>> {
        let at = self.at;
        let mut argv = |key, argv: Option<Vec<Located<String>>>, example| match argv {
            Some(argv) => program(key, argv, &at, example, log).map(Some),
            None => Some(None),
        };
        let before = argv("before", self.before, "/usr/local/sbin/freeze");
        let after = argv("after", self.after, "/usr/local/sbin/thaw");
        let timeout = self.timeout.map_or(defaults::HOOK, |time| time.value);
        let max_hold = self
            .max_hold
            .as_ref()
            .map_or(defaults::MAX_HOLD, |time| time.value);
        if max_hold <= timeout {
            let message = format!(
                "max_hold ({}) must be longer than timeout ({})",
                said(max_hold),
                said(timeout)
            );
            let at = self.max_hold.as_ref().map_or(&at, |time| &time.at);
            log.error(at, message, "write a longer max_hold, or a shorter timeout");
        }
        Some(Arc::new(Hooks {
            before: before?,
            after: after?,
            timeout,
            go_on: self
                .on_failure
                .is_some_and(|word| word.value == OnFailure::Continue),
            release: self
                .release
                .map_or(ReleaseWhen::Completed, |word| word.value),
            max_hold,
        }))
    }
}

/// Reads one of two words.
fn word<T: Copy>(value: &DeValue<'_>, words: [(&str, T); 2]) -> Option<Result<T, ValueError>> {
    let text = value.as_str()?;
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
        return Some(Ok(*meant));
    }
    let names = words.map(|(word, _)| word);
    Some(Err(ValueError {
        message: format!("unknown value {text:?}"),
        remedy: match nearest(text, names.into_iter()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write {:?} or {:?}", names[0], names[1]),
        },
    }))
}

impl FromToml for OnFailure {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"stop\" or \"continue\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        word(value, [("stop", Self::Stop), ("continue", Self::Continue)])
    }
}

impl FromToml for ReleaseWhen {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"completed\" or \"accepted\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let words = [("completed", Self::Completed), ("accepted", Self::Accepted)];
        word(value, words)
    }
}
