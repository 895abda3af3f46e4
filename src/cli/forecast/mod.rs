//! `forecast`: computes from the policies alone which snapshots will exist. Sends no requests.
//!
//! `text` prints a forecast, and `status::forecast_svg` draws it. `compare` compares two policies.

mod compare;
#[cfg(test)]
mod forecast_screen_tests;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use self::compare::ServerComparison;
use super::screen::Screen;
use super::server_argument::{ServerArgument, chosen};
use super::{Cli, Exit, print_json, printable_path, say};
use crate::clock::Clock;
use crate::config::{self, Config, Environment, SecretChecks};
use crate::core::better_keeps::{BetterKeeps, better_keeps, whole_period};
use crate::core::policy::Policy;
use crate::core::sanitize::printable;
use crate::core::snapshot::ServerId;
use crate::core::steady_state_forecast::{Forecast, forecast};
use crate::daemon::CommandError;
use crate::status::picture;

/// Maximum number of servers that are shown in full; if there are more, each gets a single line.
const MOST_IN_FULL: usize = 20;

/// Rows of the overview besides its servers.
const OTHER_ROWS: usize = 6;

/// Maximum number of servers in one picture.
const MOST_IN_PICTURE: usize = 100;

/// Arguments of `forecast`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many days to show, including today [default: a whole period of the schedule: 28 days,
    /// or a year if a rotation runs less than weekly]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub days: Option<u32>,
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
    /// Show every server, also if there are too many for the screen
    #[arg(long, conflicts_with_all = ["bare", "named", "against", "json"])]
    pub all: bool,
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
    servers: Vec<ServerForecast>,
}

/// A server's forecast, and what would do better.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ServerForecast {
    #[serde(flatten)]
    forecast: Forecast,
    /// Other keeps that reach back further with as many snapshots; `null` if there are none, or for
    /// more than 20 servers.
    better: Option<BetterKeeps>,
    /// The server as a command takes it.
    #[serde(skip)]
    argument: String,
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
    let many = policies.len() > MOST_IN_FULL;
    picturable(args, policies.len())?;
    let look = |policy: &Arc<Policy>| {
        let days = args.days.unwrap_or_else(|| whole_period(policy));
        forecast(policy, &config.rules, from, days)
    };
    if !args.json && args.svg.is_none() && many {
        let most = if args.all { usize::MAX } else { fitting() };
        let shown = policies.len().min(most);
        let rows = summaries(&policies[..shown], look);
        return say(&text::summaries(rows, from, policies.len()));
    }
    let servers = policies.iter().map(|policy| {
        let forecast = look(policy);
        let better = (!many).then(|| better_keeps(policy, &config.rules, &forecast));
        ServerForecast {
            better: better.flatten(),
            argument: policy.argument(),
            forecast,
        }
    });
    let servers: Vec<_> = servers.collect();
    if let Some(file) = &args.svg {
        let rows = servers.iter().map(|server| (None, &server.forecast));
        write(file, &picture(rows.collect()))?;
    }
    if args.json {
        print_json(&Forecasts { servers })
    } else if many {
        let lines = servers.iter().map(|server| &server.forecast);
        let lines = lines.map(text::ServerSummary::of).collect();
        say(&text::summaries(lines, from, policies.len()))
    } else {
        let all = args.days.is_some();
        let width = Screen::columns_of_stdout();
        let texts: Vec<_> = servers
            .iter()
            .map(|one| text::server(one, all, width))
            .collect();
        say(&tidy(&texts.join("\n\n")))
    }
}

/// Returns a line for each server. One at a time: full forecasts of thousands of servers would fill
/// the memory. Servers with the same rotations are forecast once.
fn summaries(
    policies: &[Arc<Policy>],
    look: impl Fn(&Arc<Policy>) -> Forecast,
) -> Vec<text::ServerSummary> {
    let mut known: BTreeMap<String, text::ServerSummary> = BTreeMap::new();
    let lines = policies.iter().map(|policy| {
        let alike = Policy {
            file: String::new(),
            server: ServerId::from(0),
            name: None,
            ..Policy::clone(policy)
        };
        let summary = known
            .entry(format!("{alike:?}"))
            .or_insert_with(|| text::ServerSummary::of(&look(policy)));
        summary.for_server(policy)
    });
    lines.collect()
}

/// Returns the number of servers that fit on the screen; all if the output is no terminal.
fn fitting() -> usize {
    Screen::of_stdout().map_or(usize::MAX, |screen| {
        let rows = usize::from(screen.rows);
        rows.saturating_sub(OTHER_ROWS).max(1)
    })
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
    // Both forecasts need the same days.
    let days = |server: &ServerId| {
        let both = now.iter().chain(&then);
        let both = both.filter(|policy| policy.server == *server);
        let period = both.map(|policy| whole_period(policy)).max();
        args.days.or(period).unwrap_or_default()
    };
    let look = |policies: &[Arc<Policy>], config: &Config, server| {
        let policy = policies.iter().find(|policy| policy.server == server)?;
        Some(forecast(policy, &config.rules, from, days(&server)))
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
    let width = Screen::columns_of_stdout();
    say(&tidy(&compare::text(&changes, &name, MOST_IN_FULL, width)))?;
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
