//! `stop_server` and its keys: a rotation that stops the server for each of its snapshots.

use jiff::SignedDuration;

use super::defaults;
use super::diagnostics::{Diagnostics, Position};
use super::table_reader::{Located, TableReader};
use super::time_checks::said;
use crate::core::policy::{ReleaseWhen, StopServer};

/// The keys as they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct RawStop {
    stop_server: Option<Located<bool>>,
    stop_timeout: Option<Located<SignedDuration>>,
    restart_when: Option<Located<ReleaseWhen>>,
    max_stopped: Option<Located<SignedDuration>>,
}

const NO_TIME: (&str, &str) = (
    "must be longer than 0s",
    "write a duration such as \"10m\", or remove it to use the default",
);

impl RawStop {
    pub(super) fn read(section: &mut TableReader<'_>, log: &mut Diagnostics) -> Self {
        let positive = |time: &SignedDuration| time.is_positive();
        Self {
            stop_server: section.take("stop_server", log),
            stop_timeout: section.take_if("stop_timeout", log, positive, NO_TIME),
            restart_when: section.take("restart_when", log),
            max_stopped: section.take_if("max_stopped", log, positive, NO_TIME),
        }
    }

    /// Returns these keys, with the defaults for those that are not set.
    pub(super) fn or(self, defaults: Self) -> Self {
        Self {
            stop_server: self.stop_server.or(defaults.stop_server),
            stop_timeout: self.stop_timeout.or(defaults.stop_timeout),
            restart_when: self.restart_when.or(defaults.restart_when),
            max_stopped: self.max_stopped.or(defaults.max_stopped),
        }
    }

    /// Warns about keys that have no effect because the server isn't stopped.
    pub(super) fn check_idle(&self, defaults: &Self, log: &mut Diagnostics) {
        let stops = self.stop_server.as_ref().or(defaults.stop_server.as_ref());
        if stops.is_some_and(|stops| stops.value) {
            return;
        }
        let keys = [
            (
                "stop_timeout",
                self.stop_timeout.as_ref().map(|found| &found.at),
            ),
            (
                "restart_when",
                self.restart_when.as_ref().map(|found| &found.at),
            ),
            (
                "max_stopped",
                self.max_stopped.as_ref().map(|found| &found.at),
            ),
        ];
        for (key, at) in keys {
            let Some(at) = at else { continue };
            log.warn(
                at,
                format!("{key} has no effect: the server is not stopped"),
                format!("write stop_server = true, or remove {key}"),
            );
        }
    }

    /// Validates the keys. The outer `None` means an error, the inner one that the server isn't
    /// stopped.
    #[expect(clippy::option_option, reason = "the outer one is an error")]
    pub(super) fn validate(
        self,
        at: &Position,
        catch_up: Option<SignedDuration>,
        log: &mut Diagnostics,
    ) -> Option<Option<Box<StopServer>>> {
        let Some(stops) = self.stop_server.as_ref().filter(|stops| stops.value) else {
            return Some(None);
        };
        if catch_up.is_none() {
            log.warn(
                &stops.at,
                "stop_server without catch_up: a missed slot stops the server at any hour, even when the service first starts",
                "write how late a slot may still be run, such as catch_up = \"1h\"",
            );
        }
        let value = |found: &Option<Located<SignedDuration>>, default| {
            found.as_ref().map_or(default, |found| found.value)
        };
        let timeout = value(&self.stop_timeout, defaults::STOP);
        let longest = value(&self.max_stopped, defaults::MAX_STOPPED);
        if longest <= timeout {
            let message = format!(
                "max_stopped ({}) must be longer than stop_timeout ({})",
                said(longest),
                said(timeout)
            );
            let found = self.max_stopped.as_ref().or(self.stop_timeout.as_ref());
            let at = found.map_or(at, |found| &found.at);
            log.error(
                at,
                message,
                "write a longer max_stopped, or a shorter stop_timeout",
            );
            return None;
        }
        Some(Some(Box::new(StopServer {
            timeout,
            restart: self
                .restart_when
                .map_or(ReleaseWhen::Completed, |word| word.value),
            longest,
        })))
    }
}
