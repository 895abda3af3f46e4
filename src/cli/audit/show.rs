//! `audit show`: prints what the trail tells, an action a line or a record a line.

use std::collections::BTreeSet;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use jiff::tz::TimeZone;

use super::filter::{EVENTS, Filter, GROUPS, SnapshotQuery};
use super::record_line::LineFormat;
use super::record_output::{RecordOutput, RecordRange};
use super::record_texts::OutputForm;
use super::time;
use super::{is_unbegun, no_trail, not_found};
use crate::audit::{RecordFields, files_since, ids_of, records};
use crate::cli::output::SafeJson;
use crate::cli::pager::PagedOutput;
use crate::cli::screen::Screen;
use crate::cli::server_argument::ServerArgument;
use crate::cli::{Cli, Exit, note, server_argument, written};
use crate::clock::Clock;
use crate::config::{self, Environment};
use crate::core::policy::Policy;
use crate::core::snapshot::ServerId;
use crate::daemon::CommandError;

/// Lines that `--follow` begins with, unless all or those since a time are wanted.
const BEFORE_NEW: usize = 10;

/// Which records to show, and how.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field is a command-line switch"
)]
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which server.
    #[command(flatten)]
    server: ServerArgument,
    /// From this time on: 2026-11-25T03:00:00Z, "2026-11-25 03:00", 2026-11-25, 03:00 (today),
    /// today, yesterday, or how long ago: 2d, 12h, 90m; local if it has no time zone
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to this time, written in the same way; a date includes the whole day
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only this event, such as `delete_intent`, or all events of a group: alert, create, delete,
    /// hook, restore, slot, start or stop; may be given more than once
    #[arg(long = "event", value_name = "EVENT", value_parser = PossibleValuesParser::new(EVENTS.iter().chain(&GROUPS)), hide_possible_values = true)]
    events: Vec<String>,
    /// Only what went wrong: refused or unanswered calls, failed or stuck snapshots, slots
    /// without a snapshot, blocks, alerts, refused configurations, lost records
    #[arg(long)]
    failed: bool,
    /// Only this rotation
    #[arg(long, value_name = "ROTATION")]
    rotation: Option<String>,
    /// Only this snapshot, by name or id
    #[arg(long, value_name = "SNAPSHOT")]
    snapshot: Option<String>,
    /// Only the newest N lines [default: all; on a terminal as many as fit, unless --since,
    /// --until or --snapshot is given]
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Show all lines, also on a terminal
    #[arg(long, conflicts_with = "last")]
    all: bool,
    /// Go on with what the service records from now on, until Ctrl-C is pressed
    #[arg(long, conflicts_with_all = ["last", "until"])]
    follow: bool,
    /// Print a line for each record, instead of one for each action
    #[arg(long, conflicts_with_all = ["csv", "json"])]
    raw: bool,
    /// Print a row of CSV for each action (RFC 4180), with times in UTC
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print the records exactly as they are in the trail: one JSON object per line
    #[arg(long)]
    json: bool,
    /// Never start a pager
    #[arg(long)]
    no_pager: bool,
}

impl Args {
    /// Returns the records to read. `rows` are those of the terminal.
    fn range(&self, rows: Option<u16>) -> RecordRange {
        let whole =
            self.all || self.since.is_some() || self.until.is_some() || self.snapshot.is_some();
        match (self.last, rows) {
            _ if self.follow && !whole => RecordRange::Last(BEFORE_NEW),
            (Some(last), _) => RecordRange::Last(last),
            (None, Some(rows)) if !whole => RecordRange::Screen(rows),
            (None, _) => RecordRange::All,
        }
    }

    fn form(&self, lines: impl FnOnce() -> LineFormat) -> OutputForm {
        if self.json {
            OutputForm::Json
        } else if self.csv {
            OutputForm::Csv
        } else if self.raw {
            OutputForm::Raw(lines())
        } else {
            OutputForm::Actions(lines())
        }
    }
}

