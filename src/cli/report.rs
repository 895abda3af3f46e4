//! `report`: prints what was made, deleted and missed in a period.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::audit::{is_unbegun, no_trail, time_range};
use super::{Cli, Exit, block_on, control_socket, note, of_service, print, print_json, say};
use crate::alerts::{report_csv, report_text};
use crate::audit::report_tally;
use crate::clock::Clock;
use crate::config::{self, Environment};
use crate::core::report::Report;
use crate::core::report_period::ReportPeriod;
use crate::core::snapshot::SnapshotId;
use crate::daemon::CommandError;
use crate::status::{self, FleetView, longest_copy_age_limit, present_state, wrap};

/// The period if `--since` is not given.
const PERIOD: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Columns of the text.
const WIDTH: usize = 80;

/// Indent of the values of the sums, and of further lines in lists.
const VALUES: usize = 17;
const LIST: usize = 4;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// From this time on, written as for audit show: 2026-11-25, "2026-11-25 03:00", yesterday,
    /// 30d [default: 7 days before the end]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to this time; a date includes the whole day [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Print a table of all servers as CSV (RFC 4180)
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the report. Returns `Bad` if somebody is needed, or lines of the trail can't be read.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let env = Environment::from_process();
    let folders = config::folders(&cli.config, &env)?;
    let policies = config::policies(&cli.config, &env);
    let now = Clock::system().now().wall.to_zoned(TimeZone::system());
    let period = period(args, &now)?;
    if is_unbegun(&folders)? {
        note(&no_trail(&folders.audit_dir));
    }
    let lookback = longest_copy_age_limit(policies.iter());
    let tally = report_tally(&folders.audit_dir, period, lookback)?;
    let (view, sizes) = asked()?;
    let present = present_state(policies.iter(), view.as_ref(), sizes);
    let report = Report::new(&tally, &present, now.timestamp());
    if args.csv {
        print(report_csv(&report).as_bytes())?;
    } else if args.json {
        print_json(&report)?;
    } else {
        say(&text(&report, now.time_zone()))?;
    }
    Ok(if report.needs_somebody() || report.unreadable > 0 {
        Exit::Bad
    } else {
        Exit::Good
    })
}

fn period(args: &Args, now: &jiff::Zoned) -> Result<ReportPeriod, CommandError> {
    let range = time_range(args.since.as_deref(), args.until.as_deref(), now);
    let (since, until) = range.map_err(CommandError::Settings)?;
    let until = until.map_or(now.timestamp(), |until| until.min(now.timestamp()));
    let from = since.unwrap_or_else(|| until.saturating_sub(PERIOD).unwrap_or(Timestamp::MIN));
    if from >= until {
        let why = format!("--since {from} leaves no time to report on: give an earlier time");
        return Err(CommandError::Settings(why));
    }
    Ok(ReportPeriod {
        from,
        until,
        missed: 0,
        reported: None,
    })
}

/// Returns the view of the running service and the sizes of all snapshots; neither if none runs.
fn asked() -> Result<(Option<FleetView>, BTreeMap<SnapshotId, u64>), CommandError> {
    let socket = control_socket();
    let Some(view) = of_service(status::ask(&socket))? else {
        return Ok((None, BTreeMap::new()));
    };
    // A service of an earlier version doesn't offer them; the rest of the report is complete.
    let sizes = block_on(async { Ok(status::ask_sizes(&socket).await) })?;
    let sizes = sizes.unwrap_or_default().into_iter().collect();
    Ok((Some(view), sizes))
}

/// Returns the verdict and the text in lines of at most 80 columns.
fn text(report: &Report, zone: &TimeZone) -> String {
    let all = format!("{}\n\n{}", report.title(), report_text(report, zone));
    let mut text = String::new();
    for line in all.trim_end().lines() {
        let label = line.find(':').is_some_and(|end| end < VALUES);
        let indent = if line.starts_with("  ") {
            LIST
        } else if label {
            VALUES
        } else {
            0
        };
        if line.chars().count() <= WIDTH {
            text.push_str(line);
        } else {
            wrap(&mut text, line, 0, WIDTH, indent);
        }
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// Returns the schema of `report --json`.
#[cfg(test)]
pub(super) fn output_schema() -> String {
    super::output_schema::derived::<Report>("report")
}
