//! `forecast`: computes from the policies alone which snapshots will exist. Sends no requests.
//!
//! `text` prints a forecast, and `status::forecast_svg` draws it. `compare` compares two policies.

mod compare;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use self::compare::ServerComparison;
use super::server_argument::{ServerArgument, chosen};
use super::{Cli, Exit, print_json, printable_path, say};
use crate::clock::Clock;
use crate::config::{self, Config, Environment, SecretChecks};
use crate::core::policy::Policy;
use crate::core::sanitize::printable;
use crate::core::steady_state_forecast::{Forecast, forecast};
use crate::daemon::CommandError;
use crate::status::picture;

/// Maximum number of servers that are shown in full; if there are more, each gets a single line.
const MOST_IN_FULL: usize = 20;

/// Maximum number of servers in one picture.
const MOST_IN_PICTURE: usize = 100;

/// Arguments of `forecast`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many days to show, including today
    #[arg(long, value_name = "N", default_value_t = 28,
        value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub days: u32,
    /// Which server.
    #[command(flatten)]
    pub server: ServerArgument,
    /// Show what would change if FILE were in force: another main configuration file with its
    /// policies, or the draft of one policy, to which this configuration's limit and defaults
    /// apply
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Also write a picture: a row for each rotation, a dot for each snapshot, and a line for as
    /// long as it exists
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Print the forecast as JSON: times in UTC, ages in seconds; null if no snapshot is
    /// completed
    #[arg(long)]
    pub json: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Forecasts {
    /// The forecast of each server.
    servers: Vec<Forecast>,
}

/// Prints the future snapshots and the recovery points.
pub fn run(cli: &Cli, args: &Args) -> Result<Exit, CommandError> {
    let config = cli.load_with(SecretChecks::Unneeded)?;
    let from = whole_second(Clock::system().now().wall);
    match &args.against {
        Some(other) => against(cli, args, &config, other, from)?,
        None => alone(args, &config, from)?,
    }
    Ok(Exit::Good)
}

fn alone(args: &Args, config: &Config, from: Timestamp) -> Result<(), CommandError> {
    let policies = chosen(&config.policies, args.server.one())?;
    let look = |policy: &Arc<Policy>| forecast(policy, &config.rules, from, args.days);
    if !args.json && args.svg.is_none() && policies.len() > MOST_IN_FULL {
        // One at a time: full forecasts of thousands of servers would fill the memory.
        let lines = policies
            .iter()
            .map(|policy| text::ServerSummary::of(&look(policy)));
        say(&text::summaries(lines, from, args.days))?;
        return Ok(());
    }
    picturable(args, policies.len())?;
    let servers: Vec<_> = policies.iter().map(look).collect();
    if let Some(file) = &args.svg {
        let rows = servers.iter().map(|server| (None, server));
        write(file, &picture(rows.collect()))?;
    }
    if args.json {
        print_json(&Forecasts { servers })
    } else if servers.len() > MOST_IN_FULL {
        let lines = servers.iter().map(text::ServerSummary::of);
        say(&text::summaries(lines, from, args.days))?;
        Ok(())
    } else {
        let texts: Vec<_> = servers.iter().map(text::server).collect();
        say(&tidy(&texts.join("\n\n")))?;
        Ok(())
    }
}

fn against(
    cli: &Cli,
    args: &Args,
    config: &Config,
    file: &Path,
    from: Timestamp,
) -> Result<(), CommandError> {
    let env = Environment {
        secrets: SecretChecks::Unneeded,
        ..Environment::from_process()
    };
    let draft = config::is_policy(file)?;
    let other = if draft {
        config::load_draft(&cli.config, file, &env)?
    } else {
        config::load(file, &env)?
    };
    let (mut now, mut then) = (config.policies.clone(), other.policies.clone());
    if draft {
        now.retain(|policy| then.iter().any(|draft| draft.server == policy.server));
    }
    if let Some(server) = args.server.one() {
        let meant = match chosen(&now, Some(server)) {
            Ok(found) => found,
            // Perhaps only the other configuration has a policy for this server.
            Err(unknown) => chosen(&then, Some(server)).map_err(|_| {
                let known = chosen(&config.policies, Some(server)).is_ok();
                match then.first().filter(|_| draft && known) {
                    Some(policy) => CommandError::Settings(format!(
                        "{} is for {}, not for {server}: leave out the server",
                        printable_path(file),
                        policy.called()
                    )),
                    None => unknown,
                }
            })?,
        };
        let meant = meant.first().map(|policy| policy.server.clone());
        now.retain(|policy| Some(policy.server.clone()) == meant);
        then.retain(|policy| Some(policy.server.clone()) == meant);
    }
    let mut servers: Vec<_> = now
        .iter()
        .chain(&then)
        .map(|policy| policy.server.clone())
        .collect();
    servers.sort_unstable();
    servers.dedup();
    picturable(args, servers.len())?;
    let look = |policies: &[Arc<Policy>], config: &Config, server| {
        let policy = policies.iter().find(|policy| policy.server == server)?;
        Some(forecast(policy, &config.rules, from, args.days))
    };
    let changes = servers.into_iter().map(|server| {
        let (now, other) = (
            look(&now, config, server.clone()),
            look(&then, &other, server.clone()),
        );
        ServerComparison::between(server, now, other)
    });
    let changes: Vec<_> = changes.collect();
    let name = printable(&file.display().to_string(), 200);
    if let Some(file) = &args.svg {
        let rows = changes.iter().flat_map(|change| change.both(&name));
        write(file, &picture(rows.collect()))?;
    }
    if args.json {
        return print_json(&compare::ForecastComparison {
            now: &cli.config,
            other: file,
            servers: changes,
        });
    }
    say(&tidy(&compare::text(&changes, &name, MOST_IN_FULL)))?;
    Ok(())
}

fn picturable(args: &Args, servers: usize) -> Result<(), CommandError> {
    if args.svg.is_some() && servers > MOST_IN_PICTURE {
        return Err(CommandError::Settings(format!(
            "{servers} servers are too many for one picture (at most {MOST_IN_PICTURE}): name one with --server"
        )));
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(file, text).map_err(|why| {
        let file = printable(&file.display().to_string(), 200);
        CommandError::Settings(format!(
            "the picture can't be written to {file}: {why}; name a file in a folder that you may write to"
        ))
    })
}

/// Removes the blanks that pad a table's last column.
fn tidy(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Returns the schema of `forecast --json`.
#[cfg(test)]
pub(super) fn output_schema() -> String {
    /// The future snapshots, without and with `--against`.
    #[derive(schemars::JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Output<'a> {
        /// Without `--against`.
        Alone(Forecasts),
        /// With `--against`.
        Against(compare::ForecastComparison<'a>),
    }
    super::output_schema::derived::<Output<'_>>("forecast")
}