/// Prints what matches. Returns `Bad` if the trail has unreadable lines.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let env = Environment::from_process();
    let folders = config::folders(&cli.config, &env)?;
    let policies = config::policies(&cli.config, &env);
    let now = Clock::system().now().wall.to_zoned(TimeZone::system());
    let mut filter = filter(args, &policies, &folders.audit_dir, &now)?;
    let asked = not_found::NamedQuery {
        server: args.server.one().zip(filter.server.clone()),
        rotation: args.rotation.as_deref(),
    };
    let files = files_since(&folders.audit_dir, filter.since)?;
    let is_empty = files.is_empty() && is_unbegun(&folders)?;
    if is_empty && !args.follow {
        not_found::told(&asked, &policies, Vec::new())?;
        note(&no_trail(&folders.audit_dir));
        return Ok(Exit::Good);
    }
    let screen = Screen::of_stdout();
    let colour = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
    let form = args.form(|| {
        let width = screen.and_then(|screen| screen.width).map(usize::from);
        let zone = now.time_zone().clone();
        LineFormat::new(&policies, filter.server.clone(), zone, width, colour)
    });
    if let Some(asked) = &mut filter.snapshot
        && asked.id.is_some()
    {
        names_of(asked, &files);
    }
    let rows = screen.map(|screen| screen.rows);
    let may_page = !args.no_pager && !args.follow && !args.json;
    let paged = PagedOutput::new(rows.filter(|_| may_page));
    let out = SafeJson::new(BufWriter::new(paged), screen.is_some() && args.json);
    let mut output = RecordOutput::new(&filter, &form, out);
    let shown = if args.follow {
        output.follow(&folders.audit_dir, &files, args.range(rows))?
    } else {
        output.show(&files, args.range(rows))
    };
    let (shown_texts, exit, note_after) = (output.shown(), output.ended(), output.left_out());
    let finished = shown.and_then(|()| output.finish(screen.is_some()));
    let left = finished.is_err();
    written(finished)?;
    if left {
        // The reader, such as `head`, closed the pipe.
        return Ok(Exit::Good);
    }
    if let Some(left_out) = note_after {
        note(&left_out);
    }
    if shown_texts == 0 {
        let all = files_since(&folders.audit_dir, None)?;
        not_found::told(&asked, &policies, all.clone())?;
        let slip = args.snapshot.as_deref();
        let slip = slip.and_then(|typed| not_found::snapshot(typed, filter.server.as_ref(), all));
        note(slip.as_deref().unwrap_or("no record matches"));
    }
    Ok(exit)
}

fn filter(
    args: &Args,
    policies: &[std::sync::Arc<Policy>],
    trail: &Path,
    now: &jiff::Zoned,
) -> Result<Filter, CommandError> {
    let range = time::range(args.since.as_deref(), args.until.as_deref(), now);
    let (since, until) = range.map_err(CommandError::Settings)?;
    let server = args.server.one().map(|server| {
        let integer = |id: &ServerId| id.number().is_some();
        let id = || server.parse().ok().filter(integer);
        let found = server_argument::find(policies, server)?.map(|policy| policy.server.clone());
        // The trail also has records of servers that no longer have a policy.
        match found.or_else(id) {
            Some(server) => Ok(server),
            None => not_found::former(server, policies, files_since(trail, None)?)
                .ok_or_else(|| server_argument::unknown(policies, server)),
        }
    });
    let server = server.transpose()?;
    let ids = match &server {
        Some(server) => ids_of(server, &files_since(trail, None)?)?,
        None => BTreeSet::new(),
    };
    Ok(Filter {
        server,
        ids,
        since,
        until,
        events: args.events.clone(),
        failed: args.failed,
        rotation: args.rotation.clone(),
        snapshot: args.snapshot.as_deref().map(SnapshotQuery::new),
    })
}

/// Collects the names that the trail gives for an id, since records before a create's answer have
/// no id.
fn names_of(asked: &mut SnapshotQuery, files: &[PathBuf]) {
    for record in files.iter().cloned().flat_map(records).flatten() {
        let said = RecordFields::of(&record);
        if said.id == asked.id
            && let (Some(server), Some(name)) = (record.server, said.snapshot)
        {
            asked.named.insert((server, name));
        }
    }
}
