//! `audit show`: prints the records of the trail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use jiff::tz::TimeZone;

use super::filter::{EVENTS, Filter, GROUPS, SnapshotQuery};
use super::record_line::LineFormat;
use super::snapshot_names::SnapshotNames;
use super::time;
use super::{lost, no_trail, not_found};
use crate::audit::RecordFields;
use crate::audit::{Record, TrailError, files_since, ids_of, records, was_begun};
use crate::cli::output::SafeJson;
use crate::cli::server_argument::ServerArgument;
use crate::cli::{Cli, Exit, note, server_argument, written};
use crate::clock::Clock;
use crate::config::{self, Environment};
use crate::core::policy::Policy;
use crate::core::snapshot::ServerId;
use crate::daemon::CommandError;

/// Records shown on a terminal if neither `--since` nor `--last` is given.
const SCREENFUL: usize = 200;
/// Unreadable lines that are reported one by one; any further ones are only counted.
const TOLD: u64 = 5;

/// Which records to show, and how.
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
    /// Only the newest N records [default: all; on a terminal 200, unless --since is given]
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Print the records exactly as they are in the trail: one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Prints the records that match. Returns `Bad` if the trail has unreadable lines.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let env = Environment::from_process();
    let folders = config::folders(&cli.config, &env)?;
    let policies = config::policies(&cli.config, &env);
    let now = Clock::system().now().wall.to_zoned(TimeZone::system());
    let filter = filter(args, &policies, &folders.audit_dir, &now)?;
    let asked = not_found::NamedQuery {
        server: args.server.one().zip(filter.server.clone()),
        rotation: args.rotation.as_deref(),
    };
    let files = files_since(&folders.audit_dir, filter.since)?;
    if files.is_empty() && files_since(&folders.audit_dir, None)?.is_empty() {
        if was_begun(&folders.state_dir)? {
            return Err(CommandError::System(lost(&folders)));
        }
        not_found::told(&asked, &policies, Vec::new())?;
        note(&no_trail(&folders.audit_dir));
        return Ok(Exit::Good);
    }
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let width = terminal.then(terminal_size::terminal_size).flatten();
    let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let usual = (terminal && args.since.is_none()).then_some(SCREENFUL);
    let lines = (!args.json).then(|| {
        let zone = now.time_zone().clone();
        LineFormat::new(
            &policies,
            filter.server.clone(),
            zone,
            width.map(|(w, _)| w.0.into()),
            colour,
        )
    });
    let mut show = Show {
        filter,
        lines,
        out: SafeJson::new(BufWriter::new(stdout.lock()), terminal && args.json),
        shown: 0,
        unread: 0,
    };
    if let Some(asked) = &mut show.filter.snapshot
        && asked.id.is_some()
    {
        names_of(asked, &files);
    }
    let shown = match args.last.or(usual) {
        None => show.all(files),
        Some(last) => show.newest(files, last, args.last.is_none()),
    };
    let shown = shown.and_then(|()| show.out.flush());
    let left = shown.is_err();
    written(shown)?;
    if left {
        // The reader, such as `head`, closed the pipe.
        return Ok(Exit::Good);
    }
    if show.shown == 0 {
        let all = files_since(&folders.audit_dir, None)?;
        not_found::told(&asked, &policies, all.clone())?;
        let slip = args.snapshot.as_deref();
        let slip =
            slip.and_then(|typed| not_found::snapshot(typed, show.filter.server.as_ref(), all));
        note(slip.as_deref().unwrap_or("no record matches"));
    }
    Ok(show.ended())
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

/// The reason of each server's last selected record. An alert that only repeats it is left out.
#[derive(Default)]
struct RepeatedAlerts(BTreeMap<ServerId, Option<String>>);

impl RepeatedAlerts {
    fn is_new(&mut self, record: &Record, said: &RecordFields) -> bool {
        let Some(server) = record.server.clone() else {
            return true;
        };
        // An alert's reason also has what to do, and a block's has not.
        let told = said.what.clone().or_else(|| said.reason.clone());
        let before = self.0.insert(server, told.clone()).flatten();
        record.event != "alert_raised" || before.is_none() || before != told
    }
}

/// Selects records and prints them.
struct Show<W: Write> {
    filter: Filter,
    /// `None`: prints the records as they are in the trail.
    lines: Option<LineFormat>,
    out: W,
    shown: u64,
    unread: u64,
}

impl<W: Write> Show<W> {
    /// Prints each match as it is read.
    fn all(&mut self, files: Vec<PathBuf>) -> io::Result<()> {
        for file in files {
            self.file(file, |show, text| show.print(&text))?;
        }
        Ok(())
    }

    /// Reads files from the newest back until `last` records have matched, then prints those.
    fn newest(&mut self, mut files: Vec<PathBuf>, last: usize, unasked: bool) -> io::Result<()> {
        let mut batches: Vec<VecDeque<String>> = Vec::new();
        let (mut room, mut left_out) = (last, false);
        while room > 0
            && let Some(file) = files.pop()
        {
            let mut batch = VecDeque::new();
            self.file(file, |_, text| {
                if batch.len() == room {
                    batch.pop_front();
                    left_out = true;
                }
                batch.push_back(text);
                Ok(())
            })?;
            room -= batch.len();
            batches.push(batch);
        }
        for text in batches.iter().rev().flatten() {
            self.print(text)?;
        }
        if unasked && (left_out || !files.is_empty()) {
            self.out.flush()?;
            note(&format!(
                "only the newest {last} records; --last N or --since TIME shows more"
            ));
        }
        Ok(())
    }

    /// Passes the text of each match in a file to `take`. A file begins with a checkpoint, so no
    /// earlier file is read.
    fn file(
        &mut self,
        file: PathBuf,
        mut take: impl FnMut(&mut Self, String) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut known = SnapshotNames::default();
        let mut told = RepeatedAlerts::default();
        for record in records(file) {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    self.unread(&error);
                    continue;
                }
            };
            let said = RecordFields::of(&record);
            known.learn(record.server.as_ref(), &said);
            if self.filter.takes(&record, &said, &known)
                && (self.lines.is_none() || told.is_new(&record, &said))
                && let Some(text) = self.words(&record, &said, &known)
            {
                take(self, text)?;
            }
            if record.event == "delete_confirmed" {
                known.forget(record.server.as_ref(), said.id.as_ref());
            }
        }
        Ok(())
    }

    /// Returns a record's text. `None` for a checkpoint, which repeats earlier records; it is shown
    /// only with `--json` or if asked for.
    fn words(&self, record: &Record, said: &RecordFields, known: &SnapshotNames) -> Option<String> {
        let Some(lines) = &self.lines else {
            return Some(record.json.clone());
        };
        let asked = !self.filter.events.is_empty();
        (record.event != "checkpoint" || asked).then(|| lines.line(record, said, known))
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        if let Some(lines) = self.lines.as_ref().filter(|_| self.shown == 0) {
            writeln!(self.out, "{}", lines.opening())?;
        }
        self.shown += 1;
        writeln!(self.out, "{text}")
    }

    fn unread(&mut self, error: &TrailError) {
        self.unread += 1;
        if self.unread <= TOLD {
            note(&error.to_string());
        }
    }

    fn ended(&self) -> Exit {
        if self.unread > TOLD {
            note(&format!("{} lines of the trail can't be read", self.unread));
        }
        if self.unread > 0 {
            Exit::Bad
        } else {
            Exit::Good
        }
    }
}
