//! One `[[rotation]]`: as it is written, and validated.

use std::sync::Arc;

use jiff::SignedDuration;

use super::diagnostics::{Diagnostics, Position};
use super::hooks::RawHooks;
use super::schedule_checks::Schedules;
use super::stop_server::RawStop;
use super::table_reader::{Located, TableReader};
use super::time_checks::{self, RotationTimes};
use super::value_types::NamedZone;
use super::{defaults, pattern_checks};
use crate::core::name_pattern::Pattern;
use crate::core::policy::{FormerPattern, Hooks, Rotation, WhenFull};
use crate::core::snapshot::ServerId;

/// The keys that `[defaults]` may set for all rotations.
#[derive(Clone, Debug, Default)]
pub(super) struct RotationDefaults {
    timezone: Option<Located<NamedZone>>,
    snapshot_name: Option<Located<String>>,
    former_names: Option<Vec<Located<String>>>,
    description: Option<Located<String>>,
    catch_up: Option<Located<SignedDuration>>,
    splay: Option<Located<SignedDuration>>,
    attempts: Option<Located<u32>>,
    when_full: Option<Located<WhenFull>>,
    hooks: Option<RawHooks>,
    stop: RawStop,
}

/// A rotation as it is written.
#[derive(Debug)]
pub(super) struct RawRotation {
    pub(super) at: Position,
    pub(super) name: Option<Located<String>>,
    schedule: Option<Located<String>>,
    pub(super) keep: Option<Located<usize>>,
    own: RotationDefaults,
}

impl RotationDefaults {
    /// Returns the time zone of what sets none.
    pub(super) fn zone(&self) -> NamedZone {
        let utc = || NamedZone {
            name: defaults::TIMEZONE.to_owned(),
            zone: jiff::tz::TimeZone::UTC,
        };
        let found = self.timezone.as_ref();
        found.map_or_else(utc, |found| found.value.clone())
    }

    /// Reads the optional keys of a rotation or of `[defaults]`; `hooks` is the title of its hooks
    /// table.
    pub(super) fn read(
        section: &mut TableReader<'_>,
        hooks: &'static str,
        log: &mut Diagnostics,
    ) -> Self {
        let positive = |duration: &SignedDuration| duration.is_positive();
        let options = Self {
            timezone: section.take("timezone", log),
            snapshot_name: section.take("snapshot_name", log),
            former_names: section.take_list("former_names", log),
            description: section.take("description", log),
            catch_up: section.take_if(
                "catch_up",
                log,
                positive,
                (
                    "of 0s would run no slot at all",
                    "write a duration such as \"24h\", or remove it: a missed slot may then be run until the next slot",
                ),
            ),
            splay: section.take("splay", log),
            attempts: section.take_if(
                "attempts",
                log,
                |attempts: &u32| *attempts > 0,
                ("must be at least 1", "write attempts = 1 for a single attempt"),
            ),
            when_full: section.take("when_full", log),
            hooks: section
                .take_table("hooks", hooks, log)
                .map(|section| RawHooks::read(section, log)),
            stop: RawStop::read(section, log),
        };
        let former = options.former_names.iter().flatten();
        former
            .chain(&options.snapshot_name)
            .for_each(|text| pattern_checks::check(text, log));
        options
    }

    /// Returns these keys, with the defaults for those that are not set.
    fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        Self {
            timezone: self.timezone.or(defaults.timezone),
            snapshot_name: self.snapshot_name.or(defaults.snapshot_name),
            former_names: self.former_names.or(defaults.former_names),
            description: self.description.or(defaults.description),
            catch_up: self.catch_up.or(defaults.catch_up),
            splay: self.splay.or(defaults.splay),
            attempts: self.attempts.or(defaults.attempts),
            when_full: self.when_full.or(defaults.when_full),
            hooks: self.hooks.or(defaults.hooks),
            stop: self.stop.or(defaults.stop),
        }
    }
}

