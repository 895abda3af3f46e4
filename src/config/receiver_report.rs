//! The keys of `[[notify]]` about reports: how often, at what time, in which zone.

use jiff::civil::Time;
use toml::de::DeValue;

use super::defaults;
use super::diagnostics::{Diagnostics, Position};
use super::hints::nearest;
use super::table_reader::{FromToml, Located, TableReader, ValueError};
use super::value_types::NamedZone;
use crate::core::report_period::{ReportInterval, ReportSchedule};

/// The days of a week, as `report_at` and cron expressions name them.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The last day that every month has.
const LAST_DAY: u32 = 28;

/// The keys as they are written.
#[derive(Debug, Default)]
pub(super) struct RawReport {
    interval: Option<Located<ReportInterval>>,
    at: Option<Located<String>>,
    zone: Option<Located<NamedZone>>,
}

impl RawReport {
    pub(super) fn read(section: &mut TableReader<'_>, log: &mut Diagnostics) -> Self {
        Self {
            interval: section.take("report", log),
            at: section.take("report_at", log),
            zone: section.take("report_timezone", log),
        }
    }

    /// Returns the schedule of the reports; `None` if there are none, or after a mistake. `usual`
    /// is the zone of `[defaults]`.
    pub(super) fn validate(
        self,
        usual: &NamedZone,
        log: &mut Diagnostics,
    ) -> Option<ReportSchedule> {
        let Some(interval) = self.interval else {
            let at = self.at.as_ref().map(|found| ("report_at", &found.at));
            let zone = self
                .zone
                .as_ref()
                .map(|found| ("report_timezone", &found.at));
            for (key, at) in at.into_iter().chain(zone) {
                needless(key, at, log);
            }
            return None;
        };
        let interval = interval.value;
        let zone = self.zone.as_ref().map_or(usual, |zone| &zone.value);
        let written = self.at.as_ref().map(|found| found.value.as_str());
        let Some(expression) = expression(interval, written.unwrap_or(usual_time(interval))) else {
            let found = self.at?;
            let word = interval.word();
            let message = format!(
                "report_at {:?} is not the time of a {word} report",
                found.value
            );
            let remedy = match interval {
                ReportInterval::Daily => "write \"07:00\"",
                ReportInterval::Weekly => "write a day and a time: \"Mon 07:00\"",
                ReportInterval::Monthly => "write a day from 1 to 28 and a time: \"1 07:00\"",
            };
            log.error(&found.at, message, remedy);
            return None;
        };
        ReportSchedule::new(interval, &expression, zone.zone.clone()).ok()
    }
}

fn needless(key: &str, at: &Position, log: &mut Diagnostics) {
    let message = format!("{key} is written, but the receiver gets no report");
    let remedy = format!("write report = \"weekly\", or remove {key}");
    log.error(at, message, remedy);
}

fn usual_time(interval: ReportInterval) -> &'static str {
    match interval {
        ReportInterval::Daily => defaults::DAILY_REPORT,
        ReportInterval::Weekly => defaults::WEEKLY_REPORT,
        ReportInterval::Monthly => defaults::MONTHLY_REPORT,
    }
}

/// Returns the cron expression of a time; `None` if the time doesn't fit the interval.
fn expression(interval: ReportInterval, text: &str) -> Option<String> {
    let (day, time) = match text.trim().rsplit_once(' ') {
        Some((day, time)) => (Some(day.trim()), time),
        None => (None, text.trim()),
    };
    let [hour, minute] = hour_and_minute(time)?;
    Some(match (interval, day) {
        (ReportInterval::Daily, None) => format!("{minute} {hour} * * *"),
        (ReportInterval::Weekly, Some(day)) => {
            let day = DAYS
                .into_iter()
                .find(|name| name.eq_ignore_ascii_case(day))?;
            format!("{minute} {hour} * * {day}")
        }
        (ReportInterval::Monthly, Some(day)) => {
            let day = day
                .parse()
                .ok()
                .filter(|day| (1..=LAST_DAY).contains(day))?;
            format!("{minute} {hour} {day} * *")
        }
        _ => return None,
    })
}

fn hour_and_minute(text: &str) -> Option<[i8; 2]> {
    let time = Time::strptime("%H:%M", text).ok()?;
    Some([time.hour(), time.minute()])
}

impl FromToml for ReportInterval {
    const WANTED: &'static str = "a word in a string";
    const EXAMPLE: &'static str = "\"daily\", \"weekly\" or \"monthly\"";

    fn read(value: &DeValue<'_>) -> Option<Result<Self, ValueError>> {
        let word = value.as_str()?;
        let known = Self::ALL.into_iter().find(|one| one.word() == word);
        Some(known.ok_or_else(|| ValueError {
            message: format!("unknown value {word:?}"),
            remedy: match nearest(word, Self::ALL.into_iter().map(Self::word)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("write {}", Self::EXAMPLE),
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_expressions_and_those_of_another_interval_are_refused() {
        use ReportInterval::{Daily, Monthly, Weekly};
        for (interval, text, wanted) in [
            (Daily, "07:30", Some("30 7 * * *")),
            (Daily, "Mon 07:30", None),
            (Daily, "7", None),
            (Daily, "24:00", None),
            (Weekly, "mon 07:00", Some("0 7 * * Mon")),
            (Weekly, "Sun  23:59", Some("59 23 * * Sun")),
            (Weekly, "07:00", None),
            (Weekly, "Monday 07:00", None),
            (Monthly, "1 00:00", Some("0 0 1 * *")),
            (Monthly, "28 07:00", Some("0 7 28 * *")),
            (Monthly, "29 07:00", None),
            (Monthly, "0 07:00", None),
        ] {
            let made = expression(interval, text);
            assert_eq!(made.as_deref(), wanted, "{interval:?} {text}");
        }
        for interval in ReportInterval::ALL {
            assert!(expression(interval, usual_time(interval)).is_some());
        }
    }
}
