//! `[rotation.hooks]`: what is run around each of its snapshots.

use std::sync::Arc;

use jiff::SignedDuration;
use toml::de::DeValue;

use super::defaults;
use super::diagnostics::{At, Log};
use super::program::program;
use super::table_reader::{Fault, Found, Section, Value, nearest};
use super::time_checks::said;
use crate::core::policy::{Hooks, Release};

/// Hooks as they are written.
#[derive(Clone, Debug)]
pub(super) struct RawHooks {
    at: At,
    before: Option<Vec<Found<String>>>,
    after: Option<Vec<Found<String>>>,
    timeout: Option<Found<SignedDuration>>,
    on_failure: Option<Found<OnFailure>>,
    release: Option<Found<Release>>,
    max_hold: Option<Found<SignedDuration>>,
}

/// What a `before` that failed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Stop,
    Continue,
}

const NO_TIME: (&str, &str) = (
    "must be longer than nothing",
    "write a duration such as \"60s\", or take it out for the default",
);

impl RawHooks {
    pub(super) fn read(mut section: Section<'_>, log: &mut Log) -> Self {
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
                "write before = [\"/usr/local/sbin/freeze\"], or take the table out",
            );
        }
        let before = raw.before.as_ref().and_then(|argv| argv.first());
        if let Some(program) = before.filter(|_| no_after) {
            log.warn(
                &program.at,
                "before without after: nothing releases what it holds",
                "write after = [\"/usr/local/sbin/thaw\"], or after = [\"/bin/true\"] where nothing is held",
            );
        }
        section.finish(log);
        raw
    }

    /// The hooks that are meant, unless something in them is wrong.
    pub(super) fn validate(self, log: &mut Log) -> Option<Arc<Hooks>> {
        let at = self.at;
        let mut argv = |key, argv: Option<Vec<Found<String>>>, example| match argv {
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
                "max_hold ({}) is not above timeout ({})",
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
            release: self.release.map_or(Release::Completed, |word| word.value),
            max_hold,
        }))
    }
}

/// One of two words.
fn word<T: Copy>(value: &DeValue<'_>, words: [(&str, T); 2]) -> Option<Result<T, Fault>> {
    let text = value.as_str()?;
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
        return Some(Ok(*meant));
    }
    let names = words.map(|(word, _)| word);
    Some(Err(Fault {
        message: format!("{text:?} is not known"),
        remedy: match nearest(text, names.into_iter()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write {:?} or {:?}", names[0], names[1]),
        },
    }))
}

impl Value for OnFailure {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"stop\" or \"continue\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, Fault>> {
        word(value, [("stop", Self::Stop), ("continue", Self::Continue)])
    }
}

impl Value for Release {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"completed\" or \"accepted\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, Fault>> {
        let words = [("completed", Self::Completed), ("accepted", Self::Accepted)];
        word(value, words)
    }
}