impl RawRotation {
    /// Reads one `[[rotation]]`.
    pub(super) fn read(mut section: TableReader<'_>, log: &mut Diagnostics) -> Self {
        section.require("name", "\"weekly\"");
        section.require("schedule", "\"0 3 * * Sun\"");
        section.require("keep", "3");
        for key in ["hook", "before", "after"] {
            let why = (
                "hooks belong in a table of their own",
                "write it below [rotation.hooks]",
            );
            section.refuse(key, why, log);
        }
        let plain = |name: &String| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            name.len() <= 64 && name.chars().all(allowed)
        };
        let raw = Self {
            at: section.at().clone(),
            name: section.take_if(
                "name",
                log,
                plain,
                (
                    "of a rotation must consist of at most 64 letters, digits, '-' and '_'",
                    "write name = \"weekly\"",
                ),
            ),
            schedule: section.take("schedule", log),
            keep: section.take_if(
                "keep",
                log,
                |keep: &usize| *keep > 0,
                (
                    "must be at least 1",
                    "write keep = 1, or remove the whole rotation",
                ),
            ),
            own: RotationDefaults::read(&mut section, "[rotation.hooks]", log),
        };
        section.finish(log);
        raw
    }

    /// Returns the rotation's validated hooks.
    pub(super) fn hooks(
        self,
        defaults: &RotationDefaults,
        log: &mut Diagnostics,
    ) -> Option<Arc<Hooks>> {
        self.own.or(defaults).hooks?.validate(log)
    }

    /// Validates the rotation; `None` if it has an error.
    pub(super) fn validate(
        self,
        server: &ServerId,
        defaults: &RotationDefaults,
        schedules: &mut Schedules,
        log: &mut Diagnostics,
    ) -> Option<Rotation> {
        let own = self.own.clone();
        let options = self.own.or(defaults);
        let expression = self.schedule?;
        let zone = options.zone();
        let schedule = match schedules.get(&expression.value, &zone) {
            Ok(schedule) => schedule,
            Err(error) => {
                log.error(
                    &expression.at,
                    format!("schedule {:?}: {}", expression.value, error.message),
                    error.remedy,
                );
                return None;
            }
        };
        let name = self.name?.value;
        // A problem that also involves [defaults] is reported at the rotation's own key if it has
        // one.
        let place = |own: Option<&Position>| own.unwrap_or(&expression.at).clone();

        let pattern = match &options.snapshot_name {
            Some(text) => Pattern::new(&text.value, &name).ok()?,
            None => Pattern::new(defaults::SNAPSHOT_NAME, &name).ok()?,
        };
        let at = place(own.snapshot_name.as_ref().map(|text| &text.at));
        pattern_checks::twins(&name, &expression.value, &pattern, schedules, &at, log);
        let former = options.former_names.unwrap_or_default();
        let former = former
            .iter()
            .filter_map(|text| Pattern::new(&text.value, &name).ok())
            .map(|pattern| FormerPattern {
                coarse: schedules.twins(&expression.value, &pattern).is_some(),
                pattern,
            })
            .collect();

        let splay = options
            .splay
            .as_ref()
            .map_or(SignedDuration::ZERO, |splay| splay.value);
        let at = place(own.splay.as_ref().map(|splay| &splay.at));
        let catch_up = options.catch_up.map(|catch_up| catch_up.value);
        let timing = RotationTimes {
            rotation: &name,
            expression: &expression,
            splay,
            splay_at: &at,
            catch_up,
        };
        timing.check(schedules, log);
        let hooks = match options.hooks {
            Some(hooks) => Some(hooks.validate(log)?),
            None => None,
        };
        own.stop.check_idle(&defaults.stop, log);
        let stop = options.stop.validate(&expression.at, catch_up, log)?;
        Some(Rotation {
            hooks,
            stop,
            schedule,
            keep: self.keep?.value,
            pattern,
            former,
            description: options.description.map(|text| text.value),
            catch_up,
            splay: time_checks::offset(splay, server, &name),
            attempts: options.attempts.map_or(defaults::ATTEMPTS, |n| n.value),
            when_full: options
                .when_full
                .map_or(WhenFull::PruneFirst, |word| word.value),
            name: name.into(),
        })
    }
}
